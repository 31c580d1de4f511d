//! `f9 plugins verify`: what it says of plugins that are right, wrong, or deadly to their process.

#[path = "../../plugin-api/tests/mutants/kinds/mod.rs"]
#[allow(dead_code, reason = "the plugin is made of it; here, the list of what is wrong is enough")]
mod kinds;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use f9_host::verify::{Check, Outcome, Verification, Verifier};
use f9_tests::{example_dir, f9, plugin_dir, text};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What came of it: the exit code, the checks by name, the summary.
struct Verified {
    code: i32,
    checks: BTreeMap<String, Value>,
    summary: Value,
}

impl Verified {
    /// The outcome of a check, and what was seen.
    fn seen(&self, check: &str) -> (&str, &str) {
        let check = self.checks.get(check).unwrap_or_else(|| panic!("{check}: {:?}", self.summary));
        (check["outcome"].as_str().unwrap(), check["seen"].as_str().unwrap_or_default())
    }

    fn outcomes(&self, outcome: &str) -> Vec<&str> {
        let with = self.checks.iter().filter(|(_, check)| check["outcome"] == outcome);
        with.map(|(name, _)| name.as_str()).collect()
    }
}

fn verify(file: &Path, options: &Value, more: &[&str]) -> Verified {
    let mut command = f9();
    command
        .args(["--json", "plugins", "verify"])
        .arg(file)
        .arg("--options")
        .arg(options.to_string())
        .args(more);
    let output = command.output().unwrap();
    let mut verified =
        Verified { code: output.status.code().unwrap(), checks: BTreeMap::new(), summary: Value::Null };
    for line in text(&output.stdout).lines() {
        let mut value: Value = serde_json::from_str(line).unwrap();
        match value["name"].as_str() {
            Some(name) => drop(verified.checks.insert(name.to_owned(), value)),
            None => verified.summary = value["summary"].take(),
        }
    }
    assert!(verified.summary.is_object(), "{}", text(&output.stderr));
    verified
}

fn mutant() -> std::path::PathBuf {
    example_dir().join("libf9_backend_mutant.so")
}

#[test]
fn what_the_host_stands_in_for_is_not_taken_for_the_plugins() {
    let only = ["--only", "copy", "--only", "undeclared"];
    let memory = verify(&example_dir().join("libf9_backend_memory.so"), &json!({}), &only);
    assert_eq!((memory.code, memory.seen("undeclared::copy").0), (0, "passed"));
    assert_eq!(memory.seen("copy::copies_the_content"), ("skipped", "`copy` is not declared"));
    assert_eq!(memory.summary["plugin"]["name"], "memory");
}

#[test]
fn unchanged_the_mutant_conforms_but_for_what_it_does_not_say() {
    let mutant = verify(&mutant(), &json!({}), &[]);
    assert_eq!((mutant.code, mutant.outcomes("failed")), (0, vec![]));
    let lacking =
        "the manifest lists checksum, command, search, sync, which the backend of this connection lacks";
    assert_eq!(mutant.seen("manifest::lists_the_capabilities"), ("warned", lacking));
    let unmarked = "if this is a secret, make it a `Secret`: old_password";
    assert_eq!(mutant.seen("options::secrets_are_marked"), ("warned", unmarked));
    let bare = "without a description, which users are shown: old_password";
    assert_eq!(mutant.seen("options::have_a_schema"), ("warned", bare));
    assert_eq!(mutant.outcomes("warned").len(), 3);
}

/// What the SDK does for its authors makes these right: it refuses the root where it makes no sense, catches panics of a
/// `Drop`, and gives every error the form it should have.
const MADE_RIGHT: [(&str, &str); 5] = [
    ("takes the root for a file called `root`", "paths::the_root_has_only_info_and_list"),
    ("wipes the root", "paths::the_root_has_only_info_and_list"),
    ("takes the root for a directory like any", "paths::the_root_has_no_declared_operation_either"),
    ("panics if it is not read to its end", "list::is_no_snapshot"),
    ("has errors that carry no Error", "open_read::is_one_version_while_deleted"),
];

