//! The backend under test, its operations by the text of a path.

use std::{collections::BTreeMap, io::Read};

use super::check::{Checked, Failure, ensure, same};
use crate::{
    BackendPath, ByteRange, Bytes, ChecksumAlgorithm, Content, CopyOptions, CreateOptions, DeleteOptions,
    Error, ErrorKind, FileBackend, FileInfo, FileKind, FileWriter, ListOptions, Result, UpdateMode,
};

/// The backend under test.
pub(super) struct Subject<'a>(pub(super) &'a dyn FileBackend);

/// What the backend answered to a call.
#[must_use]
pub(super) struct Answer<T> {
    call: String,
    paths: [String; 2],
    pub(super) result: Result<T>,
}

/// Every path below the root: a file's content, or `None` for what is no file.
pub(super) type Tree = BTreeMap<String, Option<Bytes>>;

impl Subject<'_> {
    fn ask<T>(&self, call: &str, path: &str, body: impl FnOnce(&BackendPath) -> Result<T>) -> Answer<T> {
        let result = BackendPath::parse(path).and_then(|path| body(&path));
        Answer { call: format!("{call} {path:?}"), paths: [path.to_owned(), path.to_owned()], result }
    }

    fn ask_two<T>(
        &self,
        call: &str,
        from: &str,
        to: &str,
        body: impl FnOnce(&BackendPath, &BackendPath) -> Result<T>,
    ) -> Answer<T> {
        let parsed = BackendPath::parse(from).and_then(|from| Ok((from, BackendPath::parse(to)?)));
        let result = parsed.and_then(|(from, to)| body(&from, &to));
        Answer { call: format!("{call} {from:?} to {to:?}"), paths: [from.to_owned(), to.to_owned()], result }
    }

    pub(super) fn create(&self, path: &str, content: impl AsRef<[u8]>) -> Answer<FileInfo> {
        let content = Content::Bytes(content.as_ref());
        self.ask("create", path, |path| self.0.create(path, content, CreateOptions::default()))
    }

    pub(super) fn overwrite(&self, path: &str, content: impl AsRef<[u8]>) -> Answer<FileInfo> {
        let content = Content::Bytes(content.as_ref());
        self.ask("create (overwrite)", path, |path| self.0.create(path, content, overwrite(true)))
    }

    pub(super) fn create_from(
        &self,
        path: &str,
        mut reader: impl Read + Send,
        replace: bool,
    ) -> Answer<FileInfo> {
        self.ask("create from a reader", path, |path| {
            self.0.create(path, Content::reader(&mut reader), overwrite(replace))
        })
    }

    pub(super) fn create_dir(&self, path: &str) -> Answer<FileInfo> {
        self.ask("create_dir", path, |path| self.0.create_dir(path, CreateOptions::default()))
    }

    pub(super) fn overwrite_dir(&self, path: &str) -> Answer<FileInfo> {
        self.ask("create_dir (overwrite)", path, |path| self.0.create_dir(path, overwrite(true)))
    }

    pub(super) fn read(&self, path: &str) -> Answer<Bytes> {
        self.ask("read", path, |path| self.0.read(path))
    }

    pub(super) fn read_range(&self, path: &str, range: ByteRange) -> Answer<Bytes> {
        self.ask(&format!("read_range {range:?}"), path, |path| self.0.read_range(path, range))
    }

    pub(super) fn replace(&self, path: &str, content: impl AsRef<[u8]>) -> Answer<FileInfo> {
        let content = Content::Bytes(content.as_ref());
        self.ask("update (replace)", path, |path| self.0.update(path, content, UpdateMode::Replace))
    }

    pub(super) fn append(&self, path: &str, content: impl AsRef<[u8]>) -> Answer<FileInfo> {
        let content = Content::Bytes(content.as_ref());
        self.ask("update (append)", path, |path| self.0.update(path, content, UpdateMode::Append))
    }

    pub(super) fn update_from(
        &self,
        path: &str,
        mut reader: impl Read + Send,
        mode: UpdateMode,
    ) -> Answer<FileInfo> {
        self.ask("update from a reader", path, |path| self.0.update(path, Content::reader(&mut reader), mode))
    }

    pub(super) fn delete(&self, path: &str) -> Answer<()> {
        self.ask("delete", path, |path| self.0.delete(path, DeleteOptions::default()))
    }

    pub(super) fn delete_all(&self, path: &str) -> Answer<()> {
        self.ask("delete (recursive)", path, |path| {
            self.0.delete(path, DeleteOptions::default().recursive(true))
        })
    }

    pub(super) fn info(&self, path: &str) -> Answer<FileInfo> {
        self.ask("info of", path, |path| self.0.info(path))
    }

    /// The children of a directory.
    pub(super) fn list(&self, path: &str) -> Answer<Vec<FileInfo>> {
        self.list_with(path, ListOptions::default())
    }

    /// Everything below a directory.
    pub(super) fn list_all(&self, path: &str) -> Answer<Vec<FileInfo>> {
        self.list_with(path, ListOptions::default().recursive(true))
    }

    /// A listing with these options.
    pub(super) fn list_with(&self, path: &str, options: ListOptions) -> Answer<Vec<FileInfo>> {
        let operation = match (options.recursive, options.names_only) {
            (false, false) => "list",
            (true, false) => "list (recursive)",
            (false, true) => "list (names only)",
            (true, true) => "list (recursive, names only)",
        };
        self.ask(operation, path, |path| self.0.list(path, options)?.collect())
    }

    /// A stream read to its end; an error in it counts as the answer.
    pub(super) fn stream(&self, path: &str, range: ByteRange) -> Answer<Bytes> {
        self.ask(&format!("open_read {range:?} of"), path, |path| {
            let mut content = Vec::new();
            self.0.open_read(path, range)?.read_to_end(&mut content)?;
            Ok(content.into())
        })
    }

    pub(super) fn open_write(&self, path: &str, replace: bool) -> Answer<Box<dyn FileWriter>> {
        self.ask("open_write", path, |path| self.0.open_write(path, overwrite(replace)))
    }

    /// A stream written and committed; an error anywhere counts as the answer.
    pub(super) fn write(&self, path: &str, content: &[u8], replace: bool) -> Answer<FileInfo> {
        self.ask("open_write, write, commit", path, |path| {
            let mut writer = self.0.open_write(path, overwrite(replace))?;
            writer.write_all(content)?;
            writer.commit()
        })
    }

    pub(super) fn copy(&self, from: &str, to: &str, replace: bool) -> Answer<FileInfo> {
        let options = CopyOptions::default().overwrite(replace);
        self.ask_two("copy", from, to, |from, to| self.0.copy(from, to, options))
    }

    pub(super) fn rename(&self, from: &str, to: &str, replace: bool) -> Answer<FileInfo> {
        let options = CopyOptions::default().overwrite(replace);
        self.ask_two("rename", from, to, |from, to| self.0.rename(from, to, options))
    }

    pub(super) fn checksum(&self, path: &str, algorithm: ChecksumAlgorithm) -> Answer<String> {
        let call = format!("checksum {} of", algorithm.as_str());
        self.ask(&call, path, |path| self.0.checksum(path, algorithm))
    }

    /// Everything there is.
    pub(super) fn tree(&self) -> Checked<Tree> {
        let mut tree = Tree::new();
        for entry in self.list_all("/").done()? {
            let path = entry.path.as_str().to_owned();
            let content = if entry.is_file() { Some(self.read(&path).done()?) } else { None };
            tree.insert(path, content);
        }
        Ok(tree)
    }

    /// Checks that what is there afterwards is what was there before, but for parent directories.
    pub(super) fn unchanged_by(&self, body: impl FnOnce() -> Checked) -> Checked {
        let before = self.tree()?;
        body()?;
        let mut after = self.tree()?;
        after.retain(|path, content| content.is_some() || before.contains_key(path));
        for (path, content) in &before {
            ensure!(after.get(path) == Some(content), "afterwards {path:?} is not what it was");
        }
        let new = after.keys().find(|path| !before.contains_key(*path));
        ensure!(new.is_none(), "afterwards there is {:?}", new.map_or("", |path| path));
        Ok(())
    }

    /// Checks that `path` is a directory.
    pub(super) fn is_dir(&self, path: &str) -> Checked {
        let info = self.info(path).done()?;
        ensure!(info.is_dir(), "{path:?} is a {:?}, not a directory", info.kind);
        Ok(())
    }

    /// Checks that what an operation said of `path` is what `info` says of it.
    pub(super) fn is_described_by(
        &self,
        path: &str,
        said: &FileInfo,
        kind: FileKind,
        size: usize,
    ) -> Checked {
        let info = self.info(path).done()?;
        ensure!(*said == info, "the answer is {said:?}, and `info` says {info:?}");
        ensure!(info.path.as_str() == path, "the path is {:?} instead of {path:?}", info.path);
        ensure!(
            info.kind == kind && info.size == size as u64,
            "{path:?} is a {:?} of {} bytes instead of a {kind:?} of {size}",
            info.kind,
            info.size
        );
        Ok(())
    }
}

