//! `open_write` and its writers.

use std::{io::Write, sync::Barrier, thread};

use super::{
    Applies, Case,
    check::{Checked, Failure, cases, ensure, noise, samples},
    subject::Subject,
};
use crate::{Capabilities, ErrorKind, FileKind, FileWriter};

pub(super) const CASES: &[Case] = cases! {
    "open_write", Applies::Declared(Capabilities::OPEN_WRITE);
    commits_what_was_written: "A stream whose content becomes the file's when it is committed. Makes what was written the content of the file.";
    commits_without_a_write: "Makes what was written the content of the file: of nothing, an empty file.";
    describes_the_file: "Makes what was written the content of the file and describes it.";
    makes_parents: "# Errors: as create, which makes parent directories.";
    is_invisible_until_committed: "… and not before; until then nothing of it is visible.";
    overwriting_is_invisible_until_committed: "… and not before; until then nothing of it is visible.";
    leaves_nothing_if_dropped: "If it is dropped nothing remains.";
    keeps_the_old_content_if_dropped: "If it is dropped nothing remains.";
    can_be_given_up_and_begun_anew: "If it is dropped nothing remains.";
    cannot_be_written_after_a_commit: "Nothing can be written afterwards.";
    cannot_be_committed_twice: "A second call is an InvalidOperation.";
    does_not_overwrite_unasked: "# Errors: as create: AlreadyExists if there is something at `path` and overwriting was not asked for.";
    does_not_overwrite_what_came_meanwhile: "# Errors: as create, here or at commit. After an error nothing of the stream remains.";
    never_overwrites_a_directory: "# Errors: as create: IsADirectory if a directory is to be overwritten: that never happens.";
    refuses_a_file_on_the_way: "# Errors: as create: a file where a directory is needed on the way is NotADirectory.";
    one_of_two_writers_wins: "As create: of several racing creators without overwrite, exactly one succeeds.";
    one_of_racing_commits_wins: "As create: of several racing creators without overwrite, exactly one succeeds.";
    the_last_of_two_overwriting_writers_stays: "Another writer meets the old content or the new, never half, never neither.";
};

fn write(writer: &mut dyn FileWriter, content: &[u8]) -> Checked {
    writer.write_all(content).map_err(|error| Failure { seen: format!("writing to the stream: {error}") })
}

fn commit(writer: &mut dyn FileWriter) -> Checked {
    writer.commit().map(drop).map_err(|error| Failure { seen: format!("commit: {}: {error}", error.kind()) })
}

fn commits_what_was_written(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        let mut writer = s.open_write(name, false).done()?;
        for piece in content.chunks(70_001) {
            write(&mut *writer, piece)?;
        }
        commit(&mut *writer)?;
        s.read(name).is(&content)?;
        drop(writer);
        s.read(name).is(&content)?;
    }
    Ok(())
}

fn commits_without_a_write(s: &Subject<'_>) -> Checked {
    commit(&mut *s.open_write("empty", false).done()?)?;
    s.read("empty").is("")
}

fn describes_the_file(s: &Subject<'_>) -> Checked {
    let said = s.write("a/file", b"12345", false).done()?;
    s.is_described_by("a/file", &said, FileKind::File, 5)?;
    let said = s.write("a/file", b"123", true).done()?;
    s.is_described_by("a/file", &said, FileKind::File, 3)
}

fn makes_parents(s: &Subject<'_>) -> Checked {
    s.write("a/b/c", b"x", false).done()?;
    s.is_dir("a")?;
    s.is_dir("a/b")?;
    s.read("a/b/c").is("x")
}

fn is_invisible_until_committed(s: &Subject<'_>) -> Checked {
    let mut writer = s.open_write("a/file", false).done()?;
    s.unchanged_by(|| {
        write(&mut *writer, &noise(300_000))?;
        writer.flush().map_err(|error| Failure { seen: format!("flush: {error}") })?;
        s.info("a/file").fails(ErrorKind::NotFound)?;
        s.read("a/file").fails(ErrorKind::NotFound)?;
        nothing_is_listed(s)
    })?;
    commit(&mut *writer)?;
    s.read("a/file").is(noise(300_000))
}

fn overwriting_is_invisible_until_committed(s: &Subject<'_>) -> Checked {
    s.create("file", "old").done()?;
    let mut writer = s.open_write("file", true).done()?;
    s.read("file").is("old")?;
    write(&mut *writer, &noise(300_000))?;
    s.read("file").is("old")?;
    commit(&mut *writer)?;
    s.read("file").is(noise(300_000))
}

/// Parent directories may have been made; files may not.
fn nothing_is_listed(s: &Subject<'_>) -> Checked {
    let files: Vec<_> = s.list_all("/").done()?.into_iter().filter(|entry| !entry.is_dir()).collect();
    ensure!(files.is_empty(), "there is {files:?}");
    Ok(())
}

fn leaves_nothing_if_dropped(s: &Subject<'_>) -> Checked {
    drop(s.open_write("a/unwritten", false).done()?);
    let mut writer = s.open_write("a/file", false).done()?;
    write(&mut *writer, &noise(300_000))?;
    drop(writer);
    s.info("a/file").error()?;
    nothing_is_listed(s)
}

