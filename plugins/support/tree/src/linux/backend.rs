//! The contract, operation by operation.

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, CopyOptions, CreateOptions, DeleteOptions, Entries,
    Error, ErrorKind, FileBackend, FileInfo, FileKind, FileWriter, ListOptions, Reader, Result, UpdateMode,
};
use rustix::{
    fs::{Mode, OFlags, mkdirat},
    io::Errno,
};

use super::{
    append,
    draft::{Draft, read_all},
    errors::{already_exists, contended, failure, root_is_gone},
    listing::Listing,
    read,
    rename::Source,
    resolve::{attempts, sync_folder},
    spot::{Rule, Spot},
    stat::Stat,
    write::Writer,
};
use crate::Tree;

impl FileBackend for Tree {
    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        self.on(path, || self.put(path, content, Rule::creating(options.overwrite), "create the file"))
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        self.on(path, || self.make_dir(path, options.overwrite))
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.read_range(path, ByteRange::ALL)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        self.on(path, || read::read(self.root(), not_root(path)?, range))
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        self.on(path, || match mode {
            UpdateMode::Replace => self.put(path, content, Rule::Replace, "update the file"),
            UpdateMode::Append => Ok(append::append(self, not_root(path)?, content)?.info(path.clone())),
        })
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        self.on(path, || {
            let (parent, name) = path.split()?;
            let folder = self.root().folder(parent, "delete")?;
            self.remove(&folder, name, options.recursive)?;
            sync_folder(&folder, self.durability(), "delete")
        })
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.on(path, || self.describe(path))
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        self.on(path, || Ok(Box::new(Listing::open(self.clone(), path, options)?) as Entries))
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        self.on(path, || read::open_reader(self.root(), not_root(path)?, range))
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        self.on(path, || {
            Ok(Box::new(Writer::open(self.clone(), path, options.overwrite)?) as Box<dyn FileWriter>)
        })
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.on(to, || not_root(to).map(drop))?;
        let source =
            self.on(from, || read::open_file(self.root(), not_root(from)?, OFlags::RDONLY, "copy the file"));
        let (source, stat) = source?;
        self.on(to, || {
            let doing = "copy the file here";
            let rule = Rule::creating(options.overwrite);
            let (mut draft, _) = Draft::start(self, || Spot::preview(self, to, rule, doing), doing)?;
            match stat.size {
                0 => draft.write(&read::unsized_content(&source, doing)?, doing)?,
                _ => draft.copy(&source, stat, doing)?,
            }
            draft.commit(self, to, None, rule, doing)
        })
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        self.on(to, || not_root(to).map(drop))?;
        let source = self.on(from, || Source::find(self, from))?;
        self.on(to, || source.move_to(self, from, to, options.overwrite))
    }
}

impl Tree {
    /// Refuses what is out of reach, and says of every error which path it is about.
    fn on<T>(&self, path: &BackendPath, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.root().check(path).and_then(|()| work()).map_err(|error| self.explain(error).at(path))
    }

    /// A root that was removed, which no other attempt will bring back, has many symptoms.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let is_symptom = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Busy);
        if is_symptom && Stat::of(self.root()).is_ok_and(|root| root.is_unlinked) {
            return root_is_gone(error);
        }
        error
    }

    /// Stores `content` at `path`, where what is there complies with the rule.
    fn put(&self, path: &BackendPath, content: Content<'_>, rule: Rule, doing: &str) -> Result<FileInfo> {
        match content {
            Content::Bytes(bytes) => {
                let (mut draft, spot) = Draft::start(self, || Spot::find(self, path, rule, doing), doing)?;
                draft.write(bytes, doing)?;
                draft.commit(self, path, Some(spot), rule, doing)
            }
            // That takes its time, so the spot is looked at again.
            Content::Reader(reader) => {
                let (mut draft, _) = Draft::start(self, || Spot::preview(self, path, rule, doing), doing)?;
                read_all(reader, |piece| draft.write(piece, doing))?;
                draft.commit(self, path, None, rule, doing)
            }
        }
    }

    fn make_dir(&self, path: &BackendPath, overwrite: bool) -> Result<FileInfo> {
        let doing = "create the directory";
        let (parent, name) = path.split()?;
        for _ in attempts() {
            let folder = self.root().make_folder(parent, self.durability(), doing)?;
            match mkdirat(&folder, name, Mode::from_raw_mode(0o777)) {
                Ok(()) => sync_folder(&folder, self.durability(), doing)?,
                Err(Errno::EXIST) if overwrite => {}
                Err(Errno::EXIST) => return Err(already_exists(doing)),
                Err(Errno::NOENT) => continue, // the directory went away: it is made again
                Err(errno) => return Err(failure(doing, errno)),
            }
            let info = match self.describe(path) {
                Err(error) if error.is_not_found() => continue,
                info => info?,
            };
            return match info.kind {
                FileKind::Directory => Ok(info),
                // A link that leads nowhere: say why.
                FileKind::Symlink => Err(self.unfollowed(path, doing)),
                _ => Err(failure(doing, Errno::NOTDIR)),
            };
        }
        Err(contended(doing))
    }

    fn unfollowed(&self, path: &BackendPath, doing: &str) -> Error {
        match self.root().without_links(path.as_str(), doing) {
            Err(error) if error.kind() == ErrorKind::OutsideRoot => error,
            _ => failure(doing, Errno::NOTDIR),
        }
    }

    fn describe(&self, path: &BackendPath) -> Result<FileInfo> {
        let doing = "describe it";
        // A name in the root itself leads nowhere else unless it is a link: there is nothing to open first.
        if !path.is_root()
            && !path.as_str().as_bytes().contains(&b'/')
            && let Ok(stat) = Stat::at(self.root(), path.as_str())
            && !stat.is_link()
        {
            return Ok(stat.info(path.clone()));
        }
        for _ in attempts() {
            match self.root().open_at(path.as_str(), OFlags::PATH, doing) {
                Ok(fd) => {
                    let stat = Stat::of(fd).map_err(|errno| failure(doing, errno))?;
                    return Ok(stat.info(path.clone()));
                }
                Err(error) if path.is_root() || !may_be_link(&error) => return Err(error),
                Err(error) => {
                    // Nothing there, or a link that leads nowhere?
                    let (parent, name) = path.split()?;
                    match Stat::at(self.root().folder(parent, doing)?, name) {
                        Ok(stat) if stat.is_link() => return Ok(stat.info(path.clone())),
                        Ok(_) => {} // it came this moment: look again
                        Err(_) => return Err(error),
                    }
                }
            }
        }
        Err(contended(doing))
    }
}

/// The path as text; everything but describing and listing refuses the root.
fn not_root(path: &BackendPath) -> Result<&str> {
    path.split()?;
    Ok(path.as_str())
}

/// Whether following a link may have failed so.
fn may_be_link(error: &Error) -> bool {
    use ErrorKind::{InvalidOperation, InvalidPath, NotADirectory, NotFound, OutsideRoot};
    matches!(error.kind(), NotFound | OutsideRoot | InvalidPath | NotADirectory | InvalidOperation)
}
