//! From the working tree to the index by way of the few paths that differ, so that the size of the tree matters as little as
//! it can.
//!
//! Anybody may have written into the working tree, so that every file has to be asked for when it was changed, as git does
//! it. All that follows costs as much as there are changes. What is out of the ordinary is left to libgit2, which looks at
//! the whole: then the functions here answer `None`.

use std::{collections::BTreeMap, fs::File, io, path::PathBuf};

use f9_plugin_api::{Error, ErrorKind, Result, log};
use git2::{FileMode, IndexEntry, Oid, Tree, build::TreeUpdateBuilder};
use rustix::fs::Stat;

use crate::{
    checkout::{Entry, git_mode, index_entry},
    conflicts::as_path,
    converted::has_attributes,
    dotgit::leads_into_dot_git,
    errors::Context as _,
    index_file::IndexFile,
    left_out::LeftOut,
    repository::Repo,
    rules::{self, Shadow, directories},
    scan,
    worktree::Found,
};

/// What the index is to have instead: `None` for a file that is gone.
type Changes = BTreeMap<Vec<u8>, Option<IndexEntry>>;

/// What a look at paths has found.
#[derive(Default)]
struct Looked {
    changes: Changes,
    /// What is changed and cannot be stored.
    left_out: Vec<(Vec<u8>, LeftOut)>,
}

impl Repo {
    /// The index, if it holds nothing but plain entries: then no conflict is open.
    pub(crate) fn index_file(&self) -> Result<Option<IndexFile>> {
        IndexFile::read(&self.index_path())
    }

    pub(crate) fn index_path(&self) -> PathBuf {
        self.git.path().join("index")
    }

    /// The paths that differ from the commit of `head`, ordered.
    pub(crate) fn touched(&self, index: &IndexFile, head: Option<Oid>) -> Result<Option<Vec<Vec<u8>>>> {
        let Some(tree) = index.tree().filter(|tree| Some(*tree) == head) else { return Ok(None) };
        let Some(paths) = self.differing(index)? else { return Ok(None) };
        let Some(looked) = self.look_at(index, paths)? else { return Ok(None) };
        let (same, differ): (Changes, Changes) =
            looked.changes.into_iter().partition(|(path, entry)| is_same(index, path, entry.as_ref()));
        if !same.is_empty() {
            // So that the next one need not look into these files. If somebody else is about to write, the next one does.
            let tree = self.git.find_tree(tree).context("read a tree")?;
            if let Err(error) = index.write(&self.index_path(), &same, &tree, &self.git) {
                log::debug!("the index is not refreshed: {error}");
            }
        }
        Ok(Some(differ.into_keys().collect()))
    }

    /// Brings what differs into the index, and returns the tree that it stands for then.
    pub(crate) fn stage_touched(&self, index: &IndexFile) -> Result<Option<Oid>> {
        let Some(tree) = index.tree() else { return Ok(None) };
        let Some(paths) = self.differing(index)? else { return Ok(None) };
        let Some(Looked { changes, left_out }) = self.look_at(index, paths)? else { return Ok(None) };
        self.warn_of_left_out(&left_out);
        if changes.is_empty() {
            return Ok(Some(tree));
        }
        let old = self.git.find_tree(tree).context("read a tree")?;
        let Some(new) = self.changed_tree(index, &old, &changes)? else { return Ok(None) };
        Ok(index.write(&self.index_path(), &changes, &new, &self.git)?.then_some(new.id()))
    }

    /// Writes an index that says what `new` has: that of `old` with the changes that lead from the one to the other.
    /// False if the index does not stand for `old`.
    pub(crate) fn note_changes(&self, old: &Tree<'_>, new: &Tree<'_>, changes: &Changes) -> Result<bool> {
        match self.index_file()? {
            Some(index) if index.tree() == Some(old.id()) => {
                index.write(&self.index_path(), changes, new, &self.git)
            }
            _ => Ok(false),
        }
    }

