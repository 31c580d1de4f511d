//! Named connections: where they are found, what is shown of them, and which are refused.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use f9_host::{Connections, ErrorKind};
use f9_tests::{example_dir, f9, host, host_of, plugin_dir, shell::Shell, text};
use serde_json::{Value, json};

fn set_mode(shell: &Shell, mode: u32) {
    fs::set_permissions(shell.config(), fs::Permissions::from_mode(mode)).unwrap();
}

/// The plugin `keeper` has a secret among its options.
fn with_keeper(shell: &Shell, connection: &Value) -> impl Fn(&[&str]) -> std::process::Output + use<> {
    shell.write("connections.json", json!({"kept": connection}).to_string());
    let config = shell.config();
    move |arguments| {
        let mut command = f9();
        command.arg("--plugin-dir").arg(example_dir()).arg("--config").arg(&config);
        command.args(arguments).env("KEY", "hunter2").output().unwrap()
    }
}

#[test]
fn a_name_stands_for_its_connection() {
    let shell = Shell::new(&["notes", "my-2.nd_"]);
    assert_eq!(shell.ok(["create", "notes:a/b.txt", "hello"]), "a/b.txt: 5 bytes\n");
    assert_eq!(shell.read("notes/a/b.txt"), "hello");
    assert_eq!(shell.ok(["ls", "notes:"]), "a/\n");
    assert_eq!(shell.ok(["ls", "notes:/a/"]), "a/b.txt\n");
    assert_eq!(shell.ok(["create", "my-2.nd_:xy:z", ""]), "xy:z: 0 bytes\n");
    let inline = json!({"backend": "local", "root": shell.path("notes")}).to_string();
    assert_eq!(shell.ok(["-c", &inline, "create", "notes:b", "1"]), "notes:b: 1 byte\n");
}

#[test]
fn what_is_no_connection_is_told_with_what_is() {
    let shell = Shell::new(&["notes"]);
    let file = shell.config();
    assert_eq!(
        shell.fails(["ls", "nots:"], 2),
        format!("f9: there is no connection `nots` in {}; did you mean `notes`?\n", file.display())
    );
    assert!(shell.fails(["ls", "a/b"], 2).contains("write NAME:a/b"));
    assert!(shell.fails(["ls", "a/b:c"], 2).contains("there is no connection"));
    let inline = json!({"backend": "local", "root": "x"}).to_string();
    assert!(shell.fails(["-c", &inline, "push", "notes:"], 2).contains("two connections"));
    assert!(shell.fails(["push", "notes:"], 5).contains("has no remote"));
}

#[test]
fn the_file_is_found_where_users_keep_theirs() {
    let shell = Shell::new(&["notes"]);
    let run = |variable: &str, value: &str| {
        let value = shell.path(value);
        f9().args(["connections", "list"]).env(variable, value).output().unwrap()
    };
    shell.write("xdg/f9/connections.json", shell.read("connections.json"));
    shell.write("home/.config/f9/connections.json", shell.read("connections.json"));
    for (variable, value) in [("XDG_CONFIG_HOME", "xdg"), ("HOME", "home")] {
        assert_eq!(text(&run(variable, value).stdout), "notes  local\n");
    }
    let output = run("HOME", "nobody");
    assert_eq!((output.status.code(), text(&output.stdout), text(&output.stderr)), (Some(0), "", ""));
    assert_eq!(f9().args(["connections", "list"]).status().unwrap().code(), Some(2));
    for home in ["", ".", "home"] {
        let mut command = f9();
        command.args(["connections", "list"]).env("HOME", home).current_dir(shell.path(""));
        assert_eq!(command.output().unwrap().status.code(), Some(2), "{home}");
    }
    fs::remove_file(shell.config()).unwrap();
    assert!(shell.fails(["connections", "list"], 3).contains("connections.json"));
}

#[test]
fn a_broken_file_is_told_with_the_place() {
    let shell = Shell::new(&[]);
    shell.write("connections.json", "{\n  \"notes\": {\"backend\": \"local\",}\n}");
    assert!(shell.fails(["ls", "notes:"], 2).contains("line 2"));
}

