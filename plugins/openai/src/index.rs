//! What is in the store, by path: one listing, and this process's own changes laid over it.

use std::{
    collections::{BTreeMap, HashMap, HashSet, btree_map},
    ops::Bound,
    time::{Duration, Instant},
};

use f9_plugin_api::BackendPath;

use crate::{
    record::{Commit, Generation, Record},
    types::Status,
};

/// How long a listing may lag behind (users report up to two minutes): until then a listing that lacks what was written
/// here, or has what was removed here, is not believed.
const SETTLING: Duration = Duration::from_secs(180);

/// One file of the vector store that is ours.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The File's id.
    pub(crate) id: String,
    pub(crate) status: Status,
    /// Seconds since 1970, by the service's clock.
    pub(crate) created_at: f64,
    /// Whether the service was seen to know it by its id, so that it is gone once the service does not.
    pub(crate) known: bool,
    pub(crate) record: Record,
}

/// A version of a file or directory: what its commit says, and its parts in order.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) generation: Generation,
    pub(crate) commit: Commit,
    pub(crate) parts: Vec<Entry>,
    /// Parts that the commit tells of and the store does not have, or not yet.
    pub(crate) missing: u32,
}

/// What a path is.
#[derive(Debug)]
pub(crate) enum Node {
    File(Version),
    /// With its entry, unless it only exists because something is in it.
    Directory(Option<Version>),
}

/// What is in the store.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The entries of each path, by id. No path is without.
    paths: BTreeMap<Box<str>, BTreeMap<String, Entry>>,
    /// Where each entry is.
    ids: HashMap<String, Box<str>>,
    /// What was written here and was in no listing since.
    added: HashMap<String, (Instant, Entry)>,
    /// What was removed here.
    removed: HashMap<String, Instant>,
}

impl Entry {
    /// Whether the service is done with indexing it, well or not.
    pub(crate) const fn is_settled(&self) -> bool {
        matches!(self.status, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

impl Index {
    /// Takes over a new listing.
    pub(crate) fn replace(&mut self, listing: Vec<Entry>) {
        self.paths.clear();
        self.ids.clear();
        let listed: HashMap<&str, &Entry> = listing.iter().map(|entry| (entry.id.as_str(), entry)).collect();
        let settling = |since: &Instant| since.elapsed() < SETTLING;
        self.removed.retain(|id, since| settling(since) || listed.contains_key(id.as_str()));
        self.added.retain(|id, (since, entry)| match listed.get(id.as_str()) {
            Some(listed) => !(listed.record == entry.record && listed.is_settled()) && settling(since),
            None => settling(since),
        });
        let own: Vec<_> = self.added.values().map(|(_, entry)| entry.clone()).collect();
        for entry in listing.into_iter().chain(own) {
            if !self.removed.contains_key(&entry.id) {
                self.insert(entry);
            }
        }
    }

    /// Takes over what was just written.
    pub(crate) fn add(&mut self, entry: Entry) {
        self.added.insert(entry.id.clone(), (Instant::now(), entry.clone()));
        self.insert(entry);
    }

    /// Forgets what was just removed.
    pub(crate) fn remove(&mut self, id: &str) {
        self.added.remove(id);
        self.removed.insert(id.to_owned(), Instant::now());
        let Some(path) = self.ids.remove(id) else { return };
        if let Some(entries) = self.paths.get_mut(&path) {
            entries.remove(id);
            if entries.is_empty() {
                self.paths.remove(&path);
            }
        }
    }

    /// What was written here at a path, above or below, and was in no listing since.
    pub(crate) fn unlisted(&self, path: &BackendPath) -> Vec<String> {
        let related = |other: &BackendPath| other.starts_with(path) || path.starts_with(other);
        let unlisted = self.added.values().filter(|(_, entry)| entry.known && related(&entry.record.path));
        unlisted.map(|(_, entry)| entry.id.clone()).collect()
    }

    fn insert(&mut self, entry: Entry) {
        let path: Box<str> = entry.record.path.as_str().into();
        self.ids.insert(entry.id.clone(), path.clone());
        self.paths.entry(path).or_default().insert(entry.id.clone(), entry);
    }

    /// What is at a path; the root is a directory.
    pub(crate) fn node(&self, path: &BackendPath) -> Option<Node> {
        match self.version(path.as_str()) {
            Some(version) if version.commit.directory => Some(Node::Directory(Some(version))),
            Some(version) => Some(Node::File(version)),
            None if path.is_root() || self.has_children(path) => Some(Node::Directory(None)),
            None => None,
        }
    }

    /// Whether anything is below a path.
    pub(crate) fn has_children(&self, path: &BackendPath) -> bool {
        self.below(path).any(|(path, _)| self.version(path).is_some())
    }

    /// Every path below another one that has an entry of its own, in the order of their bytes.
    pub(crate) fn descendants<'i>(&'i self, path: &BackendPath) -> impl Iterator<Item = (&'i str, Version)> {
        self.below(path).filter_map(|(path, _)| Some((&**path, self.version(path)?)))
    }

    /// The entries at a path and, if asked for, below it, of every version that was committed. What is not may be on its way,
    /// here or elsewhere, and is not for others to remove.
    pub(crate) fn committed(&self, path: &BackendPath, recursive: bool) -> Vec<Entry> {
        let here = self.paths.get(path.as_str()).into_iter();
        let below = recursive.then(|| self.below(path).map(|(_, entries)| entries)).into_iter().flatten();
        let mut committed = Vec::new();
        for entries in here.chain(below) {
            let heads = entries.values().filter(|entry| entry.record.commit.is_some());
            let generations: HashSet<_> = heads.map(|head| &head.record.generation).collect();
            let is_committed = |entry: &&Entry| generations.contains(&entry.record.generation);
            committed.extend(entries.values().filter(is_committed).cloned());
        }
        committed
    }

    /// Every entry there is.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Entry> {
        self.paths.values().flat_map(BTreeMap::values)
    }

    /// The entry with this id.
    pub(crate) fn entry(&self, id: &str) -> Option<&Entry> {
        self.paths.get(self.ids.get(id)?)?.get(id)
    }

    fn below(&self, path: &BackendPath) -> btree_map::Range<'_, Box<str>, BTreeMap<String, Entry>> {
        if path.is_root() {
            return self.paths.range::<str, _>(..);
        }
        // '0' is the character after '/'.
        let (first, last) = (format!("{}/", path.as_str()), format!("{}0", path.as_str()));
        self.paths.range::<str, _>((Bound::Included(&*first), Bound::Excluded(&*last)))
    }

