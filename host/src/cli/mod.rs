//! The command line: arguments in, text or JSON out, one exit code.

mod apart;
mod args;
mod check;
mod choice;
mod completion;
mod connections;
mod documents;
mod failure;
mod files;
mod live_check;
mod log_filter;
mod markers;
mod mirror;
mod output;
mod places;
mod plugins;
mod progress;
mod prompt;
mod questions;
mod remedies;
mod session;
mod sizes;
mod stdio;
mod stop;
mod survey;
mod sweep;
mod sync;
mod terminal;
mod transfer;

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::Parser;
use f9_host::{
    CancelToken, Connections, Error, ErrorKind, Host, Result,
    log::{self, LevelFilter},
};

use args::{Args, Command};
use output::Output;
use progress::Progress;
use session::Session;
use stop::Stop;

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    if let Some(code) = completion::answer() {
        return code;
    }
    let words: Vec<OsString> = env::args_os().collect();
    let args = match Args::try_parse_from(&words) {
        Ok(args) => args,
        Err(error) => return failure::usage(&error, &words),
    };
    let progress = Progress::new(!args.quiet && !args.json);
    let mut output = Output::new(&args, progress.clone());
    let stop = match stdio::check_stdout(&args).and_then(|()| Stop::watch(args.timeout)) {
        Ok(stop) => stop,
        Err(error) => return output.fail(&error),
    };
    let session = Session::new(host(&args, stop.token(), &progress), &args, stop.token().clone());
    match execute(&session, &args.command, &mut output) {
        Ok(()) => output.finish(),
        Err(error) if stop.was_interrupted() && is_of_stopping(&error) => {
            output.interrupted(&error, stop.exit_code())
        }
        Err(error) => output.fail(&stop.explain(error)),
    }
}

/// Whether an error comes of it that somebody asked to stop: with the terminal that was closed there is nowhere to write to.
fn is_of_stopping(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Cancelled | ErrorKind::Io)
}

fn execute(session: &Session<'_>, command: &Command, output: &mut Output) -> Result<()> {
    match command {
        Command::Create(create) => files::create(create, session, output),
        Command::Read { paths } => files::read(paths, session, output),
        Command::Update(update) => files::update(update, session, output),
        Command::Delete { paths, recursive } => files::delete(paths, *recursive, session, output),
        Command::Info { path } => files::info(path, session, output),
        Command::Ls { path, recursive, long } => files::ls(path, *recursive, *long, session, output),
        Command::Tree { path } => survey::tree(path, session, output),
        Command::Glob { patterns } => survey::glob(patterns, session, output),
        Command::Du { path, depth } => survey::du(path, *depth, session, output),
        Command::Checksum { paths, algorithm } => survey::checksum(paths, *algorithm, session, output),
        Command::Mkdir { paths, parents } => files::mkdir(paths, *parents, session, output),
        Command::Cp(copy) => transfer::cp(copy, session, output),
        Command::Mv(moving) => transfer::mv(moving, session, output),
        Command::Mirror(mirror) => mirror::run(mirror, session, output),
        Command::Check(check) => check::run(check, session, output),
        Command::Search(search) => sync::search(search, session, output),
        Command::Push { name, message, keep_local: true } => {
            remedies::KEEP_LOCAL.run(name.as_deref(), message.as_deref(), session, output)
        }
        Command::Push { name, message, .. } => {
            sync::push(name.as_deref(), message.as_deref(), session, output)
        }
        Command::Pull { name, follow_remote: true, .. } => {
            remedies::FOLLOW_REMOTE.run(name.as_deref(), None, session, output)
        }
        Command::Pull { name, abort: true, .. } => {
            remedies::ABORT.run(name.as_deref(), None, session, output)
        }
        Command::Pull { name, .. } => sync::pull(name.as_deref(), session, output),
        Command::Repair { name } => remedies::REPAIR.run(name.as_deref(), None, session, output),
        Command::Sweep(sweep) => sweep::run(sweep, session, output),
        Command::Sync { name, message } => sync::sync(name.as_deref(), message.as_deref(), session, output),
        Command::Conflicts { name } => sync::conflicts(name.as_deref(), session, output),
        Command::Resolve(resolve) => sync::resolve(resolve, session, output),
        Command::Connections(connections) => connections::run(connections, session, output),
        Command::Plugins(command) => plugins::run(command, session, output),
        Command::LiveCheck(check) => live_check::run(check, session, output),
        Command::Completions { shell } => documents::completions(*shell, output),
        Command::Man { dir } => documents::manual(dir, output),
    }
}

