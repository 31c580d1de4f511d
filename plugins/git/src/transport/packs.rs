//! Taking packs as they are.
//!
//! Who fetches much from a remote on the same machine wants most of what is in some of its packs, and copying a pack takes
//! a fraction of the time of packing the same objects anew. It is a help and no more: what a branch consists of is looked for afterwards, and what is
//! missing (it was never packed, or the remote was just repacked, or a pack is damaged) is copied object by object.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Context, Result, log};
use git2::{Oid, Repository};
use sha1::{Digest as _, Sha1};

use super::Progress;
use crate::errors::Context as _;

/// A pack is taken if it holds at most so many times the objects that are wanted of it.
const MOST: usize = 2;

/// A pack and its index end with the checksum of all that comes before (gitformat-pack(5)).
const CHECKSUM: usize = 20;

/// Where version 2 of an index has the ids of its objects: after its signature and a table of 256 numbers.
const IDS: usize = 8 + 4 * 256;

const CHUNK: usize = 1 << 20;

/// A pack and how many objects are in it.
struct Pack {
    file: PathBuf,
    objects: usize,
}

/// A pack that is taken, with its index.
struct Taken {
    file: PathBuf,
    index: Vec<u8>,
    size: u64,
}

/// How much of all packs is copied, in bytes.
struct Copied<'a> {
    progress: Progress<'a>,
    context: &'a Context,
    done: u64,
    total: u64,
}

/// Copies the packs of `from` that mostly hold objects that are wanted.
pub(super) fn copy_packs(
    from: &Repository,
    to: &Repository,
    wanted: &[Oid],
    context: &Context,
) -> Result<()> {
    let (from, to) = (from.commondir().join("objects/pack"), to.commondir().join("objects/pack"));
    let packs = match packs_in(&from, wanted.len().saturating_mul(MOST)) {
        Ok(packs) => packs,
        Err(error) => {
            log::debug!("the remote's packs cannot be listed: {error}");
            return Ok(());
        }
    };
    let wanted: HashSet<&[u8]> = wanted.iter().map(Oid::as_bytes).collect();
    let mut taken = Vec::new();
    for pack in packs {
        context.check_cancelled()?;
        match pack.look(&wanted) {
            Ok(found) => taken.extend(found),
            Err(error) => log::debug!("{} is not taken as it is: {error}", pack.file.display()),
        }
    }
    let total = taken.iter().fold(0, |sum: u64, pack| sum.saturating_add(pack.size));
    let mut copied = Copied { progress: Progress::new(context, "fetch", "bytes"), context, done: 0, total };
    let mut end = 0;
    for pack in taken {
        if let Err(error) = copy_pack(&pack, &to, &mut copied) {
            context.check_cancelled()?;
            log::debug!("{} is not taken as it is: {error}", pack.file.display());
        }
        end += pack.size;
        copied.done = end;
    }
    copied.tell()
}

/// The packs that have at most so many objects, and an index.
fn packs_in(directory: &Path, most: usize) -> io::Result<Vec<Pack>> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        let is_pack = file.extension().is_some_and(|extension| extension == "pack");
        // Nothing that opening would wait at.
        if is_pack && is_file(&file) && is_file(&file.with_extension("idx")) {
            let mut header = [0; 12];
            File::open(&file)?.read_exact(&mut header)?;
            match u32_at(&header, 8) {
                Some(objects) if objects <= most => packs.push(Pack { file, objects }),
                _ => {}
            }
        }
    }
    Ok(packs)
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

impl Pack {
    /// The pack with its index, if enough of it is wanted.
    fn look(&self, wanted: &HashSet<&[u8]>) -> Result<Option<Taken>> {
        let index = self.read_index()?;
        let ids = ids_of(&index).ok_or_else(|| damaged("index"))?;
        let useful = ids.chunks_exact(CHECKSUM).filter(|id| wanted.contains(id)).count();
        if useful == 0 || self.objects > useful.saturating_mul(MOST) {
            return Ok(None);
        }
        let mut file = File::open(&self.file).context("open a pack")?;
        let size = file.metadata().context("look at a pack")?.len();
        // Before any of it is copied: it may be of any length.
        let mut checksum = [0; CHECKSUM];
        file.seek(SeekFrom::End(-(CHECKSUM as i64)))
            .and_then(|_| file.read_exact(&mut checksum))
            .context("read a pack")?;
        if !is_index_of(&index, &checksum) {
            return Err(damaged("index").into());
        }
        Ok(Some(Taken { file: self.file.clone(), index, size }))
    }

