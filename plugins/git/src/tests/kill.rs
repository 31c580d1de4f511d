//! Two writers, one of which is killed again and again: what was acknowledged to either stays.

use std::{
    collections::BTreeSet,
    env,
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use f9_git_server::HttpServer;
use f9_plugin_api::{SyncFileBackend, serde_json};

use super::support::{Site, git, open, write};

/// How many times the victim is killed: some, or with `F9_FULL=1` enough to meet most instants.
fn rounds() -> u64 {
    if env::var_os("F9_FULL").is_some() { 300 } else { 8 }
}

const VICTIM_OPTIONS: &str = "F9_TEST_VICTIM_OPTIONS";

#[test]
fn what_was_acknowledged_survives_kills_over_a_path() {
    let site = Site::with(&[("seed", "seed\n")]);
    kill_again_and_again(&site, 700, |name| site.options(name));
}

#[test]
fn what_was_acknowledged_survives_kills_over_http() {
    let site = Site::with(&[("seed", "seed\n")]);
    let server = HttpServer::start(site.dir.path(), None, None);
    kill_again_and_again(&site, 1500, |name| {
        let mut options = site.options(name);
        options["remote_url"] = server.url("remote.git").into();
        options
    });
}

/// Each round makes a clone of its own, which is killed somewhere between its beginning and its first pushes.
#[test]
fn a_clone_that_was_killed_is_finished_by_the_next_opening() {
    let site = Site::with(&[("seed", "seed\n")]);
    let seed = site.path("elsewhere-seed");
    for number in 0..600 {
        write(&seed, &format!("dir{}/deep/{number}.txt", number % 9), &format!("{number}\n").repeat(50));
    }
    git(&seed, &["add", "--all"]);
    git(&seed, &["commit", "--quiet", "--message", "many"]);
    git(&seed, &["push", "--quiet", "origin", "main"]);
    git(&site.remote(), &["repack", "-a", "-d", "--quiet"]);
    let mut unfinished = 0;
    for round in 0..rounds() {
        let options = site.options(&format!("clone{round}"));
        let pause = 3 + round.wrapping_mul(6_364_136_223_846_793_005) % 200;
        run_victim(&options, round, Duration::from_millis(pause));
        let clone = site.path(&format!("clone{round}"));
        unfinished += u64::from(!clone.join(".git").exists() || clone.join(".git/f9/journal").exists());
        let survivor = open(options).unwrap();
        survivor.sync(None).unwrap();
        assert_eq!(git(&clone, &["status", "--porcelain"]), "");
        assert_eq!(git(&clone, &["ls-files", "dir*"]).lines().count(), 600, "round {round}");
        git(&clone, &["fsck", "--strict"]);
    }
    println!("{} clones killed, {unfinished} of them before they were whole", rounds());
}

fn kill_again_and_again(site: &Site, longest: u64, options: impl Fn(&str) -> serde_json::Value + Sync) {
    let done = AtomicBool::new(false);
    let (mut acknowledged, others) = thread::scope(|scope| {
        let other = scope.spawn(|| be_the_other(site, options("other"), &done));
        let mut acknowledged = BTreeSet::new();
        // What a generator makes of the round: instants all over the time that a few operations take.
        for round in 0..rounds() {
            let pause = 20 + round.wrapping_mul(6_364_136_223_846_793_005) % longest;
            acknowledged.extend(run_victim(&options("victim"), round, Duration::from_millis(pause)));
        }
        done.store(true, Ordering::Relaxed);
        (acknowledged, other.join().unwrap())
    });
    println!(
        "{} kills, {} commits of the victim, {} of the other",
        rounds(),
        acknowledged.len(),
        others.len()
    );
    assert!(!others.is_empty(), "the other writer never got through");
    acknowledged.extend(others);
    let tree = git(&site.remote(), &["ls-tree", "-r", "--name-only", "main"]);
    let there: BTreeSet<_> = tree.lines().map(str::to_owned).collect();
    let lost: Vec<_> = acknowledged.difference(&there).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    let survivor = open(options("victim")).unwrap();
    survivor.sync(None).unwrap();
    assert_eq!(git(&site.path("victim"), &["status", "--porcelain"]), "");
    site.check(&["victim", "other"]);
}

/// Starts the victim, kills it after a while, and gives back what it had acknowledged by then.
fn run_victim(options: &serde_json::Value, round: u64, pause: Duration) -> Vec<String> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "tests::kill::the_victim"])
        .env(VICTIM_OPTIONS, serde_json::json!({"options": options, "round": round}).to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let reader = thread::spawn(move || {
        let lines = BufReader::new(output).lines().map_while(Result::ok);
        lines.filter_map(|line| line.strip_prefix("acknowledged ").map(str::to_owned)).collect()
    });
    thread::sleep(pause);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// The other half of the tests above, in a process of its own. By itself it has nothing to do.
#[test]
fn the_victim() {
    let Ok(given) = env::var(VICTIM_OPTIONS) else { return };
    let given: serde_json::Value = serde_json::from_str(&given).unwrap();
    let root = given["options"]["path"].as_str().unwrap().to_owned();
    let backend = open(given["options"].clone()).unwrap();
    for number in 0.. {
        let name = format!("victim/{}-{number}.txt", given["round"]);
        write(root.as_ref(), &name, &name);
        for rewritten in 0..20 {
            write(root.as_ref(), &format!("rewritten/{rewritten}.txt"), &name);
        }
        if backend.sync(None).is_ok() {
            println!("\nacknowledged {name}");
        }
    }
}

fn be_the_other(site: &Site, options: serde_json::Value, done: &AtomicBool) -> BTreeSet<String> {
    let backend = open(options).unwrap();
    let mut acknowledged = BTreeSet::new();
    for number in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("other/{number}.txt");
        write(&site.path("other"), &name, &name);
        match backend.sync(None) {
            Ok(_) => drop(acknowledged.insert(name)),
            Err(error) => assert!(error.is_conflict(), "{error:?}"), // the victim was faster, again and again
        }
        thread::sleep(Duration::from_millis(60));
    }
    acknowledged
}
