//! The directory that a clone is made in: ours alone, so that nobody can put anything into the clone that comes out of it.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

use f9_plugin_api::{Error, ErrorKind, Result};
use rustix::process::geteuid;

use crate::errors::Context as _;

/// Makes `nursery` in `path`, with missing parents, unless it is there. One that belongs to somebody else, that others can
/// write to, or that is a link, is not used: what lies in it would become the clone, or be removed in its place.
pub(crate) fn make(path: &Path, nursery: &Path) -> Result<()> {
    fs::create_dir_all(path).context("make the directory for the clone")?;
    match DirBuilder::new().mode(0o700).create(nursery) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(error).context("make the directory for the clone");
        }
        _ => {}
    }
    let is_ours = match fs::symlink_metadata(nursery) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => true, // another maker tidied up: it is made again
        found => is_ours(&found.context("look at the directory for the clone")?),
    };
    if is_ours {
        return Ok(());
    }
    let message =
        "the directory in which the clone would be made belongs to somebody else, or others can write to it";
    Err(Error::new(ErrorKind::PermissionDenied, message)
        .at(nursery.display())
        .hint("remove it if nobody makes a clone there, or name another `path`"))
}

/// Whether a maker that was ended before it had tidied up has left one. What is not ours is no concern of ours.
pub(crate) fn is_left(nursery: &Path) -> bool {
    fs::symlink_metadata(nursery).is_ok_and(|found| is_ours(&found))
}

fn is_ours(found: &fs::Metadata) -> bool {
    found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0
}
