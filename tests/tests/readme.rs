//! The README says what holds: its program runs, its commands print what it shows.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use f9_git_server::HttpServer;
use f9_openai_server::{API_KEY, Server};
use f9_tests::{example_dir, f9, plugin_dir, repository, text};
use tempfile::TempDir;

fn readme() -> String {
    fs::read_to_string(repository().join("README.md")).unwrap()
}

/// The blocks of code in this language, in order.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let start = format!("```{language}\n");
    readme.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_rust_program_is_the_example_and_runs() {
    let example = repository().join("tests/examples/quickstart.rs");
    assert_eq!(blocks(&readme(), "rust"), [fs::read_to_string(example).unwrap()]);
    let directory = TempDir::new().unwrap();
    let output = Command::new(example_dir().join("quickstart")).current_dir(&directory).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<_> = text(&output.stdout).lines().collect();
    let info: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!((&info["path"], &info["size"]), (&"example.txt".into(), &11.into()));
    let mut listed = lines[1..].to_vec();
    listed.sort_unstable();
    assert_eq!(listed, ["copy.txt", "example.txt", "reports"]);
    assert_eq!(fs::read_to_string(directory.path().join("data/copy.txt")).unwrap(), "again");
}

#[test]
fn every_connection_that_is_shown_names_a_plugin_of_this_project() {
    let host = f9_tests::host();
    for line in blocks(&readme(), "json").concat().lines() {
        let connection: f9_host::Connection = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
        host.plugin(connection.backend()).unwrap();
    }
}

/// The servers that the recipes name, on this machine.
struct Servers {
    git: HttpServer,
    store: Server,
}

impl Servers {
    /// `directory` gets the repository that is served.
    fn start(directory: &Path) -> Self {
        let repository = directory.join("served/team.git");
        let mut git = Command::new("git");
        git.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(&repository);
        assert!(git.status().unwrap().success());
        let mut config = Command::new("git");
        config.arg("-C").arg(&repository).args(["config", "http.receivepack", "true"]);
        assert!(config.status().unwrap().success());
        let git = HttpServer::start(&directory.join("served"), None, None);
        Self { git, store: Server::start() }
    }

    /// The command as it is shown, but for where the servers are and what they want to be told.
    fn here(&self, command: &str) -> String {
        let store = format!("{} base_url={}", self.store.vector_store(), self.store.base_url());
        command
            .replace("https://git.example.com/team.git", &self.git.url("team.git"))
            .replace("vector_store_id=vs_123", &format!("vector_store_id={store}"))
            .replace("OPENAI_API_KEY=…", &format!("OPENAI_API_KEY={API_KEY}"))
    }
}

#[test]
fn the_commands_print_what_is_shown() {
    let directory = TempDir::new().unwrap();
    let servers = Servers::start(directory.path());
    fs::write(directory.path().join("shopping.txt"), "milk\nbutter\n").unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    // The first block builds the project; `.ci/run` does what it says.
    let mut exports = String::new();
    for block in &blocks(&readme(), "console")[1..] {
        for session in format!("\n{block}").split("\n$ ").skip(1) {
            let (command, expected) = session.split_once('\n').unwrap_or((session, ""));
            let command = servers.here(command);
            if command.starts_with("export ") {
                exports.push_str(&format!("{command}; "));
                continue;
            }
            let printed = shell(&exports, &command, directory.path());
            let is_as_shown = printed.trim_end_matches('\n') == expected.trim_end_matches('\n');
            assert!(expected.is_empty() || is_as_shown, "{command}: {printed}");
            // What a hit scores is the service's affair, and not shown.
            assert!(!command.starts_with("f9 search") || printed.starts_with("lease.txt  "), "{printed}");
        }
    }
}

/// What a command prints, after the exports before it.
fn shell(exports: &str, command: &str, directory: &Path) -> String {
    let function = format!(
        "{exports}f9() {{ {:?} --plugin-dir {:?} \"$@\"; }}; set -o pipefail; ",
        f9().get_program(),
        plugin_dir()
    );
    let output = Command::new("bash")
        .args(["-c", &(function + command)])
        .current_dir(directory)
        .env("XDG_CONFIG_HOME", directory.join("config"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}
