//! The tables by which a symbol is found: every one that is defined, and nothing else.

use object::read::ReadRef;

use super::{Checked, Dynamic, Elf, Section, Symbols, dynamic::tag, u32_at, u64_at, versions};

pub(super) fn check<'d>(
    elf: &Elf<'d, impl ReadRef<'d>>,
    dynamic: &Dynamic<'d>,
    symbols: &Symbols<'d>,
) -> Checked {
    let table = |name, kind| -> Checked<Option<&'d [u8]>> {
        let Some(address) = dynamic.get(name) else { return Ok(None) };
        let size = elf.section(kind, "hashes")?.map_or(0, |section| section.size);
        elf.loaded(address, size).map(Some)
    };
    let gnu = table(tag::GNU_HASH, Section::GNU_HASH)?;
    let old = table(tag::HASH, Section::HASH)?;
    if gnu.is_none() && old.is_none() {
        return Err("it has no table of hashes".to_owned());
    }
    let damaged = || "its table of hashes is damaged".to_owned();
    gnu.map_or(Some(()), |table| check_gnu(table, symbols)).ok_or_else(damaged)?;
    old.map_or(Some(()), |table| check_old(table, symbols)).ok_or_else(damaged)
}

/// <https://flapenguin.me/elf-dt-gnu-hash>: a header, a Bloom filter, the first symbol of each bucket, and a hash for each
/// symbol, whose lowest bit ends the bucket.
fn check_gnu(table: &[u8], symbols: &Symbols<'_>) -> Option<()> {
    let header = table.get(..16)?;
    let [buckets, first, words, shift] = [0, 4, 8, 12].map(|at| u32_at(header, at));
    let (count, first) = (symbols.len(), first as usize);
    if buckets == 0 || !words.is_power_of_two() || shift >= 32 || first == 0 {
        return None;
    }
    let filter_at = 16;
    let buckets_at = (words as usize).checked_mul(8)?.checked_add(filter_at)?;
    let hashes_at = (buckets as usize).checked_mul(4)?.checked_add(buckets_at)?;
    // Where nothing is defined, linkers differ in where the symbols would begin.
    let hashed = count.saturating_sub(first);
    if hashed.checked_mul(4)?.checked_add(hashes_at)? > table.len() {
        return None;
    }
    let hash_of = |index: usize| symbols.names.get(index).map(|name| gnu_hash(name));
    let bucket_of = |index: usize| hash_of(index).map(|hash| hash % buckets);
    let mut firsts = vec![0; buckets as usize];
    for index in first..count {
        let bucket = bucket_of(index)?;
        let known = firsts.get_mut(bucket as usize)?;
        // Those of a bucket follow each other.
        if *known == 0 {
            *known = u32::try_from(index).ok()?;
        } else if bucket_of(index - 1) != Some(bucket) {
            return None;
        }
    }
    if (0..).zip(&firsts).any(|(bucket, known)| u32_at(table, buckets_at + 4 * bucket) != *known) {
        return None;
    }
    for index in first..count {
        let hash = hash_of(index)?;
        let stored = u32_at(table, hashes_at + 4 * (index - first));
        let word = u64_at(table, filter_at + 8 * ((hash / 64) & (words - 1)) as usize);
        let passes = |bit: u32| word >> (bit % 64) & 1 == 1;
        let ends = index + 1 == count || bucket_of(index + 1) != bucket_of(index);
        let found = symbols.is_defined.get(index) == Some(&true);
        if stored | 1 != hash | 1
            || (stored & 1 == 1) != ends
            || !passes(hash)
            || !passes(hash >> shift)
            || !found
        {
            return None;
        }
    }
    Some(())
}

fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// Buckets, and for each symbol the next one in the same bucket.
fn check_old(table: &[u8], symbols: &Symbols<'_>) -> Option<()> {
    let header = table.get(..8)?;
    let (buckets, count) = (u32_at(header, 0) as usize, u32_at(header, 4) as usize);
    if buckets == 0
        || count != symbols.len()
        || table.len() < 4 * buckets.checked_add(count)?.checked_add(2)?
    {
        return None;
    }
    let mut left = count; // whoever goes round in a circle comes to more
    for bucket in 0..buckets {
        let mut index = u32_at(table, 8 + 4 * bucket) as usize;
        while index != 0 {
            left = left.checked_sub(1)?;
            let name = symbols.names.get(index)?;
            if versions::hash(name) as usize % buckets != bucket {
                return None;
            }
            index = u32_at(table, 8 + 4 * (buckets + index)) as usize;
        }
    }
    Some(())
}
