//! What is printed, and the exit code.

#![allow(clippy::print_stderr, reason = "the terminal is this program's")]

use std::{
    io::{self, BufWriter, Read, StdoutLock, Write},
    process::ExitCode,
};

use f9_host::{
    Conflict, ConflictSide, Error, ErrorKind, FileInfo, FileKind, PluginDir, PluginFile, Result, SyncReport,
    log,
    serde_json::{self, Value, json},
};
use serde::Serialize;

/// Where results go, and how they look.
pub(crate) struct Output {
    json: bool,
    verbose: bool,
    warned: bool,
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose, warned: false, stdout: BufWriter::new(io::stdout().lock()) }
    }

    /// Ends a run that did what it should.
    pub(crate) fn finish(mut self) -> ExitCode {
        match self.stdout.flush().map_err(output_failed) {
            Err(error) => self.fail(&error),
            Ok(()) if self.warned => ExitCode::FAILURE,
            Ok(()) => ExitCode::SUCCESS,
        }
    }

    /// Ends a run that did not.
    pub(crate) fn fail(mut self, error: &Error) -> ExitCode {
        if is_broken_pipe(error) {
            return ExitCode::SUCCESS; // the reader has what it wanted
        }
        // What was found before the error is an answer too; if it cannot be written, that is not the news.
        let flushed = self.stdout.flush();
        drop(flushed);
        self.tell(error);
        ExitCode::from(exit_code(error.kind()))
    }

    /// Tells an error that does not end the run.
    pub(crate) fn warn(&mut self, error: &Error) {
        self.warned = true;
        self.tell(error);
    }

    fn tell(&self, error: &Error) {
        if self.json {
            eprintln!("{}", json!({"error": error_json(error)}));
            return;
        }
        let mut line = "f9: ".to_owned();
        if self.verbose {
            line.push_str(&error.to_string()); // with the facts by name
        } else {
            line.extend(error.path().map(|path| format!("{path}: ")));
            line.push_str(error.message());
            line.extend(error.causes().next().map(|cause| format!(": {cause}")));
        }
        line.extend(error.advice().map(|advice| format!("; {advice}")));
        eprintln!("{}", one_line(&line));
        for cause in error.causes().filter(|_| self.verbose) {
            eprintln!("  caused by: {}", one_line(&cause));
        }
    }

    /// A file that was created or changed.
    pub(crate) fn info(&mut self, info: &FileInfo) -> Result<()> {
        if self.json {
            return self.json_line(info);
        }
        let what = match info.kind {
            FileKind::Directory => "directory".to_owned(),
            _ => format!("{} bytes", info.size),
        };
        self.line(format_args!("{}: {what}", one_line(&info.path.to_string())))
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
        let mark = match info.kind {
            FileKind::Directory => "/",
            FileKind::Symlink => "@",
            _ => "",
        };
        self.line(format_args!("{}{mark}", one_line(info.path.as_str())))
    }

    pub(crate) fn report(&mut self, report: &SyncReport) -> Result<()> {
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
            Some(side) => format!("{} bytes", side.size),
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

    pub(crate) fn plugin(&mut self, file: &PluginFile) -> Result<()> {
        if self.json {
            return self.json_line(file);
        }
        let (name, path) = (&file.name, file.path.display());
        match (&file.manifest, &file.refusal) {
            (Some(manifest), _) => {
                let capabilities = manifest.capabilities.join(", ");
                self.line(format_args!("{name} {}: {}", manifest.version, one_line(&manifest.description)))?;
                self.line(format_args!("  {path} [{capabilities}]"))
            }
            (None, refusal) => {
                let why = refusal.as_ref().map(ToString::to_string).unwrap_or_default();
                let remedy = refusal.as_ref().map(|refusal| refusal.code.remedy()).unwrap_or_default();
                self.line(format_args!("{name}: not usable: {}", one_line(&why)))?;
                self.line(format_args!("  {path}; {remedy}"))
            }
        }
    }

    /// The directories that were searched, where that is of interest.
    pub(crate) fn plugin_dirs(&mut self, dirs: &[PluginDir], nothing_found: bool) -> Result<()> {
        if self.json || !(self.verbose || nothing_found) {
            return Ok(());
        }
        self.line(format_args!("{}searched:", if nothing_found { "no plugin found; " } else { "" }))?;
        for dir in dirs {
            let problem = dir.problem.as_ref().map(|problem| format!(" ({problem})")).unwrap_or_default();
            self.line(format_args!("  {}{problem}", dir.path.display()))?;
        }
        Ok(())
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

    fn json_line(&mut self, value: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(value).map_err(not_json)?;
        self.line(format_args!("{text}"))
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) -> Result<()> {
        writeln!(self.stdout, "{line}").map_err(output_failed)
    }
}

fn output_failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Io, "cannot write to standard output").caused_by(error)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Other, "cannot be expressed as JSON").caused_by(error)
}

fn is_broken_pipe(error: &Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Text of any origin on one line of a terminal: control characters are escaped.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
}

fn error_json(error: &Error) -> Value {
    let mut object = json!({"kind": error.kind().as_str(), "message": error.message(), "path": error.path()});
    if let Some(advice) = error.advice() {
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
fn exit_code(kind: ErrorKind) -> u8 {
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
    if json && error.use_stderr() {
        let text = error.to_string();
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let message =
            text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
        eprintln!("{}", json!({"error": {"kind": "usage", "message": message, "path": null}}));
    } else if let Err(failed) = error.print() {
        return Output::new(json, false).fail(&output_failed(failed));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A log record of a plugin.
pub(crate) fn log(record: &log::Record<'_>) {
    let level = record.level().as_str().to_lowercase();
    eprintln!("f9: {level}: {}: {}", record.target(), one_line(&record.args().to_string()));
}