    /// Where to look, if the clone is one of whose files the system tells all that git wants to know.
    fn differing(&self, index: &IndexFile) -> Result<Option<Vec<Vec<u8>>>> {
        let config =
            self.git.config().and_then(|mut config| config.snapshot()).context("read the configuration")?;
        let is = |name: &str, usual: bool| config.get_bool(name).unwrap_or(usual) == usual;
        let plain = is("core.filemode", true)
            && is("core.symlinks", true)
            && is("core.ignorecase", false)
            && is("core.precomposeunicode", false);
        if !plain {
            return Ok(None);
        }
        match scan::differing(self.worktree.root_fd(), index) {
            Ok(paths) => Ok(Some(paths)),
            Err(error) => {
                log::debug!("the working tree cannot be searched: {error}");
                Ok(None)
            }
        }
    }

    /// What the index is to know of these paths. Files that look changed and are not are among them: what the system says
    /// of them is new.
    fn look_at(&self, index: &IndexFile, paths: Vec<Vec<u8>>) -> Result<Option<Looked>> {
        let Looked { mut changes, mut left_out } = Looked::default();
        let tracks_attributes = !paths.is_empty() && self.tracks_attributes(index);
        let mut open = paths;
        while let Some(path) = open.pop() {
            self.context.check_cancelled()?;
            let tracked = index.find(&path).ok().map(|position| index.get(position));
            let below = [&*path, b"/"].concat();
            let first = index.find(&below).unwrap_or_else(|position| position);
            let has_below = index.end_of(&below, first, index.len()) > first;
            if tracked.is_some_and(|tracked| tracked.mode() == u32::from(FileMode::Commit)) {
                return Ok(None); // a submodule
            }
            match self.worktree.find(&path)? {
                Found::Nothing if tracked.is_some() => drop(changes.insert(path, None)),
                Found::Nothing => {
                    let end = index.end_of(&below, first, index.len());
                    changes.extend((first..end).map(|gone| (index.get(gone).path().to_vec(), None)));
                }
                Found::Blocked(_) => return Ok(None),
                Found::Directory if tracked.is_some() || has_below => return Ok(None),
                Found::Directory => {
                    if self.is_ignored(&path, true)? {
                        continue;
                    }
                    match self.children(&path)? {
                        Some(mut children) => open.append(&mut children),
                        None => return Ok(None),
                    }
                }
                Found::Leaf(_) if has_below => return Ok(None),
                Found::Leaf(stat) => match git_mode(&stat) {
                    None if tracked.is_some() => return Ok(None),
                    None => {} // nothing that git stores
                    Some(_) if tracked.is_none() && self.is_ignored(&path, false)? => {}
                    Some(_) if leads_into_dot_git(&path) => return Err(disguised(&path)),
                    Some(mode) if mode == u32::from(FileMode::Link) && path == b".gitmodules" => {
                        return Err(link_to_modules());
                    }
                    Some(mode) => {
                        if mode != u32::from(FileMode::Link)
                            && (tracks_attributes
                                || has_attributes(&self.git, &self.worktree, directories(&path))?)
                            && let Some(conversion) = self.unstorable(&path)?
                        {
                            left_out.push((path, LeftOut::Converted(conversion)));
                            continue;
                        }
                        let Some(entry) = self.entry_of(&path, mode, &stat)? else { return Ok(None) };
                        if let Some(committed) = tracked.and_then(|tracked| tracked.id())
                            && committed != entry.id
                            && self.differs_in_line_ends(&path, committed)?
                        {
                            left_out.push((path, LeftOut::LineEnds));
                            continue;
                        }
                        changes.insert(path, Some(entry));
                    }
                },
            }
        }
        Ok(Some(Looked { changes, left_out }))
    }

    /// Stores a file or link, and says what the index is to know of it; `None` if it is no longer there. It was asked for
    /// its times before it is read: should it change meanwhile, the next look notices.
    fn entry_of(&self, path: &[u8], mode: u32, stat: &Stat) -> Result<Option<IndexEntry>> {
        let stored = if mode == u32::from(FileMode::Link) {
            let target = self.worktree.read_link(path);
            target.and_then(|target| target.map(|target| self.store_link(&target)).transpose())
        } else {
            let file = self.worktree.open_file(path);
            file.and_then(|file| file.map(|file| self.store_file(path, file)).transpose())
        };
        let id = stored.map_err(|error| error.at(String::from_utf8_lossy(path)))?;
        Ok(id.map(|id| index_entry(path, Entry { id, mode }, Some(stat))))
    }

