//! `/files`

use serde_json::{Value, json};

use crate::{
    answer::{Answer, no_such_file},
    http::Request,
    multipart,
    state::{File, State},
};

const PURPOSES: [&str; 6] = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];

/// What can be downloaded again (users' reports; the description is silent).
const READABLE: [&str; 1] = ["batch"];

pub(crate) fn upload(state: &mut State, request: &Request) -> Answer {
    let invalid = |message: &str, param| Answer::error(400, message, Some(param), None);
    let content_type = request.header("content-type").unwrap_or_default();
    let Some(parts) = multipart::parse(content_type, &request.body) else {
        return invalid("Could not parse multipart form", "file");
    };
    let known = ["purpose", "file", "expires_after[anchor]", "expires_after[seconds]"];
    if let Some(unknown) = parts.iter().find(|part| !known.contains(&part.name.as_str())) {
        state.violations.push(format!("upload with the unknown part {}", unknown.name));
        return invalid("Additional properties are not allowed", "file");
    }
    let part = |name| parts.iter().find(|part| part.name == name);
    let purpose = part("purpose").map(|part| String::from_utf8_lossy(&part.content).into_owned());
    let Some(purpose) = purpose.filter(|purpose| PURPOSES.contains(&purpose.as_str())) else {
        return invalid("'purpose' is a required property", "purpose");
    };
    let Some(file) = part("file") else { return invalid("'file' is a required property", "file") };
    let Some(filename) = file.filename.as_deref().filter(|name| !name.is_empty()) else {
        return invalid("'file' needs a filename", "file");
    };
    if file.content_type.is_none() {
        state.violations.push("upload without the content type of the file".to_owned());
    }
    if file.content.is_empty() {
        return invalid("File is empty.", "file");
    }
    if file.content.len() > 512 << 20 {
        return Answer::error(413, "File is larger than 512 MB.", Some("file"), None);
    }
    if purpose == "batch" && !filename.ends_with(".jsonl") {
        return invalid("Invalid file format for Batch API. Must be .jsonl", "file");
    }
    let file = state.create_file(filename, &purpose, &file.content);
    Answer::json(&describe(&file))
}

fn describe(file: &File) -> Value {
    json!({
        "id": file.id,
        "object": "file",
        "bytes": file.content.len(),
        "created_at": file.created_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
    })
}

pub(crate) fn list(state: &State, request: &Request) -> Answer {
    let limit = match request.query("limit").map(str::parse::<usize>) {
        None => 10_000,
        Some(Ok(limit @ 1..=10_000)) => limit,
        Some(_) => return Answer::error(400, "Invalid 'limit'", Some("limit"), Some("invalid_value")),
    };
    let purpose = request.query("purpose");
    let mut files: Vec<_> =
        state.files.values().filter(|file| purpose.is_none_or(|only| file.purpose == only)).collect();
    files.sort_by_key(|file| (file.created_at, &file.id));
    if state.settings.endless {
        return endless_page(files.first().map(|file| describe(file)), request);
    }
    if request.query("order") != Some("asc") {
        files.reverse();
    }
    if let Some(after) = request.query("after") {
        let Some(position) = files.iter().position(|file| file.id == after) else {
            return no_such_file(after);
        };
        files.drain(..=position);
    }
    let has_more = files.len() > limit;
    files.truncate(limit);
    Answer::json(&page(files.into_iter().map(describe).collect(), has_more))
}

/// The envelope of a listing. The live service has null for the ids of an empty page.
pub(crate) fn page(data: Vec<Value>, has_more: bool) -> Value {
    let id = |entry: Option<&Value>| entry.map_or(Value::Null, |entry| entry["id"].clone());
    let (first, last) = (id(data.first()), id(data.last()));
    json!({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more})
}

/// A page with one more file that is like this one, and more to come.
pub(crate) fn endless_page(file: Option<Value>, request: &Request) -> Answer {
    let number = request.query("after").and_then(|after| after.strip_prefix("file-endless")?.parse().ok());
    let mut data = Vec::from_iter(file);
    data.iter_mut()
        .for_each(|file| file["id"] = format!("file-endless{}", number.unwrap_or(0_u64) + 1).into());
    Answer::json(&page(data, true))
}

pub(crate) fn retrieve(state: &State, id: &str) -> Answer {
    state.files.get(id).map_or_else(|| no_such_file(id), |file| Answer::json(&describe(file)))
}

pub(crate) fn delete(state: &mut State, id: &str) -> Answer {
    if !state.delete_file(id) {
        return no_such_file(id);
    }
    Answer::json(&json!({"id": id, "object": "file", "deleted": true}))
}

pub(crate) fn download(state: &State, id: &str) -> Answer {
    let Some(file) = state.files.get(id) else { return no_such_file(id) };
    if !state.settings.allow_downloads && !READABLE.contains(&file.purpose.as_str()) {
        let message = format!("Not allowed to download files of purpose: {}", file.purpose);
        return Answer::error(400, &message, None, None);
    }
    Answer::bytes(file.content.clone())
}