#[test]
fn every_wrong_backend_is_caught_through_the_library() {
    let rows: Vec<_> = kinds::rows().iter().map(|(wrong, case, _)| (*wrong, *case)).enumerate().collect();
    let full = std::env::var_os("F9_FULL").is_some();
    let chosen: Vec<_> = rows.into_iter().step_by(if full { 1 } else { 4 }).collect();
    let (right, wrong): (Vec<_>, Vec<_>) = chosen.into_iter().partition(|(_, row)| MADE_RIGHT.contains(row));
    let survivors: Vec<_> = in_parallel(&wrong, |number, case| {
        let report = verify_mutant(number, (!full).then_some(case));
        (!is_caught(&report, case)).then(|| format!("{:?}", report.checks))
    });
    let (caught, total) = (wrong.len() - survivors.len(), wrong.len());
    let how = if full { "in the whole suite" } else { "by the case about it; F9_FULL=1 runs all on all" };
    eprintln!("{caught}/{total} wrong backends caught through the library, {how}");
    assert!(survivors.is_empty(), "{caught}/{total} caught; not these: {survivors:#?}");

    let still_wrong = in_parallel(&right, |number, case| {
        let report = verify_mutant(number, (!full).then_some(case));
        let passed = |check: &Check| check.name == case && check.outcome == Outcome::Passed;
        (!report.checks.iter().any(passed)).then(|| report.to_string())
    });
    eprintln!("in {} more the SDK makes right what the case is about", right.len());
    assert!(still_wrong.is_empty(), "{still_wrong:#?}");
}

/// Whether the case about a mutant notices it. One whose root has what cannot be there is not even used.
fn is_caught(report: &Verification, case: &str) -> bool {
    let outcome = |name| report.checks.iter().find(|check| check.name == name).map(|check| check.outcome);
    match outcome(case) {
        Some(Outcome::Failed) => !report.conforms(),
        Some(Outcome::Warned) => case.starts_with("undeclared::"),
        _ => outcome("connection::opens") == Some(Outcome::Failed),
    }
}

fn verify_mutant(number: usize, only: Option<&str>) -> Verification {
    let verifier = Verifier::new(mutant(), json!({"backend": "mutant", "number": number})).unwrap();
    // However busy the machine is: none of them hangs.
    let verifier = verifier.check_timeout(Duration::from_secs(300));
    let verifier = only.into_iter().fold(verifier, Verifier::only);
    let start = || {
        let mut command = f9();
        command.args(["plugins", "serve"]);
        command
    };
    verifier.run(start, |_| {}).unwrap()
}

/// What `find` finds, of rows with their number and case.
fn in_parallel(
    rows: &[(usize, (&str, &str))],
    find: impl Fn(usize, &str) -> Option<String> + Sync,
) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((number, (wrong, case))) = rows.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let one = find(*number, case).map(|seen| format!("{wrong}: {case}: {seen}"));
                    found.lock().unwrap().extend(one);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn what_ends_the_process_is_told_and_the_other_checks_are_run() {
    for (deed, outcome, how) in [
        ("abort", "crashed", "the process was ended by signal 6 (SIGABRT)"),
        (
            "devour",
            "crashed",
            "the process was ended by signal 6 (SIGABRT); it printed \"memory allocation of",
        ),
        ("exit", "crashed", "the process ended with exit code 0"),
        ("overflow", "crashed", "the process was ended by signal 6 (SIGABRT); it printed"),
    ] {
        let mutant = verify(&mutant(), &json!({"deed": deed}), &["--only", "delete", "--only", "create"]);
        assert_eq!(mutant.code, 8, "{deed}");
        let (found, seen) = mutant.seen("delete::removes_a_file");
        assert!(found == outcome && seen.starts_with(how), "{deed}: {found}: {seen}");
        let crashed = mutant.outcomes("crashed");
        assert!(crashed.len() > 3, "{deed}: {crashed:?}");
        assert_eq!(mutant.seen("create::makes_parents").0, "passed", "{deed}");
    }
}

#[test]
fn what_ends_the_process_at_once_ends_the_run_with_it() {
    let mutant = verify(&mutant(), &json!({"deed": "abort", "early": true}), &[]);
    assert_eq!((mutant.code, mutant.seen("connection::opens").0), (8, "crashed"));
    assert_eq!(mutant.seen("create::makes_parents").0, "skipped");
}

