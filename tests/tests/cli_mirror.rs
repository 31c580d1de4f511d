//! `f9 mirror`: what it brings, what it deletes, what it tells, and that it can be broken off anywhere.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt, fs::symlink, process::ExitStatusExt},
    path::Path,
    process::Stdio,
    thread,
    time::Duration,
};

use f9_tests::{shell::Shell, text};
use serde_json::{Value, json};

/// Every file below a directory with its content, and every directory.
fn tree(root: &Path) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let is_dir = path.is_dir();
            found.insert(name, (!is_dir).then(|| fs::read(&path).unwrap()));
            waiting.extend(is_dir.then_some(path));
        }
    }
    found
}

fn two() -> Shell {
    let shell = Shell::new(&["one", "two"]);
    shell.write("one/a.txt", "aaa");
    shell.write("one/dir/b.txt", "bb");
    shell.write("one/dir/deep/.c", "");
    fs::create_dir_all(shell.path("one/empty/deep")).unwrap();
    fs::create_dir_all(shell.path("two")).unwrap();
    shell
}

fn report(shell: &Shell, arguments: &[&str]) -> Value {
    let output = shell.run([&["--json", "mirror"], arguments].concat());
    serde_json::from_str(text(&output.stdout).lines().last().unwrap()).unwrap()
}

#[test]
fn what_is_there_is_brought_once() {
    let shell = two();
    assert_eq!(shell.ok(["mirror", "one:", "two:"]), "copied 3 files (5 B), 1 directory made, 0 unchanged\n");
    assert_eq!(tree(&shell.path("one")), tree(&shell.path("two")));
    assert_eq!(shell.ok(["mirror", "one:", "two:"]), "copied 0 files (0 B), 3 unchanged\n");
    // The size is the same; the checksum is not.
    shell.write("two/a.txt", "xxx");
    assert_eq!(shell.ok(["mirror", "--size-only", "one:", "two:"]), "copied 0 files (0 B), 3 unchanged\n");
    assert_eq!(
        shell.ok(["mirror", "-v", "one:", "two:"]),
        "replace  a.txt\ncopied 1 file (3 B), 2 unchanged\n"
    );
    assert_eq!(tree(&shell.path("one")), tree(&shell.path("two")));
    shell.ok(["mirror", "one:dir", "two:x/y"]);
    assert_eq!(tree(&shell.path("one/dir")), tree(&shell.path("two/x/y")));
    assert_eq!(shell.ok(["-q", "mirror", "one:", "two:z"]), "");
}

#[test]
fn what_is_not_at_the_source_goes_only_when_asked_for() {
    let shell = two();
    shell.write("two/old/x", "x");
    shell.write("two/old.txt", "x");
    shell.ok(["mirror", "one:", "two:"]);
    assert_eq!(shell.read("two/old/x"), "x");
    assert_eq!(report(&shell, &["--delete", "one:", "two:"])["deleted"], 3);
    assert_eq!(tree(&shell.path("one")), tree(&shell.path("two")));
}

#[test]
fn a_dry_run_changes_nothing_and_tells_all() {
    let shell = two();
    shell.write("two/old", "x");
    shell.write("two/a.txt", "x");
    let before = tree(&shell.path("two"));
    let mut lines: Vec<_> =
        shell.ok(["mirror", "--delete", "--dry-run", "one:", "two:"]).lines().map(str::to_owned).collect();
    assert_eq!(lines.pop().unwrap(), "would copy 3 files (5 B), make 1 directory, delete 1, 0 unchanged");
    lines.sort();
    assert_eq!(
        lines,
        [
            "copy     dir/b.txt",
            "copy     dir/deep/.c",
            "delete   old",
            "mkdir    empty/deep",
            "replace  a.txt"
        ]
    );
    assert_eq!(tree(&shell.path("two")), before);
    assert_eq!(report(&shell, &["--dry-run", "one:", "two:none"])["copied"], 3);
    assert!(!shell.path("two/none").exists());
    shell.ok(["mirror", "one:", "two:"]);
    assert_eq!(shell.ok(["mirror", "--dry-run", "one:", "two:"]), "would change nothing, 3 unchanged\n");
    assert_eq!(
        shell.ok(["mirror", "--dry-run", "--delete", "one:", "two:"]),
        "delete   old\nwould delete 1, 3 unchanged\n"
    );
}

