//! Limits: a full disk, too few descriptors, more files than memory. Each in a child, whose limits are its own.

use std::{
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

use f9_plugin_api::{CreateOptions, ErrorKind, FileBackend, ListOptions, UpdateMode};

use super::{child_directory, full, parse, refused, run_again};
use crate::{Tree, TreeOptions};

/// Runs a test of this binary after a line of shell that sets a limit.
fn run_limited(limit: &str, name: &str, root: &Path) {
    let child = run_again(name, root);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limit}; exec \"$@\""), "sh"])
        .arg(child.get_program())
        .args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().filter(|line| line.starts_with("note:")).for_each(|line| println!("{line}"));
}

fn open(root: &Path) -> Tree {
    Tree::open(root, TreeOptions::default()).unwrap()
}

#[test]
fn where_there_is_no_room_the_old_content_stays() {
    let directory = tempfile::tempdir().unwrap();
    // A limit on the size of files, which a write meets in its middle, as on a full disk: 64 blocks of 512 bytes, or of
    // 1,024 in some shells.
    run_limited("trap '' XFSZ; ulimit -f 64", "limits::child_fills", directory.path());
}

/// Not a test of its own: what the child of the one above does.
#[test]
fn child_fills() {
    let Some(root) = child_directory() else { return };
    let tree = open(&root);
    let (small, large) = ("small".repeat(1_000), vec![b'x'; 200_000]);
    tree.t_create("f", &small, false).unwrap();
    let over = CreateOptions::default().overwrite(true);
    for _ in 0..3 {
        refused(
            tree.create(&parse("new"), (&large).into(), CreateOptions::default()),
            ErrorKind::StorageFull,
        );
        refused(tree.create(&parse("f"), (&large).into(), over), ErrorKind::StorageFull);
        refused(tree.update(&parse("f"), (&large).into(), UpdateMode::Replace), ErrorKind::StorageFull);
        refused(tree.update(&parse("f"), (&large).into(), UpdateMode::Append), ErrorKind::StorageFull);
        let mut writer = tree.open_write(&parse("f"), over).unwrap();
        let failed = (0..20).find_map(|_| writer.write_all(&large[..10_000]).err()).unwrap();
        assert_eq!(f9_plugin_api::Error::from(failed).kind(), ErrorKind::StorageFull);
        refused(writer.commit(), ErrorKind::InvalidOperation);
        assert_eq!(tree.t_read("f").unwrap(), small);
        assert_eq!(tree.t_list("/", true).unwrap(), ["f"]);
    }
}

#[test]
fn on_a_full_disk_the_old_content_stays_and_nothing_else_does() {
    let directory = tempfile::tempdir().unwrap();
    let mount = format!("mount -t tmpfs -o size=256k,nr_inodes=16 f9-test '{}'", directory.path().display());
    let can = Command::new("unshare").args(["-m", "sh", "-c", &mount]).stderr(Stdio::null()).status();
    if !can.is_ok_and(|status| status.success()) {
        println!("SKIPPED: only root can mount a disk that is soon full");
        return;
    }
    let child = run_again("limits::child_fills_a_disk", directory.path());
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("{mount} && exec \"$@\""), "sh"]);
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Not a test of its own: what the child of the one above does.
#[test]
fn child_fills_a_disk() {
    let Some(root) = child_directory() else { return };
    let tree = open(&root);
    let (small, large) = ("small".repeat(1_000), "x".repeat(200_000));
    tree.t_create("f", &small, false).unwrap();
    tree.t_create("ballast", &"b".repeat(100_000), false).unwrap();
    for _ in 0..3 {
        refused(tree.t_create("new", &large, false), ErrorKind::StorageFull);
        refused(tree.t_create("f", &large, true), ErrorKind::StorageFull);
        refused(tree.t_replace("f", &large), ErrorKind::StorageFull);
        refused(tree.t_append("f", &large), ErrorKind::StorageFull);
        refused(tree.t_stream("f", &[&large[..100_000], &large], true), ErrorKind::StorageFull);
        assert_eq!(tree.t_read("f").unwrap(), small);
        assert_eq!(tree.t_list("/", true).unwrap(), ["ballast", "f"]);
    }
    // Nor is there room for endless names.
    let made = (0..20).map_while(|i| tree.t_create_dir(&format!("d{i}"), false).ok()).count();
    assert!(made < 20);
    refused(tree.t_create_dir("one/more", false), ErrorKind::StorageFull);
    refused(tree.t_create("one more", "", false), ErrorKind::StorageFull);
    refused(tree.t_copy("f", "one more", false), ErrorKind::StorageFull);
    tree.t_delete("ballast", false).unwrap();
    tree.t_replace("f", &large[..100_000]).unwrap();
    assert_eq!(tree.t_read("f").unwrap().len(), 100_000);
}

