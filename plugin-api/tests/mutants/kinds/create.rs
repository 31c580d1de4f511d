//! Mutants of `create` and `create_dir`.

use f9_plugin_api::{
    BackendPath, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend, FileInfo,
};

use super::mutant::{Row, meanwhile, mutant, overwrite, wrong_kind};

pub(crate) fn mutants() -> Vec<Row> {
    [create(), create_dir()].concat()
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
        mutant("overwrites only what is there", "create::overwriting_needs_no_file", |ops| {
            ops.create = |m, path, content, options| {
                if options.overwrite {
                    m.inner.info(path)?;
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("makes parents that must be new", "threads::racing_creators_share_their_parents", |ops| {
            ops.create = |m, path, content, options| {
                let parent = path.parent().unwrap_or_default();
                if m.inner.info(&parent).is_err() {
                    meanwhile();
                    m.inner.create_dir(&parent, CreateOptions::default())?;
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("cannot go deep", "paths::long_and_deep_paths_are_whole_or_refused", |ops| {
            ops.create = |m, path, content, options| {
                if path.segments().count() > 100 {
                    return Err(Error::new(ErrorKind::Io, "too deep"));
                }
                m.inner.create(path, content, options)
            };
        }),
        mutant("remembers what was deleted", "delete::frees_the_path", |ops| {
            ops.delete = |m, path, options| {
                m.memory().push(m.inner.info(path)?);
                m.inner.delete(path, options)
            };
            ops.create = |m, path, content, options| {
                if m.memory().iter().any(|deleted| deleted.path == *path) {
                    return Err(Error::new(ErrorKind::AlreadyExists, "deleted"));
                }
                m.inner.create(path, content, options)
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
        mutant("describes the parent", "create_dir::describes_the_directory", |ops| {
            ops.create_dir = |m, path, options| {
                m.inner.create_dir(path, options)?;
                m.inner.info(&path.parent().unwrap_or_default())
            };
        }),
        mutant("wants the parent to be there", "create_dir::makes_parents", |ops| {
            ops.create_dir = |m, path, options| {
                m.inner.info(&path.parent().unwrap_or_default())?;
                m.inner.create_dir(path, options)
            };
        }),
        mutant("calls a file on the way missing", "create_dir::refuses_a_file_on_the_way", |ops| {
            ops.create_dir = |m, path, options| {
                wrong_kind(m.inner.create_dir(path, options), ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
    ]
}
