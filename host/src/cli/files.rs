//! The commands on single files and directories.

use std::{fs::File, io::Read, path::Path};

use f9_host::{
    ByteRange, CancelToken, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend,
    ListOptions, Result, UpdateMode,
};

use super::{
    args::{Create, Source, Update},
    output::Output,
    progress::Watched,
    session::Session,
    stop::{Stoppable, StoppableStdin},
    survey,
};

pub(crate) fn create(args: &Create, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?;
    let options = CreateOptions::default().overwrite(args.overwrite);
    if args.dir {
        return output.info(&FileBackend::create_dir(&*place.backend, &place.path, options)?);
    }
    let create = |content: Content<'_>| FileBackend::create(&*place.backend, &place.path, content, options);
    output.info(&args.source.with_content(session, output, create)?)
}

pub(crate) fn mkdir(
    paths: &[String],
    parents: bool,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    let options = CreateOptions::default().overwrite(parents);
    output.each(paths, |path, output| {
        let place = session.place(path)?;
        output.info(&FileBackend::create_dir(&*place.backend, &place.path, options)?)
    })
}

pub(crate) fn read(path: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(path)?;
    let inner = FileBackend::open_read(&*place.backend, &place.path, ByteRange::ALL)?;
    let mut reader = Stoppable { inner, cancel: session.cancel().clone() };
    output.copy_from(&mut reader).map_err(|error| error.at(&place.path))
}

pub(crate) fn update(args: &Update, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?;
    if args.source.is_none() {
        // An empty file is easily made and not easily unmade.
        return Err(Error::new(ErrorKind::InvalidOperation, "there is no new content")
            .at(&place.path)
            .hint("give it as an argument, as --file F, or as - for standard input"));
    }
    let mode = if args.append { UpdateMode::Append } else { UpdateMode::Replace };
    let update = |content: Content<'_>| FileBackend::update(&*place.backend, &place.path, content, mode);
    output.info(&args.source.with_content(session, output, update)?)
}

pub(crate) fn delete(path: &str, recursive: bool, session: &Session<'_>) -> Result<()> {
    let place = session.place(path)?;
    FileBackend::delete(&*place.backend, &place.path, DeleteOptions::default().recursive(recursive))
}

pub(crate) fn info(path: &str, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(path)?;
    output.details(&FileBackend::info(&*place.backend, &place.path)?)
}

pub(crate) fn ls(
    path: &str,
    recursive: bool,
    long: bool,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    let options = ListOptions::default().recursive(recursive);
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
        let source = open_source(file, session.cancel())?;
        store(Content::reader(&mut Watched::new(source, output.progress(), file.display(), None)))
    }
}

/// A file of the shell's, or standard input for `-`.
pub(crate) fn open_source(file: &Path, cancel: &CancelToken) -> Result<Box<dyn Read + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(StoppableStdin(cancel.clone())));
    }
    match File::open(file) {
        Ok(inner) => Ok(Box::new(Stoppable { inner, cancel: cancel.clone() })),
        Err(error) => Err(Error::from(error).at(file.display())),
    }
}
