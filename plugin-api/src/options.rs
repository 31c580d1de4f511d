//! How an operation is to be done. All start from `default()`, which is the careful way.

use std::ops::{Bound, Range, RangeBounds, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// Options of `create`, `create_dir` and `open_write`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CreateOptions {
    /// An existing file is replaced (`create`, `open_write`), an existing directory accepted (`create_dir`).
    pub overwrite: bool,
}

impl CreateOptions {
    /// Sets [`overwrite`](Self::overwrite).
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}

/// What `update` does with the content that is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpdateMode {
    /// The new content takes the place of the old.
    #[default]
    Replace,
    /// The new content comes after the old.
    Append,
}

/// Options of `delete`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeleteOptions {
    /// A directory goes with everything in it.
    pub recursive: bool,
}

impl DeleteOptions {
    /// Sets [`recursive`](Self::recursive).
    #[must_use]
    pub const fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }
}

/// Options of `list`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Everything below the directory, not its children alone.
    pub recursive: bool,
    /// The caller needs paths and kinds alone: sizes and times may be left out (0 and `None`), and attributes, which spares
    /// a backend from asking for each. One that has them at hand may tell them all the same.
    pub names_only: bool,
}

impl ListOptions {
    /// Sets [`recursive`](Self::recursive).
    #[must_use]
    pub const fn recursive(mut self, recursive: bool) -> Self {
        self.recursive = recursive;
        self
    }

    /// Sets [`names_only`](Self::names_only).
    #[must_use]
    pub const fn names_only(mut self, names_only: bool) -> Self {
        self.names_only = names_only;
        self
    }
}

/// Options of `copy` and `rename`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyOptions {
    /// An existing file at the destination is replaced.
    pub overwrite: bool,
}

impl CopyOptions {
    /// Sets [`overwrite`](Self::overwrite).
    #[must_use]
    pub const fn overwrite(mut self, overwrite: bool) -> Self {
        self.overwrite = overwrite;
        self
    }
}

/// Part of a file, in bytes. Made from any range: `(10..20).into()`, `(10..).into()`, `(..).into()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub offset: u64,
    /// How many bytes at most; `None` means up to the end.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The whole file.
    pub const ALL: Self = Self { offset: 0, length: None };

    /// From any of Rust's ranges. One that ends before it starts is empty.
    pub fn new(range: impl RangeBounds<u64>) -> Self {
        let offset = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&start) => start.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(&end) => Some(end.saturating_add(1)),
            Bound::Excluded(&end) => Some(end),
            Bound::Unbounded => None,
        };
        Self { offset, length: end.map(|end| end.saturating_sub(offset)) }
    }

    /// The part of a file of `size` bytes that this range covers, as start and end: what lies beyond the end of the
    /// file is left out, so the result may be empty.
    pub fn within(self, size: u64) -> Range<u64> {
        let start = self.offset.min(size);
        let end = self.length.map_or(size, |length| start.saturating_add(length).min(size));
        start..end
    }
}

macro_rules! from_ranges {
    ($($range:ty)+) => {$(
        impl From<$range> for ByteRange {
            fn from(range: $range) -> Self {
                Self::new(range)
            }
        }
    )+};
}

from_ranges! { Range<u64> RangeFrom<u64> RangeFull RangeInclusive<u64> RangeTo<u64> RangeToInclusive<u64> }

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let range = |r: ByteRange| r.within(10);
        assert_eq!(range((2..5).into()), 2..5);
        assert_eq!(range((2..=5).into()), 2..6);
        assert_eq!(range((8..50).into()), 8..10);
        assert_eq!(range((50..).into()), 10..10);
        assert_eq!(range(ByteRange { offset: 5, length: Some(0) }), 5..5);
        assert_eq!(range(ByteRange::ALL), 0..10);
        assert_eq!(range(ByteRange { offset: u64::MAX, length: Some(u64::MAX) }), 10..10);
    }
}
