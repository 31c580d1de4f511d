//! Which of a connection's values are secret, as the plugin's schema tells.

use serde_json::{Map, Value};

use crate::connection::is_reference;

const REDACTED: &str = "[redacted]";

/// The keys whose secret stands in the connection itself, instead of a reference to it.
pub(crate) fn literal_secrets<'a>(options: &'a Map<String, Value>, schema: &Value) -> Vec<&'a str> {
    let literal =
        |(key, value): &(&String, &Value)| holds_literal_secret(value, &schema["properties"][key.as_str()]);
    options.iter().filter(literal).map(|(key, _)| key.as_str()).collect()
}

/// The options fit to be shown: without secrets, values of keys that the schema does not know, and passwords in URLs.
pub(crate) fn redact(options: &Map<String, Value>, schema: &Value) -> Map<String, Value> {
    let shown =
        |(key, value): (&String, &Value)| (key.clone(), redact_value(value, schema["properties"].get(key)));
    options.iter().map(shown).collect()
}

fn holds_literal_secret(value: &Value, schema: &Value) -> bool {
    if value.is_null() || is_reference(value) {
        return false;
    }
    is_secret(schema)
        || match value {
            Value::Object(object) => !literal_secrets(object, schema).is_empty(),
            Value::Array(items) => items.iter().any(|item| holds_literal_secret(item, &schema["items"])),
            Value::String(text) => without_password(text).is_some(),
            _ => false,
        }
}

fn redact_value(value: &Value, schema: Option<&Value>) -> Value {
    if value.is_null() || is_reference(value) {
        return value.clone();
    }
    let Some(schema) = schema.filter(|schema| !is_secret(schema)) else {
        return REDACTED.into();
    };
    match value {
        Value::Object(object) => redact(object, schema).into(),
        Value::Array(items) => items.iter().map(|item| redact_value(item, schema.get("items"))).collect(),
        Value::String(text) => without_password(text).unwrap_or_else(|| text.clone()).into(),
        other => other.clone(),
    }
}

/// Whether the schema marks a value as secret, itself or as one of its alternatives.
pub(crate) fn is_secret(schema: &Value) -> bool {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema["writeOnly"] == true || alternatives.into_iter().any(is_secret)
}

/// The URL with its password hidden, if it has one: `https://ann:secret@host/`.
fn without_password(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user_info, host) = authority.rsplit_once('@')?;
    let (user, _) = user_info.split_once(':')?;
    Some(format!("{scheme}://{user}:{REDACTED}@{host}{path}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({"properties": {
            "url": {"type": "string"},
            "password": {"type": ["string", "null"], "writeOnly": true},
            "token": {"anyOf": [{"type": "string", "writeOnly": true}, {"type": "null"}]},
            "proxy": {"type": "object", "properties": {"user": {}, "key": {"writeOnly": true}}},
            "keys": {"type": "array", "items": {"writeOnly": true}},
        }})
    }

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        let options = object(json!({
            "url": "https://ann:hunter2@example.com/x@y", "password": "hunter2", "token": "hunter2",
            "proxy": {"user": "ann", "key": "hunter2"}, "keys": ["hunter2"], "pasword": "hunter2",
        }));
        assert_eq!(
            Value::Object(redact(&options, &schema())),
            json!({
                "url": "https://ann:[redacted]@example.com/x@y", "password": REDACTED, "token": REDACTED,
                "proxy": {"user": "ann", "key": REDACTED}, "keys": [REDACTED], "pasword": REDACTED,
            })
        );
        assert_eq!(literal_secrets(&options, &schema()), ["keys", "password", "proxy", "token", "url"]);
    }

    #[test]
    fn references_and_harmless_values_are_shown() {
        let options = object(json!({
            "url": "git@example.com:notes.git", "password": {"$env": "PASSWORD"}, "token": null, "proxy": {"user": "ann"},
        }));
        assert_eq!(redact(&options, &schema()), options);
        assert!(literal_secrets(&options, &schema()).is_empty());
        assert_eq!(redact(&options, &Value::Null)["url"], REDACTED);
    }
}
