//! The git plugin as a host loads it: conformance, the original workflows, and what must never be seen.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use f9_git_server::{Authority, Behaviour, HttpServer, KeyKind, SshBehaviour, SshServer, make_key};
use f9_host::{Backend, CancelToken, FileBackend, Host, Result};
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

/// What is told of an operation: its name, the unit, and how much of how much.
type Told = (String, String, u64, Option<u64>);

/// Opens with a host of its own, of which all progress is noted, and which can be told to stop.
fn open_watched(connection: &Value, token: &CancelToken) -> (Result<Backend>, Arc<Mutex<Vec<Told>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&told);
    let host = Host::builder()
        .no_default_dirs()
        .plugin_dir(plugin_dir())
        .cancel_token(token.clone())
        .on_progress(move |progress| {
            let line =
                (progress.operation.to_owned(), progress.unit.to_owned(), progress.done, progress.total);
            noted.lock().unwrap().push(line);
        })
        .build();
    (host.open(connection.clone()), told)
}

/// Cancels while `work` is under way, which has to end soon then, and of that.
fn cancel_during<T>(token: &CancelToken, work: impl FnOnce() -> Result<T>) {
    let start = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(500));
            token.cancel();
        });
        work().err().expect("this was to be cancelled")
    });
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    let took = start.elapsed();
    assert!(took > Duration::from_millis(490) && took < Duration::from_secs(5), "{took:?}");
}

/// A site, and how its remote is reached by HTTP and by SSH from servers that do as they are told.
struct Served {
    site: Site,
    http: HttpServer,
    ssh: SshServer,
    stalling: SshServer,
}

/// A server that stops in the middle of a pack sends so much of it.
const SOME: usize = 100_000;

impl Served {
    fn new() -> Self {
        let site = Site::new();
        let public = make_key(&site.path("id"), KeyKind::Ed25519, None);
        let http = HttpServer::start(site.0.path(), None, None);
        let ssh = SshServer::start(site.0.path(), &public, SshBehaviour::Serve);
        let stalling = SshServer::start(site.0.path(), &public, SshBehaviour::Stall(SOME as u64));
        fs::write(site.path("known_hosts"), [ssh.known_hosts(), stalling.known_hosts()].concat()).unwrap();
        Self { site, http, ssh, stalling }
    }

    fn by_http(&self, clone: &str) -> Value {
        json!({"backend": "git", "remote_url": self.http.url("remote.git"), "path": self.site.path(clone)})
    }

    fn by_ssh(&self, server: &SshServer, clone: &str) -> Value {
        json!({
            "backend": "git", "remote_url": server.url("remote.git"), "path": self.site.path(clone),
            "ssh_key_path": self.site.path("id"), "known_hosts": self.site.path("known_hosts"),
        })
    }

    /// Has somebody push what does not compress, so that a pack of it is long.
    fn push_noise(&self, name: &str) {
        let mut state = name.len() as u64;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        });
        let somebody = self.site.open(&self.site.by_path("somebody"));
        somebody.create(name, &*noise.take(1 << 20).collect::<Vec<_>>()).unwrap();
        somebody.as_sync().unwrap().sync(None).unwrap();
    }

    fn check(&self, clone: &str) {
        for repository in ["remote.git", clone] {
            git(&self.site.path(repository), &["fsck", "--strict", "--no-dangling"]);
        }
        assert_eq!(git(&self.site.path(clone), &["status", "--porcelain"]), "");
    }
}

#[test]
fn cancelling_ends_a_clone_on_every_transport() {
    let served = Served::new();
    served.push_noise("noise");
    served.http.behave(Behaviour::Silent);
    cancel_clone(&served.by_http("silent"));
    served.http.behave(Behaviour::Stall(SOME));
    cancel_clone(&served.by_http("by-http"));
    cancel_clone(&served.by_ssh(&served.stalling, "by-ssh"));
    served.http.behave(Behaviour::Serve);
    for connection in [served.by_http("by-http"), served.by_ssh(&served.ssh, "by-ssh")] {
        assert_eq!(served.site.open(&connection).info("noise").unwrap().size, 1 << 20);
    }
}