#[test]
fn an_empty_directory_is_made_once() {
    let shell = two();
    for (to, made) in [("two:", ""), ("two:new", ", 1 directory made"), ("two:new", "")] {
        let printed = shell.ok(["mirror", "one:empty/deep", to]);
        assert_eq!(printed, format!("copied 0 files (0 B){made}, 0 unchanged\n"));
    }
    assert!(shell.path("two/new").is_dir());
}

#[test]
fn nothing_is_deleted_when_the_source_is_not_all_known() {
    let shell = two();
    shell.write("two/precious", "x");
    assert!(shell.fails(["mirror", "--delete", "one:nope", "two:"], 3).contains("source: one:nope: "));
    fs::create_dir(shell.path("one/nothing")).unwrap();
    assert!(shell.fails(["mirror", "--delete", "one:nothing", "two:"], 5).contains("the source is empty"));
    // A link that leads nowhere cannot be brought.
    symlink("/etc/passwd", shell.path("one/dir/link")).unwrap();
    let errors = shell.fails(["mirror", "--delete", "one:", "two:"], 9);
    assert!(errors.starts_with("f9: source: one:dir/link: "), "{errors}");
    assert_eq!(report(&shell, &["--delete", "one:", "two:"])["deletions_withheld"], true);
    assert_eq!(shell.read("two/precious"), "x");
    assert_eq!(shell.read("two/dir/b.txt"), "bb");
    assert!(!shell.path("two/dir/link").exists());
}

