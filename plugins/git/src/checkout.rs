//! What brings the working tree from one state to another, planned so that a crash at any point can be made up for.

use std::collections::{BTreeSet, HashSet};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{FileMode, Index, IndexEntry, IndexTime, ObjectType, Oid, Repository, Tree, TreeEntry};
use rustix::fs::Stat;

use crate::{
    dotgit::{leads_elsewhere, leads_into_dot_git},
    errors::{Context as _, name_some},
    repository::Repo,
    representable::{check_representable, longest_name},
    worktree::{Found, Look},
};

/// Linux's `PATH_MAX` less its NUL.
const MAX_PATH: usize = 4095;

/// A path whose content is to change.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) path: Vec<u8>,
    pub(crate) old: Option<Entry>,
    pub(crate) new: Option<Entry>,
    /// The new content, where git's database does not have it.
    pub(crate) content: Option<Vec<u8>>,
}

/// What a tree has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: Oid,
    pub(crate) mode: u32,
}

impl Entry {
    pub(crate) fn is_submodule(self) -> bool {
        self.mode == u32::from(FileMode::Commit)
    }
}

/// What is known of the working tree before a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// A look at the whole of it has shown that every change's old state is there.
    Clean,
    /// A checkout was interrupted: some of the changes are made, and since then somebody may have made others.
    Interrupted,
    /// Whatever file is at a change's path is meant to be overwritten.
    Unwanted,
}

/// Changes that were found possible.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) changes: Vec<Change>,
    /// Which of them are made already.
    pub(crate) done: BTreeSet<Vec<u8>>,
}

impl Repo {
    /// What leads from one tree to another; `None` is the empty tree.
    pub(crate) fn changes(&self, from: Option<&Tree<'_>>, to: &Tree<'_>) -> Result<Vec<Change>> {
        Differ { git: &self.git, context: &self.context }.changes(from, to)
    }

    /// Looks whether changes can be made without running over anything. Changes nothing itself.
    ///
    /// # Errors
    ///
    /// `PendingChanges`, which names what is in the way; `Integrity` for names that no clone may have.
    pub(crate) fn plan(&self, changes: Vec<Change>, before: Before) -> Result<Plan> {
        self.check_changes(&changes)?;
        match before {
            Before::Clean => self.plan_for_clean(changes),
            Before::Interrupted => self.plan_for_interrupted(changes),
            Before::Unwanted => self.plan_for_unwanted(changes),
        }
    }

    /// Refuses what no clone may have, or what cannot be here.
    pub(crate) fn check_changes(&self, changes: &[Change]) -> Result<()> {
        check_changes(changes, &self.git, longest_name(self.worktree.root_fd()))
    }

    /// Writes an index that says what `new` has. Where the index stands for `old`, only the entries that the plan changes are
    /// written anew.
    pub(crate) fn note_tree(
        &self,
        old: Option<&Tree<'_>>,
        new: &Tree<'_>,
        plan: &Plan,
        placed: Vec<IndexEntry>,
    ) -> Result<()> {
        let unseen = plan.changes.iter().map(|change| {
            let entry = change.new.map(|new| index_entry(&change.path, new, None));
            (change.path.clone(), entry)
        });
        let seen = placed.into_iter().map(|entry| (entry.path.clone(), Some(entry)));
        let changes = unseen.chain(seen).collect();
        if let Some(old) = old
            && self.note_changes(old, new, &changes)?
        {
            return Ok(());
        }
        let mut index = self.index_of(new, changes.values().flatten())?;
        // So that the index says which tree it stands for.
        index.write_tree().context("write a tree")?;
        index.write().context("write the index")
    }

