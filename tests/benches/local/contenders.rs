//! Who takes part: the same operations by each library's own shortest way.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
};

use f9_host::{Backend, FileBackend};
use f9_plugin_api::{Bytes, ChecksumAlgorithm, CreateOptions, ListOptions};
use f9_tests::host;
use futures::{StreamExt, executor::block_on};
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload, local::LocalFileSystem};
use opendal::options::WriteOptions;
use serde_json::json;
use sha2::Digest;
use tokio::runtime::Runtime;

/// What streams are read and written with.
pub(crate) const CHUNK: usize = 256 << 10;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// One library on one directory. Paths are relative to it; what is read is only counted.
pub(crate) trait Contender: Sync {
    fn name(&self) -> &'static str;
    /// A file that must be new.
    fn create(&self, path: &str, content: &Bytes) -> Result<()>;
    fn read(&self, path: &str) -> Result<u64>;
    /// New content for a file, in one step.
    fn replace(&self, path: &str, content: &Bytes) -> Result<()>;
    /// `None` if it cannot append.
    fn append(&self, path: &str, content: &Bytes) -> Option<Result<()>>;
    /// The size.
    fn info(&self, path: &str) -> Result<u64>;
    fn delete(&self, path: &str) -> Result<()>;
    /// The names in a directory, as cheaply as they are to be had, counted.
    fn list_names(&self, path: &str) -> Result<u64>;
    /// The files in a directory with size and time, counted.
    fn list(&self, path: &str) -> Result<u64>;
    fn stream_read(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<()>;
    /// So many times the same piece into a new file.
    fn stream_write(&self, path: &str, piece: &Bytes, count: usize) -> Result<()>;

    fn sha256(&self, path: &str) -> Result<String> {
        let mut hasher = sha2::Sha256::new();
        self.stream_read(path, &mut |piece| hasher.update(piece))?;
        Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn blake3(&self, path: &str) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        self.stream_read(path, &mut |piece| {
            hasher.update(piece);
        })?;
        Ok(hasher.finalize().to_string())
    }
}

/// All of them on `root`; the first is what the others are compared with.
pub(crate) fn all(root: &Path, runtime: &Runtime, durable: bool) -> Result<Vec<Box<dyn Contender>>> {
    Ok(vec![
        Box::new(Std { root: root.to_owned(), durable }),
        Box::new(F9::open(root, durable)?),
        Box::new(Store(LocalFileSystem::new_with_prefix(root)?.with_fsync(durable))),
        Box::new(OpenDal::open(root, runtime)?),
    ])
}

/// Plain std: what is created or appended to is written in place, and any path or link leads anywhere.
struct Std {
    root: PathBuf,
    durable: bool,
}

impl Std {
    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn sync(&self, file: &File) -> std::io::Result<()> {
        if self.durable { file.sync_all() } else { Ok(()) }
    }

