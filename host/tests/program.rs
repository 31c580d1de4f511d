//! The program by itself, without a plugin. Because of this test, `cargo test` builds the program, for others to run.

use std::process::{Command, Output};

#[allow(clippy::unwrap_used, reason = "a test may panic")]
fn f9(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_f9")).args(arguments).env_clear().output().unwrap()
}

#[test]
fn help_lists_every_exit_code() {
    let output = f9(&["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let codes = help.split("Exit codes:").nth(1).expect("a list of exit codes");
    assert!((0..=9).chain([130]).all(|code| codes.contains(&format!("  {code}  "))), "{codes}");
}

#[test]
fn every_command_has_help() {
    for command in [
        "create",
        "read",
        "update",
        "delete",
        "info",
        "ls",
        "tree",
        "glob",
        "du",
        "checksum",
        "mkdir",
        "cp",
        "mv",
        "mirror",
        "search",
        "push",
        "pull",
        "sync",
        "conflicts",
        "resolve",
        "connections",
        "plugins",
        "completions",
        "man",
    ] {
        let output = f9(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(&format!("f9 {command}")), "{command}");
        let shows_how = help.contains("Example") || matches!(command, "connections" | "plugins");
        assert!(shows_how, "{command} has no example");
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_was_meant() {
    let output = f9(&["creat", "x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean `f9 create`?"));
}
