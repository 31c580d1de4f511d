//! `f9 mirror` of a whole tree between backends of different kinds, killed at random and run again: complete, correct by
//! checksum, and what had arrived is not brought again.
//!
//! A few hundred files; with `F9_FULL=1`, 10,000.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use f9_host::{Backend, BackendPath, ChecksumAlgorithm, Connections};
use f9_openai_server::{API_KEY, Route, Server};
use f9_tests::{host, shell::Shell, text};
use serde_json::{Value, json};

/// How many files are worked on at the same time, so that no more than these can be half done at a kill.
const JOBS: usize = 8;

const KILLS: usize = 4;

fn how_many() -> usize {
    if std::env::var_os("F9_FULL").is_some() { 10_000 } else { 300 }
}

/// `source` is filled with so many files, a hundred to a directory; `destination` is what it is mirrored to.
struct Site {
    shell: Shell,
    files: usize,
    moments: Moments,
}

impl Site {
    fn new(connections: impl FnOnce(&Shell) -> Value) -> Self {
        let shell = Shell::new(&[]);
        let connections = connections(&shell).to_string();
        shell.write("connections.json", connections);
        Self { shell, files: how_many(), moments: Moments::new() }
    }

    /// Writes the files below a directory of the shell's.
    fn fill(&self, dir: &str) {
        (0..self.files).for_each(|i| self.shell.write(&format!("{dir}/{}/{i}.txt", i / 100), content(i)));
    }

    fn open(&self, name: &str) -> Backend {
        Connections::load(self.shell.config()).unwrap().open(name, &host()).unwrap()
    }

    fn listed(&self, place: &str) -> usize {
        self.shell.ok(["ls", "-R", place]).lines().filter(|line| !line.ends_with('/')).count()
    }

    /// Mirrors, but kills it at a random moment of each run, and at last lets it end. Answers how many were killed.
    fn mirror_with_kills(&mut self, from: &str, to: &str) -> usize {
        let jobs = JOBS.to_string();
        let arguments = ["--json", "mirror", "-j", &jobs, from, to];
        let started = Instant::now();
        let (mut there, mut kills) = (0, 0);
        for _ in 0..KILLS {
            let lines = self.moments.below(self.files / (KILLS + 1));
            let pause = Duration::from_micros(self.moments.below(20_000) as u64);
            kills += usize::from(self.kill_after(&arguments, lines, pause));
            let now = self.listed(to);
            assert!(now >= there, "{now} after {there}");
            there = now;
        }
        let printed = self.shell.ok(arguments);
        let report: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
        let copied = self.files - there;
        assert_eq!(
            (&report["outcome"], &report["same"], &report["copied"]),
            (&json!("complete"), &json!(there), &json!(copied))
        );
        println!(
            "{from} to {to}: {} files, killed {kills} times (seed {}), {copied} left for the last run, in {:.1} s",
            self.files,
            self.moments.seed,
            started.elapsed().as_secs_f64()
        );
        kills
    }

    /// Runs it, and kills it some time after it has told of so many files. Answers whether that was before its end.
    fn kill_after(&self, arguments: &[&str], lines: usize, pause: Duration) -> bool {
        let mut command = self.shell.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        // Kept open until the kill: who cannot tell of its work ends by itself.
        let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in stdout.by_ref().take(lines) {
            line.unwrap();
        }
        thread::sleep(pause);
        child.kill().unwrap();
        !child.wait().unwrap().success()
    }

    /// Every file of both sides by its checksum.
    fn assert_same(&self, from: (&str, &str), to: (&str, &str)) {
        let (wanted, found) = (self.checksums(from), self.checksums(to));
        assert_eq!(wanted.len(), self.files);
        assert!(wanted == found, "{} of {} files are there", found.len(), wanted.len());
    }

