//! From one file to another, without a detour through memory where the file system can do better.

use rustix::{
    fd::OwnedFd,
    fs::{SeekFrom, copy_file_range, ftruncate, ioctl_ficlone, seek},
    io::{self, Errno, retry_on_intr},
};

use super::stat::Stat;

/// What goes through memory, in bytes at a time.
const CHUNK: usize = 256 << 10;

/// Copies the first `size` bytes to the beginning of `to`, which is as long afterwards if it was not longer before. Holes stay
/// holes where the file system tells of them, and blocks are shared where it can share them.
///
/// # Errors
///
/// `AGAIN` if the file is shorter by now.
pub(crate) fn copy_content(from: &OwnedFd, to: &OwnedFd, size: u64) -> io::Result<()> {
    // All of it, which may be more by now: whoever asks for a size looks at it again afterwards.
    if Stat::of(to)?.size == 0 && ioctl_ficlone(to, from).is_ok() {
        return match Stat::of(to)?.size {
            cloned if cloned < size => Err(Errno::AGAIN),
            cloned if cloned > size => ftruncate(to, size),
            _ => Ok(()),
        };
    }
    let mut at = 0;
    while at < size {
        let Some((start, end)) = next_data(from, at, size)? else { break };
        if !copy_range(from, to, start, end)? {
            return Ok(());
        }
        at = end;
    }
    // What follows the last data is a hole. What was there before stays longer.
    if Stat::of(to)?.size < size { ftruncate(to, size) } else { Ok(()) }
}

/// The next part of a file from `at` on that is no hole; `None` if there is none before `size`.
fn next_data(from: &OwnedFd, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    let start = match seek(from, SeekFrom::Data(at)) {
        Ok(start) if start >= size => return Ok(None),
        Ok(start) => start,
        // Nothing but a hole up to the end, or the file is shorter by now.
        Err(Errno::NXIO) if Stat::of(from)?.size >= size => return Ok(None),
        Err(Errno::NXIO) => return Err(Errno::AGAIN),
        // The file system does not tell.
        Err(_) => return Ok(Some((at, size))),
    };
    let end = seek(from, SeekFrom::Hole(start)).unwrap_or(size);
    Ok(Some((start, end.clamp(start + 1, size))))
}

/// Whether all was there: the kernel's own files, in /sys, are shorter than they claim to be.
fn copy_range(from: &OwnedFd, to: &OwnedFd, mut at: u64, end: u64) -> io::Result<bool> {
    while at < end {
        let left = usize::try_from(end - at).unwrap_or(usize::MAX).min(1 << 30);
        let (mut from_at, mut to_at) = (at, at);
        match copy_file_range(from, Some(&mut from_at), to, Some(&mut to_at), left) {
            Ok(0) => return copy_through_memory(from, to, at, end),
            Ok(copied) => at += copied as u64,
            Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                return copy_through_memory(from, to, at, end);
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(true)
}

fn copy_through_memory(from: &OwnedFd, to: &OwnedFd, mut at: u64, end: u64) -> io::Result<bool> {
    let size = Stat::of(from)?.size;
    let mut buffer = vec![0; CHUNK];
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
        let length = retry_on_intr(|| io::pread(from, &mut buffer[..wanted], at))?;
        if length == 0 {
            // Either it claims to be longer than it is, or it was cut short meanwhile.
            return if size >= end && Stat::of(from)?.size == size { Ok(false) } else { Err(Errno::AGAIN) };
        }
        let mut piece = &buffer[..length];
        while !piece.is_empty() {
            let written = retry_on_intr(|| io::pwrite(to, piece, at))?;
            piece = &piece[written..];
            at += written as u64;
        }
    }
    Ok(true)
}
