//! Mutants of `delete`, `info` and `list`, and of names.

use std::time::UNIX_EPOCH;

use f9_plugin_api::{
    BackendPath, Content, CreateOptions, DeleteOptions, Entries, Error, ErrorKind, FileBackend, FileInfo,
    FileKind, ListOptions, Result, UpdateMode,
};

use super::mutant::{Mutant, Row, everything, meanwhile, mutant, wrong_kind};

pub(crate) fn mutants() -> Vec<Row> {
    [delete(), info(), list(), names()].concat()
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
        mutant("refuses recursive files", "delete::recursive_removes_a_file_too", |ops| {
            ops.delete = |m, path, options| {
                if options.recursive && m.inner.info(path)?.is_file() {
                    return Err(Error::new(ErrorKind::NotADirectory, "a file"));
                }
                m.inner.delete(path, options)
            };
        }),
        mutant("takes every directory for full", "delete::removes_an_empty_directory", |ops| {
            ops.delete = |m, path, options| {
                if !options.recursive && m.inner.info(path)?.is_dir() {
                    return Err(Error::new(ErrorKind::DirectoryNotEmpty, "a directory"));
                }
                m.inner.delete(path, options)
            };
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
                    let mut memory = m.memory();
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
        mutant("takes every name for a file's", "list::names_only_gives_the_same_names", |ops| {
            ops.list = |m, path, options| {
                changed(m, path, options, |entries| {
                    let named = entries.iter_mut().filter(|_| options.names_only);
                    named.for_each(|entry| entry.kind = FileKind::File);
                })
            };
        }),
        mutant("invents what it is not asked for", "list::names_only_gives_the_same_names", |ops| {
            ops.list = |m, path, options| {
                changed(m, path, options, |entries| {
                    let named = entries.iter_mut().filter(|entry| options.names_only && entry.is_file());
                    named.for_each(|entry| entry.size = u64::MAX);
                })
            };
        }),
        mutant("refuses to tell names alone", "list::names_only_gives_the_same_names", |ops| {
            ops.list = |m, path, options| {
                if options.names_only {
                    Err(Error::unsupported("names"))
                } else {
                    m.inner.list(path, options)
                }
            };
        }),
        mutant("tells the names of children alone", "list::names_only_gives_the_same_names", |ops| {
            ops.list = |m, path, options| {
                m.inner.list(path, options.recursive(options.recursive && !options.names_only))
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
        mutant("panics if it is not read to its end", "list::is_no_snapshot", |ops| {
            ops.list = |m, path, options| {
                Ok(Box::new(ToTheEnd(m.inner.list(path, options)?.collect::<Vec<_>>().into_iter())))
            };
        }),
    ]
}

/// Has to be read to its end.
struct ToTheEnd(std::vec::IntoIter<Result<FileInfo>>);

impl Iterator for ToTheEnd {
    type Item = Result<FileInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl Drop for ToTheEnd {
    fn drop(&mut self) {
        assert!(self.0.len() == 0, "not read to its end");
    }
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
