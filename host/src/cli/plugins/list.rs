//! Which plugins there are.

use f9_host::{Host, PluginDir, PluginFile, Result};

use crate::cli::{output::Output, terminal::one_line};

pub(super) fn run(host: &Host, output: &mut Output) -> Result<()> {
    let files = host.plugins();
    for file in &files {
        if output.is_json() {
            output.json_line(file)?;
        } else {
            plugin(file, output)?;
        }
    }
    if !output.is_json() && (output.is_verbose() || files.is_empty()) {
        searched(&host.plugin_dirs(), files.is_empty(), output)?;
    }
    Ok(())
}

/// Whatever a file that was not even run says of itself stays on its line.
fn plugin(file: &PluginFile, output: &mut Output) -> Result<()> {
    let (name, path) = (&file.name, one_line(&file.path.display().to_string()));
    if let Some(refusal) = &file.refusal {
        output.line(format_args!("{name}: not usable: {}", one_line(&refusal.to_string())))?;
        let remedy = one_line(&output.typeable(&refusal.remedy));
        return output.line(format_args!("  {path}; {remedy}"));
    }
    if let Some(manifest) = &file.manifest {
        let line = format!("{name} {}: {}", manifest.version, manifest.description);
        output.line(format_args!("{}", one_line(&line)))?;
        output.line(format_args!("  {path} [{}]", one_line(&manifest.capabilities.join(", "))))?;
    }
    Ok(())
}

fn searched(dirs: &[PluginDir], nothing_found: bool, output: &mut Output) -> Result<()> {
    output.line(format_args!("{}searched:", if nothing_found { "no plugin found; " } else { "" }))?;
    for dir in dirs {
        let problem = dir.problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default();
        output.line(format_args!("  {}{problem}", one_line(&dir.path.display().to_string())))?;
    }
    Ok(())
}
