//! The files with rules for others, `.gitignore` and `.gitattributes`, where they are not plain files.
//!
//! git opens them without following links, and treats what is no plain file as missing. libgit2 opens whatever is there, and
//! a link that leads to a pipe or a terminal would keep it for ever. So where there is such a thing on the way to a path,
//! libgit2 is asked about a copy of the rules that count.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Error, ErrorKind, Result};
use git2::Repository;
use rustix::fs::FileType;
use tempfile::TempDir;

use crate::{
    conflicts::as_path,
    errors::Context as _,
    repository::Repo,
    worktree::{Found, Worktree},
};

const NAMES: [&[u8]; 2] = [b".gitignore", b".gitattributes"];

/// git ignores attributes files that are larger (its `ATTR_MAX_FILE_SIZE`).
const MAX_BYTES: u64 = 100 << 20;

/// A repository of the same objects and configuration, with nothing in its working tree but rules.
pub(crate) struct Shadow {
    git: Repository,
    _tree: TempDir,
}

/// Rules that no file of the working tree has: where f9 keeps files that are not complete, and what the connection names.
pub(crate) fn add_own_rules(git: &Repository, excludes_file: Option<&Path>) -> Result<()> {
    git.add_ignore_rule(".[fF]9-[tT][mM][pP]*").context("ignore temporary files")?;
    let Some(file) = excludes_file else { return Ok(()) };
    let rules = fs::read_to_string(file).map_err(|error| {
        let error = Error::from(error);
        Error::new(
            ErrorKind::InvalidConnection,
            format!("`excludes_file` cannot be read: {}", error.message()),
        )
        .at(file.display())
        .with("key", "excludes_file")
        .hint("name a text file with rules as .gitignore has them")
    })?;
    git.add_ignore_rule(&rules).context("read `excludes_file`")
}

impl Shadow {
    pub(crate) const fn git(&self) -> &Repository {
        &self.git
    }
}

/// The repository to ask about `path` instead of `git`, if that must not be asked.
pub(crate) fn shadow(git: &Repository, worktree: &Worktree, path: &[u8]) -> Result<Option<Shadow>> {
    let mut is_odd = false;
    for directory in directories(path) {
        for name in NAMES {
            is_odd |= is_irregular(&worktree.find(&[directory, name].concat())?);
        }
    }
    if is_odd { make(git, worktree, path).map(Some) } else { Ok(None) }
}

fn make(git: &Repository, worktree: &Worktree, path: &[u8]) -> Result<Shadow> {
    let private = git.path().join("f9");
    let tree = tempfile::Builder::new().prefix("rules-").tempdir_in(private);
    let tree = tree.context("make a directory inside .git")?;
    for directory in directories(path) {
        let copies = tree.path().join(as_path(directory));
        fs::create_dir_all(&copies).context("copy the rules of the working tree")?;
        for name in NAMES {
            let Some(file) = worktree.open_file(&[directory, name].concat())? else { continue };
            let mut content = Vec::new();
            file.take(MAX_BYTES + 1)
                .read_to_end(&mut content)
                .context("read the rules of the working tree")?;
            if content.len() as u64 <= MAX_BYTES {
                fs::write(copies.join(as_path(name)), content)
                    .context("copy the rules of the working tree")?;
            }
        }
    }
    let git = Repository::open(git.path()).context("open the repository")?;
    git.set_workdir(tree.path(), false).context("read the rules of the working tree")?;
    Ok(Shadow { git, _tree: tree })
}

/// The directories on the way to a path, the root first, each with a slash at its end.
pub(crate) fn directories(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).map(|end| &path[..end])
}

/// Whether git treats as missing what is there. A directory of this name means nothing to either.
fn is_irregular(found: &Found) -> bool {
    let Found::Leaf(stat) = found else { return false };
    FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile
        || u64::try_from(stat.st_size).is_ok_and(|size| size > MAX_BYTES)
}

impl Repo {
    /// Refuses to let libgit2 look at the whole working tree while rules in it are no plain files.
    pub(crate) fn check_rules_are_files(&self) -> Result<()> {
        let mut open = vec![Vec::new()];
        while let Some(directory) = open.pop() {
            self.context.check_cancelled()?;
            for (name, is_directory) in self.worktree.entries(&directory)? {
                let path =
                    if directory.is_empty() { name.clone() } else { [&*directory, b"/", &name].concat() };
                if is_directory {
                    if name != b".git" {
                        open.push(path);
                    }
                } else if NAMES.contains(&&*name) && is_irregular(&self.worktree.find(&path)?) {
                    let shown = PathBuf::from(as_path(&path));
                    let message = "git treats a link (or what is no plain file) of this name as missing, which f9 \
                                   cannot do in a working tree like this one";
                    return Err(Error::new(ErrorKind::Unsupported, message)
                        .at(shown.display())
                        .hint("replace it by a file, or remove it"));
                }
            }
        }
        Ok(())
    }
}