fn cancel_clone(connection: &Value) {
    let token = CancelToken::new();
    cancel_during(&token, || open_watched(connection, &token).0);
    assert!(!Path::new(connection["path"].as_str().unwrap()).exists());
}

#[test]
fn cancelling_ends_a_pull_and_leaves_the_clone_as_it_was() {
    let served = Served::new();
    let connections = [served.by_http("by-http"), served.by_ssh(&served.stalling, "by-ssh")];
    let tokens = [CancelToken::new(), CancelToken::new()];
    let open = |number: usize| open_watched(&connections[number], &tokens[number]).0.unwrap();
    let backends = [open(0), open(1)];
    served.push_noise("noise");
    served.http.behave(Behaviour::Stall(SOME));
    for ((backend, token), connection) in backends.iter().zip(&tokens).zip(&connections) {
        let clone = Path::new(connection["path"].as_str().unwrap());
        let before = git(clone, &["rev-parse", "HEAD"]);
        cancel_during(token, || backend.as_sync().unwrap().pull());
        assert_eq!(git(clone, &["rev-parse", "HEAD"]), before);
    }
    served.http.behave(Behaviour::Serve);
    for (connection, clone) in
        [(served.by_http("by-http"), "by-http"), (served.by_ssh(&served.ssh, "by-ssh"), "by-ssh")]
    {
        let backend = served.site.open(&connection);
        assert!(backend.as_sync().unwrap().pull().unwrap().received > 0);
        assert_eq!(backend.info("noise").unwrap().size, 1 << 20);
        served.check(clone);
    }
}

#[test]
fn cancelling_ends_a_push_on_every_transport_and_the_next_one_arrives() {
    let served = Served::new();
    let hook = served.site.path("remote.git").join("hooks/pre-receive");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    for (clone, connection) in [
        ("by-path", served.site.by_path("by-path")),
        ("by-http", served.by_http("by-http")),
        ("by-ssh", served.by_ssh(&served.ssh, "by-ssh")),
    ] {
        let token = CancelToken::new();
        let backend = open_watched(&connection, &token).0.unwrap();
        backend.as_sync().unwrap().pull().unwrap();
        backend.create(format!("{clone}.txt"), "x").unwrap();
        let tip = git(&served.site.path("remote.git"), &["rev-parse", "main"]);
        // The remote thinks about it until the test is over.
        let over = served.site.path("over");
        let script = format!(
            "#!/bin/sh\nwhile [ -d {0} ] && [ ! -e {0}/over ]; do sleep 0.1; done\nexit 1\n",
            over.parent().unwrap().display()
        );
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        cancel_during(&token, || backend.as_sync().unwrap().push(None));
        fs::remove_file(&hook).unwrap();
        assert_eq!(git(&served.site.path("remote.git"), &["rev-parse", "main"]), tip, "{clone}");
        let again = served.site.open(&connection);
        assert_eq!(again.as_sync().unwrap().push(None).unwrap().sent, 1, "{clone}");
        served.check(clone);
    }
    fs::write(served.site.path("over"), "").unwrap();
}

#[test]
fn progress_is_told_on_every_transport_and_adds_up() {
    const FILES: u64 = 600;
    let served = Served::new();
    for (clone, connection) in [
        ("by-path", served.site.by_path("by-path")),
        ("by-http", served.by_http("by-http")),
        ("by-ssh", served.by_ssh(&served.ssh, "by-ssh")),
    ] {
        let (backend, told) = open_watched(&connection, &CancelToken::new());
        let backend = backend.unwrap();
        for number in 0..FILES {
            backend.create(format!("{clone}/{number}.txt"), format!("{clone} {number}\n").as_str()).unwrap();
        }
        backend.as_sync().unwrap().push(None).unwrap();
        assert_adds_up(&told, "push", "objects", FILES);
        let mut second = connection.clone();
        second["path"] = served.site.path(&format!("{clone}-again")).to_str().unwrap().into();
        let (second, told) = open_watched(&second, &CancelToken::new());
        second.unwrap();
        // The packs of a remote on the same machine are copied as they are.
        let unit = if clone == "by-path" { "bytes" } else { "objects" };
        assert_adds_up(&told, "fetch", unit, FILES);
        assert_adds_up(&told, "checkout", "files", FILES);
    }
}

