//! Moving.

use std::{io, path::PathBuf};

use cap_std::fs::{Dir, Metadata};
use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo};

use super::{Tree, again_if_gone, below, draft::is_answer, info};

/// What is to be moved.
pub(super) struct Source {
    folder: Dir,
    name: String,
    /// Where it is without links on the way.
    plain: PathBuf,
    found: Metadata,
}

impl Tree {
    pub(super) fn source(&self, path: &BackendPath) -> io::Result<Source> {
        let (parent, name) = path.split()?;
        let plain = self.follow(parent)?;
        let folder = self.root.open_dir(&plain)?;
        let found = folder.symlink_metadata(name)?;
        Ok(Source { folder, name: name.to_owned(), plain: below(&plain, name), found })
    }

    /// Moves it to `to`, where there may be a file if `overwrite`.
    pub(super) fn move_to(
        &self,
        source: &Source,
        from: &BackendPath,
        to: &BackendPath,
        overwrite: bool,
    ) -> io::Result<FileInfo> {
        let (parent, name) = to.split()?;
        if from == to {
            return self.describe(to);
        }
        if source.found.is_dir() && to.starts_with(from) {
            return Err(below_itself().into());
        }
        again_if_gone(|| {
            let folder = self.make_folder(parent)?;
            let plain = below(&self.follow(parent)?, name);
            if plain == source.plain {
                return self.describe(to);
            }
            if source.found.is_dir() && plain.starts_with(&source.plain) {
                return Err(below_itself().into());
            }
            self.place(source, &folder, name, overwrite)?;
            self.sync(&folder)?;
            self.sync(&source.folder)?;
            if source.found.is_symlink() { self.describe(to) } else { Ok(info(to, &source.found)) }
        })
    }

    /// Only a file gets a name that is free at that moment: by a hard link. For everything else there is nothing better
    /// than to look first.
    fn place(&self, source: &Source, folder: &Dir, name: &str, overwrite: bool) -> io::Result<()> {
        match folder.symlink_metadata(name) {
            Ok(_) if !overwrite => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) if source.found.is_dir() => return Err(io::ErrorKind::NotADirectory.into()),
            Ok(_) => return source.folder.rename(&source.name, folder, name),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if source.found.is_file() && !overwrite {
            match source.folder.hard_link(&source.name, folder, name) {
                Ok(()) => return source.folder.remove_file(&source.name),
                Err(error) if is_answer(&error) => return Err(error),
                Err(_) => {} // no hard links here
            }
        }
        source.folder.rename(&source.name, folder, name)
    }
}

fn below_itself() -> Error {
    Error::new(ErrorKind::InvalidOperation, "cannot move it here: a directory cannot move below itself")
        .hint("choose a destination outside of it")
}
