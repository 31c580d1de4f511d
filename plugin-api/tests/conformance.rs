//! What the suite says of a backend that conforms, and how.

use f9_plugin_api::{
    Capabilities, FileBackend,
    conformance::{self, Report, StrictMemory, Verdict},
};

fn strict() -> Box<dyn FileBackend> {
    Box::new(StrictMemory::new())
}

#[test]
fn strict_memory_conforms() {
    let report = conformance::run(strict);
    report.assert();
    let skipped: Vec<_> = report.skipped.iter().map(|outcome| outcome.name).collect();
    let undeclared = ["undeclared::copy", "undeclared::rename", "undeclared::open_write"];
    assert!(undeclared.iter().all(|name| skipped.contains(name)), "{skipped:?}");
    assert!(!skipped.contains(&"undeclared::checksum") && skipped.contains(&"checksum::fails_as_read"));
}

#[test]
fn cases_can_be_run_one_by_one() {
    let case = conformance::case("create::makes_parents").unwrap();
    assert_eq!(case.run(strict), Verdict::Passed);
    assert!(conformance::case("create::no_such_case").is_none());
    let mut report = Report::default();
    conformance::cases().take(3).for_each(|case| report.add(case, case.run(strict)));
    assert_eq!(report.passed.len() + report.skipped.len(), 3);
}

#[test]
fn names_are_unique_and_rules_are_sentences() {
    let mut names: Vec<_> = conformance::cases().map(|case| case.name()).collect();
    names.sort_unstable();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    for case in conformance::cases() {
        assert!(case.rule().ends_with('.'), "{}: {}", case.name(), case.rule());
    }
}

#[test]
fn a_panic_is_a_failed_case_and_the_suite_goes_on() {
    let report = conformance::run(|| panic!("no storage today"));
    assert_eq!((report.passed.len(), report.failed.len()), (0, conformance::cases().count()));
    assert_eq!(report.failed[0].seen.as_deref(), Some("a panic: no storage today"));
}

#[test]
fn a_report_can_be_read_by_people_and_programs() {
    let mut report = Report::default();
    let case = conformance::case("create::makes_parents").unwrap();
    report.add(case, Verdict::Failed("nothing".to_owned()));
    report.add(conformance::case("delete::removes_a_file").unwrap(), Verdict::Passed);
    let text = report.to_string();
    assert!(
        text.starts_with("FAILED create::makes_parents\n  rule: Creates a file with its parent directories.")
    );
    assert!(text.ends_with("  seen: nothing\n1 passed, 1 failed, 0 skipped"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["failed"][0]["seen"], "nothing");
    assert_eq!(
        json["passed"],
        serde_json::json!([{
            "name": "delete::removes_a_file", "rule": "Removes a file.",
        }])
    );
    assert!(std::panic::catch_unwind(|| report.assert()).is_err());
}

#[test]
fn strict_memory_has_every_capability_that_concerns_files_but_checksums() {
    let expected = Capabilities::COPY | Capabilities::RENAME | Capabilities::OPEN_WRITE;
    assert_eq!(strict().capabilities(), expected);
}
