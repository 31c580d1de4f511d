//! What a file's bytes tell of the plugin in it.

use std::{
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use object::read::{ReadCache, ReadRef};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    Manifest, Refusal,
    discovery::{lossy, name_of_file},
    library::{Contents, Library, Source, open_regular},
};

/// More names than this are not listed.
const MAX_NAMES: usize = 1000;

/// What a file's bytes tell of the plugin in it. Whatever could be read is there, also of a file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The file.
    #[serde(serialize_with = "lossy")]
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// The SHA-256 of its content, in lower-case hexadecimal.
    pub sha256: Option<String>,
    /// What kind of library it is: `Elf X86_64`.
    pub kind: Option<String>,
    /// What it says of itself, also if it cannot be used here.
    pub manifest: Option<Manifest>,
    /// The names of what it offers to whoever loads it, the first 1000.
    pub exports: Vec<String>,
    /// The libraries that it needs itself, the first 1000.
    pub needs: Vec<String>,
    /// Why it cannot be used by this host, as far as its bytes tell. A file whose name is a plugin's must hold the plugin of
    /// that name.
    pub refusal: Option<Refusal>,
}

/// Tells what is in a file, without running any of it. Any path will do: what cannot be told is left out, and the
/// [refusal](Inspection::refusal) says why.
///
/// A file without a refusal has complete headers and a manifest that fits this host. That its code is what its author built
/// is not told by its headers: for that, compare the [`sha256`](Inspection::sha256) with the author's, as
/// [`PluginLock`](crate::PluginLock) does.
pub fn inspect(file: impl AsRef<Path>) -> Inspection {
    let mut inspection = Inspection { path: file.as_ref().to_owned(), ..Inspection::default() };
    inspection.refusal = inspection.read().err();
    inspection
}

/// Tells what is in a library that is in memory, as [`inspect`] of a file with the name of `path`, but without its hash.
pub fn inspect_bytes(path: impl AsRef<Path>, bytes: &[u8]) -> Inspection {
    let mut inspection = Inspection { path: path.as_ref().to_owned(), ..Inspection::default() };
    inspection.size = Some(bytes.len() as u64);
    inspection.refusal = inspection.examine(&Source::new(bytes), bytes.len() as u64).err();
    inspection
}

impl Inspection {
    fn read(&mut self) -> Result<(), Refusal> {
        let (file, length) = open_regular(&self.path)?;
        self.size = Some(length);
        self.sha256 = Some(sha256(&file, length)?);
        self.examine(&Source::new(&ReadCache::new(&file)), length)
    }

    fn examine<'data>(&mut self, data: impl ReadRef<'data>, length: u64) -> Result<(), Refusal> {
        let contents = Contents::parse(data, length)?;
        self.kind = Some(contents.kind());
        self.exports = contents.exports(MAX_NAMES);
        self.needs = contents.needs(MAX_NAMES);
        let manifest = contents.any_manifest();
        self.manifest = manifest.as_ref().ok().cloned();
        contents.check_loadable()?;
        let name = self.path.file_name().and_then(|name| name_of_file(name.to_str()?));
        contents.check_manifest(&manifest?, name.as_ref())?;
        contents.check_followed()
    }
}

impl Library {
    /// The SHA-256 of the open file.
    pub(crate) fn sha256(&self) -> Result<String, Refusal> {
        sha256(&self.file, u64::MAX)
    }
}

/// The SHA-256 of an open file, of `length` bytes at most: it may grow for as long as it is read.
fn sha256(file: &File, length: u64) -> Result<String, Refusal> {
    let mut file = file;
    file.rewind().map_err(Refusal::unreadable)?;
    let mut left = file.take(length);
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match left.read(&mut buffer) {
            Ok(0) => return Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            Ok(count) => digest.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Refusal::unreadable(error)),
        }
    }
}
