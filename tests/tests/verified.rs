//! Every plugin of this project, and one of somebody else, passes `f9 plugins verify`: all that any author's must.

use std::{fs, path::Path};

use f9_openai_server::{API_KEY, Server};
use f9_tests::{
    example_dir, f9, plugin_dir, text,
    variant::{cargo_in_fixture, nested, run},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Runs the command, prints its summary, and expects neither a failure nor a warning.
#[track_caller]
fn verify(file: &Path, options: &Value, setup: Option<&str>) {
    let mut command = f9();
    command.args(["plugins", "verify"]).arg(file).args(["--options", &options.to_string()]);
    command.args(setup.iter().flat_map(|setup| ["--setup", setup]));
    // A setup finds its programs there.
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let output = command.output().unwrap();
    let printed = text(&output.stdout);
    eprint!("{printed}");
    let fine = output.status.code() == Some(0) && printed.contains(" conforms: ");
    assert!(fine && printed.contains(" 0 warnings"), "{}: {printed}{}", output.status, text(&output.stderr));
}

fn shipped(name: &str) -> std::path::PathBuf {
    plugin_dir().join(format!("libf9_backend_{name}.so"))
}

#[test]
fn memory() {
    verify(&example_dir().join("libf9_backend_memory.so"), &json!({}), None);
}

#[test]
fn local() {
    verify(&shipped("local"), &json!({"root": "{dir}/root"}), None);
}

#[test]
fn git() {
    let options = json!({"remote_url": "{dir}/remote.git", "path": "{dir}/tree"});
    verify(&shipped("git"), &options, Some("git init --quiet --bare --initial-branch=main remote.git"));
}

#[test]
fn openai() {
    let (server, stores) = (Server::start(), TempDir::new().unwrap());
    for number in 0..200 {
        fs::write(stores.path().join(number.to_string()), server.create_vector_store()).unwrap();
    }
    let options = json!({
        "api_key": API_KEY, "vector_store_id": {"$file": "{dir}/store"}, "base_url": server.base_url(),
        "cache_ttl": 3600, "max_retries": 0,
    });
    // Each check takes a store that none before it had.
    let setup = format!("set -- '{}'/*; mv \"$1\" store", stores.path().display());
    verify(&shipped("openai"), &options, Some(&setup));
}

#[test]
fn somebody_elses() {
    run(&mut cargo_in_fixture("outsider", &["build"]));
    verify(&nested().join("debug/libf9_backend_bundle.so"), &json!({"file": "{dir}/files.json"}), None);
}
