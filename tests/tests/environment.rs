//! Whatever the environment of the program is like: what does not need it works, and what does says what is missing.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Output, Stdio},
};

use f9_tests::{f9, shell::Shell, text};
use serde_json::json;

const NOBODY: u32 = 65_534;

fn create(command: &mut Command, shell: &Shell) -> (Option<i32>, String) {
    let inline = json!({"backend": "local", "root": "data"}).to_string();
    command.args(["-c", &inline, "create", "f", "x"]).current_dir(shell.path(""));
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stderr).to_owned())
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_home_that_is_none_stops_nothing_that_does_not_need_it() {
    for home in ["", ".", "relative", "/dev/null", "/nowhere", "/etc/passwd"] {
        for variable in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
            let shell = Shell::new(&[]);
            let done = create(f9().env(variable, home), &shell);
            assert_eq!(done, (Some(0), String::new()), "{variable}={home}");
        }
    }
}

#[test]
fn below_a_home_that_is_a_file_there_are_no_connections() {
    let run = |arguments: &[&str]| f9().env("HOME", "/dev/null").args(arguments).output().unwrap();
    let listed = run(&["connections", "list"]);
    assert_eq!((listed.status.code(), text(&listed.stderr)), (Some(0), ""));
    let missing = run(&["ls", "notes:"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/dev/null/.config/f9/connections.json"));
    let added = run(&["connections", "add", "notes", "local", "root=x"]);
    assert_eq!(added.status.code(), Some(5));
    assert!(text(&added.stderr).contains("name another file"), "{}", text(&added.stderr));
    let unset = f9().args(["ls", "notes:"]).output().unwrap();
    assert!(text(&unset.stderr).contains("HOME is not set"), "{}", text(&unset.stderr));
}

#[test]
fn a_home_that_cannot_be_looked_into_is_told_once_and_stops_nothing() {
    let shell = Shell::new(&[]);
    shell.write("home/.config/f9/connections.json", "{}");
    shell.write("home/.config/f9/plugins.lock", "{}");
    fs::create_dir(shell.path("data")).unwrap();
    set_mode(&shell.path("data"), 0o777);
    set_mode(&shell.path(""), 0o755);
    set_mode(&shell.path("home"), 0o000);
    let home = shell.path("home");
    let as_other = |command: &mut Command| {
        if fs::read_dir(shell.path("home")).is_ok() {
            command.uid(NOBODY).gid(NOBODY); // root can look into anything
        }
        command.env("HOME", &home);
    };
    let mut command = f9();
    as_other(&mut command);
    if !is_reachable(&command) {
        println!("SKIPPED: another user cannot reach the program of this build");
        return;
    }
    let (code, told) = create(&mut command, &shell);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("permission denied; set HOME or XDG_CONFIG_HOME"), "{told}");

    let mut command = f9();
    as_other(&mut command);
    let output = command.args(["ls", "notes:"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("set HOME or XDG_CONFIG_HOME"), "{}", text(&output.stderr));
    set_mode(&shell.path("home"), 0o700);
}

/// Whether every directory on the way to a program lets everybody through.
fn is_reachable(command: &Command) -> bool {
    let mut on_the_way = Path::new(command.get_program()).ancestors().skip(1);
    on_the_way.all(|dir| fs::metadata(dir).is_ok_and(|found| found.permissions().mode() & 0o001 != 0))
}

#[test]
fn a_tilde_in_a_path_is_the_home_for_every_plugin() {
    let shell = Shell::new(&[]);
    let (home, config) = (shell.path("home"), shell.config());
    let run = |arguments: &[&str]| {
        let mut command = f9();
        command.arg("--config").arg(&config).args(arguments).env("HOME", &home).env("WHERE", "~/by-env");
        command.current_dir(shell.path("")).output().unwrap()
    };
    let ok = |arguments: &[&str]| {
        let output = run(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
    };
    ok(&["connections", "add", "notes", "local", "root=~/notes"]);
    ok(&["connections", "check", "notes"]);
    ok(&["create", "notes:f", "x"]);
    assert_eq!(shell.read("home/notes/f"), "x");
    ok(&["connections", "add", "env", "local", r#"root={"$env": "WHERE"}"#]);
    ok(&["create", "env:f", "x"]);
    assert_eq!(shell.read("home/by-env/f"), "x");
    shell.write("home/where", "~/by-file\n");
    ok(&["-c", r#"{"backend": "local", "root": {"$file": "~/where"}}"#, "create", "f", "x"]);
    assert_eq!(shell.read("home/by-file/f"), "x");

    let made =
        Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(home.join("r.git")).output();
    if made.is_ok_and(|made| made.status.success()) {
        ok(&["connections", "add", "team", "git", "remote_url=~/r.git", "path=~/team"]);
        ok(&["create", "team:f", "x"]);
        assert_eq!(shell.read("home/team/f"), "x");
    }

    for (value, hint) in [
        ("~ann/x", "put ./ before it"),
        ("$HOME/x", "write ~"),
        ("$WHERE/x", r#"{"$env": "WHERE"}"#),
        ("${WHERE}", r#"{"$env": "WHERE"}"#),
    ] {
        for (backend, keys) in [
            ("local", &[("root", value)][..]),
            ("git", &[("remote_url", "r.git"), ("path", value)]),
            ("git", &[("remote_url", value), ("path", "x")]),
            ("git", &[("remote_url", "r.git"), ("path", "x"), ("known_hosts", value)]),
            ("openai", &[("vector_store_id", "vs_1"), ("api_key", "k"), ("ca_bundle", value)]),
        ] {
            let mut connection = json!({"backend": backend});
            for (key, value) in keys {
                connection[*key] = (*value).into();
            }
            let inline = connection.to_string();
            for arguments in [&["ls"][..], &["connections", "add", "new"]] {
                let output = run(&[&["-c", &inline], arguments].concat());
                let told = text(&output.stderr);
                assert_eq!(output.status.code(), Some(2), "{inline}: {told}");
                assert!(told.contains(hint), "{inline}: {told}");
            }
        }
    }
    for stray in ["~", "~ann", "$HOME", "$WHERE"] {
        assert!(!shell.path(stray).exists(), "{stray} was made");
    }
}

#[test]
fn the_file_of_connections_stays_as_accessible_as_it_was_unless_a_secret_comes_in() {
    let shell = Shell::new(&["notes"]);
    let mode = || fs::metadata(shell.config()).unwrap().permissions().mode() & 0o777;
    set_mode(&shell.config(), 0o640);
    shell.ok(["connections", "add", "a", "local", "root=a"]);
    assert_eq!(mode(), 0o640);
    shell.ok(["connections", "remove", "a"]);
    assert_eq!(mode(), 0o640);
    shell.ok(["connections", "add", "b", "openai", "vector_store_id=vs_1", r#"api_key={"$env": "KEY"}"#]);
    assert_eq!(mode(), 0o640);
    let inline = json!({"backend": "openai", "vector_store_id": "vs_1", "api_key": "sk-secret"}).to_string();
    shell.ok(["-c", &inline, "connections", "add", "c"]);
    assert_eq!(mode(), 0o600);
}

#[test]
fn a_file_of_connections_that_is_mounted_by_itself_is_written() {
    const OWN: [&str; 3] = ["--user", "--map-root-user", "--mount"];
    if !Command::new("unshare").args(OWN).arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: no mount namespace of one's own is to be had here");
        return;
    }
    let shell = Shell::new(&["notes"]);
    shell.write("source.json", "{}");
    let add = shell.command(["connections", "add", "a", "local", "root=a"]);
    let mut command = Command::new("unshare");
    command.args(OWN).args(["sh", "-ec", r#"mount --bind "$0" "$1"; shift; exec "$@""#]);
    command.arg(shell.path("source.json")).arg(shell.config()).arg(add.get_program()).args(add.get_args());
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert!(shell.read("source.json").contains("\"a\""), "{}", shell.read("source.json"));
    assert!(!shell.read("connections.json").contains("\"a\""), "what is beneath the mount");
    let mut names: Vec<_> =
        fs::read_dir(shell.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["connections.json", "source.json"]);
}

/// Runs the command line where no thread is to be had but the first so many.
fn without_threads(shell: &Shell, arguments: &[&str], but: usize) -> Option<Output> {
    let f9 = shell.command(arguments);
    let inject = format!("inject=clone,clone3:error=EAGAIN:when={}+", but + 1);
    let mut command = Command::new("strace");
    command.args(["-f", "-qqq", "-o", "/dev/null", "-e", "trace=clone,clone3", "-e"]).arg(inject);
    let command = command.arg(f9.get_program()).args(f9.get_args()).current_dir(shell.path("")).env_clear();
    let output = command.stdin(Stdio::null()).output();
    if output.is_err() {
        println!("SKIPPED: there is no strace, which makes threads fail");
    }
    output.ok()
}

#[test]
fn without_a_thread_nothing_is_changed_and_nothing_panics() {
    let shell = Shell::new(&["notes"]);
    shell.ok(["create", "notes:f", "old"]);
    for arguments in [
        &["update", "notes:f", "new"][..],
        &["--timeout", "60s", "update", "notes:f", "new"],
        &["mirror", "notes:", "notes:"],
    ] {
        let Some(output) = without_threads(&shell, arguments, 0) else { return };
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("cannot watch for Ctrl-C") && told.lines().count() == 1, "{told}");
        assert_eq!(shell.read("notes/f"), "old");
    }
    let Some(output) = without_threads(&shell, &["--timeout", "60s", "update", "notes:f", "new"], 1) else {
        return;
    };
    assert!(text(&output.stderr).contains("cannot watch for the time"), "{}", text(&output.stderr));
    assert_eq!(shell.read("notes/f"), "old");
}

#[test]
fn what_several_threads_would_do_one_does() {
    let shell = Shell::new(&["from", "to"]);
    for number in 0..20 {
        shell.write(&format!("from/d/{number}"), "x");
    }
    let Some(output) = without_threads(&shell, &["mirror", "from:", "to:"], 1) else { return };
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert_eq!(fs::read_dir(shell.path("to/d")).unwrap().count(), 20);
}

#[test]
fn plugins_that_need_a_thread_say_so() {
    let shell = Shell::new(&[]);
    let openai = json!({"backend": "openai", "vector_store_id": "vs_1", "api_key": "k", "base_url": "http://127.0.0.1:9"});
    let Some(output) = without_threads(&shell, &["-c", &openai.to_string(), "ls"], 1) else { return };
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("cannot start the thread for network connections"), "{told}");
    fs::write(shell.path("known_hosts"), "").unwrap();
    let key = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(shell.path("key"))
        .status();
    if !key.is_ok_and(|status| status.success()) {
        println!("SKIPPED: there is no ssh-keygen, which makes a key");
        return;
    }
    let git = json!({"backend": "git", "remote_url": "ssh://git@127.0.0.1:9/x.git", "path": "x", "known_hosts": "known_hosts", "ssh_key_path": "key"});
    let Some(output) = without_threads(&shell, &["-c", &git.to_string(), "ls"], 1) else { return };
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("cannot start the thread for the SSH connection") && !told.contains("panicked"),
        "{told}"
    );
}
