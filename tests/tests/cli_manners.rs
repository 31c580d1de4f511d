//! What a program owes its user: it stops when asked to, in time, says how far it has come, and keeps quiet when told to.

use std::{
    io::{Read, Write},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use f9_tests::{example_dir, f9, shell::Shell, text};
use serde_json::json;
use tempfile::TempDir;

/// The plugin `chatty` reads for as long as nobody stops it.
fn chatty(arguments: &[&str]) -> Command {
    let mut command = f9();
    command.arg("--plugin-dir").arg(example_dir());
    command.args(["-c", r#"{"backend": "chatty"}"#]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn interrupt(child: &Child) {
    // Not before it watches for that.
    thread::sleep(Duration::from_millis(300));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_operation_ends_with_ctrl_c() {
    let child = chatty(&["read", "x"]).spawn().unwrap();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(130), "f9: x: cancelled\n"));
}

#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_leaves_nothing() {
    let shell = Shell::new(&["notes"]);
    let command = shell.command(["create", "notes:big", "-"]);
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let words: Vec<_> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
    // In blocks of 512 or 1024 bytes.
    let script = format!("ulimit -f 64; head -c 4000000 /dev/zero | {}", words.join(" "));
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""), "{}", text(&output.stderr));
    assert!(text(&output.stderr).starts_with("f9: big: cannot create the file"), "{}", text(&output.stderr));
    assert_eq!(std::fs::read_dir(shell.path("notes")).unwrap().count(), 0);
}

#[test]
fn waiting_for_input_ends_with_ctrl_c_and_stores_nothing() {
    let shell = Shell::new(&["notes"]);
    let mut command = shell.command(["create", "notes:x", "-"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"half").unwrap();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    drop(stdin);
    assert!(!shell.path("notes/x").exists());
    assert_eq!(shell.ok(["ls", "notes:"]), "");
}

#[test]
fn what_takes_too_long_is_given_up() {
    let start = Instant::now();
    let output = chatty(&["--timeout", "300ms", "read", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(text(&output.stderr), "f9: not done within 300ms; allow more with --timeout\n");
    assert!(start.elapsed() >= Duration::from_millis(300));
    let output = chatty(&["--timeout", "1h", "push"]).output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    assert_eq!(chatty(&["--timeout", "soon", "push"]).status().unwrap().code(), Some(2));
}

#[test]
fn progress_goes_to_standard_error_and_only_there() {
    // Where there is no terminal, a line comes every three seconds.
    let quiet = chatty(&["-q", "--timeout", "4s", "read", "x"]).spawn().unwrap();
    let mut child = chatty(&["read", "x"]).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut start = [0; 40];
    stderr.read_exact(&mut start).unwrap();
    interrupt(&child);
    assert!(text(&start).starts_with("f9: read: 100%, "), "{}", text(&start));
    // Nobody reads on, which must not matter.
    drop(stderr);
    assert_eq!(child.wait_with_output().unwrap().stdout, b"");
    assert_eq!(text(&quiet.wait_with_output().unwrap().stderr).lines().count(), 1); // that the time is up
}

#[test]
fn pipes_and_files_get_no_colours() {
    let shell = Shell::new(&["notes"]);
    shell.write("notes/dir/x", "");
    assert_eq!(shell.ok(["ls", "-R", "notes:"]), "dir/\ndir/x\n");
    assert!(!shell.fails(["read", "notes:nope"], 3).contains('\x1b'));
}

#[test]
fn the_remote_and_conflicts_are_reached_by_name_or_connection() {
    let ok = |arguments: &[&str]| {
        let output = chatty(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    assert_eq!(ok(&["push", "-m", "why"]), "sent 1, received 0, now at why\n");
    assert_eq!(ok(&["sync"]), "sent 2, received 3\n");
    assert_eq!(ok(&["conflicts"]), "UD  a b/é  (local 2 bytes, remote absent)\n");
    assert_eq!(ok(&["resolve", "x", "--local"]), "x: 7 bytes\n");
    assert_eq!(chatty(&["pull"]).output().unwrap().status.code(), Some(6));
    assert_eq!(chatty(&["resolve", "x", "--remote"]).output().unwrap().status.code(), Some(3));
    assert_eq!(
        ok(&["search", "rent", "-n", "3", "--filters", r#"{"k":1}"#]),
        "hit  0.250\n  rent 3 {\"k\":1}\n"
    );
    let directory = TempDir::new().unwrap();
    let config = directory.path().join("c.json");
    std::fs::write(&config, json!({"talk": {"backend": "chatty"}}).to_string()).unwrap();
    let named = |arguments: &[&str]| {
        let mut command = f9();
        command.arg("--plugin-dir").arg(example_dir()).arg("--config").arg(&config);
        text(&command.args(arguments).output().unwrap().stdout).to_owned()
    };
    assert_eq!(named(&["push", "talk:", "-m", "why"]), "sent 1, received 0, now at why\n");
    assert!(named(&["--json", "search", "talk:", "rent"]).contains(r#""snippet":"rent 10 null""#));
    assert_eq!(named(&["conflicts", "talk"]), ok(&["conflicts"]));
    let shell = Shell::new(&["notes"]);
    assert!(shell.fails(["search", "notes:", "x"], 5).contains("cannot be searched"));
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let directory = TempDir::new().unwrap();
    let output = f9().arg("man").arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    for name in ["f9", "f9-mirror", "f9-connections", "f9-connections-add"] {
        let page = std::fs::read_to_string(directory.path().join(format!("{name}.1"))).unwrap();
        assert!(page.contains(&format!(".TH {name} 1")), "{}", &page[..200]);
    }
    let page = std::fs::read_to_string(directory.path().join("f9-mirror.1")).unwrap();
    assert!(page.contains("dry\\-run") && page.contains("f9 mirror \\-\\-delete"), "{page}");
    for (name, parts) in [
        ("f9", &[".SH \"EXIT STATUS\"\n.nf\n0    done\n", "\n.fi\n.SH EXAMPLES\n.nf\nf9 \\-c "][..]),
        ("f9-read", &["Also: f9 cat."]),
        ("f9-delete", &["Also: f9 rm."]),
        ("f9-pull", &[".SH NOTES\nWhile any change here is not committed", ".SH EXAMPLES"]),
    ] {
        let page = std::fs::read_to_string(directory.path().join(format!("{name}.1"))).unwrap();
        assert!(parts.iter().all(|part| page.contains(part)), "{name}: {page}");
    }
    // What a page refers to is there.
    for page in std::fs::read_dir(directory.path()).unwrap() {
        let page = std::fs::read_to_string(page.unwrap().path()).unwrap();
        for line in page.lines().filter(|line| line.ends_with("(1)")) {
            let name = line.trim_end_matches("(1)").replace('\\', "");
            assert!(directory.path().join(format!("{name}.1")).exists(), "{line}");
        }
    }
}
