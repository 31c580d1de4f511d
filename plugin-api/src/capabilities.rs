//! What a backend can do beyond what all of them can.

use std::fmt;

bitflags::bitflags! {
    /// The optional operations of a backend.
    ///
    /// A backend declares one if and only if the operation works; otherwise the operation answers
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported). The conformance suite checks both directions. Bits
    /// that this version does not know are kept and ignored.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Capabilities: u64 {
        /// [`copy`](crate::FileBackend::copy).
        const COPY = 1;
        /// [`rename`](crate::FileBackend::rename), atomically.
        const RENAME = 1 << 1;
        /// [`checksum`](crate::FileBackend::checksum) without sending the content to the host.
        const CHECKSUM = 1 << 2;
        /// [`open_write`](crate::FileBackend::open_write) in bounded memory.
        const OPEN_WRITE = 1 << 3;
        /// [`as_sync`](crate::FileBackend::as_sync).
        const SYNC = 1 << 4;
        /// [`as_search`](crate::FileBackend::as_search).
        const SEARCH = 1 << 5;
        /// [`command`](crate::FileBackend::command) with at least one command.
        const COMMAND = 1 << 6;

        const _ = !0;
    }
}

impl Capabilities {
    /// Every named capability with its name as it stands in a manifest, in the order of the bits.
    pub const NAMED: [(&'static str, Self); 7] = [
        ("copy", Self::COPY),
        ("rename", Self::RENAME),
        ("checksum", Self::CHECKSUM),
        ("open_write", Self::OPEN_WRITE),
        ("sync", Self::SYNC),
        ("search", Self::SEARCH),
        ("command", Self::COMMAND),
    ];

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(_, bit)| self.contains(*bit)).map(|(name, _)| name)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}