    /// The newest whole version of a path; if none is whole, the newest that was committed.
    pub(crate) fn version(&self, path: &str) -> Option<Version> {
        let entries = self.paths.get(path)?;
        let mut committed: Vec<&Entry> =
            entries.values().filter(|entry| entry.record.commit.is_some()).collect();
        // Of two commits of one generation (a repeated upload, say) either will do, but always the same.
        committed.sort_by(|a, b| (&b.record.generation, &b.id).cmp(&(&a.record.generation, &a.id)));
        let mut versions = committed.into_iter().filter_map(|head| assemble(head, entries));
        let first = versions.next()?;
        if first.missing == 0 {
            return Some(first);
        }
        Some(versions.find(|version| version.missing == 0).unwrap_or(first))
    }
}

/// The version that an entry commits; `None` if it is not usable itself.
fn assemble(head: &Entry, entries: &BTreeMap<String, Entry>) -> Option<Version> {
    let commit = head.record.commit.clone().filter(|_| head.status == Status::Completed)?;
    let generation = head.record.generation.clone();
    let mut parts: BTreeMap<u32, &Entry> = BTreeMap::new();
    for entry in entries.values() {
        let usable = entry.status == Status::Completed && entry.record.is_content();
        if usable && entry.record.generation == generation && entry.record.part < commit.parts {
            parts.entry(entry.record.part).or_insert(entry);
        }
    }
    parts.insert(head.record.part, head);
    let parts: Vec<_> = parts.into_values().cloned().collect();
    let missing = commit.parts.saturating_sub(u32::try_from(parts.len()).unwrap_or(u32::MAX));
    Some(Version { generation, commit, parts, missing })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::record::{Digest, Storage};

    fn path(text: &str) -> BackendPath {
        BackendPath::parse(text).unwrap()
    }

    fn entry(id: &str, at: &str, generation: &Generation, part: u32, parts: Option<u32>) -> Entry {
        let digest = Digest::of(b"");
        let now = SystemTime::UNIX_EPOCH;
        let commit = parts.map(|parts| Commit {
            directory: false,
            parts,
            size: 0,
            digest,
            modified: now,
            created: now,
        });
        let record = Record { commit, ..Record::of_part(&path(at), generation, part, b"", Storage::Armor) };
        Entry { id: id.to_owned(), status: Status::Completed, created_at: 0.0, known: true, record }
    }

    fn ids(index: &Index, path: &str) -> Vec<String> {
        index
            .version(path)
            .map(|version| version.parts.into_iter().map(|part| part.id).collect())
            .unwrap_or_default()
    }

    #[test]
    fn the_newest_whole_version_is_the_file() {
        let old = Generation::after(None);
        let new = Generation::after(Some(&old));
        let mut index = Index::default();
        index.replace(vec![entry("new1", "a", &new, 1, Some(2)), entry("old0", "a", &old, 0, Some(1))]);
        assert_eq!(ids(&index, "a"), ["old0"], "the new one lacks a part");
        index.add(entry("new0", "a", &new, 0, None));
        assert_eq!(ids(&index, "a"), ["new0", "new1"]);
        index.remove("new1");
        assert_eq!(ids(&index, "a"), ["old0"]);
        index.remove("old0");
        assert!(index.node(&path("a")).is_none(), "parts without a commit are nothing");
        assert!(
            index.committed(&path("a"), true).is_empty() && index.all().count() == 1,
            "and nobody else's to remove"
        );
    }

    #[test]
    fn a_version_that_is_nowhere_whole_is_told_of() {
        let generation = Generation::after(None);
        let mut index = Index::default();
        index.replace(vec![entry("x1", "a", &generation, 1, Some(3))]);
        assert_eq!(index.version("a").unwrap().missing, 2);
    }

    #[test]
    fn what_is_not_indexed_yet_is_not_there() {
        let generation = Generation::after(None);
        for status in [Status::InProgress, Status::Failed, Status::Cancelled, Status::Unknown] {
            let mut index = Index::default();
            index.replace(vec![Entry { status, ..entry("x", "a", &generation, 0, Some(1)) }]);
            assert!(index.node(&path("a")).is_none(), "{status:?}");
        }
    }

    #[test]
    fn own_changes_outlast_listings_that_lag_behind() {
        let generation = Generation::after(None);
        let mut index = Index::default();
        let written = entry("w", "written", &generation, 0, Some(1));
        let removed = entry("r", "removed", &generation, 0, Some(1));
        index.replace(vec![removed.clone()]);
        index.add(written.clone());
        index.remove("r");
        index.replace(vec![removed.clone()]);
        assert!(index.node(&path("written")).is_some() && index.node(&path("removed")).is_none());
        // A listing that has it before its commit does not count either.
        index.replace(vec![entry("w", "written", &generation, 0, None)]);
        assert!(index.node(&path("written")).is_some());
        // Nor one that has not heard that it was indexed.
        index.replace(vec![Entry { status: Status::InProgress, ..written.clone() }]);
        assert!(index.node(&path("written")).is_some());
        // Once it was listed as it was written, its absence is somebody else's doing.
        index.replace(vec![written, removed]);
        assert!(index.node(&path("written")).is_some() && index.node(&path("removed")).is_none());
        index.replace(vec![]);
        assert!(index.node(&path("written")).is_none());
    }

    #[test]
    fn a_directory_is_there_with_what_is_in_it() {
        let generation = Generation::after(None);
        let mut index = Index::default();
        index.replace(vec![
            entry("1", "a/b/c", &generation, 0, Some(1)),
            entry("2", "a!", &generation, 0, Some(1)),
        ]);
        assert!(matches!(index.node(&path("a/b")), Some(Node::Directory(None))));
        assert!(matches!(index.node(&path("a")), Some(Node::Directory(None))));
        assert!(index.node(&path("a/bb")).is_none());
        let below: Vec<_> = index.descendants(&path("a")).map(|(path, _)| path.to_owned()).collect();
        assert_eq!(below, ["a/b/c"]);
        assert_eq!(index.committed(&path("a"), true).len(), 1);
        assert_eq!(index.all().count(), 2);
    }
}
