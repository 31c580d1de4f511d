//! `mirror`, and how the work on many files is shown.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use clap::Args;
use f9_host::{
    BackendPath, CancelToken, Error, ErrorKind, Existing, Links, MirrorEvent, MirrorOptions, MirrorReport,
    Result, Tree, mirror, serde_json::json,
};

use super::{
    apart,
    choice::Choice,
    failure::{PARTIAL, exit_code, fact},
    output::Output,
    progress::{Progress, percent},
    session::{Place, Session},
    sizes::{clock, human},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Files that are the same on both sides, by size and checksum, are left alone: after a broken run, run it\nagain. Times, modes (such as the executable bit) and links are not kept. What is left out by pattern, size\nor age is not deleted either.\n\nA directory is not mirrored into itself, nor with --delete into one that contains it, also where two connections\nname directories of this machine.\n\nExample:\n  f9 mirror --delete photos: backup:photos"
)]
pub(crate) struct Mirror {
    /// The directory that stays as it is.
    #[arg(value_name = "[NAME:]FROM")]
    from: String,
    /// The directory that becomes the same.
    #[arg(value_name = "[NAME:]TO")]
    to: String,
    /// Delete what is not at the source, if all of it could be listed and nothing failed.
    #[arg(long)]
    delete: bool,
    /// With --delete: delete also what is left out here.
    #[arg(long, requires = "delete")]
    delete_excluded: bool,
    /// With --delete: delete although something failed, but for what is not known to be gone.
    #[arg(long, requires = "delete")]
    ignore_errors: bool,
    /// What becomes of links to directories, or to nothing: skip or error.
    #[arg(long, value_name = "HOW", default_value = "error", value_parser = links())]
    links: Links,
    /// Change nothing; tell what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Compare files by size alone.
    #[arg(long)]
    size_only: bool,
    /// Work on so many files at the same time.
    #[arg(short = 'j', long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    #[command(flatten)]
    choice: Choice,
}

/// How `--links` is written.
pub(crate) fn links() -> impl clap::builder::TypedValueParser<Value = Links> {
    use clap::builder::{PossibleValuesParser, TypedValueParser as _};
    PossibleValuesParser::new(["skip", "error"])
        .map(|how| if how == "skip" { Links::Skip } else { Links::Error })
}

pub(crate) fn run(args: &Mirror, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (from, to) = (session.place(&args.from)?, session.place(&args.to)?);
    let existing = if args.size_only { Existing::CompareSize } else { Existing::CompareChecksum };
    let options = MirrorOptions::default()
        .existing(existing)
        .delete(args.delete)
        .delete_excluded(args.delete_excluded)
        .ignore_errors(args.ignore_errors)
        .links(args.links)
        .filter(args.choice.filter()?)
        .dry_run(args.dry_run)
        .parallel(args.jobs)
        .cancel(session.cancel().clone());
    apart::check(&from, (&to, &to.path), args.delete, session)?;
    let report = bring(&from, (&to, &to.path), &options, output)?;
    summarise("", &report, &options, output)
}

/// Mirrors to a path of the destination, and shows how far it has come and what fails.
pub(crate) fn bring(
    source: &Place,
    (destination, to): (&Place, &BackendPath),
    options: &MirrorOptions,
    output: &mut Output,
) -> Result<MirrorReport> {
    let display = Mutex::new(Display::new((source, destination), output, options));
    let from = Tree { backend: &*source.backend, path: &source.path };
    let report = mirror(from, Tree { backend: &*destination.backend, path: to }, options, &|event| {
        // A display that panicked has shown less; the work goes on.
        display.lock().unwrap_or_else(PoisonError::into_inner).event(event);
    });
    let display = display.into_inner().unwrap_or_else(PoisonError::into_inner);
    display.progress.clear();
    let report = report.map_err(|error| match fact(&error, "side") {
        Some("source") => source.named(source.explain(error)),
        Some(_) => destination.named(destination.explain(error)),
        None if fact(&error, "destination").is_some() => {
            one_within_the_other(source, (destination, to), error)
        }
        None => error,
    });
    display.failure.map_or(report, Err)
}

