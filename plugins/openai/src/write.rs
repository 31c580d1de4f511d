//! From content to a new version of a file.
//!
//! The order is what keeps content safe: the parts of the new version are uploaded, attached, indexed and read back; then
//! one request commits them; only then is the old version taken away. Whatever fails before the commit leaves the old version
//! as it was, and what was uploaded is removed, or found by the next sweep. The first write of a backend sweeps what others have
//! left an hour ago or more.

use std::{collections::VecDeque, sync::Arc, time::SystemTime};

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileInfo, Result, log};
use sha2::{Digest as _, Sha256};

use crate::{
    api::Chunking,
    codec::{self, PIECE, Text},
    failure::Failure,
    index::Entry,
    info::describe,
    options::Encoding,
    place::why_not_indexed,
    present::Present,
    random,
    record::{Commit, Digest, Generation, Record, Storage, inline_capacity},
    store::{Settled, Store},
    sweep,
    types::{Status, StoreFile},
};

/// How many parts the service may be indexing at once: they are held in memory until they have been read back.
const IN_FLIGHT: usize = 4;

/// A version in the making. Dropped before it is committed, it leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Upload {
    store: Arc<Store>,
    path: BackendPath,
    generation: Generation,
    /// What was written and is not on its way.
    pending: Vec<u8>,
    sha256: Sha256,
    size: u64,
    /// On its way, oldest first.
    in_flight: VecDeque<Placed>,
    /// Indexed and read back.
    done: Vec<Entry>,
    /// Text for the search, whose content is in other parts.
    copies: Vec<Entry>,
    next_part: u32,
}

/// A part that was uploaded and attached.
#[derive(Debug)]
struct Placed {
    file: StoreFile,
    record: Record,
    content: Vec<u8>,
    /// How often it was placed before.
    tries: u32,
}

impl Upload {
    /// A new version of what is `present`.
    pub(crate) fn new(store: Arc<Store>, path: BackendPath, present: &Present) -> Self {
        Self {
            store,
            path,
            generation: Generation::after(present.newest.as_ref()),
            pending: Vec::new(),
            sha256: Sha256::new(),
            size: 0,
            in_flight: VecDeque::new(),
            done: Vec::new(),
            copies: Vec::new(),
            next_part: 0,
        }
    }

    /// Takes more content; sends what makes a whole part.
    pub(crate) fn write(&mut self, content: &[u8]) -> Result<()> {
        self.sha256.update(content);
        self.size += content.len() as u64;
        self.pending.extend_from_slice(content);
        while self.pending.len() > PIECE {
            let rest = self.pending.split_off(codec::cut(&self.pending));
            let piece = std::mem::replace(&mut self.pending, rest);
            self.send(piece)?;
        }
        Ok(())
    }

    /// Makes what was written the content of the file, in place of what is there.
    pub(crate) fn commit(&mut self, present: Present) -> Result<FileInfo> {
        if present.newest.as_ref().is_some_and(|newest| *newest >= self.generation) {
            self.generation = Generation::after(present.newest.as_ref());
        }
        let now = SystemTime::now();
        let digest = Digest(std::mem::take(&mut self.sha256).finalize().into());
        let created = present.created.unwrap_or(now).min(now);
        let commit = Commit { directory: false, parts: 1, size: self.size, digest, modified: now, created };
        let inline = self.next_part == 0 && self.pending.len() <= inline_capacity(&self.path);
        let head = if inline { self.commit_inline(commit)? } else { self.commit_parts(commit)? };
        let info = describe(&self.path, &head.record);
        self.publish(&present, head);
        Ok(info)
    }

    /// Makes a directory.
    pub(crate) fn commit_directory(&mut self, present: Present) -> Result<FileInfo> {
        let now = SystemTime::now();
        let digest = Digest::of(b"");
        let commit = Commit { directory: true, parts: 1, size: 0, digest, modified: now, created: now };
        let mut record = self.record(0, b"", Storage::Inline(Vec::new()));
        record.commit = Some(commit);
        let head = self.store.place_stub(&record)?;
        let info = describe(&self.path, &head.record);
        self.publish(&present, head);
        Ok(info)
    }

