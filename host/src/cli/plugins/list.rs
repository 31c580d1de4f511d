//! Which plugins there are.

use f9_host::{Host, Result};

use crate::cli::output::Output;

pub(super) fn run(host: &Host, output: &mut Output) -> Result<()> {
    let files = host.plugins();
    for file in &files {
        output.plugin(file)?;
    }
    output.plugin_dirs(&host.plugin_dirs(), files.is_empty())
}
