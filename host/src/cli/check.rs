//! `check`: whether two places hold the same.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
};

use clap::Args;
use f9_host::{CheckEvent, CheckOptions, CheckReport, Result, Tree, check, serde_json::json};

use super::{
    choice::Choice,
    failure::{DIFFERENT, fact},
    output::Output,
    session::Session,
    terminal::one_line,
};

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is changed on either side. Files are compared by size and SHA-256 checksum, which many backends tell\nwithout reading. Exit code: 0 if all is the same, 1 if anything differs, is missing, or cannot be read.\n\nExample:\n  f9 check notes: backup:notes"
)]
pub(crate) struct Check {
    /// One directory.
    #[arg(value_name = "[NAME:]FIRST")]
    first: String,
    /// The other.
    #[arg(value_name = "[NAME:]SECOND")]
    second: String,
    /// Read the content of both sides instead of believing checksums that the storage tells.
    #[arg(long)]
    download: bool,
    /// Compare so many files at the same time.
    #[arg(short = 'j', long, value_name = "N", default_value = "8")]
    jobs: NonZeroUsize,
    #[command(flatten)]
    choice: Choice,
}

pub(crate) fn run(args: &Check, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (first, second) = (session.place(&args.first)?, session.place(&args.second)?);
    let options = CheckOptions::default()
        .filter(args.choice.filter()?)
        .download(args.download)
        .parallel(args.jobs)
        .cancel(session.cancel().clone());
    let shown = Mutex::new((&mut *output, Ok(())));
    let labels = (&*first.prefix, &*second.prefix);
    let compared = check(
        Tree { backend: &*first.backend, path: &first.path },
        Tree { backend: &*second.backend, path: &second.path },
        &options,
        &|event| {
            // A display that panicked has shown less; the work goes on.
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            if shown.1.is_ok() {
                shown.1 = show(event, labels, shown.0);
            } else {
                options.cancel.cancel();
            }
        },
    );
    let (output, written) = shown.into_inner().unwrap_or_else(PoisonError::into_inner);
    written?;
    let report = compared.map_err(|error| match fact(&error, "side") {
        Some("first") => first.named(first.explain(error)),
        Some(_) => second.named(second.explain(error)),
        None => error,
    })?;
    summarise(&report, output)
}

fn show(event: CheckEvent<'_>, (first, second): (&str, &str), output: &mut Output) -> Result<()> {
    let (result, path) = match event {
        CheckEvent::Different(path) => ("different", path),
        CheckEvent::OnlyFirst(path) => ("only_first", path),
        CheckEvent::OnlySecond(path) => ("only_second", path),
        CheckEvent::Unreadable { error, is_first, .. } => {
            output.tell_of(if is_first { first } else { second }, error);
            return Ok(());
        }
        _ => return Ok(()),
    };
    let side =
        |prefix: &str, which: &str| if prefix.is_empty() { which.to_owned() } else { prefix.to_owned() };
    let words = match result {
        "only_first" => format!("only in {}", side(first, "the first")),
        "only_second" => format!("only in {}", side(second, "the second")),
        _ => "different".to_owned(),
    };
    output.summary(&json!({"result": result, "path": path}), format_args!("{words}  {}", one_line(path)))
}

fn summarise(report: &CheckReport, output: &mut Output) -> Result<()> {
    let CheckReport { same, different, only_first, only_second, unreadable, left_out, .. } = *report;
    let value = json!({
        "outcome": if report.is_same() { "same" } else { "different" }, "same": same, "different": different,
        "only_first": only_first, "only_second": only_second, "unreadable": unreadable, "left_out": left_out,
    });
    let mut line = format!("{same} the same, {different} different");
    line.push_str(&format!(", {only_first} only in the first, {only_second} only in the second"));
    line.extend((unreadable > 0).then(|| format!(", {unreadable} unreadable")));
    line.extend((left_out > 0).then(|| format!(", {left_out} left out")));
    output.summary(&value, format_args!("{line}"))?;
    if !report.is_same() {
        output.end_with(DIFFERENT);
    }
    Ok(())
}
