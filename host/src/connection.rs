//! The dictionary that says what to open.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use f9_plugin_api::{
    Error, ErrorKind, Result,
    secrets::{Says, hide_in_url},
};
use serde_json::{Map, Value};

use crate::{home, json, private, redaction};

/// A connection: the name of a backend, and the options that its plugin asks for.
///
/// Made from a JSON object with the key `backend`. Instead of a string, an option, or anything in one, may say where to get
/// it when the backend is opened: `{"$env": "NAME"}` from an environment variable, `{"$file": "/path"}` from a file, without
/// the line end at its end. `~` and `~/…` at the start of an option that the plugin marks as a path, or of such a file's
/// name, is the home of the user; variables there are refused. So the dictionary itself need hold no secret. A secret that lies in a file, be it that of the dictionary or one
/// that it refers to, is used only while nobody but the file's owner can read it. `Debug` shows which options there are,
/// never their values.
#[derive(Clone, PartialEq)]
pub struct Connection {
    backend: PluginName,
    options: Map<String, Value>,
    /// The file that it was read from, if others can read it too.
    exposed_in: Option<PathBuf>,
}

impl Connection {
    /// Reads one from a file, or whatever can be read as one, such as a pipe.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) if the file cannot be read, has more than 64 MiB, or holds no
    /// connection.
    pub fn load(file: impl AsRef<Path>) -> Result<Self> {
        let file = file.as_ref();
        let (text, others) = private::read(file).map_err(|error| {
            let message = format!("the file with the connection cannot be read: {}", error.message());
            Error::new(ErrorKind::InvalidConnection, message)
                .at(file.display())
                .hint(error.advice().unwrap_or("name a JSON file after the @"))
        })?;
        let connection: Self = text.parse().map_err(|error: Error| error.at(file.display()))?;
        Ok(Self { exposed_in: others.can_read.then(|| file.to_owned()), ..connection })
    }

    /// Which plugin opens it.
    pub fn backend(&self) -> &PluginName {
        &self.backend
    }

    /// Everything but `backend`.
    pub fn options(&self) -> &Map<String, Value> {
        &self.options
    }

    /// Everything, fit to be shown: what the plugin's [schema](crate::Plugin::schema) marks as secret is `[redacted]`, and
    /// so are keys that it does not know and what is secret in URLs (the user part, and such as `?token=`). References are shown as they are.
    pub fn redacted(&self, schema: &Value) -> Value {
        self.with_options(redaction::redact(&self.options, schema))
    }

    /// The keys whose secret stands in this dictionary itself, instead of a reference to it, by the plugin's
    /// [schema](crate::Plugin::schema).
    pub fn literal_secrets(&self, schema: &Value) -> Vec<&str> {
        redaction::literal_secrets(&self.options, schema)
    }

    /// Whether all that says where to get a value does so.
    pub(crate) fn check_references(&self) -> Result<()> {
        let mut way = Vec::new();
        self.options
            .iter()
            .try_for_each(|(key, value)| at(Step::Member(key), &mut way, |way| check_references(value, way)))
    }

    /// The dictionary as it was given, with whatever secrets it holds.
    pub(crate) fn to_json(&self) -> Value {
        self.with_options(self.options.clone())
    }

    /// The same with another value for an option. Where it was read from counts as before.
    #[must_use]
    pub fn with_option(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(key.into(), value.into());
        self
    }

    /// Takes note of the file that it stands in, if others can read that.
    pub(crate) fn exposed_in(self, file: Option<PathBuf>) -> Self {
        Self { exposed_in: file, ..self }
    }

    /// Refuses secrets that were read from a file that others than its owner can read, by the plugin's
    /// [schema](crate::Plugin::schema). Whatever opens or checks a connection does so.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection), with what to type.
    pub fn check_exposure(&self, schema: &Value) -> Result<()> {
        match (&self.exposed_in, self.literal_secrets(schema)) {
            (Some(file), keys) if !keys.is_empty() => Err(private::refuse_literal("it", &keys, file)),
            _ => Ok(()),
        }
    }

