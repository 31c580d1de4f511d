//! The `openai` plugin: files in an OpenAI vector store.

#![deny(unsafe_op_in_unsafe_fn)]

mod api;
mod backend;
mod catalog;
mod codec;
mod failure;
mod index;
mod info;
mod locks;
mod options;
mod read;
mod record;
mod remove;
mod search;
mod store;
mod sweep;
mod types;
mod write;

#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, RandomState};

use f9_plugin_api::{Capabilities, Context, Plugin, Result, export_plugin};

use crate::{backend::OpenAi, options::OpenAiOptions};

struct OpenAiPlugin;

impl Plugin for OpenAiPlugin {
    const NAME: &'static str = "openai";
    const CAPABILITIES: Capabilities = OpenAi::CAPABILITIES;
    type Options = OpenAiOptions;
    type Backend = OpenAi;

    fn open(options: OpenAiOptions, context: Context) -> Result<OpenAi> {
        OpenAi::open(&options, context)
    }
}

export_plugin!(OpenAiPlugin);

/// A number that nobody else is likely to have drawn: std seeds its hashers at random.
fn random() -> u64 {
    RandomState::new().hash_one(0)
}