#[test]
fn a_check_that_hangs_is_ended_and_three_in_a_row_are_enough() {
    let only = ["--only", "delete", "--only", "manners", "--check-timeout", "1s"];
    let mutant = verify(&mutant(), &json!({"deed": "hang"}), &only);
    assert_eq!((mutant.code, mutant.outcomes("timed_out").len()), (8, 3));
    assert_eq!(mutant.seen("delete::removes_a_file"), ("timed_out", "no answer within 1s"));
    let rest = mutant.seen("manners::prints_nothing");
    assert_eq!(rest, ("skipped", "not run to the end: 3 checks in a row did not end"));
}

#[test]
fn bad_manners_are_noticed() {
    for (options, check, what) in [
        (json!({"deed": "print"}), "manners::prints_nothing", "\"deleting"),
        (json!({"deed": "print_noise"}), "manners::prints_nothing", r#""\u{1b}[2J{\"outcome"#),
        (json!({"deed": "go_elsewhere"}), "manners::keeps_the_working_directory", "it went from "),
        (
            json!({"deed": "set_variable"}),
            "manners::keeps_the_environment",
            "the variable `F9_TEST_MUTANT` has changed",
        ),
    ] {
        let only = ["--only", "delete::removes_a_file", "--only", "manners"];
        let mutant = verify(&mutant(), &options, &only);
        let (outcome, seen) = mutant.seen(check);
        assert!(mutant.code == 8 && outcome == "failed" && seen.starts_with(what), "{options}: {seen}");
        assert_eq!(mutant.seen("delete::removes_a_file").0, "passed", "{options}");
        assert_eq!(mutant.outcomes("failed"), [check], "{options}");
    }
}

#[test]
fn what_a_plugin_logs_of_a_secret_is_hidden_before_anybody_sees_it() {
    let only = ["--only", "manners"];
    let mutant = verify(&mutant(), &json!({"told": "hunter2"}), &only);
    assert_eq!(mutant.seen("manners::tells_no_secret").0, "passed");
    assert_eq!(mutant.code, 0);
}

#[test]
fn files_that_somebody_needs_are_safe() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("precious"), "x").unwrap();
    let file = plugin_dir().join("libf9_backend_local.so");
    let local = verify(&file, &json!({"root": dir.path()}), &[]);
    let why = "the root is not empty, there is `precious`: for a fresh root, write {dir} into the connection";
    assert_eq!((local.code, local.seen("connection::opens")), (2, ("failed", why)));
    assert_eq!(local.summary["wrong_connection"], why);
    assert_eq!(local.outcomes("passed"), ["library::is_named_for_its_plugin", "library::loads"]);
    assert_eq!(fs::read(dir.path().join("precious")).unwrap(), b"x");
}

#[test]
fn the_plugin_is_not_blamed_for_the_connection() {
    let dir = TempDir::new().unwrap();
    let file = plugin_dir().join("libf9_backend_local.so");
    for (options, words) in [
        (json!({}), "invalid_connection: the connection lacks the key `root`"),
        (json!({"rot": "{dir}"}), "did you mean `root`?"),
        (json!({"root": {"$env": "F9_TEST_UNSET"}}), "F9_TEST_UNSET"),
    ] {
        let local = verify(&file, &options, &["--only", "create"]);
        let (outcome, seen) = local.seen("connection::opens");
        assert!(local.code == 2 && outcome == "failed" && seen.contains(words), "{options}: {seen}");
        assert_eq!(
            (&local.summary["wrong_connection"], &local.summary["conforms"]),
            (&json!(seen), &json!(false))
        );
    }
    // Empty at first, and then not for the check after one that has left something.
    let options = json!({"root": dir.path()});
    let local = verify(&file, &options, &["--only", "create"]);
    assert_eq!((local.code, local.outcomes("failed").len()), (2, 1), "{}", local.summary);
    let seen = local.summary["wrong_connection"].as_str().unwrap();
    assert!(seen.starts_with("the root is not empty") && seen.ends_with("write {dir} into the connection"));

    let output = f9().args(["plugins", "verify"]).arg(&file).output().unwrap();
    let last = text(&output.stdout).lines().last().unwrap();
    assert!(last.contains(" not checked, because the connection is wrong: 2 passed, 1 failed"), "{last}");
}

