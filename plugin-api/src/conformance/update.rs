//! `update`.

use super::{
    Applies, Case,
    check::{BROKEN, Broken, Checked, Stutter, cases, noise, samples},
    subject::Subject,
};
use crate::{ErrorKind, FileKind, UpdateMode};

pub(super) const CASES: &[Case] = cases! {
    "update", Applies::Always;
    replaces: "Changes the content of a file that exists. Replace: the new content takes the place of the old.";
    appends: "Append: the new content comes after the old.";
    appends_from_a_reader: "Append: the new content comes after the old. Content::Reader: a stream, read to its end.";
    describes_the_file: "Changes the content of a file that exists, and describes it.";
    does_not_create: "NotFound if there is nothing at `path`: updating does not create.";
    refuses_a_directory: "IsADirectory for a directory.";
    refuses_a_file_on_the_way: "A file where a directory is needed on the way is NotADirectory.";
    keeps_the_old_content_if_a_reader_breaks: "An error in the content ends the operation, and nothing is stored.";
    names_the_readers_own_error: "An error in the content ends the operation: the reader's own error is the answer.";
};

fn replaces(s: &Subject<'_>) -> Checked {
    s.create("file", noise(5000)).done()?;
    s.create("file2", "beside").done()?;
    for (_, content) in samples() {
        s.replace("file", &content).done()?;
        s.read("file").is(&content)?;
        s.update_from("file", Stutter::new(&content), UpdateMode::Replace).done()?;
        s.read("file").is(&content)?;
    }
    s.read("file2").is("beside")
}

fn appends(s: &Subject<'_>) -> Checked {
    let mut expected = Vec::new();
    s.create("file", "").done()?;
    for (_, content) in samples() {
        s.append("file", &content).done()?;
        expected.extend(content);
        s.read("file").is(&expected)?;
    }
    Ok(())
}

fn appends_from_a_reader(s: &Subject<'_>) -> Checked {
    let (old, new) = (noise(1000), noise(70_000));
    s.create("file", &old).done()?;
    s.update_from("file", Stutter::new(&new), UpdateMode::Append).done()?;
    s.read("file").is([old, new].concat())
}

fn describes_the_file(s: &Subject<'_>) -> Checked {
    s.create("a/file", "12345").done()?;
    let said = s.replace("a/file", "123").done()?;
    s.is_described_by("a/file", &said, FileKind::File, 3)?;
    let said = s.append("a/file", "4567").done()?;
    s.is_described_by("a/file", &said, FileKind::File, 7)
}

fn does_not_create(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.unchanged_by(|| {
        for path in ["missing", "dir/missing", "missing/below", "dir/fil"] {
            s.replace(path, "x").fails(ErrorKind::NotFound)?;
            s.append(path, "x").fails(ErrorKind::NotFound)?;
        }
        Ok(())
    })
}

fn refuses_a_directory(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        for path in ["dir", "empty"] {
            s.replace(path, "x").fails(ErrorKind::IsADirectory)?;
            s.append(path, "x").fails(ErrorKind::IsADirectory)?;
        }
        Ok(())
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.unchanged_by(|| {
        s.replace("file/below", "x").fails(ErrorKind::NotADirectory)?;
        s.append("file/below", "x").fails(ErrorKind::NotADirectory)
    })
}

fn keeps_the_old_content_if_a_reader_breaks(s: &Subject<'_>) -> Checked {
    s.create("file", noise(1000)).done()?;
    s.unchanged_by(|| {
        for length in [0, 1, 300_000] {
            s.update_from("file", Broken::after(length), UpdateMode::Replace).error()?;
            s.update_from("file", Broken::after(length), UpdateMode::Append).error()?;
        }
        Ok(())
    })
}

fn names_the_readers_own_error(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.update_from("file", Broken::after(100), UpdateMode::Replace).fails(BROKEN)?;
    s.update_from("file", Broken::after(300_000), UpdateMode::Append).fails(BROKEN)
}
