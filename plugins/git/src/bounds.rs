//! How much a checkout may bring, counted before anything of it is written.
//!
//! A few objects can stand for any number of files: a directory that holds the same directory ten times, ten levels deep, has
//! ten thousand million of them. So each directory is counted once, however often it is used.

use std::collections::HashMap;

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{FileMode, Odb, Oid, Repository, Tree};

use crate::{errors::Context as _, options::Settings};

/// No path that the system takes has more directories.
const MAX_DEPTH: usize = 2048;

/// Refuses to go from one tree (none: the empty one) to another if that brings more than the connection allows.
///
/// # Errors
///
/// `QuotaExceeded`, which names the option, the limit and what was found.
pub(crate) fn check(
    git: &Repository,
    old: Option<&Tree<'_>>,
    new: &Tree<'_>,
    settings: &Settings,
    context: &Context,
) -> Result<()> {
    let odb = git.odb().context("open the objects")?;
    let mut counter = Counter { git, odb, context, known: HashMap::new() };
    let size = counter.difference(old, new, 0)?;
    for (option, what, limit, found) in [
        ("max_files", "files", settings.max_files, size.files),
        ("max_bytes", "bytes", settings.max_bytes, size.bytes),
    ] {
        if found > limit {
            let message = format!(
                "the remote would bring {found} {what}, and `{option}` allows {limit}; nothing was written"
            );
            return Err(Error::new(ErrorKind::QuotaExceeded, message).with("option", option).hint(format!(
                "if that is meant, raise `{option}` in the connection; else do not trust this remote"
            )));
        }
    }
    Ok(())
}

/// What a tree brings. Counts that do not fit stay at their largest.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    files: u64,
    bytes: u64,
}

impl Size {
    const fn and(self, other: Self) -> Self {
        Self { files: self.files.saturating_add(other.files), bytes: self.bytes.saturating_add(other.bytes) }
    }
}

struct Counter<'a> {
    git: &'a Repository,
    odb: Odb<'a>,
    context: &'a Context,
    known: HashMap<Oid, Size>,
}

impl<'a> Counter<'a> {
    /// What `new` has and `old` has not at the same place.
    fn difference(&mut self, old: Option<&Tree<'_>>, new: &Tree<'_>, depth: usize) -> Result<Size> {
        let Some(old) = old else { return self.whole(new.id(), depth) };
        let mut size = Size::default();
        for entry in new {
            let before = old.get_name_bytes(entry.name_bytes());
            if before.as_ref().is_some_and(|before| before.id() == entry.id()) {
                continue;
            }
            let both = before.filter(|before| is_tree(before.filemode()) && is_tree(entry.filemode()));
            size = size.and(match both {
                Some(before) => {
                    let (before, now) = (self.tree(before.id())?, self.tree(entry.id())?);
                    self.difference(Some(&before), &now, deeper(depth)?)?
                }
                None => self.entry(entry.id(), entry.filemode(), depth)?,
            });
        }
        Ok(size)
    }

    fn whole(&mut self, id: Oid, depth: usize) -> Result<Size> {
        if let Some(known) = self.known.get(&id) {
            return Ok(*known);
        }
        self.context.check_cancelled()?;
        let mut size = Size::default();
        for entry in &self.tree(id)? {
            size = size.and(self.entry(entry.id(), entry.filemode(), depth)?);
        }
        self.known.insert(id, size);
        Ok(size)
    }

    fn entry(&mut self, id: Oid, mode: i32, depth: usize) -> Result<Size> {
        if is_tree(mode) {
            return self.whole(id, deeper(depth)?);
        }
        if mode == i32::from(FileMode::Commit) {
            return Ok(Size { files: 1, bytes: 0 });
        }
        let (bytes, _) = self.odb.read_header(id).context("read an object")?;
        Ok(Size { files: 1, bytes: bytes as u64 })
    }

    fn tree(&self, id: Oid) -> Result<Tree<'a>> {
        self.git.find_tree(id).context("read a tree")
    }
}

fn is_tree(mode: i32) -> bool {
    mode == i32::from(FileMode::Tree)
}

fn deeper(depth: usize) -> Result<usize> {
    if depth < MAX_DEPTH {
        return Ok(depth + 1);
    }
    let message = format!("the remote has more than {MAX_DEPTH} directories within each other");
    Err(Error::new(ErrorKind::Integrity, message).hint("do not trust this remote"))
}
