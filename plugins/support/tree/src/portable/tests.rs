//! The contract, and what no contract test can make: links, and what others do meanwhile.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use f9_plugin_api::{
    BackendPath, CopyOptions, CreateOptions, DeleteOptions, ErrorKind, FileBackend, FileKind, ListOptions,
    Result, UpdateMode, conformance,
};
use tempfile::TempDir;

use super::Tree;
use crate::{Durability, TreeOptions};

/// A tree in a directory of its own, which has a neighbour that nothing may reach.
struct Place {
    directory: TempDir,
    tree: Tree,
}

impl Place {
    fn new() -> Self {
        Self::with(TreeOptions::default())
    }

    fn with(options: TreeOptions) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("outside")).unwrap();
        fs::write(directory.path().join("outside/secret"), "SECRET").unwrap();
        let tree = Tree::open(directory.path().join("root"), options).unwrap();
        tree.create(&path("d/f"), "inside".into(), CreateOptions::default()).unwrap();
        Self { directory, tree }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// Tries everything on `path`, and says how each attempt ended.
    fn attempts(&self, path: &BackendPath) -> Vec<Result<()>> {
        let tree = &self.tree;
        let inside = BackendPath::parse("d/f").unwrap();
        let create = CreateOptions::default().overwrite(true);
        let copy = CopyOptions::default().overwrite(true);
        vec![
            tree.read(path).map(drop),
            tree.open_read(path, (..).into()).map(drop),
            tree.create(path, "x".into(), create).map(drop),
            tree.open_write(path, create).and_then(|mut writer| writer.commit()).map(drop),
            tree.update(path, "x".into(), UpdateMode::Replace).map(drop),
            tree.update(path, "x".into(), UpdateMode::Append).map(drop),
            tree.copy(path, &inside, copy).map(drop),
            tree.copy(&inside, path, copy).map(drop),
            tree.rename(&inside, path, copy).map(drop),
            tree.rename(path, &inside, copy).map(drop),
            tree.create_dir(&path.join("new").unwrap(), create).map(drop),
            tree.info(path).map(drop),
            tree.list(path, ListOptions::default()).map(drop),
            tree.delete(path, DeleteOptions::default().recursive(true)),
        ]
    }

    fn assert_nothing_got_out(&self) {
        let outside: Vec<_> =
            fs::read_dir(self.outside()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside, ["secret"]);
        assert_eq!(fs::read(self.outside().join("secret")).unwrap(), b"SECRET");
    }

    /// Every name below the root, the temporary ones as well.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.at(path)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind) {
    match result {
        Ok(_) => panic!("it was not refused with {kind}"),
        Err(error) => assert_eq!(error.kind(), kind, "{error:?}"),
    }
}

#[test]
fn the_contract_holds() {
    for durability in [Durability::None, Durability::Fsync] {
        let directory = tempfile::tempdir().unwrap();
        conformance::run(|| -> Box<dyn FileBackend> {
            let root = tempfile::tempdir_in(&directory).unwrap().keep();
            Box::new(Tree::open(root, TreeOptions::default().durability(durability)).unwrap())
        })
        .assert();
    }
}

#[test]
fn a_link_that_leads_out_is_refused_by_everything() {
    let place = Place::new();
    for (name, target) in [
        ("relative", PathBuf::from("../outside")),
        ("devious", "d/../../outside".into()),
        ("absolute", place.outside()),
        ("absolute_inside", place.at("d")),
    ] {
        symlink(&target, place.at(name)).unwrap();
        assert_eq!(place.tree.info(&path(name)).unwrap().kind, FileKind::Symlink, "{name}");
        refused(place.tree.list(&path(name), ListOptions::default()), ErrorKind::OutsideRoot);
        refused(
            place.tree.create_dir(&path(name), CreateOptions::default().overwrite(true)),
            ErrorKind::OutsideRoot,
        );
        for (at, attempt) in place.attempts(&path(name).join("secret").unwrap()).into_iter().enumerate() {
            assert_eq!(attempt.unwrap_err().kind(), ErrorKind::OutsideRoot, "{name}, attempt {at}");
        }
        symlink(target.join("secret"), place.at("file")).unwrap();
        refused(place.tree.read(&path("file")), ErrorKind::OutsideRoot);
        refused(place.tree.update(&path("file"), "x".into(), UpdateMode::Replace), ErrorKind::OutsideRoot);
        refused(place.tree.update(&path("file"), "x".into(), UpdateMode::Append), ErrorKind::OutsideRoot);
        place.tree.delete(&path("file"), DeleteOptions::default()).unwrap();
    }
    assert_eq!(place.tree.read(&path("d/f")).unwrap(), "inside");
    place.assert_nothing_got_out();
}

