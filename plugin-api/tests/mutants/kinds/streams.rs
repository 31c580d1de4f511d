//! Mutants of `open_read` and `open_write`.

use std::{
    io::{self, Cursor, Read, Write},
    sync::Arc,
    thread::{self, ThreadId},
};

use f9_plugin_api::{
    BackendPath, ByteRange, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend, FileInfo,
    FileKind, FileWriter, Reader, Result, UpdateMode, conformance::StrictMemory,
};

use super::mutant::{Mutant, Row, meanwhile, mutant};

pub(crate) fn mutants() -> Vec<Row> {
    [open_read(), open_write()].concat()
}

/// Reads the file anew for each piece.
struct Live {
    files: Arc<StrictMemory>,
    path: BackendPath,
    range: ByteRange,
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.files.read_range(&self.path, self.range)?;
        let length = content.len().min(buffer.len());
        buffer[..length].copy_from_slice(&content[..length]);
        self.range.offset += length as u64;
        self.range.length = self.range.length.map(|left| left - length as u64);
        Ok(length)
    }
}

fn open_read() -> Vec<Row> {
    vec![
        mutant("mixes versions", "open_read::is_one_version_while_replaced", |ops| {
            ops.open_read = |m, path, range| {
                m.inner.read_range(path, range)?;
                Ok(Box::new(Live { files: Arc::clone(&m.inner), path: path.clone(), range }))
            };
        }),
        mutant("has errors that carry no Error", "open_read::is_one_version_while_deleted", |ops| {
            ops.open_read = |m, path, range| {
                m.inner.read_range(path, range)?;
                let live = Live { files: Arc::clone(&m.inner), path: path.clone(), range };
                Ok(Box::new(Plain(live)))
            };
        }),
        mutant("streams on after the end", "open_read::ends_for_good", |ops| {
            ops.open_read = |m, path, range| {
                m.inner.read_range(path, range)?;
                Ok(Box::new(Live { files: Arc::clone(&m.inner), path: path.clone(), range }))
            };
        }),
        mutant("ignores the range", "open_read::streams_any_part", |ops| {
            ops.open_read = |m, path, _| m.inner.open_read(path, ByteRange::ALL);
        }),
        mutant("ends after one buffer", "open_read::streams_the_content", |ops| {
            ops.open_read = |m, path, range| {
                let content = m.inner.read_range(path, range)?;
                Ok(Box::new(Cursor::new(content.slice(..content.len().min(1 << 16)))))
            };
        }),
        mutant("loses what does not fit the buffer", "open_read::can_be_read_in_any_pieces", |ops| {
            ops.open_read =
                |m, path, range| Ok(Box::new(Lossy(Cursor::new(m.inner.read_range(path, range)?))));
        }),
        mutant("streams directories as empty files", "open_read::fails_as_read", |ops| {
            ops.open_read = |m, path, range| match m.inner.open_read(path, range) {
                Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(Box::new(io::empty())),
                opened => opened,
            };
        }),
        mutant("stays on its thread", "open_read::can_be_read_on_another_thread", |ops| {
            ops.open_read = |m, path, range| {
                Ok(Box::new(AtHome(m.inner.open_read(path, range)?, thread::current().id())))
            };
        }),
        mutant("shares its position", "open_read::streams_are_independent", |ops| {
            ops.open_read = |m, path, range| {
                m.inner.read_range(path, range)?;
                Ok(Box::new(Shared { files: Arc::clone(&m.inner), path: path.clone() }))
            };
        }),
    ]
}

/// Replaces the errors of a stream by io's own.
struct Plain(Live);

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|_| io::ErrorKind::NotFound.into())
    }
}

/// Fails on every thread but one.
struct AtHome(Reader, ThreadId);

impl Read for AtHome {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if thread::current().id() != self.1 {
            return Err(Error::new(ErrorKind::InvalidOperation, "on another thread").into());
        }
        self.0.read(buffer)
    }
}

