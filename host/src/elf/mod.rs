//! What the system's loader follows in an ELF library of 64 bits: whether every table, index and address leads to where it
//! can be followed.
//!
//! A library says most things twice, once to the linker (sections) and once to the loader (segments and `.dynamic`). So it is
//! not only ranges that are checked: where both tell of the same thing they have to agree, and hashes have to be those of
//! the names. What is told once only, such as where a pointer leads, is checked to be within the library; that it is the
//! right place, nobody can tell.

mod dynamic;
mod hashes;
mod headers;
mod relocations;
mod symbols;
mod versions;

use object::read::ReadRef;

use dynamic::Dynamic;
use symbols::Symbols;

/// What is wrong, in words.
pub(crate) type Checked<T = ()> = Result<T, String>;

/// Checks all of it.
pub(crate) fn check<'d>(data: impl ReadRef<'d>) -> Checked {
    let elf = Elf::read(data)?;
    headers::check(&elf)?;
    let dynamic = Dynamic::read(&elf)?;
    dynamic.check(&elf)?;
    let symbols = Symbols::read(&elf, &dynamic)?;
    symbols.check(&elf)?;
    versions::check(&elf, &dynamic, &symbols)?;
    hashes::check(&elf, &dynamic, &symbols)?;
    relocations::check(&elf, &dynamic, &symbols)
}

/// The headers.
struct Elf<'d, R> {
    data: R,
    machine: u16,
    /// Where the table of segments is in the file.
    segment_table: u64,
    segments: Vec<Segment>,
    sections: Vec<Section<'d>>,
}

/// What the loader maps or looks at.
#[derive(Debug, Clone, Copy)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    size: u64,
    alignment: u64,
}

impl Segment {
    const LOAD: u32 = 1;
    const DYNAMIC: u32 = 2;
    const NOTE: u32 = 4;
    const TABLE: u32 = 6;
    const TLS: u32 = 7;
    const EH_FRAME: u32 = 0x6474_e550;
    const RELRO: u32 = 0x6474_e552;

    const EXECUTABLE: u32 = 1;
    const WRITABLE: u32 = 2;
    const READABLE: u32 = 4;

    fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }

    fn holds(&self, address: u64, size: u64) -> bool {
        address >= self.address && address.checked_add(size).is_some_and(|end| end <= self.end())
    }
}

/// What the linker put together.
#[derive(Debug, Clone, Copy)]
struct Section<'d> {
    name: &'d [u8],
    kind: u32,
    flags: u64,
    address: u64,
    offset: u64,
    size: u64,
    link: u32,
    info: u32,
    alignment: u64,
}

impl Section<'_> {
    const RELOCATIONS: u32 = 4;
    const HASH: u32 = 5;
    const DYNAMIC: u32 = 6;
    const NO_BITS: u32 = 8;
    const SYMBOLS: u32 = 11;
    const INIT_ARRAY: u32 = 14;
    const FINI_ARRAY: u32 = 15;
    const RELATIVE_RELOCATIONS: u32 = 19;
    const GNU_HASH: u32 = 0x6fff_fff6;
    const VERSIONS_DEFINED: u32 = 0x6fff_fffd;
    const VERSIONS_NEEDED: u32 = 0x6fff_fffe;
    const VERSIONS: u32 = 0x6fff_ffff;

    const WRITABLE: u64 = 1;
    const LOADED: u64 = 2;
    const EXECUTABLE: u64 = 4;
    const TLS: u64 = 0x400;

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    fn end(&self) -> u64 {
        self.address.saturating_add(self.size)
    }
}

const HEADER: u64 = 64;
const SEGMENT: usize = 56;
const SECTION: usize = 64;