    fn sync_parent(&self, path: &Path) -> std::io::Result<()> {
        match path.parent() {
            Some(parent) if self.durable => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    fn write_new(&self, path: &Path, content: &[u8]) -> std::io::Result<()> {
        let mut file = File::create_new(path)?;
        file.write_all(content)?;
        self.sync(&file)
    }
}

impl Contender for Std {
    fn name(&self) -> &'static str {
        "std::fs"
    }

    fn create(&self, path: &str, content: &Bytes) -> Result<()> {
        let path = self.at(path);
        self.write_new(&path, content)?;
        Ok(self.sync_parent(&path)?)
    }

    fn read(&self, path: &str) -> Result<u64> {
        Ok(fs::read(self.at(path))?.len() as u64)
    }

    fn replace(&self, path: &str, content: &Bytes) -> Result<()> {
        let path = self.at(path);
        let temporary = path.with_extension("tmp");
        self.write_new(&temporary, content)?;
        fs::rename(temporary, &path)?;
        Ok(self.sync_parent(&path)?)
    }

    fn append(&self, path: &str, content: &Bytes) -> Option<Result<()>> {
        let append = || {
            let mut file = OpenOptions::new().append(true).open(self.at(path))?;
            file.write_all(content)?;
            Ok(self.sync(&file)?)
        };
        Some(append())
    }

    fn info(&self, path: &str) -> Result<u64> {
        let metadata = fs::metadata(self.at(path))?;
        metadata.modified()?;
        Ok(metadata.len())
    }

    fn delete(&self, path: &str) -> Result<()> {
        let path = self.at(path);
        fs::remove_file(&path)?;
        Ok(self.sync_parent(&path)?)
    }

    fn list_names(&self, path: &str) -> Result<u64> {
        let names: std::io::Result<Vec<_>> =
            fs::read_dir(self.at(path))?.map(|entry| Ok(entry?.file_name())).collect();
        Ok(names?.len() as u64)
    }

    fn list(&self, path: &str) -> Result<u64> {
        let entries = fs::read_dir(self.at(path))?.map(|entry| {
            let entry = entry?;
            let metadata = entry.metadata()?;
            Ok((entry.path(), metadata.len(), metadata.modified()?))
        });
        Ok(entries.collect::<std::io::Result<Vec<_>>>()?.len() as u64)
    }

    fn stream_read(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        pour(&mut File::open(self.at(path))?, sink)
    }

    fn stream_write(&self, path: &str, piece: &Bytes, count: usize) -> Result<()> {
        let mut file = File::create_new(self.at(path))?;
        for _ in 0..count {
            file.write_all(piece)?;
        }
        Ok(self.sync(&file)?)
    }
}

/// The local plugin, loaded by the host.
struct F9(Backend);

impl F9 {
    fn open(root: &Path, durable: bool) -> Result<Self> {
        let durability = if durable { "fsync" } else { "none" };
        Ok(Self(host().open(json!({"backend": "local", "root": root, "durability": durability}))?))
    }
}

impl Contender for F9 {
    fn name(&self) -> &'static str {
        "f9"
    }

    fn create(&self, path: &str, content: &Bytes) -> Result<()> {
        self.0.create(path, content)?;
        Ok(())
    }

    fn read(&self, path: &str) -> Result<u64> {
        Ok(self.0.read(path)?.len() as u64)
    }

    fn replace(&self, path: &str, content: &Bytes) -> Result<()> {
        self.0.update(path, content)?;
        Ok(())
    }

    fn append(&self, path: &str, content: &Bytes) -> Option<Result<()>> {
        Some(self.0.append(path, content).map(drop).map_err(Into::into))
    }

    fn info(&self, path: &str) -> Result<u64> {
        Ok(self.0.info(path)?.size)
    }

    fn delete(&self, path: &str) -> Result<()> {
        Ok(self.0.delete(path)?)
    }

    fn list_names(&self, path: &str) -> Result<u64> {
        let options = ListOptions::default().names_only(true);
        let entries = FileBackend::list(&self.0, &path.try_into()?, options)?;
        Ok(entries.collect::<f9_plugin_api::Result<Vec<_>>>()?.len() as u64)
    }

    fn list(&self, path: &str) -> Result<u64> {
        let entries = self.0.list(path)?.collect::<f9_plugin_api::Result<Vec<_>>>()?;
        Ok(entries.len() as u64)
    }

    fn stream_read(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        pour(&mut self.0.open_read(path)?, sink)
    }

    fn stream_write(&self, path: &str, piece: &Bytes, count: usize) -> Result<()> {
        let mut writer = FileBackend::open_write(&self.0, &path.try_into()?, CreateOptions::default())?;
        for _ in 0..count {
            writer.write_all(piece)?;
        }
        writer.commit()?;
        Ok(())
    }

    fn sha256(&self, path: &str) -> Result<String> {
        Ok(self.0.checksum(path, ChecksumAlgorithm::Sha256)?)
    }

    fn blake3(&self, path: &str) -> Result<String> {
        Ok(self.0.checksum(path, ChecksumAlgorithm::Blake3)?)
    }
}

/// object_store without a runtime around it, so that it works on the calling thread: its fastest way.
struct Store(LocalFileSystem);

impl Contender for Store {
    fn name(&self) -> &'static str {
        "object_store"
    }

    fn create(&self, path: &str, content: &Bytes) -> Result<()> {
        let payload = PutPayload::from(content.clone());
        block_on(self.0.put_opts(&path.into(), payload, PutMode::Create.into()))?;
        Ok(())
    }

    fn read(&self, path: &str) -> Result<u64> {
        Ok(block_on(async { self.0.get(&path.into()).await?.bytes().await })?.len() as u64)
    }

    fn replace(&self, path: &str, content: &Bytes) -> Result<()> {
        block_on(self.0.put(&path.into(), content.clone().into()))?;
        Ok(())
    }

