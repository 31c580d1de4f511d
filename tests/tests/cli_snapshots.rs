//! What the command line prints, word for word: the help of every command, what every command answers in text and as JSON,
//! and what it says when something is wrong.

use std::process::Command;

use f9_tests::{example_dir, f9, plugin_dir, shell::Shell, short, snapshot, text};
use serde_json::json;

/// The help of a command, without the options that all have.
fn help(command: &[String]) -> String {
    let output = f9().args(command).arg("--help").output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let help = text(&output.stdout).to_owned();
    let Some((before, rest)) = help.split_once("Options of every command:\n").filter(|_| !command.is_empty())
    else {
        return help;
    };
    let after = rest.split_once("\n\n").map_or("", |(_, after)| after);
    format!("{before}{after}")
}

/// The names under "Commands:".
fn commands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let lines = list.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("   "));
    lines
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn check_help(command: &[String]) {
    let help = help(command);
    let name = [&["f9".to_owned()], command].concat().join("-");
    snapshot::check(&format!("help/{name}"), &help);
    for name in commands(&help) {
        check_help(&[command, &[name]].concat());
    }
}

#[test]
fn the_help_of_every_command_is_as_agreed() {
    check_help(&[]);
}

/// What a session prints: each command with its output and, if it is not 0, its exit code.
struct Session {
    shell: Shell,
    record: String,
}

impl Session {
    fn new(shell: Shell) -> Self {
        Self { shell, record: String::new() }
    }

    /// Runs a line of words, of which those in quotes may hold blanks.
    fn run(&mut self, line: &str) {
        let words: Vec<_> =
            line.split('\'').enumerate().flat_map(|(i, part)| split(i % 2 == 1, part)).collect();
        let mut command = self.shell.command(words);
        command.env("F9_PLUGIN_PATH", example_dir());
        let output = command.output().unwrap();
        let printed = [text(&output.stdout), text(&output.stderr)].concat();
        let printed = if printed.is_empty() || printed.ends_with('\n') { printed } else { printed + "\n" };
        let printed = self.without_what_changes(&printed);
        self.record.push_str(&format!("$ f9 {line}\n{printed}"));
        if output.status.code() != Some(0) {
            self.record.push_str(&format!("({})\n", output.status.code().unwrap()));
        }
    }

    /// Runs it as it is, and with `--json`.
    fn both(&mut self, line: &str) {
        self.run(line);
        self.run(&format!("--json {line}"));
    }

    fn without_what_changes(&self, printed: &str) -> String {
        let printed = short(printed);
        let printed = printed.replace(plugin_dir().to_str().unwrap(), "PLUGINS");
        let printed = printed.replace(self.shell.path("").to_str().unwrap().trim_end_matches('/'), "DIR");
        times(&ids(&printed))
    }
}

fn split(is_quoted: bool, part: &str) -> Vec<&str> {
    if is_quoted { vec![part] } else { part.split_whitespace().collect() }
}

/// Puts a word in the place of git's ids, which depend on the time.
fn ids(text: &str) -> String {
    let mut words = text.split_inclusive(|c: char| !c.is_ascii_hexdigit());
    let is_id = |word: &str| word.trim_end_matches(|c: char| !c.is_ascii_hexdigit()).len() == 40;
    words
        .by_ref()
        .map(|word| if is_id(word) { format!("ID{}", &word[40..]) } else { word.to_owned() })
        .collect()
}

/// Puts a word in the place of times.
fn times(text: &str) -> String {
    let is_time = |word: &str| {
        let shape: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        let date = shape.starts_with("0000-00-00T") || shape.starts_with("0000-00-00 00:00:00Z");
        date && shape.contains('Z')
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("20") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match rest.find('Z').filter(|end| *end < 32 && is_time(&rest[..=*end])) {
            Some(end) => {
                out.push_str("TIME");
                rest = &rest[end + 1..];
            }
            None => {
                out.push_str("20");
                rest = &rest[2..];
            }
        }
    }
    out + rest
}

/// `notes` and `copy` are directories, `ann` and `bob` share a repository, `talk` is searched.
fn site() -> Session {
    let shell = Shell::new(&[]);
    let made = Command::new("git")
        .args(["init", "--quiet", "--bare", "--initial-branch=main"])
        .arg(shell.path("remote.git"))
        .status();
    assert!(made.unwrap().success());
    let local = |name: &str| json!({"backend": "local", "root": shell.path(name)});
    let git = |name: &str| json!({"backend": "git", "remote_url": shell.path("remote.git"), "path": shell.path(name)});
    let connections = json!({
        "notes": local("notes"), "copy": local("copy"), "ann": git("ann"), "bob": git("bob"),
        "talk": {"backend": "chatty"},
    });
    shell.write("connections.json", connections.to_string());
    shell.write("shopping.txt", "milk\nbutter\n");
    Session::new(shell)
}

