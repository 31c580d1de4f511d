//! A process that makes hosts one after another has no more descriptors open in the end than after the first.

#![cfg(target_os = "linux")]

use std::{env, fs};

use f9_tests::{example_dir, host_of, plugin_dir, shelf::Shelf};
use serde_json::json;

/// Alone in its process, so that nothing else opens any.
#[test]
fn hosts_share_the_descriptors_of_what_they_load() {
    let count = if env::var_os("F9_FULL").is_some_and(|value| value == "1") { 10_000 } else { 60 };
    let root = tempfile::tempdir().unwrap();
    let open = || fs::read_dir("/proc/self/fd").unwrap().count();
    let broken = Shelf::new();
    let make = |number: u64| {
        let host = host_of(&[plugin_dir(), example_dir()]);
        let local = host.open(json!({"backend": "local", "root": root.path()})).unwrap();
        local.write("f", &number.to_string()).unwrap();
        host.open(json!({"backend": "memory"})).unwrap();
        // What cannot be loaded keeps none, also when the file is another one each time.
        if !number.is_multiple_of(50) {
            return;
        }
        let mut bytes = fs::read(example_dir().join("libf9_backend_panicking.so")).unwrap();
        let text = b"\0libc.so.6\0";
        let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
        bytes[at + 4] = b'X';
        let _ = fs::remove_file(broken.path("libf9_backend_panicking.so"));
        broken.put("libf9_backend_panicking.so", &bytes);
        host_of(&[broken.dir.path().to_owned()]).plugin(&"panicking".parse().unwrap()).unwrap_err();
    };
    make(0);
    let before = open();
    (1..=count).for_each(make);
    assert_eq!(open(), before, "after {count} hosts");
}
