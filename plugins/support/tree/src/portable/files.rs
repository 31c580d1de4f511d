//! Reading a file, and appending to one.

use std::io::{self, Read, Seek, SeekFrom, Write};

use cap_std::fs::{File, OpenOptions};
use f9_plugin_api::{BackendPath, ByteRange, Bytes, Content, Error, ErrorKind, FileInfo};

use super::{Tree, info};
use crate::Durability;

/// One append is one call, and this is the most that all systems write in one.
const MAX_APPEND: usize = 0x7fff_f000;

impl Tree {
    /// Opens a regular file. What else there is, is refused before it is opened: opening a pipe can take for ever.
    fn open_file(&self, path: &BackendPath, options: &OpenOptions) -> io::Result<File> {
        path.split()?;
        let plain = self.follow(path.as_str())?;
        refuse_other(&self.root.symlink_metadata(&plain)?)?;
        let file = self.root.open_with(&plain, options)?;
        refuse_other(&file.metadata()?)?;
        Ok(file)
    }

    pub(super) fn read_part(&self, path: &BackendPath, range: ByteRange) -> io::Result<Bytes> {
        let mut reader = self.reader(path, range)?;
        let length = usize::try_from(reader.left).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let mut content = Vec::new();
        content.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
        reader.read_to_end(&mut content)?;
        Ok(content.into())
    }

    pub(super) fn reader(&self, path: &BackendPath, range: ByteRange) -> io::Result<FileReader> {
        let mut file = self.open_file(path, OpenOptions::new().read(true))?;
        let range = range.within(file.metadata()?.len());
        file.seek(SeekFrom::Start(range.start))?;
        Ok(FileReader { file, left: range.end - range.start })
    }

    pub(super) fn append(&self, path: &BackendPath, content: Content<'_>) -> io::Result<FileInfo> {
        let mut options = OpenOptions::new();
        options.append(true);
        // What must fail fails before the content is taken. The file is opened anew when that is done.
        self.open_file(path, &options)?;
        let bytes = gather(content)?;
        let mut file = self.open_file(path, &options)?;
        if !bytes.is_empty() {
            write_whole(&mut file, &bytes)?;
        }
        if self.options.durability == Durability::Fsync {
            file.sync_all()?;
        }
        Ok(info(path, &file.metadata()?))
    }
}

fn refuse_other(found: &cap_std::fs::Metadata) -> io::Result<()> {
    if found.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        let message = "this is a pipe, a socket or a device";
        return Err(Error::new(ErrorKind::InvalidOperation, message).hint("name a regular file").into());
    }
    Ok(())
}

/// A file as it was when it was opened: what is appended later is not read.
#[derive(Debug)]
pub(super) struct FileReader {
    file: File,
    left: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.file.read(&mut buffer[..wanted])?;
        if read == 0 {
            let message = "cannot read the file: another program cut it short meanwhile";
            let error = Error::new(ErrorKind::Busy, message).hint("try again when that program is done");
            return Err(error.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// At most one byte more than one append takes is read of a stream.
fn gather(content: Content<'_>) -> io::Result<Bytes> {
    let bytes = match content {
        Content::Bytes(_) => content.into_bytes()?,
        Content::Reader(reader) => {
            let mut gathered = Vec::new();
            reader.take(MAX_APPEND as u64 + 1).read_to_end(&mut gathered)?;
            gathered.into()
        }
    };
    if bytes.len() > MAX_APPEND {
        let message = format!("cannot append to the file: one append takes at most {MAX_APPEND} bytes");
        let error = Error::new(ErrorKind::InvalidOperation, message);
        return Err(error.hint("append in parts, or write the file anew as a stream").into());
    }
    Ok(bytes)
}

/// Writes all or, if the storage takes only a part, takes that part back if nobody appended after it.
fn write_whole(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let written = loop {
        match file.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            written => break written?,
        }
    };
    if written == bytes.len() {
        return Ok(());
    }
    let end = file.stream_position()?;
    if file.metadata()?.len() == end && file.set_len(end - written as u64).is_ok() {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let message = format!("cannot append to the file: there was room for {written} bytes only");
    let error = Error::new(ErrorKind::StorageFull, message);
    Err(error.hint("these are in the file; make room and repair it").into())
}
