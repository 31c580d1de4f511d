//! The backend as an object. What each operation promises is written on `FileBackend` in `f9-plugin-api`.

use abi_stable::{
    sabi_trait,
    std_types::{RBox, ROption, RSlice, RStr, RString},
};

use crate::{
    AbiBufferBox, AbiEntriesBox, AbiFileInfo, AbiOptions, AbiRange, AbiReaderBox, AbiReaderMut, AbiResult,
    AbiSearchBox, AbiSyncBox, AbiWriterBox,
};

/// One opened backend. Paths are as in [`AbiFileInfo::path`]; the plugin checks them again.
#[sabi_trait]
pub trait AbiBackend: Send + Sync {
    /// Bits of `Capabilities` in `f9-plugin-api`; unknown ones are to be ignored.
    fn capabilities(&self) -> u64;
    fn create(
        &self,
        path: RStr<'_>,
        content: RSlice<'_, u8>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo>;
    fn create_from(
        &self,
        path: RStr<'_>,
        content: AbiReaderMut<'_>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo>;
    fn create_dir(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo>;
    fn read(&self, path: RStr<'_>) -> AbiResult<AbiBufferBox>;
    fn read_range(&self, path: RStr<'_>, range: AbiRange) -> AbiResult<AbiBufferBox>;
    fn update(
        &self,
        path: RStr<'_>,
        content: RSlice<'_, u8>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo>;
    fn update_from(
        &self,
        path: RStr<'_>,
        content: AbiReaderMut<'_>,
        options: AbiOptions<'_>,
    ) -> AbiResult<AbiFileInfo>;
    fn delete(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<()>;
    fn info(&self, path: RStr<'_>) -> AbiResult<AbiFileInfo>;
    fn list(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiEntriesBox>;
    fn open_read(&self, path: RStr<'_>, range: AbiRange) -> AbiResult<AbiReaderBox>;
    fn open_write(&self, path: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiWriterBox>;
    fn copy(&self, from: RStr<'_>, to: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo>;
    fn rename(&self, from: RStr<'_>, to: RStr<'_>, options: AbiOptions<'_>) -> AbiResult<AbiFileInfo>;
    /// Lower-case hexadecimal.
    fn checksum(&self, path: RStr<'_>, algorithm: RStr<'_>) -> AbiResult<RString>;
    /// A command of the plugin's own; arguments and answer are JSON.
    fn command(&self, name: RStr<'_>, arguments: RStr<'_>) -> AbiResult<RString>;
    fn search(&self) -> ROption<AbiSearchBox>;
    #[sabi(last_prefix_field)]
    fn sync(&self) -> ROption<AbiSyncBox>;
}

/// A backend that the host owns.
pub type AbiBackendBox = AbiBackend_TO<'static, RBox<()>>;
