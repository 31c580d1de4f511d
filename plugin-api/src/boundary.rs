//! Streams across the boundary, for both sides of it. Plugin authors do not need this module: the SDK uses it for them.

use std::{
    borrow::Cow,
    fmt, io,
    io::Read,
    sync::{Mutex, PoisonError},
};

use f9_plugin_abi::{
    AbiBuffer, AbiError, AbiErrorKind, AbiFileInfo, AbiReader, AbiResult, Guarded, RResult, RSlice,
    RSliceMut, RStr, RString, guard,
};

use crate::{
    BackendPath, Error, FileInfo, Result,
    secrets::{Words, hide},
    wire,
};

/// The platform that this is built for, as a target triple: what a manifest names too.
pub const TARGET: &str = env!("F9_TARGET");

/// Turns a result of the contract into one of the boundary.
#[inline]
pub fn to_abi<T, W: From<T>>(result: Result<T>) -> AbiResult<W> {
    match result {
        Ok(value) => RResult::ROk(value.into()),
        Err(error) => RResult::RErr(error.into()),
    }
}

/// Runs an entry so that no panic leaves it, nor a secret with the text of one.
#[inline]
pub(crate) fn guarded<T>(entry: &'static str, body: impl FnOnce() -> AbiResult<T>) -> AbiResult<T> {
    match guard(entry, body) {
        RResult::RErr(error) if error.kind == AbiErrorKind::PANICKED => RResult::RErr(without_secrets(error)),
        answer => answer,
    }
}

#[cold]
fn without_secrets(mut error: AbiError) -> AbiError {
    error.message = RString::from(&*hide(error.message.as_str(), Words::Hidden));
    error
}

/// Turns a result of the boundary into one of the contract.
#[inline]
pub fn from_abi<W, T: TryFrom<W, Error: Into<Error>>>(result: AbiResult<W>) -> Result<T> {
    match result {
        RResult::ROk(value) => value.try_into().map_err(Into::into),
        RResult::RErr(error) => Err(error.into()),
    }
}

/// As [`from_abi`], for the description of what is at `path`: nearly always it comes under that path, which is not parsed
/// again then.
///
/// # Errors
///
/// That of the other side, or what is wrong with its answer.
#[inline]
pub fn info_from_abi(answer: AbiResult<AbiFileInfo>, path: &BackendPath) -> Result<FileInfo> {
    match answer {
        RResult::ROk(info) => wire::read_info(info, Some(path)),
        RResult::RErr(error) => Err(error.into()),
    }
}

/// Text that the other side says is UTF-8. It may be wrong: what is not is replaced.
pub fn text_from_abi(text: RStr<'_>) -> Cow<'_, str> {
    let bytes = text.as_rslice().as_slice();
    // Nearly all of it is right, and to see that is several times faster than to mend it.
    str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// Any `Read` as an object of the boundary.
///
/// The mutex is never locked: it makes the object `Sync`, which abi_stable asks of what it borrows.
pub struct ReadObject<R>(Guarded<Mutex<R>>);

impl<R> ReadObject<R> {
    /// Wraps a reader.
    pub fn new(reader: R) -> Self {
        Self(Guarded::new(Mutex::new(reader)))
    }
}

impl<R> fmt::Debug for ReadObject<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadObject")
    }
}

impl<R: Read + Send> AbiReader for ReadObject<R> {
    fn read(&mut self, mut buffer: RSliceMut<'_, u8>) -> AbiResult<usize> {
        guarded("read of a stream", || {
            let reader = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
            loop {
                match reader.read(buffer.as_mut_slice()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    result => return to_abi(result.map_err(Error::from)),
                }
            }
        })
    }
}

/// Any reader of the boundary as a `Read`.
pub struct ObjectRead<T>(T);

impl<T> ObjectRead<T> {
    /// Wraps an object.
    pub const fn new(object: T) -> Self {
        Self(object)
    }
}

impl<T> fmt::Debug for ObjectRead<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ObjectRead")
    }
}

impl<T: AbiReader> Read for ObjectRead<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(RSliceMut::from_mut_slice(buffer)).into_result().map_err(Error::from)?;
        // The other side does not decide how long our buffer is.
        if count > buffer.len() {
            let message = format!("a stream reported {count} bytes in a buffer of {}", buffer.len());
            return Err(Error::new(crate::ErrorKind::Integrity, message).into());
        }
        Ok(count)
    }
}

/// Bytes as an object of the boundary.
pub(crate) struct BytesObject(pub(crate) bytes::Bytes);

impl AbiBuffer for BytesObject {
    fn as_slice(&self) -> RSlice<'_, u8> {
        RSlice::from_slice(&self.0)
    }
}
