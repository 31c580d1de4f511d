//! What was found.

use std::{fmt, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::junit;
use crate::Manifest;

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// The rule was observed.
    Passed,
    /// Nothing is broken, but the author should know.
    Warned,
    /// The rule was broken.
    Failed,
    /// The process ended during the check.
    Crashed,
    /// The check did not end in time, and its process was killed.
    TimedOut,
    /// The check is not for this plugin or this connection.
    Skipped,
}

impl Outcome {
    /// Whether a plugin with this outcome breaks the contract.
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Crashed | Self::TimedOut)
    }

    /// In a word or two, such as `timed out`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Crashed => "crashed",
            Self::TimedOut => "timed out",
            Self::Skipped => "skipped",
        }
    }
}

/// One rule, and whether the plugin keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What it is about, such as `create::makes_parents`.
    pub name: String,
    /// The rule in the words of the contract.
    pub rule: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen instead, or why the check was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Every check of a plugin's file, in the order they were run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Verification {
    /// The file.
    pub file: PathBuf,
    /// What the plugin says of itself, if it could be loaded.
    pub plugin: Option<Manifest>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// How long all of it took.
    pub took: Duration,
    /// Why there is no verdict on the plugin: what is wrong with the connection. The plugin does not accept it, or its root
    /// is not empty.
    pub wrong_connection: Option<String>,
    /// Why not everything that was asked for has been checked.
    pub unfinished: Option<String>,
}

impl Verification {
    /// Whether everything that was asked for has been checked, and no rule was broken.
    pub fn conforms(&self) -> bool {
        self.wrong_connection.is_none() && self.unfinished.is_none() && self.failures() == 0
    }

    /// How many checks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }

    /// How many checks tell that a rule was broken.
    pub fn failures(&self) -> usize {
        self.checks.iter().filter(|check| check.outcome.is_failure()).count()
    }

    /// As JUnit's XML, which systems for continuous integration show.
    pub fn to_junit(&self) -> String {
        junit::document(self)
    }

    /// The plugin's name and version, or its file if it could not be loaded.
    pub fn subject(&self) -> String {
        match &self.plugin {
            Some(plugin) => format!("{} {}", plugin.name, plugin.version),
            None => self.file.display().to_string(),
        }
    }
}

/// The verdict and the counts, on one line.
impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (&self.wrong_connection, &self.unfinished) {
            (Some(_), _) => "not checked, because the connection is wrong",
            (None, _) if self.failures() > 0 => "does not conform",
            (None, Some(_)) => "not finished",
            (None, None) => "conforms",
        };
        write!(f, "{} {verdict}: {} passed", self.subject(), self.count(Outcome::Passed))?;
        write!(f, ", {} failed", self.failures())?;
        let (warned, skipped) = (self.count(Outcome::Warned), self.count(Outcome::Skipped));
        write!(f, ", {warned} {}, {skipped} skipped", if warned == 1 { "warning" } else { "warnings" })?;
        let why = self.wrong_connection.iter().chain(&self.unfinished);
        why.into_iter().try_for_each(|why| write!(f, "; {why}"))
    }
}
