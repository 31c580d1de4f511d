//! The optional part `SearchBackend`, as far as it holds of any kind of search.

use serde_json::{Value, json};

use super::{
    Applies, Case,
    check::{Checked, Failure, cases, ensure},
    subject::Subject,
};
use crate::{Capabilities, ErrorKind, SearchBackend};

pub(super) const CASES: &[Case] = cases! {
    "search", Applies::Declared(Capabilities::SEARCH);
    keeps_to_the_limit: "At most `limit` hits for `query`, best first.";
    refuses_filters_it_does_not_understand: "InvalidOperation for filters that the plugin does not understand.";
};

fn search<'a>(s: &'a Subject<'_>) -> Checked<&'a dyn SearchBackend> {
    s.0.as_search()
        .ok_or_else(|| Failure { seen: "`search` is declared, and `as_search` is None".to_owned() })
}

fn keeps_to_the_limit(s: &Subject<'_>) -> Checked {
    for name in ["a.txt", "b.txt", "c.txt"] {
        s.create(name, "lighthouse keepers write letters about lighthouses").done()?;
    }
    let found = search(s)?.search("lighthouse", 2, &Value::Null);
    let hits = found.map_err(|error| Failure { seen: format!("a search: {}: {error}", error.kind()) })?;
    ensure!(hits.len() <= 2, "a search for 2 hits found {}", hits.len());
    ensure!(hits.is_sorted_by(|a, b| a.score >= b.score), "the hits are not ordered, best first: {hits:?}");
    hits.iter().try_for_each(|hit| s.info(hit.path.as_str()).done().map(drop))
}

fn refuses_filters_it_does_not_understand(s: &Subject<'_>) -> Checked {
    let kind = search(s)?.search("x", 1, &json!("not an object")).map_err(|error| error.kind());
    ensure!(
        matches!(kind, Err(ErrorKind::InvalidOperation)),
        "filters of a wrong type are answered {kind:?}"
    );
    Ok(())
}