/// Says it with the connections: the paths alone may be nothing but `/`.
fn one_within_the_other(source: &Place, (destination, to): (&Place, &BackendPath), error: Error) -> Error {
    let from = format!("{}{}", source.prefix, source.path.as_str());
    let to = format!("{}{}", destination.prefix, to.as_str());
    let message = match (from.is_empty() || to.is_empty(), from == to) {
        (true, _) => return error, // with -c
        (_, true) => format!("`{from}` is the source and the destination"),
        (_, false) => format!("`{from}` and `{to}` are one within the other"),
    };
    let told = Error::new(error.kind(), message).hint(error.advice().unwrap_or_default().to_owned());
    error.context().fold(told, |told, (name, value)| told.with(name, value))
}

/// Tells what was done, after `what`, and decides on the exit code.
pub(crate) fn summarise(
    what: &str,
    report: &MirrorReport,
    options: &MirrorOptions,
    output: &mut Output,
) -> Result<()> {
    let MirrorReport { copied, bytes, same, directories, deleted, failed, left, .. } = *report;
    let mut line = if options.dry_run { would_do(report) } else { done(report) };
    line.push_str(&format!(", {same} unchanged"));
    let MirrorReport { left_out, skipped, .. } = *report;
    line.extend((left_out > 0).then(|| format!(", {left_out} left out")));
    line.extend((skipped > 0).then(|| format!(", {} skipped", count(skipped, ["link", "links"]))));
    line.extend((failed > 0).then(|| format!(", {failed} failed")));
    line.extend((left > 0).then(|| format!(", {left} not looked at")));
    if report.deletions_withheld {
        line.push_str(", nothing deleted because not all else was done");
    }
    let outcome = match report {
        report if report.is_complete() => "complete",
        report if report.is_nothing_done() => "nothing",
        _ => "partial",
    };
    let value = json!({
        "outcome": outcome, "dry_run": options.dry_run, "copied": copied, "bytes": bytes, "same": same,
        "directories": directories, "deleted": deleted, "failed": failed, "left": left,
        "left_out": left_out, "skipped": skipped,
        "deletions_withheld": report.deletions_withheld, "cancelled": report.cancelled,
    });
    output.summary(&value, format_args!("{what}{line}"))?;
    conclude(report, output)
}

fn done(report: &MirrorReport) -> String {
    let MirrorReport { copied, bytes, directories, deleted, .. } = *report;
    let mut line = format!("copied {} ({})", count(copied, FILES), human(bytes));
    line.extend((directories > 0).then(|| format!(", {} made", count(directories, DIRECTORIES))));
    line.extend((deleted > 0).then(|| format!(", {deleted} deleted")));
    line
}

fn would_do(report: &MirrorReport) -> String {
    let MirrorReport { copied, bytes, directories, deleted, .. } = *report;
    let mut steps = Vec::new();
    steps.extend((copied > 0).then(|| format!("copy {} ({})", count(copied, FILES), human(bytes))));
    steps.extend((directories > 0).then(|| format!("make {}", count(directories, DIRECTORIES))));
    steps.extend((deleted > 0).then(|| format!("delete {deleted}")));
    if steps.is_empty() { "would change nothing".to_owned() } else { format!("would {}", steps.join(", ")) }
}

const FILES: [&str; 2] = ["file", "files"];
const DIRECTORIES: [&str; 2] = ["directory", "directories"];

fn count(count: u64, [one, many]: [&str; 2]) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The exit code of work on many files: complete, partial, or as the first failure if nothing was done.
fn conclude(report: &MirrorReport, output: &mut Output) -> Result<()> {
    if report.cancelled {
        return Err(Error::new(
            ErrorKind::Cancelled,
            "stopped; what is done stays, and the same command does the rest",
        ));
    }
    if !report.is_complete() {
        let nothing = report.first_error.as_ref().filter(|_| report.is_nothing_done());
        output.end_with(nothing.map_or(PARTIAL, |error| exit_code(error.kind())));
    }
    Ok(())
}

