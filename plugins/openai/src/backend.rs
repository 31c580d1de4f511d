//! The contract, on a vector store.

use std::{
    io::{self, Write},
    sync::Arc,
};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Content, Context, CreateOptions,
    DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions, Reader, Result,
    SearchBackend, UpdateMode,
};
use serde_json::Value;

use crate::{
    index::Node,
    info::{describe_node, list},
    options::OpenAiOptions,
    present::{Present, check_free},
    probe, read,
    remove::remove,
    store::{Store, already_exists, check_way, find, find_file, not_a_directory},
    sweep,
    write::Upload,
};

/// How much of a reader is taken at once.
const BUFFER: usize = 64 << 10;

/// The files of one vector store.
#[derive(Debug)]
pub(crate) struct OpenAi(Arc<Store>);

impl OpenAi {
    pub(crate) const CAPABILITIES: Capabilities = Capabilities::CHECKSUM
        .union(Capabilities::OPEN_WRITE)
        .union(Capabilities::SEARCH)
        .union(Capabilities::COMMAND);

    /// Opens a vector store. Nothing is asked of the service before the first operation.
    pub(crate) fn open(options: &OpenAiOptions, context: Context) -> Result<Self> {
        Store::open(options, context).map(|store| Self(Arc::new(store)))
    }
}

impl FileBackend for OpenAi {
    fn capabilities(&self) -> Capabilities {
        Self::CAPABILITIES
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        let _lock = self.0.locks.lock(path);
        let present = check_free(&self.0, path, options.overwrite)?;
        let mut upload = Upload::new(Arc::clone(&self.0), path.clone(), &present);
        write_content(&mut upload, content)?;
        upload.commit(present)
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        path.split()?;
        crate::record::check_path(path).map_err(|error| error.at(path))?;
        let _lock = self.0.locks.lock(path);
        let present = {
            let index = self.0.catalog.look(&self.0.api, path)?;
            check_way(&index, path)?;
            match index.node(path) {
                Some(node @ Node::Directory(_)) if options.overwrite => {
                    return Ok(describe_node(path, &node));
                }
                Some(Node::File(_)) if options.overwrite => return Err(not_a_directory(path)),
                Some(_) => return Err(already_exists(path)),
                None => Present::of(index.committed(path, false), None),
            }
        };
        Upload::new(Arc::clone(&self.0), path.clone(), &present).commit_directory(present)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        read::open(&self.0, path, ByteRange::ALL)?.into_bytes()
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        read::open(&self.0, path, range)?.into_bytes()
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        let _lock = self.0.locks.lock(path);
        let (version, entries) = {
            let index = self.0.catalog.look(&self.0.api, path)?;
            (find_file(&index, path)?, index.committed(path, false))
        };
        let present = Present::of(entries, Some(version.commit.created));
        let mut upload = Upload::new(Arc::clone(&self.0), path.clone(), &present);
        if mode == UpdateMode::Append {
            let mut old = read::open_version(&self.0, path, &version)?;
            loop {
                let piece = old.next_piece()?;
                if piece.is_empty() {
                    break;
                }
                upload.write(&piece)?;
            }
        }
        write_content(&mut upload, content)?;
        upload.commit(present)
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        remove(&self.0, path, options.recursive)
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        let index = self.0.catalog.look(&self.0.api, path)?;
        Ok(describe_node(path, &find(&index, path)?))
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        let entries = list(&*self.0.catalog.look(&self.0.api, path)?, path, options.recursive)?;
        Ok(Box::new(entries.into_iter().map(Ok)))
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        Ok(Box::new(read::open(&self.0, path, range)?))
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        let present = check_free(&self.0, path, options.overwrite)?;
        let upload = Upload::new(Arc::clone(&self.0), path.clone(), &present);
        let (store, path) = (Arc::clone(&self.0), path.clone());
        Ok(Box::new(Writer { store, path, options, upload: Some(upload) }))
    }

    fn checksum(&self, path: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        path.split()?;
        if algorithm != ChecksumAlgorithm::Sha256 {
            return Err(Error::unsupported(&format!("the checksum {}", algorithm.as_str())).at(path));
        }
        let version = find_file(&*self.0.catalog.look(&self.0.api, path)?, path)?;
        Ok(version.commit.digest.to_string())
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        match name {
            "orphans" => sweep::orphans(&self.0, arguments),
            "sweep" => sweep::sweep(&self.0, arguments),
            "probe" => probe::probe(&self.0, arguments),
            _ => Err(Error::unsupported(&format!("the command `{name}`"))
                .hint("the commands are `orphans`, `sweep` and `probe`")),
        }
    }

    fn as_search(&self) -> Option<&dyn SearchBackend> {
        Some(&*self.0)
    }
}

/// A stream into a new version of a file.
struct Writer {
    store: Arc<Store>,
    path: BackendPath,
    options: CreateOptions,
    /// Until it is committed or has failed.
    upload: Option<Upload>,
}

impl Write for Writer {
    fn write(&mut self, content: &[u8]) -> io::Result<usize> {
        let upload = self.upload.as_mut().ok_or_else(|| ended(&self.path))?;
        if let Err(error) = upload.write(content) {
            self.upload = None;
            return Err(error.into());
        }
        Ok(content.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        let mut upload = self.upload.take().ok_or_else(|| ended(&self.path))?;
        let _lock = self.store.locks.lock(&self.path);
        let present = check_free(&self.store, &self.path, self.options.overwrite)?;
        upload.commit(present)
    }
}

fn ended(path: &BackendPath) -> Error {
    Error::new(ErrorKind::InvalidOperation, "the stream was committed or has failed already").at(path)
}

fn write_content(upload: &mut Upload, content: Content<'_>) -> Result<()> {
    let reader = match content {
        Content::Bytes(bytes) => return upload.write(bytes),
        Content::Reader(reader) => reader,
    };
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => upload.write(&buffer[..read])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
