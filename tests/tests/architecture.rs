//! The arrows between the packages, as the README draws them: whatever is not allowed here fails.

use std::{collections::BTreeSet, process::Command};

use f9_tests::repository;
use serde_json::Value;

/// Which of our packages each of our packages may depend on, tests aside.
fn may_depend_on(package: &str) -> &'static [&'static str] {
    match package {
        "f9-plugin-abi" => &[],
        "f9-plugin-api" => &["f9-plugin-abi"],
        "f9-host" => &["f9-plugin-abi", "f9-plugin-api"],
        "f9-tree" | "f9-http" => &["f9-plugin-api"],
        "f9-plugin-local" => &["f9-plugin-api", "f9-tree"],
        "f9-plugin-git" => &["f9-plugin-api", "f9-tree", "f9-http"],
        "f9-plugin-openai" => &["f9-plugin-api", "f9-http"],
        // Servers that tests start know nothing of ours.
        "f9-git-server" | "f9-openai-server" => &[],
        "f9-benches" => &[], // all it needs is for its benchmarks
        "f9-tests" => &["f9-host", "f9-plugin-api", "f9-git-server", "f9-openai-server"],
        other => panic!("package `{other}` has no place yet: say here what it may depend on"),
    }
}

fn packages() -> Vec<Value> {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(repository())
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&cargo.stdout).expect("metadata is JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn dependencies(package: &Value, test_only: bool) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().expect("dependencies").iter();
    let wanted = dependencies.filter(|dependency| (dependency["kind"] == "dev") == test_only);
    wanted.filter_map(|dependency| dependency["name"].as_str()).collect()
}

#[test]
fn no_package_depends_on_what_it_should_not_know() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let ours = dependencies(&package, false).into_iter().filter(|name| name.starts_with("f9-"));
        for dependency in ours {
            assert!(may_depend_on(name).contains(&dependency), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn abi_stable_is_named_by_the_boundary_alone() {
    for package in packages() {
        let uses = dependencies(&package, false).contains("abi_stable");
        assert_eq!(uses, package["name"] == "f9-plugin-abi", "{}", package["name"]);
    }
}

#[test]
fn every_plugin_is_a_library_that_only_a_host_can_use() {
    for package in packages() {
        let name = package["name"].as_str().unwrap();
        let Some(plugin) = name.strip_prefix("f9-plugin-").filter(|name| !matches!(*name, "abi" | "api"))
        else {
            continue;
        };
        let target = &package["targets"][0];
        assert_eq!(target["crate_types"], serde_json::json!(["cdylib"]), "{name}");
        assert_eq!(target["name"], format!("f9_backend_{plugin}"));
    }
}

#[test]
fn there_is_one_program() {
    let packages = packages();
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
    let programs: Vec<_> =
        targets.filter(|target| target["kind"][0] == "bin").map(|target| &target["name"]).collect();
    assert_eq!(programs, ["f9"]); // so that a plain `cargo run` knows what to run
}
