//! `f9 live-check`, against the strict stand-in for the service and a repository made for it.

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use f9_openai_server::{API_KEY, Fault, Plan, Route, Server};
use f9_tests::{f9, text};
use serde_json::{Map, Value};
use tempfile::TempDir;

/// A git repository with files that are easily altered on their way, and a place for what a check needs meanwhile.
struct Repository {
    dir: TempDir,
    scratch: TempDir,
}

impl Repository {
    fn empty() -> Self {
        Self { dir: TempDir::new().unwrap(), scratch: TempDir::new().unwrap() }
    }

    fn new() -> Self {
        let repository = Self::empty();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        let prose = "A line of text that comes back as it is.\n".repeat(200);
        let noise: Vec<u8> = (0..50_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for (name, content) in [
            ("README.md", prose.clone().into_bytes()),
            ("crlf.txt", format!("\u{feff}{}", prose.replace('\n', "\r\n")).into()),
            ("outer blanks.txt", format!("\n\n {prose} \n\n").into()),
            ("noise.bin", noise),
            ("empty", Vec::new()),
            ("deep/er/é.txt", b"short".to_vec()),
            ("picture.png", b"\x89PNG\r\n\x1a\n\0".to_vec()),
        ] {
            let path = repository.dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("nowhere", repository.dir.path().join("link")).unwrap();
        repository.git(&["add", "--all"]);
        repository.git(&[
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.com",
            "commit",
            "--quiet",
            "-m",
            "x",
        ]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(self.dir.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git runs");
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    /// `f9 live-check` on it, with nothing in the environment but what is needed.
    fn check(&self, server: &Server, arguments: &[&str]) -> Command {
        let mut command = f9();
        command
            .args(arguments)
            .arg("live-check")
            .arg(self.dir.path())
            .args(["--base-url", &server.base_url()])
            .env("TMPDIR", self.scratch.path())
            .env("OPENAI_API_KEY", API_KEY)
            .env("OPENAI_STORAGE_VAULT_ID", server.vector_store())
            .stdin(Stdio::null());
        command
    }
}

/// The lines of JSON that a check printed.
fn lines(output: &Output) -> Vec<Value> {
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn steps<'l>(lines: &'l [Value], outcome: &str) -> Vec<&'l str> {
    let steps = lines.iter().filter(|line| line["step"].is_string() && line["outcome"] == outcome);
    steps.map(|line| line["step"].as_str().unwrap()).collect()
}

/// Something that belongs to others and has to stay.
fn foreign(server: &Server) {
    server.put("foreign.txt", b"x", Map::new());
}

#[test]
fn a_service_that_works_passes_and_nothing_is_left_in_it() {
    let (server, repository) = (Server::start(), Repository::new());
    foreign(&server);
    let before = repository.git(&["for-each-ref"]);
    let output = repository.check(&server, &["--json"]).output().unwrap();
    let errors = text(&output.stderr);
    let lines = lines(&output);
    assert_eq!((output.status.code(), errors), (Some(0), ""), "{lines:#?}");
    assert_eq!(steps(&lines, "passed").len(), 17, "{lines:#?}");
    let detail = |step: &str| {
        let line = lines.iter().find(|line| line["step"] == step).unwrap();
        line["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail("mirror it into the store").starts_with("7 files"), "{lines:#?}");
    assert!(detail("mirror it into the store").ends_with("1 link left out"), "{lines:#?}");
    assert!(detail("compare every byte").starts_with("7 files"), "{lines:#?}");
    assert!(detail("mirror it again").starts_with("7 unchanged"), "{lines:#?}");
    assert_eq!(detail("meet conflicts"), "3 reported");
    assert!(detail("mirror the result into the store").starts_with("3 files"), "{lines:#?}");
    assert!(detail("compare every byte again").starts_with("10 files"), "{lines:#?}");
    let observations: Vec<_> = lines.iter().filter(|line| line["observation"].is_string()).collect();
    assert_eq!(observations.len(), 9);
    assert!(observations.iter().all(|line| line["answer"].is_string() && line["question"].is_string()));
    let last = lines.last().unwrap();
    assert_eq!((&last["outcome"], &last["cleaned_up"]), (&"passed".into(), &true.into()));
    assert_eq!(server.files().len(), 1, "what is not of the check stays, and nothing else");
    assert_eq!(repository.git(&["for-each-ref"]), before, "the repository was only read");
    assert!(!text(&output.stdout).contains(API_KEY));
}

#[test]
fn people_are_told_in_words() {
    let (server, repository) = (Server::start(), Repository::new());
    // What another connection lists lags behind; a check waits for it.
    server.configure(|settings| settings.list_lag = Duration::from_millis(300));
    let mut command = repository.check(&server, &[]);
    command.env_remove("OPENAI_API_KEY").env_remove("OPENAI_STORAGE_VAULT_ID");
    // Not at a terminal, so that lines of a pipe are the answers.
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{API_KEY}\n{}", server.vector_store()).unwrap();
    let output = child.wait_with_output().unwrap();
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}{}", text(&output.stderr));
    assert!(
        printed.contains("How long can the value of an attribute be?\n            256 characters"),
        "{printed}"
    );
    assert!(printed.ends_with("passed after 17 steps; nothing of it is left in the store\n"), "{printed}");
    assert!(server.files().is_empty());
}

#[test]
fn a_service_that_alters_bytes_fails_and_nothing_is_left_in_it() {
    let (server, repository) = (Server::start(), Repository::new());
    foreign(&server);
    // Not while files are stored, which are read back then.
    server.inject(Plan::always(Route::ParsedContent, Fault::Corrupt));
    let output = repository.check(&server, &["--json"]).output().unwrap();
    let lines = lines(&output);
    assert_eq!(output.status.code(), Some(1), "{lines:#?}");
    assert_eq!(steps(&lines, "failed"), ["mirror it into the store"]);
    let last = lines.last().unwrap();
    assert_eq!((&last["outcome"], &last["cleaned_up"]), (&"failed".into(), &true.into()));
    let error: Value = serde_json::from_str(text(&output.stderr).lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["kind"], "integrity");
    assert_eq!(server.files().len(), 1);
}

#[test]
fn a_service_that_fails_ends_it_with_the_exit_code_of_its_failure() {
    let (server, repository) = (Server::start(), Repository::new());
    for (route, fault, code, step) in [
        (Route::ListAttached, Fault::Status(401, "invalid_api_key"), 7, "open the store"),
        (Route::Attach, Fault::Status(429, "insufficient_quota"), 7, "mirror it into the store"),
        (Route::Search, Fault::Status(403, "x"), 1, "find a text by its words"),
    ] {
        server.inject(Plan::always(route, fault));
        let output = repository.check(&server, &["--json"]).output().unwrap();
        let lines = lines(&output);
        assert_eq!(steps(&lines, "failed"), [step], "{lines:#?}");
        assert_eq!(output.status.code(), Some(code), "{lines:#?}");
        assert!(server.files().is_empty(), "{step}");
        server.heal();
    }
}

#[test]
fn what_cannot_be_removed_is_told_of() {
    let (server, repository) = (Server::start(), Repository::new());
    server.inject(Plan { skip: 12, ..Plan::always(Route::Detach, Fault::Status(403, "x")) });
    let output = repository.check(&server, &["--json"]).output().unwrap();
    let lines = lines(&output);
    assert_ne!(output.status.code(), Some(0));
    assert_eq!(steps(&lines, "failed"), ["clean up"], "{lines:#?}");
    assert_eq!(lines.last().unwrap()["cleaned_up"], false);
    let directory = lines.last().unwrap()["directory"].as_str().unwrap().to_owned();
    server.heal();
    let output = repository.check(&server, &["--json"]).output().unwrap();
    let detail = text(&output.stdout).lines().nth(1).unwrap().to_owned();
    assert!(detail.contains(&directory), "the next check tells of it: {detail}");
}

#[test]
fn without_credentials_or_anybody_to_ask_it_says_what_to_set() {
    let (server, repository) = (Server::start(), Repository::new());
    for missing in ["OPENAI_API_KEY", "OPENAI_STORAGE_VAULT_ID"] {
        let output = repository.check(&server, &[]).env_remove(missing).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(&format!("set {missing}")), "{}", text(&output.stderr));
        let empty = repository.check(&server, &[]).env(missing, "").output().unwrap();
        assert_eq!(empty.status.code(), Some(2), "an empty variable is none");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_connection_that_is_given_is_used_if_it_is_one_to_such_a_store() {
    let (server, repository) = (Server::start(), Repository::new());
    let mut wrong = repository.check(&server, &["-c", r#"{"backend": "local", "root": "x"}"#]);
    let output = wrong.env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("found `local`"), "{}", text(&output.stderr));
    let key = repository.dir.path().join("key");
    fs::write(&key, "sk-wrong-canary").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let given = serde_json::json!({
        "backend": "openai", "api_key": {"$file": key}, "vector_store_id": server.vector_store(),
    });
    let output = repository.check(&server, &["-c", &given.to_string()]).env_clear().output().unwrap();
    let printed = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(7), "{printed}");
    assert!(printed.contains("does not accept the API key") && !printed.contains("canary"), "{printed}");
}

#[test]
fn a_repository_that_is_not_there_fails_before_anything_is_asked_of_the_service() {
    let (server, missing) = (Server::start(), Repository::empty());
    let output = missing.check(&server, &["--json"]).output().unwrap();
    assert_eq!(steps(&lines(&output), "failed"), ["clone the repository"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(server.requests().is_empty());
}

#[test]
fn the_repository_may_be_a_connection() {
    let (server, repository) = (Server::start(), Repository::new());
    let check = |given: String| {
        let mut command = f9();
        command.args(["--json", "live-check", &given, "--base-url", &server.base_url()]);
        command.env("TMPDIR", repository.scratch.path()).env("OPENAI_API_KEY", API_KEY);
        command.env("OPENAI_STORAGE_VAULT_ID", server.vector_store()).stdin(Stdio::null());
        command.output().unwrap()
    };
    let given = serde_json::json!({"backend": "git", "remote_url": repository.dir.path(), "branch": "none"});
    let file = repository.scratch.path().join("given.json");
    fs::write(&file, given.to_string()).unwrap();
    let output = check(format!("@{}", file.display()));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    for (wrong, words) in [
        (serde_json::json!({"backend": "local", "root": "x"}), "expected a connection to a `git` backend"),
        (serde_json::json!({"backend": "git", "remote_ur": "x"}), "did you mean `remote_url`"),
    ] {
        let output = check(wrong.to_string());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains(words), "{}", text(&output.stderr));
    }
}

#[test]
fn a_search_that_fails_keeps_nothing_else_from_being_checked() {
    let (server, repository) = (Server::start(), Repository::new());
    server.inject(Plan::always(Route::Search, Fault::Status(403, "x")));
    let output = repository.check(&server, &["--json"]).output().unwrap();
    let lines = lines(&output);
    assert_eq!(steps(&lines, "failed"), ["find a text by its words"], "{lines:#?}");
    assert_eq!(steps(&lines, "passed").len(), 16, "{lines:#?}");
    assert_eq!(lines.last().unwrap()["outcome"], "failed");
    assert!(server.files().is_empty());
}

/// Sends a signal when the service is asked for this, however often it was before.
#[cfg(unix)]
fn interrupted(signal: &str, server: &Server, repository: &Repository, route: Route, times: usize) -> Output {
    let mut command = repository.check(server, &["--json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while server.count(route) < times {
        assert!(start.elapsed() < Duration::from_secs(60), "{route:?} was never asked for so often");
        thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn being_told_to_stop_ends_it_at_any_moment_and_nothing_is_left_in_the_store() {
    let repository = Repository::new();
    for (signal, code, route, times) in [
        ("-INT", 130, Route::Upload, 1),
        ("-TERM", 143, Route::Attach, 6),
        ("-HUP", 129, Route::UpdateAttributes, 3),
        ("-INT", 130, Route::Search, 1),
    ] {
        let server = Server::start();
        foreign(&server);
        server.configure(|settings| settings.latency = Duration::from_millis(20));
        let output = interrupted(signal, &server, &repository, route, times);
        let lines = lines(&output);
        assert_eq!(output.status.code(), Some(code), "{route:?}: {lines:#?}{}", text(&output.stderr));
        assert_eq!(lines.last().unwrap()["outcome"], "interrupted");
        assert_eq!(lines.last().unwrap()["cleaned_up"], true);
        assert_eq!(server.files().len(), 1, "{route:?}");
        assert_eq!(fs::read_dir(repository.scratch.path()).unwrap().count(), 0, "{route:?}");
    }
}
