//! Where the user's own files are, in whatever state HOME and the XDG directories are.

use std::{io, path::PathBuf};

use f9_host::{Connections, Error, ErrorKind};

use super::args::Args;

/// What to do about a directory that is somebody else's.
pub(crate) const REMEDY: &str =
    "set HOME or XDG_CONFIG_HOME to a directory of yours, or name the file with --config FILE";

/// The lock that is to be used: the one that was named, whether it is there or not, or else what lies in the place for it, be
/// it readable or not. Where the user's own directory cannot be looked into there is none: [`closed`] tells.
pub(crate) fn lock(args: &Args) -> Option<PathBuf> {
    let file = args.lock_file()?;
    if args.lock.is_some() {
        return Some(file);
    }
    let is_there = match file.symlink_metadata() {
        Ok(_) => true,
        Err(error) => !is_missing(&error) && args.config.is_some(),
    };
    is_there.then_some(file)
}

/// What keeps this user from looking for connections and a lock where users keep theirs.
pub(crate) fn closed(args: &Args) -> Option<String> {
    if args.config.is_some() {
        return None;
    }
    let file = Connections::default_file()?;
    let error = file.symlink_metadata().err().filter(|error| !is_missing(error))?;
    let dir = file.parent().unwrap_or(&file).display();
    let why = Error::from(error).message().to_lowercase();
    let what = if args.lock.is_some() { "connections" } else { "connections and plugins.lock" };
    Some(format!("{what} are not looked for in {dir}: {why}; {REMEDY}"))
}

/// Whether nothing is there, nor can be: below a file, such as `/dev/null`, there is nothing.
pub(crate) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// There is no place for a file of the user's.
pub(crate) fn no_place(what: &str, option: &str) -> Error {
    let message = format!("there is no place for {what}: HOME is not set to an absolute path");
    Error::new(ErrorKind::InvalidConnection, message)
        .hint(format!("name the file with {option} FILE, or set HOME"))
}
