//! Objects that lie in files of their own, after a power failure.
//!
//! libgit2 reads a loose object that was cut short without end. A power failure is what cuts one short, so in every run of the
//! machine all of them are looked at once, before libgit2 is; and again when something else is damaged.

use std::{
    fs::{self, File},
    io::{ErrorKind as IoKind, Read},
    path::{Path, PathBuf},
};

use f9_plugin_api::{Context, Result, log};
use miniz_oxide::{
    DataFormat, MZError, MZFlush, MZStatus,
    inflate::stream::{InflateState, inflate},
};

use crate::{errors::Context as _, own_file};

/// Where the clone notes in which run of the machine its objects were looked at.
const NOTE: &str = "f9/boot";

/// Where Linux tells which run of the machine this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// How much is read and inflated at once.
const PIECE: usize = 32 << 10;

/// Git's header, `blob 123` and a NUL, is shorter.
const MAX_HEADER: usize = 32;

/// The damaged objects of the clone whose git directory this is, if it was not looked at in this run of the machine.
pub(crate) fn damaged_since_start(git: &Path, context: &Context) -> Result<Vec<PathBuf>> {
    let Ok(boot) = fs::read(BOOT) else { return Ok(Vec::new()) };
    let note = git.join(NOTE);
    if own_file::read(&note)?.is_some_and(|seen| seen == boot) {
        return Ok(Vec::new());
    }
    let damaged = damaged(git, context)?;
    if damaged.is_empty() && fs::symlink_metadata(git.join("f9")).is_ok_and(|private| private.is_dir()) {
        // Where nothing can be written they are looked at each time.
        if let Err(error) = own_file::replace(&note, &boot) {
            log::debug!("that all objects were looked at is not noted: {error}");
        }
    }
    Ok(damaged)
}

/// The files of objects that do not hold what their header says.
pub(crate) fn damaged(git: &Path, context: &Context) -> Result<Vec<PathBuf>> {
    let mut damaged = Vec::new();
    for directory in children(&git.join("objects"))? {
        if !is_hexadecimal(&directory, 2) {
            continue;
        }
        context.check_cancelled()?;
        for object in children(&directory)? {
            if is_hexadecimal(&object, 38) && !is_whole(&object) {
                damaged.push(object);
            }
        }
    }
    Ok(damaged)
}

fn children(directory: &Path) -> Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry.context("look at the objects")?.path())).collect(),
        Err(error) if matches!(error.kind(), IoKind::NotFound | IoKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error).context("look at the objects"),
    }
}

fn is_hexadecimal(path: &Path, length: usize) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.len() == length && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What cannot be opened is somebody else's to tell of: libgit2 does not read it either.
fn is_whole(object: &Path) -> bool {
    File::open(object).map_or(true, |file| is_whole_stream(file).unwrap_or(false))
}

/// Whether a stream inflates to its end, and is as long as its header says. `None` if it cannot be read.
fn is_whole_stream(mut file: impl Read) -> Option<bool> {
    let mut state = InflateState::new_boxed(DataFormat::Zlib);
    let (mut input, mut output) = (vec![0; PIECE], vec![0; PIECE]);
    let (mut header, mut total) = (Vec::new(), 0_u64);
    loop {
        let read = file.read(&mut input).ok()?;
        let mut rest = input.get(..read)?;
        loop {
            let step = inflate(&mut state, rest, &mut output, MZFlush::None);
            rest = rest.get(step.bytes_consumed..)?;
            let missing = MAX_HEADER.saturating_sub(header.len()).min(step.bytes_written);
            header.extend_from_slice(output.get(..missing)?);
            total += step.bytes_written as u64;
            match step.status {
                Ok(MZStatus::StreamEnd) => return Some(size_in(&header) == Some(total)),
                Ok(_) if step.bytes_written > 0 || !rest.is_empty() && step.bytes_consumed > 0 => {}
                Ok(_) | Err(MZError::Buf) => break,
                Err(_) => return Some(false),
            }
        }
        if read == 0 {
            return Some(false); // before the end of the stream
        }
    }
}

/// How long the whole is, by the object's header.
fn size_in(header: &[u8]) -> Option<u64> {
    let end = header.iter().position(|&byte| byte == 0)?;
    let text = std::str::from_utf8(&header[..end]).ok()?;
    let (_, size) = text.split_once(' ')?;
    Some(size.parse::<u64>().ok()? + end as u64 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object as git writes it, in one stored block.
    fn object(content: &[u8]) -> Vec<u8> {
        let whole = [format!("blob {}\0", content.len()).as_bytes(), content].concat();
        miniz_oxide::deflate::compress_to_vec_zlib(&whole, 6)
    }

    #[test]
    fn an_object_that_is_cut_anywhere_is_not_whole() {
        let large: Vec<u8> = (0..200_000_u32).map(|n| (n.wrapping_mul(n) >> 7) as u8).collect();
        for content in [&b""[..], b"hello", &large] {
            let object = object(content);
            assert_eq!(is_whole_stream(&object[..]), Some(true));
            let cuts = (0..object.len().min(200)).chain(object.len().saturating_sub(20)..object.len());
            for cut in cuts {
                assert_eq!(is_whole_stream(&object[..cut]), Some(false), "{cut} of {}", object.len());
            }
        }
        assert_eq!(is_whole_stream(&b"garbage that is no stream"[..]), Some(false));
        let lies = miniz_oxide::deflate::compress_to_vec_zlib(b"blob 9\0short", 6);
        assert_eq!(is_whole_stream(&lies[..]), Some(false));
    }
}
