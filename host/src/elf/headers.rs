//! Segments, and whether they agree with the sections.

use object::read::ReadRef;

use super::{Checked, Elf, SEGMENT, Section, Segment, u32_at};

/// More memory in all is no library's.
const MAX_SPAN: u64 = 4 << 30;

/// More memory for each thread is no library's.
const MAX_TLS: u64 = 64 << 20;

/// Stricter alignments are nobody's.
const MAX_ALIGNMENT: u64 = 64 << 10;

/// The smallest piece of memory that is made read-only.
const PAGE: u64 = 4096;

/// What becomes read-only once the library is relocated. Anything else is written to later.
const READ_ONLY: [&[u8]; 12] = [
    b".tdata",
    b".tbss",
    b".preinit_array",
    b".init_array",
    b".fini_array",
    b".ctors",
    b".dtors",
    b".jcr",
    b".dynamic",
    b".got",
    b".got.plt",
    b".relro_padding",
];

pub(super) fn check<'d>(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
    let loaded: Vec<_> = elf.segments_of(Segment::LOAD).collect();
    let span = loaded.iter().map(|segment| segment.end()).max().unwrap_or(0);
    if span > MAX_SPAN || loaded.iter().any(|segment| segment.flags & Segment::READABLE == 0) {
        return Err("its segments cannot be loaded".to_owned());
    }
    for section in &elf.sections {
        let is_tls_room = section.kind == Section::NO_BITS && section.has(Section::TLS);
        if section.has(Section::LOADED) && section.size > 0 && !is_tls_room && !is_loaded(section, &loaded) {
            let name = String::from_utf8_lossy(section.name);
            return Err(format!("its section {name} is not where its segments are"));
        }
    }
    check_table(elf)?;
    check_tls(elf)?;
    check_read_only(elf)?;
    check_unwinding(elf)?;
    elf.segments_of(Segment::NOTE).try_for_each(|segment| check_notes(elf, segment))
}

/// Whether a segment has it, at the same place in the file and in memory, for the same use.
fn is_loaded(section: &Section<'_>, loaded: &[&Segment]) -> bool {
    let Some(segment) = loaded.iter().find(|segment| segment.holds(section.address, section.size)) else {
        return false;
    };
    let from_start = section.address - segment.address;
    let is_placed = if section.kind == Section::NO_BITS {
        // What is to be zero is not taken from the file.
        from_start >= segment.file_size
    } else {
        from_start.saturating_add(section.size) <= segment.file_size
            && segment.offset.checked_add(from_start) == Some(section.offset)
    };
    let may = |flag, needed| !section.has(flag) || segment.flags & needed != 0;
    is_placed && may(Section::WRITABLE, Segment::WRITABLE) && may(Section::EXECUTABLE, Segment::EXECUTABLE)
}

/// The table of segments may tell of itself: that is where whoever unwinds looks.
fn check_table<'d>(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
    let Some(table) = elf.segment(Segment::TABLE, "headers")? else { return Ok(()) };
    let size = (elf.segments.len() * SEGMENT) as u64;
    let mut loaded = elf.segments_of(Segment::LOAD);
    let is_there = loaded.any(|segment| {
        let start = elf.segment_table.checked_sub(segment.offset);
        segment.holds(table.address, size) && start == Some(table.address - segment.address)
    });
    if table.offset == elf.segment_table && table.size == size && is_there {
        return Ok(());
    }
    Err("its table of segments is not where it says".to_owned())
}

/// What each thread gets a copy of.
fn check_tls<'d>(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
    let sections =
        || elf.sections.iter().filter(|section| section.has(Section::TLS) && section.has(Section::LOADED));
    let segment = elf.segment(Segment::TLS, "thread-local data")?;
    let (Some(segment), Some(start)) = (segment, sections().map(|section| section.address).min()) else {
        let none = segment.is_none() && sections().next().is_none();
        return if none {
            Ok(())
        } else {
            Err("its thread-local data has no segment, or no section".to_owned())
        };
    };
    let end = sections().map(Section::end).max().unwrap_or(start);
    let from_file = sections().filter(|section| section.kind != Section::NO_BITS);
    let file_end = from_file.clone().map(Section::end).max().unwrap_or(start);
    let alignment = sections().map(|section| section.alignment).max().unwrap_or(1);
    let is_sound = segment.address == start
        && segment.file_size == file_end - start
        && segment.end() >= end
        && segment.end() - end < segment.alignment.max(1)
        && segment.size <= MAX_TLS
        && segment.alignment.is_power_of_two()
        && (alignment..=MAX_ALIGNMENT).contains(&segment.alignment)
        && from_file.map(|section| section.offset).min().is_none_or(|offset| offset == segment.offset);
    if is_sound { Ok(()) } else { Err("its thread-local data is not where its sections are".to_owned()) }
}

/// What is read-only in the end must hold nothing that is written to.
fn check_read_only<'d>(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
    let Some(segment) = elf.segment(Segment::RELRO, "read-only data")? else { return Ok(()) };
    if !elf.is_mapped(segment.address, segment.size, Segment::WRITABLE) {
        return Err("what is to become read-only is not in one of its segments".to_owned());
    }
    let (start, end) = (segment.address / PAGE * PAGE, segment.end() / PAGE * PAGE);
    let mut touched = elf.sections.iter().filter(|section| {
        section.has(Section::WRITABLE)
            && section.has(Section::LOADED)
            && section.size > 0
            && section.address < end
            && section.end() > start
    });
    let stays = |section: &Section<'_>| {
        READ_ONLY.contains(&section.name)
            || section.name.starts_with(b".data.rel.ro")
            || section.name.starts_with(b".bss.rel.ro")
    };
    match touched.find(|section| !stays(section)) {
        Some(section) => {
            let name = String::from_utf8_lossy(section.name);
            Err(format!("its section {name} would become read-only"))
        }
        None => Ok(()),
    }
}

/// The table that a panic is unwound by.
fn check_unwinding<'d>(elf: &Elf<'d, impl ReadRef<'d>>) -> Checked {
    let segment = elf.segment(Segment::EH_FRAME, "frames")?.map(|segment| (segment.address, segment.size));
    let section = elf.named(b".eh_frame_hdr").map(|section| (section.address, section.size));
    if segment == section {
        Ok(())
    } else {
        Err("its table of frames is not where its section is".to_owned())
    }
}

fn check_notes<'d>(elf: &Elf<'d, impl ReadRef<'d>>, segment: &Segment) -> Checked {
    let damaged = || "its notes do not end where they should".to_owned();
    let step = segment.alignment.max(4);
    if segment.size != segment.file_size || !matches!(step, 4 | 8) {
        return Err(damaged());
    }
    let notes = elf.loaded(segment.address, segment.size)?;
    let up = |size: u32| u64::from(size).next_multiple_of(step);
    let mut at = 0;
    while at < segment.size {
        let rest = notes.get(at as usize..).filter(|rest| rest.len() >= 12).ok_or_else(damaged)?;
        // Name and description are padded, the last one perhaps not.
        let name_end = at.saturating_add(12).saturating_add(u32_at(rest, 0).into());
        let end = name_end.next_multiple_of(step).saturating_add(u32_at(rest, 4).into());
        if end > segment.size {
            return Err(damaged());
        }
        at = at
            .saturating_add((12 + u64::from(u32_at(rest, 0))).next_multiple_of(step))
            .saturating_add(up(u32_at(rest, 4)));
    }
    Ok(())
}
