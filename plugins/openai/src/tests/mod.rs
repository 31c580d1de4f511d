//! The backend against the strict stand-in for the service.

mod conforms;

use f9_openai_server::{API_KEY, Server};
use f9_plugin_api::{Context, parse_options};
use serde_json::{Value, json};

use crate::backend::OpenAi;

/// A backend on the server's store, with more options.
fn open_with(server: &Server, store: &str, more: Value) -> OpenAi {
    let mut options = json!({"api_key": API_KEY, "vector_store_id": store, "base_url": server.base_url()});
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let Value::Object(options) = options else { unreachable!("it was made an object") };
    OpenAi::open(&parse_options(options).unwrap(), Context::detached()).unwrap()
}
