//! The commands on single files and directories.

use std::{
    fs::File,
    io::{self, IsTerminal, Read},
    path::Path,
};

use f9_host::{
    ByteRange, CancelToken, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend,
    ListOptions, Result, UpdateMode,
};

use super::{
    args::{Create, Source, Update},
    output::Output,
    progress::Watched,
    session::{Place, Session},
    stop::{Stoppable, StoppableStdin},
    survey,
};

pub(crate) fn create(args: &Create, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?;
    let options = CreateOptions::default().overwrite(args.overwrite);
    if args.dir {
        return make_dir(&place, options, "--overwrite takes it as it is", output);
    }
    let place = place.of_file()?;
    if args.source.is_none() && stdin_holds_something() {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "something is piped in, and nothing says to store it",
        )
        .at(&place.path)
        .hint("add - to store standard input, or '' to create an empty file"));
    }
    let create = |content: Content<'_>| FileBackend::create(&*place.backend, &place.path, content, options);
    let created = args.source.with_content(session, output, create);
    output.done(
        &created
            .map_err(|error| place.explain_taken(error, &place.path, false, "--overwrite replaces it"))?,
    )
}

pub(crate) fn mkdir(
    paths: &[String],
    parents: bool,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    let options = CreateOptions::default().overwrite(parents);
    output
        .each(paths, |path, output| make_dir(&session.place(path)?, options, "-p takes it as it is", output))
}

/// `offer` says what to do about a directory that is there.
fn make_dir(place: &Place, options: CreateOptions, offer: &str, output: &mut Output) -> Result<()> {
    let made = FileBackend::create_dir(&*place.backend, &place.path, options);
    output.done(&made.map_err(|error| place.explain_taken(error, &place.path, true, offer))?)
}

pub(crate) fn read(paths: &[String], session: &Session<'_>, output: &mut Output) -> Result<()> {
    output.each(paths, |path, output| {
        let place = session.place(path)?.of_file()?;
        let opened = FileBackend::open_read(&*place.backend, &place.path, ByteRange::ALL);
        let told = |error: Error| place.explain_among(paths.len(), error.at(&place.path));
        let mut reader = Stoppable { inner: opened.map_err(told)?, cancel: session.cancel().clone() };
        output.copy_from(&mut reader).map_err(told)
    })
}

pub(crate) fn update(args: &Update, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?.of_file()?;
    let mode = if args.append { UpdateMode::Append } else { UpdateMode::Replace };
    let update = |content: Content<'_>| FileBackend::update(&*place.backend, &place.path, content, mode);
    let updated = args.source.with_content(session, output, update);
    output.done(&updated.map_err(|error| place.explain(error))?)
}

pub(crate) fn delete(
    paths: &[String],
    recursive: bool,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    let options = DeleteOptions::default().recursive(recursive);
    output.each(paths, |path, _| {
        let place = session.place(path)?.of_either()?;
        let deleted = FileBackend::delete(&*place.backend, &place.path, options);
        deleted.map_err(|error| place.explain_among(paths.len(), error))
    })
}

pub(crate) fn info(path: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(path)?.of_either()?;
    let info = FileBackend::info(&*place.backend, &place.path);
    output.details(&info.map_err(|error| place.explain(error))?)
}

pub(crate) fn ls(
    path: &str,
    recursive: bool,
    long: bool,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    let options = ListOptions::default().recursive(recursive).names_only(!long && !output.is_json());
    let mut infos = survey::entries(&session.place(path)?, options, session, output)?;
    infos.sort_by(|a, b| a.path.cmp(&b.path));
    infos.iter().try_for_each(|info| if long { output.long_entry(info) } else { output.entry(info) })
}

impl Source {
    fn is_none(&self) -> bool {
        self.data.is_none() && self.file.is_none()
    }

    /// Runs `store` with the content that the arguments name.
    fn with_content<T>(
        &self,
        session: &Session<'_>,
        output: &Output,
        store: impl FnOnce(Content<'_>) -> Result<T>,
    ) -> Result<T> {
        let file = match (&self.data, &self.file) {
            (Some(data), _) if data == "-" => Path::new("-"),
            (Some(data), _) => return store(Content::Bytes(data.as_encoded_bytes())),
            (None, Some(file)) => file,
            (None, None) => return store(Content::Bytes(b"")),
        };
        let mut source = open_source(file, session.cancel())?;
        let is_stdin = file == Path::new("-");
        if is_stdin && io::stdin().is_terminal() {
            return store(Content::Reader(&mut *source)); // nothing comes between what is typed
        }
        let what = if is_stdin { "standard input".into() } else { file.to_string_lossy() };
        store(Content::reader(&mut Watched::new(source, output.progress(), what, None)))
    }
}

/// Whether standard input is a pipe, or a file with content: what is in it would be lost on who does not read it.
#[cfg(unix)]
fn stdin_holds_something() -> bool {
    use rustix::fs::{FileType, fstat};

    match fstat(rustix::stdio::stdin()) {
        Err(_) => false, // it is closed
        Ok(stat) => match FileType::from_raw_mode(stat.st_mode) {
            FileType::Fifo | FileType::Socket => true,
            FileType::RegularFile => stat.st_size > 0,
            _ => false,
        },
    }
}

#[cfg(not(unix))]
fn stdin_holds_something() -> bool {
    !io::stdin().is_terminal()
}

/// A file of the shell's, or standard input for `-`.
pub(crate) fn open_source(file: &Path, cancel: &CancelToken) -> Result<Box<dyn Read + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(StoppableStdin(cancel.clone())));
    }
    let unreadable = |error: io::Error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("the file cannot be read: {}", error.message()))
            .at(file.display())
            .hint("name a file that you can read, or - for standard input")
    };
    let opened = File::open(file).map_err(unreadable)?;
    if opened.metadata().map_err(unreadable)?.is_dir() {
        return Err(Error::new(ErrorKind::IsADirectory, "this is a directory")
            .at(file.display())
            .hint("name a file"));
    }
    let path = file.display().to_string();
    let inner = Labelled { inner: opened, label: move |error: Error| error.at(&path) };
    Ok(Box::new(Stoppable { inner, cancel: cancel.clone() }))
}

/// A reader whose errors say where they come from, which is not where its content goes.
pub(crate) struct Labelled<R, F> {
    pub(crate) inner: R,
    pub(crate) label: F,
}

impl<R: Read, F: Fn(Error) -> Error> Read for Labelled<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error, // who reads tries again
            _ => (self.label)(error.into()).into(),
        })
    }
}
