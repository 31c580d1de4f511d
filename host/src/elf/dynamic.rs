//! The table by which the loader finds all others, and whether it agrees with the sections.

use std::collections::BTreeMap;

use object::read::ReadRef;

use super::{Checked, Elf, Section, Segment, text_at, u32_at, u64_at};

/// The tags that are looked at.
pub(super) mod tag {
    pub(crate) const NEEDED: u64 = 1;
    pub(crate) const PLT_SIZE: u64 = 2;
    pub(crate) const PLT_GOT: u64 = 3;
    pub(crate) const HASH: u64 = 4;
    pub(crate) const NAMES: u64 = 5;
    pub(crate) const SYMBOLS: u64 = 6;
    pub(crate) const RELOCATIONS: u64 = 7;
    pub(crate) const RELOCATIONS_SIZE: u64 = 8;
    pub(crate) const RELOCATION_SIZE: u64 = 9;
    pub(crate) const NAMES_SIZE: u64 = 10;
    pub(crate) const SYMBOL_SIZE: u64 = 11;
    pub(crate) const INIT: u64 = 12;
    pub(crate) const FINI: u64 = 13;
    pub(crate) const SONAME: u64 = 14;
    pub(crate) const RPATH: u64 = 15;
    pub(crate) const SHORT_RELOCATIONS: u64 = 17;
    pub(crate) const PLT_KIND: u64 = 20;
    pub(crate) const PLT: u64 = 23;
    pub(crate) const INIT_ARRAY: u64 = 25;
    pub(crate) const FINI_ARRAY: u64 = 26;
    pub(crate) const INIT_ARRAY_SIZE: u64 = 27;
    pub(crate) const FINI_ARRAY_SIZE: u64 = 28;
    pub(crate) const RUNPATH: u64 = 29;
    pub(crate) const RELATIVE_SIZE: u64 = 35;
    pub(crate) const RELATIVE: u64 = 36;
    pub(crate) const RELATIVE_ENTRY: u64 = 37;
    pub(crate) const GNU_HASH: u64 = 0x6fff_fef5;
    pub(crate) const VERSIONS: u64 = 0x6fff_fff0;
    pub(crate) const RELATIVE_COUNT: u64 = 0x6fff_fff9;
    pub(crate) const DEFINED: u64 = 0x6fff_fffc;
    pub(crate) const DEFINED_COUNT: u64 = 0x6fff_fffd;
    pub(crate) const VERSIONS_NEEDED: u64 = 0x6fff_fffe;
    pub(crate) const NEEDED_COUNT: u64 = 0x6fff_ffff;
    pub(crate) const AUXILIARY: u64 = 0x7fff_fffd;
    pub(crate) const FILTER: u64 = 0x7fff_ffff;
}

const SYMBOL: u64 = 24;
const RELOCATION: u64 = 24;

/// What the table says, and the names that it and the symbols use.
pub(super) struct Dynamic<'d> {
    values: BTreeMap<u64, u64>,
    /// The names of the libraries that are loaded along.
    pub(super) needed: Vec<&'d [u8]>,
    pub(super) names: &'d [u8],
}

