//! From an author's types to a library that a host can load.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Capabilities, Context, FileBackend, Result};

/// What a plugin library consists of: how its backend is configured and opened. Exported with
/// [`export_plugin!`](crate::export_plugin).
pub trait Plugin: 'static {
    /// The name in a connection's `backend` and in the file's name: `[a-z][a-z0-9_]{0,31}`.
    const NAME: &'static str;

    /// What backends of this plugin may be capable of, as the manifest tells. A single backend may be capable of less.
    const CAPABILITIES: Capabilities;

    /// The connection without its `backend`. The fields' names are the keys, their documentation is the user's, a
    /// [`Secret`](crate::Secret) is hidden everywhere; keys that are not fields are refused with the nearest that is.
    type Options: DeserializeOwned + JsonSchema;

    /// What implements the contract.
    type Backend: FileBackend + 'static;

    /// Opens a backend.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](crate::ErrorKind::InvalidConnection) for options that contradict each other, or whatever
    /// the storage answers.
    fn open(options: Self::Options, context: Context) -> Result<Self::Backend>;
}

/// Makes the crate a plugin: `export_plugin!(MyPlugin);`, once, in a `cdylib`.
///
/// Exports the two symbols a host looks for: the manifest, which is read from the file without running it (name,
/// capabilities, and version and description of the author's `Cargo.toml`), and the entry to [`Plugin::open`].
///
/// Does not compile where panics abort, because a panic of the plugin would end the host, nor with a `NAME` that no
/// connection could name.
#[macro_export]
macro_rules! export_plugin {
    ($plugin:ty) => {
        const _: () = {
            #[cfg(panic = "abort")]
            compile_error!("an f9 plugin needs panic = \"unwind\": aborting would take the host along");

            const PARTS: $crate::__private::ManifestParts = $crate::__private::ManifestParts {
                name: <$plugin as $crate::Plugin>::NAME,
                version: env!("CARGO_PKG_VERSION"),
                description: env!("CARGO_PKG_DESCRIPTION"),
                capabilities: <$plugin as $crate::Plugin>::CAPABILITIES.bits(),
            };

            // Without the indirection of a reference: the host reads the bytes where the symbol points.
            #[unsafe(export_name = "f9_plugin_manifest")]
            static MANIFEST: [u8; PARTS.len() + 1] = PARTS.to_bytes();

            struct Exported;

            impl $crate::__private::Exported for Exported {
                type Plugin = $plugin;
                const MANIFEST: &'static [u8] = &MANIFEST;
            }

            // The symbol that abi_stable looks for; a unit test of the SDK holds it to that.
            #[unsafe(export_name = "_1as_0lib_1header_0root_bmodule_bloader")]
            static ROOT_MODULE: $crate::__private::LibHeader = $crate::__private::lib_header::<Exported>();
        };
    };
}
