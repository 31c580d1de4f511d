//! What somebody gets wrong on the first day, and whether the answer says what to do.

use std::process::Stdio;

use f9_tests::{f9, shell::Shell, text};
use serde_json::{Value, json};

#[test]
fn a_connection_that_is_nearly_right_is_named() {
    let shell = Shell::new(&["notes", "photos"]);
    assert!(shell.fails(["ls", "note:"], 2).ends_with("; did you mean `notes`?\n"));
    assert!(shell.fails(["push", "note"], 2).ends_with("; did you mean `notes`?\n"));
    assert!(shell.fails(["connections", "show", "note"], 2).ends_with("; did you mean `notes`?\n"));
    // The colon is missing.
    assert_eq!(
        shell.fails(["ls", "notes"], 2),
        "f9: notes: there is no connection; did you mean `notes:`?\n"
    );
    assert!(shell.fails(["ls", "note/a.txt"], 2).ends_with("; did you mean `notes:a.txt`?\n"));
    // A file of this machine, as it is written for other programs.
    let errors = shell.fails(["cp", "tax.pdf", "notes:"], 2);
    assert!(
        errors.ends_with(
            "; a file of this machine is here:tax.pdf after `f9 connections add here local root=.`\n"
        ),
        "{errors}"
    );
    for (typed, path) in [("./tax.pdf", "tax.pdf"), (".", ""), ("x/tax.pdf", "x/tax.pdf")] {
        let hint = format!("; a file of this machine is here:{path}");
        let add = " after `f9 connections add here local root=.`";
        assert!(shell.fails(["cp", typed, "notes:"], 2).ends_with(&format!("{hint}{add}\n")));
        let with_here = Shell::new(&["notes", "here"]);
        assert!(with_here.fails(["cp", typed, "notes:"], 2).ends_with(&format!("{hint}\n")));
    }
    assert!(!shell.fails(["cp", "../tax.pdf", "notes:"], 2).contains("here:"));
    // Who asks about one does not want to add it.
    for command in ["show", "check", "remove"] {
        let errors = shell.fails(["connections", command, "zzzzzz"], 2);
        assert!(errors.ends_with("; `f9 connections list` shows those that there are\n"), "{errors}");
    }
    // There is none yet.
    let nobody = Shell::new(&[]);
    assert!(
        nobody.fails(["ls", "notes:"], 2).ends_with("it holds none; `f9 connections add notes` adds one\n")
    );
}

#[test]
fn a_name_in_the_place_of_a_connection_is_told_where_it_belongs() {
    let shell = Shell::new(&["notes"]);
    for given in ["notes", "note", "notes:"] {
        let errors = shell.fails(["-c", given, "ls"], 2);
        assert!(
            errors.ends_with("without -c, write `notes:PATH` for what the connection `notes` holds\n"),
            "{errors}"
        );
    }
    shell.write("c.json", "{}");
    assert!(shell.fails(["-c", "c.json", "ls"], 2).ends_with("put an @ before the name of a file\n"));
    // It may be a key: it is not repeated.
    assert!(!shell.fails(["-c", "hunter2", "ls"], 2).contains("hunter2"));
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let shell = Shell::new(&["notes"]);
    shell.write("notes/lists/shopping.txt", "milk");
    let hint = |arguments: [&str; 2]| {
        let errors = shell.fails(arguments, 3);
        errors.trim_end().rsplit("; ").next().unwrap().to_owned()
    };
    for command in ["read", "delete", "info", "ls", "du", "checksum", "tree"] {
        assert_eq!(
            hint([command, "notes:lists/shoping.txt"]),
            "did you mean `notes:lists/shopping.txt`?",
            "{command}"
        );
    }
    assert_eq!(hint(["read", "notes:list/shopping.txt"]), "did you mean `notes:lists`?");
    assert_eq!(hint(["read", "notes:lists/rent"]), "`f9 ls -R notes:` lists what is there");
    assert_eq!(
        hint(["read", "notes:lists/*.md"]),
        "`f9 glob 'notes:lists/*.md'` lists what a pattern stands for"
    );
    for arguments in
        [["update", "notes:lists/shoping.txt", "x"], ["cp", "notes:lists/shoping.txt", "notes:x"]]
    {
        assert!(shell.fails(arguments, 3).ends_with("; did you mean `notes:lists/shopping.txt`?\n"));
    }
    let connection = json!({"backend": "local", "root": shell.path("notes")}).to_string();
    assert!(shell.fails(["-c", &connection, "read", "list"], 3).ends_with("; did you mean `lists`?\n"));
}

