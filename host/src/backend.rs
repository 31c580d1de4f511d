//! The handle to an open backend: the contract, by calling the plugin.

use std::{fmt, sync::Arc};

use f9_plugin_abi::{
    AbiBackendBox, AbiBufferBox, AbiReader_TO, AbiReaderMut, AbiSearchBox, AbiSyncBox, RMut, ROption, RSlice,
    RStr, TD_Opaque,
};
use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Conflict, Content, CopyOptions,
    CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileWriter, ListOptions,
    Reader, Result, SearchBackend, SearchHit, SyncFileBackend, SyncReport, UpdateMode,
    boundary::{ObjectRead, ReadObject, from_abi, info_from_abi, text_from_abi},
};
use serde_json::Value;

use crate::{
    Plugin, stand_in,
    streams::{EntriesIterator, PluginWriter},
};

/// An open backend. Clones are handles to the same one, which closes with the last of them.
///
/// It implements [`FileBackend`] by calling the plugin, for code that works with any implementation. The methods of its
/// own name the same operations with paths as text and the careful options, for everyday use. Where a plugin lacks an
/// optional operation that can be had through others, the host stands in: copying, writing as a stream, and checksums
/// work with every backend.
#[derive(Clone)]
pub struct Backend {
    inner: Arc<Inner>,
    stands_in: bool,
}

struct Inner {
    object: AbiBackendBox,
    sync: Option<SyncHandle>,
    search: Option<SearchHandle>,
    own: Capabilities,
    /// Whether the plugin's ABI has the flag; an older plugin refuses what it does not know.
    knows_names_only: bool,
    plugin: Plugin,
}

impl Backend {
    pub(crate) fn new(object: AbiBackendBox, plugin: Plugin) -> Self {
        let own = Capabilities::from_bits_retain(object.capabilities());
        let sync = object.sync().into_option().map(SyncHandle);
        let search = object.search().into_option().map(SearchHandle);
        let knows_names_only = plugin.manifest().abi_minor() >= 1;
        let inner = Inner { object, sync, search, own, knows_names_only, plugin };
        Self { inner: Arc::new(inner), stands_in: true }
    }

    /// The same backend as the plugin implements it: the host stands in for nothing, and what is not declared answers
    /// whatever the plugin answers.
    #[cfg(all(feature = "author-tools", unix))]
    #[must_use]
    pub(crate) fn without_stand_ins(self) -> Self {
        Self { stands_in: false, ..self }
    }

    /// The plugin behind it.
    pub fn plugin(&self) -> &Plugin {
        &self.inner.plugin
    }

    /// What the plugin itself is capable of, without the host standing in.
    pub fn own_capabilities(&self) -> Capabilities {
        self.inner.own
    }

    fn object(&self) -> &AbiBackendBox {
        &self.inner.object
    }

    /// Whether the host does what the plugin does not.
    fn stands_in_for(&self, capability: Capabilities) -> bool {
        self.stands_in && !self.inner.own.contains(capability)
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").field("plugin", &self.inner.plugin).finish_non_exhaustive()
    }
}

fn text(path: &BackendPath) -> RStr<'_> {
    RStr::from_str(path.as_str())
}

/// Lends a reader to the plugin for the length of a call.
fn lend<'a, R: std::io::Read + Send + 'a>(reader: &'a mut ReadObject<R>) -> AbiReaderMut<'a> {
    AbiReader_TO::from_ptr(RMut::new(reader), TD_Opaque)
}

/// The plugin's bytes where they lie, freed by the plugin when the last reference is gone.
fn bytes(buffer: AbiBufferBox) -> Result<Bytes> {
    struct Owner(AbiBufferBox);

    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.as_slice().as_slice()
        }
    }

    // No memory is longer than that, and a slice that says so must not even be made.
    let length = buffer.as_slice().len();
    if isize::try_from(length).is_err() {
        let message = format!("the plugin answered with content of {length} bytes");
        return Err(Error::new(ErrorKind::Integrity, message));
    }
    Ok(Bytes::from_owner(Owner(buffer)))
}

// A method of the contract that is missing here would silently not reach the plugin.
#[deny(clippy::missing_trait_methods)]
impl FileBackend for Backend {
    fn capabilities(&self) -> Capabilities {
        if !self.stands_in {
            return Capabilities::from_bits_retain(self.object().capabilities());
        }
        self.inner.own | Capabilities::COPY | Capabilities::CHECKSUM | Capabilities::OPEN_WRITE
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        let answer = match content {
            Content::Bytes(bytes) => {
                self.object().create(text(path), RSlice::from_slice(bytes), options.into())
            }
            Content::Reader(reader) => {
                self.object().create_from(text(path), lend(&mut ReadObject::new(reader)), options.into())
            }
        };
        info_from_abi(answer, path)
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        info_from_abi(self.object().create_dir(text(path), options.into()), path)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        bytes(self.object().read(text(path)).into_result()?)
    }

