//! The command line: what it prints, where, and with which exit code.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    process::{Command, Output, Stdio},
};

use f9_tests::{f9, f9_on, short, text};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A local root, and the command line on it.
struct Root {
    dir: TempDir,
    connection: Value,
}

impl Root {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let connection = json!({"backend": "local", "root": dir.path().join("root")});
        Self { dir, connection }
    }

    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        f9_on(&self.connection, arguments)
    }

    /// Runs what must succeed, and answers what it printed.
    #[track_caller]
    fn ok<const N: usize>(&self, arguments: [&str; N]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    /// Runs what must fail with this code and exactly this line.
    #[track_caller]
    fn fails<const N: usize>(&self, arguments: [&str; N], code: i32, line: &str) {
        let output = self.run(arguments);
        assert_eq!(short(text(&output.stderr)), format!("f9: {line}\n"));
        assert_eq!(output.status.code(), Some(code));
    }

    fn run_with_input(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = f9();
        command.arg("-c").arg(self.connection.to_string()).args(arguments);
        with_input(command, input)
    }
}

fn with_input(mut command: Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    })
}

#[test]
fn the_everyday_life_of_a_file() {
    let root = Root::new();
    assert_eq!(root.ok(["create", "example.txt", "hello world"]), "example.txt: 11 bytes\n");
    assert_eq!(root.ok(["read", "example.txt"]), "hello world");
    assert_eq!(root.ok(["update", "example.txt", "\nnew line", "--append"]), "example.txt: 20 bytes\n");
    assert_eq!(root.ok(["cat", "/example.txt"]), "hello world\nnew line");
    assert_eq!(root.ok(["create", "--dir", "reports"]), "reports: directory\n");
    assert_eq!(root.ok(["create", "reports/a/b.txt", ""]), "reports/a/b.txt: 0 bytes\n");
    assert_eq!(root.ok(["ls"]), "example.txt\nreports/\n");
    assert_eq!(root.ok(["ls", "-R", "reports"]), "reports/a/\nreports/a/b.txt\n");
    assert_eq!(root.ok(["create", "example.txt", "anew", "--overwrite"]), "example.txt: 4 bytes\n");
    assert_eq!(root.ok(["update", "example.txt", "once more"]), "example.txt: 9 bytes\n");
    assert_eq!(root.ok(["delete", "-r", "reports"]), "");
    assert_eq!(root.ok(["delete", "example.txt"]), "");
    assert_eq!(root.ok(["ls"]), "");
}

#[test]
fn errors_are_one_line_with_a_code_of_their_own() {
    let root = Root::new();
    root.ok(["create", "dir/file", "x"]);
    root.fails(
        ["read", "nope"],
        3,
        "nope: cannot read the file: there is nothing at this path; `f9 -c … ls -R` lists what is there",
    );
    root.fails(
        ["read", "../x"],
        5,
        "../x: a path cannot contain `..`: nothing above the root can be reached",
    );
}

#[test]
fn every_kind_of_failure_has_its_exit_code() {
    let root = Root::new();
    root.ok(["create", "dir/file", "x"]);
    let code = |arguments: &[&str]| root.run(arguments).status.code().unwrap();
    assert_eq!(code(&["read", "nope"]), 3);
    assert_eq!(code(&["create", "dir/file", "y"]), 4);
    assert_eq!(code(&["delete", "dir"]), 5);
    assert_eq!(code(&["delete", "/"]), 5);
    assert_eq!(code(&["read", "dir"]), 5);
    assert_eq!(code(&["update", "dir/file"]), 2);
    assert_eq!(code(&["push"]), 5);
    assert_eq!(code(&["frobnicate"]), 2);
    assert_eq!(code(&["resolve", "x"]), 2);
    assert_eq!(code(&["resolve", "x", "--local", "--remote"]), 2);
    let on = |connection: Value| f9_on(&connection, ["info", "/"]).status.code().unwrap();
    assert_eq!(on(json!({"backend": "local"})), 2);
    assert_eq!(on(json!({"backend": "no_such_plugin"})), 8);
    assert_eq!(f9().args(["info", "/"]).status().unwrap().code(), Some(2));
    assert_eq!(text(&root.run(["read", "dir/file"]).stdout), "x");
}

