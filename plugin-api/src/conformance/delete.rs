//! `delete`.

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::ErrorKind;

pub(super) const CASES: &[Case] = cases! {
    "delete", Applies::Always;
    removes_a_file: "Removes a file.";
    removes_an_empty_directory: "Removes … an empty directory.";
    keeps_what_is_beside: "Removes a file, an empty directory, or with `recursive` a directory with all it holds: nothing else.";
    removes_a_directory_with_all_it_holds: "Removes … with `recursive` a directory with all it holds.";
    recursive_removes_a_file_too: "Removes a file: `recursive` only adds directories with all they hold.";
    refuses_a_directory_with_entries: "DirectoryNotEmpty if the directory has entries and `recursive` was not asked for.";
    refuses_what_is_missing: "NotFound if there is nothing at `path`.";
    refuses_a_file_on_the_way: "A file where a directory is needed on the way is NotADirectory.";
    frees_the_path: "Removes a file, an empty directory …: afterwards there is nothing at `path`.";
};

fn removes_a_file(s: &Subject<'_>) -> Checked {
    s.create("a/file", "x").done()?;
    s.delete("a/file").done()?;
    s.info("a/file").fails(ErrorKind::NotFound)?;
    s.read("a/file").fails(ErrorKind::NotFound)?;
    let entries = s.list("a").done()?;
    ensure!(entries.is_empty(), "afterwards the directory still holds {entries:?}");
    s.delete("a/file").fails(ErrorKind::NotFound)
}

fn removes_an_empty_directory(s: &Subject<'_>) -> Checked {
    s.create_dir("dir/empty").done()?;
    s.delete("dir/empty").done()?;
    s.info("dir/empty").fails(ErrorKind::NotFound)?;
    s.delete("dir").done()?;
    let entries = s.list("/").done()?;
    ensure!(entries.is_empty(), "afterwards the root still holds {entries:?}");
    Ok(())
}

/// Names that a comparison of prefixes takes for what is in `a`, or for `a` itself.
const SIBLINGS: [&str; 7] = ["ab", "a.b", "a b", "a-b/c", "a0/a", "b/a", "A!"];

fn keeps_what_is_beside(s: &Subject<'_>) -> Checked {
    for path in SIBLINGS {
        s.create(path, path).done()?;
    }
    s.unchanged_by(|| {
        s.create("a/b/c", "x").done()?;
        s.create("a/d", "x").done()?;
        s.delete_all("a").done()?;
        s.create("a", "x").done()?;
        s.delete("a").done()
    })
}

fn removes_a_directory_with_all_it_holds(s: &Subject<'_>) -> Checked {
    s.create("top/a/b/c", "x").done()?;
    s.create("top/a/d", "x").done()?;
    s.create_dir("top/a/empty").done()?;
    s.delete_all("top/a").done()?;
    for path in ["top/a", "top/a/b", "top/a/b/c", "top/a/d", "top/a/empty"] {
        s.info(path).fails(ErrorKind::NotFound)?;
    }
    let entries = s.list_all("/").done()?;
    ensure!(entries.len() == 1, "afterwards there is {entries:?} instead of one empty directory");
    s.create_dir("top/a").done()?;
    let entries = s.list_all("top/a").done()?;
    ensure!(entries.is_empty(), "made anew, the directory holds {entries:?}");
    Ok(())
}

fn recursive_removes_a_file_too(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.create_dir("empty").done()?;
    s.delete_all("file").done()?;
    s.delete_all("empty").done()?;
    s.info("file").fails(ErrorKind::NotFound)?;
    s.info("empty").fails(ErrorKind::NotFound)
}

fn refuses_a_directory_with_entries(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.create_dir("outer/empty").done()?;
    s.unchanged_by(|| {
        s.delete("dir").fails(ErrorKind::DirectoryNotEmpty)?;
        s.delete("outer").fails(ErrorKind::DirectoryNotEmpty)
    })
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.unchanged_by(|| {
        for path in ["missing", "dir/missing", "missing/below", "di", "dir/fil"] {
            s.delete(path).fails(ErrorKind::NotFound)?;
            s.delete_all(path).fails(ErrorKind::NotFound)?;
        }
        Ok(())
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.unchanged_by(|| {
        s.delete("file/below").fails(ErrorKind::NotADirectory)?;
        s.delete_all("file/below").fails(ErrorKind::NotADirectory)
    })
}

fn frees_the_path(s: &Subject<'_>) -> Checked {
    s.create("x", "old").done()?;
    s.delete("x").done()?;
    s.create("x/below", "new").done()?;
    s.delete_all("x").done()?;
    s.create("x", "newer").done()?;
    s.read("x").is("newer")
}
