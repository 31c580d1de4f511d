//! Text on a terminal or in its place: colours, lines, and standard error.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use f9_host::{log, serde_json::json};

use super::progress::Progress;

const RED: &str = "1;31";
pub(crate) const BLUE: &str = "1;34";
pub(crate) const CYAN: &str = "36";

/// Text in a colour of the terminal's.
pub(crate) fn paint(text: &str, colour: &str, wanted: bool) -> String {
    if wanted { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

/// An error on stderr, in a line of its own, before there is an [`Output`](super::output::Output).
pub(crate) fn complain(line: &str) {
    error_line(line, paints_stderr());
}

pub(crate) fn error_line(line: &str, wanted: bool) {
    to_stderr(format_args!("{} {}", paint("f9:", RED, wanted), one_line(line)));
}

pub(crate) fn paints_stderr() -> bool {
    io::stderr().is_terminal() && wants_colours()
}

/// Whether terminals may be painted on, as <https://no-color.org> has it.
pub(crate) fn wants_colours() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text of any origin on one line of a terminal: control characters are escaped.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

/// A log record of a plugin: with `--json` an object, as everything on stderr then is.
pub(crate) fn log(record: &log::Record<'_>, json: bool, progress: &Progress) {
    progress.clear();
    let level = record.level().as_str().to_lowercase();
    let message = record.args().to_string();
    if json {
        let record = json!({"level": level, "target": record.target(), "message": message});
        return to_stderr(format_args!("{}", json!({"log": record})));
    }
    to_stderr(format_args!("f9: {level}: {}: {}", one_line(origin(record.target())), one_line(&message)));
}

/// The plugin that a record comes from, of the module in it: `git` of `f9_backend_git::conflicts`.
fn origin(target: &str) -> &str {
    let name = target.split("::").next().unwrap_or(target);
    name.strip_prefix("f9_backend_").unwrap_or(name)
}

/// A line on stderr.
pub(crate) fn to_stderr(line: std::fmt::Arguments<'_>) {
    draw(format_args!("{line}\n"));
}

/// Text on stderr. If nobody can be told, the exit code still tells.
pub(crate) fn draw(text: std::fmt::Arguments<'_>) {
    let _ = io::stderr().write_fmt(text);
}
