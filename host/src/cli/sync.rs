//! The commands on what a remote has, and on conflicts with it.

use std::{env, fs, io::Read, path::Path, process::Command};

use f9_host::{
    Backend, BackendPath, Conflict, ConflictSide, Content, Error, ErrorKind, FileBackend, Result,
    SyncFileBackend, SyncReport, serde_json,
};

use super::{
    args::{Resolve, Search, Side},
    files::open_source,
    markers::WithoutMarkers,
    output::{Output, bytes},
    session::{Place, Session, command, prefix},
};

pub(crate) fn push(
    name: Option<&str>,
    message: Option<&str>,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    synchronise(name, session, output, |backend| backend.push(message))
}

pub(crate) fn pull(name: Option<&str>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    synchronise(name, session, output, |backend| backend.pull())
}

pub(crate) fn sync(
    name: Option<&str>,
    message: Option<&str>,
    session: &Session<'_>,
    output: &mut Output,
) -> Result<()> {
    synchronise(name, session, output, |backend| backend.sync(message))
}

fn synchronise(
    name: Option<&str>,
    session: &Session<'_>,
    output: &mut Output,
    work: impl FnOnce(&dyn SyncFileBackend) -> Result<SyncReport>,
) -> Result<()> {
    let backend = session.backend(name)?;
    let report = work(backend.sync_backend()?).map_err(|error| match error.kind() {
        ErrorKind::Conflict => {
            let prefix = prefix(name);
            let (list, settle) = (command("conflicts", &prefix, ""), command("resolve", &prefix, "PATH"));
            error.hint(format!(
                "see `{list}`, settle each with `{settle}` and --local, --remote, --with FILE or --edit, then push"
            ))
        }
        _ => error,
    });
    output.report(&report?)
}

pub(crate) fn conflicts(name: Option<&str>, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let backend = session.backend(name)?;
    backend.sync_backend()?.conflict_report()?.iter().try_for_each(|conflict| output.conflict(conflict))
}

pub(crate) fn resolve(args: &Resolve, session: &Session<'_>, output: &mut Output) -> Result<()> {
    let place = session.place(&args.path)?;
    settle(args, &place, session).map_err(|error| match error.path() {
        Some(path) if error.is_not_found() && path == place.path.as_str() => {
            error.hint(format!("`{}` lists the open ones", command("conflicts", &place.prefix, "")))
        }
        _ => error,
    })?;
    // One side of a conflict may be that there is no file.
    match FileBackend::info(&*place.backend, &place.path) {
        Err(error) if error.is_not_found() => output.gone(&place.path),
        info => output.done(&info?),
    }
}

fn settle(args: &Resolve, place: &Place, session: &Session<'_>) -> Result<()> {
    let sync = place.backend.sync_backend()?;
    match &args.side {
        side if side.local => sync.conflict_accept_local(&place.path),
        side if side.remote => sync.conflict_accept_remote(&place.path),
        Side { with: Some(file), .. } => {
            let mut source = open_source(file, session.cancel())?;
            if !args.force {
                source = Box::new(WithoutMarkers::new(source));
            }
            sync.conflict_resolve(&place.path, Content::Reader(&mut *source))?;
            forget_kept(file);
            Ok(())
        }
        _ => resolve_by_editing(&place.backend, &place.path, args.force),
    }
}

/// Settles a conflict with what the person's editor makes of what is here. Leaving the editor without having done anything
/// settles nothing.
fn resolve_by_editing(backend: &Backend, path: &BackendPath, force: bool) -> Result<()> {
    let sync = backend.sync_backend()?;
    let open = sync.conflict_report()?;
    let Some(conflict) = open.iter().find(|conflict| conflict.path == *path) else {
        return Err(Error::new(ErrorKind::NotFound, "there is no open conflict at this path").at(path));
    };
    let undecided = |what: &str, besides: &str| {
        let message = format!("{what}; the conflict stays open");
        Err(Error::new(ErrorKind::InvalidOperation, message).at(path).hint(sides(conflict, besides)))
    };
    let before = match FileBackend::read(backend, path) {
        Err(error) if error.is_not_found() => return undecided("there is no file here to edit", ""),
        content => content?,
    };
    let directory = tempfile::Builder::new().prefix(KEPT).tempdir()?;
    // Named as it is, so that the editor knows what it is.
    let file = directory.path().join(path.name().unwrap_or_default());
    fs::write(&file, &before)?;
    let settled = edit(&file, force).and_then(|content| match content {
        same if same == before => undecided("nothing was changed", ""),
        empty if empty.is_empty() => undecided("nothing was left", "--with /dev/null takes an empty file, "),
        content => sync.conflict_resolve(path, Content::Bytes(&content)).map(drop),
    });
    settled.map_err(|error| {
        let error = error.at(path);
        if fs::read(&file).is_ok_and(|after| after == before || after.is_empty()) {
            return error;
        }
        // Work that somebody has done is not thrown away.
        let kept = directory.keep().join(path.name().unwrap_or_default());
        error.hint(format!(
            "what you wrote is kept: go on with {0}, and take it by --with {0}",
            kept.display()
        ))
    })
}

/// How the directories begin that hold what was edited and not taken.
const KEPT: &str = "f9-resolve-";

/// Removes what was kept of an earlier try, when it has settled the conflict.
fn forget_kept(file: &Path) {
    let Some(directory) = file.parent() else { return };
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    if directory.parent() == Some(&env::temp_dir()) && name.starts_with(KEPT) {
        // The conflict is settled; that a copy is left behind is no news.
        let _ = fs::remove_dir_all(directory);
    }
}

/// What each way to settle a conflict without an editor would do, and what some do `besides`.
fn sides(conflict: &Conflict, besides: &str) -> String {
    let does = |side: &Option<ConflictSide>| match side {
        Some(side) => format!("takes the file of {}", bytes(side.size)),
        None => "deletes it".to_owned(),
    };
    let (local, remote) = (does(&conflict.local), does(&conflict.remote));
    format!("--local {local}, --remote {remote}, {besides}--with FILE takes another")
}

/// Lets the person edit a file. Answers its content, with conflict markers only if that is forced.
fn edit(file: &Path, force: bool) -> Result<Vec<u8>> {
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
    if force {
        return Ok(fs::read(file)?);
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
