//! Paths as people write them: `~` at their start is the home of the user who runs this process.
//!
//! Only what a plugin's schema marks with `"format": "path"` is taken for a path. Nothing else is expanded; what a shell
//! would expand besides is refused with what to write instead, because it would name a directory called `$HOME`.

use std::path::{Path, PathBuf};

use f9_plugin_api::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// Expands every path among the options, by the schema, which is asked for only where that can change something.
pub(crate) fn expand_paths(
    options: &mut Map<String, Value>,
    schema: impl FnOnce() -> Result<Value>,
) -> Result<()> {
    if !options.values().any(may_hold_one) {
        return Ok(());
    }
    expand_object(options, &schema()?).map_err(|(key, error)| error.with("key", key))
}

/// Refuses what [`expand_paths`] would refuse.
pub(crate) fn check_paths(options: &Map<String, Value>, schema: &Value) -> Result<()> {
    expand_paths(&mut options.clone(), || Ok(schema.clone()))
}

/// The path that is meant by what somebody wrote.
pub(crate) fn expand_path(text: &str) -> Result<PathBuf> {
    if let Some(name) = variable(text) {
        return Err(no_variables(name));
    }
    let Some(after) = text.strip_prefix('~') else { return Ok(text.into()) };
    match after.strip_prefix('/') {
        Some(below) => Ok(home()?.join(below.trim_start_matches('/'))),
        None if after.is_empty() => home(),
        None => {
            Err(invalid("the path begins with `~` and a name; the homes of other users are not looked up")
                .hint("write the whole path, or put ./ before it if that is its name"))
        }
    }
}

fn may_hold_one(value: &Value) -> bool {
    match value {
        Value::String(text) => text.starts_with(['~', '$']),
        Value::Array(items) => items.iter().any(may_hold_one),
        Value::Object(object) => object.values().any(may_hold_one),
        _ => false,
    }
}

/// An error comes with the key that it is about.
fn expand_object(object: &mut Map<String, Value>, schema: &Value) -> Result<(), (String, Error)> {
    for (key, value) in object {
        let property = schema["properties"].get(key).unwrap_or(&schema["additionalProperties"]);
        expand_value(value, property).map_err(|error| (key.clone(), error))?;
    }
    Ok(())
}

fn expand_value(value: &mut Value, schema: &Value) -> Result<()> {
    match value {
        Value::String(text) if is_path(schema) => {
            let path = expand_path(text)?.into_os_string().into_string();
            *text = path.map_err(|_| invalid("the home directory's path is not UTF-8"))?;
            Ok(())
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| expand_value(item, &schema["items"])),
        Value::Object(object) => expand_object(object, schema).map_err(|(_, error)| error),
        _ => Ok(()),
    }
}

/// Whether the schema marks a value as a path, itself or as one of its alternatives.
fn is_path(schema: &Value) -> bool {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|key| schema[*key].as_array()).flatten();
    schema["format"] == "path" || alternatives.into_iter().any(is_path)
}

/// The variable that a path would begin with in a shell.
fn variable(text: &str) -> Option<&str> {
    let after = text.strip_prefix('$')?;
    let after = after.strip_prefix('{').unwrap_or(after);
    let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
    let name = &after[..end];
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then_some(name)
}

fn no_variables(name: &str) -> Error {
    let instead = match name {
        "HOME" => "write ~ for the home directory".to_owned(),
        _ => format!(r#"write {{"$env": "{name}"}} as the whole value"#),
    };
    invalid(&format!("the path begins with the variable `{name}`; variables in a path are not expanded"))
        .hint(format!("{instead}, or put ./ before it if that is its name"))
}

fn invalid(message: &str) -> Error {
    Error::new(ErrorKind::InvalidConnection, message)
}

/// Where the user's home is: what `HOME` says, or else what the system has on record.
fn home() -> Result<PathBuf> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    match home.as_deref().map(Path::is_absolute) {
        Some(true) => Ok(home.unwrap_or_default()),
        Some(false) => Err(invalid("a path begins with `~`, and HOME is a relative path")
            .hint("set HOME to an absolute path, or write the whole path")),
        None => {
            Err(invalid("a path begins with `~`, and HOME is not set")
                .hint("set HOME, or write the whole path"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expand(options: Value) -> Result<Value> {
        let schema = json!({"properties": {
            "root": {"type": "string", "format": "path"},
            "ca": {"anyOf": [{"type": "string", "format": "path"}, {"type": "null"}]},
            "more": {"type": "array", "items": {"format": "path"}},
            "deep": {"properties": {"file": {"format": "path"}}},
            "name": {"type": "string"},
        }});
        let mut options = options.as_object().unwrap().clone();
        expand_paths(&mut options, || Ok(schema))?;
        Ok(options.into())
    }

    #[test]
    fn a_tilde_at_the_start_of_a_path_is_the_home() {
        let home = home().unwrap().into_os_string().into_string().unwrap();
        let given = json!({
            "root": "~", "ca": "~/ca.pem", "more": ["~//x", "y/~"], "deep": {"file": "~/f"}, "name": "~/$x",
        });
        let root = home.trim_end_matches('/');
        assert_eq!(
            expand(given).unwrap(),
            json!({
                "root": home, "ca": format!("{root}/ca.pem"), "more": [format!("{root}/x"), "y/~"],
                "deep": {"file": format!("{root}/f")}, "name": "~/$x",
            })
        );
    }

    #[test]
    fn what_is_no_path_of_ours_is_left_alone() {
        for text in ["", "a~", "./~", "./$HOME", "a/$b", "$", "$1", "https://x/~y", "git@host:~/x", "${"] {
            let given = json!({"root": text});
            assert_eq!(expand(given.clone()).unwrap(), given);
        }
        let reference = json!({"root": {"$env": "X"}});
        assert_eq!(expand(reference.clone()).unwrap(), reference);
    }

    #[test]
    fn what_a_shell_would_expand_besides_is_refused_with_the_right_spelling() {
        for (text, message, hint) in [
            ("~ann/x", "the homes of other users", "put ./ before it"),
            ("$HOME/x", "`HOME`", "write ~ for"),
            ("$DATA/x", "`DATA`", r#"{"$env": "DATA"}"#),
            ("${DATA}/x", "`DATA`", r#"{"$env": "DATA"}"#),
        ] {
            let error = expand(json!({"root": text})).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConnection);
            assert!(error.message().contains(message), "{error}");
            assert!(error.advice().unwrap().contains(hint), "{error:?}");
            assert_eq!(error.context().next(), Some(("key", "root")));
        }
        let error = expand(json!({"deep": {"file": "~x"}})).unwrap_err();
        assert_eq!(error.context().next(), Some(("key", "deep")));
    }
}
