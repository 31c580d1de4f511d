//! The lock: which files may be loaded.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use f9_host::{
    Error, ErrorKind, Inspection, PluginFile, PluginLock, PluginName, RefusalCode, Result, inspect,
    serde_json::json,
};

use super::UNUSABLE;
use crate::cli::{output::Output, session::Session, terminal::one_line};

#[derive(Debug, Subcommand)]
pub(super) enum LockCommand {
    /// Add plugins that are found by their names, or files, also of other platforms; by default all that are found.
    #[command(
        after_help = "From then on nothing else is loaded.\n\nExamples:\n  f9 plugins lock add git\n  f9 plugins lock add ./macos/libf9_backend_git.dylib"
    )]
    Add {
        #[arg(value_name = "PLUGIN|FILE")]
        plugins: Vec<PathBuf>,
    },
    /// Compare the plugins that are found with the lock.
    #[command(after_help = "Example:\n  f9 plugins lock check")]
    Check,
    /// Take away what is held for this platform and not found any more. Other platforms' stays.
    #[command(after_help = "Example:\n  f9 plugins lock prune")]
    Prune,
}

pub(super) fn run(command: &LockCommand, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let file = session.lock_file()?;
    match command {
        LockCommand::Add { plugins } => add(plugins, &file, session, output),
        LockCommand::Check => check(&PluginLock::load(file)?, session, output),
        LockCommand::Prune => prune(&file, session, output),
    }
}

fn add(plugins: &[PathBuf], file: &Path, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let inspected = match plugins {
        [] => all_usable(session)?,
        named => named.iter().map(|plugin| named_plugin(plugin, session)).collect::<Result<Vec<_>>>()?,
    };
    let is_new = !file.exists();
    let (added, held) = PluginLock::edit(file, |lock| {
        let added = inspected.iter().map(|plugin| lock.add(plugin)).collect::<Result<Vec<_>>>()?;
        Ok((added, lock.iter().count()))
    })?;
    for (plugin, added) in inspected.iter().zip(added) {
        tell(None, plugin, if added { "added" } else { "held already" }, output)?;
    }
    let from_now_on = if is_new { "; from now on no other plugin is loaded" } else { "" };
    output.summary(
        &json!({"lock": file, "held": held}),
        format_args!("{} holds {}{from_now_on}", file.display(), count(held)),
    )
}

/// At least one: a lock that holds nothing would let nothing be loaded.
fn all_usable(session: &Session<'_>) -> Result<Vec<Inspection>> {
    let usable = found(session).into_iter().filter(is_usable_but_for_the_lock);
    let inspected: Vec<_> = usable.map(|file| inspect(file.path)).collect();
    if inspected.is_empty() {
        let message = "no usable plugin is found, so that there is nothing to lock";
        return Err(Error::new(ErrorKind::PluginNotFound, message).hint(
            "name their directory with --plugin-dir; `f9 plugins doctor` tells where they are looked for",
        ));
    }
    Ok(inspected)
}

fn count(files: usize) -> String {
    if files == 1 { "1 file".to_owned() } else { format!("{files} files") }
}

/// A name, or a path: it has a directory or an ending, which no name has.
fn named_plugin(plugin: &Path, session: &Session<'_>) -> Result<Inspection> {
    if plugin.components().count() > 1 || plugin.extension().is_some() || plugin.is_absolute() {
        return Ok(inspect(plugin));
    }
    let name: PluginName = plugin.to_string_lossy().parse()?;
    let candidates = session.host().diagnose(Some(&name)).candidates;
    match candidates.into_iter().find(|file| code(file) != Some(RefusalCode::Misnamed)) {
        Some(file) if is_usable_but_for_the_lock(&file) => Ok(inspect(file.path)),
        // What is the matter, in the words of the host.
        _ => match session.host().plugin(&name) {
            Err(error) => Err(error),
            Ok(plugin) => Ok(inspect(plugin.path())),
        },
    }
}

fn code(file: &PluginFile) -> Option<RefusalCode> {
    file.refusal.as_ref().map(|refusal| refusal.code)
}

fn is_usable_but_for_the_lock(file: &PluginFile) -> bool {
    matches!(
        code(file),
        None | Some(RefusalCode::NotLocked | RefusalCode::HashMismatch | RefusalCode::BadLock)
    )
}

/// The first file of each name.
fn found(session: &Session<'_>) -> Vec<PluginFile> {
    let files = session.host().plugins().into_iter();
    files.filter(|file| code(file) != Some(RefusalCode::Shadowed)).collect()
}

fn check(lock: &PluginLock, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let found = found(session);
    let inspected: Vec<_> = found.iter().map(|file| inspect(&file.path)).collect();
    for (file, plugin) in found.iter().zip(&inspected) {
        match lock.check(plugin) {
            Ok(()) => tell(Some(file), plugin, "ok", output)?,
            Err(refusal) => {
                output.end_with(UNUSABLE);
                tell(Some(file), plugin, refusal.code.as_str(), output)?;
                if !output.is_json() {
                    output.line(format_args!("  {}", one_line(&refusal.detail)))?;
                    output.remedy("  ", &refusal.remedy)?;
                }
            }
        }
    }
    let mut others = lock.clone();
    let target = session.host().diagnose(None).target;
    for held in others.prune(target, &inspected) {
        output.either(
            &json!({"name": held.name, "target": held.target, "sha256": held.sha256, "status": "not-found"}),
            format_args!("{} ({}): not-found: sha256 {}", held.name, held.target, held.sha256),
        )?;
    }
    Ok(())
}

fn prune(file: &Path, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let diagnosis = session.host().diagnose(None);
    // Also what is shadowed may be wanted again.
    let inspected: Vec<_> = diagnosis.candidates.into_iter().map(|file| inspect(file.path)).collect();
    if inspected.is_empty() {
        let message = "no plugin is found, so that nothing of the lock would be left";
        return Err(
            Error::new(ErrorKind::PluginNotFound, message).hint("name their directory with --plugin-dir")
        );
    }
    PluginLock::load(file)?; // one that is missing is not to be made
    let gone = PluginLock::edit(file, |lock| Ok(lock.prune(diagnosis.target, &inspected)))?;
    for held in gone {
        output.either(
            &json!({"name": held.name, "target": held.target, "sha256": held.sha256, "status": "removed"}),
            format_args!("{} ({}): removed: sha256 {}", held.name, held.target, held.sha256),
        )?;
    }
    Ok(())
}

/// What is damaged does not say its name: then that of the file as it was found has to do.
fn tell(found: Option<&PluginFile>, plugin: &Inspection, status: &str, output: &mut Output) -> Result<()> {
    let manifest = plugin.manifest.as_ref();
    let said = manifest.map(|manifest| manifest.name.as_str());
    let name = said.or(found.map(|file| file.name.as_str())).unwrap_or_default();
    let target = manifest.map(|manifest| manifest.target.as_str()).unwrap_or_default();
    let value = json!({"name": name, "target": target, "sha256": plugin.sha256, "status": status,
                       "path": plugin.path.display().to_string()});
    let of = if target.is_empty() { String::new() } else { format!(" ({target})") };
    let line = format!("{name}{of}: {status}: {}", plugin.path.display());
    output.either(&value, format_args!("{}", one_line(&line)))
}
