//! Standard streams that are closed, files that are no text, and a terminal at which somebody types.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    process::Command,
    thread,
};

use f9_tests::{shell::Shell, text};

/// Runs f9 by a shell that closes streams.
fn with_closed(shell: &Shell, arguments: &[&str], closed: &str) -> (Option<i32>, String) {
    let f9 = shell.command(arguments);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec \"$0\" \"$@\" {closed}")]).arg(f9.get_program()).args(f9.get_args());
    let output = command.current_dir(shell.path("")).env_clear().output().unwrap();
    (output.status.code(), text(&output.stderr).to_owned())
}

#[test]
fn what_would_print_to_nowhere_is_refused_before_anything_is_changed() {
    let shell = Shell::new(&["notes"]);
    shell.ok(["create", "notes:f", "old"]);
    for arguments in [
        &["read", "notes:f"][..],
        &["ls", "notes:"],
        &["-q", "info", "notes:f"],
        &["update", "notes:f", "new"],
        &["mkdir", "notes:d"],
        &["--help"],
        &["--version"],
        &["completions", "bash"],
    ] {
        let (code, told) = with_closed(&shell, arguments, ">&-");
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        assert!(told.contains("standard output is closed"), "{arguments:?}: {told}");
    }
    assert_eq!(shell.read("notes/f"), "old");
    assert!(!shell.path("notes/d").exists());
    // What says nothing needs nowhere to say it.
    assert_eq!(with_closed(&shell, &["-q", "update", "notes:f", "new"], ">&- <&-"), (Some(0), String::new()));
    assert_eq!(shell.read("notes/f"), "new");
    // Whoever sends it to nowhere means it.
    assert_eq!(with_closed(&shell, &["read", "notes:f"], "<>/dev/null >&0").0, Some(0));
    assert_eq!(with_closed(&shell, &["update", "notes:f", "newer"], "2>&-").0, Some(0));
}

#[test]
fn a_closed_standard_input_is_not_taken_for_an_empty_one() {
    let shell = Shell::new(&["notes"]);
    shell.ok(["create", "notes:f", "old"]);
    for arguments in [
        &["create", "notes:x/y", "-"][..],
        &["update", "notes:f", "-"],
        &["update", "notes:f", "--append", "-"],
        &["create", "notes:x/y", "--file", "-"],
        &["connections", "add", "new", "local"],
    ] {
        let (code, told) = with_closed(&shell, arguments, "<&-");
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        assert!(told.contains("standard input is closed"), "{arguments:?}: {told}");
    }
    assert_eq!(shell.read("notes/f"), "old");
    assert!(!shell.path("notes/x").exists());
    assert_eq!(with_closed(&shell, &["create", "notes:g", "text"], "<&-").0, Some(0));
    assert_eq!(with_closed(&shell, &["create", "notes:h", "-"], "</dev/null").0, Some(0));
}

#[test]
fn a_file_that_is_empty_or_not_plain_utf_8_is_told_as_that() {
    let shell = Shell::new(&[]);
    let json = r#"{"backend": "local", "root": "x"}"#;
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>();
    let with_mark = [&[0xff, 0xfe][..], &utf_16(json)].concat();
    let contents: [(&[u8], &str, &str); 6] = [
        (b"", "it is empty", "write"),
        (b" \n", "it is empty", "write"),
        (&[b"\xef\xbb\xbf", json.as_bytes()].concat(), "byte order mark", "save it as UTF-8"),
        (&with_mark, "it is UTF-16", "save it as UTF-8"),
        (&utf_16(json), "it is UTF-16", "save it as UTF-8"),
        (b"{\xff}", "it is not UTF-8", "save it as UTF-8"),
    ];
    for (content, what, hint) in contents {
        shell.write("file", content);
        for arguments in [
            ["-c", "@file", "ls", "/"],
            ["--config", "file", "ls", "notes:"],
            ["--lock", "file", "plugins", "list"],
            ["--lock", "file", "plugins", "doctor"],
        ] {
            let output = shell_without_config(&shell, &arguments);
            let told = format!("{}{}", text(&output.stdout), text(&output.stderr));
            assert!(told.contains(what) && told.contains(hint), "{arguments:?} with {content:?}: {told}");
        }
    }
}

fn shell_without_config(shell: &Shell, arguments: &[&str]) -> std::process::Output {
    let mut command = f9_tests::f9();
    command.args(arguments).current_dir(shell.path("")).output().unwrap()
}

/// A terminal: what the program shows comes out of the first, and what goes in there is typed.
fn terminal() -> (File, File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    (File::from(ours), OpenOptions::new().read(true).write(true).open(name).unwrap())
}

/// Adds a connection whose key is typed when `prompt` shows, or at once if that is empty; what the terminal showed, and the
/// key that was stored.
fn type_secret(prompt: &str) -> (String, String) {
    let shell = Shell::new(&[]);
    let (mut ours, theirs) = terminal();
    let mut command = shell.command(["connections", "add", "docs", "openai", "vector_store_id=vs_1"]);
    command.stdin(theirs.try_clone().unwrap()).stdout(theirs.try_clone().unwrap()).stderr(theirs);
    let mut typist = ours.try_clone().unwrap();
    if prompt.is_empty() {
        typist.write_all(b"sk-typed\n").unwrap();
    }
    let mut child = command.spawn().unwrap();
    drop(command); // with its ends of the terminal
    let prompt = prompt.to_owned();
    let screen = thread::spawn(move || {
        let (mut shown, mut piece, mut typed) = (String::new(), [0; 256], prompt.is_empty());
        // It ends with an error when nobody has the other end any more.
        while let Ok(length @ 1..) = ours.read(&mut piece) {
            shown.push_str(&String::from_utf8_lossy(&piece[..length]));
            if !typed && shown.contains(&prompt) {
                typist.write_all(b"sk-typed\n").unwrap();
                typed = true;
            }
        }
        shown
    });
    assert!(child.wait().unwrap().success());
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(shell.config()).unwrap()).unwrap();
    (screen.join().unwrap(), stored["docs"]["api_key"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_key_that_is_typed_the_moment_the_question_shows_is_neither_shown_nor_lost() {
    for _ in 0..20 {
        let (shown, stored) = type_secret("api_key");
        assert_eq!(stored, "sk-typed");
        assert!(shown.contains("api_key: ") && !shown.contains("sk-typed"), "{shown}");
    }
}

#[test]
fn a_key_that_is_typed_ahead_is_the_answer() {
    assert_eq!(type_secret("").1, "sk-typed");
}
