//! Versions of symbols: which of which library are needed, and which are defined.

use std::collections::BTreeSet;

use object::read::ReadRef;

use super::{Checked, Dynamic, Elf, Section, Symbols, dynamic::tag, text_at, u16_at, u32_at};

/// Not for others, and for all: versions that are in no table.
const UNVERSIONED: [u16; 2] = [0, 1];

/// A version with this bit is only found by who asks for it.
const HIDDEN: u16 = 0x8000;

pub(super) fn check<'d>(
    elf: &Elf<'d, impl ReadRef<'d>>,
    dynamic: &Dynamic<'d>,
    symbols: &Symbols<'d>,
) -> Checked {
    let Some(address) = dynamic.get(tag::VERSIONS) else { return Ok(()) };
    let mut known = BTreeSet::from(UNVERSIONED);
    if let Some(section) = elf.section(Section::VERSIONS_NEEDED, "needed versions")? {
        let table = elf.loaded(section.address, section.size)?;
        needed(table, section.info, dynamic, &mut known).ok_or("its table of needed versions is damaged")?;
    }
    if let Some(section) = elf.section(Section::VERSIONS_DEFINED, "versions")? {
        let table = elf.loaded(section.address, section.size)?;
        defined(table, section.info, dynamic, &mut known).ok_or("its table of versions is damaged")?;
    }
    let of_symbols = elf.loaded(address, 2 * symbols.len() as u64)?;
    let size = elf.section(Section::VERSIONS, "versions of symbols")?.map(|section| section.size);
    let mut indices = of_symbols.chunks_exact(2).map(|index| u16_at(index, 0) & !HIDDEN);
    if size != Some(of_symbols.len() as u64) || !indices.all(|index| known.contains(&index)) {
        return Err("the versions of its symbols are damaged".to_owned());
    }
    Ok(())
}

/// The libraries, each with the versions that are needed of it. One that is not loaded along would end the process.
fn needed(table: &[u8], count: u32, dynamic: &Dynamic<'_>, known: &mut BTreeSet<u16>) -> Option<()> {
    let mut at = 0;
    for number in 1..=count {
        let library = entry(table, at, 16)?;
        let file = text_at(dynamic.names, u32_at(library, 4).into()).ok()?;
        if u16_at(library, 0) != 1 || !dynamic.needed.contains(&file) {
            return None;
        }
        let versions = u16_at(library, 2);
        let mut version_at = at.checked_add(u32_at(library, 8) as usize)?;
        for number in 1..=versions {
            let version = entry(table, version_at, 16)?;
            let name = text_at(dynamic.names, u32_at(version, 8).into()).ok()?;
            let index = u16_at(version, 6) & !HIDDEN;
            if u32_at(version, 0) != hash(name) || UNVERSIONED.contains(&index) || !known.insert(index) {
                return None;
            }
            version_at = next(version_at, u32_at(version, 12), number == versions)?;
        }
        at = next(at, u32_at(library, 12), number == count)?;
    }
    Some(())
}

fn defined(table: &[u8], count: u32, dynamic: &Dynamic<'_>, known: &mut BTreeSet<u16>) -> Option<()> {
    let mut at = 0;
    for number in 1..=count {
        let version = entry(table, at, 20)?;
        let (index, names) = (u16_at(version, 4) & !HIDDEN, u16_at(version, 6));
        // The first is the library's own name.
        if u16_at(version, 0) != 1 || names == 0 || (!known.insert(index) && index != 1) {
            return None;
        }
        let mut name_at = at.checked_add(u32_at(version, 12) as usize)?;
        for name_number in 1..=names {
            let name = entry(table, name_at, 8)?;
            let text = text_at(dynamic.names, u32_at(name, 0).into()).ok()?;
            if name_number == 1 && u32_at(version, 8) != hash(text) {
                return None;
            }
            name_at = next(name_at, u32_at(name, 4), name_number == names)?;
        }
        at = next(at, u32_at(version, 16), number == count)?;
    }
    Some(())
}

fn entry(table: &[u8], at: usize, size: usize) -> Option<&[u8]> {
    table.get(at..at.checked_add(size)?).filter(|_| at.is_multiple_of(4))
}

/// The last entry leads nowhere, and every other one on.
fn next(at: usize, step: u32, is_last: bool) -> Option<usize> {
    if is_last == (step == 0) { at.checked_add(step as usize) } else { None }
}

/// The hash of the System V ABI.
pub(super) fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}
