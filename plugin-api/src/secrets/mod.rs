//! Which values of a connection are secret, by the plugin's schema and by what stands in URLs. For both sides of the
//! boundary; plugin authors do not need this module: the SDK uses it for them.
//!
//! A value is secret if the schema marks it `writeOnly` ([`Secret`](crate::Secret) does), itself or in one of the
//! alternatives of `anyOf`, `oneOf` and `allOf`, however deep it is in objects and lists. Whatever the schema says, so are
//! the user part of a URL, and the values in its query whose names are those of credentials: see [`hide_in_url`].
//!
//! # What the SDK hides
//!
//! For as long as a backend lives, or a stream or listing of it, its secrets appear in no error, log record, progress or
//! answer of a command that leaves the library, whichever backend of it and whichever dependency said them: `[redacted]`
//! stands in their place. They are found in plain, escaped as JSON or by `{:?}`, URL-encoded, and in base64, also when
//! that encodes more than the secret. Content is never touched: bytes, entries, and what a search finds.
//!
//! A secret of six characters or more is hidden wherever it occurs. One of three to five would be found in many words, so it
//! is hidden only where it stands as a word of its own; a shorter one is not hidden, and is no secret to speak of.

mod matching;
mod registry;
mod urls;

use serde_json::Value;

pub(crate) use registry::{Lease, Words, hide, hide_in_answer};
pub use urls::hide_in_url;

/// What is shown in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// References deeper than this are followed no further: they may go in circles.
const MAX_DEPTH: usize = 16;

/// What a schema says of one value: all the places where it says something.
#[derive(Debug, Clone)]
pub struct Says<'s> {
    root: &'s Value,
    all: Vec<&'s Value>,
}

impl<'s> Says<'s> {
    /// Of a whole connection.
    pub fn of(schema: &'s Value) -> Self {
        Self::from(schema, [schema])
    }

    fn from(root: &'s Value, schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut all = Vec::new();
        schemas.into_iter().for_each(|schema| expand(root, schema, 0, &mut all));
        Self { root, all }
    }

    /// Whether the value is a secret as a whole.
    pub fn is_secret(&self) -> bool {
        self.all.iter().any(|schema| schema["writeOnly"] == true)
    }

    /// Whether nothing is known of the value.
    pub fn is_silent(&self) -> bool {
        self.all.is_empty()
    }

    /// Of the member of an object.
    pub fn member(&self, key: &str) -> Self {
        let of = |schema: &&'s Value| {
            let schema: &'s Value = schema;
            let named = schema["properties"].get(key);
            // The SDK has no regular expressions: a pattern is taken to fit.
            let patterns = schema["patternProperties"].as_object().into_iter().flat_map(|all| all.values());
            let others = schema.get("additionalProperties").filter(|_| named.is_none());
            named.into_iter().chain(patterns).chain(others.filter(|others| others.is_object()))
        };
        Self::from(self.root, self.all.iter().flat_map(of))
    }

    /// Of the items of a list.
    pub fn item(&self) -> Self {
        let of = |schema: &&'s Value| {
            let schema: &'s Value = schema;
            let first = schema["prefixItems"].as_array().into_iter().flatten();
            schema.get("items").into_iter().chain(first)
        };
        Self::from(self.root, self.all.iter().flat_map(of))
    }
}

/// A schema with its alternatives, and what they refer to.
fn expand<'s>(root: &'s Value, schema: &'s Value, depth: usize, all: &mut Vec<&'s Value>) {
    if depth > MAX_DEPTH {
        return;
    }
    all.push(schema);
    let referred = schema["$ref"].as_str().and_then(|to| root.pointer(to.strip_prefix('#')?));
    let several = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
    let conditional = ["if", "then", "else"].into_iter().filter_map(|key| schema.get(key));
    for more in referred.into_iter().chain(several).chain(conditional) {
        expand(root, more, depth + 1, all);
    }
}

/// Every secret in the options: whole values, and parts of URLs.
pub(crate) fn secrets_in<'v>(options: &'v Value, schema: &Value) -> Vec<Found<'v>> {
    let mut found = Vec::new();
    collect(options, &Says::of(schema), false, &mut found);
    found
}

/// A secret that was found.
#[derive(Debug, PartialEq)]
pub(crate) enum Found<'v> {
    Whole(&'v str),
    /// Of a number, which has no text of its own.
    Number(String),
    /// Part of a URL.
    InUrl(&'v str),
}

fn collect<'v>(value: &'v Value, says: &Says<'_>, inside: bool, found: &mut Vec<Found<'v>>) {
    let secret = inside || says.is_secret();
    match value {
        Value::String(text) if secret => found.push(Found::Whole(text)),
        Value::String(text) => found.extend(urls::secrets_in(text).into_iter().map(Found::InUrl)),
        Value::Number(number) if secret => found.push(Found::Number(number.to_string())),
        Value::Array(items) => {
            let of_item = says.item();
            items.iter().for_each(|item| collect(item, &of_item, secret, found));
        }
        Value::Object(members) => {
            for (key, member) in members {
                collect(member, &says.member(key), secret, found);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_found_wherever_the_schema_has_them() {
        let schema = json!({
            "properties": {
                "url": {"type": "string"},
                "key": {"anyOf": [{"writeOnly": true}, {"type": "null"}]},
                "login": {"oneOf": [
                    {"properties": {"kind": {"const": "a"}, "token": {"writeOnly": true}}},
                    {"properties": {"kind": {"const": "b"}, "pair": {"$ref": "#/$defs/Pair"}}},
                ]},
                "keys": {"items": {"properties": {"of": {"$ref": "#/$defs/Key"}}}},
                "by_name": {"additionalProperties": {"writeOnly": true}},
                "loop": {"$ref": "#/$defs/Loop"},
                "code": {"writeOnly": true},
                "whole": {"writeOnly": true},
            },
            "$defs": {
                "Key": {"writeOnly": true}, "Pair": {"prefixItems": [{}, {"$ref": "#/$defs/Key"}]},
                "Loop": {"$ref": "#/$defs/Loop"},
            },
        });
        let options = json!({
            "url": "https://token-1@host/", "key": "key-2", "login": {"kind": "a", "token": "token-3"},
            "keys": [{"of": "key-4"}, {"of": "key-5"}], "by_name": {"x": "key-6"}, "loop": "no",
            "code": 1234567, "whole": {"a": ["key-7"]},
        });
        let mut texts: Vec<_> = secrets_in(&options, &schema)
            .into_iter()
            .map(|found| match found {
                Found::Whole(text) | Found::InUrl(text) => text.to_owned(),
                Found::Number(text) => text,
            })
            .collect();
        texts.sort();
        assert_eq!(texts, ["1234567", "key-2", "key-4", "key-5", "key-6", "key-7", "token-1", "token-3"]);
        let pair = json!({"login": {"kind": "b", "pair": ["ann", "key-8"]}});
        assert!(secrets_in(&pair, &schema).contains(&Found::Whole("key-8")));
    }
}
