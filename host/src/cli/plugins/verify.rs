//! The command that runs the contract's suite on a plugin's file.

use std::{ffi::OsString, fs, path::PathBuf, process::Command, time::Duration};

use clap::Args;
use f9_host::{
    Connection, Error, ErrorKind, Result,
    serde_json::{Value, json},
    verify::{self, Check, Outcome, Verifier, plugin_name},
};

use crate::cli::{
    failure::USAGE, output::Output, session::Session, stop::parse_duration, terminal::one_line,
};

/// The exit code of a plugin that does not conform as far as was checked, which is that of every error of a plugin.
const DOES_NOT_CONFORM: u8 = 8;

const EXAMPLES: &str = "\
The connection is that of -c; for a plugin without required options none is needed. {dir} in it stands
for a new directory, because each check needs an empty root of its own; where the root is not empty
nothing is run.

Exit codes:
  0  the plugin conforms       8  it does not, or not everything was checked
  2  wrong usage, connection, or setup: the plugin is not to blame

Examples:
  f9 plugins verify target/debug/libf9_backend_notes.so
  f9 plugins verify libf9_backend_local.so --options '{\"root\": \"{dir}/root\"}' --junit local.xml
  f9 plugins verify libf9_backend_git.so --setup 'git init --quiet --bare --initial-branch=main remote.git' \\
    --options '{\"remote_url\": \"{dir}/remote.git\", \"path\": \"{dir}/tree\"}'";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The plugin.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The connection without its backend, which is the one that the file is called after.
    #[arg(long, value_name = "JSON", conflicts_with = "connection")]
    options: Option<String>,
    /// Run this command in each new directory before the connection is opened.
    #[arg(long, value_name = "COMMAND")]
    setup: Option<String>,
    /// Run only the checks whose name begins so, such as create or create::makes_parents; can be repeated.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// How long one check may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration)]
    check_timeout: Duration,
    /// How long all of them may take.
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_duration)]
    total_timeout: Duration,
    /// Write the report as JUnit's XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// What the process is started with that has the plugin in it.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    arguments: Vec<OsString>,
}

pub(crate) fn serve(serve: &Serve) -> Result<()> {
    verify::serve(serve.arguments.iter().cloned())
}

pub(crate) fn run(arguments: &Verify, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let program = std::env::current_exe()?;
    let start = || {
        let mut command = Command::new(&program);
        command.args(["plugins", "serve"]);
        command
    };
    let report = verifier(arguments, session)?.run(start, |check| tell(check, output))?;
    if let Some(file) = &arguments.junit {
        fs::write(file, report.to_junit()).map_err(|error| Error::from(error).at(file.display()))?;
    }
    let summary = json!({
        "conforms": report.conforms(),
        "plugin": report.plugin,
        "passed": report.count(Outcome::Passed),
        "failed": report.failures(),
        "warned": report.count(Outcome::Warned),
        "skipped": report.count(Outcome::Skipped),
        "seconds": report.took.as_secs_f64(),
        "wrong_connection": report.wrong_connection,
        "unfinished": report.unfinished,
    });
    output.either(&json!({"summary": summary}), format_args!("{}", one_line(&report.to_string())))?;
    if report.wrong_connection.is_some() {
        output.end_with(USAGE);
    } else if !report.conforms() {
        output.end_with(DOES_NOT_CONFORM);
    }
    Ok(())
}

fn verifier(arguments: &Verify, session: &Session<'_>) -> Result<Verifier> {
    fs::metadata(&arguments.file).map_err(|error| Error::from(error).at(arguments.file.display()))?;
    let connection = match (&arguments.options, session.given_connection()?) {
        (None, Some(connection)) => connection,
        (options, _) => connection(arguments, options.as_deref())?,
    };
    let mut verifier = Verifier::new(&arguments.file, connection)?
        .check_timeout(arguments.check_timeout)
        .timeout(arguments.total_timeout)
        .cancel_token(session.cancel().clone());
    if let Some(command) = &arguments.setup {
        verifier = verifier.setup(command);
    }
    Ok(arguments.only.iter().fold(verifier, Verifier::only))
}

/// The connection of the plugin that the file is called after.
fn connection(arguments: &Verify, options: Option<&str>) -> Result<Connection> {
    let name = plugin_name(&arguments.file)?;
    let mut connection: Value = options.unwrap_or("{}").parse().map_err(|cause| {
        Error::new(ErrorKind::InvalidConnection, format!("the options are not JSON: {cause}"))
    })?;
    if !connection.is_object() {
        return Err(Error::new(ErrorKind::InvalidConnection, "the options are no JSON object"));
    }
    connection["backend"] = name.as_str().into();
    connection.try_into()
}

/// Tells what the author should know, and with `-v` everything.
fn tell(check: &Check, output: &mut Output) {
    let told = if output.is_json() {
        output.either(&json!(check), format_args!(""))
    } else {
        tell_in_words(check, output)
    };
    // If nobody can be told, the summary will say so.
    drop(told);
}

fn tell_in_words(check: &Check, output: &mut Output) -> Result<()> {
    let Check { name, rule, outcome, seen, .. } = check;
    let seen = one_line(seen.as_deref().unwrap_or_default());
    match outcome {
        Outcome::Passed => output.verbose(format_args!("passed   {name}")),
        Outcome::Skipped => output.verbose(format_args!("skipped  {name}: {seen}")),
        _ => {
            let outcome = outcome.as_str().to_uppercase();
            output.line(format_args!("{outcome} {name}\n  rule: {rule}\n  seen: {seen}"))
        }
    }
}
