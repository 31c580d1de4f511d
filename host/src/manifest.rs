//! What a plugin says of itself, read from its file without running it.

use f9_plugin_abi::{MANIFEST_FORMAT, VERSION};
use serde::{Deserialize, Serialize};

use crate::{PluginName, Refusal, RefusalCode};

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The number of the manifest's format.
    pub format: u32,
    /// The version of the plugin ABI that it was built with.
    pub abi: String,
    /// The name that connections use.
    pub name: String,
    /// The plugin's own version. No decision depends on it.
    pub version: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// The platform it was built for, as a target triple.
    pub target: String,
    /// The names of the optional operations that its backends may have.
    pub capabilities: Vec<String>,
}

impl Manifest {
    /// Reads a manifest, whatever it says.
    pub(crate) fn read(text: &[u8]) -> Result<Self, Refusal> {
        /// What every format of the manifest has.
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }

        let bad = |why: String| Refusal::new(RefusalCode::BadManifest, why);
        let header: Header =
            serde_json::from_slice(text).map_err(|e| bad(format!("its manifest is not valid: {e}")))?;
        if header.format != MANIFEST_FORMAT {
            let found = header.format;
            return Err(bad(format!(
                "its manifest has format {found}, this host reads format {MANIFEST_FORMAT}"
            )));
        }
        serde_json::from_slice(text).map_err(|e| bad(format!("its manifest is not valid: {e}")))
    }

    /// The minor version of the ABI, of which nothing newer is asked; 0, the oldest, if it does not say.
    pub(crate) fn abi_minor(&self) -> u32 {
        self.abi.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0)
    }

    /// Checks what can be told from the manifest alone. Without an `expected` name, any that a plugin can have will do.
    pub(crate) fn check(&self, expected: Option<&PluginName>) -> Result<(), Refusal> {
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        if major(&self.abi) != major(VERSION) {
            let detail = format!("built for plugin ABI {}, this host speaks {VERSION}", self.abi);
            return Err(Refusal::new(RefusalCode::AbiMajor, detail));
        }
        match expected {
            None => self.name.parse::<PluginName>().map(drop).map_err(|error| {
                Refusal::new(RefusalCode::BadManifest, format!("by its manifest, {}", error.message()))
            }),
            Some(expected) if self.name != expected.as_str() => {
                let detail = format!("the file is named for `{expected}`, its manifest says `{}`", self.name);
                Err(Refusal::new(RefusalCode::NameMismatch, detail))
            }
            Some(_) => Ok(()),
        }
    }
}
