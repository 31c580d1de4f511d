//! The git plugin against the git command line, doing the same in the same run: `cargo bench -p f9-benches --bench git`.
//!
//! The sequences of commands are those of a storage that calls git for each step: create a file and push it (add, status,
//! commit, push), and pull where nothing has changed (status, fetch, merge). Prints medians and their ratio.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use f9_git_server::{HttpServer, KeyKind, SshBehaviour, SshServer, make_key};
use f9_host::{Backend, FileBackend};
use f9_tests::host;
use serde_json::{Value, json};
use tempfile::TempDir;

const ROUNDS: usize = 25;

fn main() {
    println!("{:<28} {:>10} {:>10} {:>7}", "", "git (ms)", "f9 (ms)", "ratio");
    let site = Site::new();
    site.compare("path", &site.remote().display().to_string(), json!({}), &[]);
    let http = HttpServer::start(site.dir.path(), None, None);
    site.compare("http", &http.url("remote.git"), json!({}), &[]);
    compare_ssh(&site);
    for files in [1_000, 10_000] {
        let site = Site::new();
        site.fill(files);
        site.compare(&format!("path, {files} files"), &site.remote().display().to_string(), json!({}), &[]);
    }
}

/// Needs OpenSSH's client for git's side.
fn compare_ssh(site: &Site) {
    if Command::new("ssh").arg("-V").output().is_err() {
        return println!("ssh: skipped, because there is no `ssh` for git to use");
    }
    let public = make_key(&site.dir.path().join("id"), KeyKind::Ed25519, None);
    let key = site.dir.path().join("id");
    restrict(&key);
    let ssh = SshServer::start(site.dir.path(), &public, SshBehaviour::Serve);
    let known = site.dir.path().join("known_hosts");
    fs::write(&known, ssh.known_hosts()).unwrap();
    let command = format!(
        "ssh -F none -i {} -o UserKnownHostsFile={} -o IdentitiesOnly=yes",
        key.display(),
        known.display()
    );
    let options = json!({"ssh_key_path": key, "known_hosts": known});
    site.compare("ssh", &ssh.url("remote.git"), options, &[("GIT_SSH_COMMAND", &command)]);
}

fn restrict(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self { dir: TempDir::new().unwrap() };
        git(site.dir.path(), &[], &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        site.fill(1);
        site
    }

    fn remote(&self) -> PathBuf {
        self.dir.path().join("remote.git")
    }

    /// Pushes so many files of about a kilobyte, a hundred to a directory.
    fn fill(&self, files: usize) {
        let clone = self.dir.path().join(format!("fill-{files}"));
        let backend = open(&self.remote().display().to_string(), &clone, &json!({}));
        for number in 0..files {
            let file = clone.join(format!("dir{}/file{number}.txt", number / 100));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{number}\n").repeat(150)).unwrap();
        }
        backend.as_sync().unwrap().push(None).unwrap();
    }

    fn compare(&self, name: &str, url: &str, options: Value, env: &[(&str, &str)]) {
        let (ours, theirs) =
            (self.dir.path().join(format!("f9 {name}")), self.dir.path().join(format!("git {name}")));
        let backend = open(url, &ours, &options);
        let sync = backend.as_sync().unwrap();
        git(self.dir.path(), env, &["clone", "--quiet", url, theirs.to_str().unwrap()]);
        let mut times: [Vec<Duration>; 4] = Default::default();
        for round in 0..ROUNDS {
            times[0].push(time(|| {
                fs::write(theirs.join(format!("git {name} {round}.txt")), "content\n").unwrap();
                git(&theirs, env, &["add", "--all"]);
                git(&theirs, env, &["status", "--porcelain"]);
                git(&theirs, env, &["commit", "--quiet", "--message", "one file"]);
                git(&theirs, env, &["push", "--quiet", "origin", "main"]);
            }));
            sync.pull().unwrap();
            times[1].push(time(|| {
                backend.create(format!("f9 {name} {round}.txt"), "content\n").unwrap();
                sync.push(None).unwrap();
            }));
            git(&theirs, env, &["pull", "--quiet", "--ff-only", "origin", "main"]);
            times[2].push(time(|| {
                git(&theirs, env, &["status", "--porcelain"]);
                git(&theirs, env, &["fetch", "--quiet", "origin", "main"]);
                git(&theirs, env, &["merge", "--quiet", "--ff-only", "FETCH_HEAD"]);
            }));
            times[3].push(time(|| drop(sync.pull().unwrap())));
        }
        let [git_push, our_push, git_pull, our_pull] = times.map(median);
        print_row(&format!("{name}: create + push"), git_push, our_push);
        print_row(&format!("{name}: pull, no change"), git_pull, our_pull);
    }
}

fn print_row(name: &str, git: f64, ours: f64) {
    println!("{name:<28} {git:>10.1} {ours:>10.1} {:>6.1}x", git / ours);
}

fn open(url: &str, path: &Path, options: &Value) -> Backend {
    let mut connection = options.clone();
    connection["backend"] = "git".into();
    connection["remote_url"] = url.into();
    connection["path"] = path.to_str().unwrap().into();
    host().open(connection).unwrap()
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}

fn git(dir: &Path, env: &[(&str, &str)], arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=Bench", "-c", "user.email=bench@example.com"])
        .args(arguments)
        .current_dir(dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .envs(env.iter().copied())
        .output()
        .expect("the benchmark needs `git`");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