#[test]
fn a_link_that_stays_inside_is_followed_and_deleted_as_itself() {
    let place = Place::new();
    symlink("d", place.at("to_dir")).unwrap();
    symlink("../d/./f", place.at("d/to_file")).unwrap();
    symlink("../d/..", place.at("d/to_root")).unwrap();
    let tree = &place.tree;
    assert_eq!(tree.read(&path("to_dir/to_file")).unwrap(), "inside");
    assert_eq!(tree.read(&path("d/to_root/to_dir/f")).unwrap(), "inside");
    assert!(tree.info(&path("d/to_root")).unwrap().is_dir());
    assert_eq!(tree.update(&path("to_dir/to_file"), "!".into(), UpdateMode::Append).unwrap().size, 7);
    tree.update(&path("d/to_file"), "other".into(), UpdateMode::Replace).unwrap();
    assert!(place.at("d/to_file").is_symlink());
    assert_eq!(fs::read(place.at("d/f")).unwrap(), b"other");
    tree.create(&path("to_dir/new/f"), "x".into(), CreateOptions::default()).unwrap();
    assert!(place.at("d/new/f").is_file());
    let moved = tree.rename(&path("d"), &path("d/to_root/to_dir/below"), CopyOptions::default());
    refused(moved, ErrorKind::InvalidOperation);
    tree.delete(&path("to_dir"), DeleteOptions::default().recursive(true)).unwrap();
    symlink("../../outside", place.at("d/new/out")).unwrap();
    tree.delete(&path("d/new"), DeleteOptions::default().recursive(true)).unwrap();
    assert_eq!(place.names("d"), ["f", "to_file", "to_root"]);
    place.assert_nothing_got_out();
}

#[test]
fn a_directory_that_becomes_a_link_while_it_is_used_leads_nowhere() {
    let place = Place::new();
    let (real, link) = (place.at("real"), place.at("swapped"));
    fs::create_dir(&real).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Either may fail because of what the operations did meanwhile.
                let _ = fs::rename(&real, &link);
                thread::yield_now();
                let _ = fs::rename(&link, &real);
                let _ = symlink("../outside", &link);
                thread::yield_now();
                let _ = fs::remove_file(&link);
                let _ = fs::create_dir(&real);
            }
        });
        for _ in 0..200 {
            let read = place.tree.read(&path("swapped/secret"));
            assert!(read.is_err() || read.is_ok_and(|content| content != "SECRET"));
            drop(place.attempts(&path("swapped/secret")));
            let _ = place.tree.delete(&path("swapped"), DeleteOptions::default().recursive(true));
            let _ = place.tree.create(&path("d/f"), "inside".into(), CreateOptions::default());
        }
        over.store(true, Ordering::Relaxed);
    });
    place.assert_nothing_got_out();
}

#[test]
fn reserved_names_are_out_of_reach_whatever_leads_there() {
    let place = Place::with(TreeOptions::default().reserved(|name| name == ".git"));
    fs::create_dir_all(place.at("repo/.git")).unwrap();
    fs::write(place.at("repo/.git/config"), "kept").unwrap();
    fs::write(place.at(".f9-tmp-1-1"), "left").unwrap();
    symlink("repo/.git", place.at("way")).unwrap();
    symlink(".f9-tmp-1-1", place.at("temporary")).unwrap();
    let tree = &place.tree;
    for reserved in ["repo/.git/config", "way/config"] {
        for attempt in place.attempts(&path(reserved)) {
            refused(attempt, ErrorKind::InvalidPath);
        }
    }
    refused(tree.read(&path(".f9-tmp-1-1")), ErrorKind::InvalidPath);
    refused(tree.read(&path("temporary")), ErrorKind::InvalidPath);
    refused(
        tree.delete(&path("repo"), DeleteOptions::default().recursive(true)),
        ErrorKind::DirectoryNotEmpty,
    );
    let listed = tree.list(&BackendPath::root(), ListOptions::default().recursive(true)).unwrap();
    let mut listed: Vec<_> = listed.map(|entry| entry.unwrap().path.to_string()).collect();
    listed.sort();
    assert_eq!(listed, ["d", "d/f", "repo", "temporary", "way"]);
    assert_eq!(fs::read(place.at("repo/.git/config")).unwrap(), b"kept");
}

#[test]
fn what_replaces_a_file_keeps_its_permissions_and_no_temporary_name_remains() {
    let place = Place::new();
    fs::set_permissions(place.at("d/f"), fs::Permissions::from_mode(0o640)).unwrap();
    place.tree.update(&path("d/f"), "new".into(), UpdateMode::Replace).unwrap();
    place.tree.create(&path("d/f"), "newer".into(), CreateOptions::default().overwrite(true)).unwrap();
    assert_eq!(fs::metadata(place.at("d/f")).unwrap().permissions().mode() & 0o7777, 0o640);
    let mut writer = place.tree.open_write(&path("d/f"), CreateOptions::default().overwrite(true)).unwrap();
    writer.write_all(b"dropped").unwrap();
    drop(writer);
    refused(place.tree.create(&path("d/f"), "x".into(), CreateOptions::default()), ErrorKind::AlreadyExists);
    assert_eq!(fs::read(place.at("d/f")).unwrap(), b"newer");
    assert_eq!((place.names(""), place.names("d")), (vec!["d".to_owned()], vec!["f".to_owned()]));
}
