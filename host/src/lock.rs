//! The lock: which files may be loaded, by their content.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    path::{Path, PathBuf, absolute},
};

use f9_plugin_api::{Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Connections, Inspection, PluginName, Refusal, RefusalCode, json,
    library::open_regular,
    permissions,
    replace::{Readers, exclusively, replace},
};

/// The number of the file's format.
const FORMAT: u32 = 1;

/// Longer files are no lock.
const MAX_LENGTH: u64 = 16 << 20;

/// Which files may be loaded as plugins: for each name and platform, the SHA-256 of their content.
///
/// With a lock ([`HostBuilder::lock_file`](crate::HostBuilder::lock_file)), what it does not hold is not loaded, and a lock
/// that cannot be read lets nothing be loaded. The file is JSON, fit to be kept with the connections and under version
/// control; it holds plugins of several platforms side by side, and of each as many versions as are in use:
///
/// ```json
/// {
///   "format": 1,
///   "plugins": {
///     "git": {
///       "aarch64-apple-darwin": ["0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f"],
///       "x86_64-unknown-linux-gnu": ["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
///     }
///   }
/// }
/// ```
///
/// On Linux the open file that was hashed is the one that is loaded, so that exchanging it in between gains nothing.
/// Elsewhere it is opened a second time, by its path. Whoever can write *into* the file could still change it after it was
/// hashed: therefore the [permissions](crate::RefusalCode::UnsafePermissions) are looked at as well, the lock's own too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLock {
    file: PathBuf,
    plugins: BTreeMap<PluginName, BTreeMap<String, BTreeSet<String>>>,
}

/// A file's content that a lock holds.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct LockedPlugin {
    /// The plugin's name.
    pub name: String,
    /// The platform that it was built for, as a target triple.
    pub target: String,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
}