fn overwrite(replace: bool) -> CreateOptions {
    CreateOptions::default().overwrite(replace)
}

impl<T> Answer<T> {
    /// The answer of a call that has to succeed.
    pub(super) fn done(self) -> Checked<T> {
        let call = self.call;
        self.result.map_err(|error| Failure { seen: format!("{call}: {}: {error}", error.kind()) })
    }

    /// Checks that the call failed with an error of this kind, on one line, about the path that was asked for.
    pub(super) fn fails(self, kind: ErrorKind) -> Checked {
        let call = self.call.clone();
        let error = self.error()?;
        ensure!(error.kind() == kind, "{call}: {} instead of {kind}: {error}", error.kind());
        Ok(())
    }

    /// Checks that the call failed, and gives the error.
    pub(super) fn error(self) -> Checked<Error> {
        let Self { call, paths, result } = self;
        let Err(error) = result else {
            return Err(Failure { seen: format!("{call}: succeeded, which it must not") });
        };
        let text = error.to_string();
        ensure!(!text.contains('\n'), "{call}: an error of several lines: {text:?}");
        ensure!(!error.message().is_empty(), "{call}: an error without a message");
        // The SDK adds the path to an error that names none.
        let named = error.path().is_none_or(|path| paths.iter().any(|asked| related(asked, path)));
        ensure!(named, "{call}: the error names another path: {text}");
        Ok(error)
    }
}

impl Answer<Bytes> {
    /// Checks that the call succeeded with this content.
    pub(super) fn is(self, expected: impl AsRef<[u8]>) -> Checked {
        let call = self.call.clone();
        same(&call, &self.done()?, expected.as_ref())
    }
}

/// Whether one path is the other, or one lies below the other.
fn related(asked: &str, named: &str) -> bool {
    let (Ok(asked), Ok(named)) = (BackendPath::parse(asked), BackendPath::parse(named)) else { return false };
    named.is_root() == asked.is_root() && (asked.starts_with(&named) || named.starts_with(&asked))
}
