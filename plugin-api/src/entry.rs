//! What the export macro refers to, and this crate's one address of `unsafe`. Not part of the API.

use f9_plugin_abi::{
    AbiBackendBox, AbiHostBox, AbiResult, PluginModule, PluginModuleRef, RStr, RString,
    abi_stable::{
        library::{__call_root_module_loader, CheckTypeLayout, RootModuleResult},
        prefix_type::PrefixTypeTrait,
    },
};

use crate::{Plugin, options_schema, shim};

pub use f9_plugin_abi::abi_stable::library::LibHeader;

pub use crate::manifest::ManifestParts;

/// What the macro knows of one plugin.
pub trait Exported: 'static {
    /// What the author exports.
    type Plugin: Plugin;
    /// JSON text, ended by a NUL.
    const MANIFEST: &'static [u8];
}

/// The header that abi_stable's loader reads first.
pub const fn lib_header<E: Exported>() -> LibHeader {
    // SAFETY: `PluginModuleRef` is the root module of every f9 plugin, and its layout is checked by the host.
    unsafe { LibHeader::from_constructor::<PluginModuleRef>(root_module::<E>, CheckTypeLayout::Yes) }
}

extern "C" fn root_module<E: Exported>() -> RootModuleResult {
    __call_root_module_loader(module::<E>)
}

fn module<E: Exported>() -> PluginModuleRef {
    let manifest = E::MANIFEST.strip_suffix(b"\0").unwrap_or(E::MANIFEST);
    // `ManifestParts` writes UTF-8; should it ever not, the empty text is refused by the host.
    let manifest = RStr::from_str(std::str::from_utf8(manifest).unwrap_or_default());
    PluginModule { manifest, options_schema: schema::<E>, open: open::<E> }.leak_into_prefix()
}

extern "C" fn schema<E: Exported>() -> AbiResult<RString> {
    shim::entry("options_schema", || Ok(options_schema::<<E::Plugin as Plugin>::Options>().to_string()))
}

extern "C" fn open<E: Exported>(options: RStr<'_>, host: AbiHostBox) -> AbiResult<AbiBackendBox> {
    shim::open::<E::Plugin>(options, host)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_macro_exports_the_symbols_that_hosts_look_for() {
        let source = include_str!("plugin.rs");
        for symbol in
            [f9_plugin_abi::abi_stable::library::ROOT_MODULE_LOADER_NAME, f9_plugin_abi::MANIFEST_SYMBOL]
        {
            assert!(source.contains(&format!("export_name = \"{symbol}\"")), "{symbol}");
        }
    }
}