#[test]
fn every_command_answers_as_agreed_in_text_and_json() {
    let mut site = site();
    site.run("create notes:list.txt --file shopping.txt");
    site.run("--json create notes:2026/may.txt 'one line'");
    site.run("create --dir notes:empty");
    site.run("--json create --dir notes:hollow");
    site.run("read notes:list.txt");
    site.run("--json read notes:list.txt");
    site.run("update notes:list.txt bread --append");
    site.run("--json update notes:list.txt bread");
    site.both("info notes:list.txt");
    site.both("info notes:2026");
    site.both("ls notes:");
    site.run("ls -R notes:");
    site.run("ls -l notes:");
    site.both("tree notes:");
    site.both("glob 'notes:**/*.t?t'");
    site.both("du notes:");
    site.both("checksum -a md5 notes:list.txt");
    site.run("mkdir notes:a/b");
    site.run("--json mkdir -p notes:a/b");
    site.run("cp notes:list.txt copy:");
    site.run("--json cp notes:list.txt copy:other.txt");
    site.run("cp -r notes:2026 copy:");
    site.run("--json cp -r notes:2026 copy:again");
    site.run("mv copy:other.txt copy:moved.txt");
    site.run("--json mv copy:moved.txt copy:moved/again.txt");
    site.run("mirror --dry-run notes:2026 copy:mirror");
    site.run("mirror notes:2026 copy:mirror");
    site.run("--json mirror notes:2026 copy:json");
    site.run("-v mirror --delete notes:2026 copy:moved");
    site.run("delete -r copy:moved");
    site.run("--json delete copy:list.txt");
    snapshot::check("files", &site.record);
}

#[test]
fn connections_answer_as_agreed_in_text_and_json() {
    let mut site = site();
    site.both("connections list");
    site.both("connections show ann");
    site.both("connections check notes");
    site.both("connections check ann");
    site.run("connections add more local root=more");
    site.run("--json connections add much local root=much durability=fsync");
    site.run("connections show much");
    site.run("connections remove more");
    site.run("--json connections remove much");
    site.both("search talk: rent");
    snapshot::check("connections", &site.record);
}

#[test]
fn synchronising_answers_as_agreed_in_text_and_json() {
    let mut site = site();
    site.run("create ann:list.txt 'milk'");
    site.run("push ann: -m Begin");
    site.run("pull bob:");
    site.run("--json pull bob:");
    site.run("update bob:list.txt beer");
    site.run("--json push bob: -m Beer");
    site.run("update ann:list.txt wine");
    site.run("pull ann:");
    site.both("sync ann: -m Wine");
    site.both("conflicts ann:");
    site.run("resolve ann:list.txt --with shopping.txt");
    site.run("--json resolve ann:nope --local");
    site.run("conflicts ann:");
    site.run("--json sync ann: -m Both");
    site.run("sync bob:");
    snapshot::check("synchronising", &site.record);
}

#[test]
fn what_is_wrong_is_told_as_agreed_in_text_and_json() {
    let mut site = site();
    site.shell.write("notes/lists/shopping.txt", "milk");
    site.shell.write("notes/bytes", [0xff]);
    for line in [
        "creat x",
        "read",
        "ls --recursiv notes:",
        "checksum -a crc notes:bytes",
        "--timeout soon ls notes:",
        "resolve notes:x",
        "ls note:",
        "ls notes",
        "ls zzzzzzzz",
        "-c notes ls",
        "-c '{\"backend\": \"local\", \"rot\": \"x\"}' ls",
        "-c '{\"backend\": \"local\"}' ls",
        "-c '{\"root\": \"x\"}' ls",
        "-c {broken ls",
        "-c @none.json ls",
        "read notes:lists/shoping.txt",
        "read notes:lists",
        "ls notes:bytes",
        "info notes:../x",
        "delete notes:",
        "delete notes:lists",
        "create notes:bytes x",
        "create notes:bytes/x y",
        "update notes:none x",
        "update notes:bytes",
        "create notes:x --file none.txt",
        "cp notes:lists copy:",
        "cp notes:bytes notes:none notes:never notes:lists",
        "mirror notes: notes:lists",
        "glob notes:[a",
        "glob 'notes:{a/b,c}'",
        "push notes:",
        "search notes: x",
        "connections show nots",
        "connections add notes local root=x",
        "connections add x local rot=y",
        "resolve ann:none --local",
    ] {
        site.both(line);
    }
    snapshot::check("errors", &site.record);
}
