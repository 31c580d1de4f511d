//! Objects that hand over bytes and entries piece by piece.

use abi_stable::{
    sabi_trait,
    sabi_types::RMut,
    std_types::{RBox, RResult, RSlice, RSliceMut, RVec},
};

use crate::{AbiError, AbiFileInfo, AbiResult};

/// A block of bytes that stays where its owner put it: nothing is copied on the way to the other side.
#[sabi_trait]
pub trait AbiBuffer: Send + Sync {
    /// The bytes; the same ones at each call.
    #[sabi(last_prefix_field)]
    fn as_slice(&self) -> RSlice<'_, u8>;
}

/// A source of bytes.
#[sabi_trait]
pub trait AbiReader: Send {
    /// Fills the start of `buffer` and says how many bytes it wrote there; 0 is the end.
    #[sabi(last_prefix_field)]
    fn read(&mut self, buffer: RSliceMut<'_, u8>) -> AbiResult<usize>;
}

/// A sink whose content takes effect at [`commit`](AbiWriter::commit); dropped without it, it leaves nothing behind.
#[sabi_trait]
pub trait AbiWriter: Send {
    /// Takes bytes from the start of `bytes` and says how many.
    fn write(&mut self, bytes: RSlice<'_, u8>) -> AbiResult<usize>;
    /// Makes what was written the content of the file, at once. A second call fails.
    #[sabi(last_prefix_field)]
    fn commit(&mut self) -> AbiResult<AbiFileInfo>;
}

/// The entries of a listing.
#[sabi_trait]
pub trait AbiEntries: Send {
    /// At most `max` further entries; none is the end. An entry that cannot be described is an error among the others.
    #[sabi(last_prefix_field)]
    fn next_batch(&mut self, max: usize) -> AbiResult<RVec<RResult<AbiFileInfo, AbiError>>>;
}

/// A buffer that the receiver owns.
pub type AbiBufferBox = AbiBuffer_TO<'static, RBox<()>>;
/// A reader that the receiver owns.
pub type AbiReaderBox = AbiReader_TO<'static, RBox<()>>;
/// A reader that is lent for one call.
pub type AbiReaderMut<'a> = AbiReader_TO<'a, RMut<'a, ()>>;
/// A writer that the receiver owns.
pub type AbiWriterBox = AbiWriter_TO<'static, RBox<()>>;
/// A listing that the receiver owns.
pub type AbiEntriesBox = AbiEntries_TO<'static, RBox<()>>;
