//! Plugins that were built long ago, with every released version of the ABI, run in the host of today.

use std::{fs, path::PathBuf};

use f9_host::{FileBackend, Host};
use f9_plugin_api::{ChecksumAlgorithm, conformance};
use f9_tests::{f9, host_of, plugin_dir, repository, text};
use serde_json::json;
use tempfile::TempDir;

/// The directories of the golden libraries for this platform, by version of the ABI.
fn golden() -> Vec<PathBuf> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu")) {
        eprintln!("skipped: the golden libraries are for x86_64-unknown-linux-gnu");
        return Vec::new();
    }
    let versions =
        fs::read_dir(repository().join("tests/golden")).unwrap().map(|entry| entry.unwrap().path());
    let mut golden: Vec<_> = versions.filter(|path| path.is_dir()).collect();
    golden.sort();
    assert!(!golden.is_empty());
    golden.into_iter().map(|version| version.join("x86_64-unknown-linux-gnu")).collect()
}

#[test]
fn each_conforms_by_itself_and_with_the_host_standing_in() {
    for dir in golden() {
        let library = dir.join("libf9_backend_memory.so");
        let output = f9().args(["plugins", "verify"]).arg(&library).output().unwrap();
        let printed = text(&output.stdout);
        eprint!("{}: {printed}", dir.display());
        assert!(output.status.success(), "{printed}{}", text(&output.stderr));

        // Whoever checked the repository out may share it with a group.
        let host = Host::builder().no_default_dirs().plugin_dir(&dir);
        let host = host.allow_unsafe_permissions("memory".parse().unwrap()).build();
        conformance::run(|| -> Box<dyn FileBackend> {
            Box::new(host.open(json!({"backend": "memory"})).unwrap())
        })
        .assert();
    }
}

#[test]
fn each_is_as_it_was_built() {
    let dir = TempDir::new().unwrap();
    let scratch = host_of(&[plugin_dir()]).open(json!({"backend": "local", "root": dir.path()})).unwrap();
    for dir in golden() {
        scratch.write("library", &fs::read(dir.join("libf9_backend_memory.so")).unwrap()).unwrap();
        let checksum = scratch.checksum("library", ChecksumAlgorithm::Sha256).unwrap();
        let built = fs::read_to_string(dir.join("built-with.txt")).unwrap();
        assert!(built.contains(&format!("{checksum}  libf9_backend_memory.so\n")), "{checksum}: {built}");
    }
}
