//! Mutants of what is optional, and of what they declare.

use f9_plugin_api::{
    BackendPath, Capabilities, Conflict, Content, CopyOptions, CreateOptions, DeleteOptions, Error,
    ErrorKind, FileBackend, FileInfo, ListOptions, Result, SearchBackend, SearchHit, SyncFileBackend,
    SyncReport, serde_json::Value,
};

use super::mutant::{Mutant, Row, mutant, wrong_kind};

pub(crate) fn mutants() -> Vec<Row> {
    [copy(), rename(), capabilities()].concat()
}

fn overwrite() -> CopyOptions {
    CopyOptions::default().overwrite(true)
}

fn copy() -> Vec<Row> {
    vec![
        mutant("moves", "copy::copies_the_content", |ops| {
            ops.copy = |m, from, to, options| m.inner.rename(from, to, options);
        }),
        mutant("overwrites unasked", "copy::does_not_overwrite_unasked", |ops| {
            ops.copy = |m, from, to, _| m.inner.copy(from, to, overwrite());
        }),
        mutant("never overwrites", "copy::overwrites_when_asked", |ops| {
            ops.copy = |m, from, to, _| m.inner.copy(from, to, CopyOptions::default());
        }),
        mutant("empties what is copied onto itself", "copy::onto_itself_keeps_the_content", |ops| {
            ops.copy = |m, from, to, options| {
                if from == to {
                    return m.inner.create(to, Content::from(""), CreateOptions::default().overwrite(true));
                }
                m.inner.copy(from, to, options)
            };
        }),
        mutant("describes the source", "copy::describes_the_copy", |ops| {
            ops.copy = |m, from, to, options| {
                m.inner.copy(from, to, options)?;
                m.inner.info(from)
            };
        }),
        mutant("makes a directory of a directory", "copy::refuses_a_directory", |ops| {
            ops.copy = |m, from, to, options| match m.inner.info(from)?.is_dir() {
                true => m.inner.create_dir(to, CreateOptions::default()),
                false => m.inner.copy(from, to, options),
            };
        }),
        mutant("shares the content", "copy::copies_are_independent", |ops| {
            ops.update = |m, path, content, mode| {
                let old = m.inner.read(path)?;
                let info = m.inner.update(path, content, mode)?;
                for entry in m.inner.list(&BackendPath::root(), ListOptions::default())?.flatten() {
                    if m.inner.read(&entry.path)? == old {
                        m.inner.copy(path, &entry.path, overwrite())?;
                    }
                }
                Ok(info)
            };
        }),
        mutant("wants the parent to be there", "copy::makes_parents", |ops| {
            ops.copy = |m, from, to, options| {
                m.inner.info(&to.parent().unwrap_or_default())?;
                m.inner.copy(from, to, options)
            };
        }),
        mutant("replaces directories", "copy::never_overwrites_a_directory", |ops| {
            ops.copy = |m, from, to, options| {
                if options.overwrite && m.inner.info(to).is_ok_and(|info| info.is_dir()) {
                    m.inner.delete(to, DeleteOptions::default().recursive(true))?;
                }
                m.inner.copy(from, to, options)
            };
        }),
        mutant("calls a file on the way missing", "copy::refuses_a_file_on_the_way", |ops| {
            ops.copy = |m, from, to, options| {
                wrong_kind(m.inner.copy(from, to, options), ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
        mutant("answers a wrong kind", "copy::refuses_what_is_missing", |ops| {
            ops.copy = |m, from, to, options| {
                wrong_kind(m.inner.copy(from, to, options), ErrorKind::NotFound, ErrorKind::Io)
            };
        }),
        mutant(
            "takes the root for a directory like any",
            "paths::the_root_has_no_declared_operation_either",
            |ops| {
                ops.copy = |m, from, to, options| {
                    wrong_kind(
                        m.inner.copy(from, to, options),
                        ErrorKind::InvalidPath,
                        ErrorKind::IsADirectory,
                    )
                };
            },
        ),
    ]
}

fn rename() -> Vec<Row> {
    vec![
        mutant("copies", "rename::moves_a_file", |ops| {
            ops.rename = |m, from, to, options| m.inner.copy(from, to, options);
        }),
        mutant("overwrites unasked", "rename::does_not_overwrite_unasked", |ops| {
            ops.rename = |m, from, to, _| m.inner.rename(from, to, overwrite());
        }),
        mutant("replaces an empty directory", "rename::never_overwrites_a_directory", |ops| {
            ops.rename = |m, from, to, options| {
                if options.overwrite && from != to && m.inner.info(from)?.is_dir() {
                    let _ = m.inner.delete(to, DeleteOptions::default());
                }
                m.inner.rename(from, to, options)
            };
        }),
        mutant("removes what is moved onto itself", "rename::onto_itself_changes_nothing", |ops| {
            ops.rename = |m, from, to, options| {
                let info = m.inner.rename(from, to, options)?;
                if from == to {
                    m.inner.delete(from, DeleteOptions::default().recursive(true))?;
                }
                Ok(info)
            };
        }),
        mutant("moves a directory below itself", "rename::refuses_to_move_a_directory_below_itself", |ops| {
            ops.rename = |m, from, to, options| {
                if from != to && to.starts_with(from) && m.inner.info(from)?.is_dir() {
                    let info = m.inner.info(from);
                    m.inner.delete(from, DeleteOptions::default().recursive(true))?;
                    return info;
                }
                m.inner.rename(from, to, options)
            };
        }),
        mutant(
            "takes a name that begins alike for below",
            "rename::a_name_that_begins_alike_is_not_below",
            |ops| {
                ops.rename = |m, from, to, options| {
                    if from != to && to.as_str().starts_with(from.as_str()) {
                        return Err(Error::new(ErrorKind::InvalidOperation, "below itself"));
                    }
                    m.inner.rename(from, to, options)
                };
            },
        ),
        mutant("loses empty directories", "rename::moves_a_directory_with_all_it_holds", |ops| {
            ops.rename = |m, from, to, options| {
                let info = m.inner.rename(from, to, options)?;
                if info.is_dir() {
                    for entry in
                        m.inner.list(to, ListOptions::default())?.flatten().filter(|entry| entry.is_dir())
                    {
                        let _ = m.inner.delete(&entry.path, DeleteOptions::default());
                    }
                }
                Ok(info)
            };
        }),
        mutant("takes siblings along", "rename::keeps_what_is_beside", |ops| {
            ops.rename = |m, from, to, options| {
                let info = m.inner.rename(from, to, options)?;
                for entry in m.inner.list(&BackendPath::root(), ListOptions::default())?.flatten() {
                    if entry.path.as_str().starts_with(from.as_str()) {
                        m.inner.delete(&entry.path, DeleteOptions::default().recursive(true))?;
                    }
                }
                Ok(info)
            };
        }),
        mutant("wants the parent to be there", "rename::makes_parents", |ops| {
            ops.rename = |m, from, to, options| {
                m.inner.info(&to.parent().unwrap_or_default())?;
                m.inner.rename(from, to, options)
            };
        }),
        mutant("describes the source", "rename::describes_what_moved", |ops| {
            ops.rename = |m, from, to, options| {
                let info = m.inner.info(from);
                m.inner.rename(from, to, options)?;
                info
            };
        }),
        mutant("never overwrites", "rename::overwrites_a_file_when_asked", |ops| {
            ops.rename = |m, from, to, _| m.inner.rename(from, to, CopyOptions::default());
        }),
        mutant("calls a file on the way missing", "rename::refuses_a_file_on_the_way", |ops| {
            ops.rename = |m, from, to, options| {
                wrong_kind(m.inner.rename(from, to, options), ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
        mutant("answers a wrong kind", "rename::refuses_what_is_missing", |ops| {
            ops.rename = |m, from, to, options| {
                wrong_kind(m.inner.rename(from, to, options), ErrorKind::NotFound, ErrorKind::Io)
            };
        }),
    ]
}

/// A search that finds everything.
impl SearchBackend for Mutant {
    fn search(&self, _: &str, _: u32, _: &Value) -> Result<Vec<SearchHit>> {
        let entries = self.inner.list(&BackendPath::root(), ListOptions::default())?;
        Ok(entries.flatten().map(|entry| SearchHit::new(entry.path, 1.0, "")).collect())
    }
}

/// A synchronisation that sees conflicts everywhere.
impl SyncFileBackend for Mutant {
    fn push(&self, _: Option<&str>) -> Result<SyncReport> {
        Ok(SyncReport::default())
    }

    fn pull(&self) -> Result<SyncReport> {
        Ok(SyncReport::default())
    }

    fn sync(&self, _: Option<&str>) -> Result<SyncReport> {
        Ok(SyncReport::default())
    }

    fn conflict_report(&self) -> Result<Vec<Conflict>> {
        Ok(vec![Conflict::new(BackendPath::parse("file")?, "UU")])
    }

    fn conflict_accept_local(&self, _: &BackendPath) -> Result<()> {
        Ok(())
    }

    fn conflict_accept_remote(&self, _: &BackendPath) -> Result<()> {
        Ok(())
    }

    fn conflict_resolve(&self, path: &BackendPath, _: Content<'_>) -> Result<FileInfo> {
        self.inner.info(path)
    }
}

fn capabilities() -> Vec<Row> {
    let declares_sync: fn(&Mutant) -> Capabilities = |m| m.inner.capabilities() | Capabilities::SYNC;
    let declares_search: fn(&Mutant) -> Capabilities = |m| m.inner.capabilities() | Capabilities::SEARCH;
    let declares_checksum: fn(&Mutant) -> Capabilities = |m| m.inner.capabilities() | Capabilities::CHECKSUM;
    vec![
        mutant("declares checksums and has none", "checksum::offers_an_algorithm", |ops| {
            ops.capabilities = declares_checksum;
        }),
        mutant("has checksums and does not declare them", "undeclared::checksum", |ops| {
            ops.checksum = |m, path, _| m.inner.read(path).map(|_| "00".to_owned());
        }),
        mutant("has wrong checksums", "checksum::is_the_algorithms", |ops| {
            ops.capabilities = declares_checksum;
            ops.checksum = |m, path, _| m.inner.read(path).map(|content| format!("{:064x}", content.len()));
        }),
        mutant("keeps the checksum of the old content", "checksum::follows_the_content", |ops| {
            ops.capabilities = declares_checksum;
            ops.checksum = |m, path, _| m.inner.read(path).map(|_| "0".repeat(64));
        }),
        mutant("has a checksum of directories", "checksum::fails_as_read", |ops| {
            ops.capabilities = declares_checksum;
            ops.checksum = |m, path, _| m.inner.info(path).map(|info| format!("{:064x}", info.size));
        }),
        mutant("declares copies and has none", "copy::copies_the_content", |ops| {
            ops.copy = |_, _, _, _| Err(Error::unsupported("copying"));
        }),
        mutant("copies and does not declare it", "undeclared::copy", |ops| {
            ops.capabilities = |_| Capabilities::empty();
        }),
        mutant("renames and does not declare it", "undeclared::rename", |ops| {
            ops.capabilities = |_| Capabilities::COPY;
        }),
        mutant("opens writers and does not declare it", "undeclared::open_write", |ops| {
            ops.capabilities = |_| Capabilities::COPY | Capabilities::RENAME;
        }),
        mutant("declares writers and has none", "open_write::commits_without_a_write", |ops| {
            ops.open_write = |_, _, _| Err(Error::unsupported("writing as a stream"));
        }),
        mutant("declares synchronisation and has none", "capabilities::sync_is_there_if_declared", |ops| {
            ops.capabilities = |m| m.inner.capabilities() | Capabilities::SYNC;
        }),
        mutant("has a search and does not declare it", "capabilities::search_is_there_if_declared", |ops| {
            ops.search = |m| Some(m);
        }),
        mutant("finds more than was asked for", "search::keeps_to_the_limit", |ops| {
            ops.capabilities = declares_search;
            ops.search = |m| Some(m);
        }),
        mutant("does not look at filters", "search::refuses_filters_it_does_not_understand", |ops| {
            ops.capabilities = declares_search;
            ops.search = |m| Some(m);
        }),
        mutant("declares more once it is used", "capabilities::are_the_same_at_each_call", |ops| {
            ops.capabilities = |m| {
                let declared = m.inner.capabilities();
                let mut memory = m.memory();
                memory.extend(m.inner.info(&BackendPath::root()).ok());
                if memory.len() > 2 { declared | Capabilities::SYNC } else { declared }
            };
        }),
        mutant("knows every command", "capabilities::an_unknown_command_is_unsupported", |ops| {
            ops.command = |_, _, _| Ok(Value::Null);
        }),
        mutant("reports a conflict of nothing", "sync::without_conflicts_the_report_is_empty", |ops| {
            ops.capabilities = declares_sync;
            ops.sync = |m| Some(m);
        }),
        mutant("settles what is no conflict", "sync::only_an_open_conflict_can_be_settled", |ops| {
            ops.capabilities = declares_sync;
            ops.sync = |m| Some(m);
        }),
    ]
}