#[test]
fn a_directory_that_cannot_be_listed_is_told_and_deletes_nothing() {
    let shell = two();
    shell.write("two/dir/precious", "x");
    fs::set_permissions(shell.path("one/dir"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(shell.path("one/dir")).is_ok() {
        println!("skipped: this user reads what has no permissions");
        return;
    }
    let code = shell.run(["mirror", "--delete", "one:", "two:"]).status.code();
    fs::set_permissions(shell.path("one/dir"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code, Some(9));
    assert_eq!(shell.read("two/dir/precious"), "x");
}

#[test]
fn a_link_to_a_directory_is_not_taken_for_an_empty_one() {
    let shell = two();
    symlink("dir", shell.path("one/alias")).unwrap();
    assert!(
        shell.fails(["mirror", "one:", "two:"], 9).contains("source: one:alias: it is a link to a directory")
    );
    assert!(!shell.path("two/alias").exists());
}

#[test]
fn a_file_takes_the_place_of_a_directory_only_when_deleting() {
    let shell = two();
    shell.write("two/a.txt/x", "in the way");
    shell.write("two/dir", "in the way");
    let errors = shell.fails(["mirror", "one:", "two:"], 9);
    assert!(
        errors.contains("destination: two:a.txt: there is a directory where the source has a file"),
        "{errors}"
    );
    assert!(
        errors.contains("destination: two:dir: there is a file where the source has a directory"),
        "{errors}"
    );
    assert_eq!(
        (shell.read("two/a.txt/x"), shell.read("two/dir")),
        ("in the way".into(), "in the way".into())
    );
    shell.ok(["mirror", "--delete", "one:", "two:"]);
    assert_eq!(tree(&shell.path("one")), tree(&shell.path("two")));
}

#[test]
fn within_each_other_nothing_is_mirrored() {
    let shell = two();
    for (from, to) in [("one:", "one:dir"), ("one:dir", "one:"), ("one:dir", "one:dir")] {
        let errors = shell.fails(["mirror", from, to], 5);
        let one = format!("`{from}` and `{to}` are one within the other");
        let same = format!("`{from}` is the source and the destination");
        assert!(errors.contains(if from == to { &same } else { &one }), "{errors}");
    }
    shell.ok(["mirror", "one:dir", "one:copy"]);
    assert_eq!(tree(&shell.path("one/dir")), tree(&shell.path("one/copy")));
}

#[test]
fn programs_read_every_step_and_the_outcome() {
    let shell = two();
    let printed = shell.ok(["--json", "mirror", "one:", "two:"]);
    let mut objects: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = objects.pop().unwrap();
    assert_eq!(
        (&summary["outcome"], &summary["copied"], &summary["bytes"]),
        (&json!("complete"), &json!(3), &json!(5))
    );
    assert_eq!(objects.len(), 4);
    assert!(objects.contains(&json!({"action": "copy", "path": "a.txt", "size": 3, "dry_run": false})));
    fs::remove_dir_all(shell.path("two")).unwrap();
    fs::create_dir(shell.path("two")).unwrap();
    fs::create_dir(shell.path("two/a.txt")).unwrap();
    assert_eq!(report(&shell, &["one:", "two:"])["outcome"], "partial");
}

/// Breaks a mirror off at many moments: what is there is whole, and in the end everything is there, brought once.
fn broken_off(files: u32, signal: &str) {
    let shell = Shell::new(&["one", "two"]);
    fs::create_dir(shell.path("two")).unwrap();
    let content = |i: u32| vec![(i % 251) as u8; 200_000];
    (0..files).for_each(|i| shell.write(&format!("one/{}/{i}", i % 7), content(i)));
    let mut brought = 0;
    for millis in [15, 25, 40, 60, 80] {
        let child = shell
            .command(["--json", "mirror", "-j", "3", "one:", "two:"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(millis));
        assert!(
            std::process::Command::new("kill")
                .args([signal, &child.id().to_string()])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        if signal == "-INT" && !output.status.success() {
            assert!(
                matches!(output.status.code(), Some(130)) || output.status.signal() == Some(2),
                "{}",
                output.status
            );
        }
        for (name, found) in tree(&shell.path("two")) {
            if let (Some(found), Some(number)) = (found, name.rsplit('/').next()) {
                // Temporary files that a kill left behind are not for the eyes of backends.
                let Ok(number) = number.parse() else { continue };
                assert!(found == content(number), "{name} is {} bytes long", found.len());
            }
        }
        let listed = shell.ok(["ls", "-R", "two:"]);
        let now = listed.lines().filter(|line| !line.ends_with('/')).count();
        assert!(now >= brought, "{now} after {brought}");
        brought = now;
    }
    let last = report(&shell, &["one:", "two:"]);
    assert_eq!((last["same"].as_u64(), last["outcome"].as_str()), (Some(brought as u64), Some("complete")));
    assert_eq!(last["copied"].as_u64(), Some(u64::from(files) - brought as u64));
    let there = shell.ok(["ls", "-R", "two:"]);
    assert_eq!(shell.ok(["ls", "-R", "one:"]), there);
    assert_eq!(report(&shell, &["one:", "two:"])["copied"], 0);
}

fn how_many() -> u32 {
    if std::env::var_os("F9_FULL").is_some() { 2_000 } else { 300 }
}

#[test]
fn a_mirror_that_is_killed_is_completed_by_the_next() {
    broken_off(how_many(), "-KILL");
}

#[test]
fn a_mirror_that_is_interrupted_is_completed_by_the_next() {
    broken_off(how_many(), "-INT");
}

#[test]
fn files_are_chosen_by_patterns_sizes_and_ages() {
    let shell = two();
    shell.write("one/big.bin", "x".repeat(5000));
    shell.write("one/dir/b.log", "log");
    shell.write("one/lost+found/x", "x");
    shell.write("two/old.log", "kept");
    shell.write("two/gone.txt", "gone");
    let told = shell.ok([
        "mirror",
        "--delete",
        "--exclude",
        "**/*.log",
        "--exclude",
        "lost+found",
        "--max-size",
        "1K",
        "one:",
        "two:",
    ]);
    assert_eq!(
        told.lines().last().unwrap(),
        "copied 3 files (5 B), 1 directory made, 1 deleted, 0 unchanged, 4 left out"
    );
    let there = tree(&shell.path("two"));
    assert!(
        there.contains_key("old.log") && !there.contains_key("gone.txt") && !there.contains_key("big.bin")
    );
    assert!(!there.contains_key("lost+found") && !there.contains_key("dir/b.log"));
    // What is left out at the source is not deleted at the destination, unless that is asked for.
    shell.write("two/big.bin", "another");
    shell.ok(["mirror", "--delete", "--exclude", "**/*.log", "--max-size", "1K", "one:", "two:"]);
    assert!(shell.path("two/big.bin").exists() && shell.path("two/old.log").exists());
    shell.ok([
        "mirror",
        "--delete",
        "--delete-excluded",
        "--exclude",
        "**/*.log",
        "--max-size",
        "1K",
        "one:",
        "two:",
    ]);
    assert!(!shell.path("two/big.bin").exists() && !shell.path("two/old.log").exists());
    // The last pattern that matches decides; begun with an include, nothing else is taken.
    shell.write("patterns", "# comment\n\n**/b.*\n");
    let exclude = format!("--exclude-from={}", shell.path("patterns").display());
    fs::create_dir(shell.path("three")).unwrap();
    let told =
        shell.ok(["cp", "-r", "--include", "dir", &exclude, "--include", "dir/b.log", "one:", "two:copy"]);
    assert_eq!(told, "copy: copied 2 files (3 B), 0 unchanged, 7 left out\n");
    assert!(shell.path("two/copy/dir/b.log").exists() && !shell.path("two/copy/dir/b.txt").exists());
    let output = shell.run(["mirror", "--newer", "1h", "--older", "1h", "--dry-run", "one:", "two:"]);
    assert!(text(&output.stdout).contains("would"), "{output:?}");
    for wrong in [["--max-size", "much"], ["--newer", "yesterday"], ["--exclude", "[a"]] {
        assert_eq!(
            shell.run([&["mirror"], &wrong[..], &["one:", "two:"]].concat()).status.code().map(|c| c > 0),
            Some(true)
        );
    }
}

#[test]
fn links_and_special_files_are_told_by_name_and_can_be_left_out() {
    let shell = two();
    symlink("nowhere", shell.path("one/dangling")).unwrap();
    symlink("dir", shell.path("one/to_dir")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(shell.path("one/pipe")).status().unwrap();
    assert!(made.success());
    let output = shell.run(["mirror", "--delete", "one:", "two:"]);
    assert_eq!(output.status.code(), Some(9));
    let said = text(&output.stderr);
    for words in [
        "one:dangling",
        "link that leads to nothing",
        "one:to_dir",
        "link to a directory",
        "one:pipe",
        "special file",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    shell.write("two/extra", "x");
    let told = shell.ok(["mirror", "--delete", "--links", "skip", "--exclude", "pipe", "one:", "two:"]);
    assert!(told.ends_with("1 deleted, 3 unchanged, 1 left out, 2 links skipped\n"), "{told}");
    assert!(!shell.path("two/extra").exists());
    let report = report(&shell, &["--links", "skip", "--exclude", "pipe", "one:", "two:"]);
    assert_eq!(
        (&report["skipped"], &report["left_out"], &report["failed"]),
        (&json!(2), &json!(1), &json!(0))
    );
}

#[test]
fn deleting_goes_on_in_spite_of_errors_where_that_is_asked_for() {
    let shell = two();
    symlink("nowhere", shell.path("one/dangling")).unwrap();
    shell.write("two/extra", "x");
    shell.write("two/dangling", "perhaps");
    assert_eq!(shell.run(["mirror", "--delete", "one:", "two:"]).status.code(), Some(9));
    assert!(shell.path("two/extra").exists());
    assert_eq!(shell.run(["mirror", "--delete", "--ignore-errors", "one:", "two:"]).status.code(), Some(9));
    assert!(!shell.path("two/extra").exists() && shell.path("two/dangling").exists());
}

#[test]
fn a_mirror_that_would_delete_its_own_source_is_refused() {
    let shell = Shell::new(&["one", "inner"]);
    shell.write("one/a.txt", "a");
    fs::create_dir_all(shell.path("one/x")).unwrap();
    shell.ok(["connections", "remove", "inner"]);
    let root = format!("root={}", shell.path("one/x").display());
    shell.ok(["connections", "add", "inner", "local", &root]);
    shell.write("one/x/b.txt", "b");
    for (from, to) in [("inner:", "one:"), ("one:", "inner:"), ("inner:", "one:x")] {
        let output = shell.run(["mirror", "--delete", from, to]);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains("one within the other"), "{from} {to}: {output:?}");
    }
    assert!(shell.path("one/a.txt").exists() && shell.path("one/x/b.txt").exists());
}

#[test]
fn a_comparison_tells_what_differs_and_changes_nothing() {
    let shell = two();
    shell.ok(["mirror", "one:", "two:"]);
    assert_eq!(
        shell.ok(["check", "one:", "two:"]),
        "7 the same, 0 different, 0 only in the first, 0 only in the second\n"
    );
    shell.write("one/a.txt", "AAA");
    shell.write("one/new", "n");
    shell.write("two/extra.log", "e");
    let before = (tree(&shell.path("one")), tree(&shell.path("two")));
    for extra in [None, Some("--download")] {
        let output = shell.run(["check"].into_iter().chain(extra).chain(["one:", "two:"]));
        assert_eq!(output.status.code(), Some(1));
        let mut lines: Vec<_> = text(&output.stdout).lines().collect();
        let summary = lines.pop().unwrap();
        lines.sort_unstable();
        assert_eq!(lines, ["different  a.txt", "only in one:  new", "only in two:  extra.log"]);
        assert_eq!(summary, "6 the same, 1 different, 1 only in the first, 1 only in the second");
    }
    let output = shell.run(["--json", "check", "--exclude", "**/*.log", "one:", "two:"]);
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["outcome"], &last["left_out"], &last["different"]),
        (&json!("different"), &json!(1), &json!(1))
    );
    assert_eq!(before, (tree(&shell.path("one")), tree(&shell.path("two"))));
    assert_eq!(shell.run(["check", "one:missing", "two:"]).status.code(), Some(3));
}

#[test]
fn a_file_that_is_written_to_all_the_time_is_no_copy() {
    let shell = two();
    // Large enough to be met in the middle of each attempt.
    shell.write("one/busy", "x".repeat(96 << 20));
    let path = shell.path("one/busy");
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::Write as _;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let mut file = fs::File::options().append(true).open(&path).unwrap();
                file.write_all(b"y").unwrap();
            }
        });
        let copied = shell.run(["cp", "one:busy", "two:busy"]);
        let mirrored = shell.run(["mirror", "one:", "two:mirrored"]);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        for output in [copied, mirrored] {
            assert!(!output.status.success(), "{output:?}");
            assert!(text(&output.stderr).contains("busy"), "{output:?}");
        }
    });
    assert!(!shell.path("two/busy").exists() && !shell.path("two/mirrored/busy").exists());
    assert!(shell.path("two/mirrored/a.txt").exists());
}