    /// The file that it was read from, if others can read it too.
    pub(crate) fn exposing_file(&self) -> Option<&Path> {
        self.exposed_in.as_deref()
    }

    /// The same backend with other options.
    #[cfg(all(feature = "author-tools", unix))]
    pub(crate) fn with(&self, options: Map<String, Value>) -> Self {
        Self { backend: self.backend.clone(), options, exposed_in: self.exposed_in.clone() }
    }

    fn with_options(&self, mut options: Map<String, Value>) -> Value {
        options.insert("backend".to_owned(), self.backend.as_str().into());
        options.into()
    }

    /// The options with what `$env` and `$file` refer to in their place. The schema is asked for where others can read a
    /// file that is involved.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) if something that is referred to is not there, or a secret lies
    /// where others can read it; as `schema`.
    pub(crate) fn resolved_options(&self, schema: impl Fn() -> Result<Value>) -> Result<Map<String, Value>> {
        if self.exposed_in.is_some() {
            self.check_exposure(&schema()?)?;
        }
        let is_secret = |way: &[Step<'_>]| Ok(is_secret_at(&schema()?, way));
        resolve_members(&self.options, &mut Vec::new(), &is_secret)
    }
}

/// Whether a value says where to get another.
pub(crate) fn is_reference(value: &Value) -> bool {
    matches!(reference(value), Some(("$env" | "$file", _)))
}

/// The parts of an object with a single key whose value is a string.
fn reference(value: &Value) -> Option<(&str, &str)> {
    let mut pairs = value.as_object()?.iter();
    match (pairs.next(), pairs.next()) {
        (Some((reference, Value::String(target))), None) => Some((reference, target)),
        _ => None,
    }
}

/// A step on the way from the options to a value in them.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Member(&'a str),
    Item(usize),
}

/// The way as users are told: `proxy.keys[0]`.
fn place(way: &[Step<'_>]) -> String {
    let mut place = String::new();
    for step in way {
        match step {
            Step::Member(key) if place.is_empty() => place.push_str(key),
            Step::Member(key) => place.extend([".", key]),
            Step::Item(index) => place.push_str(&format!("[{index}]")),
        }
    }
    place
}

fn is_secret_at(schema: &Value, way: &[Step<'_>]) -> bool {
    let mut says = Says::of(schema);
    for step in way {
        says = match step {
            Step::Member(key) => says.member(key),
            Step::Item(_) => says.item(),
        };
        if says.is_secret() {
            return true;
        }
    }
    false
}

type IsSecret<'f> = dyn Fn(&[Step<'_>]) -> Result<bool> + 'f;

/// A value with what it refers to in its place, at any depth.
fn resolve<'v>(value: &'v Value, way: &mut Vec<Step<'v>>, is_secret: &IsSecret<'_>) -> Result<Value> {
    check_reference(value, way)?;
    match value {
        Value::Object(members) => match reference(value).filter(|_| is_reference(value)) {
            Some((kind, target)) => look_up(kind, target, way, is_secret),
            None => resolve_members(members, way, is_secret).map(Value::Object),
        },
        Value::Array(items) => {
            let item = |(index, item)| at(Step::Item(index), way, |way| resolve(item, way, is_secret));
            items.iter().enumerate().map(item).collect::<Result<_>>().map(Value::Array)
        }
        other => Ok(other.clone()),
    }
}

fn resolve_members<'v>(
    members: &'v Map<String, Value>,
    way: &mut Vec<Step<'v>>,
    is_secret: &IsSecret<'_>,
) -> Result<Map<String, Value>> {
    let member = |(key, value): (&'v String, &'v Value)| {
        let value = at(Step::Member(key), way, |way| resolve(value, way, is_secret))?;
        Ok((key.clone(), value))
    };
    members.iter().map(member).collect()
}

/// Does something one step further.
fn at<'v, T>(step: Step<'v>, way: &mut Vec<Step<'v>>, work: impl FnOnce(&mut Vec<Step<'v>>) -> T) -> T {
    way.push(step);
    let done = work(way);
    way.pop();
    done
}

