//! The vendor's description, and what keeps to it: as much of JSON Schema as it uses.

use std::sync::LazyLock;

use serde_json::Value;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../contract/openapi.json")).expect("the description is JSON")
});

/// Where the live service is known to differ from its description; violations at these places are none.
///
/// Listings: `first_id` and `last_id` of an empty page are null (described: strings).
const DEVIATIONS: [&str; 4] = [
    "ListFilesResponse.first_id: null is not of type string",
    "ListFilesResponse.last_id: null is not of type string",
    "ListVectorStoreFilesResponse.first_id: null is not of type string",
    "ListVectorStoreFilesResponse.last_id: null is not of type string",
];

/// Where `value` is not what the description says of the schema of this name.
pub(crate) fn violations(schema: &str, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(&DESCRIPTION["components"]["schemas"][schema], value, schema, &mut found);
    found.retain(|violation| !DEVIATIONS.contains(&violation.as_str()));
    found
}

fn check(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return check(&DESCRIPTION["components"]["schemas"][name], value, at, found);
    }
    assert!(schema.is_object(), "no schema for {at}");
    let mut violation = |what: String| found.push(format!("{at}: {what}"));
    if let Some(kind) = schema["type"].as_str()
        && !is_of(kind, value)
    {
        return violation(format!("{value} is not of type {kind}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        violation(format!("{value} is not one of {choices:?}"));
    }
    if let Some(number) = value.as_f64() {
        if schema["minimum"].as_f64().is_some_and(|least| number < least) {
            violation(format!("{number} is too small"));
        }
        if schema["maximum"].as_f64().is_some_and(|most| number > most) {
            violation(format!("{number} is too large"));
        }
    }
    let size = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(map) => map.len(),
        _ => 0,
    };
    for (keyword, too) in [("maxLength", "long"), ("maxItems", "long"), ("maxProperties", "large")] {
        if schema[keyword].as_u64().is_some_and(|most| size as u64 > most) {
            violation(format!("{size} is too {too}"));
        }
    }
    if schema["minItems"].as_u64().is_some_and(|least| value.is_array() && (size as u64) < least) {
        violation(format!("{size} is too few"));
    }
    check_alternatives(schema, value, at, found);
    check_members(schema, value, at, found);
}

fn check_alternatives(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for keyword in ["oneOf", "anyOf"] {
        let Some(alternatives) = schema[keyword].as_array() else { continue };
        let failures = |alternative: &&Value| {
            let mut found = Vec::new();
            check(alternative, value, at, &mut found);
            found
        };
        let fitting = alternatives.iter().filter(|alternative| failures(alternative).is_empty()).count();
        if fitting == 0 || keyword == "oneOf" && fitting > 1 {
            let reasons: Vec<_> =
                alternatives.iter().flat_map(|alternative| failures(&alternative)).collect();
            found.push(format!("{at}: {fitting} of {keyword} fit: {}", reasons.join("; ")));
        }
    }
}

fn check_members(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for item in value.as_array().into_iter().flatten() {
        if schema["items"].is_object() {
            check(&schema["items"], item, at, found);
        }
    }
    let Some(members) = value.as_object() else { return };
    for required in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(required) {
            found.push(format!("{at}: `{required}` is missing"));
        }
    }
    for (name, member) in members {
        let place = format!("{at}.{name}");
        if schema["propertyNames"].is_object() {
            check(&schema["propertyNames"], &Value::from(name.as_str()), &place, found);
        }
        match (&schema["properties"][name], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => found.push(format!("{place}: not in the description")),
            (Value::Null, rest @ Value::Object(_)) => check(rest, member, &place, found),
            (Value::Null, _) => {}
            (property, _) => check(property, member, &place, found),
        }
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => unreachable!("the description uses the type {other}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_keeps_to_the_description_and_what_does_not() {
        let file = json!({"id": "f", "object": "file", "bytes": 1, "created_at": 2, "filename": "a.txt",
            "purpose": "assistants", "status": "processed"});
        assert_eq!(violations("OpenAIFile", &file), Vec::<String>::new());
        for (member, wrong) in [("bytes", json!(1.5)), ("purpose", json!("fun")), ("id", json!(null))] {
            let mut file = file.clone();
            file[member] = wrong;
            assert_eq!(violations("OpenAIFile", &file).len(), 1, "{member}");
        }
        let attach = |attributes: Value| json!({"file_id": "f", "attributes": attributes});
        let good = attach(json!({"a": "x".repeat(512), "b": 1.5, "c": true}));
        assert!(violations("CreateVectorStoreFileRequest", &good).is_empty());
        for wrong in
            [json!({"a": "x".repeat(513)}), json!({"a": null}), json!({"a": []}), json!({"k".repeat(65): 1})]
        {
            assert!(!violations("CreateVectorStoreFileRequest", &attach(wrong)).is_empty());
        }
        assert!(!violations("CreateVectorStoreFileRequest", &json!({"file_id": "f", "more": 1})).is_empty());
    }
}
