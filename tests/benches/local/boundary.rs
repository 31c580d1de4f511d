//! What the boundary of the plugin costs: the same tree, called directly and loaded as a plugin.

use std::{fs, path::Path, time::Instant};

use f9_plugin_api::{BackendPath, FileBackend};
use f9_tests::host;
use f9_tree::{Tree, TreeOptions};
use serde_json::json;

use crate::{contenders::Result, report::median};

const BATCH: u32 = 1_000;

/// Alternates between the two, and takes the median of the differences.
pub(crate) fn measure(root: &Path, quick: bool) -> Result<String> {
    let folder = root.join("boundary/directory");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("file"), "x")?;
    let path = BackendPath::parse("boundary/directory/file")?;
    let direct = Tree::open(root, TreeOptions::default())?;
    let loaded = host().open(json!({"backend": "local", "root": root}))?;
    let time = |backend: &dyn FileBackend| -> Result<f64> {
        let started = Instant::now();
        for _ in 0..BATCH {
            backend.info(&path)?;
        }
        Ok(started.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH))
    };
    let (mut directly, mut differences) = (Vec::new(), Vec::new());
    for round in 0..if quick { 20 } else { 300 } {
        // Which comes first alternates.
        let (one, other) = if round % 2 == 0 {
            let one = time(&direct)?;
            (one, time(&loaded)?)
        } else {
            let other = time(&loaded)?;
            (time(&direct)?, other)
        };
        directly.push(one);
        differences.push(other - one);
    }
    Ok(format!(
        "Calling `info` through the plugin boundary: {:.0} ns more than the {:.0} ns that it takes directly.",
        median(differences),
        median(directly)
    ))
}