    fn append(&self, _: &str, _: &Bytes) -> Option<Result<()>> {
        None
    }

    fn info(&self, path: &str) -> Result<u64> {
        Ok(block_on(self.0.head(&path.into()))?.size)
    }

    fn delete(&self, path: &str) -> Result<()> {
        Ok(block_on(self.0.delete(&path.into()))?)
    }

    /// It has no cheaper way.
    fn list_names(&self, path: &str) -> Result<u64> {
        self.list(path)
    }

    fn list(&self, path: &str) -> Result<u64> {
        let entries = self.0.list(Some(&path.into())).collect::<Vec<_>>();
        Ok(block_on(entries).into_iter().collect::<object_store::Result<Vec<_>>>()?.len() as u64)
    }

    fn stream_read(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        block_on(async {
            let mut stream = self.0.get(&path.into()).await?.into_stream();
            while let Some(piece) = stream.next().await {
                sink(&piece?);
            }
            Ok(())
        })
    }

    fn stream_write(&self, path: &str, piece: &Bytes, count: usize) -> Result<()> {
        block_on(async {
            let mut upload = self.0.put_multipart(&path.into()).await?;
            for _ in 0..count {
                upload.put_part(piece.clone().into()).await?;
            }
            upload.complete().await?;
            Ok(())
        })
    }
}

/// OpenDAL's blocking operator. What replaces goes through its directory for atomic writes; it synchronises every file
/// it writes in one call, and no directory.
struct OpenDal {
    plain: opendal::blocking::Operator,
    atomic: opendal::blocking::Operator,
}

impl OpenDal {
    fn open(root: &Path, runtime: &Runtime) -> Result<Self> {
        let _inside = runtime.enter();
        let root = root.to_str().ok_or("the directory is not UTF-8")?;
        let builder = || opendal::services::Fs::default().root(root);
        let atomic = builder().atomic_write_dir(&format!("{root}/opendal-temporary"));
        Ok(Self {
            plain: opendal::blocking::Operator::new(opendal::Operator::new(builder())?)?,
            atomic: opendal::blocking::Operator::new(opendal::Operator::new(atomic)?)?,
        })
    }
}

impl Contender for OpenDal {
    fn name(&self) -> &'static str {
        "OpenDAL"
    }

    fn create(&self, path: &str, content: &Bytes) -> Result<()> {
        let options = WriteOptions { if_not_exists: true, ..Default::default() };
        self.plain.write_options(path, content.clone(), options)?;
        Ok(())
    }

    fn read(&self, path: &str) -> Result<u64> {
        Ok(self.plain.read(path)?.len() as u64)
    }

    fn replace(&self, path: &str, content: &Bytes) -> Result<()> {
        self.atomic.write(path, content.clone())?;
        Ok(())
    }

    fn append(&self, path: &str, content: &Bytes) -> Option<Result<()>> {
        let options = WriteOptions { append: true, ..Default::default() };
        let written = self.plain.write_options(path, content.clone(), options);
        Some(written.map(drop).map_err(Into::into))
    }

    fn info(&self, path: &str) -> Result<u64> {
        Ok(self.plain.stat(path)?.content_length())
    }

    fn delete(&self, path: &str) -> Result<()> {
        Ok(self.plain.delete(path)?)
    }

    fn list_names(&self, path: &str) -> Result<u64> {
        let entries = self.plain.list(&format!("{path}/"))?;
        Ok(entries.iter().filter(|entry| !entry.path().ends_with('/')).count() as u64)
    }

    fn list(&self, path: &str) -> Result<u64> {
        let mut count = 0;
        for entry in self.plain.list(&format!("{path}/"))? {
            if !entry.path().ends_with('/') {
                self.plain.stat(entry.path())?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn stream_read(&self, path: &str, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
        pour(&mut self.plain.reader(path)?.into_std_read(..)?, sink)
    }

    fn stream_write(&self, path: &str, piece: &Bytes, count: usize) -> Result<()> {
        let mut writer = self.atomic.writer(path)?;
        for _ in 0..count {
            writer.write(piece.clone())?;
        }
        writer.close()?;
        Ok(())
    }
}

fn pour(from: &mut dyn Read, sink: &mut dyn FnMut(&[u8])) -> Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            length => sink(&buffer[..length]),
        }
    }
}