    fn store_link(&self, target: &[u8]) -> Result<Oid> {
        self.git.blob(target).context("store a link")
    }

    /// As the filters of its path want it stored.
    pub(crate) fn store_file(&self, path: &[u8], mut file: File) -> Result<Oid> {
        let shadow = rules::shadow(&self.git, &self.worktree, path)?;
        let git = shadow.as_ref().map_or(&self.git, Shadow::git);
        let mut writer = git.blob_writer(Some(as_path(path))).context("store a file")?;
        io::copy(&mut file, &mut writer).context("read a file")?;
        writer.commit().context("store a file")
    }

    /// Whether `.gitignore` and its like leave this out, or a directory that it is in.
    fn is_ignored(&self, path: &[u8], is_directory: bool) -> Result<bool> {
        let shadow = rules::shadow(&self.git, &self.worktree, path)?;
        let git = shadow.as_ref().map_or(&self.git, Shadow::git);
        if shadow.is_some() {
            rules::add_own_rules(git, self.settings.excludes_file.as_deref())?;
        }
        let is_ignored = |path: &[u8]| git.is_path_ignored(as_path(path)).context("read what is ignored");
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
        for end in slashes {
            if is_ignored(&path[..end])? {
                return Ok(true);
            }
        }
        let own = if is_directory { [path, b"/"].concat() } else { path.to_vec() };
        is_ignored(&own)
    }

    /// What is in a directory that the index does not know; `None` if it is a repository of its own.
    fn children(&self, path: &[u8]) -> Result<Option<Vec<Vec<u8>>>> {
        let names = self.worktree.entries(path)?;
        if names.iter().any(|(name, _)| name == b".git") {
            return Ok(None);
        }
        Ok(Some(names.into_iter().map(|(name, _)| [path, b"/", &name].concat()).collect()))
    }

    /// The tree with the changes; `None` where a file takes a directory's place, or the other way round.
    fn changed_tree(&self, index: &IndexFile, old: &Tree<'_>, changes: &Changes) -> Result<Option<Tree<'_>>> {
        let mut update = TreeUpdateBuilder::new();
        let mut differs = false;
        for (path, entry) in changes.iter().filter(|(path, entry)| !is_same(index, path, entry.as_ref())) {
            differs = true;
            match entry {
                Some(entry) => update.upsert(&**path, entry.id, file_mode(entry.mode)),
                None => update.remove(&**path),
            };
        }
        if !differs {
            return self.git.find_tree(old.id()).map(Some).context("read a tree");
        }
        match update.create_updated(&self.git, old) {
            Ok(id) => self.git.find_tree(id).map(Some).context("read a tree"),
            Err(error) => {
                log::debug!("the tree is written as a whole: {}", error.message());
                Ok(None)
            }
        }
    }
}

/// The error for a file whose name some file system takes for `.git`: git stores none such.
pub(crate) fn disguised(path: &[u8]) -> Error {
    let message = "git cannot store this file: on some file systems its name leads into `.git`";
    Error::new(ErrorKind::InvalidPath, message)
        .at(format!("{:?}", String::from_utf8_lossy(path)))
        .hint("rename it, delete it, or name it in .gitignore")
}

/// The error for a link that no git takes from a remote, and f9 does not either.
pub(crate) fn link_to_modules() -> Error {
    Error::new(ErrorKind::InvalidPath, "`.gitmodules` is a link here, which no clone takes from its remote")
        .at(".gitmodules")
        .hint("replace it by a file, or remove it")
}

/// Whether the index has this already, but for when it was changed.
fn is_same(index: &IndexFile, path: &[u8], entry: Option<&IndexEntry>) -> bool {
    let (Ok(position), Some(entry)) = (index.find(path), entry) else { return false };
    let tracked = index.get(position);
    tracked.id() == Some(entry.id) && tracked.mode() == entry.mode
}

fn file_mode(mode: u32) -> FileMode {
    match mode {
        mode if mode == u32::from(FileMode::BlobExecutable) => FileMode::BlobExecutable,
        mode if mode == u32::from(FileMode::Link) => FileMode::Link,
        _ => FileMode::Blob,
    }
}
