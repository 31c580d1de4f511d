//! Copying objects from one repository of this machine to another.

use std::{collections::HashSet, io::Write as _};

use f9_plugin_api::{Context, Error, Result};
use git2::{ObjectType, OdbLookupFlags, Oid, PackBuilderStage, Repository, Sort, Tree};

use super::{Progress, packs::copy_packs};
use crate::errors::Context as _;

/// Up to so many objects are written one by one; more go into a pack. As git's `transfer.unpackLimit`.
const LOOSE_LIMIT: usize = 100;

/// Copies what `tip` consists of, as far as `to` lacks it.
pub(super) fn copy_objects(
    from: &Repository,
    to: &Repository,
    tip: Oid,
    operation: &'static str,
    context: &Context,
) -> Result<()> {
    if is_complete(to, tip)? {
        return Ok(());
    }
    let missing = missing_objects(from, to, tip, context)?;
    copy_missing(from, to, &missing, operation, context)
}

/// As [`copy_objects`], from a remote: its packs may be taken as they are. (What is pushed is taken out of its pack, whose
/// other objects are nobody's business.)
pub(super) fn fetch_objects(from: &Repository, to: &Repository, tip: Oid, context: &Context) -> Result<()> {
    if is_complete(to, tip)? {
        return Ok(());
    }
    let mut missing = missing_objects(from, to, tip, context)?;
    if missing.len() > LOOSE_LIMIT {
        copy_packs(from, to, &missing, context)?;
        let odb = to.odb().context("open the objects")?;
        odb.refresh().context("open the objects")?;
        missing.retain(|id| !odb.exists_ext(*id, OdbLookupFlags::NO_REFRESH));
    }
    copy_missing(from, to, &missing, "fetch", context)
}

fn copy_missing(
    from: &Repository,
    to: &Repository,
    missing: &[Oid],
    operation: &'static str,
    context: &Context,
) -> Result<()> {
    if missing.len() <= LOOSE_LIMIT {
        copy_loose(from, to, missing).context("copy objects")
    } else {
        copy_pack(from, to, missing, operation, context)
    }
}

/// Whether `to` has a branch that contains `tip`, and with it everything `tip` consists of.
fn is_complete(to: &Repository, tip: Oid) -> Result<bool> {
    let tips = branch_tips(to).context("read the branches")?;
    Ok(tips.contains(&tip))
}

/// The objects reachable from `tip` and not from the branches of `to`; each after those that it refers to.
fn missing_objects(from: &Repository, to: &Repository, tip: Oid, context: &Context) -> Result<Vec<Oid>> {
    let walk = || {
        let mut walk = from.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(tip)?;
        let odb = from.odb()?;
        for known in branch_tips(to)?.into_iter().filter(|id| odb.exists(*id)) {
            walk.hide(known)?;
        }
        Ok::<_, git2::Error>(walk)
    };
    let mut missing = Missing { repository: from, seen: HashSet::new(), ordered: Vec::new() };
    for commit in walk().context("compare histories")? {
        context.check_cancelled()?;
        let id = commit.context("compare histories")?;
        missing.add_commit(id).context("list objects")?;
    }
    Ok(missing.ordered)
}

fn branch_tips(repository: &Repository) -> Result<HashSet<Oid>, git2::Error> {
    let mut tips = HashSet::new();
    for reference in repository.references()? {
        let reference = reference?;
        if let Some(id) = reference.target().filter(|_| reference.is_branch() || reference.is_remote()) {
            tips.insert(id);
        }
    }
    Ok(tips)
}

struct Missing<'repo> {
    repository: &'repo Repository,
    seen: HashSet<Oid>,
    ordered: Vec<Oid>,
}

impl Missing<'_> {
    fn add_commit(&mut self, id: Oid) -> Result<(), git2::Error> {
        let commit = self.repository.find_commit(id)?;
        let parent = commit.parents().next().map(|parent| parent.tree()).transpose()?;
        self.add_tree(&commit.tree()?, parent.as_ref())?;
        self.add(id);
        Ok(())
    }

    /// Adds what a tree has and `base`, which is there already, has not at the same place.
    fn add_tree(&mut self, tree: &Tree<'_>, base: Option<&Tree<'_>>) -> Result<(), git2::Error> {
        if base.is_some_and(|base| base.id() == tree.id()) || self.seen.contains(&tree.id()) {
            return Ok(());
        }
        for entry in tree {
            let old = base.and_then(|base| base.get_name_bytes(entry.name_bytes()));
            if old.as_ref().is_some_and(|old| old.id() == entry.id()) {
                continue;
            }
            match entry.kind() {
                Some(ObjectType::Tree) => {
                    let old = old.filter(|old| old.kind() == Some(ObjectType::Tree));
                    let old = old.map(|old| self.repository.find_tree(old.id())).transpose()?;
                    self.add_tree(&self.repository.find_tree(entry.id())?, old.as_ref())?;
                }
                Some(ObjectType::Blob) => self.add(entry.id()),
                _ => {} // a submodule's commit is in another repository
            }
        }
        self.add(tree.id());
        Ok(())
    }

    fn add(&mut self, id: Oid) {
        if self.seen.insert(id) {
            self.ordered.push(id);
        }
    }
}

fn copy_loose(from: &Repository, to: &Repository, ids: &[Oid]) -> Result<(), git2::Error> {
    let (source, target) = (from.odb()?, to.odb()?);
    for id in ids {
        let object = source.read(*id)?;
        target.write(object.kind(), object.data())?;
    }
    Ok(())
}

fn copy_pack<'a>(
    from: &'a Repository,
    to: &Repository,
    ids: &[Oid],
    operation: &'static str,
    context: &'a Context,
) -> Result<()> {
    let total = ids.len() as u64;
    let mut progress = Progress::new(context, operation, "objects");
    let mut pack = from.packbuilder().context("make a pack")?;
    pack.set_threads(0);
    for id in ids {
        pack.insert_object(*id, None).context("make a pack")?;
    }
    let target = to.odb().context("open the objects")?;
    let mut writer = target.packwriter().context("write a pack")?;
    // Searching for deltas takes the longest, and what follows is soon done.
    let searched = pack.set_progress_callback(move |stage, done, _| match stage {
        PackBuilderStage::AddingObjects => !context.is_cancelled(),
        PackBuilderStage::Deltafication => progress.tell(u64::from(done).min(total), total),
    });
    searched.context("make a pack")?;
    let mut failure = None;
    let built = pack.foreach(|part| {
        failure = context.check_cancelled().err().or_else(|| writer.write_all(part).err().map(Error::from));
        failure.is_none()
    });
    if let Some(failure) = failure {
        return Err(failure);
    }
    context.check_cancelled()?;
    built.context("make a pack")?;
    writer.commit().context("write a pack").map(drop)
}
