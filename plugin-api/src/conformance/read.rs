//! `read` and `read_range`.

use super::{
    Applies, Case,
    check::{Checked, cases, noise},
    subject::Subject,
};
use crate::{ByteRange, ErrorKind};

pub(super) const CASES: &[Case] = cases! {
    "read", Applies::Always;
    gives_the_content: "The whole content of a file, byte for byte as it was stored.";
    refuses_a_directory: "IsADirectory for a directory.";
    refuses_what_is_missing: "Missing paths are NotFound; a file where a directory is needed on the way is NotADirectory.";
    gives_any_part: "Part of a file's content.";
    leaves_out_what_is_beyond_the_end: "What the range covers beyond the end is left out, so the answer may be shorter or empty.";
    parts_of_a_large_file_fit_together: "Part of a file's content.";
    parts_fail_as_the_whole: "read_range # Errors: as read.";
};

/// Ranges around the edges of a file of ten bytes.
pub(super) fn ranges() -> impl Iterator<Item = ByteRange> {
    const FAR: [u64; 3] = [1 << 32, i64::MAX as u64, u64::MAX];
    let offsets = (0..=11).chain(FAR);
    let lengths = || [0, 1, 2, 9, 10, 11].into_iter().chain(FAR).map(Some).chain([None]);
    offsets.flat_map(move |offset| lengths().map(move |length| ByteRange { offset, length }))
}

/// The part of `content` that `range` covers.
pub(super) fn part(content: &[u8], range: ByteRange) -> &[u8] {
    let part = range.within(content.len() as u64);
    &content[part.start as usize..part.end as usize]
}

fn gives_the_content(s: &Subject<'_>) -> Checked {
    s.create("a/file", "first").done()?;
    s.create("a/other", "second").done()?;
    s.read("a/file").is("first")?;
    s.read("a/other").is("second")?;
    s.read("a/file").is("first")
}

fn refuses_a_directory(s: &Subject<'_>) -> Checked {
    s.create("dir/inside", "x").done()?;
    s.create_dir("empty").done()?;
    s.read("dir").fails(ErrorKind::IsADirectory)?;
    s.read("empty").fails(ErrorKind::IsADirectory)
}

fn refuses_what_is_missing(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.read("missing").fails(ErrorKind::NotFound)?;
    s.read("dir/missing").fails(ErrorKind::NotFound)?;
    s.read("missing/below").fails(ErrorKind::NotFound)?;
    s.read("dir/fil").fails(ErrorKind::NotFound)?;
    s.read("dir/file/below").fails(ErrorKind::NotADirectory)
}

fn gives_any_part(s: &Subject<'_>) -> Checked {
    s.create("file", "0123456789").done()?;
    s.read_range("file", (3..7).into()).is("3456")?;
    s.read_range("file", (3..).into()).is("3456789")?;
    s.read_range("file", (..4).into()).is("0123")?;
    s.read_range("file", (9..=9).into()).is("9")?;
    s.read_range("file", ByteRange::ALL).is("0123456789")
}

fn leaves_out_what_is_beyond_the_end(s: &Subject<'_>) -> Checked {
    const CONTENT: &[u8] = b"0123456789";
    s.create("file", CONTENT).done()?;
    s.create("empty", "").done()?;
    for range in ranges() {
        s.read_range("file", range).is(part(CONTENT, range))?;
    }
    s.read_range("empty", ByteRange::ALL).is("")?;
    s.read_range("empty", (5..).into()).is("")
}

fn parts_of_a_large_file_fit_together(s: &Subject<'_>) -> Checked {
    const STEP: usize = 70_001;
    let content = noise(300_000);
    s.create("file", &content).done()?;
    for (i, expected) in content.chunks(STEP).enumerate() {
        let range = ByteRange { offset: (i * STEP) as u64, length: Some(STEP as u64) };
        s.read_range("file", range).is(expected)?;
    }
    Ok(())
}

fn parts_fail_as_the_whole(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    for range in [ByteRange::ALL, ByteRange { offset: 0, length: Some(0) }, (5..).into()] {
        s.read_range("dir", range).fails(ErrorKind::IsADirectory)?;
        s.read_range("missing", range).fails(ErrorKind::NotFound)?;
        s.read_range("dir/file/below", range).fails(ErrorKind::NotADirectory)?;
    }
    Ok(())
}
