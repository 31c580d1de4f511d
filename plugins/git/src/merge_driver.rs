//! Files that are not to be merged line by line.
//!
//! gitattributes(5): `-merge` and `merge=binary` make a file one whole, and `merge=NAME` is a program of somebody's machine,
//! which f9 does not run. Where both sides changed such a file there is a conflict, and one of the sides is in the tree.

use f9_plugin_api::Result;
use git2::{AttrCheckFlags, AttrValue, Index, IndexEntry, Oid};

use crate::{
    checkout::{Change, Entry},
    conflicts::{as_path, with_stage},
    errors::Context as _,
    repository::Repo,
    rules::{self, Shadow},
};

/// A file that libgit2 has merged and should not have.
pub(crate) struct Blended {
    path: Vec<u8>,
    /// What each side has, which is not known of a file that a side has renamed.
    sides: Option<(Entry, Entry)>,
}

impl Repo {
    /// Whether the file is one whole for a merge.
    pub(crate) fn merges_as_a_whole(&self, path: &[u8]) -> Result<bool> {
        let shadow = rules::shadow(&self.git, &self.worktree, path)?;
        let git = shadow.as_ref().map_or(&self.git, Shadow::git);
        let value = git.get_attr_bytes(as_path(path), "merge", AttrCheckFlags::NO_SYSTEM);
        Ok(match AttrValue::from_bytes(value.context("read the attributes")?) {
            AttrValue::True | AttrValue::Unspecified => false,
            AttrValue::False => true,
            AttrValue::String(name) => !matches!(name, "text" | "union"),
            AttrValue::Bytes(_) => true,
        })
    }

    /// Which files of the merge are neither side's and should be one of them.
    pub(crate) fn blended(&self, ours: Oid, their: Oid, merged: &Index) -> Result<Vec<Blended>> {
        let (ours, their) = (self.tree_of(ours)?, self.tree_of(their)?);
        let mut found = Vec::new();
        for Change { path, old, new, .. } in self.changes(Some(&ours), &their)? {
            let Some(entry) = merged.get_path(as_path(&path), 0) else { continue };
            let is_side = [old, new].into_iter().flatten().any(|side| side.id == entry.id);
            if !is_side && self.merges_as_a_whole(&path)? {
                found.push(Blended { path, sides: old.zip(new) });
            }
        }
        Ok(found)
    }

    /// Makes conflicts of them. `base` is the commit that both sides come from.
    pub(crate) fn set_apart(&self, index: &mut Index, blended: &[Blended], base: Option<Oid>) -> Result<()> {
        let base = base.map(|base| self.tree_of(base)).transpose()?;
        for Blended { path, sides } in blended {
            let Some((ours, theirs)) = sides else { continue };
            let plain = |side: Entry| crate::checkout::index_entry(path, side, None);
            let old = base.as_ref().and_then(|base| base.get_path(as_path(path)).ok());
            let old = old.filter(|old| old.kind() == Some(git2::ObjectType::Blob));
            let old = old.map(|old| Entry { id: old.id(), mode: old.filemode() as u32 });
            index.remove(as_path(path), 0).context("set a conflict apart")?;
            let sides: [(u16, Option<IndexEntry>); 3] =
                [(1, old.map(plain)), (2, Some(plain(*ours))), (3, Some(plain(*theirs)))];
            for (stage, side) in sides {
                if let Some(side) = side {
                    index.add(&with_stage(&side, path, stage)).context("set a conflict apart")?;
                }
            }
        }
        Ok(())
    }
}

/// Whether a merge that follows renames has blended a file of which it cannot be said what each side has.
pub(crate) fn follows_a_rename(blended: &[Blended]) -> bool {
    blended.iter().any(|file| file.sides.is_none())
}