fn keeps_the_old_content_if_dropped(s: &Subject<'_>) -> Checked {
    s.create("file", "old").done()?;
    s.unchanged_by(|| {
        let mut writer = s.open_write("file", true).done()?;
        write(&mut *writer, b"new")?;
        drop(writer);
        Ok(())
    })
}

fn can_be_given_up_and_begun_anew(s: &Subject<'_>) -> Checked {
    let mut writer = s.open_write("file", false).done()?;
    write(&mut *writer, b"given up")?;
    drop(writer);
    s.write("file", b"anew", false).done()?;
    s.read("file").is("anew")
}

fn cannot_be_written_after_a_commit(s: &Subject<'_>) -> Checked {
    let mut writer = s.open_write("file", false).done()?;
    write(&mut *writer, b"content")?;
    commit(&mut *writer)?;
    ensure!(writer.write(b"more").is_err(), "the stream took more after its commit");
    drop(writer);
    s.read("file").is("content")
}

fn cannot_be_committed_twice(s: &Subject<'_>) -> Checked {
    let mut writer = s.open_write("file", true).done()?;
    write(&mut *writer, b"content")?;
    commit(&mut *writer)?;
    s.overwrite("file", "newer").done()?;
    let second = writer.commit().map_err(|error| error.kind());
    ensure!(second == Err(ErrorKind::InvalidOperation), "the second commit answers {second:?}");
    drop(writer);
    s.read("file").is("newer")
}

fn does_not_overwrite_unasked(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "old").done()?;
    s.unchanged_by(|| {
        s.write("dir/file", b"new", false).fails(ErrorKind::AlreadyExists)?;
        s.write("dir", b"new", false).fails(ErrorKind::AlreadyExists)
    })
}

fn does_not_overwrite_what_came_meanwhile(s: &Subject<'_>) -> Checked {
    let mut writer = s.open_write("file", false).done()?;
    write(&mut *writer, b"late")?;
    s.create("file", "first").done()?;
    let late = writer.commit().map_err(|error| error.kind());
    ensure!(late == Err(ErrorKind::AlreadyExists), "the late commit answers {late:?}");
    drop(writer);
    s.read("file").is("first")?;
    let entries = s.list("/").done()?;
    ensure!(entries.len() == 1, "there is {entries:?} instead of one file");
    Ok(())
}

fn never_overwrites_a_directory(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "kept").done()?;
    s.create_dir("empty").done()?;
    s.unchanged_by(|| {
        s.write("dir", b"x", true).fails(ErrorKind::IsADirectory)?;
        s.write("empty", b"x", true).fails(ErrorKind::IsADirectory)
    })
}

fn refuses_a_file_on_the_way(s: &Subject<'_>) -> Checked {
    s.create("file", "kept").done()?;
    s.unchanged_by(|| {
        s.write("file/below", b"x", false).fails(ErrorKind::NotADirectory)?;
        s.write("file/below/it", b"x", true).fails(ErrorKind::NotADirectory)
    })
}

fn one_of_two_writers_wins(s: &Subject<'_>) -> Checked {
    let mut first = s.open_write("file", false).done()?;
    write(&mut *first, b"first")?;
    // The second may be refused at once, or find out at its commit.
    let second = s.write("file", b"second", false).result.map_err(|error| error.kind());
    let first = first.commit().map_err(|error| error.kind());
    match (first, second) {
        (Ok(_), Err(ErrorKind::AlreadyExists)) => s.read("file").is("first"),
        (Err(ErrorKind::AlreadyExists), Ok(_)) => s.read("file").is("second"),
        (first, second) => {
            Err(Failure { seen: format!("two writers were answered {first:?} and {second:?}") })
        }
    }
}

fn one_of_racing_commits_wins(s: &Subject<'_>) -> Checked {
    const WRITERS: usize = 4;
    let start = Barrier::new(WRITERS);
    let race = |i: usize| {
        start.wait();
        s.write("a/file", &vec![b'0' + i as u8; 5000], false).result.map_err(|error| error.kind())
    };
    let answers: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..WRITERS).map(|i| scope.spawn(move || race(i))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Err(ErrorKind::Panicked))).collect()
    });
    let winners: Vec<_> = (0..WRITERS).filter(|&i| answers[i].is_ok()).collect();
    let lost = answers.iter().filter(|answer| matches!(answer, Err(ErrorKind::AlreadyExists))).count();
    ensure!(winners.len() == 1 && lost == WRITERS - 1, "the writers were answered {answers:?}");
    s.read("a/file").is(vec![b'0' + winners[0] as u8; 5000])
}

fn the_last_of_two_overwriting_writers_stays(s: &Subject<'_>) -> Checked {
    let mut first = s.open_write("file", true).done()?;
    let mut second = s.open_write("file", true).done()?;
    for _ in 0..10 {
        write(&mut *first, b"first")?;
        write(&mut *second, b"second!")?;
    }
    commit(&mut *second)?;
    s.read("file").is("second!".repeat(10))?;
    commit(&mut *first)?;
    s.read("file").is("first".repeat(10))
}
