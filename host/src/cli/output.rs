//! What is printed, and the exit code.

use std::{
    io::{self, BufWriter, IsTerminal, Read, Stdout, Write},
    process::ExitCode,
};

use f9_host::{
    BackendPath, Conflict, ConflictSide, Error, ErrorKind, FileInfo, FileKind, Result, SearchHit, SyncReport,
    serde_json::{self, Value, json},
};
use serde::Serialize;

use super::{
    args::Args,
    failure::{ADDRESS, PARTIAL, advice, error_json, exit_code, fact, is_broken_pipe},
    progress::Progress,
    sizes::human,
    terminal::{BLUE, CYAN, error_line, one_line, paint, paints_stderr, to_stderr, wants_colours},
};

/// Where results go, and how they look.
pub(crate) struct Output {
    json: bool,
    verbose: bool,
    quiet: bool,
    /// What a command that is to be typed needs besides, as in this run.
    surroundings: String,
    /// The exit code, if it is another than that of success.
    ending: Option<u8>,
    stdout: BufWriter<Stdout>,
    paint_stdout: bool,
    paint_stderr: bool,
    progress: Progress,
}

impl Output {
    pub(crate) fn new(args: &Args, progress: Progress) -> Self {
        let paint = !args.json;
        Self {
            json: args.json,
            verbose: args.verbose > 0,
            quiet: args.quiet,
            surroundings: args.surroundings(),
            ending: None,
            stdout: BufWriter::new(io::stdout()),
            paint_stdout: paint && io::stdout().is_terminal() && wants_colours(),
            paint_stderr: paint && paints_stderr(),
            progress,
        }
    }

    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Advice whose commands, between backticks, can be typed as they are shown.
    pub(crate) fn typeable(&self, advice: &str) -> String {
        advice.replace("`f9 ", &format!("`f9{} ", self.surroundings))
    }

    /// What to do about a plugin, on a line of its own.
    pub(crate) fn remedy(&mut self, indent: &str, remedy: &str) -> Result<()> {
        let remedy = one_line(&self.typeable(remedy));
        self.line(format_args!("{indent}-> {remedy}"))
    }

    /// Ends a run that did what it should.
    pub(crate) fn finish(mut self) -> ExitCode {
        self.progress.clear();
        match self.stdout.flush().map_err(output_failed) {
            Err(error) => self.fail(&error),
            Ok(()) => ExitCode::from(self.ending.unwrap_or(0)),
        }
    }

    /// Ends a run that did not.
    pub(crate) fn fail(mut self, error: &Error) -> ExitCode {
        self.progress.clear();
        if is_broken_pipe(error) {
            return ExitCode::SUCCESS; // the reader has what it wanted
        }
        self.tell_last(error);
        ExitCode::from(exit_code(error.kind()))
    }

    /// Ends a run that Ctrl-C or its like ended.
    pub(crate) fn interrupted(mut self, error: &Error, code: u8) -> ExitCode {
        self.progress.clear();
        self.tell_last(error);
        ExitCode::from(code)
    }

    fn tell_last(&mut self, error: &Error) {
        // What was found before the error is an answer too; if it cannot be written, that is not the news.
        let flushed = self.stdout.flush();
        drop(flushed);
        self.tell(error);
    }

    /// Lets the run end with another exit code than that of success; the first to say so decides.
    pub(crate) fn end_with(&mut self, code: u8) {
        self.ending.get_or_insert(code);
    }

    /// Does the same with each. What fails is told and does not keep the rest from being done; the exit code is that of
    /// the first failure if nothing was done, else that of work done in part.
    pub(crate) fn each<T>(
        &mut self,
        items: &[T],
        mut work: impl FnMut(&T, &mut Self) -> Result<()>,
    ) -> Result<()> {
        let (mut is_any_done, mut first_failure) = (false, None);
        for item in items {
            match work(item, self) {
                Ok(()) => {}
                Err(error)
                    if items.len() == 1 || error.kind() == ErrorKind::Cancelled || is_broken_pipe(&error) =>
                {
                    return Err(error);
                }
                Err(error) => {
                    self.end_with(exit_code(error.kind()));
                    self.tell(&error);
                }
            }
            // What is work on many files itself has told its failures, and has left its code here.
            let code = self.ending.take();
            is_any_done |= code.is_none_or(|code| code == PARTIAL);
            first_failure = first_failure.or(code);
        }
        self.ending = first_failure.map(|code| if is_any_done { PARTIAL } else { code });
        Ok(())
    }

