//! What holds of a remote however it is reached. `options` are those of a clone of that name.

use std::{ffi::OsStr, fs, iter, os::unix::ffi::OsStrExt as _};

use f9_plugin_api::{BackendPath, ErrorKind, SyncFileBackend, serde_json::Value};

use super::support::{Site, open, read, write};

pub(crate) fn every_operation_works(site: &Site, options: impl Fn(&str) -> Value) {
    let (one, two) = (open(options("one")).unwrap(), open(options("two")).unwrap());
    let (one_root, two_root) = (site.path("one"), site.path("two"));
    assert_eq!(one.push(None).unwrap().sent, 0);
    assert_eq!(one.pull().unwrap().received, 0);
    write(&one_root, "b.txt", "b\n");
    assert_eq!(one.push(Some("b")).unwrap().sent, 1);
    assert_eq!(two.pull().unwrap().received, 1);
    assert_eq!(read(&two_root, "b.txt"), "b\n");
    write(&one_root, "a.txt", "one\n");
    write(&two_root, "a.txt", "two\n");
    write(&two_root, "c.txt", "c\n");
    assert_eq!(one.sync(None).unwrap().sent, 1);
    assert_eq!(two.push(None).unwrap_err().kind(), ErrorKind::RemoteMoved);
    assert_eq!(two.sync(None).unwrap_err().kind(), ErrorKind::Conflict);
    two.conflict_accept_local(&BackendPath::parse("a.txt").unwrap()).unwrap();
    assert_eq!(two.push(None).unwrap().sent, 2);
    assert_eq!(one.sync(None).unwrap().received, 2);
    assert_eq!((read(&one_root, "a.txt"), read(&one_root, "c.txt")), ("two\n".into(), "c\n".into()));
    site.check(&["one", "two"]);
}

pub(crate) fn a_big_push_arrives_whole(site: &Site, options: impl Fn(&str) -> Value) {
    let (one, two) = (open(options("one")).unwrap(), open(options("two")).unwrap());
    // What does not compress: a linear congruential generator's output.
    let mut state = 1_u64;
    let noise = iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    let noise: Vec<u8> = noise.take(6 << 20).collect();
    fs::write(site.path("one/noise"), &noise).unwrap();
    one.push(None).unwrap();
    two.pull().unwrap();
    assert!(fs::read(site.path("two/noise")).unwrap() == noise);
}

/// Also such that are not UTF-8.
pub(crate) fn branches_may_have_any_name(site: &Site, options: impl Fn(&str) -> Value) {
    let one = open(options("one")).unwrap();
    let tip = fs::read(site.remote().join("refs/heads/main")).unwrap();
    for name in [&b"caf\xe9"[..], "café".as_bytes(), b"\xff\xfe"] {
        fs::write(site.remote().join("refs/heads").join(OsStr::from_bytes(name)), &tip).unwrap();
    }
    write(&site.path("one"), "b.txt", "b\n");
    assert_eq!(one.sync(None).unwrap().sent, 1);
    let mut accented = options("two");
    accented["branch"] = "café".into();
    let two = open(accented).unwrap();
    write(&site.path("two"), "c.txt", "c\n");
    assert_eq!(two.push(None).unwrap().sent, 1);
    assert_eq!(two.pull().unwrap().received, 0);
}
