//! What the loader writes where: into memory that can be written to, of symbols that there are, and functions for what it
//! calls.

use std::collections::HashMap;

use object::read::ReadRef;

use super::{Checked, Dynamic, Elf, Segment, Symbols, dynamic::tag, u32_at, u64_at};

const RELOCATION: usize = 24;

const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// The numbers of a machine's relocations. Others do not occur in libraries, or not outside of what is not checked.
struct Kinds {
    /// The address at which the library is, and an offset.
    relative: u32,
    /// What a function answers that is called for it.
    indirect: u32,
    /// The address of a symbol.
    symbol: [u32; 3],
    /// Something about a thread's data, in one word or (the last) in two.
    tls: [u32; 4],
}

fn kinds(machine: u16) -> Option<Kinds> {
    match machine {
        X86_64 => Some(Kinds { relative: 8, indirect: 37, symbol: [1, 6, 7], tls: [16, 17, 18, 36] }),
        AARCH64 => Some(Kinds {
            relative: 1027,
            indirect: 1032,
            symbol: [257, 1025, 1026],
            tls: [1028, 1029, 1030, 1031],
        }),
        _ => None,
    }
}

/// Of other machines only what lies where is checked.
pub(super) fn check<'d>(
    elf: &Elf<'d, impl ReadRef<'d>>,
    dynamic: &Dynamic<'d>,
    symbols: &Symbols<'d>,
) -> Checked {
    let kinds = kinds(elf.machine);
    let damaged = |what: &str| format!("its relocations are damaged: {what}");
    let [all, of_functions] = dynamic.relocation_ranges().ok_or_else(|| damaged("a size is missing"))?;
    let array = |start, size| (dynamic.get(start).unwrap_or(0), dynamic.get(size).unwrap_or(0));
    let arrays = [array(tag::INIT_ARRAY, tag::INIT_ARRAY_SIZE), array(tag::FINI_ARRAY, tag::FINI_ARRAY_SIZE)];
    let writable = elf.segments_of(Segment::LOAD).filter(|segment| segment.flags & Segment::WRITABLE != 0);
    let mut run = Run {
        elf,
        kinds: kinds.as_ref(),
        symbols: symbols.len(),
        writable: writable.map(|segment| (segment.address, segment.end())).collect(),
        arrays,
        functions: HashMap::new(),
    };
    let all = if all.1 == 0 { &[][..] } else { elf.loaded(all.0, all.1)? };
    let of_functions =
        if of_functions.1 == 0 { &[][..] } else { elf.loaded(of_functions.0, of_functions.1)? };
    let mut written = Vec::with_capacity((all.len() + of_functions.len()) / RELOCATION);
    for entry in all.chunks_exact(RELOCATION).chain(of_functions.chunks_exact(RELOCATION)) {
        let at = run.check(entry).ok_or_else(|| damaged("one leads out of the library"))?;
        written.push(at);
    }
    written.sort_unstable();
    if written.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(damaged("two are for the same place"));
    }
    if let (Some(kinds), Some(count)) = (&kinds, dynamic.get(tag::RELATIVE_COUNT)) {
        let is_relative = |entry: &&[u8]| u32_at(entry, 8) == kinds.relative;
        if all.chunks_exact(RELOCATION).take_while(is_relative).count() as u64 != count {
            return Err(damaged("their count is wrong"));
        }
    }
    let relative = dynamic.get(tag::RELATIVE).zip(dynamic.get(tag::RELATIVE_SIZE));
    if let Some((address, size)) = relative {
        run.check_packed(elf.loaded(address, size)?)
            .ok_or_else(|| damaged("one leads out of the library"))?;
    }
    for (start, size) in arrays {
        run.check_functions(start, size, relative.is_some())?;
    }
    Ok(())
}

struct Run<'e, 'd, R> {
    elf: &'e Elf<'d, R>,
    kinds: Option<&'e Kinds>,
    symbols: usize,
    /// Where memory can be written to that begins and ends there.
    writable: Vec<(u64, u64)>,
    /// Where the loader finds what to call, as address and size.
    arrays: [(u64, u64); 2],
    /// What is put there, and whether it leads to code.
    functions: HashMap<u64, bool>,
}

impl<'d, R: ReadRef<'d>> Run<'_, 'd, R> {
    /// Where it writes; `None` if that cannot be.
    fn check(&mut self, entry: &[u8]) -> Option<u64> {
        let (at, kind, symbol, addend) =
            (u64_at(entry, 0), u32_at(entry, 8), u32_at(entry, 12) as usize, u64_at(entry, 16));
        let Some(kinds) = self.kinds else {
            let is_there = self.is_writable(at, 4);
            return (is_there && symbol < self.symbols).then_some(at);
        };
        let size = if kind == kinds.tls[3] { 16 } else { 8 };
        if !at.is_multiple_of(8) || !self.is_writable(at, size) || symbol >= self.symbols {
            return None;
        }
        let is_sound = match kind {
            kind if kind == kinds.relative => symbol == 0 && self.elf.is_place(addend),
            kind if kind == kinds.indirect => symbol == 0 && self.elf.is_code(addend),
            kind if kinds.symbol.contains(&kind) => symbol != 0,
            kind => kinds.tls.contains(&kind),
        };
        let is_called = self.arrays.iter().any(|(start, size)| at >= *start && at - start < *size);
        if is_called && (kind == kinds.relative || kinds.symbol.contains(&kind)) {
            self.functions.insert(at, kind != kinds.relative || self.elf.is_code(addend));
        }
        is_sound.then_some(at)
    }

    fn is_writable(&self, at: u64, size: u64) -> bool {
        self.writable.iter().any(|(start, end)| at >= *start && at < *end && size <= end - at)
    }

    /// Relocations of which only the place is told: an address, or a bit for each of the 63 words that follow.
    fn check_packed(&self, table: &[u8]) -> Option<()> {
        let is_writable = |at: u64| self.is_writable(at, 8);
        let mut next: Option<u64> = None;
        for entry in table.chunks_exact(8).map(|entry| u64_at(entry, 0)) {
            if entry & 1 == 0 {
                if !entry.is_multiple_of(8) || !is_writable(entry) {
                    return None;
                }
                next = Some(entry + 8);
                continue;
            }
            let start = next?;
            let mut words = (0..63).filter(|word| entry >> (word + 1) & 1 == 1);
            if !words.all(|word| start.checked_add(8 * word).is_some_and(is_writable)) {
                return None;
            }
            next = start.checked_add(8 * 63);
        }
        Some(())
    }

    /// Whether an array that the loader goes through leads to functions.
    fn check_functions(&self, start: u64, size: u64, is_packed: bool) -> Checked {
        if self.kinds.is_none() {
            return Ok(());
        }
        let mut slots = (0..size / 8).map(|slot| start + 8 * slot);
        let is_function = |at: u64| match self.functions.get(&at) {
            Some(is_code) => Ok(*is_code),
            None if is_packed => Ok(self.elf.is_code(u64_at(self.elf.loaded(at, 8)?, 0))),
            None => Ok::<_, String>(false),
        };
        let all = slots.try_fold(true, |all, at| Ok::<_, String>(all && is_function(at)?))?;
        if all && size.is_multiple_of(8) {
            Ok(())
        } else {
            Err("what is run first or last is no function".to_owned())
        }
    }
}
