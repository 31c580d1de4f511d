//! Hosts and plugins of different versions and builds meet: those that fit work together, the others are told so.
//!
//! Each variant is built from a copy of the sources, so this takes a while the first time.

use std::{fs, path::Path};

use f9_host::{ErrorKind, FileBackend};
use f9_plugin_api::conformance;
use f9_tests::{example_dir, host_of, variant::Variant};
use serde_json::json;

const ABI: &str = "plugin-api/abi/src";
const ABI_MANIFEST: &str = "plugin-api/abi/Cargo.toml";

/// A program that links the newer host: opens the plugin in a directory, runs the suite, and tells what of the new parts
/// it found.
const PROBE: &str = r#"
fn main() {
    let dir = std::env::args_os().nth(1).expect("a directory");
    let host = f9_host::Host::builder().no_default_dirs().plugin_dir(dir).build();
    let open = || host.open(r#QUOTE{"backend": "memory"}QUOTE#).expect("the plugin opens");
    f9_plugin_api::conformance::run(|| Box::new(open())).assert();
    let backend = open();
    println!("{:?} {}", backend.plugin().description(), backend.exists("missing"));
}
"#;

/// The boundary with one more method and one more field, as a next minor version would have.
fn newer() -> Variant {
    Variant::new("newer")
        .edit(ABI_MANIFEST, "version = \"1.1.0\"", "version = \"1.2.0\"")
        .edit(
            &format!("{ABI}/backend.rs"),
            "fn sync(&self) -> ROption<AbiSyncBox>;",
            "fn sync(&self) -> ROption<AbiSyncBox>;
            fn exists(&self, path: RStr<'_>) -> AbiResult<bool> {
                let found = self.info(path);
                abi_stable::std_types::RResult::ROk(found.is_ok())
            }",
        )
        .edit(
            &format!("{ABI}/module.rs"),
            "-> AbiResult<AbiBackendBox>,",
            "-> AbiResult<AbiBackendBox>, pub description: extern \"C\" fn() -> RString,",
        )
        // The newer plugin's own answer differs from the default, so that one sees who answered.
        .edit(
            "plugin-api/src/shim.rs",
            "fn sync(&self) -> ROption<AbiSyncBox> {",
            "fn exists(&self, _: RStr<'_>) -> AbiResult<bool> { RResult::ROk(true) }
            fn sync(&self) -> ROption<AbiSyncBox> {",
        )
        .edit("plugin-api/src/entry.rs", "open: open::<E> }", "open: open::<E>, description }")
        .append(
            "plugin-api/src/entry.rs",
            "extern \"C\" fn description() -> RString { RString::from(\"newer\") }",
        )
        .append(
            "host/src/host.rs",
            "impl Plugin {
                pub fn description(&self) -> Option<String> {
                    self.inner.module.description().map(|describe| describe().into())
                }
            }",
        )
        .append(
            "host/src/backend.rs",
            "impl Backend {
                pub fn exists(&self, path: &str) -> bool {
                    self.object().exists(RStr::from_str(path)).into_result().expect(\"an answer\")
                }
            }",
        )
        .append(
            "host/Cargo.toml",
            "\n[dev-dependencies]\nf9-plugin-api = { workspace = true, features = [\"conformance\"] }\n",
        )
        .append("host/examples/probe.rs", &PROBE.replace("QUOTE", "\""))
}

fn assert_conforms(dir: &Path) {
    let host = host_of(&[dir.to_owned()]);
    conformance::run(|| -> Box<dyn FileBackend> {
        Box::new(host.open(json!({"backend": "memory"})).unwrap())
    })
    .assert();
}

#[test]
fn minor_versions_work_together_whichever_side_is_older() {
    let newer = newer();
    let newer_plugin = newer.build_plugin();
    assert_conforms(&newer_plugin); // in this host, which is the older

    let older_plugin = example_dir();
    assert_eq!(newer.run_host_example("probe", &[&older_plugin]), "None false\n");
    assert_eq!(newer.run_host_example("probe", &[&newer_plugin]), "Some(\"newer\") true\n");
}

/// Claims to be what this host speaks, so that the manifest lets it pass.
fn with_lying_manifest(dir: &Path, from: &str) {
    let library = dir.join("libf9_backend_memory.so");
    let mut bytes = fs::read(&library).unwrap();
    let from = format!("\"abi\":\"{from}\"");
    let start = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    bytes[start..start + from.len()].copy_from_slice(b"\"abi\":\"1.1.0\"");
    fs::write(dir.join("lying"), bytes).unwrap();
    fs::rename(dir.join("lying"), library).unwrap();
}

#[track_caller]
fn refusal(dir: &Path) -> String {
    let error = host_of(&[dir.to_owned()]).open(json!({"backend": "memory"})).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PluginRefused);
    let (_, reason) = error.context().next().unwrap();
    format!("{reason}: {}", error.message().replace(&dir.display().to_string(), "DIR"))
}

