//! How failures are told, and the exit codes they end with.

use std::{io, process::ExitCode};

use clap::error::ErrorKind as Usage;
use f9_host::{
    Error, ErrorKind,
    serde_json::{self, Value, json},
};

use super::output::{complain, output_failed, to_stderr};

/// The exit code of wrong usage.
pub(crate) const USAGE: u8 = 2;

/// The exit code of work on several things of which some failed.
pub(crate) const PARTIAL: u8 = 9;

/// What to do, in the words of this program where the library has others.
pub(crate) fn advice(error: &Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::Conflict => Some(
            "see `f9 conflicts`, settle each with `f9 resolve PATH` and --local, --remote, --with FILE or --edit, then push",
        ),
        // Of a connection that exists this program itself has told.
        ErrorKind::AlreadyExists if error.context().any(|(name, _)| name == "connection") => error.advice(),
        ErrorKind::AlreadyExists => Some("--overwrite replaces a file; mkdir -p takes a directory as it is"),
        ErrorKind::DirectoryNotEmpty => Some("-r deletes it with all it holds"),
        _ => error.advice(),
    }
}

/// An error for programs.
pub(crate) fn error_json(error: &Error) -> Value {
    let mut object = json!({"kind": error.kind().as_str(), "message": error.message(), "path": error.path()});
    if let Some(advice) = advice(error) {
        object["hint"] = advice.into();
    }
    let context: serde_json::Map<_, _> =
        error.context().map(|(name, value)| (name.to_owned(), value.into())).collect();
    if !context.is_empty() {
        object["context"] = context.into();
    }
    let causes: Vec<_> = error.causes().collect();
    if !causes.is_empty() {
        object["causes"] = causes.into();
    }
    object
}

/// The exit code of an error; `--help` lists them.
pub(crate) const fn exit_code(kind: ErrorKind) -> u8 {
    use ErrorKind::*;
    match kind {
        InvalidConnection => USAGE,
        NotFound => 3,
        AlreadyExists => 4,
        Unsupported | InvalidPath | OutsideRoot | IsADirectory | NotADirectory | DirectoryNotEmpty
        | InvalidOperation | NotUtf8 => 5,
        Conflict | RemoteMoved | PendingChanges => 6,
        RemoteRefused | Authentication | Network | Timeout | RateLimited | QuotaExceeded => 7,
        PluginNotFound | PluginRefused | Panicked => 8,
        _ => 1,
    }
}

/// Arguments that make no sense, or a request for help.
pub(crate) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
    if !error.use_stderr() {
        return match error.print() {
            Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
                to_stderr(format_args!("f9: {}", output_failed(failed)));
                ExitCode::FAILURE
            }
            _ => code,
        };
    }
    let (message, hint) = match error.kind() {
        Usage::DisplayHelpOnMissingArgumentOrSubcommand if json => {
            ("a command is missing".to_owned(), "`f9 --help` lists them".to_owned())
        }
        Usage::DisplayHelpOnMissingArgumentOrSubcommand => {
            to_stderr(format_args!("{}", error.to_string().trim_end())); // who types nothing else asks what there is
            return code;
        }
        _ => in_one_line(&without_connection(error.to_string())),
    };
    if json {
        let error = json!({"kind": "usage", "message": message, "path": null, "hint": hint});
        to_stderr(format_args!("{}", json!({"error": error})));
    } else {
        complain(&format!("{message}; {hint}"));
    }
    code
}

/// What is wrong, and what to do, out of clap's paragraphs: the error, tips, the usage, and where there is more.
fn in_one_line(text: &str) -> (String, String) {
    let joined = |lines: &str| lines.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n");
    let message = joined(paragraphs.next().unwrap_or_default());
    let message = message.strip_prefix("error: ").unwrap_or(&message).to_owned();
    let mut command = "f9".to_owned();
    let mut tips = Vec::new();
    for paragraph in paragraphs {
        if let Some(usage) = paragraph.strip_prefix("Usage: f9") {
            let words = usage.split(' ').skip(1);
            let names = words.take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            names.for_each(|name| command.extend([" ", name]));
        }
        tips.extend(paragraph.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(joined));
    }
    if tips.is_empty() {
        tips.push(format!("see `{command} --help`"));
    }
    (message, tips.join("; "))
}

/// The text of a wrong usage quotes what was typed. A connection in the wrong place may hold a secret, anywhere up to its
/// end, which may be missing.
fn without_connection(text: String) -> String {
    match text.split_once('{') {
        Some((before, _)) => format!("{before}{{…}}'\n\n  tip: a connection is given with -c"),
        None => text,
    }
}

/// Whether nobody reads on what is printed.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
