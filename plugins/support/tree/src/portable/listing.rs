//! Listing: entry by entry, a directory before what it holds.

use std::{io, path::PathBuf};

use cap_std::fs::{DirEntry, ReadDir};
use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, FileInfo, FileKind, ListOptions, Result};

use super::{Tree, below, explain, info, kind};

const DOING: &str = "list the directory";

#[derive(Debug)]
pub(super) struct Listing {
    tree: Tree,
    options: ListOptions,
    levels: Vec<Level>,
}

#[derive(Debug)]
struct Level {
    path: BackendPath,
    /// Where it is without links.
    plain: PathBuf,
    /// `None` until it is its turn.
    entries: Option<ReadDir>,
}

impl Listing {
    pub(super) fn open(tree: Tree, path: &BackendPath, options: ListOptions) -> io::Result<Self> {
        let plain = tree.follow(path.as_str())?;
        let entries = Some(tree.root.read_dir(&plain)?);
        let levels = vec![Level { path: path.clone(), plain, entries }];
        Ok(Self { tree, options, levels })
    }

    /// The next entry of the directory whose turn it is; `None` at its end.
    fn advance(&mut self) -> io::Result<Option<DirEntry>> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        let entries = match &mut level.entries {
            Some(entries) => entries,
            none => match self.tree.root.read_dir(&level.plain) {
                // It had its entry, and is gone or something else by now: there is nothing below it.
                Err(error) if is_no_directory(&error) => return Ok(None),
                opened => none.insert(opened?),
            },
        };
        entries.next().transpose()
    }

    /// What there is to say of an entry; nothing of one that is hidden or gone.
    fn entry(&mut self, entry: &DirEntry) -> Option<Result<FileInfo>> {
        let level = self.levels.last()?;
        let name = entry.file_name();
        let path = match name.to_str() {
            Some(name) if self.tree.is_reserved(name) => return None,
            Some(name) => level.path.join(name).map_err(|error| error.message().to_owned()),
            None => Err("its name is not UTF-8".to_owned()),
        };
        let path = match path {
            Ok(path) => path,
            Err(why) => {
                let error = Error::new(ErrorKind::InvalidPath, format!("an entry cannot be named: {why}"));
                let place = level.path.as_str().to_owned() + "/" + &name.to_string_lossy();
                return Some(Err(error.at(place.trim_start_matches('/')).hint("rename it with other means")));
            }
        };
        let told = match self.describe(entry, path.clone()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(explain(error, "describe the entry").at(path))),
            Ok(told) => told,
        };
        if told.kind == FileKind::Symlink {
            return match self.tree.info(&path) {
                Err(error) if error.is_not_found() => None,
                told => Some(told),
            };
        }
        if self.options.recursive && told.is_dir() {
            let plain = below(&level.plain, &name);
            self.levels.push(Level { path, plain, entries: None });
        }
        Some(Ok(told))
    }

    /// Describes an entry, a link as a link; with no more than what the directory says of it, if that will do.
    fn describe(&self, entry: &DirEntry, path: BackendPath) -> io::Result<FileInfo> {
        if self.options.names_only {
            let kind = kind(entry.file_type()?);
            if kind != FileKind::Other {
                return Ok(FileInfo::new(path, kind, 0));
            } // the directory may not know
        }
        Ok(info(&path, &entry.metadata()?))
    }
}

impl Iterator for Listing {
    type Item = Result<FileInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.levels.is_empty() {
            match self.advance() {
                Ok(Some(entry)) => match self.entry(&entry) {
                    Some(found) => return Some(found),
                    None => continue,
                },
                Ok(None) => drop(self.levels.pop()),
                Err(error) => {
                    let level = self.levels.pop()?;
                    return Some(Err(explain(error, DOING).at(level.path)));
                }
            }
        }
        None
    }
}

fn is_no_directory(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