/// Keeps its position with the file: as the size of another.
struct Shared {
    files: Arc<StrictMemory>,
    path: BackendPath,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let position = BackendPath::parse(&format!("{}.position", self.path))?;
        let offset = self.files.info(&position).map_or(0, |info| info.size);
        let part =
            self.files.read_range(&self.path, ByteRange { offset, length: Some(buffer.len() as u64) })?;
        let _ = self.files.create(&position, Content::from(""), CreateOptions::default());
        self.files.update(&position, Content::from(&part), UpdateMode::Append)?;
        buffer[..part.len()].copy_from_slice(&part);
        Ok(part.len())
    }
}

/// Reads blocks of 16 bytes and hands on what fits.
struct Lossy(Cursor<f9_plugin_api::Bytes>);

impl Read for Lossy {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut block = [0; 16];
        let length = self.0.read(&mut block)?.min(buffer.len());
        buffer[..length].copy_from_slice(&block[..length]);
        Ok(length)
    }
}

/// A writer with one habit that it should not have.
struct Writer {
    files: Arc<StrictMemory>,
    path: BackendPath,
    options: CreateOptions,
    habit: Habit,
    content: Vec<u8>,
    committed: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Habit {
    None,
    WritesThrough,
    CommitsWhenDropped,
    CommitsAgain,
    TakesMoreAfterItsCommit,
    OverwritesWhatCameMeanwhile,
    LosesTheLastWrite,
    DescribesNothing,
    LeavesATemporaryFile,
}

impl Writer {
    fn open(
        m: &Mutant,
        path: &BackendPath,
        options: CreateOptions,
        habit: Habit,
    ) -> Result<Box<dyn FileWriter>> {
        path.split()?;
        if !options.overwrite && m.inner.info(path).is_ok() {
            return Err(Error::new(ErrorKind::AlreadyExists, "taken"));
        }
        let (files, path) = (Arc::clone(&m.inner), path.clone());
        Ok(Box::new(Self { files, path, options, habit, content: Vec::new(), committed: false }))
    }