#[test]
fn with_json_objects_go_to_stdout_and_errors_to_stderr() {
    let root = Root::new();
    let object = |printed: &str| serde_json::from_str::<Value>(printed).unwrap();
    let created = object(&root.ok(["--json", "create", "a/b.txt", "abc"]));
    assert_eq!(
        (&created["path"], &created["kind"], &created["size"]),
        (&json!("a/b.txt"), &json!("file"), &json!(3))
    );
    assert!(created["modified_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(object(&root.ok(["info", "a/b.txt", "--json"])), created);
    assert_eq!(object(&root.ok(["update", "a/b.txt", "d", "--append", "--json"]))["size"], 4);
    let listing = root.ok(["ls", "-R", "--json"]);
    let paths: Vec<_> = listing.lines().map(|line| object(line)["path"].clone()).collect();
    assert_eq!(paths, ["a", "a/b.txt"]);

    let output = root.run(["--json", "read", "nope"]);
    assert!(output.stdout.is_empty());
    let error = &object(text(&output.stderr))["error"];
    assert_eq!((&error["kind"], &error["path"]), (&json!("not_found"), &json!("nope")));
    let output = root.run(["--json", "frobnicate"]);
    assert_eq!(object(text(&output.stderr))["error"]["kind"], "usage");
    let output = f9_on(&json!({"backend": "local", "rot": "x"}), ["--json", "ls"]);
    let error = &object(text(&output.stderr))["error"];
    assert_eq!((&error["kind"], &error["context"]["key"]), (&json!("invalid_connection"), &json!("rot")));
    assert_eq!(error["hint"], "did you mean `root`?");
}

#[test]
fn data_is_binary_safe_both_ways() {
    let root = Root::new();
    let data: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = root.run_with_input(&["create", "stdin.bin", "-"], &data);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(root.run(["read", "stdin.bin"]).stdout == data);
    let source = root.dir.path().join("source.bin");
    fs::write(&source, &data).unwrap();
    root.ok(["update", "stdin.bin", "--append", "--file", source.to_str().unwrap()]);
    assert_eq!(root.run(["read", "stdin.bin"]).stdout.len(), 2 * data.len());
    assert!(root.run_with_input(&["create", "empty", "--file", "-"], b"").status.success());
    assert_eq!(root.run(["read", "empty"]).stdout, b"");
    root.fails(["create", "x", "--file", "/no/such/file"], 3, "/no/such/file: the file cannot be read: No such file or directory; name a file that you can read, or - for standard input");
}

#[test]
fn a_connection_can_come_from_a_file() {
    let root = Root::new();
    let file = root.dir.path().join("connection.json");
    fs::write(&file, root.connection.to_string()).unwrap();
    let run = |given: String| f9().arg("-c").arg(given).args(["create", "x", "1"]).output().unwrap();
    assert_eq!(text(&run(format!("@{}", file.display())).stdout), "x: 1 byte\n");
    let output = run("@/no/such/file".into());
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).starts_with("f9: /no/such/file: the file with the connection cannot be read")
    );
    let output = run("{\"backend\": \"local\", \"root\": 5}".into());
    assert_eq!(
        text(&output.stderr),
        "f9: wrong value for the key `root`: expected a string, found a number\n"
    );
}

#[test]
fn a_root_that_must_exist_is_not_created() {
    let root = Root::new();
    let missing = root.dir.path().join("missing");
    let output = f9_on(&json!({"backend": "local", "root": missing, "create_root": false}), ["ls"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("create_root"), "{}", text(&output.stderr));
    assert!(!missing.exists());
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let root = Root::new();
    root.run_with_input(&["create", "big", "-"], &vec![b'x'; 4 << 20]);
    let mut command = f9();
    command.arg("-c").arg(root.connection.to_string()).args(["read", "big"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

#[test]
fn plugins_are_listed_with_what_they_say_of_themselves() {
    let output = f9().args(["--json", "plugins"]).output().unwrap();
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let local = lines.iter().find(|plugin| plugin["name"] == "local").unwrap();
    assert_eq!(local["manifest"]["abi"], "1.1.0");
    assert_eq!(local["refusal"], Value::Null);
}

#[test]
fn verbose_tells_the_causes_and_the_facts() {
    let root = Root::new();
    let output = f9_on(&json!({"backend": "local", "rot": "x"}), ["-v", "ls"]);
    assert!(
        text(&output.stderr).starts_with("f9: unknown key `rot` in the connection [key=rot]; did you mean")
    );
    drop(root);
}

#[test]
fn a_connection_in_the_wrong_place_is_not_echoed() {
    let connection = r#"{"backend": "git", "password": "hunter2"}"#;
    let at = format!("@{connection}");
    let wrong: [&[&str]; 4] = [
        &[connection, "info", "/"],
        &["info", "/", connection],
        &["--json", connection],
        &["-c", &at, "info", "/"],
    ];
    for arguments in wrong {
        let output = f9().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!text(&output.stderr).contains("hunter2"), "{}", text(&output.stderr));
    }
}

#[test]
fn an_exit_code_does_not_depend_on_whether_the_error_can_be_told() {
    let root = Root::new();
    let full = || fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = f9();
    command.arg("-c").arg(root.connection.to_string()).args(["read", "nope"]);
    assert_eq!(command.stderr(full()).status().unwrap().code(), Some(3));
    assert_eq!(f9().arg("bogus").stderr(full()).status().unwrap().code(), Some(2));
}

#[test]
fn with_json_all_of_stderr_is_json() {
    let connection = json!({"backend": "panicking", "at": "open"});
    let mut command = f9();
    command.arg("--plugin-dir").arg(f9_tests::example_dir());
    let output = command.args(["--json", "-c", &connection.to_string(), "info", "/"]).output().unwrap();
    assert_eq!(output.status.code(), Some(8));
    let lines: Vec<Value> =
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&lines[0]["log"]["level"], &lines[1]["error"]["kind"]),
        (&json!("error"), &json!("panicked"))
    );
}

#[test]
fn the_working_directory_is_no_place_for_plugins_unless_it_is_named() {
    let here = TempDir::new().unwrap();
    let local = "libf9_backend_memory.so";
    for dir in [here.path().to_owned(), here.path().join(".local/share/f9/plugins")] {
        fs::create_dir_all(&dir).unwrap();
        fs::copy(f9_tests::example_dir().join(local), dir.join(local)).unwrap();
    }
    for (name, value) in
        [("F9_PLUGIN_PATH", ""), ("F9_PLUGIN_PATH", ":"), ("HOME", ""), ("HOME", "."), ("XDG_DATA_HOME", "")]
    {
        let mut command = f9();
        command.current_dir(&here).env(name, value).args(["-c", r#"{"backend": "memory"}"#, "info", "/"]);
        assert_eq!(command.output().unwrap().status.code(), Some(8), "{name}={value}");
    }
}
