//! Reading: one version of a file, in one buffer or as a stream.

use std::io::{Cursor, Read};

use f9_plugin_api::{ByteRange, Bytes, Error, ErrorKind, Reader, Result};
use rustix::{
    buffer::spare_capacity,
    fd::OwnedFd,
    fs::OFlags,
    io::{pread, retry_on_intr},
};

use super::{
    errors::{failure, is_a_directory, not_a_regular_file},
    large::{LARGE, Large},
    resolve::Root,
    stat::Stat,
};

const DOING: &str = "read the file";

/// What content of unknown size is read with at least.
const PIECE: usize = 16 << 10;

/// Opens a regular file. Neither a pipe without a writer nor a terminal can hold up or take over the process; that a
/// writer who waits at a pipe is let go is the price of not opening every file twice.
pub(crate) fn open_file(root: &Root, path: &str, access: OFlags, doing: &str) -> Result<(OwnedFd, Stat)> {
    let fd = root.open_at(path, access | OFlags::NONBLOCK | OFlags::NOCTTY, doing)?;
    let stat = Stat::of(&fd).map_err(|errno| failure(doing, errno))?;
    if stat.is_dir() {
        return Err(is_a_directory(doing));
    }
    if !stat.is_file() {
        return Err(not_a_regular_file(doing));
    }
    Ok((fd, stat))
}

/// Reads part of a file into a buffer of just that size.
pub(crate) fn read(root: &Root, path: &str, range: ByteRange) -> Result<Bytes> {
    let (fd, stat) = open_file(root, path, OFlags::RDONLY, DOING)?;
    if stat.size == 0 {
        return Ok(part(unsized_content(&fd, DOING)?, range));
    }
    let wanted = range.within(stat.size);
    let length = usize::try_from(wanted.end - wanted.start).map_err(|_| too_large(stat.size))?;
    if length >= LARGE
        && let Some(memory) = Large::of(length)
    {
        return read_large(&fd, memory, wanted.start, stat.size);
    }
    let mut content = Vec::new();
    content.try_reserve_exact(length).map_err(|_| too_large(stat.size))?;
    while content.len() < length {
        let at = wanted.start + content.len() as u64;
        let read = retry_on_intr(|| pread(&fd, spare_capacity(&mut content), at));
        if read.map_err(|errno| failure(DOING, errno))? == 0 {
            if !is_size_untrue(&fd, stat.size, DOING)? {
                return Err(shrunk());
            }
            break;
        }
    }
    content.truncate(length); // an allocator may give more room than was asked for
    Ok(content.into())
}

fn read_large(fd: &OwnedFd, mut memory: Large, start: u64, size: u64) -> Result<Bytes> {
    let mut done = 0;
    while done < memory.bytes().len() {
        let read = retry_on_intr(|| pread(fd, &mut memory.bytes()[done..], start + done as u64));
        match read.map_err(|errno| failure(DOING, errno))? {
            0 if is_size_untrue(fd, size, DOING)? => break,
            0 => return Err(shrunk()),
            length => done += length,
        }
    }
    Ok(Bytes::from_owner(memory).slice(..done))
}

/// The content of a file whose size is said to be 0, which for those of /proc says nothing. One that others write to
/// this moment is empty, as it was when it was opened.
pub(crate) fn unsized_content(fd: &OwnedFd, doing: &str) -> Result<Bytes> {
    let mut content = Vec::new();
    loop {
        content.try_reserve(PIECE).map_err(|_| too_large(content.len() as u64))?;
        let at = content.len() as u64;
        match retry_on_intr(|| pread(fd, spare_capacity(&mut content), at)) {
            Ok(0) => break,
            // A regular file shows by now that it has grown; there is no need to read it to its end.
            Ok(_) if at == 0 && !is_size_untrue(fd, 0, doing)? => return Ok(Bytes::new()),
            Ok(_) => {}
            Err(errno) => return Err(failure(doing, errno)),
        }
    }
    Ok(content.into())
}

/// Whether a file that turned out to be longer or shorter than its size still claims the same: the kernel's own files
/// do, in /proc and /sys. Another one was changed meanwhile.
fn is_size_untrue(fd: &OwnedFd, size: u64, doing: &str) -> Result<bool> {
    Ok(Stat::of(fd).map_err(|errno| failure(doing, errno))?.size == size)
}

fn part(content: Bytes, range: ByteRange) -> Bytes {
    let range = range.within(content.len() as u64);
    // Both are at most the length, which is a usize.
    content.slice(range.start as usize..range.end as usize)
}

/// Opens a stream of part of a file.
pub(crate) fn open_reader(root: &Root, path: &str, range: ByteRange) -> Result<Reader> {
    let (fd, stat) = open_file(root, path, OFlags::RDONLY, DOING)?;
    if stat.size == 0 {
        return Ok(Box::new(Cursor::new(part(unsized_content(&fd, DOING)?, range))));
    }
    let wanted = range.within(stat.size);
    Ok(Box::new(FileReader { fd, size: stat.size, at: wanted.start, end: wanted.end }))
}

/// A file as it was when it was opened: what is appended later is not read.
#[derive(Debug)]
struct FileReader {
    fd: OwnedFd,
    size: u64,
    at: u64,
    end: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        match retry_on_intr(|| pread(&self.fd, &mut buffer[..wanted], self.at)) {
            Ok(0) if is_size_untrue(&self.fd, self.size, DOING)? => {
                self.end = self.at;
                Ok(0)
            }
            Ok(0) => Err(shrunk().into()),
            Ok(length) => {
                self.at += length as u64;
                Ok(length)
            }
            Err(errno) => Err(failure(DOING, errno).into()),
        }
    }
}

fn shrunk() -> Error {
    Error::new(ErrorKind::Busy, "cannot read the file: another program cut it short meanwhile")
        .hint("try again when that program is done")
}

fn too_large(size: u64) -> Error {
    Error::new(
        ErrorKind::ResourceExhausted,
        format!("cannot read the file: {size} bytes do not fit into memory"),
    )
    .hint("read it in ranges or as a stream")
}
