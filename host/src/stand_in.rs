//! What the host does for backends that lack an optional operation.

use std::io::{self, Read, Seek, Write};

use f9_plugin_api::{
    BackendPath, ByteRange, ChecksumAlgorithm, Content, CopyOptions, CreateOptions, Error, ErrorKind,
    FileBackend, FileInfo, FileWriter, Result,
};
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};
use tempfile::SpooledTempFile;

use crate::{Backend, CancelToken, SteadyReader};

/// Content up to this size waits in memory, more on disk.
const IN_MEMORY: usize = 1 << 20;

/// Copies a file by reading and writing it; one that is written to meanwhile is read again, and at last refused.
pub(crate) fn copy(
    backend: &Backend,
    from: &BackendPath,
    to: &BackendPath,
    options: CopyOptions,
) -> Result<FileInfo> {
    let options = CreateOptions::default().overwrite(options.overwrite);
    let mut attempt = 1;
    loop {
        let inner = SteadyReader::open(backend, from)?;
        let mut reader = Cancellable { inner, cancel: backend.plugin().cancel_token() };
        match FileBackend::create(backend, to, Content::reader(&mut reader), options) {
            Err(_) if reader.inner.has_changed() && attempt < SteadyReader::ATTEMPTS => attempt += 1,
            created => return created,
        }
    }
}

/// Computes a checksum from the content.
pub(crate) fn checksum(
    backend: &dyn FileBackend,
    path: &BackendPath,
    algorithm: ChecksumAlgorithm,
    cancel: &CancelToken,
) -> Result<String> {
    let inner = backend.open_read(path, ByteRange::ALL)?;
    let mut reader = Cancellable { inner, cancel };
    let digest = match algorithm {
        ChecksumAlgorithm::Sha256 => digest::<Sha256>(&mut reader),
        ChecksumAlgorithm::Sha512 => digest::<Sha512>(&mut reader),
        ChecksumAlgorithm::Md5 => digest::<Md5>(&mut reader),
        ChecksumAlgorithm::Blake3 => blake3(&mut reader),
        _ => return Err(Error::unsupported(algorithm.as_str())),
    };
    digest.map_err(|error| Error::from(error).at(path))
}

/// A stream that ends with an error when somebody asks to stop.
struct Cancellable<'a, R> {
    inner: R,
    cancel: &'a CancelToken,
}

impl<R: Read> Read for Cancellable<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        self.inner.read(buffer)
    }
}

fn digest<D: Digest>(reader: &mut dyn Read) -> io::Result<String> {
    let mut digest = D::new();
    each_chunk(reader, |chunk| digest.update(chunk))?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn blake3(reader: &mut dyn Read) -> io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    each_chunk(reader, |chunk| {
        hasher.update(chunk);
    })?;
    Ok(hasher.finalize().to_hex().to_string())
}

fn each_chunk(reader: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A stream into a backend that only takes whole files: what is written waits in memory or in an unnamed temporary file
/// until it is committed.
pub(crate) struct Writer {
    backend: Backend,
    path: BackendPath,
    options: CreateOptions,
    waiting: Option<SpooledTempFile>,
}

impl Writer {
    pub(crate) fn new(backend: Backend, path: BackendPath, options: CreateOptions) -> Result<Self> {
        path.split()?;
        Ok(Self { backend, path, options, waiting: Some(SpooledTempFile::new(IN_MEMORY)) })
    }

    fn committed(&self) -> Error {
        Error::new(ErrorKind::InvalidOperation, "this stream was committed already").at(&self.path)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.waiting {
            Some(waiting) => waiting.write(bytes),
            None => Err(self.committed().into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        let mut waiting = self.waiting.take().ok_or_else(|| self.committed())?;
        waiting.rewind()?;
        FileBackend::create(&self.backend, &self.path, Content::reader(&mut waiting), self.options)
    }
}
