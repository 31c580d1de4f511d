//! The command line: arguments in, text or JSON out, one exit code.

mod args;
mod files;
mod output;
mod plugins;
mod sync;

use std::{env, ffi::OsString, path::Path, process::ExitCode};

use clap::Parser;
use f9_host::{Backend, Connection, Error, ErrorKind, Host, Result, log::LevelFilter};

use args::{Args, Command};
use output::Output;

/// Runs the command line of this process.
pub(crate) fn run() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let args = match Args::try_parse_from(&words) {
        Ok(args) => args,
        Err(error) => return output::usage(&error, words.iter().any(|word| word == "--json")),
    };
    let mut output = Output::new(args.json, args.verbose > 0);
    match execute(&args, &mut output) {
        Ok(()) => output.finish(),
        Err(error) => output.fail(&error),
    }
}

fn execute(args: &Args, output: &mut Output) -> Result<()> {
    let host = host(args);
    if let Command::Plugins = args.command {
        return plugins::list(&host, output);
    }
    let backend = open(&host, args)?;
    match &args.command {
        Command::Create(create) => files::create(&backend, create, output),
        Command::Read { path } => files::read(&backend, path, output),
        Command::Update(update) => files::update(&backend, update, output),
        Command::Delete { path, recursive } => files::delete(&backend, path, *recursive),
        Command::Info { path } => files::info(&backend, path, output),
        Command::Ls { path, recursive } => files::ls(&backend, path, *recursive, output),
        Command::Push { message } => output.report(&backend.sync_backend()?.push(message.as_deref())?),
        Command::Pull => output.report(&backend.sync_backend()?.pull()?),
        Command::Sync { message } => output.report(&backend.sync_backend()?.sync(message.as_deref())?),
        Command::Conflicts => sync::conflicts(&backend, output),
        Command::Resolve(resolve) => sync::resolve(&backend, resolve, output),
        Command::Plugins => Ok(()),
    }
}

fn host(args: &Args) -> Host {
    let level = match args.verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    let mut builder = Host::builder().on_log(level, output::log);
    for dir in &args.plugin_dir {
        builder = builder.plugin_dir(dir);
    }
    for dir in env::var_os("F9_PLUGIN_PATH").iter().flat_map(env::split_paths) {
        builder = builder.plugin_dir(dir);
    }
    builder.build()
}

fn open(host: &Host, args: &Args) -> Result<Backend> {
    let Some(given) = &args.connection else {
        return Err(Error::new(ErrorKind::InvalidConnection, "there is no connection")
            .hint(r#"say what to open: -c '{"backend": "local", "root": "data"}', or -c @FILE"#));
    };
    let connection: Connection = match given.strip_prefix('@') {
        Some(file) => connection_file(Path::new(file))?.parse()?,
        None => given.parse()?,
    };
    host.open(connection)
}

fn connection_file(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| {
        let error = Error::from(error);
        let message = format!("the file with the connection cannot be read: {}", error.message());
        Error::new(ErrorKind::InvalidConnection, message)
            .at(file.display())
            .hint("name a JSON file after the @")
    })
}