impl<'d, R: ReadRef<'d>> Elf<'d, R> {
    fn read(data: R) -> Checked<Self> {
        let header = data.read_bytes_at(0, HEADER).map_err(|()| "it has no header".to_owned())?;
        let sizes = [u16_at(header, 52), u16_at(header, 54), u16_at(header, 58)];
        if u32_at(header, 20) != 1 || sizes.map(usize::from) != [HEADER as usize, SEGMENT, SECTION] {
            return Err("its header has the wrong version or sizes".to_owned());
        }
        let (segment_table, section_table) = (u64_at(header, 32), u64_at(header, 40));
        let (segment_count, section_count) = (u16_at(header, 56), u16_at(header, 60));
        let table = |what: &str, offset: u64, count: u16, size: usize| {
            let is_sound = offset.is_multiple_of(8) && count > 0 && count < 0xff00;
            let bytes = data.read_bytes_at(offset, u64::from(count) * size as u64);
            bytes
                .ok()
                .filter(|_| is_sound)
                .ok_or_else(|| format!("its table of {what} is not where it should be"))
        };
        let segments = table("segments", segment_table, segment_count, SEGMENT)?;
        let segments = segments.chunks_exact(SEGMENT).map(|entry| Segment {
            kind: u32_at(entry, 0),
            flags: u32_at(entry, 4),
            offset: u64_at(entry, 8),
            address: u64_at(entry, 16),
            file_size: u64_at(entry, 32),
            size: u64_at(entry, 40),
            alignment: u64_at(entry, 48),
        });
        let sections = table("sections", section_table, section_count, SECTION)?;
        let names = sections.chunks_exact(SECTION).nth(usize::from(u16_at(header, 62)));
        let names = names.ok_or("it has no names of sections")?;
        let names = data
            .read_bytes_at(u64_at(names, 24), u64_at(names, 32))
            .map_err(|()| "the names of its sections cannot be read".to_owned())?;
        let section = |entry: &[u8]| {
            Ok(Section {
                name: text_at(names, u32_at(entry, 0).into())?,
                kind: u32_at(entry, 4),
                flags: u64_at(entry, 8),
                address: u64_at(entry, 16),
                offset: u64_at(entry, 24),
                size: u64_at(entry, 32),
                link: u32_at(entry, 40),
                info: u32_at(entry, 44),
                alignment: u64_at(entry, 48),
            })
        };
        Ok(Self {
            data,
            machine: u16_at(header, 18),
            segment_table,
            segments: segments.collect(),
            sections: sections.chunks_exact(SECTION).map(section).collect::<Checked<_>>()?,
        })
    }

    fn segments_of(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.kind == kind)
    }

    /// The only segment of a kind, of which there may be none.
    fn segment(&self, kind: u32, what: &str) -> Checked<Option<&Segment>> {
        let mut all = self.segments_of(kind);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(format!("it has two segments of {what}")),
            (one, None) => Ok(one),
        }
    }

    /// The only loaded section of a kind, of which there may be none.
    fn section(&self, kind: u32, what: &str) -> Checked<Option<&Section<'d>>> {
        let is_meant = |section: &&Section<'_>| section.kind == kind && section.has(Section::LOADED);
        let mut all = self.sections.iter().filter(is_meant);
        match (all.next(), all.next()) {
            (_, Some(_)) => Err(format!("it has two sections of {what}")),
            (one, None) => Ok(one),
        }
    }

    fn named(&self, name: &[u8]) -> Option<&Section<'d>> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// What of the file is mapped to an address.
    fn loaded(&self, address: u64, size: u64) -> Checked<&'d [u8]> {
        let from_file =
            |segment: &&Segment| Segment { size: segment.file_size, ..**segment }.holds(address, size);
        let segment = self.segments_of(Segment::LOAD).find(from_file);
        let bytes = segment.and_then(|segment| {
            self.data.read_bytes_at(segment.offset.checked_add(address - segment.address)?, size).ok()
        });
        bytes.ok_or_else(|| format!("{size} bytes at {address:#x} are not in the file"))
    }

    /// Whether memory at an address is mapped so that it can be used in this way.
    fn is_mapped(&self, address: u64, size: u64, flags: u32) -> bool {
        let mut loaded = self.segments_of(Segment::LOAD);
        loaded.any(|segment| segment.holds(address, size) && segment.flags & flags == flags)
    }

    /// Whether a pointer can lead there: into the library, or to an end of something in it.
    fn is_place(&self, address: u64) -> bool {
        let mut loaded = self.segments_of(Segment::LOAD);
        loaded.any(|segment| address >= segment.address && address <= segment.end())
    }

    /// Whether there can be a function at an address.
    fn is_code(&self, address: u64) -> bool {
        self.is_mapped(address, 1, Segment::EXECUTABLE)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    array_at(bytes, at).map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    array_at(bytes, at).map_or(0, u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    array_at(bytes, at).map_or(0, u64::from_le_bytes)
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The text that begins at an offset of a table of texts, without its NUL.
fn text_at(table: &[u8], at: u64) -> Checked<&[u8]> {
    let rest = usize::try_from(at).ok().and_then(|at| table.get(at..)).unwrap_or_default();
    let end = rest
        .iter()
        .position(|&byte| byte == 0)
        .ok_or("a name begins or ends outside of the table of names")?;
    Ok(&rest[..end])
}
