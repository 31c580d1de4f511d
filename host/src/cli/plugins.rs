//! The command that tells which plugins there are.

use f9_host::{Host, Result};

use super::output::Output;

pub(crate) fn list(host: &Host, output: &mut Output) -> Result<()> {
    let files = host.plugins();
    for file in &files {
        output.plugin(file)?;
    }
    output.plugin_dirs(&host.plugin_dirs(), files.is_empty())
}
