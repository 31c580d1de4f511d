//! The commands on what a remote has, and on conflicts with it.

use std::{env, fs, process::Command};

use f9_host::{Backend, BackendPath, Content, Error, ErrorKind, FileBackend, Result, serde_json};

use super::{
    args::{Resolve, Search},
    files::open_source,
    output::Output,
    session::Session,
};

pub(crate) fn push(
    name: Option<&str>,
    message: Option<&str>,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    output.report(&session.backend(name)?.sync_backend()?.push(message)?)
}

pub(crate) fn pull(name: Option<&str>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    output.report(&session.backend(name)?.sync_backend()?.pull()?)
}

pub(crate) fn sync(
    name: Option<&str>,
    message: Option<&str>,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    output.report(&session.backend(name)?.sync_backend()?.sync(message)?)
}

pub(crate) fn conflicts(name: Option<&str>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let backend = session.backend(name)?;
    backend.sync_backend()?.conflict_report()?.iter().try_for_each(|conflict| output.conflict(conflict))
}

pub(crate) fn resolve(args: &Resolve, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?;
    let sync = place.backend.sync_backend()?;
    let info = match &args.side {
        side if side.local => return sync.conflict_accept_local(&place.path),
        side if side.remote => return sync.conflict_accept_remote(&place.path),
        side => match &side.with {
            Some(file) => {
                let mut source = open_source(file, session.cancel())?;
                sync.conflict_resolve(&place.path, Content::Reader(&mut *source))?
            }
            None => {
                sync.conflict_resolve(&place.path, Content::Bytes(&edited(&place.backend, &place.path)?))?
            }
        },
    };
    output.info(&info)
}

/// What the person's editor makes of what is here.
fn edited(backend: &Backend, path: &BackendPath) -> Result<Vec<u8>> {
    let conflicts = backend.sync_backend()?.conflict_report()?;
    if !conflicts.iter().any(|conflict| conflict.path == *path) {
        return Err(Error::new(ErrorKind::NotFound, "there is no open conflict at this path")
            .at(path)
            .hint("`f9 conflicts` lists them"));
    }
    let before = match FileBackend::read(backend, path) {
        Err(error) if error.is_not_found() => Default::default(), // deleted here
        content => content?,
    };
    // The name's end tells the editor what it is.
    let name = path.name().unwrap_or_default();
    let directory = tempfile::Builder::new().prefix("f9-resolve-").tempdir()?;
    let file = directory.path().join(name);
    fs::write(&file, &before)?;
    let editor = env::var_os("VISUAL").or_else(|| env::var_os("EDITOR")).unwrap_or_else(|| "vi".into());
    // As git does: the variable may hold arguments, so a shell takes it apart.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{} \"$@\"", editor.to_string_lossy()))
        .arg(&editor)
        .arg(&file)
        .status()
        .map_err(|error| Error::from(error).hint("set VISUAL or EDITOR to an editor"))?;
    if !status.success() {
        let message = format!("the editor {} ended with {status}; the conflict stays open", editor.display());
        return Err(Error::new(ErrorKind::Other, message).at(path).hint("set VISUAL or EDITOR to an editor"));
    }
    let after = fs::read(&file)?;
    if has_conflict_markers(&after) {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            "there are conflict markers left; the conflict stays open",
        )
        .at(path)
        .hint("edit it again, and take out the lines with <<<<<<<, ======= and >>>>>>>"));
    }
    Ok(after)
}

/// Lines that start and end a conflict in git's way of writing one.
fn has_conflict_markers(content: &[u8]) -> bool {
    let has_line = |marker: &[u8]| content.split(|&byte| byte == b'\n').any(|line| line.starts_with(marker));
    has_line(b"<<<<<<< ") && has_line(b">>>>>>> ")
}

pub(crate) fn search(args: &Search, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (name, query) = match args.words.as_slice() {
        [query] => (None, query),
        [name, query] => (Some(name.as_str()), query),
        _ => return Err(Error::new(ErrorKind::InvalidOperation, "expected NAME: and one query")),
    };
    let filters = match &args.filters {
        None => serde_json::Value::Null,
        Some(text) => serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidOperation, format!("the filters are not JSON: {error}"))
                .hint("give a JSON object, as the plugin's documentation describes it")
        })?,
    };
    let backend = session.backend(name)?;
    let search = backend.as_search().ok_or_else(|| {
        let plugin = &backend.plugin().manifest().name;
        Error::new(ErrorKind::Unsupported, format!("a `{plugin}` backend cannot be searched"))
            .hint("use a backend with the capability `search`")
    })?;
    search.search(query, args.limit, &filters)?.iter().try_for_each(|hit| output.hit(hit))
}
