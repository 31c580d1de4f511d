//! The symbols that the loader looks up, its own and those of others.

use object::read::ReadRef;

use super::{Checked, Dynamic, Elf, Section, Segment, dynamic::tag, text_at, u16_at, u32_at, u64_at};

const SYMBOL: usize = 24;

/// In no section.
const UNDEFINED: u16 = 0;
/// A number, not an address.
const ABSOLUTE: u16 = 0xfff1;

const UNTYPED: u8 = 0;
const FUNCTION: u8 = 2;
const TLS: u8 = 6;
/// A function that is called while the library is loaded, to tell which one is meant. It differs from a function in one bit.
const INDIRECT: u8 = 10;

/// Who sees a symbol: all, some, or there is one for all.
const BINDINGS: [u8; 3] = [1, 2, 10];

pub(super) struct Symbols<'d> {
    pub(super) names: Vec<&'d [u8]>,
    pub(super) is_defined: Vec<bool>,
    table: &'d [u8],
    first_global: usize,
}

impl<'d> Symbols<'d> {
    pub(super) fn read(elf: &Elf<'d, impl ReadRef<'d>>, dynamic: &Dynamic<'d>) -> Checked<Self> {
        let section = elf.section(Section::SYMBOLS, "symbols")?.ok_or("it has no symbols")?;
        let address = dynamic.get(tag::SYMBOLS).unwrap_or_default();
        let table = elf.loaded(address, section.size)?;
        let entries = || table.chunks_exact(SYMBOL);
        let names = entries().map(|entry| text_at(dynamic.names, u32_at(entry, 0).into()));
        Ok(Self {
            names: names.collect::<Checked<_>>()?,
            is_defined: entries().map(|entry| u16_at(entry, 6) != UNDEFINED).collect(),
            table,
            first_global: section.info as usize,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn check(&self, elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
        if self.first_global == 0 || self.first_global > self.len() {
            return Err("its symbols are not in order".to_owned());
        }
        let tls = elf.segment(Segment::TLS, "thread-local data")?.map_or(0, |segment| segment.size);
        let mut entries = self.table.chunks_exact(SYMBOL).enumerate();
        let is_null = entries.next().is_some_and(|(_, entry)| entry.iter().all(|&byte| byte == 0));
        let wrong = entries.find(|(index, entry)| !self.is_sound(elf, *index, entry, tls));
        match wrong {
            None if is_null => Ok(()),
            Some((index, _)) => {
                let name = self.names.get(index).map(|name| String::from_utf8_lossy(name));
                Err(format!("its symbol {} cannot be right", name.unwrap_or_default()))
            }
            None => Err("its first symbol is not empty".to_owned()),
        }
    }

    fn is_sound(&self, elf: &Elf<'d, impl ReadRef<'d>>, index: usize, entry: &[u8], tls: u64) -> bool {
        let (binding, kind, other) = (entry[4] >> 4, entry[4] & 15, entry[5]);
        let (section, value, size) = (u16_at(entry, 6), u64_at(entry, 8), u64_at(entry, 16));
        if index < self.first_global {
            return binding == 0;
        }
        if !BINDINGS.contains(&binding) || kind == INDIRECT {
            return false;
        }
        match (section, elf.sections.get(usize::from(section))) {
            // One that is hidden would be taken for defined here.
            (UNDEFINED, _) => value == 0 && other == 0,
            (ABSOLUTE, _) => other <= 3,
            (_, Some(_)) if kind == TLS => value.checked_add(size).is_some_and(|end| end <= tls),
            // What linkers define themselves, such as the end of a section, may lie in another one.
            (_, Some(_)) if kind == UNTYPED => other & 0x3f <= 3 && elf.is_place(value),
            (_, Some(section)) => {
                let is_in_it = value >= section.address && value <= section.end();
                is_in_it && other & 0x3f <= 3 && (kind != FUNCTION || section.has(Section::EXECUTABLE))
            }
            (_, None) => false,
        }
    }
}
