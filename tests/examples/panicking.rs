//! A plugin that panics wherever its connection says.

use std::io;

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Capabilities, Content, Context, CreateOptions, DeleteOptions, Entries,
    FileBackend, FileInfo, FileKind, ListOptions, Plugin, Reader, Result, UpdateMode, export_plugin,
    schemars, serde,
};

struct Panicking;

/// Where it goes wrong.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {
    /// The name of the operation that panics.
    at: String,
}

impl Options {
    fn reach(&self, place: &str) {
        assert!(self.at != place, "this is the end of {place}");
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
        Capabilities::empty()
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, _: CreateOptions) -> Result<FileInfo> {
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

    fn update(&self, path: &BackendPath, _: Content<'_>, _: UpdateMode) -> Result<FileInfo> {
        Ok(FileInfo::new(path.clone(), FileKind::File, 0))
    }

    fn delete(&self, _: &BackendPath, _: DeleteOptions) -> Result<()> {
        Ok(())
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        Ok(FileInfo::new(path.clone(), FileKind::File, 0))
    }

    fn list(&self, _: &BackendPath, _: ListOptions) -> Result<Entries> {
        let at = self.at.clone();
        Ok(Box::new(std::iter::from_fn(move || {
            assert!(at != "next", "this is the end of next");
            None
        })))
    }

    fn open_read(&self, _: &BackendPath, _: ByteRange) -> Result<Reader> {
        Ok(Box::new(Stream))
    }
}

/// A panic's payload that panics once more when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("and once more");
    }
}

/// A stream that panics when it is read, and when it is dropped.
struct Stream;

impl io::Read for Stream {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        panic!("this is the end of the stream")
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        panic!("this is the end of the stream's drop");
    }
}
