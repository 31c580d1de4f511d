//! Faults: every system call of every operation fails once. What was there stays whole, nothing leaks, nothing panics.
//!
//! `strace` makes the calls of a child fail, which is this test binary again; without `strace` that part is skipped.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
};

use f9_plugin_api::Result;

use super::{Place, child_directory, full, run_again};
use crate::{Durability, Tree, TreeOptions};

type Operation = fn(&Tree) -> Result<()>;

const OPERATIONS: [(&str, Operation); 15] = [
    ("create", |tree| tree.t_create("new/x", NEW, false).map(drop)),
    ("replace", |tree| tree.t_replace("file", NEW).map(drop)),
    ("append", |tree| tree.t_append("file", "+++").map(drop)),
    ("delete", |tree| tree.t_delete("file", false)),
    ("rename", |tree| tree.t_rename("file", "new/x", false).map(drop)),
    ("overwrite", |tree| tree.t_create("file", NEW, true).map(drop)),
    ("stream", |tree| tree.t_stream("new/x", &["n", "ew"], false).map(drop)),
    ("stream over", |tree| tree.t_stream("file", &["n", "ew"], true).map(drop)),
    ("copy", |tree| tree.t_copy("other", "file", true).map(drop)),
    ("create_dir", |tree| tree.t_create_dir("new/x/y", false).map(drop)),
    ("delete all", |tree| tree.t_delete("d", true)),
    ("read", |tree| tree.t_read("link").map(drop)),
    ("open_read", |tree| tree.t_stream_read("file").map(drop)),
    ("info", |tree| tree.t_info("link").map(drop)),
    ("list", |tree| tree.t_list("/", true).map(drop)),
];

const OLD: &str = "old";
const NEW: &str = "new";

/// The calls that are made to fail, each with errors that it can answer.
const CALLS: [(&str, &[&str]); 17] = [
    ("openat2", &["EIO", "EMFILE", "EINTR", "EAGAIN"]),
    ("openat", &["EIO", "EMFILE"]),
    ("statx", &["EIO"]),
    ("write", &["ENOSPC", "EIO", "EINTR"]),
    ("linkat", &["ENOSPC", "EDQUOT"]),
    ("renameat", &["EIO"]),
    ("renameat2", &["ENOSPC", "EIO"]),
    ("unlinkat", &["EIO", "EACCES"]),
    ("mkdirat", &["ENOSPC", "EROFS"]),
    ("fsync", &["EIO"]),
    ("flock", &["ENOLCK"]),
    ("getdents64", &["EIO"]),
    ("pread64", &["EIO", "EINTR"]),
    ("copy_file_range", &["EIO", "EXDEV"]),
    ("fchmod", &["EPERM"]),
    ("readlinkat", &["EIO"]),
    ("lseek", &["EIO"]),
];

#[test]
fn whatever_system_call_fails_content_is_old_or_new() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("SKIPPED: there is no `strace` to make system calls fail");
        return;
    }
    let mut faults = 0;
    for (index, (name, _)) in OPERATIONS.iter().enumerate() {
        if !full() && index >= 3 {
            break;
        }
        let few = if *name == "replace" { &["fsync"][..] } else { &["none"] };
        for durability in if full() { &["none", "fsync"] } else { few } {
            let fault = |inject: Option<&str>| try_out(name, durability, inject);
            let Some((counts, _)) = fault(None) else {
                println!("SKIPPED: `strace` may not trace here");
                return;
            };
            for (call, errors) in CALLS {
                let Some(&(before, within)) = counts.get(call) else { continue };
                for error in &errors[..if full() { errors.len() } else { 1 }] {
                    for nth in before + 1..=before + within {
                        fault(Some(&format!("{call}:error={error}:when={nth}"))).unwrap();
                        faults += 1;
                    }
                }
            }
        }
    }
    println!("{faults} faults");
    assert!(faults > 15, "the operations were not seen");
}