    /// An index that says what a tree has, with what is known of the files that were just put there.
    pub(crate) fn index_of<'a>(
        &self,
        tree: &Tree<'_>,
        placed: impl IntoIterator<Item = &'a IndexEntry>,
    ) -> Result<Index> {
        let update = || {
            let mut index = self.git.index()?;
            index.read(true)?;
            index.read_tree(tree)?;
            for entry in placed {
                index.add(entry)?;
            }
            Ok::<_, git2::Error>(index)
        };
        update().context("update the index")
    }

    /// Whether the working tree has at `path` what a tree would put there.
    pub(crate) fn has(&self, path: &[u8], entry: Option<Entry>) -> Result<bool> {
        let stat = match (self.worktree.find(path)?, entry) {
            (Found::Leaf(stat), Some(_)) => stat,
            (Found::Directory, Some(entry)) => return Ok(entry.is_submodule()),
            (Found::Nothing | Found::Blocked(_) | Found::Directory, None) => return Ok(true),
            _ => return Ok(false),
        };
        let entry = entry.unwrap_or(Entry { id: Oid::ZERO_SHA1, mode: 0 });
        if git_mode(&stat) != Some(entry.mode) {
            return Ok(false);
        }
        Ok(self.hash(path, entry.mode)? == Some(entry.id))
    }

    /// The id that git would give to the file or link at `path`; `None` if it is no longer there.
    fn hash(&self, path: &[u8], mode: u32) -> Result<Option<Oid>> {
        if mode == u32::from(FileMode::Link) {
            return self.worktree.read_link(path)?.map(|target| blob_id(&target)).transpose();
        }
        // With the filters of the path: what a checkout made of a blob becomes that blob again.
        self.worktree.open_file(path)?.map(|file| self.store_file(path, file)).transpose()
    }

    fn plan_for_clean(&self, changes: Vec<Change>) -> Result<Plan> {
        let removed = removals(&changes);
        let mut in_the_way = Vec::new();
        let mut done = BTreeSet::new();
        let mut look = self.worktree.look();
        // A submodule is a directory, which somebody may have filled.
        let may_be_taken = |change: &&Change| change.old.is_none_or(|old| old.is_submodule());
        for change in changes.iter().filter(may_be_taken).filter(|change| change.new.is_some()) {
            if let Some(path) = self.in_the_way(&change.path, &removed, &mut look)? {
                if change.content.is_none() && self.has(&change.path, change.new)? {
                    done.insert(change.path.clone());
                } else {
                    in_the_way.push(String::from_utf8_lossy(&path).into_owned());
                }
            }
        }
        refuse_if_any(&in_the_way)?;
        done.extend(self.converted_among(&changes)?.into_iter().map(<[u8]>::to_vec));
        Ok(Plan { changes, done })
    }

    fn plan_for_unwanted(&self, changes: Vec<Change>) -> Result<Plan> {
        let removed = removals(&changes);
        let mut in_the_way = Vec::new();
        let mut look = self.worktree.look();
        for change in changes.iter().filter(|change| change.new.is_some()) {
            if let Some(path) =
                self.in_the_way(&change.path, &removed, &mut look)?.filter(|path| *path != change.path)
            {
                in_the_way.push(String::from_utf8_lossy(&path).into_owned());
            }
        }
        refuse_if_any(&in_the_way)?;
        Ok(Plan { changes, done: BTreeSet::new() })
    }

    fn plan_for_interrupted(&self, changes: Vec<Change>) -> Result<Plan> {
        let mut done = BTreeSet::new();
        // A clone has just been made: there is nothing to be found of any file.
        if changes.iter().all(|change| change.old.is_none()) && self.worktree.is_empty()? {
            return Ok(Plan { changes, done });
        }
        for change in &changes {
            // What is neither the old state nor the new was written since by somebody, and stays as a local change.
            if self.is_between(change)? {
                continue;
            }
            if self.has(&change.path, change.new)? || !self.has(&change.path, change.old)? {
                done.insert(change.path.clone());
            }
        }
        Ok(Plan { changes, done })
    }

    /// Whether a submodule comes or goes: its directory is made and removed in steps of their own, each of which may be taken
    /// again, unless somebody has put something into it.
    fn is_between(&self, change: &Change) -> Result<bool> {
        if !change.old.is_some_and(Entry::is_submodule) && !change.new.is_some_and(Entry::is_submodule) {
            return Ok(false);
        }
        Ok(match self.worktree.find(&change.path)? {
            Found::Nothing => true,
            Found::Directory if change.new.is_some_and(Entry::is_submodule) => true,
            Found::Directory => self.worktree.leaves_below(&change.path)?.is_empty(),
            _ => false,
        })
    }

    /// What is where a new file is to come and is not about to be removed.
    fn in_the_way(
        &self,
        path: &[u8],
        removed: &BTreeSet<&[u8]>,
        look: &mut Look<'_>,
    ) -> Result<Option<Vec<u8>>> {
        Ok(match look.find(path)? {
            Found::Nothing => None,
            Found::Leaf(_) => Some(path.to_vec()),
            Found::Blocked(file) => (!removed.contains(&*file)).then_some(file),
            Found::Directory => {
                let leaves = self.worktree.leaves_below(path)?;
                leaves.into_iter().find(|leaf| !removed.contains(&**leaf))
            }
        })
    }
}

