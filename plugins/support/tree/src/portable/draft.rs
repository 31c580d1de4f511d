//! New content on its way to its name: under a temporary one until it is whole.

use std::{
    io::{self, Write},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use cap_std::fs::{Dir, File, OpenOptions, Permissions};
use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, FileWriter, Result, log};

use super::{TEMPORARY, Tree, again_if_gone, explain, info};
use crate::Durability;

/// What may be at the place of the new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing.
    New,
    /// Nothing or a file.
    NewOrReplace,
    /// A file.
    Replace,
}

impl Rule {
    pub(super) fn creating(overwrite: bool) -> Self {
        if overwrite { Self::NewOrReplace } else { Self::New }
    }
}

/// Where content goes, and what may be done to the file that is there now.
struct Spot {
    folder: Dir,
    name: String,
    old: Option<Permissions>,
}

impl Spot {
    /// Looks in `folder` for what is at `name` there. A link is replaced like a file, but has no permissions to keep.
    fn look(folder: Dir, name: &str, rule: Rule) -> io::Result<Self> {
        let old = match folder.symlink_metadata(name) {
            Ok(_) if rule == Rule::New => return Err(io::ErrorKind::AlreadyExists.into()),
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if there.is_file() => Some(kept(there.permissions())),
            Ok(there) if there.is_symlink() => None,
            Ok(_) => {
                let message = "this is a pipe, a socket or a device";
                let error = Error::new(ErrorKind::InvalidOperation, message);
                return Err(error.hint("name a regular file").into());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound && rule != Rule::Replace => None,
            Err(error) => return Err(error),
        };
        Ok(Self { folder, name: name.to_owned(), old })
    }

    /// Looks at `path`: with its parents made, if the rule is to make something new, and where a link leads, if the rule
    /// is to change what exists.
    fn find(tree: &Tree, path: &BackendPath, rule: Rule) -> io::Result<Self> {
        let (parent, name) = path.split()?;
        if rule != Rule::Replace {
            return Self::look(tree.make_folder(parent)?, name, rule);
        }
        let plain = tree.follow(path.as_str())?;
        let name = plain.file_name().and_then(|name| name.to_str()).ok_or(io::ErrorKind::IsADirectory)?;
        let parent = plain.parent().and_then(|parent| parent.to_str()).ok_or(io::ErrorKind::NotFound)?;
        Self::look(tree.folder(parent)?, name, rule)
    }

    /// As [`find`](Self::find), but makes nothing: a parent that is missing is stood in for by the one above it.
    fn preview(tree: &Tree, path: &BackendPath, rule: Rule) -> io::Result<Self> {
        if rule == Rule::Replace {
            return Self::find(tree, path, rule);
        }
        let (mut parent, name) = path.split()?;
        let folder = tree.folder(parent);
        match folder {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !parent.is_empty() => {}
            folder => return Self::look(folder?, name, rule),
        }
        loop {
            parent = parent.rsplit_once('/').map_or("", |(above, _)| above);
            match tree.folder(parent) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && !parent.is_empty() => {}
                folder => return Ok(Self { folder: folder?, name: name.to_owned(), old: None }),
            }
        }
    }
}

/// The permission bits without those that make a program run as its owner, which new content must earn anew.
#[cfg(unix)]
fn kept(permissions: Permissions) -> Permissions {
    use cap_std::fs::PermissionsExt;
    Permissions::from_mode(permissions.mode() & 0o777)
}

#[cfg(not(unix))]
fn kept(permissions: Permissions) -> Permissions {
    permissions
}

/// A file with a temporary name. Dropped, that name is gone.
#[derive(Debug)]
pub(super) struct Draft {
    folder: Dir,
    name: String,
    file: File,
    is_renamed: bool,
}