    fn read_range(&self, path: &BackendPath, range: ByteRange) -> Result<Bytes> {
        let part = bytes(self.object().read_range(text(path), range.into()).into_result()?)?;
        match range.length {
            Some(most) if part.len() as u64 > most => {
                let message =
                    format!("the plugin answered with {} bytes where {most} were asked for", part.len());
                Err(Error::new(ErrorKind::Integrity, message).at(path))
            }
            _ => Ok(part),
        }
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        let answer = match content {
            Content::Bytes(bytes) => self.object().update(text(path), RSlice::from_slice(bytes), mode.into()),
            Content::Reader(reader) => {
                self.object().update_from(text(path), lend(&mut ReadObject::new(reader)), mode.into())
            }
        };
        info_from_abi(answer, path)
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        from_abi(self.object().delete(text(path), options.into()))
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        info_from_abi(self.object().info(text(path)), path)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        // It is no more than a wish.
        let options = options.names_only(options.names_only && self.inner.knows_names_only);
        let entries = self.object().list(text(path), options.into()).into_result()?;
        Ok(Box::new(EntriesIterator::new(entries)))
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        let reader = self.object().open_read(text(path), range.into()).into_result()?;
        Ok(Box::new(ObjectRead::new(reader)))
    }

    fn open_write(&self, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
        if self.stands_in_for(Capabilities::OPEN_WRITE) {
            return Ok(Box::new(stand_in::Writer::new(self.clone(), path.clone(), options)?));
        }
        let writer = self.object().open_write(text(path), options.into()).into_result()?;
        Ok(Box::new(PluginWriter::new(writer)))
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        if self.stands_in_for(Capabilities::COPY) {
            return stand_in::copy(self, from, to, options);
        }
        info_from_abi(self.object().copy(text(from), text(to), options.into()), to)
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        info_from_abi(self.object().rename(text(from), text(to), options.into()), to)
    }

    fn checksum(&self, path: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        if !self.stands_in_for(Capabilities::CHECKSUM) {
            let answer = self.object().checksum(text(path), RStr::from_str(algorithm.as_str()));
            match answer.into_result().map_err(Error::from) {
                Err(error) if self.stands_in && error.kind() == ErrorKind::Unsupported => {}
                answer => return answer.map(|checksum| text_from_abi(checksum.as_rstr()).into_owned()),
            }
        }
        stand_in::checksum(self, path, algorithm, self.plugin().cancel_token())
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        let arguments = arguments.to_string();
        let answer = self.object().command(RStr::from_str(name), RStr::from_str(&arguments)).into_result()?;
        serde_json::from_str(&text_from_abi(answer.as_rstr())).map_err(|cause| {
            Error::new(ErrorKind::Other, format!("the plugin's answer is not JSON: {cause}"))
        })
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        self.inner.sync.as_ref().map(|sync| sync as _)
    }

    fn as_search(&self) -> Option<&dyn SearchBackend> {
        self.inner.search.as_ref().map(|search| search as _)
    }
}

struct SyncHandle(AbiSyncBox);

#[deny(clippy::missing_trait_methods)]
impl SyncFileBackend for SyncHandle {
    fn push(&self, message: Option<&str>) -> Result<SyncReport> {
        from_abi(self.0.push(ROption::from(message.map(RStr::from_str))))
    }

    fn pull(&self) -> Result<SyncReport> {
        from_abi(self.0.pull())
    }

    fn sync(&self, message: Option<&str>) -> Result<SyncReport> {
        from_abi(self.0.sync(ROption::from(message.map(RStr::from_str))))
    }

    fn conflict_report(&self) -> Result<Vec<Conflict>> {
        self.0.conflict_report().into_result()?.into_iter().map(Conflict::try_from).collect()
    }

    fn conflict_accept_local(&self, path: &BackendPath) -> Result<()> {
        from_abi(self.0.conflict_accept_local(text(path)))
    }

    fn conflict_accept_remote(&self, path: &BackendPath) -> Result<()> {
        from_abi(self.0.conflict_accept_remote(text(path)))
    }

    fn conflict_resolve(&self, path: &BackendPath, content: Content<'_>) -> Result<FileInfo> {
        from_abi(match content {
            Content::Bytes(bytes) => self.0.conflict_resolve(text(path), RSlice::from_slice(bytes)),
            Content::Reader(reader) => {
                self.0.conflict_resolve_from(text(path), lend(&mut ReadObject::new(reader)))
            }
        })
    }
}

struct SearchHandle(AbiSearchBox);

#[deny(clippy::missing_trait_methods)]
impl SearchBackend for SearchHandle {
    fn search(&self, query: &str, limit: u32, filters: &Value) -> Result<Vec<SearchHit>> {
        let filters = filters.to_string();
        let hits = self.0.search(RStr::from_str(query), limit, RStr::from_str(&filters)).into_result()?;
        hits.into_iter().map(SearchHit::try_from).collect()
    }
}