/// Whether everything in a value that is meant to say where another is kept does so.
fn check_references<'v>(value: &'v Value, way: &mut Vec<Step<'v>>) -> Result<()> {
    check_reference(value, way)?;
    match value {
        Value::Object(members) => members
            .iter()
            .try_for_each(|(key, value)| at(Step::Member(key), way, |way| check_references(value, way))),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(index, item)| at(Step::Item(index), way, |way| check_references(item, way))),
        _ => Ok(()),
    }
}

/// Refuses what was meant to say where a value is kept, and does not.
fn check_reference(value: &Value, way: &[Step<'_>]) -> Result<()> {
    let meant = value.as_object().is_some_and(|object| object.keys().any(|key| key.starts_with('$')));
    if !meant || is_reference(value) {
        return Ok(());
    }
    let key = place(way);
    let message = format!("the key `{key}` has no value, and does not say either where to get it");
    Err(Error::new(ErrorKind::InvalidConnection, message)
        .with("key", key)
        .hint(r#"write {"$env": "NAME"} or {"$file": "/path"}, and nothing else in the braces"#))
}

/// What a reference leads to.
fn look_up(kind: &str, target: &str, way: &[Step<'_>], is_secret: &IsSecret<'_>) -> Result<Value> {
    let key = place(way);
    let missing = |why: String| {
        Error::new(ErrorKind::InvalidConnection, format!("the key `{key}` refers to {why}")).with("key", &key)
    };
    if kind == "$env" {
        return std::env::var(target).map(Value::from).map_err(|error| {
            missing(format!("the environment variable `{target}`: {error}"))
                .hint(format!("set {target}, or write the value into the connection"))
        });
    }
    match home::expand_path(target).and_then(|file| private::read(&file)) {
        Ok((text, others)) => {
            let line = text.strip_suffix('\n').unwrap_or(&text);
            let value = line.strip_suffix('\r').unwrap_or(line);
            if others.can_read && (is_secret(way)? || hide_in_url(value).is_some()) {
                let what = format!("it holds the secret that the key `{key}` refers to");
                return Err(private::refuse(&what, Path::new(target)).with("key", key));
            }
            Ok(value.into())
        }
        Err(error) => {
            let hint = error.advice().unwrap_or("name a file that can be read").to_owned();
            let error = missing(format!("the file {target}: {}", error.message()));
            Err(error.hint(hint))
        }
    }
}

impl TryFrom<Value> for Connection {
    type Error = Error;

    /// # Errors
    ///
    /// [`ErrorKind::InvalidConnection`] if it is not an object whose `backend` is a plugin's name.
    fn try_from(value: Value) -> Result<Self> {
        let Value::Object(mut options) = value else {
            let message = format!("a connection is a JSON object, found {}", kind_of(&value));
            return Err(Error::new(ErrorKind::InvalidConnection, message).hint(EXAMPLE));
        };
        let name = match options.remove("backend") {
            Some(Value::String(name)) => name,
            Some(other) => {
                let found = kind_of(&other);
                let message = format!("wrong value for the key `backend`: expected a string, found {found}");
                return Err(Error::new(ErrorKind::InvalidConnection, message)
                    .with("key", "backend")
                    .hint(EXAMPLE));
            }
            None => {
                let message = "the connection lacks the key `backend`: expected the name of a plugin";
                return Err(Error::new(ErrorKind::InvalidConnection, message)
                    .with("key", "backend")
                    .hint(EXAMPLE));
            }
        };
        Ok(Self { backend: name.parse()?, options, exposed_in: None })
    }
}

const EXAMPLE: &str = r#"write for instance {"backend": "local", "root": "data"}"#;

impl TryFrom<&Value> for Connection {
    type Error = Error;

    fn try_from(value: &Value) -> Result<Self> {
        value.clone().try_into()
    }
}

impl TryFrom<&str> for Connection {
    type Error = Error;

    fn try_from(text: &str) -> Result<Self> {
        text.parse()
    }
}

impl From<&Self> for Connection {
    fn from(connection: &Self) -> Self {
        connection.clone()
    }
}

impl FromStr for Connection {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((what, hint)) = json::whole(text) {
            let message = format!("the connection is not JSON: {what}");
            return Err(Error::new(ErrorKind::InvalidConnection, message).hint(match what {
                "it is empty" => EXAMPLE,
                _ => hint,
            }));
        }
        let value = json::parse(text).map_err(|cause| {
            // serde_json tells the place and what it missed there, but quotes nothing of the text.
            Error::new(ErrorKind::InvalidConnection, format!("the connection is not JSON: {cause}"))
                .hint(EXAMPLE)
        })?;
        value.try_into()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.options.keys().collect();
        f.debug_struct("Connection").field("backend", &self.backend).field("options", &keys).finish()
    }
}

pub(crate) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The name of a plugin: `[a-z][a-z0-9_]{0,31}`, so that no name is a path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PluginName(Box<str>);

impl PluginName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if text.starts_with(|c: char| c.is_ascii_lowercase()) && text.len() <= 32 && text.bytes().all(legal) {
            return Ok(Self(text.into()));
        }
        let shown: String = text.chars().take(40).collect();
        Err(Error::new(ErrorKind::InvalidConnection, format!("{shown:?} cannot be the name of a plugin"))
            .with("key", "backend")
            .hint("a name has 1 to 32 characters, a-z, 0-9 and _, the first of them a letter"))
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        let error = text.parse::<Connection>().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        error.message().to_owned()
    }

    #[test]
    fn says_what_was_expected_and_found() {
        assert_eq!(refusal("[]"), "a connection is a JSON object, found a list");
        assert_eq!(refusal("{}"), "the connection lacks the key `backend`: expected the name of a plugin");
        assert_eq!(
            refusal(r#"{"backend": 5}"#),
            "wrong value for the key `backend`: expected a string, found a number"
        );
        for name in ["", "../evil", "Local", "9p", "lo cal", "local.so", "lokál", &"a".repeat(33)] {
            let connection = serde_json::json!({"backend": name}).to_string();
            assert_eq!(refusal(&connection), format!("{name:?} cannot be the name of a plugin"));
        }
    }

    #[test]
    fn takes_values_from_where_they_are_kept() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hunter2\r\n").unwrap();
        let resolved = |options: Value| {
            let mut connection = serde_json::json!({"backend": "git"});
            connection["password"] = options;
            Connection::try_from(connection)
                .unwrap()
                .resolved_options(|| Ok(Value::Null))
                .map(|options| options["password"].clone())
        };
        assert_eq!(resolved(serde_json::json!({"$file": file.path()})).unwrap(), "hunter2");
        assert_eq!(resolved(serde_json::json!({"$env": "CARGO_PKG_NAME"})).unwrap(), env!("CARGO_PKG_NAME"));
        for wrong in [
            r#"{"$env": "A", "b": 1}"#,
            r#"{"$env": "A", "$file": "b"}"#,
            r#"{"$evn": "A"}"#,
            r#"{"$env": 5}"#,
        ] {
            let error = resolved(wrong.parse().unwrap()).unwrap_err();
            assert!(error.advice().unwrap().starts_with(r#"write {"$env": "NAME"} or {"$file""#), "{error}");
        }
        let other = serde_json::json!({"a": 1});
        assert_eq!(resolved(other.clone()).unwrap(), other);
        let error = resolved(serde_json::json!({"$env": "F9_NO_SUCH_VARIABLE"})).unwrap_err();
        assert_eq!(
            error.message(),
            "the key `password` refers to the environment variable `F9_NO_SUCH_VARIABLE`: environment variable not found"
        );
        let error = resolved(serde_json::json!({"$file": "/no/such/file"})).unwrap_err();
        assert!(
            error.message().starts_with("the key `password` refers to the file /no/such/file: No such file")
        );
    }

    #[test]
    fn quotes_no_value() {
        let text = r#"{"backend": "git", "password": "hunter2",}"#;
        assert!(!refusal(text).contains("hunter2"));
        let connection: Connection = r#"{"backend": "git", "password": "hunter2"}"#.parse().unwrap();
        assert_eq!(format!("{connection:?}"), r#"Connection { backend: "git", options: ["password"] }"#);
    }
}
