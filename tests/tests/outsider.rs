//! A plugin of somebody else: a crate outside this workspace that depends on the SDK alone.

use f9_host::ErrorKind;
use f9_tests::{
    host_of,
    variant::{cargo_in_fixture, nested, run},
};
use serde_json::json;

#[test]
fn it_builds_is_found_and_says_what_it_is() {
    run(&mut cargo_in_fixture("outsider", &["build"]));
    let host = host_of(&[nested().join("debug")]);
    // That it keeps the contract is verified with the other plugins, in `verified.rs`.
    let manifest = host.plugin(&"bundle".parse().unwrap()).unwrap().manifest().clone();
    assert_eq!(
        (manifest.version.as_str(), manifest.description.as_str()),
        ("0.3.0", "All files in one JSON document")
    );
    let error = host.open(json!({"backend": "bundle", "fil": "x"})).unwrap_err();
    assert_eq!((error.kind(), error.advice()), (ErrorKind::InvalidConnection, Some("did you mean `file`?")));
}

#[test]
fn its_own_tests_pass() {
    if std::env::var_os("F9_FULL").is_none() {
        eprintln!("skipped: builds the plugin once more, for its own tests; F9_FULL=1 does it");
        return;
    }
    run(&mut cargo_in_fixture("outsider", &["test"]));
}
