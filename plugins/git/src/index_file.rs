//! git's index file, read and written without libgit2.
//!
//! libgit2 loads, hashes and rewrites the whole index for one changed file, and reads every tree again to fill its cache:
//! in a working tree of 100,000 files that takes longer than all the rest of a push. Here the unchanged entries are copied
//! as they are. What is out of the ordinary (conflicts, version 4, split and sparse indexes, flags that users set) is left
//! to libgit2. The format: gitformat-index(5).

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{ErrorKind as IoKind, Read as _, Write as _},
    ops::Range,
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::{Index, IndexEntry, Oid};
use sha1::{Digest as _, Sha1};

use crate::{cache_tree::CacheTree, errors::Context as _};

const HEADER: usize = 12;
const CHECKSUM: usize = 20;
/// Where an entry has the size of its file.
const SIZE: usize = 36;
/// The part of an entry before its path.
const FIXED: usize = 62;
/// Paths of this length or more say so, and end at their NUL.
const LONG: usize = 0xfff;

/// The index as it was found, with nothing but plain entries.
pub(crate) struct IndexFile {
    bytes: Vec<u8>,
    /// Where each entry begins, ordered by path.
    entries: Vec<usize>,
    tree: Option<CacheTree>,
    stamp: Stamp,
}

/// Which file the index was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

/// What the index knows of one file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tracked<'a>(&'a [u8]);

/// The error for an index whose entries are not in order: looked up in it, files that are there seem to be deleted.
pub(crate) fn unordered(index: &Path) -> Error {
    Error::new(ErrorKind::Integrity, "the clone is damaged: the entries of `.git/index` are out of order")
        .at(index.display())
        .with("reason", "damaged")
        .with("damaged", "index")
        .hint("`f9 repair NAME:` makes it anew from the last commit, and changes no file")
}

/// Whether the entries are in order; libgit2 takes them as they come.
pub(crate) fn is_ordered(index: &Index) -> bool {
    let key = |entry: &IndexEntry| (entry.path.clone(), entry.flags >> 12 & 3);
    let mut last = None;
    index.iter().all(|entry| {
        let next = Some(key(&entry));
        let follows = next > last;
        last = next;
        follows
    })
}

