//! Appending: one write, so that the bytes of each append stay together.

use std::io::Read;

use f9_plugin_api::{Content, Error, ErrorKind, Result};
use rustix::{
    fd::OwnedFd,
    fs::{OFlags, SeekFrom, fsync, ftruncate, seek},
    io::{self, Errno, retry_on_intr},
};

use super::{
    draft::read_all,
    errors::{contended, failure},
    read::open_file,
    resolve::{attempts, not_durable},
    stat::Stat,
};
use crate::{Durability, Tree};

const DOING: &str = "append to the file";

/// The most that Linux writes in one call (`MAX_RW_COUNT` with pages of 4 KiB).
const MAX_WRITE: usize = 0x7fff_f000;

/// Adds `content` at the end of the file at `path` and looks at the result.
pub(crate) fn append(tree: &Tree, path: &str, content: Content<'_>) -> Result<Stat> {
    match content {
        Content::Bytes(bytes) => append_bytes(tree, path, bytes),
        Content::Reader(reader) => {
            // What must fail fails before the content is taken. The file is opened anew when that is done.
            open(tree, path)?;
            append_bytes(tree, path, &gather(reader, MAX_WRITE)?)
        }
    }
}

fn open(tree: &Tree, path: &str) -> Result<(OwnedFd, Stat)> {
    open_file(tree.root(), path, OFlags::WRONLY | OFlags::APPEND, DOING)
}

/// Reads at most `limit` bytes, and a buffer more to see that there are more.
fn gather(reader: &mut dyn Read, limit: usize) -> Result<Vec<u8>> {
    let mut gathered = Vec::new();
    read_all(reader, |piece| {
        if piece.len() > limit - gathered.len() {
            return Err(too_much());
        }
        gathered.try_reserve(piece.len()).map_err(|_| failure(DOING, Errno::NOMEM))?;
        gathered.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(gathered)
}

fn append_bytes(tree: &Tree, path: &str, bytes: &[u8]) -> Result<Stat> {
    if bytes.len() > MAX_WRITE {
        return Err(too_much());
    }
    for _ in attempts() {
        let (fd, before) = open(tree, path)?;
        if let Some(after) = append_to(tree, &fd, before, bytes)? {
            return Ok(after);
        }
    }
    Err(contended(DOING))
}

/// `None` if the file has lost its last name meanwhile, and the bytes with it: it was deleted, or replaced by another one.
fn append_to(tree: &Tree, fd: &OwnedFd, before: Stat, bytes: &[u8]) -> Result<Option<Stat>> {
    if !bytes.is_empty() {
        write_whole(fd, bytes)?;
    }
    if tree.durability() == Durability::Fsync {
        fsync(fd).map_err(|errno| not_durable(DOING, errno))?;
    }
    // What is written is written, whether it can be looked at or not.
    let after = Stat::of(fd).unwrap_or(Stat { size: before.size + bytes.len() as u64, ..before });
    Ok(if after.is_unlinked { None } else { Some(after) })
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

#[cfg(test)]
mod tests {
    use f9_plugin_api::FileBackend;

    use super::*;
    use crate::TreeOptions;

    #[test]
    fn content_that_is_too_much_is_not_read_to_its_end() {
        let mut endless = std::io::repeat(b'x');
        assert_eq!(gather(&mut endless, 1 << 20).unwrap_err().kind(), ErrorKind::InvalidOperation);
        assert_eq!(gather(&mut endless.take(1 << 20), 1 << 20).unwrap().len(), 1 << 20);
    }

    #[test]
    fn appending_to_a_file_without_a_name_is_no_success() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::open(directory.path(), TreeOptions::default()).unwrap();
        let path = f9_plugin_api::BackendPath::parse("f").unwrap();
        tree.create(&path, "old".into(), Default::default()).unwrap();
        let (fd, stat) = open(&tree, "f").unwrap();
        assert_eq!(append_to(&tree, &fd, stat.clone(), b"+").unwrap().unwrap().size, 4);
        std::fs::rename(directory.path().join("f"), directory.path().join("moved")).unwrap();
        assert_eq!(append_to(&tree, &fd, stat.clone(), b"+").unwrap().unwrap().size, 5);
        std::fs::remove_file(directory.path().join("moved")).unwrap();
        assert!(append_to(&tree, &fd, stat, b"+").unwrap().is_none());
    }
}
