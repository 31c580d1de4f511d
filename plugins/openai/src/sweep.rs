//! What interrupted runs left behind.

use std::{
    collections::{HashMap, HashSet},
    sync::atomic::Ordering,
    time::{SystemTime, UNIX_EPOCH},
};

use f9_plugin_api::{
    BackendPath, Error, ErrorKind, Result, log,
    serde::{Deserialize, Serialize},
};
use serde_json::{Value, json};

use crate::{
    api::{MAX_PAGES, endless},
    index::{Entry, Index},
    store::Store,
    types::Status,
};

/// Younger leftovers may be somebody's upload that is still going on.
const MIN_AGE: f64 = 3600.0;

/// So much is swept after a write at most: the rest is for the next.
const AFTER_WRITE: usize = 100;

/// The purposes that uploads of ours can have, probes included.
const PURPOSES: [&str; 4] = ["assistants", "user_data", "batch", "vision"];

/// Arguments of `orphans` and `sweep`.
#[derive(Debug, Default, Deserialize)]
#[serde(crate = "f9_plugin_api::serde", deny_unknown_fields)]
struct Arguments {
    /// In seconds.
    min_age: Option<f64>,
    /// Of the root: only what was to be below it.
    directory: Option<String>,
    /// Only tell.
    #[serde(default)]
    dry_run: bool,
}

/// Something that belongs to no file.
#[derive(Debug, Serialize)]
#[serde(crate = "f9_plugin_api::serde")]
struct Orphan {
    file_id: String,
    /// `uncommitted`, `superseded`, `failed` or `unattached`.
    reason: &'static str,
    path: Option<String>,
    filename: Option<String>,
    /// Seconds since 1970.
    created_at: f64,
}

/// Lists orphans.
pub(crate) fn orphans(store: &Store, arguments: &Value) -> Result<Value> {
    Ok(json!({"orphans": find(store, &Arguments::parse(arguments)?)?}))
}

/// Removes orphans.
pub(crate) fn sweep(store: &Store, arguments: &Value) -> Result<Value> {
    let arguments = Arguments::parse(arguments)?;
    let found = find(store, &arguments)?;
    if arguments.dry_run {
        return Ok(json!({"found": found}));
    }
    remove(store, found)
}

/// Removes what interrupted writes have left an hour ago or more, once for each backend, after a write has been committed.
/// What goes wrong is no fault of that write, and left to the next.
pub(crate) fn after_write(store: &Store, now: f64) {
    if store.is_swept.swap(true, Ordering::Relaxed) {
        return;
    }
    let swept = look_for_old(store, now).and_then(|is_any| {
        if !is_any {
            return Ok(());
        }
        let mut found = find_by(store, None, MIN_AGE, now)?;
        found.truncate(AFTER_WRITE);
        let answer = remove(store, found)?;
        log::info!("swept what interrupted writes have left: {answer}");
        Ok(())
    });
    if let Err(error) = swept {
        log::debug!("what interrupted writes may have left is not swept: {error}");
    }
}

/// Whether there is anything to sweep, as far as one request tells.
fn look_for_old(store: &Store, now: f64) -> Result<bool> {
    let is_old = |created_at: f64| now - created_at >= MIN_AGE;
    let is_any = entries_of_no_file(&store.catalog.index()).any(|(_, _, touched)| is_old(touched));
    if is_any {
        return Ok(true);
    }
    let (prefix, files) = (store.name_prefix(None), store.api.newest_files()?.data);
    let index = store.catalog.index();
    Ok(files.iter().any(|file| {
        let ours = file.filename.starts_with(&prefix) && is_old(file.created_at);
        ours && index.entry(&file.id).is_none() && !store.catalog.is_foreign(&file.id)
    }))
}

fn remove(store: &Store, found: Vec<Orphan>) -> Result<Value> {
    let (mut removed, mut failed) = (Vec::new(), Vec::new());
    for orphan in found {
        store.context.check_cancelled()?;
        match store.api.detach(&orphan.file_id).and_then(|()| store.api.delete_file(&orphan.file_id)) {
            Ok(()) => {
                store.catalog.index().remove(&orphan.file_id);
                removed.push(orphan);
            }
            Err(failure) => {
                let error = Error::from(failure);
                failed.push(json!({"orphan": orphan, "error": error.to_string()}));
            }
        }
    }
    Ok(json!({"removed": removed, "failed": failed}))
}

fn find(store: &Store, arguments: &Arguments) -> Result<Vec<Orphan>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    find_by(store, arguments.directory.as_deref(), arguments.min_age.unwrap_or(MIN_AGE), now)
}