#[test]
fn without_descriptors_every_operation_says_so() {
    let directory = tempfile::tempdir().unwrap();
    run_limited("ulimit -n 64", "limits::child_runs_out", directory.path());
}

/// Not a test of its own: what the child of the one above does.
#[test]
fn child_runs_out() {
    let Some(root) = child_directory() else { return };
    let tree = open(&root);
    let deep = "d/".repeat(100);
    tree.t_create(&format!("{deep}f"), "x", false).unwrap();
    assert_eq!(tree.t_list("/", true).unwrap().len(), 101);

    let mut taken: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let kind = ErrorKind::ResourceExhausted;
    refused(tree.t_read("d/d/f"), kind);
    refused(tree.t_create("d/x", "x", true), kind);
    refused(tree.t_create_dir("d/x", true), kind);
    refused(tree.t_stream("d/x", &[], true), kind);
    refused(tree.t_replace("d/d", "x"), kind);
    refused(tree.t_append("d/d", "x"), kind);
    refused(tree.t_delete("d/d", true), kind);
    refused(tree.t_info("d/d"), kind);
    refused(tree.t_list("d", true), kind);
    refused(tree.t_copy("d/d", "x", true), kind);
    refused(tree.t_rename("d/d", "x", true), kind);
    // With a few, a deep tree is listed with an error in it, and deleted with one that says what is the matter.
    taken.truncate(taken.len() - 8);
    let entries = tree.list(&parse("/"), ListOptions::default().recursive(true)).unwrap();
    let errors: Vec<_> = entries.filter_map(Result::err).map(|error| error.kind()).collect();
    assert_eq!(errors, [kind]);
    refused(tree.t_delete("d", true), kind);
    assert_eq!(tree.t_read(&format!("{deep}f")).map_err(|error| error.kind()), Ok("x".to_owned()));
    drop(taken);
    tree.t_delete("d", true).unwrap();
}

#[test]
fn a_listing_takes_little_memory_however_many_files_there_are() {
    let directory = tempfile::tempdir().unwrap();
    let files = if full() { 1_000_000 } else { 20_000 };
    fs::create_dir(directory.path().join("many")).unwrap();
    for i in 0..files {
        File::create(directory.path().join(format!("many/a-name-of-some-length-{i}"))).unwrap();
    }
    run_limited(
        &format!("F9_TREE_FILES={files}; export F9_TREE_FILES"),
        "limits::child_lists",
        directory.path(),
    );
}

/// Not a test of its own: what the child of the one above does.
#[test]
fn child_lists() {
    let Some(root) = child_directory() else { return };
    let files: usize = std::env::var("F9_TREE_FILES").unwrap().parse().unwrap();
    let tree = open(&root);
    drop(tree.t_list("/", false));
    let before = peak();
    let entries = tree.list(&parse("/"), ListOptions::default().recursive(true)).unwrap();
    assert_eq!(entries.map(Result::unwrap).count(), files + 1);
    let grown = peak() - before;
    println!("\nnote: listing {files} files took {grown} KiB at most");
    assert!(grown < 1024, "{grown} KiB");
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_read_only_directory_denies_and_stays_as_it_is() {
    if rustix::process::geteuid().is_root() {
        println!("SKIPPED: permissions mean nothing to root");
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let tree = open(directory.path());
    tree.t_create("d/f", "x", false).unwrap();
    let set =
        |mode| fs::set_permissions(directory.path().join("d"), fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    refused(tree.t_create("d/g", "x", false), ErrorKind::PermissionDenied);
    refused(tree.t_replace("d/f", "y"), ErrorKind::PermissionDenied);
    refused(tree.t_delete("d/f", false), ErrorKind::PermissionDenied);
    refused(tree.t_delete("d", true), ErrorKind::PermissionDenied);
    assert_eq!(tree.t_read("d/f").unwrap(), "x");
    set(0o700);
}
