//! How failures are told, and the exit codes they end with.

use std::{io, process::ExitCode};

use f9_host::{
    Error, ErrorKind,
    serde_json::{self, Value, json},
};

use super::output::{output_failed, to_stderr};

/// What to do, in the words of this program where the library has others.
pub(crate) fn advice(error: &Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::Conflict => Some(
            "see `f9 conflicts`, settle each with `f9 resolve PATH` and --local, --remote, --with FILE or --edit, then push",
        ),
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
        InvalidConnection => 2,
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
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    if !error.use_stderr() {
        return match error.print() {
            Err(failed) if failed.kind() != io::ErrorKind::BrokenPipe => {
                to_stderr(format_args!("f9: {}", output_failed(failed)));
                ExitCode::FAILURE
            }
            _ => code,
        };
    }
    let text = without_connection(error.to_string());
    if json {
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let message =
            text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
        to_stderr(format_args!("{}", json!({"error": {"kind": "usage", "message": message, "path": null}})));
    } else {
        to_stderr(format_args!("{}", text.trim_end()));
    }
    code
}

/// The text of a wrong usage quotes what was typed. A connection in the wrong place may hold a secret.
fn without_connection(text: String) -> String {
    match (text.find('{'), text.rfind('}')) {
        (Some(start), Some(end)) if start < end => {
            let hint = "a connection is given with -c";
            format!("{}{{…}}{}\n\n  tip: {hint}\n", &text[..start], &text[end + 1..])
        }
        _ => text,
    }
}

/// Whether nobody reads on what is printed.
pub(crate) fn is_broken_pipe(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
