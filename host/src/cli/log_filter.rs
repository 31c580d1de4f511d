//! Which log records are shown: a level, and other levels for some targets.

use std::str::FromStr;

use f9_host::log::{LevelFilter, Metadata};

/// What `--log` says: `debug`, `git=debug`, or several with commas between.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct LogFilter {
    default: Option<LevelFilter>,
    targets: Vec<(String, LevelFilter)>,
}

impl FromStr for LogFilter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = |text: &str| {
            let parsed = text.trim().parse();
            parsed
                .map_err(|_| format!("`{text}` is no level: expected off, error, warn, info, debug or trace"))
        };
        let mut filter = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()) {
            match part.split_once('=') {
                Some((target, of)) if !target.trim().is_empty() => {
                    filter.targets.push((target.trim().to_owned(), level(of)?));
                }
                Some(_) => return Err("before the = comes a target, such as git or russh::client".to_owned()),
                None => filter.default = Some(level(part)?),
            }
        }
        Ok(filter)
    }
}

impl LogFilter {
    /// With this level for what it says nothing of.
    pub(crate) fn or(mut self, level: LevelFilter) -> Self {
        self.default.get_or_insert(level);
        self
    }

    /// The most that any record may be.
    pub(crate) fn most(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).chain(self.default).max().unwrap_or(LevelFilter::Off)
    }

    /// Whether a record is wanted. The longest target that fits decides.
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        let of_plugin = target.strip_prefix("f9_backend_").unwrap_or(target);
        let fits = |(wanted, _): &&(String, LevelFilter)| {
            let within = |target: &str| {
                target
                    .strip_prefix(wanted.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            within(target) || within(of_plugin)
        };
        let closest = self.targets.iter().filter(fits).max_by_key(|(wanted, _)| wanted.len());
        let level = closest.map(|(_, level)| *level).or(self.default).unwrap_or(LevelFilter::Off);
        metadata.level() <= level
    }
}

#[cfg(test)]
mod tests {
    use f9_host::log::Level;

    use super::*;

    #[test]
    fn the_closest_target_decides() {
        let filter: LogFilter = "git=debug, russh=warn,russh::client=trace".parse().unwrap();
        let filter = filter.or(LevelFilter::Error);
        let wants =
            |target: &str, level| filter.wants(&Metadata::builder().target(target).level(level).build());
        assert_eq!(filter.most(), LevelFilter::Trace);
        assert!(wants("f9_backend_git::conflicts", Level::Debug) && !wants("git", Level::Trace));
        assert!(wants("russh::client::x", Level::Trace) && !wants("russh::server", Level::Info));
        assert!(
            !wants("russhing", Level::Warn) && wants("other", Level::Error) && !wants("other", Level::Warn)
        );
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for wrong in ["loud", "git=", "git=loud", "=debug"] {
            assert!(wrong.parse::<LogFilter>().is_err(), "{wrong}");
        }
        assert_eq!("debug".parse::<LogFilter>().unwrap().or(LevelFilter::Warn).most(), LevelFilter::Debug);
    }
}
