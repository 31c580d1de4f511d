//! The HTTP client of f9's plugins.
//!
//! Blocking, callable from any thread (also one that runs somebody's async runtime), and strict where a storage has to be:
//!
//! - **TLS** by rustls with the *ring* provider. Trusted are Mozilla's roots and what the connection names
//!   ([`ClientOptions::ca_bundle`]); no environment variable and no system setting has a say.
//! - **Proxies** only if the connection names one. **Redirects** are never followed: a credential goes to the host it was
//!   meant for and nowhere else.
//! - **Time** is bounded thrice: for connecting, for silence (no byte moved either way), and, where a request asks for it,
//!   in total. **Cancellation** by the host ends a request within a tenth of a second.
//! - **Bodies** stream both ways: a request's from a `Read`, a response's as a `Read`, each in bounded memory. A request
//!   body that breaks off is never completed, so a server cannot take half of it for all.
//! - **Errors** are [`f9_plugin_api::Error`]s of a fitting kind, and hold no credential, no query and no header.
//! - **Retries** are a policy that each request picks ([`RetryPolicy`]); by default there are none. A limit that a server has
//!   on requests is kept to by those that share a [`Pace`].
//!
//! ```no_run
//! use std::io::Read;
//!
//! use f9_http::{Client, ClientOptions, Request, Url, parse_url};
//! use f9_plugin_api::{Context, Result, Secret};
//!
//! fn refs(repository: &str, password: &Secret, context: Context) -> Result<Vec<u8>> {
//!     let client = Client::new(&ClientOptions::default(), context)?;
//!     let url: Url = parse_url(&format!("{repository}/info/refs?service=git-upload-pack"))?;
//!     let response = client.send(Request::get(url).basic("user", password))?.error_for_status()?;
//!     let mut refs = Vec::new();
//!     response.into_reader().read_to_end(&mut refs)?;
//!     Ok(refs)
//! }
//! ```

mod client;
mod date;
mod error;
mod exchange;
mod options;
mod pace;
mod request;
mod response;
mod retry;
mod runtime;

pub use client::Client;
pub use error::parse_url;
pub use options::ClientOptions;
pub use pace::Pace;
pub use request::{Body, Request};
pub use response::{Response, ResponseReader};
pub use retry::RetryPolicy;

pub use reqwest::{Method, StatusCode, Url, header};
