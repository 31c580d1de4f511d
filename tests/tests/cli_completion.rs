//! What the shells complete when somebody presses Tab, asked in the shells themselves.

use std::{
    path::Path,
    process::{Command, Output},
};

use f9_tests::{example_dir, f9, plugin_dir, shell::Shell, text};
use serde_json::json;

/// Each completes the words that it is called with and prints the candidates, one a line.
const BASH: &str = r#"
source <(f9 completions bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
_clap_complete_f9 f9 "${!#}" "${@: -2:1}" 2>/dev/null
printf '%s\n' "${COMPREPLY[@]}"
"#;
const ZSH: &str = r#"
compdef() { :; }
_describe() { print -rl -- "${(@P)argv[-1]//\\:/:}"; }
source <(f9 completions zsh)
words=("$@"); CURRENT=$#
_clap_dynamic_completer_f9
"#;
const FISH: &str = r#"
f9 completions fish | source
complete -C "$argv"
"#;

/// Notes and photos are connections; the plugins are those of this build.
fn site() -> Shell {
    let shell = Shell::new(&[]);
    let connections =
        json!({"notes": {"backend": "local", "root": "n"}, "photos": {"backend": "missing"}, "rot": 5});
    shell.write("config/f9/connections.json", connections.to_string());
    shell.write("lost.so", "");
    shell
}

fn ask(site: &Shell, shell: &str, script: &str, words: &[&str]) -> Option<Output> {
    let program = f9().get_program().to_owned();
    let path = format!("{}:/usr/bin:/bin", Path::new(&program).parent().unwrap().display());
    let mut command = Command::new(shell);
    match shell {
        "fish" => command.args(["--no-config", "-c", script]).arg(words.join(" ")),
        _ => command.args(["-c", script, shell]).args(words),
    };
    command
        .env_clear()
        .env("PATH", path)
        .env("HOME", site.path(""))
        .env("XDG_CONFIG_HOME", site.path("config"));
    command.env("F9_PLUGIN_PATH", plugin_dir()).current_dir(site.path(""));
    command.output().ok()
}

/// The candidates for the last of the words that begin as it does, without descriptions.
#[track_caller]
fn check(site: &Shell, shell: &str, script: &str, words: &[&str], expected: &[&str]) {
    let Some(output) = ask(site, shell, script, words) else {
        println!("skipped: there is no {shell} to ask");
        return;
    };
    let start = words.last().unwrap();
    let mut lines: Vec<_> = text(&output.stdout)
        .lines()
        .map(|line| line.split(['\t', ' ']).next().unwrap())
        .filter(|line| line.starts_with(start) && !line.starts_with('-') && !line.is_empty())
        .collect();
    lines.sort_unstable();
    assert_eq!(lines, expected, "{shell} {words:?}: {}", text(&output.stderr));
}

#[test]
fn shells_complete_commands_names_plugins_and_keys() {
    let site = site();
    for (shell, script) in [("bash", BASH), ("zsh", ZSH), ("fish", FISH)] {
        let check = |words: &[&str], expected: &[&str]| check(&site, shell, script, words, expected);
        check(&["f9", "ls", "no"], &["notes:"]);
        check(&["f9", "ls", ""], &["notes:", "photos:"]);
        check(&["f9", "cp", "notes:x", "ph"], &["photos:"]);
        check(&["f9", "push", "p"], &["photos:"]);
        check(&["f9", "connections", "remove", ""], &["notes", "photos", "rot"]);
        check(&["f9", "connections", "add", "x", "o"], &["openai"]);
        check(&["f9", "connections", "add", "x", "local", "ro"], &["root="]);
        check(&["f9", "connections", "add", "x", "local", "d"], &["durability=fsync", "durability=none"]);
        check(&["f9", "connections", "add", "x", "git", "ssh"], &["ssh_key_passphrase=", "ssh_key_path="]);
        check(&["f9", "connections", "add", "x", "missing", "k"], &[]);
        check(&["f9", "plugins", "doctor", "o"], &["openai"]);
        check(&["f9", "plugins", "doctor", "no"], &[]);
        check(&["f9", "plugins", "new", "no"], &[]);
        check(&["f9", "plugins", "lock", "add", "lo"], &["local", "lost.so"]);
        check(&["f9", "--allow-unsafe-permissions", "gi"], &["git"]);
    }
    // Where zsh would show descriptions instead of values.
    for (shell, script) in [("bash", BASH), ("fish", FISH)] {
        check(&site, shell, script, &["f9", "mir"], &["mirror"]);
        check(&site, shell, script, &["f9", "checksum", "-a", "sha"], &["sha256", "sha512"]);
    }
}

#[test]
fn names_come_from_the_file_that_is_named_and_run_no_plugin() {
    let site = site();
    site.write("other.json", json!({"chat": {"backend": "chatty"}}).to_string());
    let directory = example_dir();
    let directory = directory.to_str().unwrap();
    check(&site, "bash", BASH, &["f9", "--config", "other.json", "ls", ""], &["chat:"]);
    check(
        &site,
        "bash",
        BASH,
        &["f9", "--plugin-dir", directory, "connections", "add", "x", "chat"],
        &["chatty"],
    );
    site.write("config/f9/connections.json", "{broken");
    check(&site, "bash", BASH, &["f9", "ls", "no"], &[]);
}

#[test]
fn other_shells_get_the_commands_and_options() {
    let output = f9().args(["completions", "powershell"]).output().unwrap();
    assert!(text(&output.stdout).contains("mirror") && !text(&output.stdout).contains("Invoke-Expression"));
    let unknown = f9().args(["--", "f9", ""]).env("F9_COMPLETE", "csh").output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).starts_with("f9: ") && text(&unknown.stderr).contains("csh"));
}