impl IndexFile {
    /// Reads the index at `path`; `None` if there is none, or one that is left to libgit2.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("open the index"),
        };
        let stamp = Stamp::of(&file)?;
        let mut bytes = Vec::with_capacity(stamp.size as usize);
        file.read_to_end(&mut bytes).context("read the index")?;
        let mut is_ordered = true;
        let parsed = Self::parse(bytes, stamp, &mut is_ordered);
        if is_ordered { Ok(parsed) } else { Err(unordered(path)) }
    }

    fn parse(bytes: Vec<u8>, stamp: Stamp, is_ordered: &mut bool) -> Option<Self> {
        let content = bytes.len().checked_sub(CHECKSUM)?;
        if bytes.get(..8)? != b"DIRC\0\0\0\x02" || checksum(&bytes[..content]) != bytes[content..] {
            return None;
        }
        let count = u32_at(&bytes, 8)? as usize;
        let mut entries = Vec::with_capacity(count.min(content / FIXED));
        let (mut at, mut last): (usize, &[u8]) = (HEADER, &[]);
        for _ in 0..count {
            let length = entry_length(&bytes[at..content])?;
            let path = Tracked(&bytes[at..at + length]).path();
            if path <= last {
                *is_ordered = false;
                return None;
            }
            last = path;
            entries.push(at);
            at += length;
        }
        let mut tree = None;
        while at < content {
            let (name, size) = (bytes.get(at..at + 4)?, u32_at(&bytes, at + 4)? as usize);
            let body = bytes[..content].get(at + 8..(at + 8).checked_add(size)?)?;
            match name {
                b"TREE" => tree = CacheTree::parse(body),
                // Who does not know an extension may drop it if its name begins with a capital.
                [b'A'..=b'Z', ..] => {}
                _ => return None,
            }
            at += 8 + size;
        }
        Some(Self { bytes, entries, tree, stamp })
    }

    /// The tree that the index stands for, if it says so.
    pub(crate) fn tree(&self) -> Option<Oid> {
        self.tree.as_ref()?.id()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, position: usize) -> Tracked<'_> {
        let at = self.entries[position];
        let end = self.entries.get(position + 1).copied().unwrap_or(self.bytes.len());
        Tracked(&self.bytes[at..end])
    }

    /// Where `path` is, or where it would be.
    pub(crate) fn find(&self, path: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.get(middle).path().cmp(path) {
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The first position at or after `from` whose path does not begin with `prefix`.
    pub(crate) fn end_of(&self, prefix: &[u8], from: usize, end: usize) -> usize {
        let (mut low, mut high) = (from, end);
        while low < high {
            let middle = low.midpoint(high);
            if self.get(middle).path().starts_with(prefix) { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// Whether a file that was last modified then may have changed since without a trace: when the index was written, the
    /// clock had not moved on.
    pub(crate) fn is_racy(&self, modified: (i64, i64)) -> bool {
        modified >= (i64::from(self.stamp.modified.0 as i32), self.stamp.modified.1)
    }

    /// Replaces the index at `path` by one that has these changes (`None`: the file is gone) and stands for `tree`.
    /// Returns false if somebody has changed the index since it was read.
    ///
    /// # Errors
    ///
    /// `Busy` if somebody else is about to write it.
    pub(crate) fn write(
        &self,
        path: &Path,
        changes: &BTreeMap<Vec<u8>, Option<IndexEntry>>,
        tree: &git2::Tree<'_>,
        repository: &git2::Repository,
    ) -> Result<bool> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + 4096);
        bytes.extend_from_slice(&self.bytes[..HEADER]);
        let entries = self.merge(changes, &mut bytes);
        let count = u32::try_from(entries.len()).unwrap_or(u32::MAX);
        bytes[8..HEADER].copy_from_slice(&count.to_be_bytes());
        let count_below = |directory: &[u8]| {
            let path_at = |at: &usize| Tracked(&bytes[*at..]).path();
            let start = entries.partition_point(|at| path_at(at) < directory);
            entries[start..].partition_point(|at| path_at(at).starts_with(directory))
        };
        let cached = self.tree.clone().unwrap_or_default();
        let cached = cached.updated(changes.keys(), tree, repository, &count_below)?;
        let body = cached.to_bytes();
        bytes.extend_from_slice(b"TREE");
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend_from_slice(&body);
        let sum = checksum(&bytes);
        bytes.extend_from_slice(&sum);
        self.replace(path, &bytes)
    }

    /// Copies the entries with the changes among them, and returns where each begins.
    fn merge(&self, changes: &BTreeMap<Vec<u8>, Option<IndexEntry>>, bytes: &mut Vec<u8>) -> Vec<usize> {
        let mut entries = Vec::with_capacity(self.len() + changes.len());
        let mut next = 0;
        for (path, entry) in changes {
            let (position, known) = match self.find(path) {
                Ok(position) => (position, true),
                Err(position) => (position, false),
            };
            self.copy(next..position, bytes, &mut entries);
            next = position + usize::from(known);
            if let Some(entry) = entry {
                entries.push(bytes.len());
                append(bytes, entry);
            }
        }
        self.copy(next..self.len(), bytes, &mut entries);
        entries
    }

    fn copy(&self, range: Range<usize>, bytes: &mut Vec<u8>, entries: &mut Vec<usize>) {
        if range.is_empty() {
            return;
        }
        let (from, to, here) = (self.entries[range.start], self.end(range.end - 1), bytes.len());
        bytes.extend_from_slice(&self.bytes[from..to]);
        for position in range {
            let at = self.entries[position] - from + here;
            // The new index is younger than the file, and would be believed what the old one was not: as git does it, the
            // size is made one that makes the next look read the file.
            if self.is_racy(self.get(position).modified()) {
                bytes[at + SIZE..at + SIZE + 4].fill(0);
            }
            entries.push(at);
        }
    }

    /// Where an entry ends.
    fn end(&self, position: usize) -> usize {
        let at = self.entries[position];
        at + padded(self.get(position).path().len())
    }

    /// Under git's own lock: whoever holds it, here or elsewhere, keeps others from writing.
    fn replace(&self, path: &Path, bytes: &[u8]) -> Result<bool> {
        let lock = path.with_extension("lock");
        let mut file = match OpenOptions::new().write(true).create_new(true).open(&lock) {
            Ok(file) => file,
            Err(error) if error.kind() == IoKind::AlreadyExists => {
                let message = "another git is working in the clone: the index is locked";
                return Err(Error::new(ErrorKind::Busy, message)
                    .with("lock", lock.display())
                    .hint("if no other git runs there, delete the file that ends in `.lock`"));
            }
            Err(error) => return Err(error).context("lock the index"),
        };
        let unchanged =
            || Ok::<_, Error>(Stamp::of(&File::open(path).context("open the index")?)? == self.stamp);
        let replaced = unchanged().and_then(|unchanged| {
            if unchanged {
                file.write_all(bytes).context("write the index")?;
                std::fs::rename(&lock, path).context("write the index")?;
            }
            Ok(unchanged)
        });
        if !matches!(replaced, Ok(true)) {
            // Ours, and of no use.
            let _ = std::fs::remove_file(&lock);
        }
        replaced
    }
}

impl<'a> Tracked<'a> {
    pub(crate) fn path(self) -> &'a [u8] {
        let rest = &self.0[FIXED..];
        let length = usize::from(self.u16_at(60)) & LONG;
        if length < LONG {
            return &rest[..length];
        }
        &rest[..rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len())]
    }

    pub(crate) fn changed(self) -> (i64, i64) {
        (self.i32_at(0), self.i32_at(4))
    }

    pub(crate) fn modified(self) -> (i64, i64) {
        (self.i32_at(8), self.i32_at(12))
    }

    pub(crate) fn inode(self) -> u32 {
        self.u32_at(20)
    }

    pub(crate) fn mode(self) -> u32 {
        self.u32_at(24)
    }

    /// User and group.
    pub(crate) fn owner(self) -> (u32, u32) {
        (self.u32_at(28), self.u32_at(32))
    }

    pub(crate) fn size(self) -> u32 {
        self.u32_at(SIZE)
    }

    pub(crate) fn id(self) -> Option<Oid> {
        Oid::from_bytes(&self.0[40..60]).ok()
    }

    fn u32_at(self, at: usize) -> u32 {
        u32_at(self.0, at).unwrap_or_default()
    }

    /// As git compares times: in 32 bits.
    fn i32_at(self, at: usize) -> i64 {
        i64::from(self.u32_at(at) as i32)
    }

    fn u16_at(self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }
}

