//! The `local` plugin: files in a directory of this machine.
//!
//! ```json
//! {"backend": "local", "root": "data"}
//! ```
//!
//! # What a path means
//!
//! The file at this place below the root. Names are taken byte for byte; whether `a` and `A` are two files is the file
//! system's choice. Links that are relative and stay inside the root are followed; no other way leads out of it, whatever
//! other processes do meanwhile.
//!
//! # Options
//!
//! | key | type | default | meaning |
//! |---|---|---|---|
//! | `root` | string | required | The directory. A relative one is taken from the host's working directory at opening. `~` at its start is the user's home, which the host puts in its place. |
//! | `create_root` | boolean | `true` | Makes the root, with its parents, if it is missing. |
//! | `durability` | `"none"` or `"fsync"` | `"none"` | `"none"`: a success says that every process sees the change; a power failure within the next seconds can take it back. `"fsync"`: a success says that the file and its name have reached the disk. |
//!
//! # Limits
//!
//! Those of the file system; names are mostly at most 255 bytes, paths at most 4,095. One append takes at most
//! 2,147,479,552 bytes. What holds of links, atomicity, temporary files and names is told by `f9-tree`, which does the
//! work and which the git plugin shares.
//!
//! Capabilities: copy, rename, open_write. Checksums are computed by the host.

#![forbid(unsafe_op_in_unsafe_fn)]

mod backend;
mod options;

use f9_plugin_api::{Capabilities, Context, Plugin, Result, export_plugin};
use f9_tree::Tree;

use crate::options::LocalOptions;

struct LocalPlugin;

impl Plugin for LocalPlugin {
    const NAME: &'static str = "local";
    const CAPABILITIES: Capabilities = Tree::CAPABILITIES;
    type Options = LocalOptions;
    type Backend = Tree;

    fn open(options: LocalOptions, _: Context) -> Result<Tree> {
        backend::open(options)
    }
}

export_plugin!(LocalPlugin);
