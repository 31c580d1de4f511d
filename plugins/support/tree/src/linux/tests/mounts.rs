//! Files that are mounted by themselves, as in containers: in a user's own mount namespace, where the system has those.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::Command,
};

use f9_plugin_api::ErrorKind;

use super::{Place, RESOLVERS, child_directory, open, refused, run_again};
use crate::{Durability, TreeOptions};

/// Runs the child test `name` where it may mount; `false`, said aloud, where nobody may.
fn run_where_mounting_is_allowed(name: &str, root: &Path) -> bool {
    const OWN: [&str; 3] = ["--user", "--map-root-user", "--mount"];
    if !Command::new("unshare").args(OWN).arg("true").status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: no mount namespace of one's own is to be had here");
        return false;
    }
    let again = run_again(name, root);
    let mut command = Command::new("unshare");
    command.args(OWN).arg(again.get_program()).args(again.get_args()).env("F9_TREE_CHILD", root);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    true
}

fn mount(from: &Path, to: &Path) {
    let mounted = Command::new("mount").arg("--bind").arg(from).arg(to).status().unwrap();
    assert!(mounted.success());
}

#[test]
fn a_file_that_is_mounted_by_itself_is_written_in_place() {
    let place = Place::new();
    fs::write(place.at("f"), "the old content").unwrap();
    fs::set_permissions(place.at("f"), fs::Permissions::from_mode(0o640)).unwrap();
    if run_where_mounting_is_allowed("mounts::child_writes", &place.at("")) {
        // What was beneath the mount is as it was, and nothing is left beside it.
        assert_eq!(fs::read(place.at("f")).unwrap(), b"the old content");
        assert_eq!(place.names(), ["f"]);
    }
}

/// Not a test of its own.
#[test]
fn child_writes() {
    let Some(root) = child_directory() else { return };
    let (file, source) = (root.join("f"), root.join("../source"));
    fs::copy(&file, &source).unwrap();
    mount(&source, &file);
    let inode = fs::metadata(&file).unwrap().ino();
    for resolver in RESOLVERS {
        for durability in [Durability::None, Durability::Fsync] {
            let tree = open(&root, TreeOptions::default().durability(durability), resolver);
            for content in ["new", "", "something longer than what was there before"] {
                let info = tree.t_replace("f", content).unwrap();
                assert_eq!(info.size, content.len() as u64);
                assert_eq!(tree.t_read("f").unwrap(), content);
                assert_eq!(fs::read_to_string(&source).unwrap(), content, "the mounted file itself");
            }
            tree.t_create("f", "over", true).unwrap();
            tree.t_stream("f", &["stre", "am"], true).unwrap();
            tree.t_create("other", "copied", true).unwrap();
            tree.t_copy("other", "f", true).unwrap();
            tree.t_append("f", "+").unwrap();
            assert_eq!(tree.t_read("f").unwrap(), "copied+");
            let found = fs::metadata(&file).unwrap();
            assert_eq!((found.ino(), found.mode() & 0o777), (inode, 0o640));
            // What takes its place, or takes it away, says that it is a mount.
            refused(tree.t_rename("other", "f", true), ErrorKind::Busy);
            refused(tree.t_rename("f", "g", false), ErrorKind::Busy);
            let error = tree.t_delete("f", false).unwrap_err();
            assert!(error.message().contains("mounted here"), "{error}");
            assert!(error.advice().is_some_and(|advice| advice.contains("unmount")), "{error:?}");
            tree.t_delete("other", false).unwrap();
            drop(tree);
            let names: Vec<_> =
                fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["f"], "nothing is left beside it");
        }
    }
}

#[test]
fn without_room_a_mounted_file_stays_as_it_is() {
    let place = Place::new();
    fs::write(place.at("f"), "").unwrap();
    run_where_mounting_is_allowed("mounts::child_runs_out_of_room", &place.at(""));
}

/// Not a test of its own.
#[test]
fn child_runs_out_of_room() {
    let Some(root) = child_directory() else { return };
    let small = root.join("../small");
    fs::create_dir(&small).unwrap();
    let mut mount_small = Command::new("mount");
    mount_small.args(["-t", "tmpfs", "-o", "size=64k", "small"]).arg(&small);
    assert!(mount_small.status().unwrap().success());
    fs::write(small.join("f"), "old").unwrap();
    mount(&small.join("f"), &root.join("f"));
    let tree = open(&root, TreeOptions::default(), RESOLVERS[0]);
    refused(tree.t_replace("f", &"x".repeat(1 << 20)), ErrorKind::StorageFull);
    assert_eq!(tree.t_read("f").unwrap(), "old");
    assert_eq!(tree.t_list("/", false).unwrap(), ["f"], "nothing was begun");
}
