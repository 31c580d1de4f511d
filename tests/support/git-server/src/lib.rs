//! Git servers for tests, with nothing to set up but the `git` program.
//!
//! They serve a directory of bare repositories on 127.0.0.1, on a free port, from threads of the test's own process, and end
//! when they are dropped. They can also behave as no server should.

mod http;
mod ssh;
mod tls;

pub use http::{Behaviour, HttpServer, Login, Seen};
pub use ssh::{KeyKind, SshBehaviour, SshServer, make_key};
pub use tls::Authority;
