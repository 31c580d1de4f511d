//! Streams and listings of a plugin as std's traits.

use std::{io, io::Write};

use f9_plugin_abi::{AbiEntriesBox, AbiError, AbiFileInfo, AbiWriterBox, RResult, RSlice, RVec};
use f9_plugin_api::{Error, ErrorKind, FileInfo, FileWriter, Result, boundary::from_abi};

/// How many entries cross at once: enough for the crossing not to count, few enough not to matter in memory.
const BATCH: usize = 256;

/// Entries that crossed together.
type Batch = RVec<RResult<AbiFileInfo, AbiError>>;

/// The entries of a plugin's listing.
pub(crate) struct EntriesIterator {
    entries: Option<AbiEntriesBox>,
    batch: <Batch as IntoIterator>::IntoIter,
}

impl EntriesIterator {
    pub(crate) fn new(entries: AbiEntriesBox) -> Self {
        Self { entries: Some(entries), batch: Batch::new().into_iter() }
    }
}

impl Iterator for EntriesIterator {
    type Item = Result<FileInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(entry) = self.batch.next() {
            return Some(from_abi(entry));
        }
        match self.entries.as_mut()?.next_batch(BATCH).into_result() {
            Ok(batch) => self.batch = batch.into_iter(),
            Err(error) => {
                self.entries = None; // a listing that failed as a whole has no next entry
                return Some(Err(error.into()));
            }
        }
        let entry = self.batch.next();
        if entry.is_none() {
            self.entries = None;
        }
        entry.map(from_abi)
    }
}

/// A plugin's writer.
pub(crate) struct PluginWriter(AbiWriterBox);

impl PluginWriter {
    pub(crate) fn new(writer: AbiWriterBox) -> Self {
        Self(writer)
    }
}

impl Write for PluginWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.0.write(RSlice::from_slice(bytes)).into_result().map_err(Error::from)?;
        if count > bytes.len() {
            let message = format!("the plugin reported {count} bytes written of {}", bytes.len());
            return Err(Error::new(ErrorKind::Integrity, message).into());
        }
        Ok(count)
    }

    /// Nothing takes effect before `commit`.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for PluginWriter {
    fn commit(&mut self) -> Result<FileInfo> {
        from_abi(self.0.commit())
    }
}
