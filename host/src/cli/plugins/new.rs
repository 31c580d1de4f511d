//! The command that begins a new plugin.

use std::path::PathBuf;

use clap::Args;
use f9_host::{NewPlugin, PluginName, Result, serde_json::json};

use super::plugin_name;
use crate::cli::{output::Output, terminal::one_line};

const NOTES: &str = "\
The crate depends on the released f9-plugin-api of this program's version. Until there is one, or to
work with changes of it, take it from a clone of f9's repository with --api-path.

Example:
  f9 plugins new notes --api-path ~/src/f9/plugin-api";

#[derive(Debug, Args)]
#[command(after_help = NOTES)]
pub(crate) struct New {
    /// What connections will call it: 1 to 32 characters, a-z, 0-9 and _, the first of them a letter.
    #[arg(value_name = "NEW_NAME", value_parser = plugin_name)]
    name: PluginName,
    /// Where the crate is to be, instead of f9-plugin-NEW_NAME.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where f9-plugin-api is, instead of crates.io.
    #[arg(long, value_name = "DIR")]
    api_path: Option<PathBuf>,
}

pub(crate) fn run(arguments: &New, output: &mut Output) -> Result<()> {
    let dir = arguments.dir.clone().unwrap_or_else(|| format!("f9-plugin-{}", arguments.name).into());
    let plugin = NewPlugin::new(arguments.name.clone());
    let plugin = arguments.api_path.iter().fold(plugin, NewPlugin::api_path);
    plugin.create(&dir)?;
    let (shown, library) = (dir.display().to_string(), plugin.library());
    output.either(
        &json!({"dir": shown, "name": arguments.name.as_str(), "library": library}),
        format_args!(
            "{0}: a plugin that works; try it:\n  cd {0}\n  cargo test\n  cargo build\n  f9 plugins verify \
             target/debug/{library}",
            one_line(&shown)
        ),
    )
}
