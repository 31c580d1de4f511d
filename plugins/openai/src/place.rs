//! One entry of the store: uploaded, attached and indexed, or given up without a trace.

use f9_plugin_api::{BackendPath, Error, ErrorKind, Result, log};

use crate::{
    api::Chunking,
    codec::STUB,
    failure::Failure,
    index::Entry,
    record::Record,
    store::{Settled, Store},
    types::{Status, StoreFile},
};

impl Store {
    /// Places an entry that says all in its attributes.
    pub(crate) fn place_stub(&self, record: &Record) -> Result<Entry> {
        let entry = self.place_and_settle(record, STUB.as_bytes(), "txt")?;
        entry.ok_or_else(|| not_indexed("the service cannot index a line of plain text").at(&record.path))
    }

    /// Places an entry and waits for it; `None` if the service will not have it.
    pub(crate) fn place_and_settle(
        &self,
        record: &Record,
        body: &[u8],
        extension: &str,
    ) -> Result<Option<Entry>> {
        let at = |failure| Error::from(failure).at(&record.path);
        let placed = match self.place(record, body, extension, Chunking::Auto) {
            Ok(placed) => placed,
            Err(failure) if failure.is_unsupported_file() => return Ok(None),
            Err(failure) => return Err(at(failure)),
        };
        let (id, created_at) = (placed.id.clone(), placed.created_at);
        let settled = self.settle(placed, &|| self.is_replaced(record));
        if let Ok(Settled { file, known }) = &settled
            && file.status == Status::Completed
        {
            let (status, known, record) = (Status::Completed, *known, record.clone());
            return Ok(Some(Entry { id, status, created_at, known, record }));
        }
        self.abandon(&id, &record.path);
        settled.map(|_| None).map_err(at)
    }

    /// Uploads a file and puts it into the store, where it is yet to be indexed.
    pub(crate) fn place(
        &self,
        record: &Record,
        body: &[u8],
        extension: &str,
        chunking: Chunking,
    ) -> Result<StoreFile, Failure> {
        let name = self.upload_name(record, extension);
        let uploaded = self.api.upload(&name, body).inspect_err(|failure| {
            if failure.leaves_open() {
                self.retract(&name, &record.path);
            }
        })?;
        let attached = self.api.attach(&uploaded.id, &record.to_attributes(), chunking);
        let checked = attached.and_then(|file| match check_echo(&file, record) {
            Ok(()) => Ok(file),
            Err(error) => Err(error.into()),
        });
        if checked.is_err() {
            self.abandon(&uploaded.id, &record.path);
        }
        checked
    }

    /// Gives an entry the attributes of its record.
    pub(crate) fn rewrite(&self, entry: &Entry) -> Result<()> {
        let path = &entry.record.path;
        let answer = self.api.update(&entry.id, &entry.record.to_attributes());
        let answer = answer.map_err(|failure| Error::from(failure).at(path))?;
        check_echo(&answer, &entry.record).map_err(|error| error.at(path))
    }

    /// Whether there is a newer version at the path by now.
    fn is_replaced(&self, record: &Record) -> Result<bool> {
        let index = self.catalog.look_afresh(&self.api, &record.path)?;
        let newest = index.version(record.path.as_str()).map(|version| version.generation);
        Ok(newest.is_some_and(|newest| newest > record.generation))
    }

    /// Removes an upload that came to nothing.
    pub(crate) fn abandon(&self, id: &str, path: &BackendPath) {
        let undone = self.undoing().map_err(Failure::from).and_then(|api| {
            api.detach(id)?;
            self.catalog.index().remove(id);
            api.delete_file(id)
        });
        if let Err(failure) = undone {
            let error = Error::from(failure);
            log::warn!("{path}: the unfinished upload {id} is left to the next sweep (`f9 sweep`): {error}");
        }
    }

    /// Removes an upload of which nobody knows whether it arrived. Its name is no other's.
    fn retract(&self, name: &str, path: &BackendPath) {
        let undone = self.undoing().map_err(Failure::from).and_then(|api| {
            let files = api.newest_files()?.data;
            files.iter().filter(|file| file.filename == name).try_for_each(|file| api.delete_file(&file.id))
        });
        if let Err(failure) = undone {
            let error = Error::from(failure);
            log::warn!(
                "{path}: if the upload {name} arrived, it is left to the next sweep (`f9 sweep`): {error}"
            );
        }
    }
}

/// Why the service is done with a file and has not indexed it.
pub(crate) fn why_not_indexed(file: &StoreFile) -> Error {
    let error = not_indexed("the service could not index the file");
    match &file.last_error {
        Some(why) => error.with("code", &why.code).with("answer", &why.message),
        None => error,
    }
}

/// Whether the service took the attributes as they are: nothing else tells what the entry is.
fn check_echo(file: &StoreFile, record: &Record) -> Result<()> {
    let echo = file.attributes.as_ref().and_then(Record::parse);
    if echo.as_ref() == Some(record) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Integrity, "the service altered the attributes that describe the file")
        .hint("it may not support attributes, or not the characters in the path"))
}

fn not_indexed(message: &str) -> Error {
    Error::new(ErrorKind::RemoteRefused, message)
}