    fn store(&self, options: CreateOptions) -> Result<FileInfo> {
        self.files.create(&self.path, Content::from(&self.content), options)
    }
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.committed && self.habit != Habit::TakesMoreAfterItsCommit {
            return Err(Error::new(ErrorKind::InvalidOperation, "committed").into());
        }
        if self.habit == Habit::LosesTheLastWrite && !self.content.is_empty() {
            return Ok(bytes.len());
        }
        self.content.extend_from_slice(bytes);
        if self.habit == Habit::WritesThrough {
            self.store(CreateOptions::default().overwrite(true))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl FileWriter for Writer {
    fn commit(&mut self) -> Result<FileInfo> {
        if self.committed && self.habit != Habit::CommitsAgain {
            return Err(Error::new(ErrorKind::InvalidOperation, "committed"));
        }
        let options = match self.habit {
            Habit::OverwritesWhatCameMeanwhile | Habit::WritesThrough => self.options.overwrite(true),
            _ => self.options,
        };
        let info = self.store(options)?;
        self.committed = true;
        Ok(if self.habit == Habit::DescribesNothing { FileInfo::new(info.path, info.kind, 0) } else { info })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.habit == Habit::CommitsWhenDropped && !self.committed {
            let _ = self.store(self.options);
        }
        if self.habit == Habit::LeavesATemporaryFile && !self.committed {
            let path = BackendPath::parse(&format!("{}.tmp", self.path)).unwrap_or_default();
            let _ = self.files.create(&path, Content::from(&self.content), self.options);
        }
    }
}

/// Refuses a second writer, also when the first is done.
fn reserve(m: &Mutant, path: &BackendPath, options: CreateOptions) -> Result<Box<dyn FileWriter>> {
    let mut reserved = m.memory();
    if reserved.iter().any(|info| info.path == *path) {
        return Err(Error::new(ErrorKind::AlreadyExists, "being written"));
    }
    reserved.push(FileInfo::new(path.clone(), FileKind::File, 0));
    m.inner.open_write(path, options)
}

fn open_write() -> Vec<Row> {
    vec![
        mutant("is visible before its commit", "open_write::is_invisible_until_committed", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::WritesThrough);
        }),
        mutant(
            "overwrites before its commit",
            "open_write::overwriting_is_invisible_until_committed",
            |ops| {
                ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::WritesThrough);
            },
        ),
        mutant("commits when dropped", "open_write::leaves_nothing_if_dropped", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::CommitsWhenDropped);
        }),
        mutant("leaves a temporary file", "open_write::leaves_nothing_if_dropped", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::LeavesATemporaryFile);
        }),
        mutant("can be committed twice", "open_write::cannot_be_committed_twice", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::CommitsAgain);
        }),
        mutant("takes more after its commit", "open_write::cannot_be_written_after_a_commit", |ops| {
            ops.open_write =
                |m, path, options| Writer::open(m, path, options, Habit::TakesMoreAfterItsCommit);
        }),
        mutant("checks only when opened", "open_write::does_not_overwrite_what_came_meanwhile", |ops| {
            ops.open_write =
                |m, path, options| Writer::open(m, path, options, Habit::OverwritesWhatCameMeanwhile);
        }),
        mutant("lets two writers win", "open_write::one_of_two_writers_wins", |ops| {
            ops.open_write =
                |m, path, options| Writer::open(m, path, options, Habit::OverwritesWhatCameMeanwhile);
        }),
        mutant("loses the last write", "open_write::commits_what_was_written", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::LosesTheLastWrite);
        }),
        mutant("describes an empty file", "open_write::describes_the_file", |ops| {
            ops.open_write = |m, path, options| Writer::open(m, path, options, Habit::DescribesNothing);
        }),
        mutant(
            "removes the old content when opened",
            "open_write::keeps_the_old_content_if_dropped",
            |ops| {
                ops.open_write = |m, path, options| {
                    if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_file()) {
                        m.inner.delete(path, DeleteOptions::default())?;
                    }
                    m.inner.open_write(path, options)
                };
            },
        ),
        mutant(
            "empties the old file when opened",
            "open_write::overwriting_is_invisible_until_committed",
            |ops| {
                ops.open_write = |m, path, options| {
                    let _ = m.inner.update(path, Content::from(""), UpdateMode::Replace);
                    m.inner.open_write(path, options)
                };
            },
        ),
        mutant("reserves its name with an empty file", "open_write::is_invisible_until_committed", |ops| {
            ops.open_write = |m, path, options| {
                m.inner.create(path, Content::from(""), options)?;
                Writer::open(m, path, options.overwrite(true), Habit::None)
            };
        }),
        mutant("reserves its name for good", "open_write::can_be_given_up_and_begun_anew", |ops| {
            ops.open_write = reserve;
        }),
        mutant(
            "is the only writer of a file",
            "open_write::the_last_of_two_overwriting_writers_stays",
            |ops| {
                ops.open_write = reserve;
            },
        ),
        mutant("overwrites unasked", "open_write::does_not_overwrite_unasked", |ops| {
            ops.open_write = |m, path, options| m.inner.open_write(path, options.overwrite(true));
        }),
        mutant("wants the parent to be there", "open_write::makes_parents", |ops| {
            ops.open_write = |m, path, options| {
                m.inner.info(&path.parent().unwrap_or_default())?;
                m.inner.open_write(path, options)
            };
        }),
        mutant("replaces directories", "open_write::never_overwrites_a_directory", |ops| {
            ops.open_write = |m, path, options| {
                if options.overwrite && m.inner.info(path).is_ok_and(|info| info.is_dir()) {
                    m.inner.delete(path, DeleteOptions::default().recursive(true))?;
                }
                m.inner.open_write(path, options)
            };
        }),
        mutant("lets all racing commits win", "open_write::one_of_racing_commits_wins", |ops| {
            ops.open_write = |m, path, options| {
                let writer = Writer::open(m, path, options, Habit::OverwritesWhatCameMeanwhile);
                meanwhile();
                writer
            };
        }),
        mutant("calls a file on the way missing", "open_write::refuses_a_file_on_the_way", |ops| {
            ops.open_write = |m, path, options| match m.inner.info(path) {
                Err(error) if error.kind() == ErrorKind::NotADirectory => {
                    Err(Error::new(ErrorKind::NotFound, "nothing here"))
                }
                _ => m.inner.open_write(path, options),
            };
        }),
    ]
}
