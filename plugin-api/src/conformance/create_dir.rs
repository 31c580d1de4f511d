//! `create_dir`.

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "create_dir", Applies::Always;
    makes_an_empty_directory: "Creates a directory.";
    makes_parents: "Creates a directory with its parents.";
    describes_the_directory: "Creates a directory … and describes it.";
    does_not_overwrite_unasked: "AlreadyExists if there is something at `path` and overwriting was not asked for.";
    accepts_a_directory_when_asked: "overwrite accepts a directory that exists, with all it holds.";
    never_overwrites_a_file: "NotADirectory if a file is to be overwritten: that never happens.";
    refuses_a_file_on_the_way: "A file where a directory is needed on the way is NotADirectory.";
};

fn makes_an_empty_directory(s: &Subject<'_>) -> Checked {
    s.create_dir("dir").done()?;
    s.is_dir("dir")?;
    let entries = s.list_all("dir").done()?;
    ensure!(entries.is_empty(), "the new directory holds {entries:?}");
    Ok(())
}

fn makes_parents(s: &Subject<'_>) -> Checked {
    s.create_dir("a/b/c").done()?;
    ["a", "a/b", "a/b/c"].into_iter().try_for_each(|path| s.is_dir(path))
}

fn describes_the_directory(s: &Subject<'_>) -> Checked {
    let said = s.create_dir("a/dir").done()?;
    s.is_described_by("a/dir", &said, FileKind::Directory, 0)?;
    let said = s.overwrite_dir("a/dir").done()?;
    s.is_described_by("a/dir", &said, FileKind::Directory, 0)?;
    let said = s.overwrite_dir("new").done()?;
    s.is_described_by("new", &said, FileKind::Directory, 0)
}

fn does_not_overwrite_unasked(s: &Subject<'_>) -> Checked {
    s.create("dir/inside", "kept").done()?;
    s.create_dir("empty").done()?;
    s.create("file", "kept").done()?;
    s.unchanged_by(|| {
        ["dir", "empty", "file"]
            .into_iter()
            .try_for_each(|path| s.create_dir(path).fails(ErrorKind::AlreadyExists))
    })
}

fn accepts_a_directory_when_asked(s: &Subject<'_>) -> Checked {
    s.create("dir/sub/inside", "kept").done()?;
    s.unchanged_by(|| {
        s.overwrite_dir("dir").done()?;
        s.overwrite_dir("dir/sub").done()?;
        Ok(())
    })
}

fn never_overwrites_a_file(s: &Subject<'_>) -> Checked {
    s.create("file", "kept").done()?;
    s.unchanged_by(|| s.overwrite_dir("file").fails(ErrorKind::NotADirectory))
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("file", "kept").done()?;
    s.unchanged_by(|| {
        s.create_dir("file/x").fails(ErrorKind::NotADirectory)?;
        s.overwrite_dir("file/x/y").fails(ErrorKind::NotADirectory)
    })
}