/// The lines of one operation count upwards, never beyond their total, which is at least `least`.
fn assert_adds_up(told: &Mutex<Vec<Told>>, operation: &str, unit: &str, least: u64) {
    let told = told.lock().unwrap();
    let lines: Vec<_> =
        told.iter().filter(|(name, counted, ..)| name == operation && counted == unit).collect();
    assert!(!lines.is_empty(), "{operation}: nothing was told: {told:?}");
    assert!(lines.len() < 50, "{operation}: {} lines", lines.len());
    let done: Vec<_> = lines.iter().map(|(_, _, done, _)| *done).collect();
    assert!(done.is_sorted(), "{operation}: {lines:?}");
    for (_, _, done, total) in &lines {
        assert!(*done <= total.unwrap() && total.unwrap() >= least, "{operation}: {lines:?}");
    }
}

#[test]
fn a_branch_that_is_new_at_the_remote_is_told_of() {
    let site = Site::new();
    let mut connection = site.by_path("clone");
    connection["branch"] = "topic".into();
    let output = f9_on(&connection, ["-v", "push"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("the branch `topic` is new at the remote"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(git(&site.path("remote.git"), &["show", "topic:a.txt"]), "a\n");
}

/// Runs f9 where `directory` is read-only; `None`, said aloud, where nothing can be mounted.
fn f9_read_only(directory: &Path, connection: &Value, arguments: &[&str]) -> Option<Output> {
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && shift && exec \"$@\"";
    let as_root = std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt as _;
        me.uid() == 0
    });
    let how: &[&str] = if as_root { &["--mount"] } else { &["--mount", "--map-root-user"] };
    let may = Command::new("unshare").args(how).args(["sh", "-c", "mount --bind /tmp /tmp"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: nothing can be mounted here, so no file system can be made read-only");
        return None;
    }
    let f9 = f9_tests::f9();
    let mut command = Command::new("unshare");
    command
        .args(how)
        .args(["sh", "-c", script, "sh"])
        .arg(directory)
        .arg(f9.get_program())
        .args(f9.get_args());
    command.arg("-c").arg(connection.to_string()).args(arguments);
    Some(command.output().unwrap())
}

#[test]
fn a_clone_that_cannot_be_written_to_can_be_read() {
    let site = Site::new();
    let connection = site.by_path("clone");
    drop(site.open(&connection));
    // One that f9 made, and one that only git has had in its hands.
    git(site.0.path(), &["clone", "--quiet", "remote.git", "gits"]);
    for name in ["clone", "gits"] {
        let connection = site.by_path(name);
        let run = |arguments: &[&str]| f9_read_only(&site.path(name), &connection, arguments);
        let Some(read) = run(&["read", "a.txt"]) else { return };
        assert!(read.status.success() && read.stdout == b"a\n", "{name}: {read:?}");
        assert!(text(&read.stderr).contains("can be read, and not changed"), "{name}: {read:?}");
        let listed = run(&["-q", "ls"]).unwrap();
        assert!(listed.status.success() && text(&listed.stdout) == "a.txt\n", "{name}: {listed:?}");
        for change in [&["create", "b.txt", "b"][..], &["push"], &["pull"], &["sync"]] {
            let output = run(change).unwrap();
            assert!(!output.status.success(), "{name}: {change:?}");
            assert!(
                text(&output.stderr).to_lowercase().contains("read-only"),
                "{name}: {change:?}: {output:?}"
            );
        }
    }
}

#[test]
fn what_a_hook_has_started_ends_with_the_push_that_is_given_up() {
    use std::os::unix::fs::PermissionsExt as _;
    let site = Site::new();
    let connection = site.by_path("clone");
    site.open(&connection).create("b.txt", "b\n").unwrap();
    let hook = site.path("remote.git/hooks/pre-receive");
    let pids = site.path("pids");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    let script = format!("#!/bin/sh\nsleep 300 &\necho $! $$ > {}\nwait\n", pids.display());
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let output = f9_on(&connection, ["--timeout", "2s", "push"]);
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    let pids = fs::read_to_string(&pids).unwrap();
    let lives = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    let end = Instant::now() + Duration::from_secs(5);
    while pids.split_whitespace().any(lives) {
        assert!(Instant::now() < end, "of {pids} something goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
}
