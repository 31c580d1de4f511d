//! What a plugin shares with its process and must leave alone.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

/// The rules, by the names of the checks.
pub(super) const RULES: [(&str, &str); 5] = [
    ("manners::prints_nothing", "A plugin does not write to standard output or standard error."),
    ("manners::keeps_the_working_directory", "A plugin does not change the working directory."),
    ("manners::keeps_the_environment", "A plugin does not change the environment."),
    ("manners::keeps_signal_handlers", "A plugin installs no signal handlers."),
    ("manners::tells_no_secret", "A secret never appears in an error or a log line."),
];

pub(super) const PRINTS: &str = RULES[0].0;
const DIRECTORY: &str = RULES[1].0;
const ENVIRONMENT: &str = RULES[2].0;
const SIGNALS: &str = RULES[3].0;
pub(super) const SECRETS: &str = RULES[4].0;

/// The process as it is at a moment.
#[derive(Debug, PartialEq)]
pub(super) struct Surroundings {
    directory: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    signals: Vec<String>,
}

impl Surroundings {
    pub(super) fn observe() -> Self {
        let mut environment: Vec<_> = env::vars_os().collect();
        environment.sort();
        Self { directory: env::current_dir().ok(), environment, signals: signals() }
    }

    /// What is not as it was, with the name of the check about it.
    pub(super) fn changes_since(&self, before: &Self) -> Vec<(String, String)> {
        let mut changes = Vec::new();
        let mut add = |check: &str, seen: String| changes.push((check.to_owned(), seen));
        if self.directory != before.directory {
            let shown =
                |dir: &Option<PathBuf>| dir.as_deref().unwrap_or(Path::new("?")).display().to_string();
            let (from, to) = (shown(&before.directory), shown(&self.directory));
            add(DIRECTORY, format!("it went from {from} to {to}"));
        }
        let changed = |one: &Self, other: &Self| {
            let differs = |pair: &&(OsString, OsString)| !other.environment.contains(pair);
            one.environment.iter().find(differs).map(|(name, _)| name.to_string_lossy().into_owned())
        };
        if let Some(name) = changed(self, before).or_else(|| changed(before, self)) {
            add(ENVIRONMENT, format!("the variable `{name}` has changed"));
        }
        if self.signals != before.signals {
            let (from, to) = (before.signals.join(", "), self.signals.join(", "));
            add(SIGNALS, format!("the process had {from}, and has {to}"));
        }
        changes
    }
}

/// Which signals are caught and ignored, as Linux tells; nothing elsewhere.
fn signals() -> Vec<String> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let wanted = status.lines().filter(|line| line.starts_with("SigCgt:") || line.starts_with("SigIgn:"));
    wanted.map(|line| line.replace('\t', " ")).collect()
}
