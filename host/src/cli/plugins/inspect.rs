//! What is in a file.

use std::path::Path;

use f9_host::{Inspection, Result, inspect};

use super::UNUSABLE;
use crate::cli::{output::Output, terminal::one_line};

/// Without `-v` no more names than this are listed.
const FEW: usize = 8;

pub(super) fn run(file: &Path, output: &mut Output) -> Result<()> {
    let inspection = inspect(file);
    if inspection.refusal.is_some() {
        output.end_with(UNUSABLE);
    }
    if output.is_json() { output.json_line(&inspection) } else { facts(&inspection, output) }
}

fn facts(inspection: &Inspection, output: &mut Output) -> Result<()> {
    let few = if output.is_verbose() { usize::MAX } else { FEW };
    let mut fact = |label: &str, text: &str| output.line(format_args!("{label:<14}{}", one_line(text)));
    fact("file:", &inspection.path.display().to_string())?;
    if let Some(size) = inspection.size {
        fact("size:", &format!("{size} bytes"))?;
    }
    if let Some(sha256) = &inspection.sha256 {
        fact("sha256:", sha256)?;
    }
    if let Some(kind) = &inspection.kind {
        fact("kind:", kind)?;
        fact("exports:", &some(&inspection.exports, few))?;
        fact("needs:", &some(&inspection.needs, few))?;
    }
    if let Some(manifest) = &inspection.manifest {
        fact("name:", &manifest.name)?;
        fact("version:", &manifest.version)?;
        fact("description:", &manifest.description)?;
        fact("target:", &manifest.target)?;
        fact("plugin ABI:", &manifest.abi)?;
        fact("capabilities:", &some(&manifest.capabilities, few))?;
    }
    match &inspection.refusal {
        None => fact(
            "usable here:",
            "yes, by its headers and its manifest; its permissions and the lock are for `f9 plugins doctor`",
        ),
        Some(refusal) => {
            fact("usable here:", &format!("no: {refusal}"))?;
            fact("what to do:", &refusal.remedy)
        }
    }
}

fn some(names: &[String], few: usize) -> String {
    let rest = names.len().saturating_sub(few);
    let shown = names.iter().take(few).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (names.is_empty(), rest) {
        (true, _) => "nothing".to_owned(),
        (false, 0) => shown,
        (false, rest) => format!("{shown}, and {rest} more (-v tells them)"),
    }
}
