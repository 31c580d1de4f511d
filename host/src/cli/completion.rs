//! What a shell is told when somebody presses Tab: commands and options, and what only this program knows: the names of
//! connections and plugins, and the keys of a plugin's options.
//!
//! For names nothing of a plugin is run; for keys the plugin that is named in the arguments is loaded.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Arg, Command, CommandFactory};
use clap_complete::{
    CompleteEnv, Shell,
    engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter},
    env::Shells,
};
use f9_host::{
    Connections, Host, HostBuilder, PluginLock, Result,
    serde_json::{Map, Value},
};

use super::{args::Args, failure, plugin_path, questions, terminal::complain};

/// The variable by which a shell's script asks, with the shell's name.
const VARIABLE: &str = "F9_COMPLETE";

/// The script that makes a shell ask this program; `None` for shells whose scripts cannot.
pub(crate) fn script(shell: Shell) -> Option<Result<Vec<u8>>> {
    let asking = [Shell::Bash, Shell::Zsh, Shell::Fish].contains(&shell);
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).filter(|_| asking)?;
    let mut script = Vec::new();
    let written = completer.write_registration(VARIABLE, "f9", "f9", "f9", &mut script);
    Some(written.map(|()| script).map_err(Into::into))
}

/// Answers the question of a shell's script, if this is one.
pub(crate) fn answer() -> Option<ExitCode> {
    env::var_os(VARIABLE)?;
    let answered = CompleteEnv::with_factory(|| with_completers(Args::command()))
        .var(VARIABLE)
        .try_complete(env::args_os(), env::current_dir().ok().as_deref());
    match answered {
        Ok(is_question) => is_question.then_some(ExitCode::SUCCESS),
        Err(error) => {
            complain(&error.to_string());
            Some(ExitCode::from(failure::USAGE))
        }
    }
}

/// What can stand for an argument is told by what the help calls it.
fn with_completers(command: Command) -> Command {
    let complete = |arg: Arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
        match name.as_deref() {
            Some(name) if name.contains("NAME:") => with_completer(arg, addresses),
            Some("NAME") if arg.is_positional() => with_completer(arg, names),
            Some("BACKEND") => with_completer(arg, backends),
            Some("PLUGIN") => with_completer(arg, plugins),
            Some("PLUGIN|FILE") => arg.add(ArgValueCompleter::new(|current: &OsStr| {
                let files = PathCompleter::file().complete(current);
                starting(plugins(), current).into_iter().chain(files).collect::<Vec<_>>()
            })),
            Some("KEY=VALUE") => with_completer(arg, options),
            _ => arg,
        }
    };
    command.mut_args(complete).mut_subcommands(with_completers)
}

fn with_completer(arg: Arg, candidates: fn() -> Vec<String>) -> Arg {
    arg.add(ArgValueCompleter::new(move |current: &OsStr| starting(candidates(), current)))
}

fn starting(candidates: Vec<String>, current: &OsStr) -> Vec<CompletionCandidate> {
    let is_start = |candidate: &String| current.to_str().is_some_and(|text| candidate.starts_with(text));
    candidates.into_iter().filter(is_start).map(CompletionCandidate::new).collect()
}

/// The names of connections with their colon: paths begin so.
fn addresses() -> Vec<String> {
    connections().iter().flat_map(Connections::iter).map(|(name, _)| format!("{name}:")).collect()
}

/// The names of connections, also of broken ones. A file that cannot be read has none: who presses Tab cannot be told.
fn names() -> Vec<String> {
    let connections = connections();
    let usable = connections.iter().flat_map(Connections::iter).map(|(name, _)| name);
    let broken = connections.iter().flat_map(Connections::broken).map(|(name, _)| name);
    usable.chain(broken).map(str::to_owned).collect()
}

fn connections() -> Option<Connections> {
    let file = values_of("--config").pop().map(PathBuf::from).or_else(Connections::default_file);
    Connections::load(file?).ok()
}

/// The names of all plugins that are found, be they usable or not.
fn plugins() -> Vec<String> {
    let mut names: Vec<_> = host().plugins().into_iter().map(|file| file.name).collect();
    names.dedup(); // they are in order
    names
}

/// The names of the plugins that can be used.
fn backends() -> Vec<String> {
    let usable = host().plugins().into_iter().filter(|file| file.manifest.is_some());
    usable.map(|file| file.name).collect()
}

/// The keys of the plugin that is named in the arguments, and their values where there are only a few.
fn options() -> Vec<String> {
    let words = words();
    let mut after_add = words.iter().skip_while(|word| *word != "add").skip(1);
    let backend = after_add.nth(1).and_then(|word| word.to_str()?.parse().ok());
    let schema = backend.and_then(|backend| host().plugin(&backend).ok()?.schema().ok());
    let properties = schema.as_ref().and_then(|schema| schema["properties"].as_object());
    let of_key = |(key, property): (&String, &Value)| {
        let values = questions::few_values(property).into_iter();
        let whole: Vec<_> = values.map(|value| format!("{key}={value}")).collect();
        if whole.is_empty() { vec![format!("{key}=")] } else { whole }
    };
    properties.into_iter().flat_map(Map::iter).flat_map(of_key).collect()
}

fn host() -> Host {
    let named = values_of("--plugin-dir").into_iter().map(PathBuf::from);
    let of_connections = connections().map(|all| all.plugin_dirs().to_owned()).unwrap_or_default();
    let dirs = named.chain(plugin_path()).chain(of_connections);
    let mut builder = dirs.fold(Host::builder(), HostBuilder::plugin_dir);
    // Whatever lies in its place counts: what a lock does not hold is not loaded for a few letters either.
    if let Some(lock) = lock_file().filter(|file| file.symlink_metadata().is_ok()) {
        builder = builder.lock_file(lock);
    }
    builder.build()
}

fn lock_file() -> Option<PathBuf> {
    let beside = |config: OsString| PathBuf::from(config).with_file_name("plugins.lock");
    let named = values_of("--lock").pop().map(PathBuf::from);
    named.or_else(|| values_of("--config").pop().map(beside)).or_else(PluginLock::default_file)
}

/// What was typed so far, as the script hands it on.
fn words() -> Vec<OsString> {
    env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

/// The values of an option in what was typed so far, which need not make sense as a whole yet.
fn values_of(option: &str) -> Vec<OsString> {
    let words = words();
    let after = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| *word == option);
    let joined = words.iter().filter_map(|word| word.to_str()?.strip_prefix(option)?.strip_prefix('='));
    after.map(|(_, value)| value.clone()).chain(joined.map(OsString::from)).collect()
}
