//! Mutants of `read` and `update`.

use std::time::UNIX_EPOCH;

use f9_plugin_api::{Bytes, Content, Error, ErrorKind, FileBackend, UpdateMode};

use super::mutant::{Row, meanwhile, mutant, overwrite, wrong_kind};

pub(crate) fn mutants() -> Vec<Row> {
    [read(), update()].concat()
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
                let end = range.offset.checked_add(range.length.unwrap_or(0));
                assert!(end.is_some(), "offset and length overflow");
                m.inner.read_range(path, range)
            };
        }),
        mutant("has empty parts of what is missing", "read::parts_fail_as_the_whole", |ops| {
            ops.read_range = |m, path, range| match m.inner.read_range(path, range) {
                Err(error) if error.is_not_found() => Ok(Bytes::new()),
                read => read,
            };
        }),
        mutant("gives at most 64 KiB", "read::parts_of_a_large_file_fit_together", |ops| {
            ops.read_range = |m, path, range| {
                let part = m.inner.read_range(path, range)?;
                Ok(part.slice(..part.len().min(1 << 16)))
            };
        }),
        mutant("does one thing at a time", "threads::everything_at_once", |ops| {
            ops.read = |m, path| {
                let Ok(_alone) = m.memory.try_lock() else { return Err(Error::new(ErrorKind::Busy, "busy")) };
                meanwhile();
                m.inner.read(path)
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
        mutant("takes a short read for the end", "update::appends_from_a_reader", |ops| {
            ops.update = |m, path, content, mode| match content {
                Content::Reader(reader) => {
                    let mut buffer = vec![0; 1 << 16];
                    let length = reader.read(&mut buffer)?;
                    m.inner.update(path, Content::from(&buffer[..length]), mode)
                }
                content => m.inner.update(path, content, mode),
            };
        }),
        mutant("hides the reader's error", "update::names_the_readers_own_error", |ops| {
            ops.update = |m, path, content, mode| {
                wrong_kind(m.inner.update(path, content, mode), ErrorKind::QuotaExceeded, ErrorKind::Io)
            };
        }),
        mutant("answers a wrong kind", "update::refuses_a_directory", |ops| {
            ops.update = |m, path, content, mode| {
                wrong_kind(
                    m.inner.update(path, content, mode),
                    ErrorKind::IsADirectory,
                    ErrorKind::InvalidOperation,
                )
            };
        }),
        mutant("calls a file on the way missing", "update::refuses_a_file_on_the_way", |ops| {
            ops.update = |m, path, content, mode| {
                wrong_kind(m.inner.update(path, content, mode), ErrorKind::NotADirectory, ErrorKind::NotFound)
            };
        }),
        mutant("turns time back", "info::a_change_does_not_turn_time_back", |ops| {
            ops.update = |m, path, content, mode| {
                let info = m.inner.update(path, content, mode)?;
                Ok(info.modified_at(Some(UNIX_EPOCH)))
            };
        }),
    ]
}
