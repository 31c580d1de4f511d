//! From the parts of a version back to its content, every one of them verified.

use std::{
    collections::VecDeque,
    io::{self, Read},
    ops::Range,
    sync::Arc,
};

use f9_plugin_api::{BackendPath, ByteRange, Bytes, Error, ErrorKind, Result, bytes::Buf, log};
use sha2::{Digest as _, Sha256};

use crate::{
    codec,
    failure::Failure,
    index::{Entry, Version},
    record::{Digest, Storage},
    store::{Store, find_file},
};

/// How often a read begins anew because another version took the place of the one that it read.
const TRIES: u32 = 3;

/// The content of a version or of a range of it, part by part.
#[derive(Debug)]
pub(crate) struct Content {
    store: Arc<Store>,
    path: BackendPath,
    /// What is to be read, and how much of each.
    parts: VecDeque<(Entry, Range<usize>)>,
    piece: Bytes,
    /// Of what was read so far, if all of the file is: to be compared with the commit.
    whole: Option<(Sha256, Digest)>,
}

/// Opens a file, whose first part of the range is already there.
pub(crate) fn open(store: &Arc<Store>, path: &BackendPath, range: ByteRange) -> Result<Content> {
    let mut tries = 0;
    loop {
        let index = if tries == 0 {
            store.catalog.look(&store.api, path)
        } else {
            store.catalog.look_afresh(&store.api, path)
        };
        let version = find_file(&*index?, path)?;
        tries += 1;
        // A listing can show a commit before all of its parts, and what was deleted since.
        let opened = Content::new(store, path, &version, range).and_then(|mut content| {
            content.advance()?;
            Ok(content)
        });
        match opened {
            Err(error)
                if tries < TRIES && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Integrity) =>
            {
                log::debug!("looking again at {path}: {error}");
            }
            result => return result,
        }
    }
}

/// The content of a version that was just looked up.
pub(crate) fn open_version(store: &Arc<Store>, path: &BackendPath, version: &Version) -> Result<Content> {
    Content::new(store, path, version, ByteRange::ALL)
}

impl Content {
    fn new(store: &Arc<Store>, path: &BackendPath, version: &Version, range: ByteRange) -> Result<Self> {
        let damaged = |what: String| {
            let error = Error::new(ErrorKind::Integrity, what).at(path);
            Err(error.hint(
                "if somebody is writing this file, try again in a minute; else restore it from elsewhere",
            ))
        };
        if version.missing > 0 {
            let (missing, parts) = (version.missing, version.commit.parts);
            return damaged(format!(
                "{missing} of the {parts} parts of this file are not in the vector store"
            ));
        }
        let wanted = range.within(version.commit.size);
        let mut parts = VecDeque::new();
        let mut start = 0u64;
        for part in &version.parts {
            let end = start.saturating_add(part.record.length);
            let (from, to) = (wanted.start.max(start), wanted.end.min(end));
            if from < to {
                // Within a part, whose length is compared with what arrives.
                parts.push_back((part.clone(), (from - start) as usize..(to - start) as usize));
            }
            start = end;
        }
        if start != version.commit.size {
            return damaged(format!(
                "the parts of this file have {start} bytes, and it has {}",
                version.commit.size
            ));
        }
        let whole = (wanted == (0..version.commit.size)).then(|| (Sha256::new(), version.commit.digest));
        Ok(Self { store: Arc::clone(store), path: path.clone(), parts, piece: Bytes::new(), whole })
    }

    /// All of it.
    pub(crate) fn into_bytes(mut self) -> Result<Bytes> {
        let first = self.next_piece()?;
        let Some(second) = Some(self.next_piece()?).filter(|second| !second.is_empty()) else {
            return Ok(first);
        };
        let mut all = [first, second].concat();
        loop {
            let piece = self.next_piece()?;
            if piece.is_empty() {
                return Ok(all.into());
            }
            all.extend_from_slice(&piece);
        }
    }

    /// What comes next; empty at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Bytes> {
        if self.piece.is_empty() {
            self.advance()?;
        }
        Ok(std::mem::take(&mut self.piece))
    }

    /// Fetches the next part, if the last is used up; compares the whole with its checksum after the last.
    fn advance(&mut self) -> Result<()> {
        let Some((entry, range)) = self.parts.pop_front() else { return self.check_whole() };
        self.store.context.check_cancelled()?;
        let content = self.store.fetch(&entry).map_err(|error| error.at(&self.path))?;
        self.piece = Bytes::from(content).slice(range);
        if let Some((sha256, _)) = &mut self.whole {
            sha256.update(&self.piece);
        }
        Ok(())
    }

    /// Compares what was read with the checksum of the file, if all of it was.
    fn check_whole(&mut self) -> Result<()> {
        let Some((sha256, digest)) = self.whole.take() else { return Ok(()) };
        if Digest(sha256.finalize().into()) == digest {
            return Ok(());
        }
        let message = "the file does not have the checksum it was stored with";
        Err(Error::new(ErrorKind::Integrity, message).at(&self.path))
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.advance()?;
        }
        let read = self.piece.len().min(buffer.len());
        self.piece.copy_to_slice(&mut buffer[..read]);
        Ok(read)
    }
}

impl Store {
    /// The content of a part, of the length and checksum that it was stored with.
    ///
    /// # Errors
    ///
    /// `Integrity` if the service does not return it exactly, `NotFound` if it is no longer there.
    pub(crate) fn fetch(&self, entry: &Entry) -> Result<Vec<u8>> {
        if let Storage::Inline(_) = entry.record.storage {
            return codec::restore(&entry.record, &[]).ok_or_else(|| not_exact(entry));
        }
        if self.downloads_work()
            && let Some(content) = self.fetch_upload(entry)?
        {
            return Ok(content);
        }
        // An answer that was damaged on its way, or came from where the file is not known yet, is worth a second try.
        for last in [false, true] {
            let parts = match self.api.parsed_content(&entry.id) {
                Err(failure) if failure.is_missing() && !last => continue,
                result => result.map_err(|failure| gone(failure, entry))?,
            };
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            if let Some(content) = codec::restore(&entry.record, &parts) {
                return Ok(content);
            }
        }
        Err(not_exact(entry))
    }

    /// The content from the file as it was uploaded, where the service hands it out.
    fn fetch_upload(&self, entry: &Entry) -> Result<Option<Vec<u8>>> {
        match self.api.download(&entry.id) {
            Ok(Some(upload)) => {
                Ok(std::str::from_utf8(&upload).ok().and_then(|text| codec::restore(&entry.record, &[text])))
            }
            Ok(None) => {
                self.downloads_are_refused();
                Ok(None)
            }
            // The parsed content is another way to it.
            Err(Failure::Refused(_)) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

fn not_exact(entry: &Entry) -> Error {
    Error::new(ErrorKind::Integrity, "the service does not return the content as it was stored")
        .with("file", &entry.id)
        .with("encoding", entry.record.encoding())
        .with("part", entry.record.part)
}

fn gone(failure: Failure, entry: &Entry) -> Error {
    if failure.is_missing() {
        return Error::new(ErrorKind::NotFound, "the service lists this file and no longer has it")
            .with("file", &entry.id)
            .hint("it was deleted, a moment ago or by other means; listings can lag behind by minutes");
    }
    failure.into()
}