#[test]
fn who_has_not_been_checked_does_not_conform() {
    let memory = example_dir().join("libf9_backend_memory.so");
    let skipped = verify(&memory, &json!({}), &["--only", "copy::copies_the_content"]);
    assert_eq!((skipped.code, skipped.seen("copy::copies_the_content").0), (8, "skipped"));
    assert_eq!(skipped.summary["unfinished"], "what was asked for is not for this plugin or connection");

    let dir = TempDir::new().unwrap();
    let xml = dir.path().join("report.xml");
    let more = [
        "--only",
        "create",
        "--setup",
        "sleep 79",
        "--total-timeout",
        "1s",
        "--junit",
        xml.to_str().unwrap(),
    ];
    let began = Instant::now();
    let cut = verify(&memory, &json!({}), &more);
    assert!(began.elapsed() < Duration::from_secs(20), "it waits for the setup");
    assert_eq!((cut.code, &cut.summary["unfinished"]), (8, &json!("1s for all checks were up")));
    assert_eq!((&cut.summary["failed"], &cut.summary["conforms"]), (&json!(0), &json!(false)));
    assert_eq!(cut.seen("create::makes_parents"), ("skipped", "not run: 1s for all checks were up"));
    let xml = fs::read_to_string(xml).unwrap();
    assert!(xml.contains(r#"<error type="unfinished" message="1s for all checks were up"/>"#), "{xml}");

    // Nor is it said of a plugin that it has not answered, when the time for all was up.
    let hung = verify(&mutant(), &json!({"deed": "hang"}), &["--only", "delete", "--total-timeout", "2s"]);
    assert_eq!((hung.code, hung.outcomes("timed_out").len()), (8, 0));
    let cut =
        hung.outcomes("skipped").into_iter().find(|name| hung.seen(name).1.starts_with("not run to the end"));
    assert_eq!(hung.seen(cut.unwrap()).1, "not run to the end: 2s for all checks were up");
}

#[test]
fn what_cannot_be_loaded_is_told_as_by_any_host() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("libf9_backend_broken.so");
    fs::write(&file, "not a library").unwrap();
    let broken = verify(&file, &json!({}), &[]);
    let seen = broken.seen("library::loads");
    assert_eq!((broken.code, seen), (8, ("failed", "it is not a shared library (not-a-library)")));
}

#[test]
fn the_report_is_for_people_and_for_junit_too() {
    let dir = TempDir::new().unwrap();
    let junit = dir.path().join("report.xml");
    let output = f9()
        .args(["plugins", "verify"])
        .arg(mutant())
        .args(["--options", r#"{"deed": "abort"}"#, "--only", "delete::removes_a_file", "--only", "create"])
        .arg("--junit")
        .arg(&junit)
        .output()
        .unwrap();
    let printed = text(&output.stdout);
    let told =
        "CRASHED delete::removes_a_file\n  rule: Removes a file.\n  seen: the process was ended by signal 6";
    assert!(printed.contains(told), "{printed}");
    assert!(
        printed.ends_with(" skipped\n") && printed.contains("\nmutant 0.1.0 does not conform: "),
        "{printed}"
    );
    let xml = fs::read_to_string(junit).unwrap();
    let case = r#"<testcase classname="delete" name="removes_a_file""#;
    assert!(
        xml.contains(case) && xml.contains(r#"<error type="crashed" message="Removes a file.">"#),
        "{xml}"
    );
}

#[test]
fn a_wrong_request_is_no_verdict_on_the_plugin() {
    let fails = |arguments: &[&str]| {
        let output = f9().args(["plugins", "verify"]).args(arguments).output().unwrap();
        (output.status.code().unwrap(), text(&output.stderr).to_owned())
    };
    let file = mutant().display().to_string();
    let (code, errors) = fails(&["nope.so"]);
    assert!(code == 3 && errors.starts_with("f9: nope.so: No such file or directory"), "{code}: {errors}");
    let dir = TempDir::new().unwrap();
    let misnamed = dir.path().join("some.so");
    fs::write(&misnamed, "").unwrap();
    for (arguments, what) in [
        (vec![misnamed.to_str().unwrap()], "some.so is not called as a plugin is"),
        (vec![&file, "--options", "{"], "the options are not JSON"),
        (vec![&file, "--options", "[]"], "the options are no JSON object"),
        (
            vec![&file, "--setup", "echo no room >&2; exit 3"],
            "the setup command failed: exit status: 3: no room",
        ),
        (
            vec![&file, "--setup", "sleep 79", "--check-timeout", "1s"],
            "the setup command failed: it did not end within 1s",
        ),
        (
            vec![&file, "--only", "zzz"],
            "no check is called `zzz`; they begin with capabilities, checksum, connection,",
        ),
        (
            vec![&file, "--only", "create", "--only", "delte"],
            "no check is called `delte`; did you mean `delete`?",
        ),
        (vec![&file, "--check-timeout", "soon"], "expected seconds, or a number with ms, s, m or h"),
    ] {
        let (code, errors) = fails(&arguments);
        assert!(code == 2 && errors.contains(what), "{arguments:?}: {code}: {errors}");
    }
}

/// Waits until a process does not run any more.
#[track_caller]
fn ends(process: u32, what: &str) {
    let began = Instant::now();
    while runs(process) {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} goes on");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn what_the_setup_leaves_running_is_there_for_the_check_and_then_ends() {
    let dir = TempDir::new().unwrap();
    let pids = dir.path().join("pids");
    let setup = format!("sleep 79 & echo $! >> '{}'", pids.display());
    let began = Instant::now();
    let memory = example_dir().join("libf9_backend_memory.so");
    let memory = verify(&memory, &json!({}), &["--only", "create", "--setup", &setup]);
    assert_eq!(memory.code, 0, "{}", memory.summary);
    assert!(began.elapsed() < Duration::from_secs(60), "it waits for what was left running");
    let pids = fs::read_to_string(pids).unwrap();
    assert!(pids.lines().count() > 3, "{pids}");
    pids.lines().for_each(|pid| ends(pid.parse().unwrap(), "what a setup has started"));
}

#[test]
fn a_setup_that_hangs_does_not_outlive_who_verifies() {
    for (how, code) in [("--timeout", 7), ("SIGINT", 130)] {
        let dir = TempDir::new().unwrap();
        let pid = dir.path().join("pid");
        let mut command = f9();
        command.env("TMPDIR", dir.path());
        command.args(if how == "--timeout" { vec!["--timeout", "2s"] } else { vec![] });
        command.args(["plugins", "verify"]).arg(mutant());
        command.args([
            "--setup",
            &format!("sleep 79 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", pid.display()),
        ]);
        let mut verifying = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let sleeping = loop {
            match fs::read_to_string(&pid) {
                Ok(pid) => break pid.trim().parse().unwrap(),
                Err(_) => assert!(began.elapsed() < Duration::from_secs(60), "there is no setup"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        if how == "SIGINT" {
            let sent = Command::new("kill").args(["-INT", &verifying.id().to_string()]).status();
            assert!(sent.unwrap().success());
        }
        assert_eq!(verifying.wait().unwrap().code(), Some(code), "{how}");
        ends(sleeping, how);
        fs::remove_file(&pid).unwrap();
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{how}: {left:?}");
    }
}

/// The process that has the plugin in it.
fn child_of(parent: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

/// Whether a process runs; one that waits to be looked at by its parent does not.
fn runs(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[test]
fn a_plugin_that_hangs_does_not_outlive_who_verifies_it() {
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let mut command = f9();
        command.args(["plugins", "verify"]).arg(mutant());
        command.args(["--options", r#"{"deed": "hang", "early": true}"#, "--check-timeout", "5m"]);
        let mut verifying = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        let child = loop {
            match child_of(verifying.id()) {
                Some(child) => break child,
                None => assert!(began.elapsed() < Duration::from_secs(60), "it starts no process"),
            }
            thread::sleep(Duration::from_millis(5));
        };
        thread::sleep(Duration::from_millis(300)); // for the plugin to be there
        assert!(runs(child));
        let sent = Command::new("kill").args([&format!("-{signal}"), &verifying.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(verifying.wait().unwrap().code(), code, "{signal}");
        ends(child, signal);
    }
}
