//! `rename`.

use super::{
    Applies, Case,
    check::{Checked, cases, ensure, samples},
    subject::Subject,
};
use crate::{Capabilities, ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "rename", Applies::Declared(Capabilities::RENAME);
    moves_a_file: "Moves a file from `from` to `to`.";
    moves_a_directory_with_all_it_holds: "Moves … a directory with all it holds.";
    keeps_what_is_beside: "Moves a file, or a directory with all it holds: nothing else.";
    makes_parents: "Moves … with parent directories.";
    describes_what_moved: "The answer describes what is at `to`.";
    onto_itself_changes_nothing: "Moving something onto itself changes nothing.";
    does_not_overwrite_unasked: "AlreadyExists if there is something at `to` and overwrite was not asked for.";
    overwrites_a_file_when_asked: "overwrite: an existing file at the destination is replaced.";
    never_overwrites_a_directory: "IsADirectory if a directory is to be overwritten.";
    refuses_to_move_a_directory_below_itself: "InvalidOperation for a directory that is to move below itself.";
    a_name_that_begins_alike_is_not_below: "InvalidOperation for a directory that is to move below itself, and for no other.";
    refuses_what_is_missing: "Missing paths are NotFound.";
    refuses_a_file_on_the_way: "A file where a directory is needed on the way is NotADirectory.";
};

fn moves_a_file(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        let to = format!("moved-{name}");
        s.create(name, &content).done()?;
        s.rename(name, &to, false).done()?;
        s.read(&to).is(&content)?;
        s.info(name).fails(ErrorKind::NotFound)?;
    }
    let (found, expected) = (s.list("/").done()?.len(), samples().len());
    ensure!(found == expected, "there are {found} files instead of {expected}");
    Ok(())
}

fn moves_a_directory_with_all_it_holds(s: &Subject<'_>) -> Checked {
    s.create("old/a/b", "1").done()?;
    s.create("old/c", "2").done()?;
    s.create_dir("old/empty").done()?;
    s.rename("old", "new", false).done()?;
    let tree = s.tree()?;
    let paths: Vec<_> = tree.keys().map(String::as_str).collect();
    ensure!(paths == ["new", "new/a", "new/a/b", "new/c", "new/empty"], "afterwards there is {paths:?}");
    s.is_dir("new/empty")?;
    s.read("new/a/b").is("1")?;
    s.read("new/c").is("2")?;
    s.info("old").fails(ErrorKind::NotFound)?;
    s.info("old/c").fails(ErrorKind::NotFound)
}

fn keeps_what_is_beside(s: &Subject<'_>) -> Checked {
    for path in ["ab", "a.b", "a b", "a-/c", "b/a"] {
        s.create(path, path).done()?;
    }
    s.unchanged_by(|| {
        s.create("a/x", "x").done()?;
        s.rename("a", "new", false).done()?;
        s.read("new/x").is("x")?;
        s.delete_all("new").done()
    })
}

fn makes_parents(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.create("dir/inside", "y").done()?;
    s.rename("file", "a/b/file", false).done()?;
    s.rename("dir", "c/d/dir", false).done()?;
    s.is_dir("a/b")?;
    s.is_dir("c/d")?;
    s.read("a/b/file").is("x")?;
    s.read("c/d/dir/inside").is("y")
}

fn describes_what_moved(s: &Subject<'_>) -> Checked {
    s.create("file", "12345").done()?;
    s.create("dir/inside", "x").done()?;
    let said = s.rename("file", "a/moved", false).done()?;
    s.is_described_by("a/moved", &said, FileKind::File, 5)?;
    let said = s.rename("dir", "moved", false).done()?;
    s.is_described_by("moved", &said, FileKind::Directory, 0)
}

fn onto_itself_changes_nothing(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "content").done()?;
    s.unchanged_by(|| {
        s.rename("dir/file", "dir/file", true).done()?;
        // Without `overwrite`, or of a directory, it may also be called a destination that is taken.
        for (path, overwrite) in [("dir/file", false), ("dir", false), ("dir", true)] {
            let _ = s.rename(path, path, overwrite);
        }
        Ok(())
    })
}

fn does_not_overwrite_unasked(s: &Subject<'_>) -> Checked {
    s.create("file", "new").done()?;
    s.create("from/inside", "new").done()?;
    s.create("dir/old", "old").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        for from in ["file", "from"] {
            for to in ["dir/old", "dir", "empty"] {
                s.rename(from, to, false).fails(ErrorKind::AlreadyExists)?;
            }
        }
        Ok(())
    })
}

fn overwrites_a_file_when_asked(s: &Subject<'_>) -> Checked {
    s.create("file", "new").done()?;
    s.create("dir/old", "old and longer").done()?;
    let said = s.rename("file", "dir/old", true).done()?;
    s.is_described_by("dir/old", &said, FileKind::File, 3)?;
    s.read("dir/old").is("new")?;
    s.info("file").fails(ErrorKind::NotFound)
}

fn never_overwrites_a_directory(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.create("from/inside", "x").done()?;
    s.create("dir/inside", "kept").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        for from in ["file", "from"] {
            s.rename(from, "dir", true).fails(ErrorKind::IsADirectory)?;
            s.rename(from, "empty", true).fails(ErrorKind::IsADirectory)?;
        }
        Ok(())
    })
}

fn refuses_to_move_a_directory_below_itself(s: &Subject<'_>) -> Checked {
    s.create("dir/sub/inside", "kept").done()?;
    s.unchanged_by(|| {
        s.rename("dir", "dir/new", false).fails(ErrorKind::InvalidOperation)?;
        s.rename("dir", "dir/sub/new", false).fails(ErrorKind::InvalidOperation)?;
        s.rename("dir", "dir/new/deep/er", true).fails(ErrorKind::InvalidOperation)
    })
}

fn a_name_that_begins_alike_is_not_below(s: &Subject<'_>) -> Checked {
    s.create("dir/inside", "x").done()?;
    s.rename("dir", "dir2", false).done()?;
    s.rename("dir2", "dir2.new/dir2", false).done()?;
    s.read("dir2.new/dir2/inside").is("x")
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("old", "kept").done()?;
    s.unchanged_by(|| {
        s.rename("missing", "new", false).fails(ErrorKind::NotFound)?;
        s.rename("missing/below", "new", false).fails(ErrorKind::NotFound)?;
        s.rename("missing", "old", true).fails(ErrorKind::NotFound)
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("a", "1").done()?;
    s.create("b", "2").done()?;
    s.unchanged_by(|| {
        s.rename("a/below", "new", false).fails(ErrorKind::NotADirectory)?;
        s.rename("a", "b/below", false).fails(ErrorKind::NotADirectory)?;
        s.rename("a", "a/below", true).fails(ErrorKind::NotADirectory)
    })
}
