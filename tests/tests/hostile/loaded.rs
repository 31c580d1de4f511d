//! A good library with a bit turned over that is loaded all the same, in a process of its own: what the headers and tables
//! say ends no process.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    ops::Range,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use f9_host::{PluginName, inspect_bytes};
use f9_tests::{host_of, shelf::Shelf};

use super::{
    elf::{self, Elf},
    library,
};

const FILE: &str = "libf9_backend_memory.so";

/// Kinds of sections.
const DYNAMIC: u32 = 6;
const NAMES: u32 = 3;
const SYMBOLS: u32 = 11;
const RELOCATIONS: u32 = 4;
const INIT_ARRAY: u32 = 14;
const FINI_ARRAY: u32 = 15;
const NOTES: u32 = 7;
const GNU_HASH: u32 = 0x6fff_fff6;
const HASH: u32 = 5;
const NEEDED: u32 = 0x6fff_fffe;
const VERSIONS: u32 = 0x6fff_ffff;

/// So many are loaded by one process, before it takes up too much.
const BATCH: usize = 100;

/// A bit of a byte.
type Bit = (usize, u8);

/// Not a test of its own: loads the mutants whose bits come on standard input, and tells of each before and after.
#[test]
fn child_loads() {
    let Some(dir) = env::var_os("F9_LOADED_CHILD") else { return };
    let (shelf, mut bytes) = (Shelf::new(), library("memory"));
    let name: PluginName = "memory".parse().unwrap();
    let mut answers = fs::OpenOptions::new().append(true).open(dir).unwrap();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let (at, bit) = line.split_once(' ').unwrap();
        let (at, bit): Bit = (at.parse().unwrap(), bit.parse().unwrap());
        bytes[at] ^= 1 << bit;
        // The file that is mapped must not be written to.
        let _ = fs::remove_file(shelf.path(FILE));
        shelf.put(FILE, &bytes);
        bytes[at] ^= 1 << bit;
        writeln!(answers, "{line}").unwrap();
        let _ = host_of(&[shelf.dir.path().to_owned()]).plugin(&name);
    }
    writeln!(answers, "done").unwrap();
}

/// Has children load the mutants, and answers which of them ended one, and how.
fn load(mut bits: &[Bit]) -> Vec<(Bit, String)> {
    let mut fatal = Vec::new();
    let answers = tempfile::NamedTempFile::new().unwrap();
    while !bits.is_empty() {
        let batch = &bits[..bits.len().min(BATCH)];
        fs::write(answers.path(), "").unwrap();
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "loaded::child_loads", "--test-threads=1"]);
        command.env("F9_LOADED_CHILD", answers.path()).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let lines: String = batch.iter().map(|(at, bit)| format!("{at} {bit}\n")).collect();
        // One that ends early is judged by how it ended.
        let _ = child.stdin.take().unwrap().write_all(lines.as_bytes());
        let status = child.wait().unwrap();
        let told = BufReader::new(fs::File::open(answers.path()).unwrap()).lines().map(Result::unwrap);
        let told: Vec<_> = told.collect();
        if told.last().is_some_and(|last| last == "done") {
            bits = &bits[batch.len()..];
            continue;
        }
        let begun = told.len();
        assert!(begun > 0, "the child did not begin: {status}");
        let how = status.signal().map_or_else(|| format!("{status}"), |signal| format!("signal {signal}"));
        fatal.push((batch[begun - 1], how));
        bits = &bits[begun..];
    }
    fatal
}

/// Which of the bits in these ranges are not refused by what the bytes tell: those that are loaded. Every `step`th is tried.
fn accepted(bytes: &mut [u8], ranges: &[Range<usize>], step: usize) -> (usize, Vec<Bit>) {
    let all = ranges.iter().cloned().flatten().flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let (mut tried, mut left) = (0, Vec::new());
    for (at, bit) in all.step_by(step) {
        bytes[at] ^= 1 << bit;
        if inspect_bytes(FILE, bytes).refusal.is_none() {
            left.push((at, bit));
        }
        bytes[at] ^= 1 << bit;
        tried += 1;
    }
    (tried, left)
}

fn is_full() -> bool {
    env::var_os("F9_FULL").is_some_and(|value| value == "1")
}

fn sections(elf: &Elf, kinds: &[u32]) -> Vec<Range<usize>> {
    kinds.iter().flat_map(|kind| elf.sections_of(*kind)).collect()
}

#[test]
fn no_flipped_bit_of_headers_and_tables_ends_the_process_that_loads_it() {
    let mut bytes = library("memory");
    let elf = Elf(bytes.clone());
    let at = |offset| elf.number(offset) as usize;
    let count = usize::from(bytes[elf::SEGMENT_COUNT]);
    let headers = [0..64, at(elf::SEGMENTS)..at(elf::SEGMENTS) + 56 * count];
    // Of names only those that the loader follows, which come first.
    let names = elf.sections_of(NAMES).into_iter().take(1);
    let kinds = [DYNAMIC, VERSIONS, NEEDED, GNU_HASH, HASH, SYMBOLS, INIT_ARRAY, FINI_ARRAY, NOTES];
    for (what, ranges, step) in [
        ("the headers", headers.to_vec(), 1),
        (".dynamic", sections(&elf, &kinds[..1]), 1),
        ("versions", sections(&elf, &kinds[1..3]), 1),
        ("hashes", sections(&elf, &kinds[3..5]), 1),
        ("symbols", sections(&elf, &kinds[5..6]), 7),
        ("names", names.collect(), 7),
        ("arrays and notes", sections(&elf, &kinds[6..]), 1),
    ] {
        let step = if is_full() { 1 } else { 20 * step };
        let (tried, left) = accepted(&mut bytes, &ranges, step);
        let fatal = load(&left);
        println!(
            "{what}: of {tried} bits {} are not refused, {} of them end a process",
            left.len(),
            fatal.len()
        );
        assert!(fatal.is_empty(), "{what}: {fatal:?}");
    }
}

/// That a relocation leads to the wrong place within the library, nobody can tell: those that remain are the limit that the
/// documentation of `f9_host` names.
#[test]
fn most_flipped_bits_of_relocations_are_refused_or_loaded() {
    let mut bytes = library("memory");
    let ranges = sections(&Elf(bytes.clone()), &[RELOCATIONS]);
    let (tried, left) = accepted(&mut bytes, &ranges, if is_full() { 97 } else { 12_007 });
    let fatal = load(&left);
    println!(
        "relocations: of {tried} bits {} are not refused, {} of them end a process",
        left.len(),
        fatal.len()
    );
    assert!(fatal.len() * 10 < tried, "{} of {tried}: {fatal:?}", fatal.len());
    let is_addend = |((at, _), _): &(Bit, String)| {
        ranges.iter().any(|range| range.contains(at) && (at - range.start) % 24 >= 16)
    };
    println!("{} of those are in what is added", fatal.iter().filter(|fatal| is_addend(fatal)).count());
}
