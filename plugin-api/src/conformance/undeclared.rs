//! What is not declared does not work.

use super::{Applies, Case, check::Checked, subject::Subject};
use crate::{Capabilities, ChecksumAlgorithm, ErrorKind::Unsupported};

pub(super) const CASES: &[Case] = &[
    case("undeclared::copy", Capabilities::COPY, copy),
    case("undeclared::rename", Capabilities::RENAME, rename),
    case("undeclared::checksum", Capabilities::CHECKSUM, checksum),
    case("undeclared::open_write", Capabilities::OPEN_WRITE, open_write),
];

const fn case(name: &'static str, capability: Capabilities, check: fn(&Subject<'_>) -> Checked) -> Case {
    let rule = "Optional operations answer Unsupported unless declared in `capabilities`.";
    Case { name, rule, applies: Applies::Undeclared(capability), check }
}

fn copy(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    s.unchanged_by(|| {
        s.copy("file", "copy", false).fails(Unsupported)?;
        s.copy("file", "copy", true).fails(Unsupported)
    })
}

fn rename(s: &Subject<'_>) -> Checked {
    s.create("dir/file", "x").done()?;
    s.unchanged_by(|| {
        s.rename("dir/file", "moved", false).fails(Unsupported)?;
        s.rename("dir", "moved", true).fails(Unsupported)
    })
}

fn checksum(s: &Subject<'_>) -> Checked {
    s.create("file", "x").done()?;
    ChecksumAlgorithm::ALL
        .into_iter()
        .try_for_each(|algorithm| s.checksum("file", algorithm).fails(Unsupported))
}

fn open_write(s: &Subject<'_>) -> Checked {
    s.unchanged_by(|| {
        s.write("file", b"x", false).fails(Unsupported)?;
        s.write("file", b"x", true).fails(Unsupported)
    })
}
