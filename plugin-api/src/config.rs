//! From the JSON of a connection to the author's options struct, with errors that name the key.

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Error, ErrorKind, Result};

/// The JSON Schema of a plugin's options, with everything in place (no references).
pub fn options_schema<O: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    SchemaGenerator::new(settings).into_root_schema_for::<O>().to_value()
}

/// Reads a plugin's options from a connection without its `backend`.
///
/// # Errors
///
/// [`ErrorKind::InvalidConnection`], which names the key, what was expected and what was found: for a key that is
/// unknown (with the nearest known one), missing, or of the wrong type. No value is quoted but for numbers, booleans and
/// wrong choices of keys that are not secret.
pub fn parse_options<O: DeserializeOwned + JsonSchema>(options: Map<String, Value>) -> Result<O> {
    parse_options_by(options, &options_schema::<O>())
}

/// The same with the schema at hand.
pub(crate) fn parse_options_by<O: DeserializeOwned>(
    options: Map<String, Value>,
    schema: &Value,
) -> Result<O> {
    let known = schema["properties"].as_object();
    check_keys(&options, known, schema)?;
    let given = Value::Object(options);
    serde_path_to_error::deserialize(&given).map_err(|error| {
        let path = error.path().to_string();
        let key = path.split(['.', '[']).next().unwrap_or_default();
        let property = known.and_then(|known| known.get(key)).unwrap_or(&Value::Null);
        let found = if path == key { given.get(key) } else { None };
        wrong_value(&path, property, found, &error.into_inner())
    })
}

/// Checks the options of a connection against a plugin's schema, without the plugin's own rules: for hosts that want to
/// tell early what [`parse_options`] would refuse. Values that are `known_later`, such as references, are taken to be right.
///
/// # Errors
///
/// As [`parse_options`].
pub fn check_options(
    options: &Map<String, Value>,
    schema: &Value,
    known_later: impl Fn(&Value) -> bool,
) -> Result<()> {
    check_keys(options, schema["properties"].as_object(), schema)?;
    let wrong = |(key, value): &(&String, &Value)| {
        !known_later(value) && !fits(value, &schema["properties"][key.as_str()])
    };
    let Some((key, value)) = options.iter().find(wrong) else { return Ok(()) };
    let property = &schema["properties"][key];
    let found = describe(value, property["writeOnly"] != true && choices(property).is_some());
    let message = format!("wrong value for the key `{key}`: expected {}, found {found}", expected(property));
    Err(Error::new(ErrorKind::InvalidConnection, message).with("key", key))
}

/// Whether a value is of the type, and among the choices, that a schema has for it. What is deeper is not looked at.
fn fits(value: &Value, property: &Value) -> bool {
    let of_type = |name: &Value| match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    let is_of_type = match &property["type"] {
        Value::Array(several) => several.iter().any(of_type),
        one => of_type(one),
    };
    let is_chosen = property["enum"].as_array().is_none_or(|choices| choices.contains(value))
        && property.get("const").is_none_or(|only| only == value);
    let alternatives = ["anyOf", "oneOf"].iter().filter_map(|key| property[*key].as_array());
    is_of_type && is_chosen && alternatives.into_iter().all(|all| all.iter().any(|one| fits(value, one)))
}

/// The name among `known` that `name` was most likely meant to be: the shortest that begins with it, or else the one with
/// the fewest typos, if those are at most a third of its letters.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const SHORTEST_BEGINNING: usize = 3;
    let known: Vec<_> = known.into_iter().collect();
    let length = |text: &str| text.chars().count();
    let begun = known.iter().filter(|other| length(name) >= SHORTEST_BEGINNING && other.starts_with(name));
    if let Some(whole) = begun.min_by_key(|other| length(other)) {
        return Some(whole);
    }
    let scored = known.into_iter().map(|other| (strsim::damerau_levenshtein(name, other), other));
    let (distance, best) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= length(name).max(length(best)) / 3).then_some(best)
}

