//! Which of the files below a directory take part in a mirror or a comparison.

use std::time::SystemTime;

use f9_plugin_api::{FileInfo, Result};

use crate::Glob;

/// A choice among the files below a directory: by patterns, by size, by age. `default()` takes all.
///
/// Patterns are those of [`Glob`], of paths from that directory down. Of the patterns that stand for a path the last one
/// decides, so an order such as `exclude("**/*.log")`, `include("keep.log")` means what it says. A pattern that stands for a
/// directory decides for what is below it too, and below one that is excluded nothing is taken, whatever else says so. What no
/// pattern stands for is taken, unless the first pattern includes: then it is not.
///
/// Sizes and ages are those of files; a file of which the storage tells no time is taken whatever its age.
///
/// ```
/// use f9_host::Filter;
///
/// let filter = Filter::default().exclude("**/*.log")?.include("keep.log")?.exclude("lost+found")?;
/// assert!(filter.takes_path("notes/may.txt") && filter.takes_path("keep.log"));
/// assert!(!filter.takes_path("old/may.log") && !filter.takes_path("lost+found/x"));
/// # Ok::<(), f9_host::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Filter {
    rules: Vec<(bool, Glob)>,
    min_size: Option<u64>,
    max_size: Option<u64>,
    newer: Option<SystemTime>,
    older: Option<SystemTime>,
}

impl Filter {
    /// Takes what the pattern stands for.
    ///
    /// # Errors
    ///
    /// As [`Glob::parse`].
    pub fn include(self, pattern: &str) -> Result<Self> {
        self.rule(true, pattern)
    }

    /// Leaves out what the pattern stands for.
    ///
    /// # Errors
    ///
    /// As [`Glob::parse`].
    pub fn exclude(self, pattern: &str) -> Result<Self> {
        self.rule(false, pattern)
    }

    /// Leaves out files of fewer bytes.
    #[must_use]
    pub const fn min_size(mut self, bytes: u64) -> Self {
        self.min_size = Some(bytes);
        self
    }

    /// Leaves out files of more bytes.
    #[must_use]
    pub const fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = Some(bytes);
        self
    }

    /// Leaves out files that changed last before this time.
    #[must_use]
    pub const fn newer_than(mut self, time: SystemTime) -> Self {
        self.newer = Some(time);
        self
    }

    /// Leaves out files that changed last after this time.
    #[must_use]
    pub const fn older_than(mut self, time: SystemTime) -> Self {
        self.older = Some(time);
        self
    }

    /// Whether the patterns take this path, from the directory down.
    pub fn takes_path(&self, path: &str) -> bool {
        let mut taken = self.rules.first().is_none_or(|(includes, _)| !includes);
        let ends = path.match_indices('/').map(|(at, _)| at);
        for end in ends {
            match self.decide(&path[..end]) {
                Some(false) => return false,
                Some(true) => taken = true,
                None => {}
            }
        }
        self.decide(path).unwrap_or(taken)
    }

    /// Whether the file, directory or link that is described takes part; `path` is its path from the directory down.
    pub fn takes(&self, path: &str, info: &FileInfo) -> bool {
        self.takes_path(path) && (!info.is_file() || self.takes_file(info))
    }

    fn takes_file(&self, info: &FileInfo) -> bool {
        let is_small = self.min_size.is_some_and(|least| info.size < least);
        let is_large = self.max_size.is_some_and(|most| info.size > most);
        let changed = |limit: Option<SystemTime>| Some((info.modified_at?, limit?));
        let is_old = changed(self.newer).is_some_and(|(time, limit)| time < limit);
        let is_new = changed(self.older).is_some_and(|(time, limit)| time > limit);
        !(is_small || is_large || is_old || is_new)
    }

    /// What the last pattern that stands for the path says.
    fn decide(&self, path: &str) -> Option<bool> {
        let names: Vec<_> = path.split('/').collect();
        self.rules.iter().rev().find(|(_, glob)| glob.matches_names(&names)).map(|(includes, _)| *includes)
    }

    fn rule(mut self, includes: bool, pattern: &str) -> Result<Self> {
        self.rules.push((includes, Glob::parse(pattern)?));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use f9_plugin_api::{BackendPath, FileKind};

    use super::*;

    #[test]
    fn the_last_pattern_decides_and_directories_are_pruned() {
        let filter = Filter::default().exclude("build").unwrap().include("build/keep.txt").unwrap();
        assert!(!filter.takes_path("build") && !filter.takes_path("build/keep.txt"));
        let filter = Filter::default().exclude("**/*.tmp").unwrap().include("a/b.tmp").unwrap();
        assert!(filter.takes_path("a/b.tmp") && !filter.takes_path("b.tmp") && filter.takes_path("b.txt"));
    }

    #[test]
    fn what_begins_with_an_include_takes_nothing_else() {
        let filter = Filter::default().include("docs").unwrap().include("**/*.md").unwrap();
        let filter = filter.exclude("docs/secret").unwrap();
        for (path, taken) in [
            ("docs", true),
            ("docs/a.txt", true),
            ("docs/secret/a.md", false),
            ("src/a.md", true),
            ("src/a.rs", false),
            ("src", false),
        ] {
            assert_eq!(filter.takes_path(path), taken, "{path}");
        }
    }

    #[test]
    fn sizes_and_times_are_those_of_files() {
        let file = |size| FileInfo::new(BackendPath::parse("f").unwrap(), FileKind::File, size);
        let filter = Filter::default().min_size(2).max_size(4);
        assert_eq!([1, 2, 4, 5].map(|size| filter.takes("f", &file(size))), [false, true, true, false]);
        let directory = FileInfo::new(BackendPath::parse("d").unwrap(), FileKind::Directory, 0);
        assert!(filter.takes("d", &directory));
        let now = SystemTime::now();
        let filter = Filter::default().newer_than(now);
        assert!(!filter.takes("f", &file(3).modified_at(Some(SystemTime::UNIX_EPOCH))));
        assert!(filter.takes("f", &file(3)), "no time is told");
    }
}
