//! Killing: a process that dies at any instant leaves the old content or the new, and nothing that can be seen.

use std::{
    fs,
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{CreateOptions, FileBackend, UpdateMode};

use super::{child_directory, full, parse, run_again};
use crate::{Tree, TreeOptions};

/// Two versions that differ in every byte and in length, of more than a page.
fn version(letter: u8) -> Vec<u8> {
    vec![letter; 20_000 + 5_000 * usize::from(letter % 2)]
}

#[test]
fn a_killed_process_leaves_old_or_new_content_and_nothing_else() {
    let kills = if full() { 1_000 } else { 25 };
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root");
    let (mut swept, mut torn_appends) = (0, 0);
    for round in 0..kills {
        Tree::open(&root, TreeOptions::default()).unwrap();
        for file in ["replaced", "overwritten", "streamed"] {
            fs::write(root.join(file), version(b'a')).unwrap();
        }
        fs::write(root.join("appended"), "").unwrap();
        let mut child = run_again("kill::child_writes", &root).spawn().unwrap();
        let started = root.join("started");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !started.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_micros(200));
        }
        thread::sleep(Duration::from_micros(round * 7_919 % 9_000));
        child.kill().unwrap();
        child.wait().unwrap();

        swept += usize::from(root.join(".f9-tmp").exists());
        let tree = Tree::open(&root, TreeOptions::default()).unwrap();
        assert!(!root.join(".f9-tmp").exists(), "what the killed process left was not swept");
        torn_appends += usize::from(check(&tree));
        drop(tree);
        fs::remove_dir_all(&root).unwrap();
    }
    println!("killed {kills} times: {swept} left something to sweep, {torn_appends} were inside an append");
    assert!(swept > 0, "no kill came at a time that matters");
}

/// Looks at what is left; whether the kill came inside the system call that appends.
fn check(tree: &Tree) -> bool {
    for file in ["replaced", "overwritten", "streamed"] {
        let content = tree.read(&parse(file)).unwrap();
        assert!(content == version(b'a') || content == version(b'b'), "{file} is neither old nor new");
    }
    for path in tree.t_list("/", true).unwrap() {
        match path.split('-').next().unwrap() {
            "created" => assert_eq!(tree.read(&parse(&path)).unwrap(), version(b'b'), "{path}"),
            "appended" | "replaced" | "overwritten" | "streamed" | "started" => {}
            _ => panic!("{path} is visible"),
        }
    }
    let appended = tree.read(&parse("appended")).unwrap();
    let whole = appended.len() - appended.len() % RECORD;
    for record in appended[..whole].chunks(RECORD) {
        assert!(record.iter().all(|byte| *byte == record[0]), "two appends are mixed");
    }
    appended.len() != whole
}

/// Not a divisor of a page, so that records cross pages.
const RECORD: usize = 3_001;

/// Not a test of its own: what the child of the one above does until it is killed.
#[test]
fn child_writes() {
    let Some(root) = child_directory() else { return };
    let tree = Tree::open(&root, TreeOptions::default()).unwrap();
    fs::write(root.join("started"), "").unwrap();
    for round in 0_u32.. {
        let content = version(if round % 2 == 0 { b'b' } else { b'a' });
        let over = CreateOptions::default().overwrite(true);
        tree.update(&parse("replaced"), (&content).into(), UpdateMode::Replace).unwrap();
        tree.create(&parse("overwritten"), (&content).into(), over).unwrap();
        stream(&tree, "streamed", &content, over);
        let new = version(b'b');
        tree.create(&parse(&format!("created-{round}")), (&new).into(), CreateOptions::default()).unwrap();
        stream(&tree, &format!("created-stream-{round}"), &new, CreateOptions::default());
        let record = vec![b'a' + (round % 26) as u8; RECORD];
        tree.update(&parse("appended"), (&record).into(), UpdateMode::Append).unwrap();
    }
}

