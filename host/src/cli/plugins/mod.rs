//! The commands on plugins.

mod list;

use clap::{Args, Subcommand};
use f9_host::Result;

use super::{output::Output, session::Session};

#[derive(Debug, Args)]
pub(crate) struct Plugins {
    /// Without one: list.
    #[command(subcommand)]
    command: Option<PluginsCommand>,
}

#[derive(Debug, Subcommand)]
enum PluginsCommand {
    /// List the plugins that are found, and why a candidate is not usable.
    #[command(after_help = "Example:\n  f9 plugins list")]
    List,
}

pub(crate) fn run(plugins: &Plugins, session: &Session<'_>, output: &mut Output) -> Result<()> {
    match &plugins.command {
        None | Some(PluginsCommand::List) => list::run(session.host(), output),
    }
}
