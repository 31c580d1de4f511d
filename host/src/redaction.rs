//! Which of a connection's values are secret, as the plugin's schema tells.

use f9_plugin_api::secrets::{REDACTED, Says, hide_in_url};
use serde_json::{Map, Value};

use crate::connection::is_reference;

/// The keys whose secret stands in the connection itself, instead of a reference to it.
pub(crate) fn literal_secrets<'a>(options: &'a Map<String, Value>, schema: &Value) -> Vec<&'a str> {
    let says = Says::of(schema);
    let literal = |(key, value): &(&String, &Value)| holds_literal_secret(value, &says.member(key));
    options.iter().filter(literal).map(|(key, _)| key.as_str()).collect()
}

/// The options fit to be shown: without secrets, values of keys that the schema does not know, and what is secret in URLs.
pub(crate) fn redact(options: &Map<String, Value>, schema: &Value) -> Map<String, Value> {
    redact_members(options, &Says::of(schema))
}

/// Whether the schema marks a value as secret, itself or as one of its alternatives.
pub(crate) fn is_secret(schema: &Value) -> bool {
    Says::of(schema).is_secret()
}

fn holds_literal_secret(value: &Value, says: &Says<'_>) -> bool {
    if is_reference(value) {
        return false;
    }
    match value {
        Value::Null => false,
        Value::Object(object) if says.is_secret() => !object.values().all(is_reference),
        Value::Array(items) if says.is_secret() => !items.iter().all(is_reference),
        _ if says.is_secret() => true,
        Value::Object(object) => {
            object.iter().any(|(key, value)| holds_literal_secret(value, &says.member(key)))
        }
        Value::Array(items) => {
            let of_item = says.item();
            items.iter().any(|item| holds_literal_secret(item, &of_item))
        }
        Value::String(text) => hide_in_url(text).is_some(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn redact_members(object: &Map<String, Value>, says: &Says<'_>) -> Map<String, Value> {
    let shown = |(key, value): (&String, &Value)| (key.clone(), redact_value(value, &says.member(key)));
    object.iter().map(shown).collect()
}

fn redact_value(value: &Value, says: &Says<'_>) -> Value {
    if value.is_null() || is_reference(value) {
        return value.clone();
    }
    if says.is_silent() || says.is_secret() {
        return REDACTED.into();
    }
    match value {
        Value::Object(object) => redact_members(object, says).into(),
        Value::Array(items) => {
            let of_item = says.item();
            items.iter().map(|item| redact_value(item, &of_item)).collect()
        }
        Value::String(text) => hide_in_url(text).unwrap_or_else(|| text.clone()).into(),
        other => other.clone(),
    }
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
                "url": "https://[redacted]:[redacted]@example.com/x@y", "password": REDACTED, "token": REDACTED,
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
