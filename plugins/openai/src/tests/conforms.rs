//! The contract's suite, in each of the service's moods.

use f9_openai_server::{Server, Settings};
use f9_plugin_api::conformance;
use serde_json::json;

use super::open_with;

fn conforms(settings: Settings, options: serde_json::Value) {
    let server = Server::with(settings);
    conformance::run(|| Box::new(open_with(&server, &server.create_vector_store(), options.clone())))
        .assert();
}

#[test]
fn conforms_to_the_contract() {
    conforms(Settings::default(), json!({}));
}
