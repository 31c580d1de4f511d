//! `/vector_stores`

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::{
    Settings, Shape,
    answer::{Answer, no_such_file, no_such_store, not_attached},
    faults::Fault,
    files::{endless_page, page},
    http::Request,
    state::{Attached, Outcome, State},
    text,
};

/// Why nothing can be done with a store at all.
pub(crate) fn check_usable(state: &State, store: &str) -> Option<Answer> {
    if !store.starts_with("vs_") {
        let message = format!("Invalid 'vector_store_id': '{store}'. Expected an ID that begins with 'vs_'.");
        return Some(Answer::error(400, &message, Some("vector_store_id"), Some("invalid_value")));
    }
    if !state.stores.contains_key(store) {
        return Some(no_such_store(store));
    }
    if state.settings.expired {
        return Some(Answer::error(400, &format!("Vector store '{store}' has expired"), None, None));
    }
    None
}

pub(crate) fn retrieve(state: &State, id: &str) -> Answer {
    let store = &state.stores[id];
    let settings = &state.settings;
    let statuses: Vec<_> = store
        .files
        .values()
        .filter(|file| file.is_listed(settings.list_lag))
        .map(|file| file.status(settings))
        .collect();
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    Answer::json(&json!({
        "id": id,
        "object": "vector_store",
        "created_at": store.created_at,
        "name": "test",
        "usage_bytes": 0,
        "file_counts": {
            "in_progress": count("in_progress"), "completed": count("completed"), "failed": count("failed"),
            "cancelled": 0, "total": statuses.len(),
        },
        "status": "completed",
        "last_active_at": store.created_at,
        "metadata": {},
    }))
}

pub(crate) fn attach(state: &mut State, store: &str, body: &Value, fault: Option<&Fault>) -> Answer {
    if let Some(refusal) = limit_rate(state) {
        return refusal;
    }
    let id = body["file_id"].as_str().unwrap_or_default();
    let Some(file) = state.files.get(id).cloned() else { return no_such_file(id) };
    if let Err(extension) = text::check_extension(&file.filename) {
        let message = format!(
            "Files with extensions [{extension}] are not supported for retrieval. See \
             https://platform.openai.com/docs/assistants/tools/file-search/supported-files"
        );
        return Answer::error(400, &message, Some("file_ids"), Some("unsupported_file"));
    }
    let attributes = match checked_attributes(&body["attributes"], &state.settings) {
        Ok(attributes) => attributes,
        Err(refusal) => return refusal,
    };
    let chunking = &body["chunking_strategy"]["static"];
    let chunk_tokens = chunking["max_chunk_size_tokens"].as_u64().unwrap_or(800);
    let overlap_tokens = chunking["chunk_overlap_tokens"].as_u64().unwrap_or(400);
    if overlap_tokens * 2 > chunk_tokens {
        let message = "chunk_overlap_tokens must be at most half of max_chunk_size_tokens";
        return Answer::error(400, message, Some("chunking_strategy"), Some("invalid_value"));
    }
    let outcome = match (fault, text::check_content(&file.filename, &file.content, &state.settings)) {
        (Some(Fault::FailIndexing(code)), _) => {
            Outcome::Failed((*code).to_owned(), "planned failure".to_owned())
        }
        (Some(Fault::NeverIndex), _) => Outcome::Never,
        (_, Err((code, message))) => Outcome::Failed(code.to_owned(), message.to_owned()),
        (_, Ok(())) => Outcome::Completed,
    };
    let attached = Attached::new(file, attributes, outcome, chunk_tokens, overlap_tokens);
    let answer = Answer::json(&attached.to_json(store, &state.settings, Duration::ZERO));
    state.stores.get_mut(store).expect("checked").files.insert(id.to_owned(), attached);
    answer
}

fn limit_rate(state: &mut State) -> Option<Answer> {
    let most = state.settings.writes_per_minute? as usize;
    let minute = Duration::from_secs(60);
    state.writes.retain(|moment| moment.elapsed() < minute);
    if state.writes.len() < most {
        state.writes.push(Instant::now());
        return None;
    }
    let wait = minute.saturating_sub(state.writes[0].elapsed()).as_secs().max(1);
    let answer = Answer::error(429, "Rate limit reached", None, Some("rate_limit_exceeded"));
    Some(answer.header("retry-after", &wait.to_string()))
}

/// Attributes within the limits; the description allows values of 512 characters, the guide of 256.
fn checked_attributes(attributes: &Value, settings: &Settings) -> Result<Map<String, Value>, Answer> {
    let attributes = attributes.as_object().cloned().unwrap_or_default();
    let most = settings.attribute_value_max;
    for (name, value) in &attributes {
        if value.as_str().is_some_and(|text| text.chars().count() > most) {
            let message =
                format!("Invalid 'attributes.{name}': string too long. Expected at most {most} characters.");
            return Err(Answer::error(400, &message, Some("attributes"), Some("string_above_max_length")));
        }
    }
    Ok(attributes)
}

