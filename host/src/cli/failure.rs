//! How failures are told, and the exit codes they end with.

use std::{ffi::OsString, io, process::ExitCode};

use clap::{
    Arg, Command, CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind as Usage},
};
use f9_host::{
    Error, ErrorKind, nearest,
    serde_json::{self, Value, json},
};

use super::{
    args::Args,
    output::output_failed,
    stdio,
    terminal::{complain, to_stderr},
};

/// The exit code of wrong usage.
pub(crate) const USAGE: u8 = 2;

/// The exit code of work on several things of which some failed.
pub(crate) const PARTIAL: u8 = 9;

/// A comparison has found something that is not the same, as with cmp(1) and diff(1).
pub(crate) const DIFFERENT: u8 = 1;

/// The fact of an error that says in which of several connections its path is: `NAME:path`.
pub(crate) const ADDRESS: &str = "address";

/// What an error says by this name.
pub(crate) fn fact<'a>(error: &'a Error, name: &str) -> Option<&'a str> {
    error.context().find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// What to do, in the words of this program where the library has others.
pub(crate) fn advice(error: &Error) -> Option<&str> {
    match error.kind() {
        // Of many files, met while they are copied.
        ErrorKind::AlreadyExists if error.advice().is_none() && fact(error, "side").is_some() => {
            Some("--overwrite replaces it")
        }
        ErrorKind::DirectoryNotEmpty => Some("-r deletes it with all it holds"),
        _ => error.advice(),
    }
}

/// An error for programs, without what to do.
pub(crate) fn error_json(error: &Error) -> Value {
    let mut object = json!({"kind": error.kind().as_str(), "message": error.message(), "path": error.path()});
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
pub(crate) fn usage(error: &clap::Error, words: &[OsString]) -> ExitCode {
    let json = words.iter().any(|word| word == "--json");
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
    if !error.use_stderr() && !stdio::has_stdout() {
        complain(&stdio::closed_stdout().to_string());
        return ExitCode::FAILURE;
    }
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
            ("a command is missing".to_owned(), format!("`{} --help` lists them", typed_command(words).1))
        }
        Usage::DisplayHelpOnMissingArgumentOrSubcommand => {
            to_stderr(format_args!("{}", error.to_string().trim_end())); // who types nothing else asks what there is
            return code;
        }
        Usage::InvalidSubcommand => unknown_command(error, words),
        _ => in_one_line(&without_connection(error.to_string()), &typed_command(words)),
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
fn in_one_line(text: &str, (command, typed): &(Command, String)) -> (String, String) {
    let joined = |lines: &str| lines.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n");
    let message = joined(paragraphs.next().unwrap_or_default());
    let message = in_words(message.strip_prefix("error: ").unwrap_or(&message));
    let mut tips = Vec::new();
    for paragraph in paragraphs {
        tips.extend(paragraph.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(joined));
    }
    if !takes_text(command) {
        tips.retain(|tip| !tip.starts_with("to pass ")); // as a value
    }
    if tips.is_empty() {
        tips.push(format!("see `{typed} --help`"));
    }
    (message, tips.join("; "))
}

/// Whether there is something among its arguments that may well begin with a `-`.
fn takes_text(command: &Command) -> bool {
    let names = command.get_positionals().filter_map(Arg::get_value_names).flatten();
    names.into_iter().any(|name| ["PATH", "PATTERN", "QUERY"].iter().any(|text| name.ends_with(text)))
}

/// What is no command, and the one that was most likely meant.
fn unknown_command(error: &clap::Error, words: &[OsString]) -> (String, String) {
    let (parent, typed) = typed_command(words);
    let unknown = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(unknown)) => unknown.as_str(),
        _ => "this",
    };
    if unknown.contains('{') {
        return in_one_line(&without_connection(error.to_string()), &(parent, typed));
    }
    if unknown.starts_with('-') {
        return (
            "help is about a command, and this is none".to_owned(),
            format!("`{typed} --help` lists them"),
        );
    }
    let visible = || parent.get_subcommands().filter(|command| !command.is_hide_set());
    let names = visible().flat_map(Command::get_name_and_visible_aliases);
    let hint = match nearest(unknown, names) {
        Some(near) => format!("did you mean `{typed} {near}`?"),
        None => format!("`{typed} --help` lists the commands"),
    };
    (format!("there is no command `{typed} {unknown}`"), hint)
}

/// The command that was typed, as far as there is one, and how: `f9 connections show`.
fn typed_command(words: &[OsString]) -> (Command, String) {
    let mut typed = "f9".to_owned();
    let mut command = Args::command();
    for word in words.iter().skip(1).filter_map(|word| word.to_str()) {
        if let Some(sub) = command.find_subcommand(word).cloned() {
            typed.extend([" ", sub.get_name()]);
            command = sub;
        }
    }
    (command, typed)
}

/// Says what was expected, where the standard library says what it met.
fn in_words(message: &str) -> String {
    [
        ("invalid digit found in string", "expected a whole number"),
        ("cannot parse integer from empty string", "expected a whole number"),
        ("number would be zero for non-zero type", "expected at least 1"),
        ("number too large to fit in target type", "expected a smaller number"),
    ]
    .into_iter()
    .fold(message.to_owned(), |message, (met, expected)| message.replace(met, expected))
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