#[test]
fn wrong_usage_is_one_line_as_any_error() {
    let run = |arguments: &[&str]| {
        let output = f9().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        text(&output.stderr).to_owned()
    };
    for (arguments, typed, hint) in [
        (&["creat", "x"][..], "f9 creat", "did you mean `f9 create`?"),
        (&["connection"], "f9 connection", "did you mean `f9 connections`?"),
        (&["plugins", "lst"], "f9 plugins lst", "did you mean `f9 plugins list`?"),
        (&["nope"], "f9 nope", "`f9 --help` lists the commands"),
        (&["plugins", "lock", "x"], "f9 plugins lock x", "`f9 plugins lock --help` lists the commands"),
    ] {
        assert_eq!(run(arguments), format!("f9: there is no command `{typed}`; {hint}\n"));
    }
    assert_eq!(
        run(&["help", "--help"]),
        "f9: help is about a command, and this is none; `f9 --help` lists them\n"
    );
    assert!(run(&["pull", "-m", "x"]).ends_with("; see `f9 pull --help`\n"));
    assert!(run(&["read", "-m"]).ends_with("; to pass '-m' as a value, use '-- -m'\n"));
    let json: Value = serde_json::from_str(&run(&["--json", "plugins", "lock"])).unwrap();
    assert_eq!(json["error"]["hint"], "`f9 plugins lock --help` lists them");
    assert_eq!(
        run(&["connections", "show"]),
        "f9: the following required arguments were not provided: <NAME>; see `f9 connections show --help`\n"
    );
    for arguments in
        [&["ls", "--recursiv"][..], &["info", "a", "b"], &["--timeout", "soon", "ls"], &["resolve", "x"]]
    {
        let errors = run(arguments);
        assert!(
            errors.starts_with("f9: ") && errors.lines().count() == 1 && errors.contains("; "),
            "{errors}"
        );
        let json: Value = serde_json::from_str(&run(&[&["--json"], arguments].concat())).unwrap();
        let error = &json["error"];
        assert_eq!(error["kind"], "usage");
        let line =
            format!("f9: {}; {}\n", error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert_eq!(line, errors);
    }
    let checksum = run(&["checksum", "-a", "crc", "x:y"]);
    assert!(checksum.contains("[possible values: sha256, sha512, blake3, md5]"), "{checksum}");
}

#[test]
fn quiet_is_quiet() {
    let shell = Shell::new(&["notes", "copy"]);
    shell.write("both", "x");
    for arguments in [
        &["create", "notes:a/x", "1"][..],
        &["create", "--dir", "notes:d"],
        &["update", "notes:a/x", "22"],
        &["mkdir", "notes:e/f"],
        &["cp", "notes:a/x", "copy:"],
        &["cp", "-r", "notes:a", "copy:"],
        &["mv", "copy:x", "copy:y"],
        &["mirror", "notes:", "copy:m"],
        &["mirror", "--dry-run", "notes:", "copy:n"],
        &["connections", "add", "more", "local", "root=more"],
        &["connections", "remove", "more"],
        &["delete", "copy:y"],
        &["man", "pages"],
    ] {
        for json in [&["-q"][..], &["-q", "--json"]] {
            let output = shell.run([json, arguments].concat());
            let (printed, errors) = (text(&output.stdout), text(&output.stderr));
            assert_eq!(printed, "", "{arguments:?}");
            assert!(
                json.len() == 2 || (output.status.success() && errors.is_empty()),
                "{arguments:?}: {errors}"
            );
        }
    }
    let pages = shell.ok(["--json", "man", "pages"]);
    assert!(pages.lines().all(|line| line.starts_with(r#"{"page":"pages/f9"#)), "{pages}");
    // What was asked for is no chatter.
    assert_eq!(shell.ok(["-q", "read", "notes:a/x"]), "22");
    assert_eq!(shell.ok(["-q", "ls", "notes:a"]), "a/x\n");
    assert!(shell.fails(["-q", "read", "notes:nope"], 3).starts_with("f9: nope: "));
}

#[test]
fn what_is_piped_in_is_stored_or_refused_and_never_dropped() {
    let shell = Shell::new(&["notes"]);
    let output = shell.run_with_input(["create", "notes:x"], b"data");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(
        text(&output.stderr),
        "f9: x: something is piped in, and nothing says to store it; add - to store standard input, or '' to create an empty file\n"
    );
    assert!(!shell.path("notes/x").exists());
    shell.write("data", "data");
    let mut from_file = shell.command(["create", "notes:x"]);
    from_file.stdin(std::fs::File::open(shell.path("data")).unwrap());
    assert_eq!(from_file.output().unwrap().status.code(), Some(5));
    assert!(shell.run_with_input(["create", "notes:x", "-"], b"data").status.success());
    assert!(shell.run_with_input(["create", "notes:empty", ""], b"data").status.success());
    assert!(shell.run_with_input(["create", "--dir", "notes:dir"], b"data").status.success());
    assert_eq!((shell.read("notes/x"), shell.read("notes/empty")), ("data".into(), String::new()));
    // Where nothing is piped in, nothing needs to be said.
    assert_eq!(shell.ok(["create", "notes:y"]), "y: 0 bytes\n");
    let mut closed = shell.command(["create", "notes:z"]);
    closed.stdin(Stdio::null());
    assert!(closed.status().unwrap().success());
}

#[test]
fn work_that_is_done_in_part_says_so_with_its_exit_code() {
    let shell = Shell::new(&["one", "two"]);
    shell.write("one/a", "a");
    shell.write("one/d/b", "b");
    shell.write("two/in/c", "c");
    assert!(shell.fails(["cp", "one:a", "one:nope", "two:in"], 9).starts_with("f9: one:nope: "));
    shell.fails(["cp", "one:nope", "one:a", "--overwrite", "two:in"], 9);
    shell.fails(["cp", "one:nope", "one:neither", "two:in"], 3);
    shell.fails(["mv", "one:nope", "one:a", "two:x/"], 9);
    assert_eq!(shell.read("two/x/a"), "a");
    for command in ["checksum", "read", "delete"] {
        let errors = shell.fails([command, "two:nope", "two:x/a", "one:nope"], 9);
        let starts: Vec<_> = errors.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
        assert_eq!(starts, ["two:nope", "one:nope"], "{errors}");
        shell.fails([command, "two:nope", "one:nope"], 3);
    }
    assert!(!shell.path("two/x/a").exists());
    shell.fails(["glob", "one:[a", "two:*"], 9);
    shell.fails(["glob", "one:[a", "two:[a"], 2);
    shell.fails(["mkdir", "two:in", "two:new"], 9);
    // Of two directories one arrives, and the other in no part.
    shell.write("two/all/d/b", "other");
    shell.write("one/e/f", "f");
    shell.fails(["cp", "-r", "one:d", "two:all/"], 4);
    shell.fails(["cp", "-r", "one:d", "one:e", "two:all/"], 9);
    assert_eq!((shell.read("two/all/d/b"), shell.read("two/all/e/f")), ("other".into(), "f".into()));
}

#[test]
fn a_slash_at_the_end_means_a_directory() {
    let shell = Shell::new(&["notes"]);
    shell.write("notes/a/f.txt", "x");
    for arguments in [
        &["create", "notes:new/", "hi"][..],
        &["read", "notes:a/f.txt/"],
        &["update", "notes:a/f.txt/", "y"],
        &["delete", "notes:a/f.txt/"],
        &["info", "notes:a/f.txt/"],
        &["du", "notes:a/f.txt/"],
        &["checksum", "notes:a/f.txt/"],
        &["cp", "notes:a/f.txt/", "notes:g"],
        &["mv", "notes:a/f.txt/", "notes:g"],
    ] {
        let output = shell.run(arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}: {errors}");
        assert!(errors.ends_with("; leave out the / at the end\n"), "{errors}");
    }
    assert_eq!(shell.read("notes/a/f.txt"), "x");
    assert_eq!(shell.ok(["glob", "notes:**/"]), "a/\n");
    assert_eq!(shell.ok(["create", "--dir", "notes:b/"]), "b: directory\n");
    shell.ok(["mv", "notes:b/", "notes:c/"]);
    shell.ok(["delete", "notes:c/b/"]);
}

#[test]
fn what_is_there_already_is_told_with_what_can_be_done_about_it() {
    let shell = Shell::new(&["notes", "copy"]);
    shell.write("notes/f", "x");
    shell.write("notes/g", "x");
    shell.write("notes/d/x", "x");
    shell.write("copy/d/x", "y");
    for (arguments, hint) in [
        (&["create", "notes:f", "y"][..], "--overwrite replaces it"),
        (&["create", "notes:d", "y"], "it is a directory; choose another path"),
        (&["create", "--dir", "notes:d"], "--overwrite takes it as it is"),
        (&["mkdir", "notes:d"], "-p takes it as it is"),
        (&["mkdir", "notes:f"], "it is a file; choose another path"),
        (&["mv", "notes:f", "notes:g"], "--overwrite replaces it"),
        (&["cp", "notes:f", "notes:g"], "--overwrite replaces it"),
        (&["cp", "-r", "notes:d", "copy:"], "--overwrite replaces it"),
        (
            &["connections", "add", "copy", "local", "root=x"],
            "choose another name, or replace it with --overwrite",
        ),
    ] {
        let output = shell.run(arguments);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{arguments:?}: {errors}");
        assert!(errors.ends_with(&format!("; {hint}\n")), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_fault_of_the_local_file_is_told_of_that_file() {
    let shell = Shell::new(&["notes"]);
    let dir = shell.path("").display().to_string();
    let errors = shell.fails(["create", "notes:q", "--file", &dir], 5);
    assert_eq!(errors, format!("f9: {dir}: this is a directory; name a file\n"));
    assert!(
        shell.fails(["create", "notes:q", "--file", "/proc/self/mem"], 1).starts_with("f9: /proc/self/mem: ")
    );
    let errors = shell.fails(["create", "notes:q", "--file", "none"], 3);
    assert!(errors.contains("the file cannot be read: No such file or directory; name a file"), "{errors}");
    std::fs::remove_file(shell.config()).unwrap();
    let errors = shell.fails(["ls", "notes:"], 3);
    assert!(
        errors.ends_with("cannot be read: No such file or directory; `f9 connections add NAME` makes one\n"),
        "{errors}"
    );
}

#[test]
fn with_two_connections_a_path_is_told_with_its_own() {
    let shell = Shell::new(&["one", "two"]);
    shell.write("one/f", "x");
    shell.write("one/d/f", "x");
    shell.write("two/f", "y");
    assert!(shell.fails(["cp", "one:none", "two:"], 3).starts_with("f9: one:none: "));
    assert!(shell.fails(["cp", "one:f", "two:"], 4).starts_with("f9: two:f: "));
    assert!(shell.fails(["mv", "one:f", "two:f"], 4).starts_with("f9: two:f: "));
    assert!(shell.fails(["cp", "one:d", "two:"], 5).starts_with("f9: one:d: "));
    let output = shell.run(["--json", "cp", "one:f", "two:"]);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(
        (&error["error"]["path"], &error["error"]["context"]["address"]),
        (&json!("f"), &json!("two:f"))
    );
    // One failure is told once, however many were to go there.
    let errors = shell.fails(["cp", "one:f", "one:d", "two:none"], 5);
    assert_eq!(errors.lines().count(), 1, "{errors}");
    assert!(errors.starts_with("f9: two:none: several things need a directory to go to"));
    assert!(shell.fails(["mirror", "one:f", "two:"], 5).starts_with("f9: source: one:f: this is a file, "));
    assert!(shell.fails(["ls", "one:f"], 5).starts_with("f9: f: this is a file, "));
    assert!(
        shell.fails(["mv", "one:d", "one:d"], 5).contains("one:d: a directory cannot be moved into itself")
    );
}

#[test]
fn a_path_where_none_is_taken_and_a_name_where_none_belongs_are_told() {
    let shell = Shell::new(&["notes"]);
    for command in ["push", "pull", "sync", "conflicts"] {
        let errors = shell.fails([command, "notes:plan.md"], 2);
        assert_eq!(errors, "f9: this works on all of `notes:`, and takes no path; write `notes:`\n");
    }
    assert!(shell.fails(["search", "notes:2026", "x"], 2).ends_with("; write `notes:`\n"));
    assert!(shell.fails(["search", "notes:"], 2).starts_with("f9: there is nothing to search for; "));
    let inline = json!({"backend": "local", "root": shell.path("notes")}).to_string();
    assert!(
        shell.fails(["-c", &inline, "ls", "notes:"], 3).contains("with -c a path has no NAME: before it")
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_not_told_as_what_was_meant() {
    let shell = Shell::new(&["notes"]);
    shell.write("notes/x", "x");
    std::os::unix::fs::symlink("nowhere", shell.path("notes/dang")).unwrap();
    let errors = shell.fails(["read", "notes:dang"], 3);
    assert!(errors.contains("a link of this name") && !errors.contains("did you mean"), "{errors}");
}

#[test]
fn a_wrong_value_is_told_in_words_and_with_its_command() {
    let run = |arguments: &[&str]| text(&f9().args(arguments).output().unwrap().stderr).to_owned();
    assert!(
        run(&["mirror", "-j", "x", "a:", "b:"])
            .ends_with("expected a whole number; see `f9 mirror --help`\n")
    );
    assert!(
        run(&["mirror", "-j", "0", "a:", "b:"]).ends_with("expected at least 1; see `f9 mirror --help`\n")
    );
    assert!(run(&["du", "-d", "x", "a:"]).ends_with("expected a whole number; see `f9 du --help`\n"));
    let timeout = run(&["--timeout", "abc", "ls", "a:"]);
    assert!(timeout.contains("expected seconds, or a number with ms, s, m or h, such as 30s"), "{timeout}");
}

#[test]
fn a_directory_of_plugins_that_is_none_is_told() {
    let shell = Shell::new(&["notes"]);
    shell.write("file", "");
    for (dir, why) in [("none", "No such file or directory"), ("file", "Not a directory")] {
        let output = shell.run(["--plugin-dir", dir, "create", &format!("notes:{dir}"), "x"]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), &*format!("{dir}: 1 byte\n")));
        let warning = format!("f9: warn: plugins: --plugin-dir {dir} is not searched: {why}\n");
        assert_eq!(text(&output.stderr), warning);
        let output = shell.run(["--json", "--plugin-dir", dir, "ls", "notes:"]);
        let log: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(log["log"]["level"], "warn");
        for format in [&["-q"][..], &["-q", "--json"]] {
            let quiet = shell.run([format, &["--plugin-dir", dir, "ls", "notes:"]].concat());
            assert_eq!((quiet.status.code(), text(&quiet.stderr)), (Some(0), ""));
        }
    }
    // As with PATH, not all that is in the variable need be there.
    let output = shell.command(["ls", "notes:"]).env("F9_PLUGIN_PATH", "/none:/etc/passwd").output().unwrap();
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn a_command_to_type_can_be_typed_as_it_is_shown() {
    let shell = Shell::new(&["notes"]);
    shell.write("my file.json", shell.read("connections.json"));
    shell.write("my.lock", r#"{"format": 1, "plugins": {}}"#);
    let typed = |arguments: &[&str]| {
        let mut command = f9();
        command.args(["--config", "my file.json"]).args(arguments).current_dir(shell.path(""));
        let output = command.output().unwrap();
        text(&output.stderr).split('`').rfind(|part| part.starts_with("f9 ")).unwrap().to_owned()
    };
    let run = |command: &str, words: &str| {
        let (function, dir) = (f9().get_program().to_owned(), shell.path(""));
        let script = format!("f9() {{ {function:?} \"$@\"; }}; {command}");
        let mut bash = std::process::Command::new("bash");
        let output = bash.args(["-c", &script]).env_clear().current_dir(dir).output().unwrap();
        let printed = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(output.status.success() && printed.contains(words), "{command}: {printed}");
    };
    run(&typed(&["read", "notes:none"]), "");
    run(&typed(&["--lock", "my.lock", "ls", "notes:"]), "my.lock holds 1 file");
    run(&typed(&["--lock", "new.lock", "ls", "notes:"]).replace("NAME", "local"), "new.lock holds 1 file");
    shell.ok(["--lock", "my.lock", "ls", "notes:"]);
}
