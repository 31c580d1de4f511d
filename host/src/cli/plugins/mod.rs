//! The commands on plugins.

mod list;
#[cfg(unix)]
mod verify;

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
    /// Run the conformance suite on a plugin's file, in a process of its own.
    #[cfg(unix)]
    Verify(verify::Verify),
    #[cfg(unix)]
    #[command(hide = true)]
    Serve(verify::Serve),
}

pub(crate) fn run(plugins: &Plugins, session: &Session<'_>, output: &mut Output) -> Result<()> {
    match &plugins.command {
        None | Some(PluginsCommand::List) => list::run(session.host(), output),
        #[cfg(unix)]
        Some(PluginsCommand::Verify(arguments)) => verify::run(arguments, session, output),
        #[cfg(unix)]
        Some(PluginsCommand::Serve(arguments)) => verify::serve(arguments),
    }
}
