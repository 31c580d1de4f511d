//! The author's backend as an object of the boundary: every entry guarded, every argument parsed.

use std::{
    io::{self, Read},
    sync::Arc,
};

use f9_plugin_abi::{
    AbiBackend, AbiBackendBox, AbiBuffer_TO, AbiBufferBox, AbiConflict, AbiEntries, AbiEntries_TO,
    AbiEntriesBox, AbiError, AbiFileInfo, AbiHostBox, AbiOptions, AbiRange, AbiReader_TO, AbiReaderBox,
    AbiReaderMut, AbiResult, AbiSearch, AbiSearch_TO, AbiSearchBox, AbiSearchHit, AbiSync, AbiSync_TO,
    AbiSyncBox, AbiSyncReport, AbiWriter, AbiWriter_TO, AbiWriterBox, Guarded, ROption, RResult, RSlice,
    RStr, RString, RVec, TD_Opaque, guard_drop,
};
use serde_json::Value;

use crate::{
    BackendPath, Bytes, Content, Context, Entries, Error, ErrorKind, FileBackend, FileWriter, Plugin, Reader,
    Result, SearchBackend, SyncFileBackend,
    boundary::{BytesObject, ObjectRead, ReadObject, guarded, to_abi},
    config::{options_schema, parse_options_by},
    secrets::{Lease, hide_in_answer},
};

/// Opens a backend of `P` as the host asked.
pub(crate) fn open<P: Plugin>(options: RStr<'_>, host: AbiHostBox) -> AbiResult<AbiBackendBox> {
    let mut lease = Arc::default(); // outlives the error of an opening that fails
    entry("open", || {
        let (options, schema) = (json(&options)?, options_schema::<P::Options>());
        lease = Arc::new(Lease::of(&options, &schema));
        let options = match options {
            Value::Object(options) => parse_options_by(options, &schema)?,
            _ => return Err(Error::new(ErrorKind::InvalidConnection, "the options are not a JSON object")),
        };
        let backend = Arc::new(P::open(options, Context::new(host))?);
        let object = BackendObject(Guarded::new(backend), Arc::clone(&lease));
        Ok(f9_plugin_abi::AbiBackend_TO::from_value(object, TD_Opaque))
    })
}

/// Runs an entry of the contract behind the guard.
pub(crate) fn entry<T, W: From<T>>(name: &'static str, body: impl FnOnce() -> Result<T>) -> AbiResult<W> {
    guarded(name, || to_abi(body()))
}

fn json(text: &RStr<'_>) -> Result<Value> {
    serde_json::from_str(text.as_str())
        .map_err(|cause| Error::new(ErrorKind::InvalidOperation, format!("an argument is not JSON: {cause}")))
}

/// A path below the root, checked again: this side does not depend on what the host lets through.
fn entry_path(text: &RStr<'_>) -> Result<BackendPath> {
    let path = BackendPath::parse(text.as_str())?;
    path.split()?;
    Ok(path)
}

fn buffer(bytes: Bytes) -> AbiBufferBox {
    AbiBuffer_TO::from_value(BytesObject(bytes), TD_Opaque)
}

/// The backend, and its secrets for as long as it is there.
struct BackendObject<T>(Guarded<Arc<T>>, Arc<Lease>);

impl<T: FileBackend + 'static> BackendObject<T> {
    /// Runs an operation about the entry at `path`, which any error then names.
    fn at<R, W: From<R>>(
        &self,
        name: &'static str,
        path: &RStr<'_>,
        body: impl FnOnce(&T, &BackendPath) -> Result<R>,
    ) -> AbiResult<W> {
        entry(name, || {
            let path = entry_path(path)?;
            body(&self.0, &path).map_err(|error| error.at(&path))
        })
    }

    /// The same for operations that accept the root.
    fn at_or_root<R, W: From<R>>(
        &self,
        name: &'static str,
        path: &RStr<'_>,
        body: impl FnOnce(&T, &BackendPath) -> Result<R>,
    ) -> AbiResult<W> {
        entry(name, || {
            let path = BackendPath::parse(path.as_str())?;
            body(&self.0, &path).map_err(|error| error.at(&path))
        })
    }
}

