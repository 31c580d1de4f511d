//! `info`.

use std::time::{Duration, SystemTime};

use super::{
    Applies, Case,
    check::{Checked, cases, ensure, samples},
    subject::Subject,
};
use crate::{ErrorKind, FileKind};

pub(super) const CASES: &[Case] = cases! {
    "info", Applies::Always;
    the_root_is_a_directory: "The root is a directory.";
    tells_kind_and_size: "kind: what it is; size: the size of the content in bytes, 0 for what is not a file.";
    the_path_is_the_one_asked_for: "FileInfo::path is the path that was asked for.";
    refuses_what_is_missing: "NotFound if there is nothing at `path`; a file where a directory is needed on the way is NotADirectory.";
    times_are_of_now: "modified_at: when its content last changed, where the storage knows.";
    a_change_does_not_turn_time_back: "modified_at: when its content last changed, where the storage knows.";
    reading_changes_nothing: "modified_at: when its content last changed; created_at: when it was created.";
};

fn the_root_is_a_directory(s: &Subject<'_>) -> Checked {
    s.is_dir("/")?;
    let info = s.info("/").done()?;
    ensure!(info.path.is_root(), "the root's path is {:?}", info.path);
    ensure!(info.size == 0, "the root's size is {}", info.size);
    s.create("a/b", "x").done()?;
    s.is_dir("/")
}

fn tells_kind_and_size(s: &Subject<'_>) -> Checked {
    for (name, content) in samples() {
        s.create(name, &content).done()?;
        let info = s.info(name).done()?;
        ensure!(info.is_file(), "{name} is a {:?}", info.kind);
        ensure!(info.size == content.len() as u64, "{name} has {} bytes, not {}", info.size, content.len());
    }
    s.create("dir/inside", "content").done()?;
    let info = s.info("dir").done()?;
    ensure!(info.kind == FileKind::Directory && info.size == 0, "the directory is {info:?}");
    Ok(())
}

fn the_path_is_the_one_asked_for(s: &Subject<'_>) -> Checked {
    s.create("a/b/file.txt", "x").done()?;
    for (asked, told) in [("a", "a"), ("a/b/", "a/b"), ("/a//b/./file.txt", "a/b/file.txt")] {
        let info = s.info(asked).done()?;
        ensure!(info.path.as_str() == told, "asked for {asked:?}, told of {:?}", info.path);
    }
    Ok(())
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    for path in ["missing", "dir/missing", "missing/below", "di", "dir/fil", "dir/file2", "DIR/missing"] {
        s.info(path).fails(ErrorKind::NotFound)?;
    }
    s.info("dir/file/below").fails(ErrorKind::NotADirectory)?;
    s.info("dir/file/below/it").fails(ErrorKind::NotADirectory)
}

fn times_are_of_now(s: &Subject<'_>) -> Checked {
    // Clocks of two machines differ; a storage may count in whole seconds or minutes.
    const SLACK: Duration = Duration::from_secs(60);
    const AGO: Duration = Duration::from_secs(3600);
    s.create("file", "x").done()?;
    let info = s.info("file").done()?;
    for time in [info.created_at, info.modified_at].into_iter().flatten() {
        let now = SystemTime::now();
        ensure!(time <= now + SLACK, "a new file is of {time:?}, which is after {now:?}");
        ensure!(time + AGO >= now, "a new file is of {time:?}, which is long before {now:?}");
    }
    Ok(())
}

fn a_change_does_not_turn_time_back(s: &Subject<'_>) -> Checked {
    let mut before = s.create("file", "1").done()?;
    for after in [s.replace("file", "2"), s.append("file", "3"), s.overwrite("file", "4")] {
        let after = after.done()?;
        ensure!(before.modified_at <= after.modified_at, "first {before:?}, then {after:?}");
        before = after;
    }
    Ok(())
}

fn reading_changes_nothing(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    let before = s.info("file").done()?;
    s.read("file").is("x")?;
    s.list("/").done()?;
    let after = s.info("file").done()?;
    ensure!(before == after, "first {before:?}, then {after:?}");
    Ok(())
}