/// What the person at the terminal sees of it.
struct Display<'a> {
    /// What is typed before a path of the source and of the destination.
    prefixes: (&'a str, &'a str),
    output: &'a mut Output,
    progress: Progress,
    dry_run: bool,
    cancel: CancelToken,
    started: Instant,
    planned: (u64, u64),
    files: u64,
    /// Bytes that were compared and are the same, and those that were sent, since when.
    same: u64,
    sent: u64,
    sending_since: Option<Instant>,
    /// Why nothing more can be shown.
    failure: Option<Error>,
}

impl<'a> Display<'a> {
    fn new(
        (source, destination): (&'a Place, &'a Place),
        output: &'a mut Output,
        options: &MirrorOptions,
    ) -> Self {
        let progress = output.progress().clone();
        progress.take();
        Self {
            prefixes: (&source.prefix, &destination.prefix),
            output,
            progress,
            dry_run: options.dry_run,
            cancel: options.cancel.clone(),
            started: Instant::now(),
            planned: (0, 0),
            files: 0,
            same: 0,
            sent: 0,
            sending_since: None,
            failure: None,
        }
    }

    fn event(&mut self, event: MirrorEvent<'_>) {
        match event {
            MirrorEvent::Planned { files, bytes } => self.planned = (files, bytes),
            MirrorEvent::Sent { bytes } => {
                self.sent += bytes;
                self.sending_since.get_or_insert_with(Instant::now);
            }
            MirrorEvent::Same { size, .. } => {
                self.files += 1;
                self.same += size;
            }
            MirrorEvent::Copied { path, size, replaced } => {
                self.files += 1;
                self.action(if replaced { "replace" } else { "copy" }, path, Some(size));
            }
            MirrorEvent::DirectoryMade { path } => self.action("mkdir", path, None),
            MirrorEvent::Deleted { path } => self.action("delete", path, None),
            MirrorEvent::Skipped { path, what } => self.action(&format!("skip {what}"), path, None),
            MirrorEvent::Failed { error } => {
                let (source, destination) = &self.prefixes;
                let is_source = fact(error, "side") == Some("source");
                self.output.tell_of(if is_source { source } else { destination }, error);
            }
            _ => {}
        }
        self.progress.show(|width| self.line(width));
    }

    fn action(&mut self, action: &str, path: &BackendPath, size: Option<u64>) {
        let value = json!({"action": action, "path": path, "size": size, "dry_run": self.dry_run});
        if let Err(error) = self.output.action(&value, action, path, self.dry_run) {
            // Nobody would see the rest.
            self.cancel.cancel();
            self.failure.get_or_insert(error);
        }
    }

    /// The most important first: what does not fit is left out.
    fn line(&self, width: usize) -> String {
        let (files, bytes) = self.planned;
        let settled = self.same + self.sent;
        let share = if bytes > 0 { percent(settled, bytes) } else { percent(self.files, files) };
        let mut line = format!("{share:3}%  {}/{files} files", self.files);
        let mut parts = Vec::new();
        match self.sending_since.map(|since| since.elapsed().as_secs_f64()) {
            None => parts.push(format!("{} compared", human(self.same))),
            Some(seconds) => {
                parts.push(format!("{} sent", human(self.sent)));
                if seconds >= 1.0 {
                    parts.push(format!("{}/s", human((self.sent as f64 / seconds) as u64)));
                }
            }
        }
        if share >= 1 && settled < bytes {
            let left = self.started.elapsed().as_secs_f64() * (bytes - settled) as f64 / settled as f64;
            parts.push(format!("about {} left", clock(std::time::Duration::from_secs_f64(left.min(1e9)))));
        }
        for part in parts {
            if line.len() + 2 + part.len() <= width {
                line = format!("{line}  {part}");
            }
        }
        let room = width.min(100).saturating_sub(line.len() + 3);
        if width == usize::MAX || room < 10 {
            return line;
        }
        let full = room * usize::try_from(share).unwrap_or(0) / 100;
        format!("[{}{}] {line}", "#".repeat(full), " ".repeat(room - full))
    }
}
