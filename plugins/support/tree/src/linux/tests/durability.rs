//! Durability: what waits for the disk, and in which order, as `strace` sees it.

use std::{
    fs,
    process::{Command, Stdio},
};

use super::{
    faults::{BEGIN, END},
    run_again,
};

/// What each operation does, where `content` is the file before it has its name, and the root is the directory without one.
const DURABLE: [(&str, &[&str]); 9] = [
    ("create", &["mkdirat", "fsync ", "write", "fsync content", "linkat", "fsync new"]),
    ("replace", &["write", "fsync content", "renameat", "fsync "]),
    ("append", &["write", "fsync file"]),
    ("delete", &["unlinkat", "fsync "]),
    ("rename", &["mkdirat", "fsync ", "renameat2", "fsync new", "fsync "]),
    ("stream", &["write", "mkdirat", "fsync ", "fsync content", "linkat", "fsync new"]),
    ("stream over", &["write", "fsync content", "renameat", "fsync "]),
    ("copy", &["write", "fsync content", "renameat", "fsync "]),
    ("create_dir", &["mkdirat", "fsync ", "mkdirat", "fsync new", "mkdirat", "fsync new/x"]),
];

#[test]
fn content_reaches_the_disk_before_its_name_and_the_name_before_success_is_said() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("SKIPPED: there is no `strace` to look with");
        return;
    }
    for (operation, expected) in DURABLE {
        let Some(seen) = calls(operation, "fsync") else {
            println!("SKIPPED: `strace` may not trace here");
            return;
        };
        if seen.iter().any(|call| call == "renameat2") && operation != "rename" {
            println!("SKIPPED: the file system has no files without a name, so {operation} goes another way");
            continue;
        }
        assert_eq!(seen, expected, "{operation}");
        let without: Vec<_> = calls(operation, "none").unwrap();
        assert!(!without.iter().any(|call| call.starts_with("fsync")), "{operation}: {without:?}");
    }
}

/// The calls that matter of an operation on `file` and `other`, in order.
fn calls(operation: &str, durability: &str) -> Option<Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().canonicalize().unwrap();
    let (root, log) = (path.join("root"), path.join("log"));
    fs::create_dir(&root).unwrap();
    for file in ["file", "other"] {
        fs::write(root.join(file), "old").unwrap();
    }
    let child = run_again("faults::child_operates", &root);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-o"]).arg(&log);
    command.arg(child.get_program()).args(child.get_args());
    command.envs(child.get_envs().filter_map(|(key, value)| Some((key, value?))));
    command.env("F9_TREE_OPERATION", operation).env("F9_TREE_DURABILITY", durability);
    command.stdout(Stdio::null()).status().unwrap();
    let log = fs::read_to_string(log).ok()?;
    let within = log.split_once(BEGIN)?.1.split_once(END)?.0;
    let mut seen: Vec<String> =
        within.lines().filter_map(|line| call(line, root.to_str().unwrap())).collect();
    seen.dedup();
    Some(seen)
}

/// What a line of the log tells: a call, and of what is synchronised where it is.
fn call(line: &str, root: &str) -> Option<String> {
    let (name, arguments) = line.split_once(' ')?.1.trim_start().split_once('(')?;
    match name {
        "write" | "copy_file_range" => Some("write".to_owned()),
        "mkdirat" if arguments.contains(".f9-tmp") => None,
        "mkdirat" | "linkat" | "unlinkat" | "renameat" | "renameat2" => Some(name.to_owned()),
        "fsync" => {
            let path = arguments.split_once(root)?.1;
            let is_content = path.contains("(deleted)") || path.contains(".f9-tmp");
            let path = path.split('>').next()?.trim_start_matches('/');
            Some(format!("fsync {}", if is_content { "content" } else { path }))
        }
        _ => None,
    }
}
