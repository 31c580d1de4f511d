//! Open conflicts: what they are, and settling them.

use std::{ffi::OsStr, io::Read as _, os::unix::ffi::OsStrExt, path::Path};

use f9_plugin_api::{BackendPath, Conflict, ConflictSide, Error, ErrorKind, Result, log};
use git2::{ErrorCode, FileMode, Index, IndexConflict, IndexEntry};

use crate::{
    checkout::{Before, Change, Entry, blob_id, index_entry},
    converted::conversion,
    errors::{Context as _, clean},
    merge::colliding,
    repository::Repo,
    worktree::Found,
};

/// Which side of a conflict is to win.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Local,
    Remote,
}

impl Repo {
    /// The paths of the open conflicts, ordered.
    pub(crate) fn conflict_paths(&self) -> Result<Vec<String>> {
        let path = |conflict: &IndexConflict| String::from_utf8_lossy(conflict_path(conflict)).into_owned();
        Ok(self.conflicts()?.iter().map(path).collect())
    }

    /// The open conflicts, ordered by path.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a path that the contract cannot express: not UTF-8, or with a backslash.
    pub(crate) fn conflict_report(&self) -> Result<Vec<Conflict>> {
        self.conflicts()?.iter().map(|conflict| self.describe(conflict)).collect()
    }

    /// Settles a conflict with one of its sides.
    ///
    /// # Errors
    ///
    /// `PendingChanges` if somebody has edited the file since the merge: that would be lost.
    pub(crate) fn accept(&self, path: &BackendPath, side: Side) -> Result<()> {
        let (mut index, conflict) = self.conflict_at(path)?;
        if self.is_edited(&conflict)? {
            let message = "the file was edited since the merge, and settling the conflict with one of its sides would \
                           discard that";
            return Err(Error::new(ErrorKind::PendingChanges, message).at(path).hint(
                "settle it with the edited content (conflict_resolve; `f9 resolve NAME:PATH --with FILE`), or delete the file first",
            ));
        }
        let winner = match side {
            Side::Local => conflict.our,
            Side::Remote => conflict.their,
        };
        let path = path.as_str().as_bytes();
        index.conflict_remove(as_path(path)).context("settle the conflict")?;
        let new = winner.as_ref().map(|entry| Entry { id: entry.id, mode: entry.mode });
        self.settle(&mut index, Change { path: path.to_vec(), old: None, new, content: None })?;
        if let Some(winner) = winner {
            index.add(&with_stage(&winner, path, 0)).context("settle the conflict")?;
        }
        index.write().context("write the index")
    }

    /// Settles a conflict with new content.
    pub(crate) fn resolve(&self, path: &BackendPath, content: Vec<u8>) -> Result<()> {
        let (mut index, conflict) = self.conflict_at(path)?;
        let path = path.as_str().as_bytes();
        let executable = u32::from(FileMode::BlobExecutable);
        let was_executable =
            conflict.our.or(conflict.their).or(conflict.ancestor).is_some_and(|side| side.mode == executable);
        let mode = if was_executable { executable } else { u32::from(FileMode::Blob) };
        if let Some(conversion) = conversion(&self.git, &self.worktree, path)?
            && !conversion.is_stored_form(&content)
        {
            return Err(conversion.refusal(path));
        }
        index.conflict_remove(as_path(path)).context("settle the conflict")?;
        let new = Some(Entry { id: blob_id(&content)?, mode });
        let change = Change { path: path.to_vec(), old: None, new, content: Some(content) };
        self.settle(&mut index, change)?;
        index.add_path(as_path(path)).context("settle the conflict")?;
        index.write().context("write the index")
    }

    /// Brings the working tree to the settled state, and takes out of the index what cannot be beside it.
    fn settle(&self, index: &mut Index, change: Change) -> Result<()> {
        let mut changes = Vec::new();
        if change.new.is_some() {
            for path in colliding(index, &change.path) {
                let entry =
                    index.get_path(as_path(&path), 0).map(|entry| Entry { id: entry.id, mode: entry.mode });
                if !self.has(&path, entry)? {
                    let message =
                        "this was changed since the merge, and settling the conflict would remove it";
                    return Err(Error::new(ErrorKind::PendingChanges, message)
                        .at(String::from_utf8_lossy(&path))
                        .hint("move it elsewhere first"));
                }
                log::warn!(
                    "settling the conflict removes {}, which cannot be beside it; its commit keeps it",
                    clean(&String::from_utf8_lossy(&path))
                );
                index.remove(as_path(&path), 0).context("settle the conflict")?;
                changes.push(Change { path, old: entry, new: None, content: None });
            }
        }
        // A tree with the winner alone, as a checkout wants one.
        let mut winner = Index::new().context("make an index")?;
        if let (Some(new), None) = (change.new, &change.content) {
            winner.add(&index_entry(&change.path, new, None)).context("settle the conflict")?;
        }
        let tree = self.write_tree(&mut winner)?;
        changes.push(change);
        let plan = self.plan(changes, Before::Unwanted)?;
        self.execute(&plan, Some(&tree), &tree).map(drop)
    }