/// What a section says of itself.
type Says = fn(&Section<'_>) -> u64;

impl<'d> Dynamic<'d> {
    pub(super) fn read(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked<Self> {
        let segment = elf.segment(Segment::DYNAMIC, "dynamic data")?.ok_or("it has no dynamic segment")?;
        let section = elf.section(Section::DYNAMIC, "dynamic data")?.ok_or("it has no dynamic section")?;
        let place = (segment.address, segment.offset, segment.size, segment.file_size);
        if place != (section.address, section.offset, section.size, section.size) {
            return Err("its dynamic segment is not where its section is".to_owned());
        }
        let table = elf.loaded(segment.address, segment.size)?;
        let (mut values, mut needed, mut has_end) = (BTreeMap::new(), Vec::new(), false);
        for entry in table.chunks_exact(16) {
            let (name, value) = (u64_at(entry, 0), u64_at(entry, 8));
            match name {
                0 => {
                    has_end = true;
                    break;
                }
                tag::NEEDED => needed.push(value),
                tag::AUXILIARY | tag::FILTER => return Err("it stands in for another library".to_owned()),
                name if values.insert(name, value).is_some() => {
                    return Err(format!("its dynamic section has the tag {name:#x} twice"));
                }
                _ => {}
            }
        }
        if !has_end {
            return Err("its dynamic section has no end".to_owned());
        }
        let get = |name| values.get(&name).copied().ok_or("its dynamic section names no names");
        let names = elf.loaded(get(tag::NAMES)?, get(tag::NAMES_SIZE)?)?;
        if names.last() != Some(&0) {
            return Err("its table of names has no end".to_owned());
        }
        let needed = needed.into_iter().map(|at| text_at(names, at)).collect::<Checked<_>>()?;
        Ok(Self { values, needed, names })
    }

    pub(super) fn get(&self, name: u64) -> Option<u64> {
        self.values.get(&name).copied()
    }

    pub(super) fn check(&self, elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
        self.check_symbols(elf)?;
        for (name, kind) in [
            (tag::HASH, Section::HASH),
            (tag::GNU_HASH, Section::GNU_HASH),
            (tag::VERSIONS, Section::VERSIONS),
        ] {
            self.agree(elf, kind, &[(name, |section| section.address)])?;
        }
        let (address, size, info): (Says, Says, Says) =
            (|section| section.address, |section| section.size, |section| section.info.into());
        for (kind, names) in [
            (Section::VERSIONS_NEEDED, [(tag::VERSIONS_NEEDED, address), (tag::NEEDED_COUNT, info)]),
            (Section::VERSIONS_DEFINED, [(tag::DEFINED, address), (tag::DEFINED_COUNT, info)]),
            (Section::INIT_ARRAY, [(tag::INIT_ARRAY, address), (tag::INIT_ARRAY_SIZE, size)]),
            (Section::FINI_ARRAY, [(tag::FINI_ARRAY, address), (tag::FINI_ARRAY_SIZE, size)]),
            (Section::RELATIVE_RELOCATIONS, [(tag::RELATIVE, address), (tag::RELATIVE_SIZE, size)]),
        ] {
            self.agree(elf, kind, &names)?;
        }
        self.check_relocations(elf)?;
        for name in [tag::SONAME, tag::RPATH, tag::RUNPATH] {
            self.get(name).map_or(Ok(()), |at| text_at(self.names, at).map(drop))?;
        }
        for (name, section) in [(tag::INIT, b".init"), (tag::FINI, b".fini")] {
            let section = elf.named(section).map(|section| section.address);
            match (self.get(name), section) {
                (one, other) if one == other => {}
                // Or another function was named for it.
                (Some(address), _) if elf.is_code(address) && begins_frame(elf, address)? => {}
                _ => return Err("what is run first or last is not where its section is".to_owned()),
            }
        }
        let got = self.get(tag::PLT_GOT);
        if got.is_some_and(|address| !elf.is_mapped(address, 8, Segment::WRITABLE)) {
            return Err("its table of offsets cannot be written to".to_owned());
        }
        Ok(())
    }

    /// Whether what the table says is what a section of this kind says. Either both tell of it, or none.
    fn agree(&self, elf: &Elf<'d, impl ReadRef<'d>>, kind: u32, names: &[(u64, Says)]) -> Checked {
        let section = elf.section(kind, &format!("the kind {kind:#x}"))?;
        for (name, says) in names {
            if self.get(*name) != section.map(says) {
                return Err(format!("its dynamic section and its sections disagree about the tag {name:#x}"));
            }
        }
        Ok(())
    }

    fn check_symbols(&self, elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
        let symbols = elf.section(Section::SYMBOLS, "symbols")?.ok_or("it has no symbols")?;
        let names = elf.sections.get(symbols.link as usize).ok_or("its symbols have no names")?;
        let said = [tag::SYMBOLS, tag::SYMBOL_SIZE, tag::NAMES, tag::NAMES_SIZE].map(|name| self.get(name));
        if said != [symbols.address, SYMBOL, names.address, names.size].map(Some)
            || !symbols.size.is_multiple_of(SYMBOL)
        {
            return Err("its dynamic section and its sections disagree about symbols".to_owned());
        }
        Ok(())
    }

    /// What is relocated on loading is told in two ranges, which the sections make up.
    fn check_relocations(&self, elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
        let damaged = || "its dynamic section and its sections disagree about relocations".to_owned();
        let entry = self.get(tag::RELOCATION_SIZE);
        let is_sound = entry.is_none_or(|size| size == RELOCATION)
            && entry.is_some() == self.get(tag::RELOCATIONS).is_some()
            && self.get(tag::PLT_KIND).is_none_or(|kind| kind == tag::RELOCATIONS)
            && self.get(tag::PLT_KIND).is_some() == self.get(tag::PLT).is_some()
            && self.get(tag::RELATIVE_ENTRY).is_none_or(|size| size == 8)
            && self.get(tag::RELATIVE_ENTRY).is_some() == self.get(tag::RELATIVE).is_some()
            && self.get(tag::SHORT_RELOCATIONS).is_none();
        let ranges = self.relocation_ranges().ok_or_else(damaged)?;
        let is_meant =
            |section: &&Section<'_>| section.kind == Section::RELOCATIONS && section.has(Section::LOADED);
        let sections = || elf.sections.iter().filter(is_meant);
        let is_within = |section: &Section<'_>| {
            ranges.iter().any(|(start, size)| {
                section.address >= *start && section.end() <= start.saturating_add(*size)
            })
        };
        let total = |sizes: &mut dyn Iterator<Item = u64>| sizes.fold(0, u64::saturating_add);
        let told = total(&mut ranges.iter().map(|(_, size)| *size));
        let made = total(&mut sections().map(|section| section.size));
        if is_sound && sections().all(is_within) && told == made { Ok(()) } else { Err(damaged()) }
    }

    /// Where relocations are, as address and size: all, and those of functions.
    pub(super) fn relocation_ranges(&self) -> Option<[(u64, u64); 2]> {
        let range = |start, size| match (self.get(start), self.get(size)) {
            (Some(start), Some(size)) => Some((start, size)),
            (None, None) => Some((0, 0)),
            _ => None,
        };
        Some([range(tag::RELOCATIONS, tag::RELOCATIONS_SIZE)?, range(tag::PLT, tag::PLT_SIZE)?])
    }
}

/// Whether a function begins there, by the table that panics are unwound by: sorted pairs of a function and its frame, both
/// from the table's own address on.
fn begins_frame<'d>(elf: &Elf<'d, impl ReadRef<'d>>, address: u64) -> Checked<bool> {
    /// The only encoding that linkers write: 32 bits with sign, from there on or from the table on.
    const ENCODING: [u8; 4] = [1, 0x1b, 3, 0x3b];

    let Some(section) = elf.named(b".eh_frame_hdr") else { return Ok(false) };
    let table = elf.loaded(section.address, section.size)?;
    if !table.starts_with(&ENCODING) {
        return Ok(false);
    }
    let functions = table
        .get(12..)
        .unwrap_or_default()
        .chunks_exact(8)
        .map(|pair| section.address.wrapping_add_signed(i64::from(u32_at(pair, 0).cast_signed())));
    Ok(functions.take(u32_at(table, 8) as usize).any(|function| function == address))
}
