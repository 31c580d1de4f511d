//! The contract, checked through the boundary: on the plugins of this build as a host loads them.

use f9_host::FileBackend;
use f9_plugin_api::conformance;
use f9_tests::{example_dir, host, host_of};
use serde_json::json;

#[test]
fn the_plugin_of_the_front_page_conforms_when_loaded() {
    let host = host_of(&[example_dir()]);
    conformance::run(|| -> Box<dyn FileBackend> {
        Box::new(host.open(json!({"backend": "memory"})).unwrap())
    })
    .assert();
}

#[test]
fn the_local_plugin_conforms_when_loaded() {
    let (host, parent) = (host(), tempfile::TempDir::new().unwrap());
    let roots = std::cell::Cell::new(0);
    conformance::run(|| -> Box<dyn FileBackend> {
        let root = parent.path().join(roots.replace(roots.get() + 1).to_string());
        Box::new(host.open(json!({"backend": "local", "root": root})).unwrap())
    })
    .assert();
}