/// What older kernels and simpler file systems do not have.
const MISSING: [&str; 6] = [
    "openat2:error=ENOSYS",
    "statx:error=ENOSYS",
    "renameat2:error=EINVAL",
    "copy_file_range:error=EXDEV",
    "linkat:error=ENOENT:when=1+", // neither by the descriptor nor through /proc
    "flock:error=ENOLCK",
];

#[test]
fn every_operation_works_without_what_a_system_may_lack() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("SKIPPED: there is no `strace` to take system calls away");
        return;
    }
    for missing in MISSING {
        for (name, _) in OPERATIONS.iter().take(if full() { OPERATIONS.len() } else { 2 }) {
            let Some(_) = try_out(name, "none", None) else {
                println!("SKIPPED: `strace` may not trace here");
                return;
            };
            let (_, result) = try_out(name, "none", Some(missing)).unwrap();
            assert_eq!(result, "ok", "{name} without {missing}");
        }
    }
}

/// Per call, how often it was made before the operation and within it.
type Counts = BTreeMap<String, (usize, usize)>;

/// Runs an operation in a traced child, perhaps with a fault, and looks at what it leaves.
fn try_out(name: &str, durability: &str, inject: Option<&str>) -> Option<(Counts, String)> {
    let directory = tempfile::tempdir().unwrap();
    let (root, log) = (directory.path().join("root"), directory.path().join("log"));
    fs::create_dir_all(root.join("d/e")).unwrap();
    for file in ["file", "d/f", "d/e/f"] {
        fs::write(root.join(file), OLD).unwrap();
    }
    fs::write(root.join("other"), NEW).unwrap();
    std::os::unix::fs::symlink("file", root.join("link")).unwrap();

    let child = run_again("faults::child_operates", &root);
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&log);
    if let Some(inject) = inject {
        command.arg(format!("--inject={inject}"));
    }
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("F9_TREE_OPERATION", name).env("F9_TREE_DURABILITY", durability);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(result) = text.lines().find_map(|line| line.strip_prefix("result:")) else {
        assert!(
            inject.is_none(),
            "{name} with {inject:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return None;
    };
    let what = format!("{name}, {durability}, {inject:?}: {result}");
    let (result, descriptors) = result.split_once(" descriptors:").unwrap();
    assert_eq!(descriptors, "0", "leaked: {what}");
    let must_fail = inject.is_some_and(|inject| inject.starts_with("fsync:"));
    assert!(result != "ok" || !must_fail, "{what}");
    // A failure to synchronise comes when the change is made.
    judge(name, &root, result == "ok", durability == "fsync", &what);
    Some((count(&fs::read_to_string(log).unwrap()), result.to_owned()))
}

fn judge(name: &str, root: &Path, ok: bool, loose: bool, what: &str) {
    let tree = Tree::open(root, TreeOptions::default()).unwrap();
    let content = |path: &str| fs::read_to_string(root.join(path)).ok();
    let (file, new) = (content("file"), content("new/x"));
    let (old, some_new) = (Some(OLD.to_owned()), Some(NEW.to_owned()));
    let (before, after) = match name {
        "create" | "stream" => ((old.clone(), None), (old, some_new)),
        "replace" | "overwrite" | "stream over" | "copy" => ((old, None), (some_new, None)),
        "append" => ((old, None), (Some(format!("{OLD}+++")), None)),
        "delete" => ((old, None), (None, None)),
        "rename" => ((old.clone(), None), (None, old)),
        _ => ((old.clone(), None), (old, None)),
    };
    let found = (file, new);
    let expected = if ok { &after } else { &before };
    assert!(found == *expected || (!ok && loose && found == after), "{what}: {found:?}");
    if name == "delete all" {
        assert!(!ok || !root.join("d").exists(), "{what}");
    } else {
        assert_eq!(content("d/e/f"), Some(OLD.to_owned()), "{what}");
    }
    let known = ["d", "d/e", "d/e/f", "d/f", "file", "link", "new", "new/x", "new/x/y", "other"];
    let listed = tree.t_list("/", true).unwrap();
    assert!(listed.iter().all(|path| known.contains(&path.as_str())), "{what}: {listed:?}");
}