#[test]
fn another_major_version_is_refused_by_its_manifest_and_by_its_types() {
    let next = Variant::new("major").edit(ABI_MANIFEST, "version = \"1.1.0\"", "version = \"2.0.0\"");
    let dir = next.build_plugin();
    let expected = "abi-major: plugin `memory` is not usable: DIR/libf9_backend_memory.so: built for plugin ABI 2.0.0, \
                    this host speaks 1.1.0";
    assert_eq!(refusal(&dir), expected);
    with_lying_manifest(&dir, "2.0.0");
    assert_eq!(refusal(&dir), expected);
}

#[test]
fn a_changed_type_is_refused_in_one_line_although_the_version_is_the_same() {
    let broken = Variant::new("broken")
        .edit(&format!("{ABI}/types.rs"), "    pub size: u64,\n", "    pub owner: u32,\n    pub size: u64,\n")
        .edit(
            "plugin-api/src/wire.rs",
            "            size: info.size,\n",
            "            owner: 0, size: info.size,\n",
        );
    let refusal = refusal(&broken.build_plugin());
    let expected = "the plugin's types differ from the host's: `AbiFileInfo` (reached by open > ";
    assert!(refusal.starts_with("init-failed: ") && refusal.contains(expected), "{refusal}");
    assert!(
        refusal.ends_with("host has 6 fields, plugin has 7") && refusal.lines().count() == 1,
        "{refusal}"
    );
}

/// Ends the process if it is asked to free what it did not allocate.
const ALLOCATOR: &str = r#"
mod allocator {
    use std::alloc::{GlobalAlloc, Layout, System};

    struct Marked;

    #[global_allocator]
    static MARKED: Marked = Marked;

    fn room(layout: Layout) -> (Layout, usize) {
        let before = layout.align().max(16);
        (Layout::from_size_align(before + layout.size(), before).expect("a layout"), before)
    }

    unsafe impl GlobalAlloc for Marked {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let (room, before) = room(layout);
            unsafe {
                let start = System.alloc(room);
                if start.is_null() {
                    return start;
                }
                start.add(before).cast::<u64>().sub(1).write(0xf9f9_f9f9_f9f9_f9f9);
                start.add(before)
            }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            let (room, before) = room(layout);
            unsafe {
                let mark = at.cast::<u64>().sub(1);
                if mark.read() != 0xf9f9_f9f9_f9f9_f9f9 {
                    std::process::abort();
                }
                mark.write(0);
                System.dealloc(at.sub(before), room);
            }
        }
    }
}
"#;

#[test]
fn a_plugin_with_another_layout_of_rusts_types_and_another_allocator_conforms() {
    let odd = Variant::new("odd").append("plugin-api/examples/memory.rs", ALLOCATOR);
    // The unstable option stands for another compiler; it needs no other toolchain.
    let odd = odd
        .build_plugin_with(&[("RUSTC_BOOTSTRAP", "1"), ("RUSTFLAGS", "-Zrandomize-layout -Zlayout-seed=9")]);
    assert_conforms(&odd);
}