fn stream(tree: &Tree, path: &str, content: &[u8], options: CreateOptions) {
    let mut writer = tree.open_write(&parse(path), options).unwrap();
    content.chunks(4_096).for_each(|piece| writer.write_all(piece).unwrap());
    writer.commit().unwrap();
}

#[test]
fn sweeping_leaves_the_files_of_a_live_process_alone() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Tree::open(directory.path(), TreeOptions::default()).unwrap();
    let hidden = || count(&directory.path().join(".f9-tmp"));
    fs::write(directory.path().join("f"), "old").unwrap();
    let live = open();
    let mut writer = live.open_write(&parse("f"), CreateOptions::default().overwrite(true)).unwrap();
    writer.write_all(b"new").unwrap();
    assert_eq!(hidden(), 2); // the lock and the content

    // As a killed process leaves it: a lock that nobody holds, and names that go with it or with none.
    fs::write(directory.path().join(".f9-tmp/abc123"), "").unwrap();
    fs::write(directory.path().join(".f9-tmp/abc123-1"), "dead").unwrap();
    fs::write(directory.path().join(".f9-tmp/def456-1"), "dead").unwrap();
    // What is not the tree's own does not keep it from the rest.
    let foreign = ["0", "a", "b1", "abc123-2", "fedcba9876543210"];
    let foreign = foreign.map(|name| directory.path().join(".f9-tmp").join(name));
    foreign.iter().for_each(|path| fs::create_dir(path).unwrap());
    drop(open());
    assert_eq!(hidden(), 2 + foreign.len());
    foreign.iter().for_each(|path| fs::remove_dir(path).unwrap());
    writer.commit().unwrap();
    assert_eq!(live.t_read("f").unwrap(), "new");
    drop((writer, live));
    assert_eq!(count(directory.path()), 1);
}

#[test]
fn content_on_its_way_is_for_nobody_else_unless_the_file_is_and_the_directory_is_not() {
    use std::os::unix::fs::PermissionsExt;
    for (directory_mode, old, expected) in
        [(0o700, 0o644, 0o644), (0o755, 0o644, 0o600), (0o700, 0o600, 0o600)]
    {
        let directory = tempfile::tempdir().unwrap();
        let set = |name: &str, mode| {
            fs::set_permissions(directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        let tree = Tree::open(directory.path(), TreeOptions::default()).unwrap();
        fs::create_dir(directory.path().join(".f9-tmp")).unwrap();
        set(".f9-tmp", directory_mode);
        fs::write(directory.path().join("f"), "old").unwrap();
        set("f", old);
        let over = CreateOptions::default().overwrite(true);
        let mut writer = tree.open_write(&parse("f"), over).unwrap();
        let entries = fs::read_dir(directory.path().join(".f9-tmp")).unwrap().map(Result::unwrap);
        let drafts = entries.filter(|entry| entry.file_name().to_str().unwrap().contains('-'));
        let modes: Vec<_> =
            drafts.map(|draft| draft.metadata().unwrap().permissions().mode() & 0o777).collect();
        assert_eq!(modes, [expected]);
        writer.commit().unwrap();
        assert_eq!(fs::metadata(directory.path().join("f")).unwrap().permissions().mode() & 0o777, old);
    }
}

#[test]
fn a_tree_works_on_when_its_temporary_directory_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let tree = Tree::open(directory.path(), TreeOptions::default()).unwrap();
    tree.t_create("f", "0", false).unwrap();
    for content in ["1", "2", "3"] {
        tree.t_replace("f", content).unwrap();
        fs::remove_dir_all(directory.path().join(".f9-tmp")).unwrap();
        assert_eq!(tree.t_read("f").unwrap(), content);
    }
    // Something else in its place is not followed and not touched.
    std::os::unix::fs::symlink("elsewhere", directory.path().join(".f9-tmp")).unwrap();
    tree.t_replace("f", "4").unwrap();
    assert_eq!(tree.t_read("f").unwrap(), "4");
    assert_eq!(tree.t_list("/", true).unwrap(), ["f"]);
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).unwrap().count()
}
