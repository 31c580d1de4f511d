//! What holds when many threads work at once.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{
    Applies, Case,
    check::{Checked, Failure, cases, ensure, noise},
    subject::Subject,
};
use crate::ErrorKind;

pub(super) const CASES: &[Case] = cases! {
    "threads", Applies::Always;
    one_of_racing_creators_wins: "Of several racing creators without overwrite, exactly one succeeds.";
    one_of_racing_directory_creators_wins: "AlreadyExists if there is something at `path` and overwriting was not asked for.";
    racing_creators_share_their_parents: "Creates a file with its parent directories. Every method may be called from many threads at once.";
    racing_appends_are_all_kept: "Of several racing appends each one's bytes stay together, and none is lost.";
    a_reader_meets_old_or_new: "A reader meets the old content or the new, never half, never neither.";
    one_of_racing_deletes_wins: "NotFound if there is nothing at `path`. Every method may be called from many threads at once.";
    everything_at_once: "Every method may be called from many threads at once, without any order between them.";
};

const THREADS: usize = 4;

/// Runs `body` on several threads that begin together, and gives what each answered.
fn race<T: Send>(body: impl Fn(usize) -> T + Sync) -> Checked<Vec<T>> {
    let (start, body) = (&Barrier::new(THREADS), &body);
    let ran: Result<Vec<T>, _> = thread::scope(|scope| {
        let run = |i| {
            scope.spawn(move || {
                start.wait();
                body(i)
            })
        };
        let threads: Vec<_> = (0..THREADS).map(run).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    ran.map_err(|_| Failure { seen: "a panic on one of several threads".to_owned() })
}

/// Checks that exactly one succeeded and the others failed like this; tells which one.
fn one_winner<T>(answers: Vec<crate::Result<T>>, others: ErrorKind) -> Checked<usize> {
    let kinds: Vec<_> =
        answers.iter().map(|answer| answer.as_ref().err().map(|error| error.kind())).collect();
    let winner = kinds.iter().position(Option::is_none);
    let lost = kinds.iter().filter(|kind| **kind == Some(others)).count();
    ensure!(winner.is_some() && lost == THREADS - 1, "the errors were {kinds:?} (None is a success)");
    Ok(winner.unwrap_or_default())
}

fn one_of_racing_creators_wins(s: &Subject<'_>) -> Checked {
    for round in 0..10 {
        let path = format!("dir{round}/file");
        let content = |i| noise(1000 * (i + 1));
        let winner = one_winner(race(|i| s.create(&path, content(i)).result)?, ErrorKind::AlreadyExists)?;
        s.read(&path).is(content(winner))?;
    }
    Ok(())
}

fn one_of_racing_directory_creators_wins(s: &Subject<'_>) -> Checked {
    for round in 0..10 {
        let path = format!("dir{round}/sub");
        one_winner(race(|_| s.create_dir(&path).result)?, ErrorKind::AlreadyExists)?;
        s.is_dir(&path)?;
    }
    Ok(())
}

fn racing_creators_share_their_parents(s: &Subject<'_>) -> Checked {
    for round in 0..10 {
        for answer in race(|i| s.create(&format!("shared{round}/a/b/{i}"), "x").done())? {
            answer?;
        }
        let entries = s.list(&format!("shared{round}/a/b")).done()?;
        ensure!(entries.len() == THREADS, "there is {entries:?} instead of {THREADS} files");
    }
    Ok(())
}

fn racing_appends_are_all_kept(s: &Subject<'_>) -> Checked {
    const EACH: usize = 10;
    let line = |i: usize, turn: usize| format!("{i}-{turn}-").repeat(500) + "\n";
    s.create("log", "").done()?;
    let append = |i| (0..EACH).try_for_each(|turn| s.append("log", line(i, turn)).done().map(drop));
    race(append)?.into_iter().collect::<Checked>()?;
    let log = s.read("log").done()?;
    let mut found: Vec<_> = log.split_inclusive(|&byte| byte == b'\n').collect();
    let expected: Vec<_> = (0..THREADS).flat_map(|i| (0..EACH).map(move |turn| line(i, turn))).collect();
    ensure!(found.len() == expected.len(), "{} of {} appends are there", found.len(), expected.len());
    found.sort_unstable();
    let mut expected: Vec<_> = expected.iter().map(String::as_bytes).collect();
    expected.sort_unstable();
    ensure!(found == expected, "the bytes of an append do not stay together");
    Ok(())
}

fn a_reader_meets_old_or_new(s: &Subject<'_>) -> Checked {
    const VERSIONS: [(u8, usize); 2] = [(b'A', 200_000), (b'B', 120_000)];
    let version = |i: usize| vec![VERSIONS[i % 2].0; VERSIONS[i % 2].1];
    s.create("file", version(0)).done()?;
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(Ordering::Relaxed) {
            let found = s.read("file").done()?;
            let whole = (0..2).any(|i| found == version(i));
            ensure!(whole, "a reader met {} bytes that are neither the old content nor the new", found.len());
            let size = s.info("file").done()?.size;
            ensure!(VERSIONS.iter().any(|v| v.1 as u64 == size), "`info` told of {size} bytes");
        }
        Ok(())
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(look), scope.spawn(look)];
        let replaced = (1..=30).try_for_each(|i| match i % 3 {
            0 => s.overwrite("file", version(i)).done().map(drop),
            _ => s.replace("file", version(i)).done().map(drop),
        });
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap_or_else(|_| Err(Failure { seen: "a panic while reading".to_owned() }))?;
        }
        replaced
    })
}

fn one_of_racing_deletes_wins(s: &Subject<'_>) -> Checked {
    for round in 0..10 {
        let path = format!("file{round}");
        s.create(&path, "x").done()?;
        one_winner(race(|_| s.delete(&path).result)?, ErrorKind::NotFound)?;
    }
    Ok(())
}

fn everything_at_once(s: &Subject<'_>) -> Checked {
    let work = |i: usize| -> Checked {
        for turn in 0..5 {
            let (dir, content) = (format!("own{i}/{turn}"), noise(1000 * i + turn));
            let path = format!("{dir}/file");
            s.create(&path, &content).done()?;
            s.append(&path, "more").done()?;
            s.read(&path).is([&content[..], b"more"].concat())?;
            s.replace(&path, &content).done()?;
            s.create_dir(&format!("{dir}/sub")).done()?;
            let entries = s.list_all(&dir).done()?;
            ensure!(entries.len() == 2, "{dir:?} holds {entries:?} instead of a file and a directory");
            s.info(&path).done()?;
            s.delete_all(&dir).done()?;
        }
        Ok(())
    };
    race(work)?.into_iter().collect()
}
