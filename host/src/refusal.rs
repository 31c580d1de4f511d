//! Why a file is not used as a plugin.

use serde::{Serialize, Serializer};

/// Why a file is not used as a plugin, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RefusalCode {
    /// It cannot be read.
    Unreadable,
    /// It is no shared library of this platform's format.
    NotALibrary,
    /// Part of it is missing: a copy that broke off, for instance.
    Truncated,
    /// It was built for another processor or system.
    WrongArch,
    /// It is a library, but no f9 plugin.
    NoManifest,
    /// It has a manifest that cannot be read.
    BadManifest,
    /// It was built for another major version of the plugin ABI.
    AbiMajor,
    /// It says that its name is another than its file's.
    NameMismatch,
    /// Its file is not named as a plugin's is, so that it is not looked for.
    Misnamed,
    /// Others than the user can replace it.
    UnsafePermissions,
    /// The [lock](crate::PluginLock) does not hold it.
    NotLocked,
    /// The [lock](crate::PluginLock) holds other content for it.
    HashMismatch,
    /// The [lock](crate::PluginLock) itself cannot be read, so that nothing is loaded.
    BadLock,
    /// The system's loader refused it.
    LoadFailed,
    /// Its types are not those of the ABI it claims, or its entry failed.
    InitFailed,
    /// A file of the same name in an earlier directory is used instead.
    Shadowed,
}

impl RefusalCode {
    /// The name in output, such as `wrong-arch`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotALibrary => "not-a-library",
            Self::Truncated => "truncated",
            Self::WrongArch => "wrong-arch",
            Self::NoManifest => "no-manifest",
            Self::BadManifest => "bad-manifest",
            Self::AbiMajor => "abi-major",
            Self::NameMismatch => "name-mismatch",
            Self::Misnamed => "misnamed",
            Self::UnsafePermissions => "unsafe-permissions",
            Self::NotLocked => "not-locked",
            Self::HashMismatch => "hash-mismatch",
            Self::BadLock => "bad-lock",
            Self::LoadFailed => "load-failed",
            Self::InitFailed => "init-failed",
            Self::Shadowed => "shadowed",
        }
    }

    /// What to do about it, in general; [`Refusal::remedy`] says it of the file at hand.
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Unreadable => "make the file readable",
            Self::NotALibrary | Self::Truncated => "build or copy the plugin again",
            Self::WrongArch => "build the plugin for this machine",
            Self::NoManifest => "remove the file, or build it with f9-plugin-api's `export_plugin!`",
            Self::BadManifest => "build the plugin again with a current f9-plugin-api",
            Self::AbiMajor => {
                "build the plugin with the f9-plugin-api of this host, or use a host of its version"
            }
            Self::NameMismatch => "name the file after the plugin: f9_backend_<name>",
            Self::Misnamed => "rename the file as a plugin's",
            Self::UnsafePermissions => "take the permission to write from others",
            Self::NotLocked => "if you trust it, type `f9 plugins lock add` and its name",
            Self::HashMismatch => {
                "put back the file that was locked, or, if you trust this one, type `f9 plugins lock add` and its name"
            }
            Self::BadLock => "correct the lock file, or put back a copy of it",
            Self::LoadFailed => "install what it needs, or build it again",
            Self::InitFailed => "build the plugin again",
            Self::Shadowed => "remove one of the two files, or change the order of the directories",
        }
    }
}

/// Serialises as [`as_str`](RefusalCode::as_str).
impl Serialize for RefusalCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Why a file is not used as a plugin: a code, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{detail} ({})", code.as_str())]
#[non_exhaustive]
pub struct Refusal {
    /// For programs.
    pub code: RefusalCode,
    /// For people: what was expected and what was found, on one line.
    pub detail: String,
    /// For people: what to do, on one line.
    pub remedy: String,
}

impl Refusal {
    pub(crate) fn new(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), remedy: code.remedy().to_owned() }
    }

    /// Of a file that the system does not let be read.
    pub(crate) fn unreadable(error: std::io::Error) -> Self {
        let refusal = Self::new(RefusalCode::Unreadable, format!("it cannot be read: {error}"));
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                refusal.with_remedy("check the path and, of a link, where it leads")
            }
            _ => refusal,
        }
    }

    /// With what to do about this file.
    pub(crate) fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }
}
