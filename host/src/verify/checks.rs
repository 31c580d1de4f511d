//! What is checked besides the contract of the backend: the connection, the manifest, the options.

use std::{cell::Cell, collections::BTreeSet};

use f9_plugin_api::{Capabilities, Error, ErrorKind, FileBackend, ListOptions, Result};
use serde_json::Value;

use super::{Outcome, options};
use crate::{Backend, BackendPath, Connection, Plugin};

/// What a check answers: its outcome, and what was seen.
pub(super) type Answered = (Outcome, Option<String>);

pub(super) const PASSED: Answered = (Outcome::Passed, None);

pub(super) fn answered(outcome: Outcome, seen: impl Into<String>) -> Answered {
    (outcome, Some(seen.into()))
}

/// A rule, and how it is checked.
pub(super) struct OwnCheck {
    pub(super) name: &'static str,
    pub(super) rule: &'static str,
    pub(super) run: fn(&Opened<'_>) -> Answered,
}

/// The check that all others depend on.
pub(super) const OPENS: &str = "connection::opens";

/// Every check of this kind, in the order they are run.
pub(super) const CHECKS: &[OwnCheck] = &[
    OwnCheck { name: OPENS, rule: "The connection opens a backend with an empty root.", run: opens },
    OwnCheck {
        name: "manifest::lists_the_capabilities",
        rule: "The manifest lists what backends may be capable of; a single one may be capable of less.",
        run: lists_the_capabilities,
    },
    OwnCheck {
        name: "manifest::describes_the_plugin",
        rule: "The manifest says what the plugin is for.",
        run: describes_the_plugin,
    },
    OwnCheck {
        name: "options::have_a_schema",
        rule: "The options are published as JSON Schema, each with a type and a description.",
        run: options::have_a_schema,
    },
    OwnCheck {
        name: "options::secrets_are_marked",
        rule: "A secret is marked `writeOnly` in the schema, so that hosts hide it.",
        run: options::secrets_are_marked,
    },
    OwnCheck {
        name: "options::unknown_keys_are_refused",
        rule: "InvalidConnection for a key that is not an option.",
        run: options::unknown_keys_are_refused,
    },
    OwnCheck {
        name: "options::missing_keys_are_refused",
        rule: "InvalidConnection if a required option is missing.",
        run: options::missing_keys_are_refused,
    },
    OwnCheck {
        name: "options::wrong_types_are_refused",
        rule: "InvalidConnection for a value of a wrong type.",
        run: options::wrong_types_are_refused,
    },
    OwnCheck {
        name: "options::secrets_are_not_quoted",
        rule: "A secret never appears in an error.",
        run: options::secrets_are_not_quoted,
    },
];

/// A plugin, and a connection that is for this check alone.
pub(super) struct Opened<'a> {
    pub(super) plugin: &'a Plugin,
    pub(super) connection: &'a Connection,
    wrong_connection: Cell<bool>,
}

impl<'a> Opened<'a> {
    pub(super) fn new(plugin: &'a Plugin, connection: &'a Connection) -> Self {
        Self { plugin, connection, wrong_connection: Cell::new(false) }
    }

    /// Whether a check failed because of the connection.
    pub(super) fn is_wrong_connection(&self) -> bool {
        self.wrong_connection.get()
    }

    /// The backend as the plugin implements it.
    pub(super) fn open(&self) -> Result<Backend> {
        Ok(self.plugin.open(self.connection)?.without_stand_ins())
    }

    /// The same, or why no check can use it: whatever is there might be needed by somebody.
    pub(super) fn open_empty(&self) -> Result<Backend, String> {
        self.empty(self.open().map_err(not_opened)?)
    }

    fn empty(&self, backend: Backend) -> Result<Backend, String> {
        let listed = FileBackend::list(&backend, &BackendPath::root(), ListOptions::default());
        let entries = listed
            .map_err(|error| format!("the root cannot be listed: {}: {error}", error.kind()))?
            .take(1000);
        let Some(entry) = entries.flatten().find(|entry| !entry.path.is_root()) else { return Ok(backend) };
        self.wrong_connection.set(true);
        Err(format!(
            "the root is not empty, there is `{}`: for a fresh root, write {{dir}} into the connection",
            entry.path
        ))
    }
}

fn not_opened(error: Error) -> String {
    let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
    format!("the backend cannot be opened: {}: {error}{advice}", error.kind())
}

fn opens(opened: &Opened<'_>) -> Answered {
    let backend = opened.open().map_err(|error| {
        // Of one that it has accepted before, the plugin would have to explain that.
        opened.wrong_connection.set(error.kind() == ErrorKind::InvalidConnection);
        not_opened(error)
    });
    match backend.and_then(|backend| opened.empty(backend)) {
        Ok(_) => PASSED,
        Err(seen) => answered(Outcome::Failed, seen),
    }
}

fn lists_the_capabilities(opened: &Opened<'_>) -> Answered {
    let backend = match opened.open() {
        Ok(backend) => backend,
        Err(error) => return answered(Outcome::Failed, format!("the backend cannot be opened: {error}")),
    };
    let listed: BTreeSet<_> = opened.plugin.manifest().capabilities.iter().map(String::as_str).collect();
    let known = |name: &&str| Capabilities::NAMED.iter().any(|(known, _)| known == name);
    let own: BTreeSet<_> = backend.own_capabilities().names().collect();
    let names = |names: Vec<&str>| names.join(", ");
    let unlisted: Vec<_> = own.difference(&listed).copied().collect();
    if !unlisted.is_empty() {
        let seen = format!("the backend declares {}, which the manifest does not list", names(unlisted));
        return answered(Outcome::Failed, seen);
    }
    let idle: Vec<_> = listed.difference(&own).copied().filter(known).collect();
    if idle.is_empty() {
        return PASSED;
    }
    let seen = format!("the manifest lists {}, which the backend of this connection lacks", names(idle));
    answered(Outcome::Warned, seen)
}

fn describes_the_plugin(opened: &Opened<'_>) -> Answered {
    match opened.plugin.manifest().description.trim() {
        "" => answered(Outcome::Warned, "there is no `description` in the plugin's Cargo.toml"),
        _ => PASSED,
    }
}

/// Checks that the plugin refuses these options as it should, and gives its words.
pub(super) fn refusal(opened: &Opened<'_>, what: &str, options: Value) -> Result<String, String> {
    let Value::Object(options) = options else { return Err(format!("{what} are no options")) };
    match opened.plugin.open(&opened.connection.with(options)) {
        Ok(_) => Err(format!("{what} is accepted")),
        Err(error) if error.kind() == ErrorKind::InvalidConnection => Ok(error.to_string()),
        Err(error) => Err(format!("{what} is answered {} instead of invalid_connection", error.kind())),
    }
}
