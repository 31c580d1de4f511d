//! The suite passes a backend that conforms.

use f9_plugin_api::conformance::{self, StrictMemory};

#[test]
fn strict_memory_conforms() {
    let report = conformance::run(|| Box::new(StrictMemory::new()));
    println!("{report}");
    report.assert();
}
