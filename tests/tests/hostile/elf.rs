//! Where a library's headers have what, so that it can be altered: ELF of 64 bits, little-endian.
//!
//! <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>

use super::find;

pub(crate) const CLASS: usize = 4;
pub(crate) const ENDIANNESS: usize = 5;
pub(crate) const VERSION: usize = 6;
pub(crate) const TYPE: usize = 16;
pub(crate) const MACHINE: usize = 18;
pub(crate) const SEGMENTS: usize = 32;
pub(crate) const SECTIONS: usize = 40;
pub(crate) const SEGMENT_SIZE: usize = 54;
pub(crate) const SEGMENT_COUNT: usize = 56;
pub(crate) const SECTION_SIZE: usize = 58;
pub(crate) const SECTION_COUNT: usize = 60;
pub(crate) const SECTION_NAMES: usize = 62;

/// Offsets in a segment's header.
pub(crate) const FILE_OFFSET: usize = 8;
pub(crate) const ADDRESS: usize = 16;
pub(crate) const FILE_SIZE: usize = 32;
pub(crate) const MEMORY_SIZE: usize = 40;
pub(crate) const ALIGNMENT: usize = 48;

/// Offsets in a section's header.
pub(crate) const OFFSET: usize = 24;
pub(crate) const SIZE: usize = 32;
pub(crate) const LINK: usize = 40;

const LOAD: u32 = 1;
const DYNAMIC_SYMBOLS: u32 = 11;

/// A library that is altered.
#[derive(Clone)]
pub(crate) struct Elf(pub(crate) Vec<u8>);

impl Elf {
    pub(crate) fn u16(mut self, at: usize, value: u16) -> Self {
        self.0[at..at + 2].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn u64(mut self, at: usize, value: u64) -> Self {
        self.0[at..at + 8].copy_from_slice(&value.to_le_bytes());
        self
    }

    pub(crate) fn byte(mut self, at: usize, value: u8) -> Self {
        self.0[at] = value;
        self
    }

    pub(crate) fn cut(mut self, length: usize) -> Self {
        self.0.truncate(length);
        self
    }

    /// Exchanges a text for one of the same length, wherever it is.
    pub(crate) fn text(mut self, from: &str, to: &str) -> Self {
        assert_eq!(from.len(), to.len());
        find(&self.0, from.as_bytes());
        let mut at = 0;
        while let Some(next) = self.0[at..].windows(from.len()).position(|window| window == from.as_bytes()) {
            at += next;
            self.0[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        self
    }

    fn read<const N: usize>(&self, at: usize) -> [u8; N] {
        self.0[at..at + N].try_into().unwrap()
    }

    pub(crate) fn number(&self, at: usize) -> u64 {
        u64::from_le_bytes(self.read(at))
    }

    /// Where the header of the loaded segment `n` is.
    pub(crate) fn loaded_segment(&self, n: usize) -> usize {
        let table = self.number(SEGMENTS) as usize;
        let count = u16::from_le_bytes(self.read(SEGMENT_COUNT)) as usize;
        let headers = (0..count).map(|i| table + i * 56);
        headers.filter(|&at| u32::from_le_bytes(self.read(at)) == LOAD).nth(n).unwrap()
    }

    /// Where in the file the sections of this kind are.
    pub(crate) fn sections_of(&self, kind: u32) -> Vec<std::ops::Range<usize>> {
        let table = self.number(SECTIONS) as usize;
        let count = u16::from_le_bytes(self.read(SECTION_COUNT)) as usize;
        let headers = (0..count).map(|i| table + i * 64);
        let of_kind = headers.filter(|&at| u32::from_le_bytes(self.read(at + 4)) == kind);
        of_kind
            .map(|at| {
                self.number(at + OFFSET) as usize
                    ..(self.number(at + OFFSET) + self.number(at + SIZE)) as usize
            })
            .collect()
    }

    /// Where the header of the section with the dynamic symbols is.
    pub(crate) fn dynamic_symbols(&self) -> usize {
        let table = self.number(SECTIONS) as usize;
        let count = u16::from_le_bytes(self.read(SECTION_COUNT)) as usize;
        let mut headers = (0..count).map(|i| table + i * 64);
        headers.find(|&at| u32::from_le_bytes(self.read(at + 4)) == DYNAMIC_SYMBOLS).unwrap()
    }

    /// Where the value of the dynamic symbol of this name is.
    pub(crate) fn value_of_symbol(&self, name: &str) -> usize {
        let symbols = self.dynamic_symbols();
        let names =
            self.number(SECTIONS) as usize + 64 * u32::from_le_bytes(self.read(symbols + LINK)) as usize;
        let (start, names) = (self.number(symbols + OFFSET) as usize, self.number(names + OFFSET) as usize);
        let count = self.number(symbols + SIZE) as usize / 24;
        let is_called_so = |at: &usize| {
            let at = names + u32::from_le_bytes(self.read(*at)) as usize;
            self.0[at..].starts_with(name.as_bytes())
        };
        (0..count).map(|i| start + i * 24).find(is_called_so).unwrap() + 8
    }
}
