//! What is known of a file.

use std::{
    collections::BTreeMap,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::BackendPath;

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileKind {
    /// A file with content.
    File,
    /// A directory.
    Directory,
    /// A link that leads to nothing inside the root. One that does is reported as what it leads to.
    Symlink,
    /// Something else: a device, a socket, a pipe.
    Other,
}

/// What is known of a file or directory.
///
/// Serialises to a JSON object with `path`, `kind`, `size`, `created_at` and `modified_at` (RFC 3339 in UTC, or null),
/// and `attributes` where there are any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FileInfo {
    /// Relative to the root.
    pub path: BackendPath,
    /// What it is.
    pub kind: FileKind,
    /// The size of the content in bytes; 0 for what is not a file.
    pub size: u64,
    /// When it was created, where the storage knows.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: Option<SystemTime>,
    /// When its content last changed, where the storage knows.
    #[serde(serialize_with = "rfc3339")]
    pub modified_at: Option<SystemTime>,
    /// Whatever else the backend tells, by name. `sha256`, where it is told, is that checksum of the content in lower-case
    /// hexadecimal, as [`checksum`](crate::FileBackend::checksum) has it: whoever compares files need not ask for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

impl FileInfo {
    /// Describes `path` with nothing known but its kind and size.
    #[inline]
    pub const fn new(path: BackendPath, kind: FileKind, size: u64) -> Self {
        Self { path, kind, size, created_at: None, modified_at: None, attributes: BTreeMap::new() }
    }

    /// Sets [`created_at`](Self::created_at).
    #[must_use]
    #[inline]
    pub const fn created_at(mut self, time: Option<SystemTime>) -> Self {
        self.created_at = time;
        self
    }

    /// Sets [`modified_at`](Self::modified_at).
    #[must_use]
    #[inline]
    pub const fn modified_at(mut self, time: Option<SystemTime>) -> Self {
        self.modified_at = time;
        self
    }

    /// Adds one of the [`attributes`](Self::attributes).
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Whether this is a file.
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }

    /// Whether this is a directory.
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Directory
    }
}

/// A time outside the years 0 to 9999, which RFC 3339 cannot express, becomes null.
fn rfc3339<S: Serializer>(time: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.and_then(to_rfc3339).serialize(serializer)
}

fn to_rfc3339(time: SystemTime) -> Option<String> {
    let nanos = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).ok()?,
        Err(before) => -i128::try_from(before.duration().as_nanos()).ok()?,
    };
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?.format(&Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn serialises_to_an_object_with_rfc3339_times() {
        let info = FileInfo::new(BackendPath::parse("a/b.txt").unwrap(), FileKind::File, 3)
            .created_at(Some(UNIX_EPOCH - Duration::from_millis(1500)))
            .modified_at(Some(UNIX_EPOCH + Duration::from_secs(1_779_600_000)));
        assert_eq!(
            serde_json::to_value(&info).unwrap(),
            serde_json::json!({
                "path": "a/b.txt", "kind": "file", "size": 3,
                "created_at": "1969-12-31T23:59:58.5Z", "modified_at": "2026-05-24T05:20:00Z",
            })
        );
    }

    #[test]
    fn a_time_beyond_rfc3339_is_null() {
        let far = UNIX_EPOCH + Duration::from_secs(1 << 50);
        let info = FileInfo::new(BackendPath::root(), FileKind::Directory, 0).modified_at(Some(far));
        assert!(serde_json::to_value(&info).unwrap()["modified_at"].is_null());
    }
}
