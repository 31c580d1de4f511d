//! `/vector_stores/{store}/search`, by common words instead of by meaning.

use serde_json::{Value, json};

use crate::{
    answer::Answer,
    state::{Attached, State},
    text,
};

pub(crate) fn search(state: &State, store: &str, body: &Value) -> Answer {
    let query = body["query"].as_str().unwrap_or_default();
    let most = body["max_num_results"].as_u64().unwrap_or(10) as usize;
    let filter = &body["filters"];
    let mut hits: Vec<(f64, Value)> = state.stores[store]
        .files
        .values()
        .filter(|file| file.is_listed(state.settings.list_lag) && file.status(&state.settings) == "completed")
        .filter(|file| filter.is_null() || matches(filter, file))
        .filter_map(|file| hit(file, query, state))
        .collect();
    hits.sort_by(|a, b| b.0.total_cmp(&a.0));
    let data: Vec<_> = hits.into_iter().take(most).map(|(_, hit)| hit).collect();
    Answer::json(&json!({
        "object": "vector_store.search_results.page", "search_query": [query], "data": data,
        "has_more": false, "next_page": null,
    }))
}

fn hit(file: &Attached, query: &str, state: &State) -> Option<(f64, Value)> {
    let (size, overlap) = (file.chunk_tokens as usize, file.overlap_tokens as usize);
    let chunks = text::parts(&file.file.content, &state.settings, size, overlap);
    let (score, text) = chunks
        .into_iter()
        .map(|chunk| (common_words(query, &chunk), chunk))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.0)?;
    let hit = json!({
        "file_id": file.file.id, "filename": file.file.filename, "score": score, "attributes": file.attributes(),
        "content": [{"type": "text", "text": text}],
    });
    Some((score, hit))
}

/// The share of the query's words that the text has.
fn common_words(query: &str, text: &str) -> f64 {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(str::to_lowercase).collect()
    };
    let (wanted, there) = (words(query), words(text));
    let found = wanted.iter().filter(|word| there.contains(word)).count();
    if wanted.is_empty() { 0.0 } else { found as f64 / wanted.len() as f64 }
}

/// Whether a file's attributes satisfy a filter, as described by `ComparisonFilter` and `CompoundFilter`.
fn matches(filter: &Value, file: &Attached) -> bool {
    let parts = || filter["filters"].as_array().into_iter().flatten();
    let (value, wanted) =
        (file.attributes().get(filter["key"].as_str().unwrap_or_default()), &filter["value"]);
    let among = || wanted.as_array().is_some_and(|all| value.is_some_and(|value| all.contains(value)));
    let order = || match (value?, wanted) {
        (Value::String(a), Value::String(b)) => a.partial_cmp(b),
        (a, b) => a.as_f64()?.partial_cmp(&b.as_f64()?),
    };
    match filter["type"].as_str().unwrap_or("eq") {
        "and" => parts().all(|part| matches(part, file)),
        "or" => parts().any(|part| matches(part, file)),
        "eq" => value == Some(wanted),
        "ne" => value != Some(wanted),
        "in" => among(),
        "nin" => !among(),
        "gt" => order().is_some_and(|order| order.is_gt()),
        "gte" => order().is_some_and(|order| order.is_ge()),
        "lt" => order().is_some_and(|order| order.is_lt()),
        _ => order().is_some_and(|order| order.is_le()),
    }
}