fn check_keys(
    options: &Map<String, Value>,
    known: Option<&Map<String, Value>>,
    schema: &Value,
) -> Result<()> {
    let is_known = |key: &String| known.is_some_and(|known| known.contains_key(key));
    if let Some(unknown) = options.keys().find(|key| !is_known(key)) {
        let names = || known.into_iter().flat_map(Map::keys).map(String::as_str);
        let error =
            Error::new(ErrorKind::InvalidConnection, format!("unknown key `{unknown}` in the connection"));
        let error = error.with("key", unknown);
        return Err(match nearest(unknown, names()) {
            Some(name) => error.hint(format!("did you mean `{name}`?")),
            None => error.hint(format!("known keys: {}", list_or_none(names()))),
        });
    }
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|key| !options.contains_key(*key)) {
        let property = &schema["properties"][missing];
        let message = format!("the connection lacks the key `{missing}`: expected {}", expected(property));
        return Err(Error::new(ErrorKind::InvalidConnection, message)
            .with("key", missing)
            .hint(format!("add \"{missing}\" to the connection")));
    }
    Ok(())
}

fn list_or_none<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn wrong_value(path: &str, property: &Value, found: Option<&Value>, error: &serde_json::Error) -> Error {
    let secret = property["writeOnly"] == true;
    let found = match found {
        Some(value) => describe(value, !secret && choices(property).is_some()),
        // Deeper than one key, or a rule of the author's own: serde's words, unless they may quote a secret.
        None if secret => "something else".to_owned(),
        None => error.to_string(),
    };
    let message = format!("wrong value for the key `{path}`: expected {}, found {found}", expected(property));
    Error::new(ErrorKind::InvalidConnection, message).with("key", path)
}

/// What a schema wants, in words.
fn expected(property: &Value) -> String {
    if let Some(choices) = choices(property) {
        return format!("one of {}", choices.join(", "));
    }
    let types = match &property["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|t| *t != "null").collect(),
        _ => Vec::new(),
    };
    let words = types.iter().map(|one| match *one {
        "string" => "a string",
        "integer" if property["minimum"].as_i64().is_some_and(|min| min >= 0) => "a whole number, 0 or more",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    });
    let words: Vec<_> = words.collect();
    if words.is_empty() { "another value".to_owned() } else { words.join(" or ") }
}

/// The strings that a property allows, if it lists them: as `enum`, or one by one with a description each.
fn choices(property: &Value) -> Option<Vec<String>> {
    let quoted = |value: &Value| value.as_str().map(|text| format!("\"{text}\""));
    if let Some(values) = property["enum"].as_array() {
        return Some(values.iter().filter_map(quoted).collect());
    }
    let branches = property["oneOf"].as_array().or_else(|| property["anyOf"].as_array())?;
    let of_branch = |branch: &Value| match quoted(&branch["const"]) {
        Some(one) => Some(vec![one]),
        None => choices(branch),
    };
    let all: Vec<_> = branches.iter().filter_map(of_branch).flatten().collect();
    (!all.is_empty()).then_some(all)
}