/// Finds out what leads from one tree to another.
pub(crate) struct Differ<'a> {
    pub(crate) git: &'a Repository,
    pub(crate) context: &'a Context,
}

impl Differ<'_> {
    pub(crate) fn changes(&self, from: Option<&Tree<'_>>, to: &Tree<'_>) -> Result<Vec<Change>> {
        let mut changes = Vec::new();
        self.add_changes(from, Some(to), b"", &mut changes)?;
        Ok(changes)
    }

    /// What leads from one directory to another, of which one may be missing.
    fn add_changes(
        &self,
        old: Option<&Tree<'_>>,
        new: Option<&Tree<'_>>,
        prefix: &[u8],
        changes: &mut Vec<Change>,
    ) -> Result<()> {
        self.context.check_cancelled()?;
        let tree = |entry: Option<&TreeEntry<'_>>| {
            let id = entry.filter(|entry| is_tree(entry)).map(TreeEntry::id);
            id.map(|id| self.git.find_tree(id)).transpose().context("read a tree")
        };
        let mut compare = |name: &[u8], old: Option<&TreeEntry<'_>>, new: Option<&TreeEntry<'_>>| {
            let entry = |entry: &&TreeEntry<'_>| Entry { id: entry.id(), mode: entry.filemode() as u32 };
            if old.as_ref().map(entry) == new.as_ref().map(entry) {
                return Ok(());
            }
            let path = [prefix, name].concat();
            if path.len() > MAX_PATH {
                return Err(Error::new(ErrorKind::Integrity, "the remote has a path that is too long")
                    .at(String::from_utf8_lossy(&path))
                    .hint("no system call takes it"));
            }
            let leaf =
                |found: Option<&TreeEntry<'_>>| found.filter(|found| !is_tree(found)).as_ref().map(entry);
            let change = Change { path, old: leaf(old), new: leaf(new), content: None };
            let below = [&*change.path, b"/"].concat();
            if change.old.is_some() || change.new.is_some() {
                changes.push(change);
            }
            let (old, new) = (tree(old)?, tree(new)?);
            match old.is_some() || new.is_some() {
                true => self.add_changes(old.as_ref(), new.as_ref(), &below, changes),
                false => Ok(()),
            }
        };
        let find = |tree: Option<&Tree<'_>>, name: &[u8]| tree?.get_name_bytes(name).map(|e| e.to_owned());
        let mut names = HashSet::new();
        for entry in new.iter().flat_map(|tree| tree.iter()) {
            // Also if one of the two is as it was before.
            if !names.insert(entry.name_bytes().to_vec()) {
                return Err(two_of_a_name(&[prefix, entry.name_bytes()].concat()));
            }
            compare(entry.name_bytes(), find(old, entry.name_bytes()).as_ref(), Some(&entry))?;
        }
        for entry in old.iter().flat_map(|tree| tree.iter()) {
            if find(new, entry.name_bytes()).is_none() {
                compare(entry.name_bytes(), Some(&entry), None)?;
            }
        }
        Ok(())
    }
}