fn find_by(store: &Store, directory: Option<&str>, min_age: f64, now: f64) -> Result<Vec<Orphan>> {
    let is_old = |created_at: f64| now - created_at >= min_age;
    // Files before the listing: what is attached between the two is then seen as attached.
    let files = uploaded_files(store, directory)?;
    let mut orphans = Vec::new();
    let index = store.catalog.look_afresh(&store.api, &BackendPath::root())?;
    let is_below =
        |entry: &Entry| directory.is_none_or(|top| entry.record.path.as_str().split('/').next() == Some(top));
    let belong_nowhere =
        entries_of_no_file(&index).filter(|(entry, _, touched)| is_below(entry) && is_old(*touched));
    orphans.extend(belong_nowhere.map(|(entry, reason, _)| orphan(entry, reason)));
    for (file_id, filename, created_at) in files {
        let attached = index.entry(&file_id).is_some() || store.catalog.is_foreign(&file_id);
        if !attached && is_old(created_at) {
            let (reason, path, filename) = ("unattached", None, Some(filename));
            orphans.push(Orphan { file_id, reason, path, filename, created_at });
        }
    }
    Ok(orphans)
}

impl Arguments {
    fn parse(arguments: &Value) -> Result<Self> {
        let arguments = if arguments.is_null() { &json!({}) } else { arguments };
        let parsed = Self::deserialize(arguments).ok();
        let parsed = parsed.filter(|arguments| arguments.min_age.is_none_or(|age| age >= 0.0));
        parsed.ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, "the arguments of this command are not understood").hint(
                "give some of {\"min_age\": SECONDS, \"directory\": NAME, \"dry_run\": BOOLEAN}, or nothing",
            )
        })
    }
}

/// Entries of the store that are part of no version anybody can see, why, and when the version that they were to be part of was
/// last added to: the first parts of a large upload are older than the rest.
fn entries_of_no_file(index: &Index) -> impl Iterator<Item = (&Entry, &'static str, f64)> {
    let mut touched: HashMap<_, f64> = HashMap::new();
    for entry in index.all() {
        let last = touched.entry(&entry.record.generation).or_default();
        *last = last.max(entry.created_at);
    }
    let committed: HashSet<_> = index
        .all()
        .filter(|entry| entry.record.commit.is_some())
        .map(|entry| (&entry.record.path, &entry.record.generation))
        .collect();
    index.all().filter_map(move |entry| {
        let record = &entry.record;
        let newest = index.version(record.path.as_str()).map(|version| version.generation);
        let reason = if matches!(entry.status, Status::Failed | Status::Cancelled) && record.is_content() {
            "failed"
        } else if newest.is_some_and(|newest| record.generation < newest) {
            "superseded"
        } else if !committed.contains(&(&record.path, &record.generation)) {
            "uncommitted"
        } else {
            return None;
        };
        Some((entry, reason, touched[&record.generation]))
    })
}

fn orphan(entry: &Entry, reason: &'static str) -> Orphan {
    let path = Some(entry.record.path.as_str().to_owned());
    Orphan { file_id: entry.id.clone(), reason, path, filename: None, created_at: entry.created_at }
}

/// Every upload of this store's or of one directory of it, attached or not: id, name and when it was made.
fn uploaded_files(store: &Store, directory: Option<&str>) -> Result<Vec<(String, String, f64)>> {
    let prefix = store.name_prefix(directory);
    let mut files = Vec::new();
    for purpose in PURPOSES {
        let mut after: Option<String> = None;
        let mut pages = 0;
        loop {
            let page = store.api.list_files(purpose, after.as_deref())?;
            let last = page.data.last().map(|file| file.id.clone());
            let ours = page.data.into_iter().filter(|file| file.filename.starts_with(&prefix));
            files.extend(ours.map(|file| (file.id, file.filename, file.created_at)));
            if !page.has_more || last.is_none() || last == after {
                break;
            }
            pages += 1;
            if pages == MAX_PAGES {
                return Err(endless("the listing of the uploaded files"));
            }
            after = last;
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use f9_plugin_api::BackendPath;

    use super::*;
    use crate::record::{Generation, Record, Storage};

    #[test]
    fn the_first_parts_of_an_upload_are_as_old_as_its_last() {
        let generation = Generation::after(None);
        let part = |part, created_at| {
            let path = BackendPath::parse("large").unwrap();
            let record = Record::of_part(&path, &generation, part, b"", Storage::Armor);
            Entry { id: format!("file-{part}"), status: Status::Completed, created_at, known: true, record }
        };
        let mut index = Index::default();
        index.replace(vec![part(0, 100.0), part(1, 5000.0)]);
        let found: Vec<_> =
            entries_of_no_file(&index).map(|(entry, _, touched)| (entry.id.clone(), touched)).collect();
        assert_eq!(found, [("file-0".to_owned(), 5000.0), ("file-1".to_owned(), 5000.0)]);
    }
}
