//! `capabilities` itself, and the commands of a plugin.

use serde_json::Value;

use super::{
    Applies, Case,
    check::{Checked, cases, ensure},
    subject::Subject,
};
use crate::{Capabilities, ErrorKind};

pub(super) const CASES: &[Case] = cases! {
    "capabilities", Applies::Always;
    are_the_same_at_each_call: "Does no I/O and answers the same at each call.";
    sync_is_there_if_declared: "as_sync: `Some` if and only if SYNC is declared.";
    search_is_there_if_declared: "as_search: `Some` if and only if SEARCH is declared.";
    an_unknown_command_is_unsupported: "Unsupported for a name that the plugin does not know.";
};

fn are_the_same_at_each_call(s: &Subject<'_>) -> Checked {
    let first = s.0.capabilities();
    s.create("dir/file", "x").done()?;
    s.delete_all("dir").done()?;
    let later = s.0.capabilities();
    ensure!(first == later, "first {first:?}, later {later:?}");
    Ok(())
}

fn sync_is_there_if_declared(s: &Subject<'_>) -> Checked {
    let (declared, there) = (s.0.capabilities().contains(Capabilities::SYNC), s.0.as_sync().is_some());
    ensure!(declared == there, "declared: {declared}, there: {there}");
    Ok(())
}

fn search_is_there_if_declared(s: &Subject<'_>) -> Checked {
    let (declared, there) = (s.0.capabilities().contains(Capabilities::SEARCH), s.0.as_search().is_some());
    ensure!(declared == there, "declared: {declared}, there: {there}");
    Ok(())
}

fn an_unknown_command_is_unsupported(s: &Subject<'_>) -> Checked {
    let answer = s.0.command("no-plugin-calls-a-command-so", &Value::Null).map_err(|error| error.kind());
    ensure!(matches!(answer, Err(ErrorKind::Unsupported)), "it is answered {answer:?}");
    Ok(())
}