    /// Whether the file is none of what a merge leaves: one of the sides, both of them marked, or nothing.
    fn is_edited(&self, conflict: &IndexConflict) -> Result<bool> {
        let path = conflict_path(conflict);
        if !matches!(self.worktree.find(path)?, Found::Leaf(_)) {
            return Ok(false);
        }
        for side in [&conflict.our, &conflict.their, &conflict.ancestor].into_iter().flatten() {
            if self.has(path, Some(Entry { id: side.id, mode: side.mode }))? {
                return Ok(false);
            }
        }
        let marked = self.with_markers(conflict)?.and_then(|change| change.content);
        let Some(marked) = marked else { return Ok(true) };
        let mut there = Vec::new();
        match self.worktree.open_file(path)? {
            Some(mut file) => file.read_to_end(&mut there).context("read a file")?,
            None => return Ok(true), // a link, which none of the sides is
        };
        Ok(without_labels(&there) != without_labels(&marked))
    }

    fn conflict_at(&self, path: &BackendPath) -> Result<(Index, IndexConflict)> {
        let (_, _) = path.split()?;
        let index = self.index()?;
        match index.conflict_get(as_path(path.as_str().as_bytes())) {
            Ok(conflict) => Ok((index, conflict)),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Err(Error::new(ErrorKind::NotFound, "there is no open conflict at this path")
                    .at(path)
                    .hint("conflict_report lists those that are open (`f9 conflicts NAME:`)"))
            }
            Err(error) => Err(error).context("read the conflict"),
        }
    }

    fn conflicts(&self) -> Result<Vec<IndexConflict>> {
        let index = self.index()?;
        let conflicts = index.conflicts().and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut conflicts = conflicts.context("read the conflicts")?;
        conflicts.sort_by(|a, b| conflict_path(a).cmp(conflict_path(b)));
        Ok(conflicts)
    }

    fn describe(&self, conflict: &IndexConflict) -> Result<Conflict> {
        let path = std::str::from_utf8(conflict_path(conflict))
            .ok()
            .and_then(|text| BackendPath::parse(text).ok().filter(|path| path.as_str() == text));
        let Some(path) = path else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this conflict's path is not one that f9 can name",
            )
            .at(String::from_utf8_lossy(conflict_path(conflict)))
            .hint("settle it with git: edit the file, then `git add` it"));
        };
        let mut described = Conflict::new(path, status(conflict));
        described.base = conflict.ancestor.as_ref().map(|side| self.side(side)).transpose()?;
        described.local = conflict.our.as_ref().map(|side| self.side(side)).transpose()?;
        described.remote = conflict.their.as_ref().map(|side| self.side(side)).transpose()?;
        Ok(described)
    }

    fn side(&self, entry: &IndexEntry) -> Result<ConflictSide> {
        let size = if entry.mode == u32::from(FileMode::Commit) {
            0 // a submodule's commit is not in this repository
        } else {
            self.git.odb().and_then(|odb| odb.read_header(entry.id)).context("read an object")?.0 as u64
        };
        Ok(ConflictSide::new(entry.id.to_string(), size))
    }
}

/// The path that all sides of a conflict share.
pub(crate) fn conflict_path(conflict: &IndexConflict) -> &[u8] {
    let side = conflict.our.as_ref().or(conflict.their.as_ref()).or(conflict.ancestor.as_ref());
    side.map_or(&[], |side| &side.path)
}

/// git's two letters.
fn status(conflict: &IndexConflict) -> &'static str {
    match (conflict.ancestor.is_some(), conflict.our.is_some(), conflict.their.is_some()) {
        (true, true, true) => "UU",
        (false, true, true) => "AA",
        (true, true, false) => "UD",
        (true, false, true) => "DU",
        (true, false, false) | (false, false, false) => "DD",
        (false, true, false) => "AU",
        (false, false, true) => "UA",
    }
}

/// The entry as one side of a conflict (1: base, 2: local, 3: remote), or 0: settled.
pub(crate) fn with_stage(entry: &IndexEntry, path: &[u8], stage: u16) -> IndexEntry {
    const STAGE_SHIFT: u16 = 12;
    let plain = index_entry(path, Entry { id: entry.id, mode: entry.mode }, None);
    IndexEntry { flags: stage << STAGE_SHIFT, ..plain }
}

/// A merge by git itself names the sides in other words.
fn without_labels(content: &[u8]) -> Vec<&[u8]> {
    let plain = |line: &'_ [u8]| line.starts_with(b"<<<<<<< ") || line.starts_with(b">>>>>>> ");
    content.split(|&byte| byte == b'\n').map(|line| if plain(line) { &line[..8] } else { line }).collect()
}

pub(crate) fn as_path(path: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(path))
}
