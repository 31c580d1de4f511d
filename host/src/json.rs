//! JSON in which no key stands twice: which of the two counted would be decided by their order, and the other one lost when the
//! file is written again.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Reads JSON.
///
/// # Errors
///
/// The place and what is wrong there, without quoting a value.
pub(crate) fn parse(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str::<Unique>(text).map(|Unique(value)| value)
}

/// What is wrong with a text as a whole, and what to do: told where it would else be "expected value at line 1 column 1".
pub(crate) fn whole(text: &str) -> Option<(&'static str, &'static str)> {
    if text.trim().is_empty() {
        return Some(("it is empty", "write {} for an object that holds nothing"));
    }
    if text.starts_with('\u{feff}') {
        return Some(("it begins with a byte order mark", "save it as UTF-8 without one (BOM)"));
    }
    // Latin letters in UTF-16 are UTF-8 with a NUL beside each.
    if text.chars().take(2).any(|c| c == '\0') {
        return Some(UTF_16);
    }
    None
}

/// What is wrong with bytes that are not UTF-8.
pub(crate) fn no_text(bytes: &[u8]) -> (&'static str, &'static str) {
    match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => UTF_16,
        _ => ("it is not UTF-8", "save it as UTF-8"),
    }
}

const UTF_16: (&str, &str) = ("it is UTF-16", "save it as UTF-8 without a byte order mark (BOM)");

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Unique(Value::Array(list)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut object = Map::new();
        while let Some((key, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if object.contains_key(&key) {
                // Not quoted: a secret may stand in the wrong place.
                return Err(A::Error::custom("a key occurs twice"));
            }
            object.insert(key, value);
        }
        Ok(Unique(Value::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_serde_json_makes_of_it() {
        for text in [
            "null",
            "true",
            "-5",
            "18446744073709551615",
            "1.5e300",
            r#""a\u00e9""#,
            r#"[1, [], {"a": {"b": [null]}}]"#,
            "{}",
        ] {
            assert_eq!(parse(text).unwrap(), serde_json::from_str::<Value>(text).unwrap(), "{text}");
        }
        for text in ["", "{", "[1,]", "{1: 2}", "1 2", &"[".repeat(100_000)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_that_occurs_twice_is_told_with_its_place() {
        for text in [r#"{"a": 1, "a": 1}"#, r#"[{"b": {"a": 1, "c": 2, "\u0061": 3}}]"#] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().starts_with("a key occurs twice at line 1"), "{error}");
        }
    }
}
