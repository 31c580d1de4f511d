//! The crate that a new plugin begins as: the plugin of the SDK's front page under another name.

use std::{
    env::consts::{DLL_PREFIX, DLL_SUFFIX},
    fs,
    path::{Path, PathBuf},
};

use f9_plugin_api::{EXAMPLE, Error, ErrorKind, Result};
use serde_json::Value;

use crate::PluginName;

/// Where the toy storage begins, and what is written above it.
const TOY: &str = "/// Everything by its path:";
const TOY_NOTE: &str = "// From here to the tests: the storage, a toy. Yours takes its place.\n\n";

/// A crate for a new plugin. It builds, passes its tests and `f9 plugins verify` as it is.
///
/// ```no_run
/// let dir = f9_host::NewPlugin::new("notes".parse()?).create("f9-plugin-notes")?;
/// # Ok::<(), f9_host::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct NewPlugin {
    name: PluginName,
    api: Option<PathBuf>,
}

impl NewPlugin {
    /// For a plugin of this name, with the released `f9-plugin-api` of this host's version.
    pub fn new(name: PluginName) -> Self {
        Self { name, api: None }
    }

    /// Takes `f9-plugin-api` from a directory, such as `plugin-api` of this project's repository.
    #[must_use]
    pub fn api_path(mut self, dir: impl Into<PathBuf>) -> Self {
        self.api = Some(dir.into());
        self
    }

    /// The name of the library that the crate builds, such as `libf9_backend_notes.so`.
    pub fn library(&self) -> String {
        format!("{DLL_PREFIX}f9_backend_{}{DLL_SUFFIX}", self.name)
    }

    /// Writes the crate. The directory appears with all its files or not at all.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is something at `dir`;
    /// [`InvalidOperation`](ErrorKind::InvalidOperation) if `f9-plugin-api` is not where it was said to be, or if the crate
    /// would have the name of one that it depends on.
    pub fn create(&self, dir: impl AsRef<Path>) -> Result<()> {
        let dir = dir.as_ref();
        if matches!(self.name.as_str(), "api" | "abi") {
            let message =
                format!("its crate would be called f9-plugin-{}, as one that it depends on is", self.name);
            return Err(Error::new(ErrorKind::InvalidOperation, message).hint("choose another name"));
        }
        if dir.symlink_metadata().is_ok() {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is something at this path already")
                .at(dir.display())
                .hint("name another directory"));
        }
        let files = self.files()?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        write_together(&files, parent, dir).map_err(|cause| {
            let message = format!("the directory cannot be made: {}", cause.kind()); // without unfinished files' names
            Error::new(kind_of(&cause), message).at(dir.display()).hint("name another").caused_by(cause)
        })
    }

    fn files(&self) -> Result<Vec<(&'static str, String)>> {
        let manifest = include_str!("Cargo.toml.txt")
            .replace("@API@", &self.api("")?)
            .replace("@API_FOR_TESTS@", &self.api(r#"features = ["conformance"]"#)?);
        let fill =
            |text: &str| text.replace("@NAME@", self.name.as_str()).replace("@LIBRARY@", &self.library());
        Ok(vec![
            ("Cargo.toml", fill(&manifest)),
            ("README.md", fill(include_str!("README.md.txt"))),
            ("ci.sh", fill(include_str!("ci.sh.txt"))),
            ("rustfmt.toml", include_str!("rustfmt.toml.txt").to_owned()),
            (".gitignore", "/target\n".to_owned()),
            ("src/lib.rs", self.source()),
        ])
    }

    fn source(&self) -> String {
        let (_, code) = EXAMPLE.split_once('\n').unwrap_or_default();
        let name = self.name.as_str();
        let about = format!(
            "//! The plugin `{name}`: files in memory, gone when the backend is closed.\n//!\n//! ```json\n\
             //! {{\"backend\": \"{name}\"}}\n//! ```\n"
        );
        let code = code
            .replace("\"memory\"", &format!("\"{name}\""))
            .replace("MemoryPlugin", &format!("{}Plugin", camel_case(name)))
            .replacen(TOY, &format!("{TOY_NOTE}{TOY}"), 1);
        about + &code
    }

    /// The requirement for the SDK, as TOML.
    fn api(&self, features: &str) -> Result<String> {
        let version = concat!(env!("CARGO_PKG_VERSION_MAJOR"), ".", env!("CARGO_PKG_VERSION_MINOR"));
        let mut parts = Vec::new();
        if let Some(dir) = &self.api {
            parts.push(format!("path = {}", Value::from(sdk(dir)?))); // a string of JSON is one of TOML
        }
        parts.push(format!("version = \"{version}\""));
        parts.extend((!features.is_empty()).then(|| features.to_owned()));
        Ok(match &parts[..] {
            [_] => format!("\"{version}\""),
            _ => format!("{{ {} }}", parts.join(", ")),
        })
    }
}

/// The directory of the SDK in full.
fn sdk(dir: &Path) -> Result<String> {
    let error = |what: &str| {
        Error::new(ErrorKind::InvalidOperation, what)
            .at(dir.display())
            .hint("name the directory `plugin-api` of the repository of f9")
    };
    let manifest = fs::read_to_string(dir.join("Cargo.toml"));
    let manifest = manifest.map_err(|cause| error("there is no f9-plugin-api here").caused_by(cause))?;
    if !manifest.lines().any(|line| line.trim() == r#"name = "f9-plugin-api""#) {
        return Err(error("the crate here is not f9-plugin-api"));
    }
    let full = dir.canonicalize()?;
    full.to_str()
        .map(str::to_owned)
        .ok_or_else(|| error("this path is not UTF-8, which Cargo.toml has to be"))
}

fn camel_case(name: &str) -> String {
    let capitalised = |word: &str| {
        let (first, rest) = word.split_at(usize::from(!word.is_empty()));
        first.to_ascii_uppercase() + rest
    };
    name.split('_').map(capitalised).collect()
}

fn kind_of(cause: &std::io::Error) -> ErrorKind {
    Error::from(std::io::Error::from(cause.kind())).kind()
}

fn write_together(files: &[(&str, String)], parent: &Path, dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(parent)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777)); // less what the umask excludes
    let unfinished = builder.prefix(".f9-plugin-").tempdir_in(parent)?;
    for (name, content) in files {
        let file = unfinished.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(parent))?;
        fs::write(&file, content)?;
        #[cfg(unix)]
        if name.ends_with(".sh") {
            use std::os::unix::fs::PermissionsExt;
            let mode = file.metadata()?.permissions().mode();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode | (mode & 0o444) >> 2))?;
        }
    }
    fs::rename(unfinished.path(), dir)?;
    // There is nothing left to be removed.
    let _ = unfinished.keep();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_page_has_what_is_exchanged() {
        for (text, times) in [("\"memory\"", 1), ("MemoryPlugin", 4), (TOY, 1)] {
            assert_eq!(EXAMPLE.matches(text).count(), times, "{text}");
        }
        let source = NewPlugin::new("my_notes".parse().unwrap()).source();
        assert!(source.contains("struct MyNotesPlugin;") && source.contains("= \"my_notes\";"), "{source}");
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for (name, text) in NewPlugin::new("notes".parse().unwrap()).files().unwrap() {
            assert!(
                !text.contains('@') || name == "README.md" && text.matches('@').count() == 1,
                "{name}: {text}"
            );
        }
    }
}