#[test]
fn one_broken_connection_leaves_the_others_alone() {
    let shell = Shell::new(&[]);
    let connections = json!({
        "notes": {"backend": "local", "root": "notes"}, "a b": {"backend": "local"}, "far": {"backend": "s3"},
        "rot": {"root": "x"}, "text": "local",
    });
    shell.write("connections.json", connections.to_string());
    assert_eq!(shell.ok(["create", "notes:x", "1"]), "x: 1 byte\n");
    assert_eq!(
        shell.ok(["connections", "list"]),
        "a b    (broken: \"a b\" cannot be the name of a connection)\n\
         far    s3  (broken: there is no plugin `s3`)\n\
         notes  local\n\
         rot    (broken: the connection lacks the key `backend`: expected the name of a plugin)\n\
         text   (broken: a connection is a JSON object, found a string)\n"
    );
    let listed = shell.ok(["--json", "connections", "list"]);
    let objects: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[1], json!({"name": "far", "backend": "s3", "broken": "there is no plugin `s3`"}));
    assert_eq!(objects[2], json!({"name": "notes", "backend": "local"}));
    assert_eq!(shell.ok(["--json", "connections"]), listed);
    let errors = shell.fails(["ls", "rot:"], 2);
    let file = shell.config();
    assert!(
        errors.starts_with(&format!("f9: {}: in the connection `rot`: the connection lacks", file.display())),
        "{errors}"
    );
    shell.fails(["connections", "show", "text"], 2);
    shell.fails(["connections", "add", "rot", "local", "root=y"], 4);
    // What is broken stays until somebody takes it away or replaces it.
    shell.ok(["connections", "add", "more", "local", "root=more"]);
    shell.ok(["connections", "add", "--overwrite", "rot", "local", "root=y"]);
    shell.ok(["connections", "remove", "a b"]);
    shell.fails(["connections", "remove", "none"], 2);
    let saved: Value = serde_json::from_str(&shell.read("connections.json")).unwrap();
    let root = |root: &str| json!({"backend": "local", "root": root});
    assert_eq!(
        saved,
        json!({"notes": root("notes"), "more": root("more"), "rot": root("y"), "far": {"backend": "s3"}, "text": "local"})
    );
}

