//! Reading: one version of a file, in one buffer or as a stream.

use std::io::Read;

use f9_plugin_api::{ByteRange, Bytes, Error, ErrorKind, Result};
use rustix::{
    buffer::spare_capacity,
    fd::OwnedFd,
    fs::OFlags,
    io::{pread, retry_on_intr},
};

use crate::{
    errors::{failure, is_a_directory, not_a_regular_file},
    resolve::Root,
    stat::Stat,
};

/// Opens a regular file. Neither a pipe without a writer nor a terminal can hold up or take over the process.
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
    let doing = "read the file";
    let (fd, stat) = open_file(root, path, OFlags::RDONLY, doing)?;
    let range = range.within(stat.size);
    let length = usize::try_from(range.end - range.start).map_err(|_| too_large(stat.size))?;
    let mut content = Vec::new();
    content.try_reserve_exact(length).map_err(|_| too_large(stat.size))?;
    while content.len() < length {
        let at = range.start + content.len() as u64;
        let read = retry_on_intr(|| pread(&fd, spare_capacity(&mut content), at));
        if read.map_err(|errno| failure(doing, errno))? == 0 {
            return Err(shrunk());
        }
    }
    content.truncate(length); // an allocator may give more room than was asked for
    Ok(content.into())
}

/// A file as it was when it was opened: what is appended later is not read.
#[derive(Debug)]
pub(crate) struct FileReader {
    fd: OwnedFd,
    at: u64,
    end: u64,
}

impl FileReader {
    pub(crate) fn open(root: &Root, path: &str, range: ByteRange) -> Result<Self> {
        let (fd, stat) = open_file(root, path, OFlags::RDONLY, "read the file")?;
        let range = range.within(stat.size);
        Ok(Self { fd, at: range.start, end: range.end })
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        if wanted == 0 {
            return Ok(0);
        }
        match retry_on_intr(|| pread(&self.fd, &mut buffer[..wanted], self.at)) {
            Ok(0) => Err(shrunk().into()),
            Ok(length) => {
                self.at += length as u64;
                Ok(length)
            }
            Err(errno) => Err(failure("read the file", errno).into()),
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