/// A host as the arguments want it, whose operations stop at `cancel`.
fn host(args: &Args, cancel: &CancelToken, progress: &Progress) -> Host {
    let level = match args.verbose {
        0 if args.quiet => LevelFilter::Error,
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    let filter = args.log.clone().unwrap_or_default().or(level);
    let (json, logged, shown) = (args.json, progress.clone(), progress.clone());
    let mut builder = Host::builder()
        .on_log(filter.most(), move |record| {
            if filter.wants(record.metadata()) {
                terminal::log(record, json, &logged);
            }
        })
        .on_progress(move |progress| shown.of_plugin(progress))
        .cancel_token(cancel.clone());
    warn_of_missing(args, progress);
    let of_connections = dirs_of_connections(args, progress);
    for dir in args.plugin_dir.iter().cloned().chain(plugin_path()).chain(of_connections) {
        builder = builder.plugin_dir(dir);
    }
    for name in &args.allow_unsafe_permissions {
        builder = builder.allow_unsafe_permissions(name.clone());
    }
    if let Some(file) = places::lock(args) {
        builder = builder.lock_file(file);
    }
    builder.build()
}

/// The directories that the file of connections names. What is wrong with that file is told here where nothing else of it
/// is needed.
fn dirs_of_connections(args: &Args, progress: &Progress) -> Vec<PathBuf> {
    let is_not_needed = args.connection.is_some() || matches!(args.command, Command::Plugins(_));
    if let Some(what) = places::closed(args) {
        if is_not_needed {
            warn("connections", format_args!("{what}"), args, progress);
        }
        return Vec::new();
    }
    match args.connections_file().map(Connections::load) {
        Some(Ok(connections)) => connections.plugin_dirs().to_owned(),
        Some(Err(error)) if is_not_needed && !is_absent(&error, args) => {
            let what = format_args!("{error}; no directories of plugins are taken from this file");
            warn("connections", what, args, progress);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Whether there are no connections yet. A file of them that was named is one that can be there.
fn is_absent(error: &Error, args: &Args) -> bool {
    error.is_not_found() || (args.config.is_none() && error.kind() == ErrorKind::NotADirectory)
}

/// Who types the name of a directory means one that is there. Those of `F9_PLUGIN_PATH` and of the file of connections need
/// not be, like those of `PATH`: `f9 plugins doctor` tells of them.
fn warn_of_missing(args: &Args, progress: &Progress) {
    for dir in &args.plugin_dir {
        if let Err(error) = dir.read_dir() {
            let (dir, error) = (dir.display(), Error::from(error));
            let what = format_args!("--plugin-dir {dir} is not searched: {}", error.message());
            warn("plugins", what, args, progress);
        }
    }
}

fn warn(target: &str, what: std::fmt::Arguments<'_>, args: &Args, progress: &Progress) {
    if args.quiet {
        return;
    }
    let mut record = log::Record::builder();
    let record = record.level(log::Level::Warn).target(target).args(what).build();
    terminal::log(&record, args.json, progress);
}

/// The directories of `F9_PLUGIN_PATH`.
fn plugin_path() -> Vec<PathBuf> {
    env::var_os("F9_PLUGIN_PATH").iter().flat_map(env::split_paths).collect()
}
