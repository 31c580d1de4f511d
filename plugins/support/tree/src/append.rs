//! Appending: one write, so that the bytes of each append stay together.

use f9_plugin_api::{Bytes, Content, Error, ErrorKind, Result};
use rustix::{
    fd::OwnedFd,
    fs::{OFlags, SeekFrom, fsync, ftruncate, seek},
    io::{self, Errno, retry_on_intr},
};

use crate::{Durability, Tree, errors::failure, read::open_file, resolve::not_durable, stat::Stat};

const DOING: &str = "append to the file";

/// The most that Linux writes in one call (`MAX_RW_COUNT` with pages of 4 KiB).
const MAX_WRITE: usize = 0x7fff_f000;

/// Adds `content` at the end of the file at `path` and looks at the result.
pub(crate) fn append(tree: &Tree, path: &str, content: Content<'_>) -> Result<Stat> {
    let (fd, before) = open_file(tree.root(), path, OFlags::WRONLY | OFlags::APPEND, DOING)?;
    let gathered: Bytes;
    let bytes = match content {
        Content::Bytes(bytes) => bytes,
        reader @ Content::Reader(_) => {
            gathered = reader.into_bytes()?;
            &gathered
        }
    };
    if bytes.len() > MAX_WRITE {
        return Err(too_much());
    }
    if !bytes.is_empty() {
        write_whole(&fd, bytes)?;
    }
    if tree.durability() == Durability::Fsync {
        fsync(&fd).map_err(|errno| not_durable(DOING, errno))?;
    }
    // What is written is written, whether it can be looked at or not.
    Ok(Stat::of(&fd).unwrap_or(Stat { size: before.size + bytes.len() as u64, ..before }))
}

/// Writes all or, if the storage takes only a part, takes that part back.
fn write_whole(fd: &OwnedFd, bytes: &[u8]) -> Result<()> {
    let written = retry_on_intr(|| io::write(fd, bytes)).map_err(|errno| failure(DOING, errno))?;
    if written == bytes.len() {
        return Ok(());
    }
    // The rest would go behind what others append meanwhile. Another try tells why there was no room for it.
    let end = seek(fd, SeekFrom::Current(0)).map_err(|errno| failure(DOING, errno))?;
    let size = Stat::of(fd).map_err(|errno| failure(DOING, errno))?.size;
    if size != end {
        return Err(part_remains(written));
    }
    match ftruncate(fd, end - written as u64) {
        Ok(()) => Err(failure(DOING, Errno::NOSPC)),
        Err(_) => Err(part_remains(written)),
    }
}

fn part_remains(written: usize) -> Error {
    Error::new(
        ErrorKind::StorageFull,
        format!("cannot append to the file: there was room for {written} bytes only"),
    )
    .hint("these are in the file, because others appended after them; make room and repair the file")
}

fn too_much() -> Error {
    let message = format!("cannot append to the file: one append takes at most {MAX_WRITE} bytes");
    Error::new(ErrorKind::InvalidOperation, message)
        .hint("append in parts, or write the file anew as a stream")
}