    /// Content that fits into the attributes is there once the entry is.
    fn commit_inline(&mut self, commit: Commit) -> Result<Entry> {
        let content = std::mem::take(&mut self.pending);
        let text = self.store.encoding != Encoding::Exact && Text::of(&content).is_some();
        let mut record = self.record(0, &content, Storage::Inline(content.clone()));
        record.commit = Some(commit);
        if text {
            record.text = true;
            let extension = codec::text_extension(&self.path);
            if let Some(head) = self.store.place_and_settle(&record, &content, extension)? {
                return Ok(head);
            }
            record.text = false; // the service does not like the text; what matters is in the attributes
        }
        self.store.place_stub(&record)
    }

    /// Several parts, or one that is too large for attributes: all are there and read back before one is committed.
    fn commit_parts(&mut self, mut commit: Commit) -> Result<Entry> {
        let last = std::mem::take(&mut self.pending);
        if !last.is_empty() {
            self.send(last)?;
        }
        while let Some(placed) = self.in_flight.pop_front() {
            self.finish(placed)?;
        }
        commit.parts = self.next_part;
        let last = self.next_part.saturating_sub(1);
        self.rename_generation()?;
        let Some(head) = self.done.iter().find(|entry| entry.record.part == last) else {
            return Err(Error::new(ErrorKind::Other, "a part of the upload is missing").at(&self.path));
        };
        let mut head = head.clone();
        head.record.commit = Some(commit);
        self.store.rewrite(&head)?;
        Ok(head)
    }

    /// Brings the parts to the generation of the commit, if another version came between.
    fn rename_generation(&mut self) -> Result<()> {
        let mut parts: Vec<Entry> = self.done.iter().chain(&self.copies).cloned().collect();
        for entry in parts.iter_mut().filter(|entry| entry.record.generation != self.generation) {
            entry.record.generation = self.generation.clone();
            self.store.rewrite(entry)?;
        }
        (self.done, self.copies) = parts.into_iter().partition(|entry| entry.record.is_content());
        Ok(())
    }

    /// What was committed is the file; what was there before goes.
    fn publish(&mut self, present: &Present, head: Entry) {
        let now = head.created_at; // by the clock of the service
        let mut index = self.store.catalog.index();
        for entry in self.done.drain(..).chain(self.copies.drain(..)).filter(|entry| entry.id != head.id) {
            index.add(entry);
        }
        index.add(head);
        drop(index);
        self.store.tidy(&present.entries);
        sweep::after_write(&self.store, now);
    }

    /// Sends a part on its way; waits for an older one if there are too many.
    fn send(&mut self, content: Vec<u8>) -> Result<()> {
        while self.in_flight.len() >= IN_FLIGHT {
            if let Some(placed) = self.in_flight.pop_front() {
                self.finish(placed)?;
            }
        }
        let part = self.next_part;
        self.next_part =
            part.checked_add(1).ok_or_else(|| Error::new(ErrorKind::StorageFull, "too many parts"))?;
        let done = u64::from(part) * PIECE as u64;
        self.store.context.progress("upload", "bytes", done.min(self.size), None);
        let text = if self.store.encoding == Encoding::Exact { None } else { self.raw_text(&content) };
        if let Some(Text { core, frame }) = text {
            let mut record = self.record(part, &content, Storage::Raw(frame));
            record.text = true;
            let extension = codec::text_extension(&self.path);
            match self.store.place(&record, core.as_bytes(), extension, Chunking::Auto) {
                Ok(file) => {
                    self.in_flight.push_back(Placed { file, record, content, tries: 0 });
                    return Ok(());
                }
                Err(failure) if failure.is_unsupported_file() => {}
                Err(failure) => return Err(self.at(failure)),
            }
        }
        if self.store.encoding == Encoding::Searchable && is_plain_text(&content) {
            self.place_copy(part, &content);
        }
        self.send_armored(part, content, 0)
    }