impl Stamp {
    fn of(file: &File) -> Result<Self> {
        let metadata = file.metadata().context("look at the index")?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Ok(Self { inode: metadata.ino(), size: metadata.size(), modified })
    }
}

/// How long an entry is; `None` for one that is not plain.
fn entry_length(bytes: &[u8]) -> Option<usize> {
    let flags = u16::from_be_bytes([*bytes.get(60)?, *bytes.get(61)?]);
    // Assumed valid, extended, or a side of a conflict.
    if usize::from(flags) & !LONG != 0 {
        return None;
    }
    let path = Tracked(bytes).path().len();
    let length = padded(path);
    let padding = bytes.get(FIXED + path..length)?;
    (path > 0 && padding.iter().all(|&byte| byte == 0)).then_some(length)
}

/// An entry with a path of this length, with one to eight NULs at its end.
const fn padded(path: usize) -> usize {
    (FIXED + path + 8) & !7
}

fn append(bytes: &mut Vec<u8>, entry: &IndexEntry) {
    let start = bytes.len();
    let (ctime, mtime) = (entry.ctime, entry.mtime);
    let times = [ctime.seconds() as u32, ctime.nanoseconds(), mtime.seconds() as u32, mtime.nanoseconds()];
    let others = [entry.dev, entry.ino, entry.mode, entry.uid, entry.gid, entry.file_size];
    for number in times.into_iter().chain(others) {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
    bytes.extend_from_slice(entry.id.as_bytes());
    bytes.extend_from_slice(&(entry.path.len().min(LONG) as u16).to_be_bytes());
    bytes.extend_from_slice(&entry.path);
    bytes.resize(start + padded(entry.path.len()), 0);
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    Sha1::digest(bytes).into()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}
