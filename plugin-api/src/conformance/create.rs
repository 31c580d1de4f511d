//! `create`.

use super::{
    Applies, Case,
    check::{BROKEN, Broken, Checked, Stutter, cases, ensure, noise, samples},
    subject::Subject,
};
use crate::{ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "create", Applies::Always;
    stores_what_it_is_given: "Creates a file … The whole content of a file, byte for byte as it was stored.";
    makes_parents: "Creates a file with its parent directories.";
    describes_the_file: "Creates a file … and describes it.";
    an_empty_file_is_a_file: "An empty file is a file.";
    does_not_overwrite_unasked: "AlreadyExists if there is something at `path` and overwriting was not asked for.";
    overwrites_when_asked: "overwrite: an existing file is replaced.";
    overwriting_needs_no_file: "overwrite: an existing file is replaced; without one, this is a new file.";
    never_overwrites_a_directory: "IsADirectory if a directory is to be overwritten: that never happens.";
    refuses_a_file_on_the_way: "A file where a directory is needed on the way is NotADirectory.";
    reads_a_reader_to_its_end: "Content::Reader: a stream, read to its end.";
    does_not_store_a_broken_reader: "Content from a reader that fails is not stored.";
    keeps_the_old_content_if_a_reader_breaks: "A failed upload meets the old content or the new, never half, never neither.";
    names_the_readers_own_error: "An error in the content ends the operation: the reader's own error is the answer.";
};

fn stores_what_it_is_given(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        s.create(name, &content).done()?;
        s.read(name).is(&content)?;
    }
    samples().into_iter().try_for_each(|(name, content)| s.read(name).is(&content))
}

fn makes_parents(s: &Subject<'_>) -> Checked {
    s.create("a/b/c.txt", "x").done()?;
    s.is_dir("a")?;
    s.is_dir("a/b")?;
    s.create("a/b/d/e.txt", "y").done()?;
    s.read("a/b/c.txt").is("x")?;
    s.read("a/b/d/e.txt").is("y")
}

fn describes_the_file(s: &Subject<'_>) -> Checked {
    let said = s.create("a/b.txt", "hello").done()?;
    s.is_described_by("a/b.txt", &said, FileKind::File, 5)?;
    let said = s.overwrite("a/b.txt", "hello, world").done()?;
    s.is_described_by("a/b.txt", &said, FileKind::File, 12)
}

fn an_empty_file_is_a_file(s: &Subject<'_>) -> Checked {
    let said = s.create("empty", "").done()?;
    s.is_described_by("empty", &said, FileKind::File, 0)?;
    s.read("empty").is("")?;
    s.create("empty", "x").fails(ErrorKind::AlreadyExists)
}

fn does_not_overwrite_unasked(s: &Subject<'_>) -> Checked {
    s.create("file", "old").done()?;
    s.create("dir/inside", "kept").done()?;
    s.unchanged_by(|| {
        s.create("file", "new").fails(ErrorKind::AlreadyExists)?;
        s.create_from("file", Stutter::new(b"new"), false).fails(ErrorKind::AlreadyExists)?;
        s.create("dir", "new").fails(ErrorKind::AlreadyExists)
    })
}

fn overwrites_when_asked(s: &Subject<'_>) -> Checked {
    s.create("a/file", noise(5000)).done()?;
    s.overwrite("a/file", "short").done()?;
    s.read("a/file").is("short")?;
    s.create_from("a/file", Stutter::new(&noise(9000)), true).done()?;
    s.read("a/file").is(noise(9000))?;
    let entries = s.list("a").done()?;
    ensure!(entries.len() == 1, "the directory holds {entries:?} instead of one file");
    Ok(())
}

fn overwriting_needs_no_file(s: &Subject<'_>) -> Checked {
    s.overwrite("new/file", "x").done()?;
    s.read("new/file").is("x")
}

fn never_overwrites_a_directory(s: &Subject<'_>) -> Checked {
    s.create("full/inside", "kept").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        s.overwrite("full", "x").fails(ErrorKind::IsADirectory)?;
        s.overwrite("empty", "x").fails(ErrorKind::IsADirectory)?;
        s.create_from("empty", Stutter::new(b"x"), true).fails(ErrorKind::IsADirectory)
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("a/file", "kept").done()?;
    s.unchanged_by(|| {
        for path in ["a/file/x", "a/file/x/y"] {
            s.create(path, "x").fails(ErrorKind::NotADirectory)?;
            s.overwrite(path, "x").fails(ErrorKind::NotADirectory)?;
        }
        Ok(())
    })
}

fn reads_a_reader_to_its_end(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        let said = s.create_from(name, Stutter::new(&content), false).done()?;
        s.read(name).is(&content)?;
        s.is_described_by(name, &said, FileKind::File, content.len())?;
    }
    Ok(())
}

fn does_not_store_a_broken_reader(s: &Subject<'_>) -> Checked {
    s.unchanged_by(|| {
        for length in [0, 1, 300_000] {
            s.create_from("a/file", Broken::after(length), false).error()?;
            s.create_from("a/file", Broken::after(length), true).error()?;
            s.info("a/file").error()?;
        }
        Ok(())
    })
}

fn keeps_the_old_content_if_a_reader_breaks(s: &Subject<'_>) -> Checked {
    s.create("file", noise(1000)).done()?;
    s.unchanged_by(|| {
        [0, 1, 300_000].into_iter().try_for_each(|length| {
            s.create_from("file", Broken::after(length), true).error()?;
            Ok(())
        })
    })
}

fn names_the_readers_own_error(s: &Subject<'_>) -> Checked {
    s.create_from("file", Broken::after(100), false).fails(BROKEN)?;
    s.create_from("file", Broken::after(300_000), true).fails(BROKEN)
}
