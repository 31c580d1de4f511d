//! Taking packs as they are.
//!
//! A clone wants most of what a remote on the same machine has packed, and copying the packs takes a fraction of the time of
//! packing the same objects anew. It is a help and no more: what a branch consists of is looked for afterwards, and what is
//! missing (it was never packed, or the remote was just repacked, or a pack is damaged) is copied object by object.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Context, Result, log};
use git2::Repository;
use sha1::{Digest as _, Sha1};

use super::Progress;
use crate::errors::Context as _;

/// Packs are taken if they hold at most so many times the objects that are wanted.
const MOST: usize = 2;

/// A pack and its index end with the checksum of all that comes before (gitformat-pack(5)).
const CHECKSUM: usize = 20;

const CHUNK: usize = 1 << 20;

/// Copies the packs of `from` if most of their objects are among those that are wanted; how many these are.
pub(super) fn copy_packs(from: &Repository, to: &Repository, wanted: usize, context: &Context) -> Result<()> {
    let (from, to) = (from.commondir().join("objects/pack"), to.commondir().join("objects/pack"));
    let packs = match packs_in(&from) {
        Ok(packs) => packs,
        Err(error) => {
            log::debug!("the remote's packs cannot be listed: {error}");
            return Ok(());
        }
    };
    let objects = packs.iter().fold(0, |sum: usize, (_, objects)| sum.saturating_add(*objects));
    if objects == 0 || objects > wanted.saturating_mul(MOST) {
        return Ok(());
    }
    for (pack, _) in packs {
        context.check_cancelled()?;
        if let Err(error) = copy_pack(&pack, &to, context) {
            context.check_cancelled()?;
            log::debug!("{} is not taken as it is: {error}", pack.display());
        }
    }
    Ok(())
}

/// The packs that have an index, with the number of their objects.
fn packs_in(directory: &Path) -> io::Result<Vec<(PathBuf, usize)>> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(directory)? {
        let pack = entry?.path();
        if pack.extension().is_some_and(|extension| extension == "pack")
            && pack.with_extension("idx").exists()
        {
            let mut header = [0; 12];
            File::open(&pack)?.read_exact(&mut header)?;
            let count = u32::from_be_bytes([header[8], header[9], header[10], header[11]]);
            packs.push((pack, usize::try_from(count).unwrap_or(usize::MAX)));
        }
    }
    Ok(packs)
}

/// Copies a pack and then its index, which brings it to life. Nothing is left of it if that fails.
fn copy_pack(pack: &Path, to: &Path, context: &Context) -> Result<()> {
    let name = pack.file_name().unwrap_or_default();
    let (new_pack, new_index) = (to.join(name), to.join(name).with_extension("idx"));
    // git's own collector removes such names, should this process be ended.
    let temporary = to.join("tmp_pack_f9");
    let copy = || {
        let checksum = copy_content(pack, &temporary, context)?;
        let index = fs::read(pack.with_extension("idx")).context("read the index of a pack")?;
        if !is_index_of(&index, &checksum) {
            return Err(damaged("index").into());
        }
        fs::rename(&temporary, &new_pack).context("write a pack")?;
        create(&temporary).and_then(|mut new| new.write_all(&index)).context("write the index of a pack")?;
        fs::rename(&temporary, &new_index).context("write the index of a pack")
    };
    let copied = copy();
    if copied.is_err() {
        // They are of no use, and may not be there.
        let _ = fs::remove_file(&temporary);
        let _ = fs::remove_file(&new_pack);
    }
    copied
}

/// Copies a file that ends with its own checksum, which is returned.
fn copy_content(from: &Path, to: &Path, context: &Context) -> Result<[u8; CHECKSUM]> {
    let mut source = File::open(from).context("open a pack")?;
    let size = source.metadata().context("look at a pack")?.len();
    let mut new = create(to).context("write a pack")?;
    let (mut hasher, mut buffer) = (Sha1::new(), vec![0; CHUNK]);
    let mut left = size.saturating_sub(CHECKSUM as u64);
    let mut progress = Progress::new(context, "fetch", "bytes");
    while left > 0 {
        if !progress.tell(size - left, size) {
            context.check_cancelled()?;
        }
        let piece = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
        source.read_exact(&mut buffer[..piece]).context("read a pack")?;
        hasher.update(&buffer[..piece]);
        new.write_all(&buffer[..piece]).context("write a pack")?;
        left -= piece as u64;
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