/// What a value is, and for harmless ones also which.
fn describe(value: &Value, quote_text: bool) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(_) => "a number".to_owned(),
        Value::String(text) if quote_text && text.len() <= 40 => format!("{text:?}"),
        Value::String(_) => "a string".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;
    use crate::Secret;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[allow(dead_code, reason = "only parsed")]
    struct Options {
        remote_url: String,
        #[serde(default)]
        retries: u32,
        #[serde(default)]
        durability: Durability,
        password: Option<Secret>,
    }

    /// What a write waits for.
    #[derive(Debug, Default, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Durability {
        /// Nothing.
        #[default]
        None,
        /// The disk.
        Fsync,
    }

    fn refusal(options: Value) -> String {
        let Value::Object(options) = options else { panic!("not an object") };
        let error = parse_options::<Options>(options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        format!("{} / {}", error.message(), error.advice().unwrap_or("-"))
    }

    #[test]
    fn wrong_keys_are_named() {
        assert_eq!(
            refusal(json!({"remot_url": "x"})),
            "unknown key `remot_url` in the connection / did you mean `remote_url`?"
        );
        assert_eq!(
            refusal(json!({"zzz": 1, "remote_url": "x"})),
            "unknown key `zzz` in the connection / known keys: durability, password, remote_url, retries"
        );
        assert_eq!(
            refusal(json!({})),
            "the connection lacks the key `remote_url`: expected a string / add \"remote_url\" to the connection"
        );
    }

    #[test]
    fn wrong_values_say_expected_and_found() {
        let with = |key: &str, value: Value| {
            let mut options = json!({"remote_url": "x"});
            options[key] = value;
            refusal(options)
        };
        assert_eq!(
            with("retries", json!("many")),
            "wrong value for the key `retries`: expected a whole number, 0 or more, found a string / -"
        );
        assert_eq!(
            with("durability", json!("often")),
            "wrong value for the key `durability`: expected one of \"none\", \"fsync\", found \"often\" / -"
        );
        assert_eq!(
            with("remote_url", json!(null)),
            "wrong value for the key `remote_url`: expected a string, found null / -"
        );
    }

    #[test]
    fn a_secret_is_never_quoted() {
        for value in [json!(12345), json!(["12345"]), json!({"12345": "12345"})] {
            let text = refusal(json!({"remote_url": "x", "password": value}));
            assert!(text.starts_with("wrong value for the key `password`: expected a string"), "{text}");
            assert!(!text.contains("12345"), "{text}");
        }
        let options = parse_options::<Options>(
            json!({"remote_url": "x", "password": "hunter2"}).as_object().unwrap().clone(),
        );
        assert!(!format!("{options:?}").contains("hunter2"));
        assert_eq!(options_schema::<Options>()["properties"]["password"]["writeOnly"], true);
    }

    #[test]
    fn a_schema_alone_tells_most() {
        let schema = options_schema::<Options>();
        let check = |options: Value| {
            let is_object = |value: &Value| value.is_object();
            let checked = check_options(options.as_object().unwrap(), &schema, is_object);
            checked.map_err(|error| error.message().to_owned())
        };
        for right in [
            json!({"remote_url": "x", "retries": 1, "durability": "fsync", "password": "p"}),
            json!({"remote_url": "x", "password": null}),
            json!({"remote_url": {"later": 1}, "password": {}}),
        ] {
            assert_eq!(check(right), Ok(()));
        }
        for wrong in [
            json!({"remote_url": 5}),
            json!({"remote_url": "x", "retries": "many"}),
            json!({"remote_url": "x", "durability": "often"}),
            json!({"remote_url": "x", "password": 5}),
            json!({"remot_url": "x"}),
            json!({}),
        ] {
            let parsed = refusal(wrong.clone());
            let checked = check(wrong).unwrap_err();
            assert_eq!(parsed.split(" / ").next(), Some(checked.as_str()));
        }
    }

    #[test]
    fn nearest_is_near() {
        assert_eq!(nearest("gti", ["local", "git"]), Some("git"));
        assert_eq!(nearest("opnai", ["local", "git", "openai"]), Some("openai"));
        for (other, known) in
            [("s3", "git"), ("ab", "ac"), ("nope", "copy"), ("newc", "sec"), ("co", "copy"), ("", "a")]
        {
            assert_eq!(nearest(other, [known]), None, "{other}");
        }
        assert_eq!(nearest("ab", ["ab"]), Some("ab"));
        assert_eq!(nearest("connection", ["conflicts", "connections"]), Some("connections"));
        assert_eq!(nearest("remote", ["remove", "remote_url_of", "remote_url"]), Some("remote_url"));
    }
}