pub(crate) fn list(state: &mut State, store: &str, request: &Request) -> Answer {
    let limit = match request.query("limit").map(str::parse::<usize>) {
        None => 20,
        Some(Ok(limit @ 1..=100)) => limit.min(state.settings.page_limit),
        Some(Ok(limit)) if limit > 100 => {
            let message = format!(
                "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got {limit} instead."
            );
            return Answer::error(400, &message, Some("limit"), Some("integer_above_max_value"));
        }
        Some(_) => return Answer::error(400, "Invalid 'limit'", Some("limit"), Some("invalid_value")),
    };
    let settings = &state.settings;
    let filter = request.query("filter");
    let mut files: Vec<_> = state.stores[store]
        .files
        .values()
        .filter(|file| file.is_listed(settings.list_lag))
        .filter(|file| filter.is_none_or(|only| file.status(settings) == only))
        .collect();
    files.sort_by_key(|file| (file.created_at, &file.file.id));
    if settings.endless {
        let file = files.first().map(|file| file.to_json(store, settings, settings.list_lag));
        return endless_page(file, request);
    }
    if request.query("order") != Some("asc") {
        files.reverse();
    }
    if let Some(after) = request.query("after") {
        let Some(position) = files.iter().position(|file| file.file.id == after) else {
            return Answer::error(
                400,
                &format!("Invalid 'after': '{after}'."),
                Some("after"),
                Some("invalid_value"),
            );
        };
        let first = if settings.repeat_on_page_boundary { position } else { position + 1 };
        files.drain(..first);
    }
    let has_more = files.len() > limit;
    files.truncate(limit);
    if settings.poison.as_ref().is_some_and(|poison| files.iter().any(|file| file.file.id == *poison)) {
        return Answer::error(500, "The server had an error while processing your request.", None, None);
    }
    let data = files.iter().map(|file| file.to_json(store, settings, settings.list_lag)).collect();
    Answer::json(&page(data, has_more))
}

pub(crate) fn retrieve_file(state: &State, store: &str, id: &str) -> Answer {
    match current(state, store, id) {
        Some(file) if file.since.elapsed() >= state.settings.retrieve_lag => {
            Answer::json(&file.to_json(store, &state.settings, Duration::ZERO))
        }
        _ => not_attached(id),
    }
}

pub(crate) fn current<'s>(state: &'s State, store: &str, id: &str) -> Option<&'s Attached> {
    state.stores[store].files.get(id).filter(|file| file.until.is_none())
}

pub(crate) fn update(state: &mut State, store: &str, id: &str, body: &Value) -> Answer {
    let attributes = match checked_attributes(&body["attributes"], &state.settings) {
        Ok(attributes) => attributes,
        Err(refusal) => return refusal,
    };
    if current(state, store, id).is_none() {
        return not_attached(id);
    }
    let file = state.stores.get_mut(store).and_then(|store| store.files.get_mut(id)).expect("just seen");
    file.attributes.push((Instant::now(), attributes));
    Answer::json(&file.to_json(store, &state.settings, Duration::ZERO))
}

pub(crate) fn detach(state: &mut State, store: &str, id: &str) -> Answer {
    if current(state, store, id).is_none() {
        return not_attached(id);
    }
    let file = state.stores.get_mut(store).and_then(|store| store.files.get_mut(id)).expect("just seen");
    file.until = Some(Instant::now());
    Answer::json(&json!({"id": id, "object": "vector_store.file.deleted", "deleted": true}))
}

pub(crate) fn content(state: &State, store: &str, id: &str, request: &Request) -> Answer {
    let settings = &state.settings;
    let Some(file) = current(state, store, id) else { return not_attached(id) };
    if file.status(settings) != "completed" {
        return Answer::error(400, "File is still processing. Check back later.", None, None);
    }
    let (chunk, overlap) = (file.chunk_tokens as usize, file.overlap_tokens as usize);
    let parts = text::parts(&file.file.content, settings, chunk, overlap);
    let mut parts: Vec<_> = parts.into_iter().map(|text| json!({"type": "text", "text": text})).collect();
    let start: usize =
        request.query("page").and_then(|token| token.strip_prefix("p")?.parse().ok()).unwrap_or(0);
    parts.drain(..start.min(parts.len()));
    let has_more = parts.len() > settings.content_page;
    parts.truncate(settings.content_page);
    let next = has_more.then(|| format!("p{}", start + parts.len()));
    Answer::json(&match settings.content_shape {
        Shape::Data => json!({
            "object": "vector_store.file_content.page", "data": parts, "has_more": has_more, "next_page": next,
        }),
        Shape::Content => json!({
            "file_id": id, "filename": file.file.filename, "attributes": file.attributes(), "content": parts,
        }),
    })
}