    fn checksums(&self, (name, dir): (&str, &str)) -> BTreeMap<String, String> {
        let backend = self.open(name);
        let infos: Vec<_> = backend.list_recursive(dir).unwrap().map(|entry| entry.unwrap()).collect();
        let paths: Vec<_> = infos.iter().filter(|info| info.is_file()).map(|info| &info.path).collect();
        let sum = |path: &BackendPath| {
            let name = path.as_str().strip_prefix(dir).unwrap().trim_start_matches('/');
            (name.to_owned(), backend.checksum(path, ChecksumAlgorithm::Sha256).unwrap())
        };
        thread::scope(|scope| {
            let chunks = paths.chunks(paths.len() / JOBS + 1);
            let parts: Vec<_> = chunks
                .map(|chunk| scope.spawn(move || chunk.iter().map(|path| sum(path)).collect::<Vec<_>>()))
                .collect();
            parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
        })
    }
}

/// No two are the same; some are more than a buffer holds.
fn content(i: usize) -> String {
    let lines = if i % 500 == 7 { 20_000 } else { 1 + i % 40 };
    format!("line of file {i}\n").repeat(lines)
}

/// Moments to kill at, which differ from run to run and are told with it.
struct Moments {
    seed: u64,
    state: u64,
}

impl Moments {
    fn new() -> Self {
        let seed = match std::env::var("F9_SEED") {
            Ok(seed) => seed.parse().expect("F9_SEED is a number"),
            Err(_) => SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos().into(),
        };
        Self { seed, state: seed | 1 }
    }

    /// Steps of xorshift64 (Marsaglia 2003).
    fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % end.max(1) as u64) as usize
    }
}

fn local(shell: &Shell, name: &str) -> Value {
    json!({"backend": "local", "root": shell.path(name)})
}

fn git(shell: &Shell, clone: &str) -> Value {
    json!({"backend": "git", "remote_url": shell.path("remote.git"), "path": shell.path(clone)})
}

fn init_remote(shell: &Shell) {
    let mut git = Command::new("git");
    git.args(["init", "--quiet", "--bare", "--initial-branch=main"]).arg(shell.path("remote.git"));
    assert!(git.status().unwrap().success());
}

#[test]
fn from_directory_to_directory() {
    let mut site = Site::new(|shell| json!({"one": local(shell, "one"), "two": local(shell, "two")}));
    site.fill("one");
    site.mirror_with_kills("one:", "two:");
    site.assert_same(("one", ""), ("two", ""));
}

#[test]
fn from_directory_to_repository() {
    let mut site = Site::new(|shell| {
        init_remote(shell);
        json!({"plain": local(shell, "plain"), "site": git(shell, "clone"), "other": git(shell, "other")})
    });
    site.fill("plain");
    site.mirror_with_kills("plain:", "site:files");
    site.assert_same(("plain", ""), ("site", "files"));
    // What others clone is the same.
    site.shell.ok(["-q", "push", "site:", "-m", "All of it"]);
    site.assert_same(("plain", ""), ("other", "files"));
}

#[test]
fn from_repository_to_vector_store_where_nothing_that_arrived_is_uploaded_twice() {
    let server = Server::start();
    let mut site = Site::new(|shell| {
        init_remote(shell);
        let docs = json!({
            "backend": "openai", "base_url": server.base_url(), "vector_store_id": server.vector_store(),
            "api_key": {"$file": shell.path("key")}, "cache_ttl": 3600,
        });
        json!({"site": git(shell, "clone"), "docs": docs})
    });
    site.shell.write_secret("key", API_KEY);
    site.shell.ok(["create", "site:README", "about this\n"]);
    site.fill("clone/files");
    site.shell.ok(["-q", "push", "site:", "-m", "All of it"]);
    let kills = site.mirror_with_kills("site:files", "docs:copy");
    let uploads = server.count(Route::Upload);
    // What was on its way at a kill has not arrived, and is uploaded again.
    assert!(uploads <= site.files + kills * JOBS, "{uploads} uploads of {} files, {kills} kills", site.files);
    println!("{uploads} uploads");
    site.assert_same(("site", "files"), ("docs", "copy"));
    let again = site.shell.run(["--json", "mirror", "site:files", "docs:copy"]);
    let report: Value = serde_json::from_str(text(&again.stdout).lines().last().unwrap()).unwrap();
    assert_eq!((&report["same"], server.count(Route::Upload)), (&json!(site.files), uploads));
}
