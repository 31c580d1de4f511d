//! What a remote sends is looked at as a whole before anything is written down of it.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{ErrorCode, FileMode, ObjectType, Odb, Oid, Repository, Sort, Tree};

use crate::{
    errors::{Context as _, from_git},
    repository::Repo,
    transport::{Tip, Transport, Wanted},
};

/// No path that the system takes has more directories.
const MAX_DEPTH: usize = 2048;

/// Where it is noted, inside `.git`, that something did not come whole: then all is asked for again.
const INCOMPLETE: &str = "f9/incomplete";

impl Repo {
    /// Brings the remote's branch here with all that it consists of, and tells where it is. Writes nothing down of it.
    pub(crate) fn bring(&self) -> Result<Option<Oid>> {
        let branch = self.settings.branch_ref();
        let note = self.git.path().join(INCOMPLETE);
        if note.symlink_metadata().is_ok() {
            let tip = self.bring_all(&branch)?;
            fs::remove_file(note).context("remove a note inside .git")?;
            return Ok(tip);
        }
        let tip = self.transport.fetch(&self.git, &branch, Wanted::Branch, &self.context)?.map(|tip| tip.id);
        if let Some(tip) = tip
            && tip != self.tracked().unwrap_or(Oid::ZERO_SHA1)
            && let Err(error) = check_connected(&self.git, tip, &self.context)
        {
            self.context.check_cancelled()?;
            fs::write(note, "").context("note that something is missing")?;
            return Err(error);
        }
        Ok(tip)
    }

    /// Brings the whole branch, also what seems to be here.
    fn bring_all(&self, branch: &str) -> Result<Option<Oid>> {
        log::info!("what the remote sent before was not complete: all of it is asked for again");
        let fresh =
            Fresh::fetch(&self.git.path().join("f9/refetch"), &*self.transport, branch, &self.context)?;
        let Some(tip) = fresh.tip else { return Ok(None) };
        copy_all(&fresh.git, &self.git, &self.context)?;
        check_connected(&self.git, tip, &self.context)?;
        Ok(Some(tip))
    }
}

/// A repository of its own, beside the clone's objects, with a branch as the remote has it now.
pub(crate) struct Fresh {
    directory: PathBuf,
    pub(crate) git: Repository,
    pub(crate) tip: Option<Oid>,
}

impl Fresh {
    pub(crate) fn fetch(
        directory: &Path,
        transport: &dyn Transport,
        branch: &str,
        context: &Context,
    ) -> Result<Self> {
        remove(directory)?;
        let git = Repository::init_bare(directory).context("make a repository")?;
        let mut fresh = Self { directory: directory.to_owned(), git, tip: None };
        fresh.tip = fetch_whole(transport, &fresh.git, branch, Wanted::Branch, context)?.map(|tip| tip.id);
        Ok(fresh)
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the next one is made.
        let _ = remove(&self.directory);
    }
}

fn remove(directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).context("remove an old attempt"),
        _ => Ok(()),
    }
}

/// Fetches a branch and sees to it that all of it came.
pub(crate) fn fetch_whole(
    transport: &dyn Transport,
    into: &Repository,
    branch: &str,
    wanted: Wanted,
    context: &Context,
) -> Result<Option<Tip>> {
    let tip = transport.fetch(into, branch, wanted, context)?;
    if let Some(tip) = &tip {
        check_connected(into, tip.id, context)?;
    }
    Ok(tip)
}

/// Copies every object, also over one that is damaged there.
fn copy_all(from: &Repository, to: &Repository, context: &Context) -> Result<()> {
    let (source, target) = (from.odb().context("open the objects")?, to.odb().context("open the objects")?);
    let mut ids = Vec::new();
    source
        .foreach(|id| {
            ids.push(*id);
            true
        })
        .context("list the objects")?;
    for id in ids {
        context.check_cancelled()?;
        if !target.exists(id) {
            let object = source.read(id).context("read an object")?;
            target.write(object.kind(), object.data()).context("write an object")?;
        }
    }
    Ok(())
}

/// Sees to it that all that `tip` consists of is here, as far as no branch of here has it, and that everything is of the kind
/// that it is said to be.
///
/// # Errors
///
/// `Integrity`, which names what is missing or wrong.
pub(crate) fn check_connected(git: &Repository, tip: Oid, context: &Context) -> Result<()> {
    let known = || {
        let mut known: Vec<Oid> = Vec::new();
        for reference in git.references()? {
            let reference = reference?;
            known.extend(reference.target().filter(|_| reference.is_branch() || reference.is_remote()));
        }
        Ok::<_, git2::Error>(known)
    };
    check(git, tip, &known().context("read the branches")?, Depth::Header, context)
}

/// How closely a file's object is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// That it is there, and a file.
    Header,
    /// That its content is what its name says, too.
    Content,
}

/// As [`check_connected`], of the whole history.
pub(crate) fn check_whole(git: &Repository, tip: Oid, depth: Depth, context: &Context) -> Result<()> {
    check(git, tip, &[], depth, context)
}

fn check(git: &Repository, tip: Oid, known: &[Oid], depth: Depth, context: &Context) -> Result<()> {
    let walk = || {
        let mut walk = git.revwalk()?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE)?;
        walk.push(tip)?;
        known.iter().try_for_each(|id| walk.hide(*id))?;
        walk.collect::<Result<Vec<_>, _>>()
    };
    let commits = walk().map_err(|error| match error.code() {
        ErrorCode::NotFound => incomplete("a commit", tip).caused_by(error),
        _ => from_git("read the history", error),
    })?;
    let odb = git.odb().context("open the objects")?;
    let (trees, blobs) = (HashSet::new(), HashSet::new());
    let mut check = Check { git, odb: &odb, context, depth, is_shallow: git.is_shallow(), trees, blobs };
    commits.into_iter().try_for_each(|commit| check.commit(commit))
}