    fn read_index(&self) -> Result<Vec<u8>> {
        let file = File::open(self.file.with_extension("idx")).context("open the index of a pack")?;
        let mut index = Vec::new();
        // For each object an id, a checksum, and a place, which may be a long one.
        let most = IDS + self.objects.saturating_mul(CHECKSUM + 4 + 4 + 8) + 2 * CHECKSUM;
        file.take(most as u64 + 1).read_to_end(&mut index).context("read the index of a pack")?;
        if index.len() > most {
            return Err(damaged("index").into());
        }
        Ok(index)
    }
}

impl Copied<'_> {
    /// # Errors
    ///
    /// `Cancelled` if the host wants no more of it.
    fn tell(&mut self) -> Result<()> {
        if self.progress.tell(self.done.min(self.total), self.total) {
            Ok(())
        } else {
            self.context.check_cancelled()
        }
    }
}

/// The ids of a pack's objects, one after the other; `None` if this is no index of version 2.
fn ids_of(index: &[u8]) -> Option<&[u8]> {
    let count = u32_at(index, IDS - 4)?;
    let ids = index.get(IDS..)?.get(..count.checked_mul(CHECKSUM)?)?;
    index.starts_with(b"\xfftOc\0\0\0\x02").then_some(ids)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
    usize::try_from(number).ok()
}

/// Copies a pack and then its index, which brings it to life. Nothing is left of it if that fails, and nothing is done if it
/// is there already.
fn copy_pack(pack: &Taken, to: &Path, copied: &mut Copied<'_>) -> Result<()> {
    let new_pack = to.join(pack.file.file_name().unwrap_or_default());
    let new_index = new_pack.with_extension("idx");
    if new_index.exists() {
        return Ok(());
    }
    // git's own collector removes such names, should this process be ended.
    let temporary = to.join("tmp_pack_f9");
    let mut copy = || {
        let checksum = copy_content(pack, &temporary, copied)?;
        if !is_index_of(&pack.index, &checksum) {
            return Err(damaged("index").into());
        }
        fs::rename(&temporary, &new_pack).context("write a pack")?;
        let written = create(&temporary).and_then(|mut new| new.write_all(&pack.index));
        written.context("write the index of a pack")?;
        fs::rename(&temporary, &new_index).context("write the index of a pack")
    };
    let done = copy();
    if done.is_err() {
        // A pack without an index is of no use to anybody. Neither need be there.
        let _ = fs::remove_file(&temporary);
        let _ = fs::remove_file(&new_pack);
    }
    done
}

/// Copies a file that ends with its own checksum, which is returned.
fn copy_content(pack: &Taken, to: &Path, copied: &mut Copied<'_>) -> Result<[u8; CHECKSUM]> {
    let mut source = File::open(&pack.file).context("open a pack")?;
    let mut new = create(to).context("write a pack")?;
    let (mut hasher, mut buffer) = (Sha1::new(), vec![0; CHUNK]);
    let mut left = pack.size.saturating_sub(CHECKSUM as u64);
    while left > 0 {
        copied.tell()?;
        let piece = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        source.read_exact(&mut buffer[..piece]).context("read a pack")?;
        hasher.update(&buffer[..piece]);
        new.write_all(&buffer[..piece]).context("write a pack")?;
        left -= piece as u64;
        copied.done += piece as u64;
    }
    let mut checksum = [0; CHECKSUM];
    source.read_exact(&mut checksum).context("read a pack")?;
    if checksum != <[u8; CHECKSUM]>::from(hasher.finalize()) {
        return Err(damaged("pack").into());
    }
    new.write_all(&checksum).context("write a pack")?;
    Ok(checksum)
}

/// An empty file that, as git has it, nobody writes to later.
fn create(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o444).open(path)
}

/// Whether an index is undamaged and that of the pack with this checksum.
fn is_index_of(index: &[u8], pack: &[u8; CHECKSUM]) -> bool {
    let Some((rest, own)) = index.split_last_chunk::<CHECKSUM>() else { return false };
    rest.ends_with(pack) && <[u8; CHECKSUM]>::from(Sha1::digest(rest)) == *own
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the {what}'s checksum is wrong"))
}
