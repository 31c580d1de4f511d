//! Why a plugin is found or not, and used or not.

use f9_host::{Diagnosis, PluginFile, PluginName, Result};

use super::UNUSABLE;
use crate::cli::{output::Output, session::Session, terminal::one_line};

pub(super) fn run(name: Option<&PluginName>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let diagnosis = session.host().diagnose(name);
    if !diagnosis.is_healthy() {
        output.end_with(UNUSABLE);
    }
    if output.is_json() { output.json_line(&diagnosis) } else { tell(&diagnosis, output) }
}

fn tell(diagnosis: &Diagnosis, output: &mut Output) -> Result<()> {
    output.line(format_args!("host      plugin ABI {}, {}", diagnosis.abi, diagnosis.target))?;
    lock(diagnosis, output)?;
    output.line(format_args!("searched, in this order"))?;
    for dir in &diagnosis.dirs {
        let found = diagnosis.candidates.iter().filter(|file| file.path.parent() == Some(&dir.path)).count();
        let found = match (&dir.problem, found) {
            (Some(problem), _) => problem.clone(),
            (None, 0) => "nothing".to_owned(),
            (None, 1) => "1 candidate".to_owned(),
            (None, found) => format!("{found} candidates"),
        };
        output.line(format_args!("  {}: {found}", one_line(&dir.path.display().to_string())))?;
        if let Some(refusal) = &dir.refusal {
            output.line(format_args!("    {}", one_line(&refusal.to_string())))?;
            output.remedy("    ", &refusal.remedy)?;
        }
    }
    if !diagnosis.candidates.is_empty() {
        output.line(format_args!("candidates"))?;
    }
    for file in &diagnosis.candidates {
        candidate(file, output)?;
    }
    verdict(diagnosis, output)
}

fn lock(diagnosis: &Diagnosis, output: &mut Output) -> Result<()> {
    let Some(file) = &diagnosis.lock else {
        return output.line(format_args!("lock      none"));
    };
    output.line(format_args!("lock      {}", one_line(&file.display().to_string())))?;
    if let Some(refusal) = &diagnosis.lock_refusal {
        output.line(format_args!("    {}", one_line(&refusal.to_string())))?;
        output.remedy("    ", &refusal.remedy)?;
    }
    Ok(())
}

fn candidate(file: &PluginFile, output: &mut Output) -> Result<()> {
    let (name, path) = (&file.name, one_line(&file.path.display().to_string()));
    let code = file.refusal.as_ref().map_or("ok", |refusal| refusal.code.as_str());
    output.line(format_args!("  {name}: {code}: {path}"))?;
    if let Some(manifest) = &file.manifest {
        let facts = format!("{}, plugin ABI {}, {}", manifest.version, manifest.abi, manifest.target);
        output.line(format_args!("    {}", one_line(&facts)))?;
    }
    if let Some(refusal) = &file.refusal {
        output.line(format_args!("    {}", one_line(&refusal.detail)))?;
        output.remedy("    ", &refusal.remedy)?;
    }
    Ok(())
}

fn verdict(diagnosis: &Diagnosis, output: &mut Output) -> Result<()> {
    let text = match (&diagnosis.name, diagnosis.is_healthy()) {
        (Some(name), true) => format!("nothing is against loading `{name}`"),
        (Some(name), false) if diagnosis.candidates.is_empty() => match &diagnosis.nearest {
            Some(near) => format!("there is no plugin `{name}`; did you mean `{near}`?"),
            None => format!(
                "there is no plugin `{name}`; put it into one of these directories, or name its directory with --plugin-dir"
            ),
        },
        (Some(name), false) => format!("`{name}` is not loaded"),
        (None, _) if diagnosis.candidates.is_empty() => "there is no plugin".to_owned(),
        (None, true) => "nothing is against loading any of them".to_owned(),
        (None, false) => "not all of them are loaded".to_owned(),
    };
    output.line(format_args!("{text}"))
}
