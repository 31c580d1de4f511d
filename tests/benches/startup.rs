//! What a command costs before it does anything: describe one file, as a whole process. `f9 info` against `stat` of
//! coreutils, `rclone lsjson` and a Python program that imports and prints what the original did:
//! `cargo build --release && cargo bench -p f9-benches --bench startup`.
//!
//! The contenders take turns, so that a busy machine is busy for all of them. Prints medians, and how many times longer than
//! f9 each takes. A contender that is not installed is skipped, aloud.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use f9_tests::f9;
use serde_json::json;
use tempfile::TempDir;

const ROUNDS: usize = 60;

/// What a storage that is a Python package imports to describe a file, and the description.
const PYTHON: &str = "
import abc, dataclasses, datetime, fnmatch, hashlib, io, json, os, pathlib, shutil, subprocess, sys, tempfile, threading, typing
path = pathlib.Path(sys.argv[1]).resolve()
status = path.stat()
time = lambda seconds: datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat()
print(json.dumps({'path': path.name, 'size': status.st_size, 'created_at': time(status.st_ctime), 'modified_at': time(status.st_mtime)}))
";

fn main() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("x");
    fs::write(&file, "hello world").unwrap();
    let mut info = f9();
    let connection = json!({"backend": "local", "root": directory.path()}).to_string();
    info.args(["-c", &connection, "info", "x"]);
    let mut stat = Command::new("stat");
    stat.arg(&file);
    let mut rclone = Command::new("rclone");
    rclone.args(["--config", "", "lsjson", "--stat"]).arg(&file);
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", PYTHON]).arg(&file);

    let mut contenders: Vec<Contender> = Vec::new();
    for (name, command) in [("f9 info", info), ("stat", stat), ("rclone lsjson", rclone), ("python3", python)]
    {
        match Contender::new(name, command) {
            Some(contender) => contenders.push(contender),
            None => println!("{name}: skipped, because it is not installed"),
        }
    }
    for _ in 0..ROUNDS {
        contenders.iter_mut().for_each(Contender::run);
    }
    let ours = contenders[0].median();
    println!("{:<16} {:>10} {:>14}", "", "median", "times f9's");
    for contender in &mut contenders {
        let median = contender.median();
        println!("{:<16} {:>7.2} ms {:>14.1}", contender.name, median * 1e3, median / ours);
    }
}

/// A command that describes the file.
struct Contender {
    name: &'static str,
    command: Command,
    times: Vec<Duration>,
}

impl Contender {
    /// `None` if there is no such program. It must do its work, or its time would mean nothing.
    fn new(name: &'static str, mut command: Command) -> Option<Self> {
        command.stdin(Stdio::null());
        let output = command.output().ok()?;
        let printed = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && printed.contains("11"), "{name}: {printed}{output:?}");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self { name, command, times: Vec::new() })
    }

    fn run(&mut self) {
        let start = Instant::now();
        assert!(self.command.status().unwrap().success(), "{}", self.name);
        self.times.push(start.elapsed());
    }

    fn median(&mut self) -> f64 {
        self.times.sort();
        self.times[self.times.len() / 2].as_secs_f64()
    }
}
