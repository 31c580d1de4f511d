//! The command that removes what interrupted runs have left behind, where a plugin's backend has something to sweep.

use std::time::Duration;

use clap::Args;
use f9_host::{
    Error, ErrorKind, FileBackend, Result,
    serde_json::{Value, json},
};

use super::{failure::PARTIAL, output::Output, session::Session, stop::parse_duration, terminal::one_line};

/// The name of the plugin's command.
const SWEEP: &str = "sweep";

#[derive(Debug, Args)]
#[command(
    after_help = "Younger leftovers may belong to somebody who is still at it: how old they have to be the plugin knows,\nunless --older-than says otherwise. What belongs to a file is never swept.\n\nExample:\n  f9 sweep --dry-run docs:"
)]
pub(crate) struct Sweep {
    #[arg(value_name = "NAME:")]
    name: Option<String>,
    /// Only tell what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Leave alone what is younger than this: 30s, 5m, 2h. With 0 everything goes that belongs to no file.
    #[arg(long, value_name = "TIME", value_parser = age)]
    older_than: Option<Duration>,
}

fn age(text: &str) -> Result<Duration, String> {
    if text == "0" { Ok(Duration::ZERO) } else { parse_duration(text) }
}

pub(crate) fn run(args: &Sweep, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let backend = session.backend(args.name.as_deref())?;
    let mut arguments = json!({"dry_run": args.dry_run});
    if let Some(age) = args.older_than {
        arguments["min_age"] = age.as_secs_f64().into();
    }
    let answer = backend
        .command(SWEEP, &arguments)
        .map_err(|error| explain(error, backend.plugin().manifest().name.as_str()))?;
    let all = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let (found, removed, failed) = (all("found"), all("removed"), all("failed"));
    for (action, items) in [("would remove", &found), ("removed", &removed)] {
        for item in items {
            tell(action, item, output)?;
        }
    }
    for failure in &failed {
        let error = Error::new(ErrorKind::Other, failure["error"].as_str().unwrap_or("it cannot be removed"));
        output.tell(&error.at(describe(&failure["orphan"])));
    }
    if !failed.is_empty() {
        output.end_with(PARTIAL);
    }
    let (count, what) = if args.dry_run { (found.len(), "to remove") } else { (removed.len(), "removed") };
    let summary = json!({"summary": {
        "dry_run": args.dry_run, "found": found.len() + removed.len() + failed.len(), "removed": removed.len(),
        "failed": failed.len(),
    }});
    let leftovers = if count == 1 { "leftover" } else { "leftovers" };
    output.summary(&summary, format_args!("{count} {leftovers} {what}"))
}

fn explain(error: Error, plugin: &str) -> Error {
    if error.kind() != ErrorKind::Unsupported {
        return error;
    }
    let message = format!("a `{plugin}` backend has nothing to sweep: its plugin has no command for it");
    Error::new(ErrorKind::Unsupported, message)
}

fn tell(action: &str, item: &Value, output: &mut Output) -> Result<()> {
    let mut value = json!({"action": action});
    if let (Some(value), Some(item)) = (value.as_object_mut(), item.as_object()) {
        value.extend(item.clone());
    }
    let reason = item["reason"].as_str().unwrap_or("left over");
    output.either(&value, format_args!("{action}  {}  {}", one_line(reason), one_line(&describe(item))))
}

/// What a leftover is called: the first that it has of what people know.
fn describe(item: &Value) -> String {
    let known = ["path", "filename", "name", "file_id"].iter().find_map(|key| item[*key].as_str());
    known.map_or_else(|| item.to_string(), str::to_owned)
}
