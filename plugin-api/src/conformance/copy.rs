//! `copy`.

use super::{
    Applies, Case,
    check::{Checked, cases, samples},
    subject::Subject,
};
use crate::{Capabilities, ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "copy", Applies::Declared(Capabilities::COPY);
    copies_the_content: "Copies the file at `from` to `to`.";
    copies_are_independent: "Copies the file: a change of one is none of the other.";
    makes_parents: "Copies the file at `from` to `to`, with parent directories.";
    describes_the_copy: "The answer describes what is at `to`.";
    does_not_overwrite_unasked: "# Errors: as create for `to`: AlreadyExists if there is something and overwriting was not asked for.";
    overwrites_when_asked: "overwrite: an existing file at the destination is replaced.";
    onto_itself_keeps_the_content: "Copies the file at `from` to `to`, which may be the same.";
    never_overwrites_a_directory: "# Errors: as create for `to`: IsADirectory if a directory is to be overwritten.";
    refuses_a_directory: "# Errors: as read for `from`: IsADirectory for a directory.";
    refuses_what_is_missing: "# Errors: as read for `from`: NotFound.";
    refuses_a_file_on_the_way: "# Errors: as read for `from` and create for `to`: NotADirectory.";
};

fn copies_the_content(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        let to = format!("copy-of-{name}");
        s.create(name, &content).done()?;
        s.copy(name, &to, false).done()?;
        s.read(&to).is(&content)?;
        s.read(name).is(&content)?;
    }
    Ok(())
}

fn copies_are_independent(s: &Subject<'_>) -> Checked {
    s.create("a", "content").done()?;
    s.copy("a", "b", false).done()?;
    s.append("a", " of a").done()?;
    s.read("b").is("content")?;
    s.replace("b", "of b").done()?;
    s.read("a").is("content of a")?;
    s.delete("a").done()?;
    s.read("b").is("of b")
}

fn makes_parents(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.copy("file", "a/b/c", false).done()?;
    s.is_dir("a/b")?;
    s.read("a/b/c").is("x")
}

fn describes_the_copy(s: &Subject<'_>) -> Checked {
    s.create("file", "12345").done()?;
    let said = s.copy("file", "a/copy", false).done()?;
    s.is_described_by("a/copy", &said, FileKind::File, 5)
}

fn does_not_overwrite_unasked(s: &Subject<'_>) -> Checked {
    s.create("file", "new").done()?;
    s.create("dir/old", "old").done()?;
    s.unchanged_by(|| {
        s.copy("file", "dir/old", false).fails(ErrorKind::AlreadyExists)?;
        s.copy("file", "dir", false).fails(ErrorKind::AlreadyExists)?;
        s.copy("file", "file", false).fails(ErrorKind::AlreadyExists)
    })
}

fn overwrites_when_asked(s: &Subject<'_>) -> Checked {
    s.create("file", "new").done()?;
    s.create("old", "old and longer").done()?;
    let said = s.copy("file", "old", true).done()?;
    s.is_described_by("old", &said, FileKind::File, 3)?;
    s.read("old").is("new")?;
    s.read("file").is("new")
}

fn onto_itself_keeps_the_content(s: &Subject<'_>) -> Checked {
    s.create("file", "content").done()?;
    s.copy("file", "file", true).done()?;
    s.read("file").is("content")
}

fn never_overwrites_a_directory(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.create("dir/inside", "kept").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        s.copy("file", "dir", true).fails(ErrorKind::IsADirectory)?;
        s.copy("file", "empty", true).fails(ErrorKind::IsADirectory)
    })
}

fn refuses_a_directory(s: &Subject<'_>) -> Checked {
    s.create("dir/inside", "x").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        s.copy("dir", "new", false).fails(ErrorKind::IsADirectory)?;
        s.copy("empty", "new", true).fails(ErrorKind::IsADirectory)
    })
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("old", "kept").done()?;
    s.unchanged_by(|| {
        s.copy("missing", "new", false).fails(ErrorKind::NotFound)?;
        s.copy("missing/below", "new", false).fails(ErrorKind::NotFound)?;
        s.copy("missing", "old", true).fails(ErrorKind::NotFound)
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("a", "1").done()?;
    s.create("b", "2").done()?;
    s.unchanged_by(|| {
        s.copy("a/below", "new", false).fails(ErrorKind::NotADirectory)?;
        s.copy("a", "b/below", false).fails(ErrorKind::NotADirectory)?;
        s.copy("a", "a/below", true).fails(ErrorKind::NotADirectory)
    })
}