    /// Stores text for the search alone. It is of no consequence whether that works out.
    fn place_copy(&mut self, part: u32, content: &[u8]) {
        let mut record = self.record(part, content, Storage::Copy);
        record.text = true;
        match self.store.place(&record, content, codec::text_extension(&self.path), Chunking::Auto) {
            Ok(file) => self.copies.push(Entry {
                id: file.id,
                status: file.status,
                created_at: file.created_at,
                known: false,
                record,
            }),
            Err(failure) => {
                log::warn!("{}: the search will not find this text: {}", self.path, Error::from(failure))
            }
        }
    }

    /// Keeps text that did not come back exactly, for the search alone.
    fn keep_as_copy(&mut self, mut entry: Entry) {
        entry.record.storage = Storage::Copy;
        match self.store.rewrite(&entry) {
            Ok(()) => self.copies.push(entry),
            Err(_) => self.store.abandon(&entry.id, &self.path),
        }
    }

    /// The text of a part, if what is around it fits into the attributes.
    fn raw_text(&self, content: &[u8]) -> Option<Text> {
        let text = Text::of(content)?;
        let capacity = inline_capacity(&self.path) / 3 * 4;
        (text.frame.to_text().len() <= capacity.max(256)).then_some(text)
    }

    fn send_armored(&mut self, part: u32, content: Vec<u8>, tries: u32) -> Result<()> {
        let record = self.record(part, &content, Storage::Armor);
        let body = codec::armor(&content, random());
        match self.store.place(&record, body.as_bytes(), "txt", Chunking::Large) {
            Ok(file) => self.in_flight.push_back(Placed { file, record, content, tries }),
            Err(failure) => return Err(self.at(failure)),
        }
        Ok(())
    }

    /// Waits until a part is indexed, and reads it back.
    fn finish(&mut self, placed: Placed) -> Result<()> {
        let Placed { file, record, content, tries } = placed;
        let (id, created_at, part) = (file.id.clone(), file.created_at, record.part);
        let settled = self.store.settle(file, &|| Ok(false)); // nobody removes what is not committed
        let known = settled.as_ref().is_ok_and(|settled| settled.known);
        let entry = Entry { id: id.clone(), status: Status::Completed, created_at, known, record };
        let outcome = match settled {
            Ok(Settled { file, .. }) if file.status == Status::Completed => self.store.fetch(&entry),
            Ok(Settled { file, .. }) => Err(why_not_indexed(&file)),
            Err(failure) => Err(failure.into()),
        };
        let error = match outcome {
            Ok(_) => {
                self.done.push(entry);
                return Ok(());
            }
            Err(error) if error.is_not_found() => {
                Error::new(ErrorKind::Integrity, "what was just written cannot be read back").caused_by(error)
            }
            Err(error) => error,
        };
        let raw = matches!(entry.record.storage, Storage::Raw(_));
        let again = matches!(error.kind(), ErrorKind::Integrity | ErrorKind::RemoteRefused);
        if raw && error.kind() == ErrorKind::Integrity && self.store.encoding == Encoding::Searchable {
            self.keep_as_copy(entry);
        } else {
            self.store.abandon(&id, &self.path);
        }
        if !again || !raw && tries > 0 {
            return Err(error.at(&self.path));
        }
        // Text that does not come back exactly is armoured; armour that does not is tried once more with other words.
        log::debug!("{}: part {part} is stored anew: {error}", self.path);
        self.send_armored(part, content, u32::from(!raw))
    }

    fn record(&self, part: u32, content: &[u8], storage: Storage) -> Record {
        Record::of_part(&self.path, &self.generation, part, content, storage)
    }

    fn at(&self, failure: Failure) -> Error {
        Error::from(failure).at(&self.path)
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let placed = self.in_flight.drain(..).map(|placed| placed.file.id);
        let entries = self.done.drain(..).chain(self.copies.drain(..));
        let ids: Vec<_> = placed.chain(entries.map(|entry| entry.id)).collect();
        for id in ids {
            self.store.abandon(&id, &self.path);
        }
    }
}

/// Whether the search can make anything of content.
fn is_plain_text(content: &[u8]) -> bool {
    std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0') && !text.trim().is_empty())
}
