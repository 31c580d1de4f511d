//! What is checked of a plugin's options.

use serde_json::{Map, Value, json};

use super::{
    Outcome,
    checks::{Answered, Opened, PASSED, answered, refusal},
};
use crate::redaction::is_secret;

/// A value that nobody has by chance.
const CANARY: &str = "f9-canary-7d1c53";

/// The last words of names that are likely those of a secret.
const SECRET_WORDS: [&str; 7] = ["password", "passwd", "passphrase", "secret", "token", "key", "credentials"];

pub(super) fn have_a_schema(opened: &Opened<'_>) -> Answered {
    let schema = match opened.plugin.schema() {
        Ok(schema) => schema,
        Err(error) => return answered(Outcome::Failed, format!("the schema: {}: {error}", error.kind())),
    };
    if let Err(seen) = check_schema(&schema) {
        return answered(Outcome::Failed, seen);
    }
    let described = |property: &Value| property["description"].as_str().is_some_and(|text| !text.is_empty());
    let properties = properties(&schema);
    let bare: Vec<_> =
        properties.iter().filter(|(_, property)| !described(property)).map(|(key, _)| key.as_str()).collect();
    if bare.is_empty() {
        return PASSED;
    }
    answered(Outcome::Warned, format!("without a description, which users are shown: {}", bare.join(", ")))
}

/// What hosts rely on when they validate, redact, and ask for a connection.
fn check_schema(schema: &Value) -> Result<(), String> {
    if schema["type"] != "object" {
        return Err(format!("the schema is for `{}`, not for an object", schema["type"]));
    }
    let properties = properties(schema);
    let required = schema["required"].as_array().into_iter().flatten();
    for key in required {
        if !key.as_str().is_some_and(|key| properties.contains_key(key)) {
            return Err(format!("the schema requires {key}, which is none of its properties"));
        }
    }
    for (key, property) in &properties {
        if key == "backend" {
            return Err("`backend` is the key for the plugin's name, not for an option".to_owned());
        }
        check_property(key, property)?;
    }
    Ok(())
}

fn check_property(key: &str, property: &Value) -> Result<(), String> {
    if property.to_string().contains("\"$ref\"") {
        return Err(format!("the property `{key}` refers to another place with $ref"));
    }
    let known = ["array", "boolean", "integer", "null", "number", "object", "string"];
    let unknown = types(property).into_iter().find(|one| !known.contains(one));
    match unknown {
        Some(unknown) => Err(format!("the property `{key}` has the unknown type `{unknown}`")),
        None => Ok(()),
    }
}

pub(super) fn secrets_are_marked(opened: &Opened<'_>) -> Answered {
    let Some(schema) = schema(opened) else { return no_schema() };
    let named_so = |key: &str| key.rsplit('_').next().is_some_and(|word| SECRET_WORDS.contains(&word));
    let open: Vec<_> = properties(&schema)
        .into_iter()
        .filter(|(key, property)| {
            named_so(key) && types(property).contains(&"string") && !is_secret(property)
        })
        .map(|(key, _)| key)
        .collect();
    if open.is_empty() {
        return PASSED;
    }
    answered(Outcome::Warned, format!("if this is a secret, make it a `Secret`: {}", open.join(", ")))
}

pub(super) fn unknown_keys_are_refused(opened: &Opened<'_>) -> Answered {
    let mut options = opened.connection.options().clone();
    options.insert("f9_no_such_option".to_owned(), true.into());
    conclude(refusal(opened, "an unknown key", options.into()).and_then(|error| {
        match error.contains("f9_no_such_option") {
            true => Ok(()),
            false => Err(format!("the error does not name the key: {error}")),
        }
    }))
}

pub(super) fn missing_keys_are_refused(opened: &Opened<'_>) -> Answered {
    let Some(schema) = schema(opened) else { return no_schema() };
    let required: Vec<_> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if required.is_empty() {
        return answered(Outcome::Skipped, "no option is required");
    }
    conclude(required.into_iter().try_for_each(|key| {
        let mut options = opened.connection.options().clone();
        options.remove(key);
        refusal(opened, &format!("a connection without `{key}`"), options.into()).map(drop)
    }))
}

pub(super) fn wrong_types_are_refused(opened: &Opened<'_>) -> Answered {
    let Some(schema) = schema(opened) else { return no_schema() };
    let wrong: Vec<_> = properties(&schema)
        .into_iter()
        .filter_map(|(key, property)| Some((key, wrong_value(&property)?)))
        .collect();
    if wrong.is_empty() {
        return answered(Outcome::Skipped, "no option has a type");
    }
    conclude(wrong.into_iter().try_for_each(|(key, value)| {
        let what = format!("{value} for `{key}`");
        refusal(opened, &what, with(opened, &key, value)).map(drop)
    }))
}

/// A value of a type that is none of the property's.
fn wrong_value(property: &Value) -> Option<Value> {
    let types = types(property);
    let candidates = [("boolean", json!(true)), ("array", json!([1])), ("object", json!({"f9": 1}))];
    let wrong = candidates.into_iter().find(|(name, _)| !types.contains(name));
    wrong.filter(|_| !types.is_empty()).map(|(_, value)| value)
}

pub(super) fn secrets_are_not_quoted(opened: &Opened<'_>) -> Answered {
    let Some(schema) = schema(opened) else { return no_schema() };
    let secrets: Vec<_> = properties(&schema)
        .into_iter()
        .filter(|(_, property)| is_secret(property))
        .map(|(key, _)| key)
        .collect();
    if secrets.is_empty() {
        return answered(Outcome::Skipped, "no option is a secret");
    }
    let values = [json!(CANARY), json!([CANARY]), json!({CANARY: CANARY})];
    conclude(secrets.iter().try_for_each(|key| {
        values.iter().try_for_each(|value| {
            let Value::Object(options) = with(opened, key, value.clone()) else { return Ok(()) };
            // It may be refused or not: what counts is what is said.
            match opened.plugin.open(&opened.connection.with(options)) {
                Err(error) if format!("{error:?} {error}").contains(CANARY) => {
                    Err(format!("the value of `{key}` stands in the error"))
                }
                _ => Ok(()),
            }
        })
    }))
}

fn conclude(result: Result<(), String>) -> Answered {
    match result {
        Ok(()) => PASSED,
        Err(seen) => answered(Outcome::Failed, seen),
    }
}

/// The connection's options with one of them changed.
fn with(opened: &Opened<'_>, key: &str, value: Value) -> Value {
    let mut options = opened.connection.options().clone();
    options.insert(key.to_owned(), value);
    options.into()
}

fn schema(opened: &Opened<'_>) -> Option<Value> {
    opened.plugin.schema().ok()
}

fn no_schema() -> Answered {
    answered(Outcome::Skipped, "there is no schema")
}

fn properties(schema: &Value) -> Map<String, Value> {
    schema["properties"].as_object().cloned().unwrap_or_default()
}

/// The types that a property allows; none if it does not say.
fn types(property: &Value) -> Vec<&str> {
    match &property["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