impl<T: FileBackend + 'static> AbiBackend for BackendObject<T> {
    fn capabilities(&self) -> u64 {
        guard_drop(|| self.0.capabilities().bits()).unwrap_or_default()
    }

    fn create(
        &self,
        path: RStr<'_>,
        content: RSlice<'_, u8>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo> {
        self.at("create", &path, |backend, path| {
            backend.create(path, Content::Bytes(content.as_slice()), options.try_into()?)
        })
    }

    fn create_from(
        &self,
        path: RStr<'_>,
        content: AbiReaderMut<'_>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo> {
        self.at("create", &path, |backend, path| {
            backend.create(path, Content::reader(&mut ObjectRead::new(content)), options.try_into()?)
        })
    }

    fn create_dir(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        self.at("create_dir", &path, |backend, path| backend.create_dir(path, options.try_into()?))
    }

    fn read(&self, path: RStr<'_>) -> AbiResult<AbiBufferBox> {
        self.at("read", &path, |backend, path| backend.read(path).map(buffer))
    }

    fn read_range(&self, path: RStr<'_>, range: AbiRange) -> AbiResult<AbiBufferBox> {
        self.at("read_range", &path, |backend, path| backend.read_range(path, range.into()).map(buffer))
    }

    fn update(
        &self,
        path: RStr<'_>,
        content: RSlice<'_, u8>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo> {
        self.at("update", &path, |backend, path| {
            backend.update(path, Content::Bytes(content.as_slice()), options.try_into()?)
        })
    }

    fn update_from(
        &self,
        path: RStr<'_>,
        content: AbiReaderMut<'_>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo> {
        self.at("update", &path, |backend, path| {
            backend.update(path, Content::reader(&mut ObjectRead::new(content)), options.try_into()?)
        })
    }

    fn delete(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<()> {
        self.at("delete", &path, |backend, path| backend.delete(path, options.try_into()?))
    }

    fn info(&self, path: RStr<'_>) -> AbiResult<AbiFileInfo> {
        self.at_or_root("info", &path, |backend, path| backend.info(path))
    }

    fn list(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiEntriesBox> {
        self.at_or_root("list", &path, |backend, path| {
            let entries = backend.list(path, options.try_into()?)?;
            Ok(AbiEntries_TO::from_value(
                EntriesObject(Guarded::new(entries), Arc::clone(&self.1)),
                TD_Opaque,
            ))
        })
    }

    fn open_read(&self, path: RStr<'_>, range: AbiRange) -> AbiResult<AbiReaderBox> {
        self.at("open_read", &path, |backend, path| {
            let reader = backend.open_read(path, range.into())?;
            Ok(AbiReader_TO::from_value(ReadObject::new(Leased(reader, Arc::clone(&self.1))), TD_Opaque))
        })
    }

    fn open_write(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiWriterBox> {
        self.at("open_write", &path, |backend, path| {
            let writer = backend.open_write(path, options.try_into()?)?;
            Ok(AbiWriter_TO::from_value(WriterObject(Guarded::new(writer), Arc::clone(&self.1)), TD_Opaque))
        })
    }

    fn copy(&self, from: RStr<'_>, to: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        self.at("copy", &from, |backend, from| backend.copy(from, &entry_path(&to)?, options.try_into()?))
    }

    fn rename(&self, from: RStr<'_>, to: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo> {
        self.at("rename", &from, |backend, from| backend.rename(from, &entry_path(&to)?, options.try_into()?))
    }

    fn checksum(&self, path: RStr<'_>, algorithm: RStr<'_>) -> AbiResult<RString> {
        self.at("checksum", &path, |backend, path| backend.checksum(path, algorithm.as_str().parse()?))
    }

    fn command(&self, name: RStr<'_>, arguments: RStr<'_>) -> AbiResult<RString> {
        entry("command", || {
            let mut answer = self.0.command(name.as_str(), &json(&arguments)?)?;
            hide_in_answer(&mut answer);
            Ok(answer.to_string())
        })
    }

    fn search(&self) -> ROption<AbiSearchBox> {
        let offered = guard_drop(|| self.0.as_search().is_some()).unwrap_or_default();
        let object = || {
            AbiSearch_TO::from_value(
                SearchObject(Guarded::new(Arc::clone(&self.0)), Arc::clone(&self.1)),
                TD_Opaque,
            )
        };
        offered.then(object).into()
    }

    fn sync(&self) -> ROption<AbiSyncBox> {
        let offered = guard_drop(|| self.0.as_sync().is_some()).unwrap_or_default();
        let object = || {
            AbiSync_TO::from_value(
                SyncObject(Guarded::new(Arc::clone(&self.0)), Arc::clone(&self.1)),
                TD_Opaque,
            )
        };
        offered.then(object).into()
    }
}

struct SearchObject<T>(Guarded<Arc<T>>, #[allow(dead_code, reason = "held")] Arc<Lease>);

impl<T: FileBackend> AbiSearch for SearchObject<T> {
    fn search(&self, query: RStr<'_>, limit: u32, filters: RStr<'_>) -> AbiResult<RVec<AbiSearchHit>> {
        entry("search", || {
            let search: &dyn SearchBackend =
                self.0.as_search().ok_or_else(|| Error::unsupported("search"))?;
            let hits = search.search(query.as_str(), limit, &json(&filters)?)?;
            Ok(hits.into_iter().map(AbiSearchHit::from).collect::<RVec<_>>())
        })
    }
}

struct SyncObject<T>(Guarded<Arc<T>>, #[allow(dead_code, reason = "held")] Arc<Lease>);

impl<T: FileBackend> SyncObject<T> {
    fn entry<R, W: From<R>>(
        &self,
        name: &'static str,
        body: impl FnOnce(&dyn SyncFileBackend) -> Result<R>,
    ) -> AbiResult<W> {
        entry(name, || body(self.0.as_sync().ok_or_else(|| Error::unsupported("synchronisation"))?))
    }

    fn at<R, W: From<R>>(
        &self,
        name: &'static str,
        path: &RStr<'_>,
        body: impl FnOnce(&dyn SyncFileBackend, &BackendPath) -> Result<R>,
    ) -> AbiResult<W> {
        self.entry(name, |sync| {
            let path = entry_path(path)?;
            body(sync, &path).map_err(|error| error.at(&path))
        })
    }
}

fn message<'a>(message: &'a ROption<RStr<'_>>) -> Option<&'a str> {
    message.as_ref().map(RStr::as_str).into_option()
}

impl<T: FileBackend> AbiSync for SyncObject<T> {
    fn push(&self, text: ROption<RStr<'_>>) -> AbiResult<AbiSyncReport> {
        self.entry("push", |sync| sync.push(message(&text)))
    }

    fn pull(&self) -> AbiResult<AbiSyncReport> {
        self.entry("pull", |sync| sync.pull())
    }

    fn sync(&self, text: ROption<RStr<'_>>) -> AbiResult<AbiSyncReport> {
        self.entry("sync", |sync| sync.sync(message(&text)))
    }

    fn conflict_report(&self) -> AbiResult<RVec<AbiConflict>> {
        self.entry("conflict_report", |sync| {
            Ok(sync.conflict_report()?.into_iter().map(AbiConflict::from).collect::<RVec<_>>())
        })
    }

    fn conflict_accept_local(&self, path: RStr<'_>) -> AbiResult<()> {
        self.at("conflict_accept_local", &path, |sync, path| sync.conflict_accept_local(path))
    }

    fn conflict_accept_remote(&self, path: RStr<'_>) -> AbiResult<()> {
        self.at("conflict_accept_remote", &path, |sync, path| sync.conflict_accept_remote(path))
    }

    fn conflict_resolve(&self, path: RStr<'_>, content: RSlice<'_, u8>) -> AbiResult<AbiFileInfo> {
        self.at("conflict_resolve", &path, |sync, path| {
            sync.conflict_resolve(path, Content::Bytes(content.as_slice()))
        })
    }

    fn conflict_resolve_from(&self, path: RStr<'_>, content: AbiReaderMut<'_>) -> AbiResult<AbiFileInfo> {
        self.at("conflict_resolve", &path, |sync, path| {
            sync.conflict_resolve(path, Content::reader(&mut ObjectRead::new(content)))
        })
    }
}

/// A reader of a backend, and the backend's secrets.
struct Leased(Reader, #[allow(dead_code, reason = "held")] Arc<Lease>);

impl Read for Leased {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

struct WriterObject(Guarded<Box<dyn FileWriter>>, #[allow(dead_code, reason = "held")] Arc<Lease>);

impl AbiWriter for WriterObject {
    fn write(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<usize> {
        entry("write of a stream", || Ok(self.0.write(bytes.as_slice())?))
    }

    fn commit(&mut self) -> AbiResult<AbiFileInfo> {
        entry("commit", || self.0.commit())
    }
}

/// Room for so many entries is made at once.
const USUAL_BATCH: usize = 256;

struct EntriesObject(Guarded<Entries>, #[allow(dead_code, reason = "held")] Arc<Lease>);

impl AbiEntries for EntriesObject {
    fn next_batch(&mut self, max: usize) -> AbiResult<RVec<RResult<AbiFileInfo, AbiError>>> {
        guarded("next of a listing", || {
            let mut batch = RVec::with_capacity(max.min(USUAL_BATCH));
            self.0.by_ref().take(max).for_each(|entry| batch.push(to_abi(entry)));
            RResult::ROk(batch)
        })
    }
}
