//! The commands on what a remote has, and on conflicts with it.

use std::{env, fs, io::Read, path::Path, process::Command};

use f9_host::{
    Backend, BackendPath, Bytes, Content, Error, ErrorKind, FileBackend, FileInfo, Result, serde_json,
};

use super::{
    args::{Resolve, Search, Side},
    files::open_source,
    markers::WithoutMarkers,
    output::Output,
    session::{Place, Session},
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
    settle(args, &place, session, output).map_err(|error| match error.path() {
        Some(path) if error.is_not_found() && path == place.path.as_str() => {
            error.hint("`f9 conflicts` lists the open ones")
        }
        _ => error,
    })
}

fn settle(args: &Resolve, place: &Place, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let sync = place.backend.sync_backend()?;
    match &args.side {
        side if side.local => sync.conflict_accept_local(&place.path),
        side if side.remote => sync.conflict_accept_remote(&place.path),
        Side { with: Some(file), .. } => {
            let mut source = open_source(file, session.cancel())?;
            if !args.force {
                source = Box::new(WithoutMarkers::new(source));
            }
            output.done(&sync.conflict_resolve(&place.path, Content::Reader(&mut *source))?)
        }
        _ => output.done(&resolve_by_editing(&place.backend, &place.path)?),
    }
}

/// Settles a conflict with what the person's editor makes of what is here.
fn resolve_by_editing(backend: &Backend, path: &BackendPath) -> Result<FileInfo> {
    let sync = backend.sync_backend()?;
    if !sync.conflict_report()?.iter().any(|conflict| conflict.path == *path) {
        return Err(Error::new(ErrorKind::NotFound, "there is no open conflict at this path").at(path));
    }
    let before = match FileBackend::read(backend, path) {
        Err(error) if error.is_not_found() => Bytes::new(), // deleted here
        content => content?,
    };
    let directory = tempfile::Builder::new().prefix("f9-resolve-").tempdir()?;
    // Named as it is, so that the editor knows what it is.
    let file = directory.path().join(path.name().unwrap_or_default());
    fs::write(&file, &before)?;
    let settled = edit(&file).and_then(|content| sync.conflict_resolve(path, Content::Bytes(&content)));
    settled.map_err(|error| {
        let error = error.at(path);
        if fs::read(&file).is_ok_and(|after| after == before) {
            return error;
        }
        // Work that somebody has done is not thrown away.
        let kept = directory.keep().join(path.name().unwrap_or_default());
        error.hint(format!("the conflict stays open; go on with {0}, and --with {0}", kept.display()))
    })
}

/// Lets the person edit a file. Answers its content.
fn edit(file: &Path) -> Result<Vec<u8>> {
    let editor = env::var_os("VISUAL").or_else(|| env::var_os("EDITOR")).unwrap_or_else(|| "vi".into());
    // As git does: the variable may hold arguments, so a shell takes it apart.
    let mut script = editor.clone();
    script.push(" \"$@\"");
    let status = Command::new("sh").arg("-c").arg(script).arg(&editor).arg(file).status();
    let status = status.map_err(|error| Error::from(error).hint("set VISUAL or EDITOR to an editor"))?;
    if !status.success() {
        let message =
            format!("the editor `{}` ended with {status}; the conflict stays open", editor.display());
        return Err(Error::new(ErrorKind::Other, message).hint("set VISUAL or EDITOR to an editor"));
    }
    let mut content = Vec::new();
    WithoutMarkers::new(fs::File::open(file)?).read_to_end(&mut content)?;
    Ok(content)
}

pub(crate) fn search(args: &Search, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let (name, query) = match args.words.as_slice() {
        [name] if session.is_address(name) => {
            let message = "there is nothing to search for";
            let hint = format!("write what is sought after the name: f9 search {name} 'QUERY'");
            return Err(Error::new(ErrorKind::InvalidConnection, message).hint(hint));
        }
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
