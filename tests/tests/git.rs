//! The git plugin as a host loads it: conformance, the original workflows, and what must never be seen.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use f9_git_server::{Authority, Behaviour, HttpServer, KeyKind, SshBehaviour, SshServer, make_key};
use f9_host::{Backend, CancelToken, FileBackend, Host};
use f9_plugin_api::{ErrorKind, conformance};
use f9_tests::{f9_on, host, plugin_dir, text};
use serde_json::{Value, json};
use tempfile::TempDir;

const LOGIN: (&str, &str) = ("user", "CANARY-password");

/// A bare repository with a file in it, beside which clones are made.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(scratch());
        git(site.0.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        let seed = site.open(&site.by_path("seed"));
        seed.create("a.txt", "a\n").unwrap();
        seed.as_sync().unwrap().push(Some("seed")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn by_path(&self, clone: &str) -> Value {
        json!({"backend": "git", "remote_url": self.path("remote.git"), "path": self.path(clone)})
    }

    fn open(&self, connection: &Value) -> Backend {
        host().open(connection.clone()).unwrap()
    }
}

/// In memory where that is possible: a clone makes many small files, and a busy disk takes its time.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("these tests need `git`");
    assert!(output.status.success(), "git {arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

#[test]
fn the_git_plugin_conforms_when_loaded() {
    let (host, parent) = (host(), scratch());
    git(parent.path(), &["init", "--quiet", "--bare", "remote.git"]);
    let clones = std::cell::Cell::new(0);
    conformance::run(|| -> Box<dyn FileBackend> {
        let path = parent.path().join(clones.replace(clones.get() + 1).to_string());
        let remote = parent.path().join("remote.git");
        Box::new(host.open(json!({"backend": "git", "remote_url": remote, "path": path})).unwrap())
    })
    .assert();
}

#[test]
fn two_clones_meet_over_every_transport() {
    let site = Site::new();
    let (authority, public) =
        (Authority::new(), make_key(&site.path("id"), KeyKind::Ed25519, Some("CANARY-phrase")));
    authority.write_pem(&site.path("ca.pem"));
    let https = HttpServer::start(site.0.path(), Some(&authority), Some(LOGIN));
    let ssh = SshServer::start(site.0.path(), &public, SshBehaviour::Serve);
    fs::write(site.path("known_hosts"), ssh.known_hosts()).unwrap();
    let by_https = |clone: &str| {
        json!({
            "backend": "git", "remote_url": https.url("remote.git"), "path": site.path(clone),
            "username": LOGIN.0, "password": LOGIN.1, "ca_bundle": site.path("ca.pem"),
        })
    };
    let by_ssh = |clone: &str| {
        json!({
            "backend": "git", "remote_url": ssh.url("remote.git"), "path": site.path(clone),
            "ssh_key_path": site.path("id"), "ssh_key_passphrase": "CANARY-phrase",
            "known_hosts": site.path("known_hosts"),
        })
    };
    let clones =
        [site.by_path("path"), by_https("https"), by_ssh("ssh")].map(|connection| site.open(&connection));
    for (number, clone) in clones.iter().enumerate() {
        clone.create(format!("from/{number}.txt"), format!("{number}\n").as_str()).unwrap();
        assert!(clone.as_sync().unwrap().sync(None).unwrap().sent >= 1);
    }
    for clone in &clones {
        clone.as_sync().unwrap().sync(None).unwrap();
        let names =
            (0..clones.len()).map(|number| clone.read_to_string(format!("from/{number}.txt")).unwrap());
        assert_eq!(names.collect::<String>(), "0\n1\n2\n");
    }
}

#[test]
fn a_conflict_crosses_the_boundary_with_all_that_is_known_of_it() {
    let site = Site::new();
    let [one, two] = ["one", "two"].map(|clone| site.open(&site.by_path(clone)));
    one.create("my file é.txt", "one\n").unwrap();
    one.as_sync().unwrap().push(None).unwrap();
    two.create("my file é.txt", "two\n").unwrap();
    let sync = two.as_sync().unwrap();
    let error = sync.push(None).unwrap_err();
    assert!(error.kind() == ErrorKind::RemoteMoved && error.is_conflict(), "{error:?}");
    let error = sync.sync(None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let report = sync.conflict_report().unwrap();
    let conflict = &report[0];
    assert_eq!((conflict.path.as_str(), &*conflict.status), ("my file é.txt", "AA"));
    assert!(conflict.base.is_none() && conflict.local.as_ref().unwrap().size == 4);
    sync.conflict_accept_remote(&conflict.path).unwrap();
    assert_eq!(sync.push(None).unwrap().sent, 2);
    assert_eq!(two.read_to_string("my file é.txt").unwrap(), "one\n");
    git(&site.path("remote.git"), &["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn the_command_line_needs_no_git_and_no_environment() {
    let site = Site::new();
    let run = |arguments: &[&str]| {
        let output = f9_on(&site.by_path("clone"), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    run(&["create", "notes/b.txt", "b\n"]);
    run(&["push", "-m", "from the shell"]);
    run(&["sync"]);
    assert_eq!(run(&["ls", "notes"]).lines().count(), 1);
    assert_eq!(
        git(&site.path("remote.git"), &["log", "-1", "--format=%an %s", "main"]),
        "f9 from the shell\n"
    );
}

#[test]
fn nothing_of_the_surrounding_process_matters() {
    let site = Site::new();
    let home = site.path("home");
    fs::create_dir(&home).unwrap();
    let elsewhere = site.path("elsewhere.git");
    fs::write(
        home.join(".gitconfig"),
        format!(
            "[user]\nname = Somebody\n[url \"{}\"]\ninsteadOf = {}\n[core]\nexcludesFile = {}\nhooksPath = {}\n",
            elsewhere.display(),
            site.path("remote.git").display(),
            home.join("ignored").display(),
            home.join("hooks").display(),
        ),
    )
    .unwrap();
    fs::write(home.join("ignored"), "*.txt\n").unwrap();
    fs::create_dir(home.join("hooks")).unwrap();
    for hook in ["pre-commit", "pre-push", "post-checkout"] {
        let hook = home.join("hooks").join(hook);
        fs::write(&hook, format!("#!/bin/sh\ntouch {}\nexit 1\n", home.join("ran").display())).unwrap();
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = f9_tests::f9();
        command.env("HOME", &home).env("XDG_CONFIG_HOME", &home).env("GIT_DIR", &elsewhere);
        command.env("GIT_INDEX_FILE", home.join("index")).env("GIT_WORK_TREE", &home);
        command.env("GIT_AUTHOR_NAME", "Somebody").env("GIT_CONFIG_COUNT", "1");
        command.env("GIT_CONFIG_KEY_0", "commit.gpgSign").env("GIT_CONFIG_VALUE_0", "true");
        command.env("http_proxy", "http://127.0.0.1:1").env("GIT_SSH_COMMAND", "false");
        let output =
            command.arg("-c").arg(site.by_path("clone").to_string()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    };
    run(&["create", "b.txt", "b"]);
    run(&["sync"]);
    assert_eq!(git(&site.path("remote.git"), &["log", "-1", "--format=%an", "main"]), "f9\n");
    assert_eq!(git(&site.path("remote.git"), &["show", "main:b.txt"]), "b");
    assert!(!home.join("ran").exists() && !home.join("index").exists() && !elsewhere.exists());
}

#[test]
fn secrets_are_seen_nowhere() {
    let site = Site::new();
    let public = make_key(&site.path("id"), KeyKind::Ed25519, Some("CANARY-phrase"));
    let http = HttpServer::start(site.0.path(), None, Some(LOGIN));
    let ssh = SshServer::start(site.0.path(), &public, SshBehaviour::Deny);
    fs::write(site.path("known_hosts"), ssh.known_hosts()).unwrap();
    let with_password_in_url = |login, clone: &str| json!({"backend": "git", "remote_url": http.url_with(login, "remote.git"), "path": site.path(clone), "timeout": 1});
    let assert_unseen = |what: &str, output: &Output| {
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(!shown.contains("CANARY") && !shown.contains("Q0FOQVJZ"), "{what}: {shown}");
    };
    // What works, with all that can be logged.
    let connection = with_password_in_url(LOGIN, "works");
    for arguments in [&["create", "b.txt", "b"][..], &["push"], &["sync"], &["pull"], &["conflicts"]] {
        let output = f9_on(&connection, ["-v", "-v"].iter().chain(arguments));
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_unseen("works", &output);
    }
    // What a server, a wrong word, or a wrong option makes fail.
    for behaviour in [
        Behaviour::Serve, // with a wrong password
        Behaviour::Refuse(403, "no"),
        Behaviour::Refuse(404, "no"),
        Behaviour::Refuse(500, "no"),
        Behaviour::Redirect("http://elsewhere.invalid/".into()),
        Behaviour::Silent,
        Behaviour::Cut,
    ] {
        http.behave(behaviour.clone());
        let output = f9_on(&with_password_in_url(("user", "CANARY-wrong"), "fails"), ["-v", "-v", "ls"]);
        assert!(!output.status.success());
        assert_unseen(&format!("{behaviour:?}"), &output);
    }
    let mut by_ssh = json!({
        "backend": "git", "remote_url": ssh.url("remote.git"), "path": site.path("fails"), "timeout": 2,
        "ssh_key_path": site.path("id"), "ssh_key_passphrase": "CANARY-phrase", "known_hosts": site.path("known_hosts"),
    });
    assert_unseen("denied", &f9_on(&by_ssh, ["-v", "-v", "ls"]));
    by_ssh["ssh_key_passphrase"] = "CANARY-wrong".into();
    assert_unseen("wrong passphrase", &f9_on(&by_ssh, ["-v", "-v", "ls"]));
    for (key, value) in [
        ("remote_url", json!("ssh://user:CANARY@host/x")),
        ("remote_url", json!("https://user:CANARY@host:port/x")),
        ("remote_url", json!(["CANARY"])),
        ("password", json!({"CANARY": 1})),
        ("ssh_key_passphrase", json!(["CANARY"])),
        ("branch", json!("..")),
    ] {
        let mut connection = with_password_in_url(("user", "CANARY-wrong"), "fails");
        connection[key] = value;
        let output = f9_on(&connection, ["-v", "-v", "ls"]);
        assert!(!output.status.success());
        assert_unseen(key, &output);
    }
    assert!(!contains(&site.path("works"), "CANARY") && !site.path("fails").exists());
}

fn contains(directory: &Path, needle: &str) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return contains(&path, needle);
        }
        fs::read(&path).unwrap().windows(needle.len()).any(|window| window == needle.as_bytes())
    })
}

#[test]
fn cancelling_ends_a_clone_that_waits() {
    let site = Site::new();
    let http = HttpServer::start(site.0.path(), None, None);
    http.behave(Behaviour::Silent);
    let token = CancelToken::new();
    let host = Host::builder().no_default_dirs().plugin_dir(plugin_dir()).cancel_token(token.clone()).build();
    let connection =
        json!({"backend": "git", "remote_url": http.url("remote.git"), "path": site.path("clone")});
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(300));
            token.cancel();
        });
        host.open(connection).err().unwrap()
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(!site.path("clone").exists());
}
