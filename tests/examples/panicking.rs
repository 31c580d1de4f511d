//! A plugin that panics wherever its connection says.

use std::{borrow::Cow, io};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, ChecksumAlgorithm, Conflict, Content, Context, CopyOptions,
    CreateOptions, DeleteOptions, Entries, FileBackend, FileInfo, FileKind, FileWriter, ListOptions, Plugin,
    Reader, Result, SearchBackend, SearchHit, SyncFileBackend, SyncReport, UpdateMode, export_plugin,
    schemars, serde, serde_json::Value,
};

struct Panicking;

/// Where it goes wrong.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {
    /// The name of the operation that panics.
    at: Place,
}

impl Options {
    fn reach(&self, place: &str) {
        assert!(self.at.0 != place, "this is the end of {place}");
    }
}

/// A string, whose description panics if a test has written a 1 into the file.
#[derive(Clone, serde::Deserialize)]
#[serde(crate = "f9_plugin_api::serde")]
struct Place(String);

#[unsafe(no_mangle)]
static F9_PANICKING: [u8; 20] = *b"F9-PANICKING-SCHEMA0";

impl schemars::JsonSchema for Place {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // SAFETY: a static of this library. Volatile, because what the compiler knows of it is not what the file says.
        let written = unsafe { (&raw const F9_PANICKING).read_volatile() };
        assert!(written[19] == b'0', "this is the end of options_schema");
        String::json_schema(generator)
    }
}

impl Plugin for Panicking {
    const NAME: &'static str = "panicking";
    const CAPABILITIES: Capabilities = Capabilities::empty();
    type Options = Options;
    type Backend = Options;

    fn open(options: Options, _: Context) -> Result<Options> {
        options.reach("open");
        Ok(options)
    }
}

export_plugin!(Panicking);

impl Drop for Options {
    fn drop(&mut self) {
        self.reach("drop");
    }
}

impl FileBackend for Options {
    fn capabilities(&self) -> Capabilities {
        self.reach("capabilities");
        Capabilities::all()
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, _: CreateOptions) -> Result<FileInfo> {
        self.reach("create");
        let content = content.into_bytes()?;
        Ok(FileInfo::new(path.clone(), FileKind::File, content.len() as u64))
    }

    fn create_dir(&self, _: &BackendPath, _: CreateOptions) -> Result<FileInfo> {
        std::panic::panic_any(Bomb)
    }

    fn read(&self, _: &BackendPath) -> Result<Bytes> {
        self.reach("read");
        Ok(Bytes::from_static(b"fine"))
    }

    fn read_range(&self, path: &BackendPath, _: ByteRange) -> Result<Bytes> {
        self.reach("read_range");
        self.read(path)
    }

    fn update(&self, path: &BackendPath, _: Content<'_>, _: UpdateMode) -> Result<FileInfo> {
        self.reach("update");
        file(path)
    }

    fn delete(&self, _: &BackendPath, _: DeleteOptions) -> Result<()> {
        self.reach("delete");
        Ok(())
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.reach("info");
        file(path)
    }

    fn list(&self, _: &BackendPath, _: ListOptions) -> Result<Entries> {
        self.reach("list");
        let at = self.at.clone();
        Ok(Box::new(std::iter::from_fn(move || {
            assert!(at.0 != "next", "this is the end of next");
            None
        })))
    }

    fn open_read(&self, _: &BackendPath, _: ByteRange) -> Result<Reader> {
        self.reach("open_read");
        Ok(Box::new(Stream))
    }

    fn open_write(&self, _: &BackendPath, _: CreateOptions) -> Result<Box<dyn FileWriter>> {
        self.reach("open_write");
        Ok(Box::new(Stream))
    }

    fn copy(&self, _: &BackendPath, to: &BackendPath, _: CopyOptions) -> Result<FileInfo> {
        self.reach("copy");
        file(to)
    }

    fn rename(&self, _: &BackendPath, to: &BackendPath, _: CopyOptions) -> Result<FileInfo> {
        self.reach("rename");
        file(to)
    }

    fn checksum(&self, _: &BackendPath, _: ChecksumAlgorithm) -> Result<String> {
        self.reach("checksum");
        Ok(String::new())
    }

    fn command(&self, _: &str, _: &Value) -> Result<Value> {
        self.reach("command");
        Ok(Value::Null)
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        self.reach("as_sync");
        Some(self)
    }

    fn as_search(&self) -> Option<&dyn SearchBackend> {
        self.reach("as_search");
        Some(self)
    }
}

fn file(path: &BackendPath) -> Result<FileInfo> {
    Ok(FileInfo::new(path.clone(), FileKind::File, 0))
}

impl SyncFileBackend for Options {
    fn push(&self, _: Option<&str>) -> Result<SyncReport> {
        self.reach("push");
        Ok(SyncReport::new(0, 0, None))
    }

    fn pull(&self) -> Result<SyncReport> {
        self.reach("pull");
        Ok(SyncReport::new(0, 0, None))
    }

    fn sync(&self, _: Option<&str>) -> Result<SyncReport> {
        self.reach("sync");
        Ok(SyncReport::new(0, 0, None))
    }

    fn conflict_report(&self) -> Result<Vec<Conflict>> {
        self.reach("conflict_report");
        Ok(Vec::new())
    }

    fn conflict_accept_local(&self, _: &BackendPath) -> Result<()> {
        self.reach("conflict_accept_local");
        Ok(())
    }

    fn conflict_accept_remote(&self, _: &BackendPath) -> Result<()> {
        self.reach("conflict_accept_remote");
        Ok(())
    }

    fn conflict_resolve(&self, path: &BackendPath, _: Content<'_>) -> Result<FileInfo> {
        self.reach("conflict_resolve");
        file(path)
    }
}

impl SearchBackend for Options {
    fn search(&self, _: &str, _: u32, _: &Value) -> Result<Vec<SearchHit>> {
        self.reach("search");
        Ok(Vec::new())
    }
}

/// A panic's payload that panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and once more");
    }
}

/// A stream that panics when it is read or written, and when it is dropped.
struct Stream;

impl io::Read for Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("this is the end of the stream")
    }
}

impl io::Write for Stream {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("this is the end of the stream")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Stream {
    fn commit(&mut self) -> Result<FileInfo> {
        panic!("this is the end of the commit")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        panic!("this is the end of the stream's drop");
    }
}