#[test]
fn what_is_shown_holds_no_secret() {
    let shell = Shell::new(&[]);
    let f9 = with_keeper(
        &shell,
        &json!({"backend": "keeper", "key": "hunter2", "url": "https://ann:hunter2@x/", "hint": 5}),
    );
    set_mode(&shell, 0o600);
    let output = f9(&["--json", "connections", "show", "kept"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        shown,
        json!({"backend": "keeper", "key": "[redacted]", "url": "https://[redacted]:[redacted]@x/", "hint": "[redacted]"})
    );
    // Without the plugin nobody knows what is secret.
    let output = shell.run(["connections", "show", "kept"]);
    assert!(!text(&output.stdout).contains("hunter2") && text(&output.stdout).contains("keeper"));
    assert_eq!(output.status.code(), Some(8));
}

#[test]
fn a_secret_that_others_can_read_is_refused_with_what_to_type() {
    let shell = Shell::new(&[]);
    let f9 = with_keeper(&shell, &json!({"backend": "keeper", "key": "hunter2"}));
    for mode in [0o644, 0o640, 0o604] {
        set_mode(&shell, mode);
        let output = f9(&["ls", "kept:"]);
        assert_eq!(output.status.code(), Some(2));
        let errors = text(&output.stderr);
        assert!(errors.contains("holds a secret (key)") && !errors.contains("hunter2"), "{errors}");
        let typed = errors.split('`').nth(3).unwrap();
        assert_eq!(typed, format!("chmod 600 {}", shell.config().display()));
        assert!(Command::new("sh").args(["-c", typed]).status().unwrap().success());
        assert!(f9(&["ls", "kept:"]).status.success());
    }
    let f9 = with_keeper(&shell, &json!({"backend": "keeper", "key": {"$env": "KEY"}}));
    set_mode(&shell, 0o644);
    assert_eq!(text(&f9(&["read", "kept:length"]).stdout), "7");
}

#[test]
fn a_secret_in_a_file_of_any_kind_is_refused_while_others_can_read_it() {
    let shell = Shell::new(&[]);
    let f9 = with_keeper(&shell, &json!({"backend": "keeper", "key": {"$file": shell.path("key")}}));
    shell.write("key", "hunter2\n");
    shell.write("given.json", json!({"backend": "keeper", "key": "hunter2"}).to_string());
    let given = format!("@{}", shell.path("given.json").display());
    for (file, arguments) in
        [("key", &["read", "kept:length"][..]), ("given.json", &["-c", &given, "read", "length"])]
    {
        let set_mode =
            |mode| fs::set_permissions(shell.path(file), fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o644, 0o640, 0o604] {
            set_mode(mode);
            let output = f9(arguments);
            let (code, errors) = (output.status.code(), text(&output.stderr));
            assert!(code == Some(2) && !errors.contains("hunter2"), "{code:?} {errors}");
            assert!(errors.contains(&format!("type `chmod 600 {}`", shell.path(file).display())), "{errors}");
        }
        set_mode(0o600);
        assert_eq!(text(&f9(arguments).stdout), "7");
    }
    // What is not secret may be anybody's, and a pipe is nobody else's.
    shell.write("url", "https://x/");
    let open = json!({"backend": "keeper", "key": {"$env": "KEY"}, "url": {"$file": shell.path("url")}});
    shell.write("open.json", open.to_string());
    let open = format!("@{}", shell.path("open.json").display());
    assert_eq!(text(&f9(&["-c", &open, "read", "length"]).stdout), "17");
    let mut piped = shell.command(["--plugin-dir"]);
    let literal = std::fs::File::open(shell.path("given.json")).unwrap();
    let mut cat = Command::new("cat").stdin(literal).stdout(std::process::Stdio::piped()).spawn().unwrap();
    piped.arg(example_dir()).args(["-c", "@/dev/stdin", "read", "length"]).stdin(cat.stdout.take().unwrap());
    assert_eq!(text(&piped.output().unwrap().stdout), "7");
    cat.wait().unwrap();
    // Whatever has no end is no file with a connection.
    let endless = f9(&["-c", "@/dev/zero", "ls"]);
    assert_eq!(endless.status.code(), Some(2));
    assert!(text(&endless.stderr).contains("more than 67108864 bytes"), "{}", text(&endless.stderr));
}

#[test]
fn the_file_says_where_more_plugins_are() {
    let shell = Shell::new(&[]);
    let write = |dirs: Value| {
        let memory = json!({"memory": {"backend": "memory"}, "$plugin_dirs": dirs});
        shell.write("connections.json", memory.to_string());
        set_mode(&shell, 0o600);
    };
    write(json!([shell.path("none"), example_dir()]));
    assert_eq!(shell.ok(["create", "memory:x", "1"]), "x: 1 byte\n");
    assert_eq!(shell.ok(["-c", r#"{"backend": "memory"}"#, "create", "x", "1"]), "x: 1 byte\n");
    assert!(shell.ok(["plugins"]).contains("memory"));
    // They come after those that were named, and stay when the file is changed.
    shell.ok(["connections", "add", "data", "local", "root=data"]);
    assert_eq!(shell.ok(["create", "memory:y", "1"]), "y: 1 byte\n");
    set_mode(&shell, 0o620);
    let errors = shell.fails(["ls", "memory:"], 2);
    assert!(errors.ends_with(&format!("; type `chmod go-w {}`\n", shell.config().display())), "{errors}");
    write(json!(["plugins"]));
    assert!(shell.fails(["ls", "memory:"], 2).contains("not written in full"));
    // A connection of its own does without the file, whatever is wrong with that, but says so.
    let here = json!({"backend": "local", "root": shell.path("data")}).to_string();
    let output = shell.run(["-c", &here, "create", "x", "1"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "x: 1 byte\n"));
    assert!(text(&output.stderr).starts_with("f9: warn: connections: "), "{}", text(&output.stderr));
}

#[test]
fn a_host_opens_connections_by_name() {
    let shell = Shell::new(&["notes"]);
    let connections = Connections::load(shell.config()).unwrap();
    connections.open("notes", &host()).unwrap().create("x", "1").unwrap();
    assert_eq!(connections.open("nots", &host()).unwrap_err().kind(), ErrorKind::InvalidConnection);
    assert_eq!(connections.get("notes").unwrap().backend().as_str(), "local");

    shell.write("connections.json", json!({"kept": {"backend": "keeper", "key": "hunter2"}}).to_string());
    set_mode(&shell, 0o644);
    let host = host_of(&[plugin_dir(), example_dir()]);
    let error = Connections::load(shell.config()).unwrap().open("kept", &host).unwrap_err();
    assert!(error.advice().unwrap().contains("chmod 600"), "{error:?}");
}

#[test]
fn a_connection_is_added_by_answers() {
    let shell = Shell::new(&[]);
    fs::remove_file(shell.config()).unwrap();
    let add = |name: &str, answers: &str| {
        shell.run_with_input(["connections", "add", name, "local"], answers.as_bytes())
    };
    // The root is required and comes first, then create_root and durability.
    let output = add("notes", "data\nno\nfsync\n");
    assert_eq!(text(&output.stdout), format!("notes: added to {}\n", shell.config().display()));
    assert_eq!(
        serde_json::from_str::<Value>(&shell.read("connections.json")).unwrap()["notes"],
        json!({"backend": "local", "root": "data", "create_root": false, "durability": "fsync"})
    );
    assert_eq!(fs::metadata(shell.config()).unwrap().permissions().mode() & 0o777, 0o600);
    for (name, answers, words) in [
        ("notes", "", "there is a connection `notes` already"),
        ("a/b", "x\n\n\n", "cannot be the name of a connection"),
        ("b", "\n", "the key `root` is required"),
        ("b", "x\nmaybe\n", "expected true or false"),
        ("b", "x\n\noften\n", "expected one of none, fsync"),
        ("b", "x\n", "no answer to `create_root"),
    ] {
        let output = add(name, answers);
        assert!(!output.status.success());
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
    assert!(add("notes:", "data\n\n\n").status.code() == Some(4));
    let output = shell.run_with_input(["connections", "add", "notes", "--overwrite"], b"local\nother\n\n\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(shell.ok(["create", "notes:x", "1"]), "x: 1 byte\n");
    assert!(shell.path("other/x").is_file());
    shell.ok(["connections", "remove", "notes"]);
    assert_eq!(shell.ok(["connections", "list"]), "");
}

#[test]
fn a_connection_is_added_from_json() {
    let shell = Shell::new(&["notes"]);
    let site = json!({
        "backend": "git", "remote_url": "https://example.com/site.git", "path": "site", "password": {"$env": "SITE"},
    });
    shell.ok(["-c", &site.to_string(), "connections", "add", "site"]);
    let saved: Value = serde_json::from_str(&shell.read("connections.json")).unwrap();
    assert_eq!((&saved["site"], &saved["notes"]["backend"]), (&site, &json!("local")));
}

#[test]
fn a_connection_is_added_from_arguments() {
    let shell = Shell::new(&[]);
    let git = [
        "connections",
        "add",
        "site",
        "git",
        "remote_url=https://example.com/site.git",
        "path=site",
        "timeout=5",
    ];
    shell.ok(git);
    shell.ok([
        "connections",
        "add",
        "other",
        "git",
        "remote_url=x",
        "path=y",
        r#"password={"$env": "SITE"}"#,
    ]);
    let saved: Value = serde_json::from_str(&shell.read("connections.json")).unwrap();
    assert_eq!(
        saved["site"],
        json!({"backend": "git", "remote_url": "https://example.com/site.git", "path": "site", "timeout": 5})
    );
    assert_eq!(saved["other"]["password"], json!({"$env": "SITE"}));
    for (option, words) in [
        ("rot=x", "the plugin has no option `rot`; did you mean `root`?"),
        ("zzzzzz=x", "it has create_root, durability, root"),
        ("create_root=5", "expected true or false"),
        ("root", "is written KEY=VALUE"),
    ] {
        let errors = shell.fails(["connections", "add", "x", "local", option], 2);
        assert!(errors.contains(words), "{errors}");
    }
    let errors = shell.fails(["connections", "add", "x", "local", "root=a", "root=b"], 2);
    assert!(errors.ends_with("the key `root` is given twice; leave out one of the two\n"), "{errors}");
    let errors = shell.fails(["connections", "add", "x", "git", "path=x", "password=hunter2"], 2);
    assert!(errors.contains("others can see the arguments") && !errors.contains("hunter2"), "{errors}");
    // What is required and not given is asked for.
    let output = shell.run_with_input(
        ["connections", "add", "n", "local", "durability=fsync"],
        b"data
",
    );
    assert!(output.status.success(), "{}", text(&output.stderr));
}

#[test]
fn what_is_added_is_checked_unless_that_is_not_wanted() {
    let shell = Shell::new(&[]);
    for (connection, code, words) in [
        (json!({"backend": "local", "rot": "x"}), 2, "did you mean `root`?"),
        (json!({"backend": "local"}), 2, "lacks the key `root`"),
        (
            json!({"backend": "local", "root": "x", "create_root": "yes"}),
            2,
            "expected true or false, found a string",
        ),
        (json!({"backend": "git", "remote_url": "x", "path": "y", "password": 5}), 2, "expected a string"),
        (json!({"backend": "missing"}), 8, "no plugin `missing`"),
    ] {
        let connection = connection.to_string();
        let errors = shell.fails(["-c", &connection, "connections", "add", "x"], code);
        assert!(errors.contains(words) && errors.ends_with("--no-check adds it as it is\n"), "{errors}");
        assert_eq!(shell.ok(["connections", "list"]), "");
        shell.ok(["-c", &connection, "connections", "add", "--no-check", "x"]);
        shell.ok(["connections", "remove", "x"]);
    }
    // Without a plugin nobody knows the types: what is JSON is taken as that.
    let unknown = ["connections", "add", "s3", "s3", "bucket=x", "parts=5", r#"key={"$env": "KEY"}"#];
    assert!(shell.fails(unknown, 8).contains("no plugin `s3`"));
    shell.ok([
        "connections",
        "add",
        "s3",
        "s3",
        "bucket=x",
        "parts=5",
        r#"key={"$env": "KEY"}"#,
        "--no-check",
    ]);
    shell.ok(["connections", "add", "rot", "local", "rot=y", "root=z", "--no-check"]);
    let saved: Value = serde_json::from_str(&shell.read("connections.json")).unwrap();
    assert_eq!(saved["s3"], json!({"backend": "s3", "bucket": "x", "parts": 5, "key": {"$env": "KEY"}}));
    assert_eq!(saved["rot"], json!({"backend": "local", "rot": "y", "root": "z"}));
    // What a reference leads to is not looked up.
    let later = json!({"backend": "local", "root": {"$env": "NOT_SET_YET"}}).to_string();
    shell.ok(["-c", &later, "connections", "add", "later"]);
}

#[test]
fn a_check_opens_and_says_what_works() {
    let shell = Shell::new(&["notes"]);
    shell.write("notes/x", "1");
    let checked: Value =
        serde_json::from_str(&shell.ok(["--json", "connections", "check", "notes"])).unwrap();
    assert_eq!((&checked["entries"], &checked["conflicts"]), (&json!(1), &Value::Null));
    assert_eq!(checked["capabilities"], json!(["copy", "rename", "open_write"]));
    assert!(shell.ok(["connections", "check", "notes:"]).starts_with("notes: works\n"));
    shell.write(
        "connections.json",
        json!({"x": {"backend": "local", "root": "x", "create_root": false}}).to_string(),
    );
    assert!(shell.fails(["connections", "check", "x"], 3).contains("create_root"));
}