struct Check<'a> {
    git: &'a Repository,
    odb: &'a Odb<'a>,
    context: &'a Context,
    depth: Depth,
    /// What comes before some commits is meant to be missing.
    is_shallow: bool,
    /// Directories and files by themselves: what was seen to be the one may be called the other elsewhere.
    trees: HashSet<Oid>,
    blobs: HashSet<Oid>,
}

/// A directory that is to be looked at, and what its place had before.
struct Below {
    path: Vec<u8>,
    depth: usize,
    tree: Oid,
    before: Option<Oid>,
}

impl<'a> Check<'a> {
    fn commit(&mut self, id: Oid) -> Result<()> {
        let (tree, parents) = self.read_commit(id)?;
        let before = match parents.first().map(|parent| self.read_commit(*parent)) {
            Some(Err(_)) if self.is_shallow => None,
            before => before.transpose()?,
        };
        let root = Below { path: Vec::new(), depth: 0, tree, before: before.map(|(tree, _)| tree) };
        let mut open = vec![root];
        while let Some(below) = open.pop() {
            self.context.check_cancelled()?;
            if below.before == Some(below.tree) || !self.trees.insert(below.tree) {
                continue;
            }
            self.directory(&below, &mut open)?;
        }
        Ok(())
    }

    fn directory(&mut self, below: &Below, open: &mut Vec<Below>) -> Result<()> {
        if below.depth > MAX_DEPTH {
            return Err(malformed("its directories are nested without end", &below.path));
        }
        let before = below.before.map(|id| self.tree(id, &below.path)).transpose()?;
        for entry in &self.tree(below.tree, &below.path)? {
            let old = before.as_ref().and_then(|tree| tree.get_name_bytes(entry.name_bytes()));
            let same_kind = |old: &git2::TreeEntry<'_>| old.filemode() == entry.filemode();
            let old = old.filter(same_kind).map(|old| old.id());
            if old == Some(entry.id()) {
                continue;
            }
            let path = [&*below.path, entry.name_bytes()].concat();
            match entry.filemode() {
                mode if mode == i32::from(FileMode::Commit) => {} // is in another repository
                mode if mode == i32::from(FileMode::Tree) => open.push(Below {
                    path: [&*path, b"/"].concat(),
                    depth: below.depth + 1,
                    tree: entry.id(),
                    before: old,
                }),
                _ if !self.blobs.insert(entry.id()) => {}
                _ => self.blob(entry.id(), &path)?,
            }
        }
        Ok(())
    }

    fn blob(&self, id: Oid, path: &[u8]) -> Result<()> {
        let kind = match self.depth {
            Depth::Header => self.odb.read_header(id).map(|(_, kind)| kind),
            Depth::Content => self.odb.read(id).map(|object| object.kind()),
        };
        match kind {
            Ok(ObjectType::Blob) => Ok(()),
            Ok(_) => Err(malformed("what it calls a file is none", path)),
            Err(cause) => Err(incomplete("a file", id).at(String::from_utf8_lossy(path)).caused_by(cause)),
        }
    }

    fn tree(&self, id: Oid, path: &[u8]) -> Result<Tree<'a>> {
        self.git.find_tree(id).map_err(|cause| match self.odb.read_header(id) {
            Ok((_, kind)) if kind != ObjectType::Tree => malformed("what it calls a directory is none", path),
            _ => incomplete("a directory", id).at(String::from_utf8_lossy(path)).caused_by(cause),
        })
    }

    /// The tree and the parents. Nothing else of a commit matters here, however odd it is.
    fn read_commit(&self, id: Oid) -> Result<(Oid, Vec<Oid>)> {
        let object = self.odb.read(id).map_err(|cause| incomplete("a commit", id).caused_by(cause))?;
        let parse = || {
            let mut lines = std::str::from_utf8(header_of(object.data())).ok()?.lines();
            let tree = Oid::from_str(lines.next()?.strip_prefix("tree ")?).ok()?;
            let parents = lines.map_while(|line| Oid::from_str(line.strip_prefix("parent ")?).ok());
            Some((tree, parents.collect()))
        };
        let parsed = Some(object.kind()).filter(|kind| *kind == ObjectType::Commit).and_then(|_| parse());
        parsed.ok_or_else(|| malformed("what it calls a commit is none", b"").with("object", id))
    }
}

/// The lines of a commit that name its tree and parents: these come first, and are ASCII.
fn header_of(commit: &[u8]) -> &[u8] {
    let end = commit.windows(8).position(|part| part == b"\nauthor ").unwrap_or(commit.len());
    &commit[..end]
}

fn incomplete(what: &str, id: Oid) -> Error {
    let message = format!("the remote left out {what} that its branch consists of; nothing was recorded");
    Error::new(ErrorKind::Integrity, message)
        .with("reason", "incomplete")
        .with("object", id)
        .hint("the next try asks for all of it again; `git fsck` at the remote shows whether it is sound")
}

fn malformed(what: &str, path: &[u8]) -> Error {
    let message = format!("the remote sent a history that is not well formed: {what}; nothing was recorded");
    let error = Error::new(ErrorKind::Integrity, message).with("reason", "malformed");
    let error = if path.is_empty() { error } else { error.at(String::from_utf8_lossy(path)) };
    error.hint("`git fsck` at the remote says more; do not trust it")
}
