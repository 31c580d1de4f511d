//! What a run of the suite found.

use std::fmt;

use serde::Serialize;

use super::Case;

/// What became of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The rule was observed.
    Passed,
    /// The rule was broken; this was seen.
    Failed(String),
    /// The case is not for this backend, for this reason.
    Skipped(String),
}

/// Every case by what became of it. Serialises to an object with these three lists.
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Rules that were observed.
    pub passed: Vec<Outcome>,
    /// Rules that were broken.
    pub failed: Vec<Outcome>,
    /// Cases that are not for this backend.
    pub skipped: Vec<Outcome>,
}

/// One case in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Outcome {
    /// The operation and what is checked of it.
    pub name: &'static str,
    /// The rule in the words of the contract.
    pub rule: &'static str,
    /// What was seen instead, or why the case was skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

impl Report {
    /// Adds the verdict on a case, for hosts that run the cases one by one.
    pub fn add(&mut self, case: &Case, verdict: Verdict) {
        let (list, seen) = match verdict {
            Verdict::Passed => (&mut self.passed, None),
            Verdict::Failed(seen) => (&mut self.failed, Some(seen)),
            Verdict::Skipped(reason) => (&mut self.skipped, Some(reason)),
        };
        list.push(Outcome { name: case.name, rule: case.rule, seen });
    }

    /// Whether no rule was broken.
    pub fn is_conforming(&self) -> bool {
        self.failed.is_empty()
    }

    /// For tests: does nothing if no rule was broken.
    ///
    /// # Panics
    ///
    /// With the broken rules and what was seen, if there are any.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.is_conforming(), "the backend does not conform\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Outcome { name, rule, seen } in &self.failed {
            writeln!(f, "FAILED {name}\n  rule: {rule}\n  seen: {}", seen.as_deref().unwrap_or_default())?;
        }
        let (passed, failed, skipped) = (self.passed.len(), self.failed.len(), self.skipped.len());
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}
