//! Where the host enters a library.

use abi_stable::{
    StableAbi, declare_root_module_statics,
    library::RootModule,
    package_version_strings,
    sabi_types::VersionStrings,
    std_types::{RStr, RString},
};

use crate::{AbiBackendBox, AbiHostBox, AbiResult};

/// The version of the ABI: this package's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The exported symbol that holds the manifest: JSON text, ended by a NUL. The host reads it from the file's bytes,
/// without running the library.
pub const MANIFEST_SYMBOL: &str = "f9_plugin_manifest";

/// The number of the manifest's format, its `format` key.
pub const MANIFEST_FORMAT: u32 = 1;

/// The root module of a plugin.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginModuleRef, prefix_fields = PluginModulePrefix)))]
#[sabi(missing_field(option))]
pub struct PluginModule {
    /// The text behind [`MANIFEST_SYMBOL`], without the NUL.
    pub manifest: RStr<'static>,
    /// The JSON Schema of the plugin's options.
    pub options_schema: extern "C" fn() -> AbiResult<RString>,
    /// Opens a backend from its options, a JSON object.
    #[sabi(last_prefix_field)]
    pub open: extern "C" fn(options: RStr<'_>, host: AbiHostBox) -> AbiResult<AbiBackendBox>,
}

impl RootModule for PluginModuleRef {
    declare_root_module_statics! {PluginModuleRef}
    const BASE_NAME: &'static str = "f9_backend";
    const NAME: &'static str = "f9 storage plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