impl PluginLock {
    /// Holds nothing yet, to be saved to `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self { file: file.into(), plugins: BTreeMap::new() }
    }

    /// Where a user's lock is: `plugins.lock` beside the [file of connections](Connections::default_file). `None` where that
    /// is not known.
    pub fn default_file() -> Option<PathBuf> {
        Connections::default_file().map(|file| file.with_file_name("plugins.lock"))
    }

    /// Reads a lock.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no such file; [`PluginRefused`](ErrorKind::PluginRefused) with what is
    /// wrong in it. A name that occurs twice is wrong: what a merge left behind must not decide by its order.
    pub fn load(file: impl Into<PathBuf>) -> Result<Self> {
        let file = file.into();
        let plugins = read(&file).and_then(|text| parse(&text)).map_err(|error| error.at(file.display()))?;
        Ok(Self { file, plugins })
    }

    /// Reads a lock, changes it, and writes it; a file that is missing holds nothing. Whoever else does so at the same time
    /// waits. Nothing is written if `change` fails.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), `change` and [`save`](Self::save); and
    /// [`PluginRefused`](ErrorKind::PluginRefused) for a lock that others can write to, because nobody knows who has put in it
    /// what it holds.
    pub fn edit<T>(file: impl Into<PathBuf>, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let file = file.into();
        exclusively(&file, || {
            let mut lock = match Self::load(&file) {
                Err(error) if error.is_not_found() => Self::new(&file),
                loaded => {
                    permissions::check(&absolute(&file)?).map_err(|refusal| {
                        let error = Error::new(ErrorKind::PluginRefused, refusal.detail);
                        error.at(file.display()).hint(refusal.remedy)
                    })?;
                    loaded?
                }
            };
            let answer = change(&mut lock)?;
            lock.save()?;
            Ok(answer)
        })
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Everything it holds, ordered by name and then by platform.
    pub fn iter(&self) -> impl Iterator<Item = LockedPlugin> + '_ {
        self.plugins.iter().flat_map(|(name, targets)| {
            targets.iter().flat_map(move |(target, hashes)| {
                hashes.iter().map(move |sha256| LockedPlugin {
                    name: name.to_string(),
                    target: target.clone(),
                    sha256: sha256.clone(),
                })
            })
        })
    }

    /// Adds a file, whatever platform it is for, and says whether it was missing. Other content of the same name stays.
    /// [`save`](Self::save) makes it last.
    ///
    /// # Errors
    ///
    /// [`PluginRefused`](ErrorKind::PluginRefused) for a file without a usable manifest.
    pub fn add(&mut self, plugin: &Inspection) -> Result<bool> {
        let (Some(manifest), Some(sha256)) = (&plugin.manifest, &plugin.sha256) else {
            let why = plugin.refusal.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = format!("a file that is no plugin cannot be locked: {why}");
            return Err(Error::new(ErrorKind::PluginRefused, message).at(plugin.path.display()));
        };
        let name: PluginName = manifest.name.parse()?;
        let hashes = self.plugins.entry(name).or_default().entry(manifest.target.clone()).or_default();
        Ok(hashes.insert(sha256.clone()))
    }

    /// Whether a file may be loaded, as far as the lock goes.
    ///
    /// # Errors
    ///
    /// [`NotLocked`](RefusalCode::NotLocked) or [`HashMismatch`](RefusalCode::HashMismatch); or why the file is no plugin.
    pub fn check(&self, plugin: &Inspection) -> Result<(), Refusal> {
        let name = plugin.manifest.as_ref().and_then(|manifest| manifest.name.parse().ok());
        match (&plugin.manifest, name, &plugin.sha256) {
            (Some(manifest), Some(name), Some(sha256)) => self.allows(&name, &manifest.target, sha256),
            _ => Err(plugin.refusal.clone().unwrap_or_else(|| {
                Refusal::new(RefusalCode::NotLocked, "a lock holds files, and this is none")
            })),
        }
    }

    /// Whether content may be loaded under a name.
    pub(crate) fn allows(&self, name: &PluginName, target: &str, sha256: &str) -> Result<(), Refusal> {
        let lock = self.file.display();
        let not_locked = |detail: String| {
            let refusal = Refusal::new(RefusalCode::NotLocked, detail);
            refusal.with_remedy(format!("if you trust it, type `f9 plugins lock add {name}`"))
        };
        let Some(targets) = self.plugins.get(name) else {
            return Err(not_locked(format!("the lock {lock} does not hold it")));
        };
        let Some(hashes) = targets.get(target) else {
            let held: Vec<_> = targets.keys().map(String::as_str).collect();
            return Err(not_locked(format!(
                "the lock {lock} holds it for {}, not for {target}",
                held.join(", ")
            )));
        };
        if hashes.contains(sha256) {
            return Ok(());
        }
        let held: Vec<_> = hashes.iter().map(String::as_str).collect();
        let detail = format!("its sha256 is {sha256}, the lock {lock} holds {}", held.join(", "));
        Err(Refusal::new(RefusalCode::HashMismatch, detail).with_remedy(format!(
            "put back the file that was locked, or, if you trust this one, type `f9 plugins lock add {name}`"
        )))
    }

    /// Takes away what is held for a platform and not found in `keep`, and answers it. What is held for other platforms
    /// stays. [`save`](Self::save) makes it last.
    pub fn prune(&mut self, target: &str, keep: &[Inspection]) -> Vec<LockedPlugin> {
        let found: BTreeSet<_> = keep.iter().filter_map(|plugin| plugin.sha256.as_deref()).collect();
        let gone: Vec<_> = self
            .iter()
            .filter(|held| held.target == target && !found.contains(held.sha256.as_str()))
            .collect();
        for targets in self.plugins.values_mut() {
            if let Some(hashes) = targets.get_mut(target) {
                hashes.retain(|hash| found.contains(hash.as_str()));
            }
            targets.retain(|_, hashes| !hashes.is_empty());
        }
        self.plugins.retain(|_, targets| !targets.is_empty());
        gone
    }

    /// Writes the file, with missing directories, all at once: a crash leaves the old file or the new.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn save(&self) -> Result<()> {
        let names: BTreeMap<_, _> =
            self.plugins.iter().map(|(name, targets)| (name.as_str(), targets)).collect();
        let text = format!("{:#}\n", serde_json::json!({"format": FORMAT, "plugins": names}));
        replace(&self.file, text.as_bytes(), Readers::Everybody)
            .map_err(|error| error.at(self.file.display()))
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    if let Err(error) = file.metadata() {
        let error = Error::from(error);
        return Err(Error::new(error.kind(), error.message().to_lowercase())
            .hint("`f9 plugins lock add NAME` writes one"));
    }
    let unreadable = |refusal: Refusal| Error::new(ErrorKind::PluginRefused, refusal.detail);
    let (opened, length) = open_regular(file).map_err(unreadable)?;
    if length > MAX_LENGTH {
        return Err(invalid(format!("it has {length} bytes, and no lock has more than {MAX_LENGTH}")));
    }
    let mut text = Vec::new();
    opened.take(MAX_LENGTH).read_to_end(&mut text)?;
    Ok(text)
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::PluginRefused, message).hint(RefusalCode::BadLock.remedy())
}

type Plugins = BTreeMap<PluginName, BTreeMap<String, BTreeSet<String>>>;

fn parse(text: &[u8]) -> Result<Plugins> {
    #[derive(Deserialize)]
    struct Header {
        format: u32,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Document {
        #[serde(rename = "format")]
        _format: Value,
        plugins: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    }

    let not_valid = |error: serde_json::Error| invalid(format!("it is not valid: {error}"));
    let wrong = |(what, hint): (&str, &str)| invalid(what.to_owned()).hint(hint);
    let text = std::str::from_utf8(text).map_err(|_| wrong(json::no_text(text)))?;
    json::whole(text).map_or(Ok(()), |whole| Err(wrong(whole)))?;
    let document = json::parse(text).map_err(not_valid)?;
    let Header { format } = Header::deserialize(&document).map_err(not_valid)?;
    if format != FORMAT {
        return Err(invalid(format!("it has format {format}, this host reads format {FORMAT}")));
    }
    let document = Document::deserialize(&document).map_err(not_valid)?;
    let mut plugins = Plugins::new();
    for (name, targets) in document.plugins {
        let by_target = plugins.entry(name.parse()?).or_default();
        for (target, hashes) in targets {
            if let Some(wrong) = hashes.iter().find(|hash| !is_sha256(hash)) {
                let shown: String = wrong.chars().take(80).collect();
                return Err(invalid(format!(
                    "for {name} and {target} it holds {shown:?}, expected a SHA-256 of 64 digits 0-9 and a-f"
                )));
            }
            by_target.insert(target, hashes.into_iter().collect());
        }
    }
    Ok(plugins)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
