//! A plugin with every optional part, which tells what it was asked: to see that all of it crosses the boundary.

use f9_plugin_api::{
    BackendPath, Bytes, Capabilities, ChecksumAlgorithm, Conflict, ConflictSide, Content, Context,
    CopyOptions, CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo, FileKind,
    ListOptions, Plugin, Result, SearchBackend, SearchHit, SyncFileBackend, SyncReport, UpdateMode,
    export_plugin, log, schemars, serde,
    serde_json::{Value, json},
};

struct Chatty;

/// No options.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {}

struct Backend(Context);

impl Plugin for Chatty {
    const NAME: &'static str = "chatty";
    const CAPABILITIES: Capabilities = Capabilities::all();
    type Options = Options;
    type Backend = Backend;

    fn open(_: Options, context: Context) -> Result<Backend> {
        log::info!("opened");
        Ok(Backend(context))
    }
}

export_plugin!(Chatty);

fn file(path: &BackendPath, note: impl Into<String>) -> Result<FileInfo> {
    Ok(FileInfo::new(path.clone(), FileKind::File, 7).attribute("note", note))
}

impl FileBackend for Backend {
    fn capabilities(&self) -> Capabilities {
        Capabilities::COPY
            | Capabilities::RENAME
            | Capabilities::CHECKSUM
            | Capabilities::SYNC
            | Capabilities::SEARCH
            | Capabilities::COMMAND
    }

    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        let content = content.into_bytes()?;
        file(path, format!("create {} {}", content.len(), options.overwrite))
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        file(path, format!("create_dir {}", options.overwrite))
    }

    /// Works for as long as it may.
    fn read(&self, _: &BackendPath) -> Result<Bytes> {
        for done in 0.. {
            self.0.progress("read", "bytes", done, Some(100));
            self.0.check_cancelled()?;
        }
        Ok(Bytes::new())
    }

    fn update(&self, path: &BackendPath, _: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        log::warn!(target: "chatty::update", "updating\n{path}");
        log::trace!("never seen");
        file(path, format!("update {mode:?}"))
    }

    fn delete(&self, _: &BackendPath, options: DeleteOptions) -> Result<()> {
        Err(Error::new(ErrorKind::RemoteRefused, format!("delete {}", options.recursive)))
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        file(path, "info")
    }

    /// One more than crosses at once, then an error among entries, then one more.
    fn list(&self, _: &BackendPath, _: ListOptions) -> Result<Entries> {
        let entries = (0..600).map(|i| match i {
            300 => Err(Error::new(ErrorKind::Io, "entry 300 is unreadable")),
            _ => file(&BackendPath::parse(&format!("entry{i}"))?, ""),
        });
        Ok(Box::new(entries))
    }

    fn copy(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        file(to, format!("copy {from} {}", options.overwrite))
    }

    fn rename(&self, from: &BackendPath, to: &BackendPath, options: CopyOptions) -> Result<FileInfo> {
        file(to, format!("rename {from} {}", options.overwrite))
    }

    fn checksum(&self, _: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        match algorithm {
            ChecksumAlgorithm::Md5 => Err(Error::unsupported("md5")),
            other => Ok(format!("{other:?}")),
        }
    }

    fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        match name {
            "echo" => Ok(json!({"heard": arguments})),
            other => Err(Error::unsupported(&format!("the command `{other}`"))),
        }
    }

    fn as_sync(&self) -> Option<&dyn SyncFileBackend> {
        Some(self)
    }

    fn as_search(&self) -> Option<&dyn SearchBackend> {
        Some(self)
    }
}

impl SyncFileBackend for Backend {
    fn push(&self, message: Option<&str>) -> Result<SyncReport> {
        Ok(SyncReport::new(1, 0, message.map(str::to_owned)))
    }

    fn pull(&self) -> Result<SyncReport> {
        Err(Error::new(ErrorKind::PendingChanges, "pull").with("paths", "a, b"))
    }

    fn sync(&self, message: Option<&str>) -> Result<SyncReport> {
        Ok(SyncReport::new(2, 3, message.map(str::to_owned)))
    }

    fn conflict_report(&self) -> Result<Vec<Conflict>> {
        let mut conflict = Conflict::new(BackendPath::parse("a b/é")?, "UD");
        conflict.base = Some(ConflictSide::new("base", 1));
        conflict.local = Some(ConflictSide::new("local", 2));
        Ok(vec![conflict])
    }

    fn conflict_accept_local(&self, _: &BackendPath) -> Result<()> {
        Ok(())
    }

    fn conflict_accept_remote(&self, _: &BackendPath) -> Result<()> {
        Err(Error::new(ErrorKind::NotFound, "there is no conflict here"))
    }

    fn conflict_resolve(&self, path: &BackendPath, content: Content<'_>) -> Result<FileInfo> {
        let content = content.into_bytes()?;
        file(path, String::from_utf8_lossy(&content))
    }
}

impl SearchBackend for Backend {
    fn search(&self, query: &str, limit: u32, filters: &Value) -> Result<Vec<SearchHit>> {
        Ok(vec![SearchHit::new(BackendPath::parse("hit")?, 0.25, format!("{query} {limit} {filters}"))])
    }
}
