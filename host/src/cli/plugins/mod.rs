//! The commands on plugins.

mod doctor;
mod inspect;
mod list;
mod lock;
mod new;
#[cfg(unix)]
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use f9_host::{Error, ErrorKind, PluginName, Result};

use super::{failure::exit_code, output::Output, session::Session};
use lock::LockCommand;

/// The exit code of what was told of a plugin that is not usable: that of trying to open it.
const UNUSABLE: u8 = exit_code(ErrorKind::PluginRefused);

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
    /// Tell what is in a file without running any of it. Exit code 8 if by its bytes this host cannot use it: permissions are not judged.
    #[command(after_help = "Example:\n  f9 plugins inspect ./libf9_backend_git.so")]
    Inspect { file: PathBuf },
    /// Tell where plugins are looked for, what is found, and what keeps it from being loaded; then the exit code is 8.
    #[command(after_help = "Examples:\n  f9 plugins doctor\n  f9 plugins doctor git")]
    Doctor {
        #[arg(value_name = "PLUGIN", value_parser = plugin_name)]
        name: Option<PluginName>,
    },
    /// Keep a list of the files that may be loaded.
    #[command(subcommand)]
    Lock(LockCommand),
    /// Begin a new plugin: a crate that builds and passes `verify`.
    New(new::New),
    /// Run the conformance suite on a plugin's file, in a process of its own.
    #[cfg(unix)]
    Verify(verify::Verify),
    #[cfg(unix)]
    #[command(hide = true)]
    Serve(verify::Serve),
}

/// Reads the name of a plugin; of what is none, it tells the rule.
pub(super) fn plugin_name(text: &str) -> Result<PluginName, String> {
    let told = |error: Error| match error.advice() {
        Some(advice) => format!("{}; {advice}", error.message()),
        None => error.message().to_owned(),
    };
    text.parse().map_err(told)
}

pub(crate) fn run(plugins: &Plugins, session: &Session<'_>, output: &mut Output) -> Result<()> {
    match &plugins.command {
        None | Some(PluginsCommand::List) => list::run(session.host(), output),
        Some(PluginsCommand::Inspect { file }) => inspect::run(file, output),
        Some(PluginsCommand::Doctor { name }) => doctor::run(name.as_ref(), session, output),
        Some(PluginsCommand::Lock(command)) => lock::run(command, session, output),
        Some(PluginsCommand::New(arguments)) => new::run(arguments, output),
        #[cfg(unix)]
        Some(PluginsCommand::Verify(arguments)) => verify::run(arguments, session, output),
        #[cfg(unix)]
        Some(PluginsCommand::Serve(arguments)) => verify::serve(arguments),
    }
}
