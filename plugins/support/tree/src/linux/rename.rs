//! Moving, in one step.

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, FileInfo, Result};
use rustix::{
    fd::AsFd,
    fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat},
    io::{self, Errno},
};

use super::{
    errors::{already_exists, contended, failure, is_a_directory},
    resolve::{Folder, attempts, sync_folder},
    spot::{Rule, replaceable},
    stat::Stat,
};
use crate::Tree;

const DOING: &str = "move it here";

/// What is to be moved.
#[derive(Debug)]
pub(crate) struct Source<'t> {
    folder: Folder<'t>,
    name: &'t str,
    stat: Stat,
}

impl<'t> Source<'t> {
    pub(crate) fn find(tree: &'t Tree, path: &'t BackendPath) -> Result<Self> {
        let (parent, name) = path.split()?;
        let folder = tree.root().folder(parent, "move it")?;
        let stat = Stat::at(&folder, name).map_err(|errno| failure("move it", errno))?;
        Ok(Self { folder, name, stat })
    }

    /// Moves it to `to`, where there may be a file if `overwrite`.
    pub(crate) fn move_to(
        &self,
        tree: &Tree,
        from: &BackendPath,
        to: &BackendPath,
        overwrite: bool,
    ) -> Result<FileInfo> {
        let (parent, name) = to.split()?;
        if from == to {
            return tree.info(to);
        }
        if self.stat.is_dir() && to.starts_with(from) {
            return Err(below_itself());
        }
        for _ in attempts() {
            let folder = tree.root().make_folder(parent, tree.durability(), DOING)?;
            match self.rename(&folder, name, overwrite)? {
                Ok(()) => {
                    sync_folder(&folder, tree.durability(), DOING)?;
                    sync_folder(&self.folder, tree.durability(), DOING)?;
                    return if self.stat.is_link() { tree.info(to) } else { Ok(self.stat.info(to.clone())) };
                }
                Err(Errno::EXIST) => match self.refusal(&folder, name, overwrite)? {
                    Some(error) => return Err(error),
                    None => return tree.info(to),
                },
                Err(Errno::INVAL) => return Err(below_itself()),
                // The source is gone, or the directory it was to move to: that is made again.
                Err(Errno::NOENT) => {
                    Stat::at(&self.folder, self.name).map_err(|errno| failure("move it", errno).at(from))?;
                }
                Err(errno) => return Err(failure(DOING, errno)),
            }
        }
        Err(contended(DOING))
    }

    /// Renames, over a file if that is wanted. A directory never replaces anything: POSIX would let it replace an empty
    /// one.
    fn rename(&self, folder: &Folder<'_>, name: &str, overwrite: bool) -> Result<io::Result<()>> {
        if overwrite && !self.stat.is_dir() {
            replaceable(folder, name, Rule::NewOrReplace, DOING)?;
            return Ok(renameat(&self.folder, self.name, folder, name));
        }
        match renameat_with(&self.folder, self.name, folder, name, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS) => self.rename_without_flags(folder, name),
            renamed => Ok(renamed),
        }
    }

    /// For file systems that cannot refuse to replace: as exclusive for a file, by a link; for a directory there is
    /// nothing better than to look first.
    fn rename_without_flags(&self, folder: &Folder<'_>, name: &str) -> Result<io::Result<()>> {
        if !self.stat.is_dir() {
            return Ok(linkat(&self.folder, self.name, folder, name, AtFlags::empty())
                .and_then(|()| unlinkat(&self.folder, self.name, AtFlags::empty())));
        }
        match Stat::at(folder, name) {
            Ok(_) => Ok(Err(Errno::EXIST)),
            Err(Errno::NOENT) => Ok(renameat(&self.folder, self.name, folder, name)),
            Err(errno) => Err(failure(DOING, errno)),
        }
    }

    /// Why it cannot take the place of what is at `name`; `None` if that is itself, reached another way.
    fn refusal(&self, folder: &Folder<'_>, name: &str, overwrite: bool) -> Result<Option<Error>> {
        let look = |folder: &Folder<'_>| Stat::of(folder.as_fd()).map_err(|errno| failure(DOING, errno));
        if name == self.name && look(folder)?.is_same_as(&look(&self.folder)?) {
            return Ok(None);
        }
        let there = Stat::at(folder, name);
        Ok(Some(match there {
            Ok(there) if overwrite && there.is_dir() => is_a_directory(DOING),
            Ok(_) if overwrite => failure(DOING, Errno::NOTDIR),
            _ => already_exists(DOING),
        }))
    }
}

fn below_itself() -> Error {
    Error::new(ErrorKind::InvalidOperation, "cannot move it here: a directory cannot move below itself")
        .hint("choose a destination outside of it")
}
