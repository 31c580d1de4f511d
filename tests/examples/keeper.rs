//! A plugin with a secret among its options, whose length is what it holds in a file.

use f9_plugin_api::{
    BackendPath, Capabilities, Context, CreateOptions, FileBackend, Plugin, Result, Secret,
    conformance::StrictMemory, export_plugin, schemars, serde,
};

struct Keeper;

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {
    /// Opens the door.
    key: Secret,
    /// Where the door is.
    url: Option<String>,
}

impl Plugin for Keeper {
    const NAME: &'static str = "keeper";
    const CAPABILITIES: Capabilities =
        Capabilities::COPY.union(Capabilities::RENAME).union(Capabilities::OPEN_WRITE);
    type Options = Options;
    type Backend = StrictMemory;

    fn open(options: Options, _: Context) -> Result<StrictMemory> {
        let memory = StrictMemory::new();
        let length = options.key.expose().len() + options.url.map_or(0, |url| url.len());
        let path = BackendPath::parse("length")?;
        memory.create(&path, length.to_string().as_bytes().into(), CreateOptions::default())?;
        Ok(memory)
    }
}

export_plugin!(Keeper);
