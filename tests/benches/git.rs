//! The git plugin against the git command line, doing the same in the same run: `cargo bench -p f9-benches --bench git`.
//!
//! The sequences of commands are those of a storage that calls git for each step: create a file and push it (add, status,
//! commit, push), push where nothing has changed (add, status, push), and pull where nothing has changed (status, fetch,
//! merge). Rounds are interleaved; prints medians and their ratio. With an argument, only the tables
//! whose name contains it.

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use f9_git_server::{HttpServer, KeyKind, SshBehaviour, SshServer, make_key};
use f9_host::{Backend, FileBackend, SyncFileBackend};
use f9_tests::host;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How often each clones.
const CLONES: usize = 5;
/// How often each changes every file.
const BULK: usize = 3;

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    println!("| | git (ms) | f9 (ms) | |\n|---|---:|---:|---:|");
    let site = Site::with(1);
    open(&site.url(), &site.dir.path().join("first"), &json!({})); // loads the plugin
    if wanted("path") {
        site.compare("path", &site.url(), json!({}), &[], 25);
    }
    if wanted("http") {
        let http = HttpServer::start(site.dir.path(), None, None);
        site.compare("http", &http.url("remote.git"), json!({}), &[], 25);
    }
    if wanted("ssh") {
        compare_ssh(&site);
    }
    for (files, rounds) in [(10_000, 15), (100_000, 9)] {
        let name = format!("path, {files} files");
        if wanted(&name) {
            let site = Site::with(files);
            site.compare(&name, &site.url(), json!({}), &[], rounds);
            // The same with what git itself offers for such trees.
            let many = [("GIT_CONFIG_COUNT", "1"), ("GIT_CONFIG_KEY_0", "feature.manyFiles")];
            let many = [many[0], many[1], ("GIT_CONFIG_VALUE_0", "true")];
            site.compare(&format!("{name}, manyFiles"), &site.url(), json!({}), &many, rounds);
        }
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
    site.compare("ssh", &ssh.url("remote.git"), options, &[("GIT_SSH_COMMAND", &command)], 25);
}

fn restrict(key: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
}

struct Site {
    dir: TempDir,
}

impl Site {
    /// A remote with so many files of about a kilobyte, a hundred to a directory.
    fn with(files: usize) -> Self {
        let site = Self { dir: TempDir::new().unwrap() };
        git(site.dir.path(), &[], &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet"])
            .current_dir(site.remote())
            .stdin(Stdio::piped())
            .spawn()
            .expect("the benchmark needs `git`");
        let mut commands = std::io::BufWriter::new(import.stdin.take().unwrap());
        write!(commands, "commit refs/heads/main\ncommitter Bench <bench@example.com> 0 +0000\ndata 4\nfill")
            .unwrap();
        for number in 0..files {
            let content = format!("{number}\n").repeat(150);
            let path = format!("dir{}/file{number}.txt", number / 100);
            write!(commands, "\nM 100644 inline {path}\ndata {}\n{content}", content.len()).unwrap();
        }
        drop(commands.into_inner().unwrap());
        assert!(import.wait().unwrap().success());
        site
    }

    fn remote(&self) -> PathBuf {
        self.dir.path().join("remote.git")
    }

    fn url(&self) -> String {
        self.remote().display().to_string()
    }

    fn compare(&self, name: &str, url: &str, options: Value, env: &[(&str, &str)], rounds: usize) {
        let (ours, theirs) =
            (self.dir.path().join(format!("f9 {name}")), self.dir.path().join(format!("git {name}")));
        let mut clones: [Vec<Duration>; 2] = Default::default();
        let mut backend = None;
        for _ in 0..CLONES {
            drop(backend.take());
            for clone in [&ours, &theirs] {
                let _ = fs::remove_dir_all(clone); // there is none in the first round
            }
            // Without hard links between the two, as from another disk.
            clones[0].push(time(|| {
                let clone = ["clone", "--quiet", "--no-local", url, theirs.to_str().unwrap()];
                git(self.dir.path(), env, &clone);
            }));
            clones[1].push(time(|| backend = Some(open(url, &ours, &options))));
        }
        let [git_clone, our_clone] = clones.map(median);
        print_row(&format!("{name}: clone"), git_clone, our_clone);
        let backend = backend.unwrap();
        let sync = backend.as_sync().unwrap();
        let mut times: [Vec<Duration>; 6] = Default::default();
        for round in 0..rounds {
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
            times[4].push(time(|| {
                git(&theirs, env, &["add", "--all"]);
                git(&theirs, env, &["status", "--porcelain"]);
                git(&theirs, env, &["push", "--quiet", "origin", "main"]);
            }));
            times[5].push(time(|| drop(sync.push(None).unwrap())));
        }
        let [git_create, our_create, git_pull, our_pull, git_push, our_push] = times.map(median);
        print_row(&format!("{name}: create a file and push"), git_create, our_create);
        print_row(&format!("{name}: pull, no change"), git_pull, our_pull);
        print_row(&format!("{name}: push, no change"), git_push, our_push);
        if name == "path, 10000 files" {
            self.compare_bulk(name, &theirs, &ours, env, sync);
        }
    }

    /// A change to every file, pushed and pulled by each in turn.
    fn compare_bulk(
        &self,
        name: &str,
        theirs: &Path,
        ours: &Path,
        env: &[(&str, &str)],
        sync: &dyn SyncFileBackend,
    ) {
        let mut times: [Vec<Duration>; 4] = Default::default();
        for round in 0..BULK {
            change_all(theirs, round);
            times[0].push(time(|| {
                git(theirs, env, &["add", "--all"]);
                git(theirs, env, &["status", "--porcelain"]);
                git(theirs, env, &["commit", "--quiet", "--message", "every file"]);
                git(theirs, env, &["push", "--quiet", "origin", "main"]);
            }));
            times[3].push(time(|| drop(sync.pull().unwrap())));
            change_all(ours, round);
            times[1].push(time(|| drop(sync.push(None).unwrap())));
            times[2].push(time(|| {
                git(theirs, env, &["status", "--porcelain"]);
                git(theirs, env, &["fetch", "--quiet", "origin", "main"]);
                git(theirs, env, &["merge", "--quiet", "--ff-only", "FETCH_HEAD"]);
            }));
        }
        let [git_push, our_push, git_pull, our_pull] = times.map(median);
        print_row(&format!("{name}: change every file and push"), git_push, our_push);
        print_row(&format!("{name}: pull a change of every file"), git_pull, our_pull);
    }
}

/// Adds a line to every file that the remote began with.
fn change_all(clone: &Path, round: usize) {
    for directory in fs::read_dir(clone).unwrap().map(|entry| entry.unwrap().path()) {
        if directory.file_name().unwrap().to_string_lossy().starts_with("dir") {
            for file in fs::read_dir(directory).unwrap() {
                let mut file = fs::OpenOptions::new().append(true).open(file.unwrap().path()).unwrap();
                writeln!(file, "round {round} in {}", clone.display()).unwrap();
            }
        }
    }
}

fn print_row(name: &str, git: f64, ours: f64) {
    println!("| {name} | {git:.1} | {ours:.1} | {:.1}x |", git / ours);
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
