//! Finding files by what is in them.

use f9_plugin_api::{BackendPath, Error, ErrorKind, Result, SearchBackend, SearchHit};
use serde_json::{Value, json};

use crate::store::Store;

/// How many hits the service gives at most.
const LIMIT: u32 = 50;

/// How many characters of a hit are shown.
const SNIPPET: usize = 1000;

impl SearchBackend for Store {
    fn search(&self, query: &str, limit: u32, filters: &Value) -> Result<Vec<SearchHit>> {
        let filters = only_text(filters)?;
        if limit == 0 || query.trim().is_empty() {
            return Ok(Vec::new());
        }
        let found = self.api.search(query, limit.min(LIMIT), &filters)?;
        let index = self.catalog.look(&self.api, &BackendPath::root())?;
        let mut hits: Vec<SearchHit> = Vec::new();
        for hit in found {
            // Of old versions and of what is being written nothing is told.
            let Some(entry) = index.entry(&hit.file_id) else { continue };
            let record = &entry.record;
            let current = index.version(record.path.as_str());
            if current.is_none_or(|version| version.generation != record.generation) {
                continue;
            }
            if hits.iter().any(|other| other.path == record.path) {
                continue; // a better hit in the same file
            }
            let text = hit.content.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n");
            let snippet: String = text.chars().take(SNIPPET).collect();
            hits.push(SearchHit::new(record.path.clone(), hit.score, snippet));
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score));
        Ok(hits)
    }
}

/// The caller's filters, and that armour and stubs are left out.
fn only_text(filters: &Value) -> Result<Value> {
    let text = json!({"type": "eq", "key": "text", "value": "1"});
    if filters.is_null() {
        return Ok(text);
    }
    if !is_filter(filters) {
        return Err(Error::new(ErrorKind::InvalidOperation, "the filters are not understood")
            .hint("give a filter as the service knows them: {\"type\": \"eq\", \"key\": …, \"value\": …} or {\"type\": \"and\", \"filters\": […]}"));
    }
    Ok(json!({"type": "and", "filters": [text, filters]}))
}

fn is_filter(filter: &Value) -> bool {
    match filter["type"].as_str() {
        Some("and" | "or") => {
            filter["filters"].as_array().is_some_and(|filters| filters.iter().all(is_filter))
        }
        Some("eq" | "ne" | "gt" | "gte" | "lt" | "lte") => {
            let value = &filter["value"];
            filter["key"].is_string() && (value.is_string() || value.is_number() || value.is_boolean())
        }
        Some("in" | "nin") => {
            let plain = |value: &Value| value.is_string() || value.is_number();
            filter["key"].is_string()
                && filter["value"].as_array().is_some_and(|values| values.iter().all(plain))
        }
        _ => false,
    }
}