    /// Tells an error that does not end the run.
    pub(crate) fn warn(&mut self, error: &Error) {
        self.end_with(exit_code(error.kind()));
        self.tell(error);
    }

    /// Tells an error, whatever the exit code will be.
    pub(crate) fn tell(&self, error: &Error) {
        self.tell_of("", error);
    }

    /// The same, where `prefix` is what is typed before its path, if nobody has said so.
    pub(crate) fn tell_of(&self, prefix: &str, error: &Error) {
        self.progress.clear();
        let place = fact(error, ADDRESS).map(str::to_owned);
        let place = place.or(error.path().map(|path| format!("{prefix}{path}")));
        if self.json {
            let mut object = self.error_json(error);
            if !prefix.is_empty()
                && let Some(place) = place
            {
                object["context"][ADDRESS] = place.into();
            }
            to_stderr(format_args!("{}", json!({"error": object})));
            return;
        }
        let mut line = String::new();
        // Of two connections, which one.
        line.extend(fact(error, "side").map(|side| format!("{side}: ")));
        if self.verbose {
            line.push_str(&error.to_string()); // with the facts by name
        } else {
            line.extend(place.map(|place| format!("{place}: ")));
            line.push_str(error.message());
        }
        line.extend(advice(error).map(|advice| format!("; {}", self.typeable(advice))));
        error_line(&line, self.paint_stderr);
        for cause in error.causes().filter(|_| self.verbose) {
            to_stderr(format_args!("  caused by: {}", one_line(&cause)));
        }
    }

    /// An error for programs.
    pub(crate) fn error_json(&self, error: &Error) -> Value {
        let mut object = error_json(error);
        if let Some(advice) = advice(error) {
            object["hint"] = self.typeable(advice).into();
        }
        object
    }

