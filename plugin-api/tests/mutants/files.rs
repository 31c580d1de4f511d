//! Mutants of the operations that every backend has.

use std::{
    thread::sleep,
    time::{Duration, UNIX_EPOCH},
};

use f9_plugin_api::{
    BackendPath, Bytes, Content, CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend,
    FileInfo, FileKind, ListOptions, Result, UpdateMode,
};

use crate::mutant::{Mutant, Row, mutant};

pub(crate) fn mutants() -> Vec<Row> {
    [create(), create_dir(), read(), update(), delete(), info(), list(), names()].concat()
}

fn overwrite() -> CreateOptions {
    CreateOptions::default().overwrite(true)
}

fn everything() -> ListOptions {
    ListOptions::default().recursive(true)
}

/// Long enough for another thread to get in between.
fn meanwhile() {
    sleep(Duration::from_millis(2));
}

fn wrong_kind<T>(result: Result<T>, kind: ErrorKind, instead: ErrorKind) -> Result<T> {
    result.map_err(|error| if error.kind() == kind { Error::new(instead, "mutated") } else { error })
}

fn create() -> Vec<Row> {
    vec![
        mutant("overwrites unasked", "create::does_not_overwrite_unasked", |ops| {
            ops.create = |m, path, content, _| m.inner.create(path, content, overwrite());
        }),
        mutant("replaces directories", "create::never_overwrites_a_directory", |ops| {
            ops.create = |m, path, content, options| {
                if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_dir()) {
                    m.inner.delete(path, DeleteOptions::default().recursive(true))?;
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("wants the parent to be there", "create::makes_parents", |ops| {
            ops.create = |m, path, content, options| {
                m.inner.info(&path.parent().unwrap_or_default())?;
                m.inner.create(path, content, options)
            };
        }),
        mutant("describes the size as 0", "create::describes_the_file", |ops| {
            ops.create = |m, path, content, options| {
                let info = m.inner.create(path, content, options)?;
                Ok(FileInfo::new(info.path, info.kind, 0))
            };
        }),
        mutant("refuses empty files", "create::an_empty_file_is_a_file", |ops| {
            ops.create = |m, path, content, options| {
                let content = content.into_bytes()?;
                if content.is_empty() {
                    return Err(Error::new(ErrorKind::InvalidOperation, "empty"));
                }
                m.inner.create(path, Content::from(&content), options)
            };
        }),
        mutant("looks, and then leaps", "threads::one_of_racing_creators_wins", |ops| {
            ops.create = |m, path, content, options| {
                if !options.overwrite && m.inner.info(path).is_ok() {
                    return Err(Error::new(ErrorKind::AlreadyExists, "taken"));
                }
                meanwhile();
                m.inner.create(path, content, overwrite())
            };
        }),
        mutant("stores what a broken reader gave", "create::does_not_store_a_broken_reader", |ops| {
            ops.create = |m, path, content, options| match content {
                Content::Reader(reader) => {
                    let mut read = Vec::new();
                    let broken = reader.read_to_end(&mut read);
                    let info = m.inner.create(path, Content::from(&read), options)?;
                    broken.map_err(Error::from).map(|_| info)
                }
                content => m.inner.create(path, content, options),
            };
        }),
        mutant(
            "loses the old content to a broken reader",
            "create::keeps_the_old_content_if_a_reader_breaks",
            |ops| {
                ops.create = |m, path, content, options| {
                    if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_file()) {
                        m.inner.delete(path, DeleteOptions::default())?;
                    }
                    m.inner.create(path, content, options)
                };
            },
        ),
        mutant("takes a short read for the end", "create::reads_a_reader_to_its_end", |ops| {
            ops.create = |m, path, content, options| match content {
                Content::Reader(reader) => {
                    let mut buffer = vec![0; 1 << 16];
                    let length = reader.read(&mut buffer)?;
                    m.inner.create(path, Content::from(&buffer[..length]), options)
                }
                content => m.inner.create(path, content, options),
            };
        }),
        mutant("hides the reader's error", "create::names_the_readers_own_error", |ops| {
            ops.create = |m, path, content, options| {
                let created = m.inner.create(path, content, options);
                wrong_kind(created, ErrorKind::QuotaExceeded, ErrorKind::Io)
            };
        }),
        mutant("leaves the tail of the old content", "create::overwrites_when_asked", |ops| {
            ops.create = |m, path, content, options| {
                let mut content = content.into_bytes()?.to_vec();
                if let Ok(old) = m.inner.read(path) {
                    content.extend_from_slice(old.get(content.len()..).unwrap_or_default());
                }
                m.inner.create(path, Content::from(&content), options)
            };
        }),
        mutant("answers a wrong kind", "create::does_not_overwrite_unasked", |ops| {
            ops.create = |m, path, content, options| {
                let created = m.inner.create(path, content, options);
                wrong_kind(created, ErrorKind::AlreadyExists, ErrorKind::InvalidOperation)
            };
        }),
        mutant("normalises line ends", "create::stores_what_it_is_given", |ops| {
            ops.create = |m, path, content, options| {
                let content = content.into_bytes()?;
                let text = String::from_utf8(content.to_vec()).map(|text| text.replace("\r\n", "\n").into());
                m.inner.create(path, Content::from(&text.unwrap_or(content)), options)
            };
        }),
        mutant("removes the old before the new is there", "threads::a_reader_meets_old_or_new", |ops| {
            ops.create = |m, path, content, options| {
                if options.overwrite {
                    m.inner.delete(path, DeleteOptions::default())?;
                    meanwhile();
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("calls a file on the way missing", "create::refuses_a_file_on_the_way", |ops| {
            ops.create = |m, path, content, options| {
                let created = m.inner.create(path, content, options);
                wrong_kind(created, ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
        mutant("names another path in errors", "create::does_not_overwrite_unasked", |ops| {
            ops.create = |m, path, content, options| {
                let created = m.inner.create(path, content, options);
                created.map_err(|error| Error::new(error.kind(), "taken").at("/srv/data/file"))
            };
        }),
        mutant("takes the root for a file called `root`", "paths::the_root_has_only_info_and_list", |ops| {
            ops.create = |m, path, content, options| {
                let path = if path.is_root() { BackendPath::parse("root")? } else { path.clone() };
                m.inner.create(&path, content, options)
            };
        }),
    ]
}

fn create_dir() -> Vec<Row> {
    vec![
        mutant("accepts a directory unasked", "create_dir::does_not_overwrite_unasked", |ops| {
            ops.create_dir = |m, path, _| m.inner.create_dir(path, overwrite());
        }),
        mutant("lets all racing creators win", "threads::one_of_racing_directory_creators_wins", |ops| {
            ops.create_dir = |m, path, options| {
                if !options.overwrite && m.inner.info(path).is_ok() {
                    return Err(Error::new(ErrorKind::AlreadyExists, "taken"));
                }
                meanwhile();
                m.inner.create_dir(path, overwrite())
            };
        }),
        mutant("empties the directory it accepts", "create_dir::accepts_a_directory_when_asked", |ops| {
            ops.create_dir = |m, path, options| {
                if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_dir()) {
                    m.inner.delete(path, DeleteOptions::default().recursive(true))?;
                }
                m.inner.create_dir(path, options)
            };
        }),
        mutant("replaces files", "create_dir::never_overwrites_a_file", |ops| {
            ops.create_dir = |m, path, options| {
                if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_file()) {
                    m.inner.delete(path, DeleteOptions::default())?;
                }
                m.inner.create_dir(path, options)
            };
        }),
        mutant("makes a file of a directory", "create_dir::makes_an_empty_directory", |ops| {
            ops.create_dir = |m, path, options| m.inner.create(path, Content::from(""), options);
        }),
    ]
}

fn read() -> Vec<Row> {
    vec![
        mutant("loses the last byte", "read::gives_the_content", |ops| {
            ops.read =
                |m, path| m.inner.read(path).map(|content| content.slice(..content.len().saturating_sub(1)));
        }),
        mutant("takes content for text", "create::stores_what_it_is_given", |ops| {
            ops.read = |m, path| Ok(String::from_utf8_lossy(&m.inner.read(path)?).into_owned().into());
        }),
        mutant("reads directories as empty files", "read::refuses_a_directory", |ops| {
            ops.read = |m, path| match m.inner.read(path) {
                Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(Bytes::new()),
                read => read,
            };
        }),
        mutant("reads what is missing as empty", "read::refuses_what_is_missing", |ops| {
            ops.read = |m, path| match m.inner.read(path) {
                Err(error) if error.is_not_found() => Ok(Bytes::new()),
                read => read,
            };
        }),
        mutant("begins a range one byte late", "read::gives_any_part", |ops| {
            ops.read_range = |m, path, mut range| {
                range.offset = range.offset.saturating_add(u64::from(range.offset > 0));
                m.inner.read_range(path, range)
            };
        }),
        mutant("ends a range one byte late", "read::gives_any_part", |ops| {
            ops.read_range = |m, path, mut range| {
                range.length = range.length.map(|length| length.saturating_add(1));
                m.inner.read_range(path, range)
            };
        }),
        mutant("refuses a range beyond the end", "read::leaves_out_what_is_beyond_the_end", |ops| {
            ops.read_range = |m, path, range| {
                let size = m.inner.info(path)?.size;
                if range.offset > size {
                    return Err(Error::new(ErrorKind::InvalidOperation, "beyond the end"));
                }
                m.inner.read_range(path, range)
            };
        }),
        mutant("panics where a range overflows", "read::leaves_out_what_is_beyond_the_end", |ops| {
            ops.read_range = |m, path, range| {
                range.offset.checked_add(range.length.unwrap_or(0)).expect("offset and length overflow");
                m.inner.read_range(path, range)
            };
        }),
    ]
}

fn update() -> Vec<Row> {
    vec![
        mutant("replaces where it should append", "update::appends", |ops| {
            ops.update = |m, path, content, _| m.inner.update(path, content, UpdateMode::Replace);
        }),
        mutant("appends where it should replace", "update::replaces", |ops| {
            ops.update = |m, path, content, _| m.inner.update(path, content, UpdateMode::Append);
        }),
        mutant("loses racing appends", "threads::racing_appends_are_all_kept", |ops| {
            ops.update = |m, path, content, mode| {
                if mode == UpdateMode::Replace {
                    return m.inner.update(path, content, mode);
                }
                let old = m.inner.read(path)?;
                meanwhile();
                let new = [&old[..], &content.into_bytes()?].concat();
                m.inner.update(path, Content::from(&new), UpdateMode::Replace)
            };
        }),
        mutant("tears racing appends", "threads::racing_appends_are_all_kept", |ops| {
            ops.update = |m, path, content, mode| {
                let content = content.into_bytes()?;
                let (first, second) = content.split_at(content.len() / 2);
                m.inner.update(path, Content::from(first), mode)?;
                meanwhile();
                m.inner.update(path, Content::from(second), UpdateMode::Append)
            };
        }),
        mutant("creates", "update::does_not_create", |ops| {
            ops.update = |m, path, content, mode| {
                if m.inner.info(path).is_err_and(|error| error.is_not_found()) {
                    return m.inner.create(path, content, overwrite());
                }
                m.inner.update(path, content, mode)
            };
        }),
        mutant("replaces in two steps", "threads::a_reader_meets_old_or_new", |ops| {
            ops.update = |m, path, content, mode| {
                if mode == UpdateMode::Replace {
                    m.inner.update(path, Content::from(""), mode)?;
                    meanwhile();
                }
                m.inner.update(path, content, mode)
            };
        }),
        mutant("describes the file as it was", "update::describes_the_file", |ops| {
            ops.update = |m, path, content, mode| {
                let info = m.inner.info(path);
                m.inner.update(path, content, mode)?;
                info
            };
        }),
        mutant(
            "takes a broken reader for the whole",
            "update::keeps_the_old_content_if_a_reader_breaks",
            |ops| {
                ops.update = |m, path, content, mode| match content {
                    Content::Reader(reader) => {
                        let mut read = Vec::new();
                        let broken = reader.read_to_end(&mut read);
                        m.inner.update(path, Content::from(&read), mode)?;
                        broken?;
                        m.inner.info(path)
                    }
                    content => m.inner.update(path, content, mode),
                };
            },
        ),
    ]
}

fn delete() -> Vec<Row> {
    vec![
        mutant("is always recursive", "delete::refuses_a_directory_with_entries", |ops| {
            ops.delete = |m, path, _| m.inner.delete(path, DeleteOptions::default().recursive(true));
        }),
        mutant("is never recursive", "delete::removes_a_directory_with_all_it_holds", |ops| {
            ops.delete = |m, path, _| m.inner.delete(path, DeleteOptions::default());
        }),
        mutant("takes siblings along", "delete::keeps_what_is_beside", |ops| {
            ops.delete = |m, path, options| {
                m.inner.delete(path, options)?;
                for entry in
                    m.inner.list(&path.parent().unwrap_or_default(), ListOptions::default())?.flatten()
                {
                    if options.recursive && entry.path.as_str().starts_with(path.as_str()) {
                        m.inner.delete(&entry.path, options)?;
                    }
                }
                Ok(())
            };
        }),
        mutant("succeeds where nothing is", "delete::refuses_what_is_missing", |ops| {
            ops.delete = |m, path, options| match m.inner.delete(path, options) {
                Err(error) if error.is_not_found() => Ok(()),
                deleted => deleted,
            };
        }),
        mutant("says so and does nothing", "delete::removes_a_file", |ops| {
            ops.delete = |_, _, _| Ok(());
        }),
        mutant("wipes the root", "paths::the_root_has_only_info_and_list", |ops| {
            ops.delete = |m, path, options| {
                if !path.is_root() {
                    return m.inner.delete(path, options);
                }
                for entry in m.inner.list(path, ListOptions::default())?.flatten() {
                    m.inner.delete(&entry.path, options)?;
                }
                Ok(())
            };
        }),
        mutant("lets all racing deletes win", "threads::one_of_racing_deletes_wins", |ops| {
            ops.delete = |m, path, options| {
                m.inner.info(path)?;
                meanwhile();
                let _ = m.inner.delete(path, options);
                Ok(())
            };
        }),
        mutant("takes the emptied parent along", "delete::removes_a_file", |ops| {
            ops.delete = |m, path, options| {
                m.inner.delete(path, options)?;
                let _ = m.inner.delete(&path.parent().unwrap_or_default(), DeleteOptions::default());
                Ok(())
            };
        }),
        mutant("calls a file on the way missing", "delete::refuses_a_file_on_the_way", |ops| {
            ops.delete = |m, path, options| {
                wrong_kind(m.inner.delete(path, options), ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
        mutant("panics", "delete::removes_a_file", |ops| {
            ops.delete = |_, _, _| panic!("out of ideas");
        }),
    ]
}

fn info() -> Vec<Row> {
    vec![
        mutant("tells the name for the path", "info::the_path_is_the_one_asked_for", |ops| {
            ops.info = |m, path| {
                let mut info = m.inner.info(path)?;
                info.path = BackendPath::parse(path.name().unwrap_or_default())?;
                Ok(info)
            };
        }),
        mutant("tells a size of directories", "info::tells_kind_and_size", |ops| {
            ops.info = |m, path| {
                let mut info = m.inner.info(path)?;
                info.size += if info.is_dir() { 4096 } else { 0 };
                Ok(info)
            };
        }),
        mutant("does not know the root", "info::the_root_is_a_directory", |ops| {
            ops.info = |m, path| {
                path.split()?;
                m.inner.info(path)
            };
        }),
        mutant("counts time in milliseconds", "info::times_are_of_now", |ops| {
            ops.info = |m, path| {
                let info = m.inner.info(path)?;
                let since = info.modified_at.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                Ok(info.modified_at(since.map(|since| UNIX_EPOCH + since * 1000)))
            };
        }),
        mutant("says that files are as old as the epoch", "info::times_are_of_now", |ops| {
            ops.info = |m, path| Ok(m.inner.info(path)?.modified_at(Some(UNIX_EPOCH)));
        }),
        mutant("counts reading as a change", "info::reading_changes_nothing", |ops| {
            ops.read = |m, path| {
                let content = m.inner.read(path)?;
                m.inner.update(path, Content::from(&content), UpdateMode::Replace)?;
                Ok(content)
            };
        }),
        mutant("calls a file on the way missing", "info::refuses_what_is_missing", |ops| {
            ops.info =
                |m, path| wrong_kind(m.inner.info(path), ErrorKind::NotADirectory, ErrorKind::NotFound);
        }),
    ]
}

/// A listing with its entries changed.
fn changed(
    m: &Mutant,
    path: &BackendPath,
    options: ListOptions,
    change: impl FnOnce(&mut Vec<FileInfo>),
) -> Result<Entries> {
    let mut entries: Vec<_> = m.inner.list(path, options)?.flatten().collect();
    change(&mut entries);
    Ok(Box::new(entries.into_iter().map(Ok)))
}

fn list() -> Vec<Row> {
    vec![
        mutant("answers what it answered first", "list::shows_every_change", |ops| {
            ops.list = |m, path, options| {
                changed(m, path, options, |entries| {
                    let mut memory = m.memory.lock().unwrap();
                    if memory.is_empty() {
                        memory.clone_from(entries);
                    }
                    entries.clone_from(&memory);
                })
            };
        }),
        mutant("tells of an entry twice", "list::gives_the_children", |ops| {
            ops.list = |m, path, options| {
                changed(m, path, options, |entries| entries.extend(entries.first().cloned()))
            };
        }),
        mutant("tells of children first", "list::a_directory_comes_before_what_it_holds", |ops| {
            ops.list = |m, path, options| changed(m, path, options, |entries| entries.reverse());
        }),
        mutant(
            "is in alphabetical order of whole paths reversed",
            "list::a_directory_comes_before_what_it_holds",
            |ops| {
                ops.list = |m, path, options| {
                    changed(m, path, options, |entries| {
                        entries.sort_by_key(|entry| entry.path.name().map(str::to_owned))
                    })
                };
            },
        ),
        mutant("tells of the directory itself", "list::an_empty_directory_has_no_entries", |ops| {
            ops.list = |m, path, options| {
                let itself = m.inner.info(path);
                changed(m, path, options, |entries| entries.extend(itself))
            };
        }),
        mutant("takes what is missing for empty", "list::refuses_what_is_missing", |ops| {
            ops.list = |m, path, options| match m.inner.list(path, options) {
                Err(error) if error.is_not_found() => Ok(Box::new(std::iter::empty())),
                listed => listed,
            };
        }),
        mutant("lists a file as itself", "list::refuses_a_file", |ops| {
            ops.list = |m, path, options| match m.inner.info(path)? {
                info if info.is_file() => Ok(Box::new(std::iter::once(Ok(info)))),
                _ => m.inner.list(path, options),
            };
        }),
        mutant("stops after the first page", "list::many_entries_are_complete", |ops| {
            ops.list = |m, path, options| changed(m, path, options, |entries| entries.truncate(100));
        }),
        mutant("is never recursive", "list::recursive_gives_everything_below", |ops| {
            ops.list = |m, path, _| m.inner.list(path, ListOptions::default());
        }),
        mutant("is always recursive", "list::gives_the_children", |ops| {
            ops.list = |m, path, _| m.inner.list(path, everything());
        }),
        mutant("leaves out empty directories", "list::recursive_gives_everything_below", |ops| {
            ops.list = |m, path, options| {
                let is_empty = |path: &BackendPath| {
                    m.inner.list(path, everything()).is_ok_and(|mut e| e.next().is_none())
                };
                changed(m, path, options, |entries| entries.retain(|entry| !is_empty(&entry.path)))
            };
        }),
        mutant("tells less than info", "list::entries_are_as_info_says", |ops| {
            ops.list = |m, path, options| {
                changed(m, path, options, |entries| {
                    entries.iter_mut().for_each(|entry| entry.modified_at = None);
                })
            };
        }),
        mutant("compares prefixes of text", "list::keeps_apart_names_that_begin_alike", |ops| {
            ops.list = |m, path, options| {
                m.inner.info(path)?;
                let all: Vec<_> = m.inner.list(&BackendPath::root(), everything())?.flatten().collect();
                let inside = all.into_iter().filter(|entry| {
                    let below = entry.path != *path && entry.path.as_str().starts_with(path.as_str());
                    below
                        && (options.recursive || entry.path.segments().count() == path.segments().count() + 1)
                });
                Ok(Box::new(inside.collect::<Vec<_>>().into_iter().map(Ok)))
            };
        }),
        mutant("tells of temporary files", "list::an_empty_root_has_no_entries", |ops| {
            ops.list = |m, path, options| {
                let temporary = path.join(".tmp-1").map(|path| FileInfo::new(path, FileKind::File, 0));
                changed(m, path, options, |entries| entries.extend(temporary))
            };
        }),
        mutant("does not list the root", "list::an_empty_root_has_no_entries", |ops| {
            ops.list = |m, path, options| {
                path.split()?;
                m.inner.list(path, options)
            };
        }),
    ]
}

/// Names a new file otherwise than asked.
fn renamed(
    m: &Mutant,
    path: &BackendPath,
    content: Content<'_>,
    rename: impl Fn(&str) -> String,
) -> Result<FileInfo> {
    let path = BackendPath::parse(&rename(path.as_str()))?;
    m.inner.create(&path, content, CreateOptions::default())
}

fn names() -> Vec<Row> {
    const FILES: &str = "names::unusual_files_keep_their_names";
    vec![
        mutant("trims names", FILES, |ops| {
            ops.create = |m, path, content, _| renamed(m, path, content, |name| name.trim().to_owned());
        }),
        mutant("folds case", FILES, |ops| {
            ops.create = |m, path, content, _| renamed(m, path, content, str::to_lowercase);
        }),
        mutant("composes letters", FILES, |ops| {
            ops.create =
                |m, path, content, _| renamed(m, path, content, |name| name.replace("e\u{301}", "\u{e9}"));
        }),
        mutant("decodes percent signs", FILES, |ops| {
            ops.create = |m, path, content, _| renamed(m, path, content, |name| name.replace("%20", " "));
        }),
        mutant("encodes what is unusual", "names::unusual_directories_keep_their_names", |ops| {
            ops.create = |m, path, content, _| renamed(m, path, content, |name| name.replace('\n', "%0A"));
        }),
        mutant("refuses a blank", "names::ordinary_names_are_accepted", |ops| {
            ops.create = |m, path, content, options| {
                if path.as_str().contains(' ') {
                    return Err(Error::new(ErrorKind::InvalidPath, "a blank"));
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("refuses a name as an I/O error", FILES, |ops| {
            ops.create = |m, path, content, options| {
                if path.as_str().contains('\n') {
                    return Err(Error::new(ErrorKind::Io, "a line break"));
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("cuts long names", "names::long_names_are_whole_or_refused", |ops| {
            ops.create =
                |m, path, content, _| renamed(m, path, content, |name| name.chars().take(150).collect());
        }),
    ]
}
