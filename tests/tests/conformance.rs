//! The contract, checked through the boundary: on the plugins of this build as a host loads them.

use f9_host::FileBackend;
use f9_plugin_api::conformance;
use f9_tests::{example_dir, host_of};
use serde_json::json;

#[test]
fn the_plugin_of_the_front_page_conforms_when_loaded() {
    let host = host_of(&[example_dir()]);
    conformance::run(|| -> Box<dyn FileBackend> {
        Box::new(host.open(json!({"backend": "memory"})).unwrap())
    })
    .assert();
}
