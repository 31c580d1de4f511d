//! Files of the user's that may hold secrets: read up to a bound, and who else can read or write them.

use std::{
    fs::{File, Metadata},
    io::Read,
    path::Path,
};

use f9_plugin_api::{Error, ErrorKind, Result};

use crate::{json, quoted};

/// Longer files hold neither connections nor values of theirs.
const MAX_LENGTH: u64 = 64 << 20;

/// What others than its owner can do with a file. With what is no file, such as a pipe, they can do nothing that lasts.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Others {
    pub(crate) can_read: bool,
    pub(crate) can_write: bool,
}

impl Others {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        let may = |bits: u32| metadata.is_file() && metadata.mode() & bits != 0;
        Self { can_read: may(0o044), can_write: may(0o022) }
    }

    /// Elsewhere a user's files are the user's by default.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self::default()
    }
}

/// The text of a file, and what others can do with it.
pub(crate) fn read(file: &Path) -> Result<(String, Others)> {
    let opened = File::open(file)?;
    let others = Others::of(&opened.metadata()?);
    let mut text = Vec::new();
    let read = opened.take(MAX_LENGTH + 1).read_to_end(&mut text);
    if text.len() as u64 > MAX_LENGTH {
        let message = format!("it has more than {MAX_LENGTH} bytes");
        return Err(Error::new(ErrorKind::InvalidConnection, message));
    }
    read?;
    let text = String::from_utf8(text).map_err(|error| {
        let (what, hint) = json::no_text(error.as_bytes());
        Error::new(ErrorKind::InvalidConnection, what).hint(hint)
    })?;
    Ok((text, others))
}

/// Secrets are written down where others can read them: says what to type.
pub(crate) fn refuse_literal(holder: &str, keys: &[&str], file: &Path) -> Error {
    let error = refuse(&format!("{holder} holds a secret ({})", keys.join(", ")), file);
    error.hint(format!(
        r#"type `chmod 600 {}`, or refer to the secret with {{"$env": "NAME"}} or {{"$file": "/path"}}"#,
        quoted(file.display())
    ))
}

/// A secret lies where others can read it: says what to type.
pub(crate) fn refuse(what: &str, file: &Path) -> Error {
    let shown = file.display();
    let message = format!("{what}, and others than the file's owner can read it");
    Error::new(ErrorKind::InvalidConnection, message)
        .at(&shown)
        .hint(format!("type `chmod 600 {}`", quoted(&shown)))
}
