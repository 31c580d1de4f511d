//! What the arguments open: connections by name or on the fly, each once.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeMap,
    path::{Path, PathBuf},
    rc::Rc,
};

use f9_host::{
    Backend, BackendPath, CancelToken, Connection, Connections, Error, ErrorKind, FileBackend, FileInfo,
    FileKind, Host, ListOptions, Plugin, Result, nearest, quoted,
};

use super::{
    args::Args,
    failure::{ADDRESS, fact},
    places,
};

/// The host and the connections of one run.
pub(crate) struct Session<'a> {
    host: Host,
    args: &'a Args,
    cancel: CancelToken,
    connections: OnceCell<Connections>,
    opened: RefCell<BTreeMap<String, Rc<Backend>>>,
}

/// Something in an open backend.
pub(crate) struct Place {
    pub(crate) backend: Rc<Backend>,
    pub(crate) path: BackendPath,
    /// What is typed before a path in the same backend: `NAME:`, or nothing with `-c`.
    pub(crate) prefix: String,
    /// Whether the path was written with a `/` at its end, so that it can only be a directory.
    pub(crate) is_dir: bool,
}

impl<'a> Session<'a> {
    pub(crate) fn new(host: Host, args: &'a Args, cancel: CancelToken) -> Self {
        Self { host, args, cancel, connections: OnceCell::new(), opened: RefCell::default() }
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// What was typed.
    pub(crate) fn args(&self) -> &Args {
        self.args
    }

    /// Where the lock is or would be.
    pub(crate) fn lock_file(&self) -> Result<PathBuf> {
        self.args.lock_file().ok_or_else(|| places::no_place("the lock", "--lock"))
    }

    /// Asks whether to stop: between the steps of whatever takes longer than a moment.
    pub(crate) fn cancel(&self) -> &CancelToken {
        &self.cancel
    }

    /// What an argument means: `NAME:path`, or with `-c` a path as it is.
    pub(crate) fn place(&self, text: &str) -> Result<Place> {
        let (backend, path, prefix) = match (&self.args.connection, text.split_once(':')) {
            (Some(given), _) => (self.on_the_fly(given)?, text, String::new()),
            (None, Some((name, path))) if is_name(name) => (self.named(name)?, path, format!("{name}:")),
            (None, _) => return Err(self.no_connection(text)),
        };
        Ok(Place { backend, path: BackendPath::parse(path)?, prefix, is_dir: path.ends_with('/') })
    }

    /// The directories of this machine that the connection of an argument names.
    pub(crate) fn directories(&self, text: &str) -> Result<Vec<PathBuf>> {
        let connection = match (self.given_connection()?, text.split_once(':')) {
            (Some(given), _) => given,
            (None, Some((name, _))) => self.connections()?.get(name)?.clone(),
            (None, None) => return Ok(Vec::new()),
        };
        self.plugin_of(&connection)?.directories(&connection)
    }

    /// Whether an argument can only be the name of a connection.
    pub(crate) fn is_address(&self, text: &str) -> bool {
        let name = text.strip_suffix(':').filter(|name| is_name(name));
        self.args.connection.is_none() && name.is_some_and(|name| !name.contains(char::is_whitespace))
    }

    /// The backend that a command without a path works on: `NAME:`, or the one of `-c`.
    pub(crate) fn backend(&self, name: Option<&str>) -> Result<Rc<Backend>> {
        let name = name.map(without_path).transpose()?;
        match (&self.args.connection, name) {
            (Some(given), None) => self.on_the_fly(given),
            (Some(_), Some(name)) => {
                let message = format!("there are two connections: `{name}` and that of -c");
                Err(Error::new(ErrorKind::InvalidConnection, message).hint("give one of them"))
            }
            (None, Some(name)) => self.named(name),
            (None, None) => Err(self.no_connection("")),
        }
    }

    /// Every named connection. There are none where nobody has made the file yet.
    pub(crate) fn connections(&self) -> Result<&Connections> {
        if let Some(connections) = self.connections.get() {
            return Ok(connections);
        }
        let loaded = match &self.args.config {
            Some(file) => Connections::load(file)?,
            None => {
                let file = default_file()?;
                match Connections::load(&file) {
                    // Below a file, such as /dev/null, there is none either.
                    Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                        Connections::new(file)
                    }
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                        return Err(error.hint(places::REMEDY));
                    }
                    loaded => loaded?,
                }
            }
        };
        Ok(self.connections.get_or_init(|| loaded))
    }

    /// The file of the named connections.
    pub(crate) fn connections_file(&self) -> Result<PathBuf> {
        self.args.config.clone().map_or_else(default_file, Ok)
    }

    /// The connection of `-c`.
    pub(crate) fn given_connection(&self) -> Result<Option<Connection>> {
        self.args.connection.as_deref().map(|given| self.parse_connection(given)).transpose()
    }

    /// The connection that an argument is, where that may be something else as well: JSON, `@FILE`, or `NAME:`.
    pub(crate) fn connection_of(&self, text: &str) -> Result<Option<Connection>> {
        match text.strip_suffix(':') {
            _ if text.starts_with(['{', '@']) => self.parse_connection(text).map(Some),
            Some(name) if self.connections()?.contains(name) => {
                self.connections()?.get(name).cloned().map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The plugin that opens a connection.
    pub(crate) fn plugin_of(&self, connection: &Connection) -> Result<Plugin> {
        self.host.plugin(connection.backend())
    }

    fn named(&self, name: &str) -> Result<Rc<Backend>> {
        self.open_once(name, || self.connections()?.open(name, &self.host))
    }

    fn on_the_fly(&self, given: &str) -> Result<Rc<Backend>> {
        // No name is empty, so this is none's place.
        self.open_once("", || self.host.open(self.parse_connection(given)?))
    }

    fn open_once(&self, name: &str, open: impl FnOnce() -> Result<Backend>) -> Result<Rc<Backend>> {
        if let Some(backend) = self.opened.borrow().get(name) {
            return Ok(Rc::clone(backend));
        }
        let backend = Rc::new(open()?);
        self.opened.borrow_mut().insert(name.to_owned(), Rc::clone(&backend));
        Ok(backend)
    }

    fn no_connection(&self, text: &str) -> Error {
        let error = Error::new(ErrorKind::InvalidConnection, "there is no connection");
        let names = self.names();
        if names.is_empty() || text.is_empty() {
            return error.hint(r#"say what to open: -c '{"backend": "local", "root": "data"}', -c @FILE, or a NAME:path after `f9 connections add NAME`"#);
        }
        let path = text.trim_start_matches('/');
        let of_this_machine = match text {
            "." => Some(""),
            text if text.starts_with(['/', '.']) => text.strip_prefix("./"),
            text => Some(text),
        };
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match nearest(first, names.iter().map(String::as_str)) {
            Some(near) => error.at(text).hint(format!("did you mean `{near}:{rest}`?")),
            None => {
                let mut hint = format!(
                    "write NAME:{path} with one of the names that `f9 connections list` shows, or give a connection with -c"
                );
                if let Some(path) = of_this_machine {
                    hint.push_str(&format!("; a file of this machine is here:{path}"));
                    if !names.iter().any(|name| name == "here") {
                        hint.push_str(" after `f9 connections add here local root=.`");
                    }
                }
                error.at(text).hint(hint)
            }
        }
    }

    /// Every name, as far as they can be read: for hints.
    fn names(&self) -> Vec<String> {
        let names = |connections: &Connections| connections.iter().map(|(name, _)| name.to_owned()).collect();
        self.connections().map(names).unwrap_or_default()
    }

    fn parse_connection(&self, given: &str) -> Result<Connection> {
        match given.strip_prefix('@') {
            Some(json) if json.trim_start().starts_with('{') => Err(Error::new(
                ErrorKind::InvalidConnection,
                "after @ comes the name of a file, not the connection itself",
            )
            .hint("leave out the @")),
            Some(file) => Connection::load(file),
            None if given.contains(['{', '[', '"']) => given.parse(),
            None => Err(self.no_json(given)),
        }
    }

    /// What `-c` was given is a name, or the name of a file. It is not repeated: it may be a key in the wrong place.
    fn no_json(&self, given: &str) -> Error {
        let message = "-c takes a JSON object, or @ and the name of a file with one; this is neither";
        let error = Error::new(ErrorKind::InvalidConnection, message);
        let name = given.split(':').next().unwrap_or_default();
        if let Some(near) = nearest(name, self.names().iter().map(String::as_str)) {
            return error
                .hint(format!("without -c, write `{near}:PATH` for what the connection `{near}` holds"));
        }
        if Path::new(given).is_file() {
            return error.hint("put an @ before the name of a file");
        }
        error.hint(r#"write for instance -c '{"backend": "local", "root": "data"}'"#)
    }
}

impl Place {
    /// Says in which of several connections the path of an error is.
    pub(crate) fn named(&self, error: Error) -> Error {
        named(&self.prefix, error)
    }

    /// The same as [`explain`](Self::explain), of one of so many paths: they may be in several connections.
    pub(crate) fn explain_among(&self, paths: usize, error: Error) -> Error {
        let error = self.explain(error);
        if paths > 1 { self.named(error) } else { error }
    }

    /// Says what else there is, where there is nothing at this path, or no directory.
    pub(crate) fn explain(&self, error: Error) -> Error {
        let is_here = error.path() == Some(self.path.as_str());
        match error.kind() {
            ErrorKind::NotADirectory if is_here => self.explain_no_directory(error),
            ErrorKind::NotFound if is_here && error.advice().is_none() => self.explain_missing(error),
            _ => error,
        }
    }

    fn explain_no_directory(&self, error: Error) -> Error {
        if self.backend.info(&self.path).map_or(true, |info| info.is_dir()) {
            return error;
        }
        let plain = Error::new(ErrorKind::NotADirectory, "this is a file, and a directory is needed");
        let plain = plain.at(&self.path).hint("name the directory that it is in");
        error.context().fold(plain, |plain, (name, value)| plain.with(name, value))
    }

    fn explain_missing(&self, error: Error) -> Error {
        let first = self.path.segments().next().unwrap_or_default();
        match (self.nearest(), self.prefix.as_str()) {
            (None, "") if first.contains(':') => {
                error.hint("with -c a path has no NAME: before it; leave that out, or leave out -c")
            }
            (Some(near), _) if near.path == self.path && near.kind == FileKind::Symlink => {
                error.hint("there is a link of this name, and nothing within the root where it leads")
            }
            (Some(near), prefix) if near.path != self.path => {
                error.hint(format!("did you mean `{prefix}{}`?", near.path))
            }
            (_, prefix) if self.path.as_str().contains(['*', '?', '[', '{']) => {
                let glob = command("glob", prefix, self.path.as_str());
                error.hint(format!("`{glob}` lists what a pattern stands for"))
            }
            (_, prefix) => error.hint(format!("`{}` lists what is there", command("ls -R", prefix, ""))),
        }
    }

    /// Says what to do about what is at `path` already: `offer`, if that is a file, or with `is_dir` a directory.
    pub(crate) fn explain_taken(&self, error: Error, path: &BackendPath, is_dir: bool, offer: &str) -> Error {
        if !error.is_already_exists() || error.path() != Some(path.as_str()) {
            return error;
        }
        match self.backend.info(path) {
            Ok(info) if info.is_dir() == is_dir => error.hint(offer),
            Ok(info) if info.is_dir() => error.hint("it is a directory; choose another path"),
            Ok(_) => error.hint("it is a file; choose another path"),
            Err(_) => error.hint("choose another path"),
        }
    }

    /// The path of a file: none that ends with `/`.
    pub(crate) fn of_file(self) -> Result<Self> {
        if self.is_dir && !self.path.is_root() {
            let message = "a path that ends with a / means a directory, and a file is needed";
            return Err(Error::new(ErrorKind::InvalidPath, message)
                .at(format_args!("{}/", self.path))
                .hint("leave out the / at the end"));
        }
        Ok(self)
    }

    /// The path of what is there: where it ends with `/`, of a directory.
    pub(crate) fn of_either(self) -> Result<Self> {
        if self.is_dir {
            let info = self.backend.info(&self.path).map_err(|error| self.explain(error))?;
            self.check_slash(&info)?;
        }
        Ok(self)
    }

    /// Refuses a path that ends with `/` where no directory is.
    pub(crate) fn check_slash(&self, info: &FileInfo) -> Result<()> {
        if !self.is_dir || info.is_dir() {
            return Ok(());
        }
        let message = "a path that ends with a / means a directory, and this is a file";
        Err(Error::new(ErrorKind::NotADirectory, message).at(&self.path).hint("leave out the / at the end"))
    }

    /// What is there and has nearly the name of the first thing on the way to this path that is not.
    fn nearest(&self) -> Option<FileInfo> {
        let mut missing = self.path.clone();
        loop {
            let parent = missing.parent()?;
            match FileBackend::list(&*self.backend, &parent, ListOptions::default().names_only(true)) {
                Err(error) if error.is_not_found() => missing = parent,
                listed => {
                    let there: Vec<_> = listed.ok()?.flatten().collect();
                    let names = there.iter().filter_map(|info| info.path.name());
                    let near = parent.join(nearest(missing.name()?, names)?).ok()?;
                    return there.into_iter().find(|info| info.path == near);
                }
            }
        }
    }
}

/// A command as it is typed for a path in a connection, whose prefix is that of [`Place`]. What `-c` was given is not
/// repeated: it may hold a secret.
pub(crate) fn command(name: &str, prefix: &str, path: &str) -> String {
    let given = if prefix.is_empty() { "-c … " } else { "" };
    let address = format!("{prefix}{path}");
    let address = if address.is_empty() { address } else { format!(" {}", quoted(address)) };
    format!("f9 {given}{name}{address}")
}

/// The prefix of a connection that is given by its name, or by `-c`.
pub(crate) fn prefix(name: Option<&str>) -> String {
    name.map(|name| format!("{}:", name.trim_end_matches(':'))).unwrap_or_default()
}

/// Says in which of several connections the path of an error is: `prefix` is what is typed before it.
pub(crate) fn named(prefix: &str, error: Error) -> Error {
    match error.path() {
        Some(path) if !prefix.is_empty() && fact(&error, ADDRESS).is_none() => {
            let address = format!("{prefix}{path}");
            error.with(ADDRESS, address)
        }
        _ => error,
    }
}

/// Whether this can be the name of a connection, before the `:`.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/')
}

/// The name of a connection, with or without its colon.
fn without_path(text: &str) -> Result<&str> {
    match text.split_once(':') {
        Some((name, path)) if !path.is_empty() && is_name(name) => {
            let message = format!("this works on all of `{name}:`, and takes no path");
            Err(Error::new(ErrorKind::InvalidConnection, message).hint(format!("write `{name}:`")))
        }
        Some((name, _)) => Ok(name),
        None => Ok(text),
    }
}

fn default_file() -> Result<PathBuf> {
    Connections::default_file().ok_or_else(|| places::no_place("named connections", "--config"))
}
