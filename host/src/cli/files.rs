//! The commands on files.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use f9_host::{
    Backend, BackendPath, ByteRange, Content, CreateOptions, DeleteOptions, Error, ErrorKind, FileBackend,
    ListOptions, Result, UpdateMode,
};

use super::{
    args::{Create, Source, Update},
    output::Output,
};

pub(crate) fn create(backend: &Backend, args: &Create, output: &mut Output) -> Result<()> {
    let path = BackendPath::parse(&args.path)?;
    let options = CreateOptions::default().overwrite(args.overwrite);
    if args.dir {
        return output.info(&FileBackend::create_dir(backend, &path, options)?);
    }
    let info = args.source.with_content(|content| FileBackend::create(backend, &path, content, options))?;
    output.info(&info)
}

pub(crate) fn read(backend: &Backend, path: &str, output: &mut Output) -> Result<()> {
    let path = BackendPath::parse(path)?;
    let mut reader = FileBackend::open_read(backend, &path, ByteRange::ALL)?;
    output.copy_from(&mut reader).map_err(|error| error.at(&path))
}

pub(crate) fn update(backend: &Backend, args: &Update, output: &mut Output) -> Result<()> {
    let path = BackendPath::parse(&args.path)?;
    if args.source.is_none() {
        // An empty file is easily made and not easily unmade.
        return Err(Error::new(ErrorKind::InvalidOperation, "there is no new content")
            .at(&path)
            .hint("give it as an argument, as --file F, or as - for standard input"));
    }
    let mode = if args.append { UpdateMode::Append } else { UpdateMode::Replace };
    let info = args.source.with_content(|content| FileBackend::update(backend, &path, content, mode))?;
    output.info(&info)
}

pub(crate) fn delete(backend: &Backend, path: &str, recursive: bool) -> Result<()> {
    let options = DeleteOptions::default().recursive(recursive);
    FileBackend::delete(backend, &BackendPath::parse(path)?, options)
}

pub(crate) fn info(backend: &Backend, path: &str, output: &mut Output) -> Result<()> {
    output.details(&FileBackend::info(backend, &BackendPath::parse(path)?)?)
}

pub(crate) fn ls(backend: &Backend, path: &str, recursive: bool, output: &mut Output) -> Result<()> {
    let options = ListOptions::default().recursive(recursive);
    let mut infos = Vec::new();
    for entry in FileBackend::list(backend, &BackendPath::parse(path)?, options)? {
        match entry {
            Ok(info) => infos.push(info),
            Err(error) => output.warn(&error), // one that cannot be told does not hide the others
        }
    }
    infos.sort_by(|a, b| a.path.cmp(&b.path));
    infos.iter().try_for_each(|info| output.entry(info))
}

impl Source {
    fn is_none(&self) -> bool {
        self.data.is_none() && self.file.is_none()
    }

    /// Runs `store` with the content that the arguments name.
    fn with_content<T>(&self, store: impl FnOnce(Content<'_>) -> Result<T>) -> Result<T> {
        match (&self.data, &self.file) {
            (Some(data), _) if data == "-" => store(Content::reader(&mut io::stdin())),
            (Some(data), _) => store(Content::Bytes(data.as_encoded_bytes())),
            (None, Some(file)) => store(Content::Reader(&mut *open_source(file)?)),
            (None, None) => store(Content::Bytes(b"")),
        }
    }
}

/// A file of the shell's, or standard input for `-`.
pub(crate) fn open_source(file: &Path) -> Result<Box<dyn Read + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin()));
    }
    match File::open(file) {
        Ok(opened) => Ok(Box::new(opened)),
        Err(error) => Err(Error::from(error).at(file.display())),
    }
}
