//! What ends or changes the process that the plugin is in: the limits of loading foreign code. `f9` is that process here,
//! and this one goes on.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Output, Stdio},
};

use f9_tests::{f9, text};

use super::hostile_shelf;

const SIGABRT: i32 = 6;
const SIGKILL: i32 = 9;
const SIGSEGV: i32 = 11;

/// Runs `f9` with the plugin; its answer is `x: 3 bytes`, unless the plugin keeps it from answering.
fn run(mode: &str) -> Output {
    let shelf = hostile_shelf(mode);
    let mut command = f9();
    command.arg("--plugin-dir").arg(shelf.dir.path()).args(["--timeout", "500ms"]);
    command.args(["-c", r#"{"backend": "hostile"}"#, "create", "x", "abc"]).stdin(Stdio::null());
    command.output().unwrap()
}

/// How it ends: with a signal, or with an exit code and what was printed.
#[derive(Debug, PartialEq)]
enum End {
    Signal(i32),
    Exit(i32, &'static str),
    /// As the time is up: with exit code 7, or with SIGABRT if the loader's lock keeps the process from ending in order.
    Timeout,
}
use End::{Exit, Signal, Timeout};

const ENDS: [(&str, End); 26] = [
    ("load_aborts", Signal(SIGABRT)),
    ("load_exits", Exit(0, "")),
    ("load_loops", Timeout),
    ("load_overflows", Signal(SIGABRT)),
    ("load_segfaults", Signal(SIGSEGV)),
    ("load_kills", Signal(SIGKILL)),
    ("entry_aborts", Signal(SIGABRT)),
    ("entry_exits", Exit(0, "")),
    ("entry_loops", Exit(7, "")),
    ("open_aborts", Signal(SIGABRT)),
    ("open_exits", Exit(0, "")),
    ("open_loops", Exit(7, "")),
    ("open_overflows", Signal(SIGABRT)),
    ("open_segfaults", Signal(SIGSEGV)),
    ("open_kills", Signal(SIGKILL)),
    ("create_aborts", Signal(SIGABRT)),
    ("create_exits", Exit(0, "")),
    ("create_loops", Exit(7, "")),
    ("drop_aborts", Signal(SIGABRT)),
    ("drop_exits", Exit(0, "x: 3 bytes\n")),
    // What changes the process goes on unnoticed, and is everybody's.
    ("open_prints", Exit(0, "out of the plugin\nx: 3 bytes\n")),
    ("open_moves", Exit(0, "x: 3 bytes\n")),
    ("open_ignores_ctrl_c", Exit(0, "x: 3 bytes\n")),
    ("open_panics_in_a_thread", Exit(0, "x: 3 bytes\n")),
    ("open_closes_stdout", Exit(0, "")),
    ("open_aborts_at_exit", Signal(SIGABRT)),
];

fn check(mode: &str, expected: &End) {
    let output = run(mode);
    match expected {
        Timeout => assert!(
            output.status.code() == Some(7) || output.status.signal() == Some(SIGABRT),
            "{mode}: {output:?}"
        ),
        Signal(signal) => assert_eq!(output.status.signal(), Some(*signal), "{mode}: {output:?}"),
        Exit(code, printed) => {
            assert_eq!(output.status.code(), Some(*code), "{mode}: {output:?}");
            assert_eq!(text(&output.stdout), *printed, "{mode}");
        }
    }
}

#[test]
fn what_a_plugin_does_to_its_process_is_seen_from_outside() {
    // Those that loop are waited for, so all run at once.
    std::thread::scope(|scope| {
        for (mode, expected) in &ENDS {
            scope.spawn(move || check(mode, expected));
        }
    });
    println!("{} ways to end or change a process", ENDS.len());
}

#[test]
fn none_of_it_happens_while_a_plugin_is_only_looked_at() {
    let shelf = hostile_shelf("load_aborts");
    let file = shelf.path("libf9_backend_hostile.so");
    for arguments in
        [&["list"][..], &["doctor"], &["doctor", "hostile"], &["inspect", file.to_str().unwrap()]]
    {
        let output =
            f9().arg("--plugin-dir").arg(shelf.dir.path()).arg("plugins").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
        assert!(text(&output.stdout).contains("hostile"), "{arguments:?}");
    }
}
