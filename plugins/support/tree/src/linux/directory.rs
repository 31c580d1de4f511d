//! Reading a directory: a block of entries at a time.

use std::{ffi::CStr, ops::Range};

use rustix::{
    fd::{AsFd, BorrowedFd, OwnedFd},
    fs::{FileType, RawDir, SeekFrom, seek},
    io,
};

/// How many bytes of entries the kernel is asked for at a time: some thousand entries.
const BLOCK: usize = 32 << 10;

/// An open directory, and the entries that were read of it last.
#[derive(Debug)]
pub(crate) struct Directory {
    fd: OwnedFd,
    /// The names in the block, each with its NUL.
    names: Vec<u8>,
    block: Vec<Place>,
    /// How many entries of the block have had their turn.
    done: usize,
    /// Where reading goes on, in the file system's own terms.
    position: u64,
}

/// An entry of a block.
#[derive(Debug)]
struct Place {
    name: Range<usize>,
    file_type: FileType,
    /// That of the next entry.
    position: u64,
}

/// What a directory says of an entry.
#[derive(Debug)]
pub(crate) struct Entry<'d> {
    /// With its NUL.
    name: &'d [u8],
    /// Not every file system tells.
    pub(crate) file_type: FileType,
}

impl<'d> Entry<'d> {
    pub(crate) fn name(&self) -> &'d [u8] {
        self.name.strip_suffix(&[0]).unwrap_or(self.name)
    }

    /// The name as system calls take it.
    pub(crate) fn c_name(&self) -> &'d CStr {
        CStr::from_bytes_with_nul(self.name).unwrap_or_default()
    }
}

impl Directory {
    /// Reads from the start.
    pub(crate) const fn new(fd: OwnedFd) -> Self {
        Self { fd, names: Vec::new(), block: Vec::new(), done: 0, position: 0 }
    }

    /// Reads from a position that it has had when it was open before.
    pub(crate) fn at(fd: OwnedFd, position: u64) -> io::Result<Self> {
        seek(&fd, SeekFrom::Start(position))?;
        Ok(Self { position, ..Self::new(fd) })
    }

    /// Goes to the next entry; `false` at the end.
    pub(crate) fn advance(&mut self) -> io::Result<bool> {
        self.done += 1;
        if self.done > self.block.len() {
            self.read()?;
        }
        let Some(place) = self.block.get(self.done - 1) else { return Ok(false) };
        self.position = place.position;
        Ok(true)
    }

    /// The entry it has come to.
    pub(crate) fn entry(&self) -> Option<Entry<'_>> {
        let place = self.block.get(self.done.checked_sub(1)?)?;
        Some(Entry { name: self.names.get(place.name.clone())?, file_type: place.file_type })
    }

    /// Where the entry after that one is.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next block, and goes to its first entry.
    fn read(&mut self) -> io::Result<()> {
        self.done = 1;
        self.block.clear();
        self.names.clear();
        let mut buffer = Vec::<u8>::with_capacity(BLOCK);
        let mut entries = RawDir::new(&self.fd, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let (file_type, position) = (entry.file_type(), entry.next_entry_cookie());
            let start = self.names.len();
            self.names.extend_from_slice(entry.file_name().to_bytes_with_nul());
            self.block.push(Place { name: start..self.names.len(), file_type, position });
            if entries.is_buffer_empty() {
                break;
            }
        }
        Ok(())
    }
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