/// Refuses what no clone may have, or what cannot be where names have at most so many bytes.
pub(crate) fn check_changes(changes: &[Change], git: &Repository, longest_name: usize) -> Result<()> {
    for change in changes {
        let message = if leads_elsewhere(&change.path) {
            "the remote has a file whose name leads out of its directory"
        } else if change.new.is_some() && leads_into_dot_git(&change.path) {
            "the remote has a file whose name leads into `.git`"
        } else {
            continue;
        };
        return Err(Error::new(ErrorKind::Integrity, message)
            .at(String::from_utf8_lossy(&change.path))
            .hint("do not trust this remote"));
    }
    refuse_doubled(changes)?;
    check_representable(changes, git, longest_name)
}

fn is_tree(entry: &TreeEntry<'_>) -> bool {
    entry.filemode() == i32::from(FileMode::Tree)
}

/// Refuses a tree that has two files of one name, or a file where another one needs a directory: git makes none such. What
/// is written for the one would be written through the other.
fn refuse_doubled(changes: &[Change]) -> Result<()> {
    let mut files = HashSet::new();
    let new = || changes.iter().filter(|change| change.new.is_some()).map(|change| &*change.path);
    let doubled = new().find(|path| !files.insert(*path)).or_else(|| {
        new().find(|path| {
            let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
            slashes.map(|(at, _)| &path[..at]).any(|parent| files.contains(parent))
        })
    });
    match doubled {
        None => Ok(()),
        Some(path) => Err(two_of_a_name(path)),
    }
}

fn two_of_a_name(path: &[u8]) -> Error {
    Error::new(ErrorKind::Integrity, "the remote has two files of one name")
        .at(String::from_utf8_lossy(path))
        .hint("do not trust this remote")
}

fn removals(changes: &[Change]) -> BTreeSet<&[u8]> {
    changes.iter().filter(|change| change.new.is_none()).map(|change| &*change.path).collect()
}

fn refuse_if_any(in_the_way: &[String]) -> Result<()> {
    if in_the_way.is_empty() {
        return Ok(());
    }
    let names = name_some(in_the_way.iter().map(String::as_str));
    let message = format!("files that git does not know are in the way of the remote's: {names}");
    Err(Error::new(ErrorKind::PendingChanges, message).hint("move them away, then try again"))
}

/// An entry for the index; without `stat`, git looks at the file again before it trusts it.
pub(crate) fn index_entry(path: &[u8], entry: Entry, stat: Option<&Stat>) -> IndexEntry {
    // git keeps the lower 32 bits of all of these.
    let time = |seconds: i64, nanoseconds: u64| IndexTime::new(seconds as i32, nanoseconds as u32);
    IndexEntry {
        ctime: stat.map_or(IndexTime::new(0, 0), |stat| time(stat.st_ctime, stat.st_ctime_nsec)),
        mtime: stat.map_or(IndexTime::new(0, 0), |stat| time(stat.st_mtime, stat.st_mtime_nsec)),
        dev: stat.map_or(0, |stat| stat.st_dev as u32),
        ino: stat.map_or(0, |stat| stat.st_ino as u32),
        uid: stat.map_or(0, |stat| stat.st_uid),
        gid: stat.map_or(0, |stat| stat.st_gid),
        file_size: stat.map_or(0, |stat| stat.st_size as u32),
        mode: entry.mode,
        id: entry.id,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    }
}

/// The id that git gives to this content.
pub(crate) fn blob_id(content: &[u8]) -> Result<Oid> {
    Oid::hash_object(ObjectType::Blob, content).context("hash a file")
}

/// How git would store what is there.
pub(crate) fn git_mode(stat: &Stat) -> Option<u32> {
    use rustix::fs::FileType;
    Some(u32::from(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile if stat.st_mode & 0o100 != 0 => FileMode::BlobExecutable,
        FileType::RegularFile => FileMode::Blob,
        FileType::Symlink => FileMode::Link,
        _ => return None,
    }))
}