/// Counts the calls of the thread that operates, before and between its marks.
fn count(log: &str) -> Counts {
    let thread =
        log.lines().find(|line| line.contains(BEGIN)).and_then(|line| line.split(' ').next()).unwrap();
    let (mut counts, mut begun) = (Counts::new(), false);
    for line in log.lines().filter(|line| line.split(' ').next() == Some(thread)) {
        let Some((call, _)) = line[thread.len()..].trim_start().split_once('(') else { continue };
        if line.contains(END) {
            break;
        }
        let count = counts.entry(call.to_owned()).or_default();
        if begun {
            count.1 += 1;
        } else {
            count.0 += 1;
        }
        begun |= line.contains(BEGIN);
    }
    counts
}

pub(super) const BEGIN: &str = "/f9-tree-test-begin";
pub(super) const END: &str = "/f9-tree-test-end";

/// Not a test of its own: what the traced child does.
#[test]
fn child_operates() {
    let Some(root) = child_directory() else { return };
    let durability = match std::env::var("F9_TREE_DURABILITY").as_deref() {
        Ok("fsync") => Durability::Fsync,
        _ => Durability::None,
    };
    let wanted = std::env::var("F9_TREE_OPERATION").unwrap();
    let (_, operation) = OPERATIONS.iter().find(|(name, _)| *name == wanted).unwrap();
    run_ahead();
    let before = descriptors();
    let tree = Tree::open(&root, TreeOptions::default().durability(durability)).unwrap();
    let _ = File::open(BEGIN);
    let result = operation(&tree);
    let _ = File::open(END);
    drop(tree);
    let leaked = descriptors() - before;
    let result = result.map_or_else(|error| error.kind().to_string(), |()| "ok".to_owned());
    println!("\nresult:{result} descriptors:{leaked}");
}

/// `strace` counts the calls of each thread by itself, and lets the nth of every thread fail: this one gets ahead of those
/// of the test harness.
fn run_ahead() {
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    for _ in 0..100 {
        File::open("/dev/null").unwrap();
        rustix::io::write(&null, b"x").unwrap();
        rustix::io::pread(&null, &mut [0; 1], 0).unwrap();
        super::super::stat::Stat::of(&null).unwrap();
    }
}

fn descriptors() -> isize {
    fs::read_dir("/proc/self/fd").unwrap().count().try_into().unwrap()
}

#[test]
fn no_operation_leaks_a_descriptor_whether_it_succeeds_or_not() {
    // In a process of its own, where no other test opens any.
    let place = Place::new();
    let output = run_again("faults::child_counts_descriptors", &place.at("")).stdout(Stdio::piped()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// Not a test of its own: what the child of the one above does.
#[test]
fn child_counts_descriptors() {
    let Some(root) = child_directory() else { return };
    let tree = Tree::open(&root, TreeOptions::default()).unwrap();
    tree.t_create("warm", "1", false).unwrap();
    tree.t_replace("warm", "2").unwrap(); // begins the session that lasts
    let before = descriptors();
    for _ in 0..3 {
        for (name, operation) in OPERATIONS {
            let _ = operation(&tree);
            assert_eq!(descriptors(), before, "{name}");
        }
        tree.t_create_dir("d/e", true).unwrap();
        tree.t_create("file", OLD, true).unwrap();
    }
    drop(tree.list(&super::parse("/"), f9_plugin_api::ListOptions::default()).unwrap());
    assert_eq!(descriptors(), before);
    drop(tree);
    assert_eq!(descriptors(), before - 3); // the root, the directory of the temporary files and its lock
}

use f9_plugin_api::FileBackend as _;