    /// A file that was created or changed, unless nobody wants to know.
    pub(crate) fn done(&mut self, info: &FileInfo) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.json {
            return self.json_line(info);
        }
        let what = match info.kind {
            FileKind::Directory => "directory".to_owned(),
            _ => bytes(info.size),
        };
        self.line(format_args!("{}: {what}", one_line(&info.path.to_string())))
    }

    /// A file that was deleted, unless nobody wants to know.
    pub(crate) fn gone(&mut self, path: &BackendPath) -> Result<()> {
        let value = json!({"action": "delete", "path": path});
        self.summary(&value, format_args!("{}: deleted", one_line(&path.to_string())))
    }

    /// Everything about a file.
    pub(crate) fn details(&mut self, info: &FileInfo) -> Result<()> {
        if self.json {
            return self.json_line(info);
        }
        self.line(format_args!("path:     {}", one_line(&info.path.to_string())))?;
        let object = serde_json::to_value(info).map_err(not_json)?;
        for (label, key) in
            [("kind:", "kind"), ("size:", "size"), ("created:", "created_at"), ("modified:", "modified_at")]
        {
            match &object[key] {
                Value::Null => {}
                Value::String(text) => self.line(format_args!("{label:<10}{text}"))?,
                other => self.line(format_args!("{label:<10}{other}"))?,
            }
        }
        for (name, value) in &info.attributes {
            self.line(format_args!("{:<10}{}", format!("{name}:"), one_line(value)))?;
        }
        Ok(())
    }

    /// An entry of a listing: a path that other commands take.
    pub(crate) fn entry(&mut self, info: &FileInfo) -> Result<()> {
        if self.json {
            return self.json_line(info);
        }
        let name = self.marked(info.path.as_str(), info.kind);
        self.line(format_args!("{name}"))
    }

    /// An entry with size and time.
    pub(crate) fn long_entry(&mut self, info: &FileInfo) -> Result<()> {
        if self.json {
            return self.json_line(info);
        }
        let object = serde_json::to_value(info).map_err(not_json)?;
        // To the second: 2026-05-24T05:20:00Z.
        let time: String = object["modified_at"].as_str().unwrap_or_default().chars().take(19).collect();
        let time = if time.is_empty() { time } else { time.replace('T', " ") + "Z" };
        let size = if info.is_file() { human(info.size) } else { "-".to_owned() };
        let name = self.marked(info.path.as_str(), info.kind);
        self.line(format_args!("{size:>8}  {time:<20}  {name}"))
    }

    /// An entry at its place in a tree.
    pub(crate) fn tree_line(&mut self, stem: &str, info: &FileInfo) -> Result<()> {
        let name = self.marked(info.path.name().unwrap_or_default(), info.kind);
        self.line(format_args!("{stem}{name}"))
    }

    fn marked(&self, name: &str, kind: FileKind) -> String {
        match kind {
            FileKind::Directory => paint(&format!("{}/", one_line(name)), BLUE, self.paint_stdout),
            FileKind::Symlink => paint(&format!("{}@", one_line(name)), CYAN, self.paint_stdout),
            _ => one_line(name),
        }
    }

    /// A step of the work on many files: told with `-v`, in a dry run, and to programs.
    pub(crate) fn action(
        &mut self,
        value: &Value,
        action: &str,
        path: &BackendPath,
        dry_run: bool,
    ) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.json {
            self.json_line(value)?;
        } else if self.verbose || dry_run {
            self.progress.clear();
            self.line(format_args!("{action:<7}  {}", one_line(path.as_str())))?;
        } else {
            return Ok(());
        }
        // Told when it happens: whoever listens may want to act on it.
        self.stdout.flush().map_err(output_failed)
    }

    /// What was done, unless nobody wants to know.
    pub(crate) fn summary(&mut self, value: &Value, text: std::fmt::Arguments<'_>) -> Result<()> {
        if self.quiet { Ok(()) } else { self.either(value, text) }
    }

    /// A line for those who want to know everything.
    pub(crate) fn verbose(&mut self, text: std::fmt::Arguments<'_>) -> Result<()> {
        if self.verbose { self.line(text) } else { Ok(()) }
    }

    /// An object for programs, or text for people.
    pub(crate) fn either(&mut self, value: &Value, text: std::fmt::Arguments<'_>) -> Result<()> {
        if self.json { self.json_line(value) } else { self.line(text) }
    }

    /// The same, now: it is some time until the next.
    pub(crate) fn at_once(&mut self, value: &Value, text: std::fmt::Arguments<'_>) -> Result<()> {
        self.either(value, text)?;
        self.stdout.flush().map_err(output_failed)
    }

    pub(crate) fn hit(&mut self, hit: &SearchHit) -> Result<()> {
        if self.json {
            return self.json_line(hit);
        }
        let path = paint(&one_line(hit.path.as_str()), BLUE, self.paint_stdout);
        self.line(format_args!("{path}  {:.3}", hit.score))?;
        let snippet: String = hit.snippet.split_whitespace().collect::<Vec<_>>().join(" ");
        self.line(format_args!("  {}", one_line(&snippet)))
    }

    /// What went to the remote and came from it, unless nobody wants to know.
    pub(crate) fn report(&mut self, report: &SyncReport) -> Result<()> {
        if self.quiet {
            return Ok(());
        }
        if self.json {
            return self.json_line(report);
        }
        let SyncReport { sent, received, revision, .. } = report;
        let at = revision.as_ref().map(|revision| format!(", now at {revision}")).unwrap_or_default();
        self.line(format_args!("sent {sent}, received {received}{at}"))
    }

    pub(crate) fn conflict(&mut self, conflict: &Conflict) -> Result<()> {
        if self.json {
            return self.json_line(conflict);
        }
        let size = |side: &Option<ConflictSide>| match side {
            Some(side) => bytes(side.size),
            None => "absent".to_owned(),
        };
        self.line(format_args!(
            "{}  {}  (local {}, remote {})",
            conflict.status,
            one_line(conflict.path.as_str()),
            size(&conflict.local),
            size(&conflict.remote)
        ))
    }

    /// A file's content, as it is.
    pub(crate) fn copy_from(&mut self, reader: &mut dyn Read) -> Result<()> {
        let mut buffer = vec![0; 256 << 10];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                count => self.stdout.write_all(&buffer[..count]).map_err(output_failed)?,
            }
        }
    }

    /// An object for programs.
    pub(crate) fn json_line(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(not_json)?;
        self.line(format_args!("{text}"))
    }

    pub(crate) fn line(&mut self, line: std::fmt::Arguments<'_>) -> Result<()> {
        writeln!(self.stdout, "{line}").map_err(output_failed)
    }
}

/// `1 byte`, `17 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

pub(crate) fn output_failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot write to standard output: {error}")).caused_by(error)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Other, format!("cannot be expressed as JSON: {error}"))
}
