//! A good library with a bit turned over or its end cut off: inspecting it never panics, and never takes it for another.

use std::{
    collections::BTreeMap,
    env, fs,
    ops::Range,
    time::{Duration, Instant},
};

use f9_host::{Manifest, inspect, inspect_bytes};

use super::{
    Shelf,
    elf::{self, Elf},
    find, library,
};

const FILE: &str = "libf9_backend_memory.so";

/// A generator of numbers that are spread well enough (xorshift), the same ones at each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn within(&mut self, range: &Range<usize>) -> usize {
        range.start + self.below(range.len())
    }
}

/// Where the manifest's text is.
fn manifest_range(bytes: &[u8]) -> Range<usize> {
    let elf = Elf(bytes.to_vec());
    // Its section has no other address in the file than in memory: it is read-only data before the first gap.
    let start = elf.number(elf.value_of_symbol("f9_plugin_manifest")) as usize;
    assert!(bytes[start..].starts_with(b"{\"format\":"));
    start..start + bytes[start..].iter().position(|&byte| byte == 0).unwrap() + 1
}

/// What inspecting reads: the headers, the tables of segments, sections and symbols, and the manifest.
fn looked_at(bytes: &[u8], manifest: &Range<usize>) -> Vec<Range<usize>> {
    let elf = Elf(bytes.to_vec());
    let at = |offset| elf.number(offset) as usize;
    let count = |offset| usize::from(bytes[offset]) + 256 * usize::from(bytes[offset + 1]);
    let symbols = elf.dynamic_symbols();
    let names = find(bytes, b"\0f9_plugin_manifest\0");
    vec![
        0..64,
        at(elf::SEGMENTS)..at(elf::SEGMENTS) + 56 * count(elf::SEGMENT_COUNT),
        at(elf::SECTIONS)..at(elf::SECTIONS) + 64 * count(elf::SECTION_COUNT),
        at(symbols + elf::OFFSET)..at(symbols + elf::OFFSET) + at(symbols + elf::SIZE),
        names..names + 20,
        manifest.clone(),
    ]
}

/// What was found out about the mutants.
#[derive(Debug, Default)]
struct Counts {
    refused: BTreeMap<&'static str, usize>,
    /// Fine, and the same manifest.
    fine: usize,
    /// Fine, and the manifest is what the changed bytes say.
    other_text: usize,
    slowest: Duration,
}

impl Counts {
    /// `in_manifest` is whether the manifest's own text was changed.
    fn take(&mut self, bytes: &[u8], original: &Manifest, in_manifest: bool, what: impl Fn() -> String) {
        let start = Instant::now();
        let inspection = inspect_bytes(FILE, bytes);
        self.slowest = self.slowest.max(start.elapsed());
        match (&inspection.refusal, &inspection.manifest) {
            (Some(refusal), _) => *self.refused.entry(refusal.code.as_str()).or_default() += 1,
            (None, Some(manifest)) if manifest == original => self.fine += 1,
            (None, Some(manifest)) => {
                assert!(in_manifest, "{}: {manifest:?}", what());
                assert_eq!(
                    (&manifest.name, manifest.format),
                    (&original.name, original.format),
                    "{}",
                    what()
                );
                self.other_text += 1;
            }
            (None, None) => panic!("{}: fine without a manifest", what()),
        }
    }

    fn total(&self) -> usize {
        self.refused.values().sum::<usize>() + self.fine + self.other_text
    }
}

fn runs() -> usize {
    if env::var_os("F9_FULL").is_some() { 100_000 } else { 4_000 }
}

#[test]
fn no_flipped_bit_is_taken_for_something_else() {
    let mut bytes = library("memory");
    let original = inspect_bytes(FILE, &bytes).manifest.unwrap();
    let manifest = manifest_range(&bytes);
    let looked_at = looked_at(&bytes, &manifest);
    let (mut random, mut counts) = (Random(0xf9f9_f9f9), Counts::default());
    for i in 0..runs() {
        // A third anywhere; the rest where it may make a difference.
        let at = match i % 3 {
            0 => random.below(bytes.len()),
            _ => random.within(&looked_at[i % looked_at.len()]),
        };
        let bit = 1 << random.below(8);
        bytes[at] ^= bit;
        counts.take(&bytes, &original, manifest.contains(&at), || format!("bit {bit} of byte {at}"));
        bytes[at] ^= bit;
    }
    assert_eq!(counts.total(), runs());
    println!("{} flipped bits: {counts:?}", runs());
}

#[test]
fn no_cut_is_fine() {
    let bytes = library("memory");
    let original = inspect_bytes(FILE, &bytes).manifest.unwrap();
    let (mut random, mut counts) = (Random(0x9f9f_9f9f), Counts::default());
    let count = runs() / 4;
    for i in 0..count {
        let length = match i % 3 {
            0 => random.below(bytes.len()),
            1 => random.below(8192),
            _ => bytes.len() - 1 - random.below(8192),
        };
        counts.take(&bytes[..length], &original, false, || format!("cut at {length}"));
    }
    assert_eq!((counts.fine, counts.other_text), (0, 0), "{counts:?}");
    println!("{count} cuts: {counts:?}");
}

/// Every bit of what decides about loading, without chance.
#[test]
fn every_bit_of_the_headers_and_the_manifest_is_tried() {
    let mut bytes = library("memory");
    let original = inspect_bytes(FILE, &bytes).manifest.unwrap();
    let manifest = manifest_range(&bytes);
    let segments = looked_at(&bytes, &manifest)[1].clone();
    let mut counts = Counts::default();
    for at in (0..64).chain(segments).chain(manifest.clone()) {
        for bit in 0..8 {
            bytes[at] ^= 1 << bit;
            counts.take(&bytes, &original, manifest.contains(&at), || format!("bit {bit} of byte {at}"));
            bytes[at] ^= 1 << bit;
        }
    }
    println!("{} bits of headers and manifest: {counts:?}", counts.total());
}

/// What no header tells, the lock does.
#[test]
fn the_lock_tells_every_flipped_bit() {
    let shelf = Shelf::new();
    let file = shelf.path(FILE);
    let mut bytes = library("memory");
    fs::write(&file, &bytes).unwrap();
    let mut lock = f9_host::PluginLock::new(shelf.path("plugins.lock"));
    lock.add(&inspect(&file)).unwrap();
    lock.check(&inspect(&file)).unwrap();
    let (mut random, mut told) = (Random(0xabcd), 0);
    let count = runs() / 100;
    for _ in 0..count {
        let (at, bit) = (random.below(bytes.len()), 1 << random.below(8));
        bytes[at] ^= bit;
        fs::write(&file, &bytes).unwrap();
        bytes[at] ^= bit;
        told += usize::from(lock.check(&inspect(&file)).is_err());
    }
    assert_eq!(told, count);
    println!("{told} of {count} flipped bits are told by the lock");
}