impl Draft {
    /// Begins new content for `path`, in its directory or the nearest one above that there is.
    pub(super) fn begin(tree: &Tree, path: &BackendPath, rule: Rule) -> io::Result<Self> {
        let Spot { folder, old, .. } = Spot::preview(tree, path, rule)?;
        let (name, file) = make(&folder, old.is_some())?;
        let draft = Self { folder, name, file, is_renamed: false };
        if let Some(old) = old {
            draft.file.set_permissions(old)?;
        }
        Ok(draft)
    }

    pub(super) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Makes the content that of the file at `path`, in one step.
    pub(super) fn commit(mut self, tree: &Tree, path: &BackendPath, rule: Rule) -> io::Result<FileInfo> {
        again_if_gone(|| {
            let Spot { folder, name, old } = Spot::find(tree, path, rule)?;
            if let Some(old) = old
                && kept(self.file.metadata()?.permissions()) != old
            {
                self.file.set_permissions(old)?;
            }
            if tree.options.durability == Durability::Fsync {
                self.file.sync_all()?;
            }
            if rule == Rule::New {
                self.link(&folder, &name)?
            } else {
                self.rename(&folder, &name)?
            }
            tree.sync(&folder)?;
            Ok(info(path, &self.file.metadata()?))
        })
    }

    /// Takes `name` if it is free. Where there are no hard links, an empty file takes it first.
    fn link(&mut self, folder: &Dir, name: &str) -> io::Result<()> {
        match self.folder.hard_link(&self.name, folder, name) {
            Err(error) if !is_answer(&error) => {}
            linked => return linked,
        }
        folder.open_with(name, OpenOptions::new().write(true).create_new(true))?;
        self.rename(folder, name).inspect_err(|_| {
            // What somebody else put there meanwhile is not ours to remove.
            if folder.symlink_metadata(name).is_ok_and(|there| there.is_file() && there.len() == 0) {
                discard(folder, name);
            }
        })
    }

    fn rename(&mut self, folder: &Dir, name: &str) -> io::Result<()> {
        self.folder.rename(&self.name, folder, name)?;
        self.is_renamed = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.is_renamed {
            discard(&self.folder, &self.name);
        }
    }
}

/// Whether an error of linking tells of the names, and not of the file system's abilities.
pub(super) fn is_answer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound)
}

fn discard(folder: &Dir, name: &str) {
    if let Err(error) = folder.remove_file(name) {
        log::warn!("cannot remove the temporary file `{name}`, which stays: {error}");
    }
}

/// Makes a file with a temporary name. One that is to replace another is nobody else's to read before it has the
/// permissions of that one.
fn make(folder: &Dir, is_private: bool) -> io::Result<(String, File)> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    if is_private {
        use cap_std::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    #[cfg(not(unix))]
    let _ = is_private;
    loop {
        let name = format!("{TEMPORARY}-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match folder.open_with(&name, &options) {
            // Left by a process that had the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((name, made?)),
        }
    }
}

/// Content that becomes the file's with [`commit`](FileWriter::commit).
#[derive(Debug)]
pub(super) struct Writer {
    tree: Tree,
    path: BackendPath,
    rule: Rule,
    /// Gone when it is committed, or when something failed.
    draft: Option<Draft>,
}

impl Writer {
    pub(super) fn open(tree: Tree, path: &BackendPath, rule: Rule) -> io::Result<Self> {
        let draft = Draft::begin(&tree, path, rule)?;
        Ok(Self { tree, path: path.clone(), rule, draft: Some(draft) })
    }

    fn over(&self) -> Error {
        let message = "cannot write the file: the stream was committed, or has failed";
        Error::new(ErrorKind::InvalidOperation, message).at(&self.path).hint("open another stream")
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(draft) = &mut self.draft else { return Err(self.over().into()) };
        match draft.file.write_all(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.draft = None;
                Err(explain(error, "write the file").at(&self.path).into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        let draft = self.draft.take().ok_or_else(|| self.over())?;
        let committed = draft.commit(&self.tree, &self.path, self.rule);
        committed.map_err(|error| explain(error, "write the file").at(&self.path))
    }
}
