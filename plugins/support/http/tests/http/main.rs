//! The client against servers that behave, and servers that do not.

#![allow(clippy::unwrap_used, reason = "tests, their helpers included")]

mod client;
mod server;
mod tls;