#[test]
fn a_directory_of_which_all_is_left_out_is_no_link() {
    let shell = Shell::new(&["one", "two"]);
    shell.write("one/docs/x.md", "m");
    shell.write("one/src/c.c", "c");
    shell.write("two/stale", "s");
    for [how, what] in [["--exclude", "**/*.md"], ["--exclude", "docs/*"], ["--min-size", "1K"]] {
        shell.ok(["cp", "-r", how, what, "one:", "two:copy"]);
        shell.ok(["mirror", "--delete", how, what, "one:", "two:"]);
        assert!(shell.path("two/docs").is_dir() && !shell.path("two/stale").exists());
    }
}

#[test]
fn nothing_is_brought_into_itself_by_way_of_two_connections() {
    let shell = Shell::new(&["one"]);
    let root = format!("root={}", shell.path("").display());
    shell.ok(["connections", "add", "top", "local", &root]);
    shell.write("one/a/file", "1");
    shell.write("one/a/b/deep", "2");
    let before = tree(&shell.path("one"));
    for command in [
        &["mv", "one:a", "top:one/a"][..],
        &["mv", "one:a", "top:one/a/b"],
        &["mv", "one:a", "top:one/a/new"],
        &["mv", "--overwrite", "one:a", "top:one"],
        &["mv", "--overwrite", "one:a/file", "top:one/a/file"],
        &["cp", "-r", "one:a", "top:one/a/"],
        &["cp", "--overwrite", "one:a/file", "top:one/a/file"],
        &["mirror", "one:", "top:one/a"],
    ] {
        let output = shell.run(command.iter().copied());
        assert_eq!(output.status.code(), Some(5), "{command:?}: {output:?}");
        assert!(text(&output.stderr).contains("nothing was done"), "{command:?}: {output:?}");
        assert_eq!(tree(&shell.path("one")), before, "{command:?}");
    }
    shell.ok(["cp", "-r", "one:a", "top:beside"]);
    shell.ok(["mv", "top:beside", "one:moved"]);
    assert!(shell.path("one/moved/b/deep").exists() && !shell.path("beside").exists());
}
