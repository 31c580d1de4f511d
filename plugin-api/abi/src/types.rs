//! The values that cross: plain `repr(C)` structs, frozen within a major version.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use abi_stable::{
    StableAbi,
    std_types::{ROption, RResult, RSlice, RString, RVec},
};

/// What every fallible entry answers.
pub type AbiResult<T> = RResult<T, AbiError>;

/// An error kind: an open set of codes. A reader treats a code it does not know as [`OTHER`](Self::OTHER).
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbiErrorKind(pub u16);

impl AbiErrorKind {
    /// None of the other kinds.
    pub const OTHER: Self = Self(0);
    /// The call needs something this plugin does not know or cannot do.
    pub const UNSUPPORTED: Self = Self(1);
    /// The plugin's code panicked.
    pub const PANICKED: Self = Self(2);
}

/// An error: what happened in words, where, what to do, and the chain of causes as text.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiError {
    pub kind: AbiErrorKind,
    /// What went wrong, without the path and without the causes.
    pub message: RString,
    /// The path the operation was about.
    pub path: ROption<RString>,
    /// What the caller can do about it.
    pub hint: ROption<RString>,
    /// Facts by name, for programs.
    pub context: RVec<AbiPair>,
    /// The causes, nearest first.
    pub causes: RVec<RString>,
}

impl AbiError {
    /// An error with nothing but a kind and a message.
    pub fn new(kind: AbiErrorKind, message: impl Into<RString>) -> Self {
        Self {
            kind,
            message: message.into(),
            path: ROption::RNone,
            hint: ROption::RNone,
            context: RVec::new(),
            causes: RVec::new(),
        }
    }

    /// The answer of a method that an older plugin does not have.
    pub fn unsupported(what: &str) -> Self {
        Self::new(AbiErrorKind::UNSUPPORTED, format!("{what} is not supported by this plugin"))
    }
}

/// A name and a value.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiPair {
    pub name: RString,
    pub value: RString,
}

/// A moment in UTC: whole seconds since 1970, rounded down, plus `nanos` (below 1,000,000,000). Earlier times are
/// negative seconds.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbiTime {
    pub secs: i64,
    pub nanos: u32,
}

impl From<SystemTime> for AbiTime {
    #[inline]
    fn from(time: SystemTime) -> Self {
        let seconds = |d: Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self { secs: seconds(after), nanos: after.subsec_nanos() },
            Err(e) => {
                let before = e.duration();
                match before.subsec_nanos() {
                    0 => Self { secs: -seconds(before), nanos: 0 },
                    nanos => Self { secs: -seconds(before) - 1, nanos: 1_000_000_000 - nanos },
                }
            }
        }
    }
}

impl AbiTime {
    /// The same moment as `SystemTime`; `None` if that type cannot hold it.
    #[inline]
    pub fn to_system_time(self) -> Option<SystemTime> {
        // The nanoseconds may be more than a second: no claim of the other side makes this overflow.
        match u64::try_from(self.secs) {
            Ok(secs) => UNIX_EPOCH.checked_add(Duration::new(secs, self.nanos)),
            Err(_) => {
                let whole = UNIX_EPOCH.checked_sub(Duration::from_secs(self.secs.unsigned_abs()));
                whole?.checked_add(Duration::new(0, self.nanos))
            }
        }
    }
}

/// What a path is: an open set of codes. A reader treats a code it does not know as [`OTHER`](Self::OTHER).
#[repr(transparent)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbiFileKind(pub u16);

impl AbiFileKind {
    pub const OTHER: Self = Self(0);
    pub const FILE: Self = Self(1);
    pub const DIRECTORY: Self = Self(2);
    pub const SYMLINK: Self = Self(3);
}

/// What is known of a file or directory.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, PartialEq, Eq)]
pub struct AbiFileInfo {
    /// Relative to the root, `/`-separated, without a leading `/`; empty for the root.
    pub path: RString,
    pub kind: AbiFileKind,
    /// In bytes; 0 for what is not a file.
    pub size: u64,
    pub created_at: ROption<AbiTime>,
    pub modified_at: ROption<AbiTime>,
    /// Whatever else the backend knows, by name.
    pub attributes: RVec<AbiPair>,
}

/// How an operation is to be done.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct AbiOptions<'a> {
    /// Bits of [`flags`]. A plugin refuses a call with a bit it does not know.
    pub flags: u64,
    /// Options that came after 1.0. A plugin refuses a call with a name it does not know.
    pub extra: RSlice<'a, AbiPair>,
}

impl AbiOptions<'_> {
    /// Options with these `flags` and nothing else.
    pub const fn new(flags: u64) -> AbiOptions<'static> {
        AbiOptions { flags, extra: RSlice::EMPTY }
    }
}

/// Bits of [`AbiOptions::flags`].
pub mod flags {
    /// `create`, `create_dir`, `open_write`, `copy`, `rename`: what exists may be replaced.
    pub const OVERWRITE: u64 = 1;
    /// `delete`, `list`: with everything below.
    pub const RECURSIVE: u64 = 1 << 1;
    /// `update`: add to the end instead of replacing.
    pub const APPEND: u64 = 1 << 2;
    /// `list`: sizes, times and attributes may be left out. Since 1.1.
    pub const NAMES_ONLY: u64 = 1 << 3;
}

/// Part of a file: from `offset`, `length` bytes at most; `u64::MAX` means up to the end.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbiRange {
    pub offset: u64,
    pub length: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_the_round_trip_before_and_after_1970() {
        for (secs, nanos) in [(0, 0), (1, 999_999_999), (-2, 500_000_000), (-1, 0), (253_402_300_799, 1)] {
            let wire = AbiTime { secs, nanos };
            assert_eq!(AbiTime::from(wire.to_system_time().unwrap()), wire);
        }
    }

    #[test]
    fn a_time_that_does_not_fit_is_none_and_no_panic() {
        assert_eq!(AbiTime { secs: i64::MAX, nanos: u32::MAX }.to_system_time(), None);
        let earliest = AbiTime { secs: i64::MIN, nanos: 0 };
        if let Some(time) = earliest.to_system_time() {
            assert!(AbiTime::from(time).secs <= -i64::MAX);
        }
    }
}
