//! What the server knows.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value, json};

use crate::{Route, Settings, StoredFile, faults::Plan};

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) plans: Vec<Plan>,
    pub(crate) requests: Vec<(Route, u16)>,
    pub(crate) violations: Vec<String>,
    pub(crate) files: BTreeMap<String, File>,
    pub(crate) stores: BTreeMap<String, Store>,
    /// When the attachments of the last minute were made.
    pub(crate) writes: Vec<Instant>,
    ids: u64,
}

/// A File object.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) id: String,
    pub(crate) filename: String,
    pub(crate) purpose: String,
    pub(crate) content: Vec<u8>,
    pub(crate) created_at: u64,
}

#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) created_at: u64,
    /// By file id; one that was detached stays until the listings have caught up.
    pub(crate) files: BTreeMap<String, Attached>,
}

/// A file of a store.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    /// The file as it was when it was attached: deleting a File does not undo its indexing at once.
    pub(crate) file: File,
    /// Since when; the last holds.
    pub(crate) attributes: Vec<(Instant, Map<String, Value>)>,
    pub(crate) created_at: u64,
    pub(crate) since: Instant,
    pub(crate) until: Option<Instant>,
    pub(crate) outcome: Outcome,
    pub(crate) chunk_tokens: u64,
    pub(crate) overlap_tokens: u64,
}

/// How indexing ends.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Completed,
    Failed(String, String),
    Never,
}

impl State {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            plans: Vec::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            files: BTreeMap::new(),
            stores: BTreeMap::new(),
            writes: Vec::new(),
            ids: 0,
        }
    }

    pub(crate) fn create_store(&mut self) -> String {
        let id = format!("vs_{:032x}", self.new_id());
        self.stores.insert(id.clone(), Store { created_at: now(), files: BTreeMap::new() });
        id
    }

    pub(crate) fn create_file(&mut self, filename: &str, purpose: &str, content: &[u8]) -> File {
        let id = format!("file-{:024x}", self.new_id());
        let (filename, purpose) = (filename.to_owned(), purpose.to_owned());
        let file = File { id: id.clone(), filename, purpose, content: content.to_vec(), created_at: now() };
        self.files.insert(id, file.clone());
        file
    }

    /// Makes all that is there older.
    pub(crate) fn age(&mut self, seconds: u64) {
        self.files.values_mut().for_each(|file| file.created_at -= seconds);
        let attached = self.stores.values_mut().flat_map(|store| store.files.values_mut());
        attached.for_each(|file| file.created_at -= seconds);
    }

    /// Ids look random: their order tells nothing of the order of their making.
    fn new_id(&mut self) -> u128 {
        self.ids += 1;
        u128::from(self.ids.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | u128::from(self.ids) << 64
    }

    pub(crate) fn stored_files(&self, store: &str) -> Vec<StoredFile> {
        let attached = |id: &str| {
            let attached = self.stores[store].files.get(id)?;
            attached.until.is_none().then(|| attached.attributes().clone())
        };
        let describe = |file: &File| StoredFile {
            id: file.id.clone(),
            filename: file.filename.clone(),
            content: file.content.clone(),
            attributes: attached(&file.id),
        };
        self.files.values().map(describe).collect()
    }

    pub(crate) fn put(
        &mut self,
        store: &str,
        filename: &str,
        content: &[u8],
        attributes: Map<String, Value>,
    ) -> String {
        let file = self.create_file(filename, "assistants", content);
        let id = file.id.clone();
        let attached = Attached::new(file, attributes, Outcome::Completed, 800, 400);
        self.stores.get_mut(store).expect("a store of this server").files.insert(id.clone(), attached);
        id
    }

    /// Deletes a File and detaches it everywhere; false if there is none.
    pub(crate) fn delete_file(&mut self, id: &str) -> bool {
        for store in self.stores.values_mut() {
            if let Some(attached) = store.files.get_mut(id) {
                attached.until.get_or_insert_with(Instant::now);
            }
        }
        self.files.remove(id).is_some()
    }
}

impl Attached {
    pub(crate) fn new(
        file: File,
        attributes: Map<String, Value>,
        outcome: Outcome,
        chunk_tokens: u64,
        overlap_tokens: u64,
    ) -> Self {
        let since = Instant::now();
        Self {
            file,
            attributes: vec![(since, attributes)],
            created_at: now(),
            since,
            until: None,
            outcome,
            chunk_tokens,
            overlap_tokens,
        }
    }

    pub(crate) fn attributes(&self) -> &Map<String, Value> {
        &self.attributes[self.attributes.len() - 1].1
    }

    /// The attributes as a listing that lags behind shows them.
    fn attributes_at(&self, moment: Instant) -> &Map<String, Value> {
        let known = self.attributes.iter().rev().find(|(since, _)| *since <= moment);
        &known.unwrap_or(&self.attributes[0]).1
    }

    /// Whether a listing that lags behind by `lag` shows it.
    pub(crate) fn is_listed(&self, lag: Duration) -> bool {
        let seen = |moment: Instant| moment.elapsed() >= lag;
        seen(self.since) && !self.until.is_some_and(seen)
    }

    pub(crate) fn status(&self, settings: &Settings) -> &'static str {
        self.status_before(settings, Duration::ZERO)
    }

    /// The status as it was `lag` ago.
    fn status_before(&self, settings: &Settings, lag: Duration) -> &'static str {
        if self.since.elapsed() < settings.index_delay + lag {
            return "in_progress";
        }
        match self.outcome {
            Outcome::Completed => "completed",
            Outcome::Failed(..) => "failed",
            Outcome::Never => "in_progress",
        }
    }

    /// The VectorStoreFile object, as it was `lag` ago.
    pub(crate) fn to_json(&self, store: &str, settings: &Settings, lag: Duration) -> Value {
        let status = self.status_before(settings, lag);
        let last_error = match &self.outcome {
            Outcome::Failed(code, message) if status == "failed" => json!({"code": code, "message": message}),
            _ => Value::Null,
        };
        let moment = Instant::now().checked_sub(lag).unwrap_or(self.since);
        let mut attributes = self.attributes_at(moment).clone();
        if settings.float_numbers {
            for value in attributes.values_mut() {
                if let Some(number) = value.as_f64() {
                    *value = json!(number);
                }
            }
        }
        json!({
            "id": self.file.id,
            "object": "vector_store.file",
            "usage_bytes": if status == "completed" { self.file.content.len() * 3 } else { 0 },
            "created_at": self.created_at,
            "vector_store_id": store,
            "status": status,
            "last_error": last_error,
            "chunking_strategy": {"type": "static", "static": {
                "max_chunk_size_tokens": self.chunk_tokens, "chunk_overlap_tokens": self.overlap_tokens,
            }},
            "attributes": attributes,
        })
    }
}

/// Seconds since 1970, which is all that the service tells.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
