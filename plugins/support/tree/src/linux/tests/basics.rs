//! Each operation, as it is meant to be used, with and without `openat2`.

use std::{
    io::{self, Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixListener,
    },
    time::{Duration, SystemTime},
};

use f9_plugin_api::{
    ByteRange, Content, CreateOptions, ErrorKind, FileBackend, FileInfo, FileKind, ListOptions, UpdateMode,
};

use super::{Place, RESOLVERS, WAYS, parse, refused};
use crate::{Tree, TreeOptions};

/// Runs a test with every way to find files, and with and without waiting for the disk.
fn everywhere(test: impl Fn(&Place)) {
    for (resolver, durability) in WAYS {
        let place = Place::with(TreeOptions::default().durability(durability), resolver);
        test(&place);
        assert_eq!(std::fs::read(place.outside().join("secret")).unwrap(), b"SECRET");
    }
}

#[test]
fn a_file_is_created_with_its_parents_and_read_back() {
    everywhere(|place| {
        let tree = &place.tree;
        let info = tree.t_create("a/b/c.txt", "hello", false).unwrap();
        assert_eq!((info.path.as_str(), info.kind, info.size), ("a/b/c.txt", FileKind::File, 5));
        assert_eq!(info, tree.t_info("a/b/c.txt").unwrap());
        assert!(info.modified_at.unwrap().elapsed().unwrap() < Duration::from_secs(60));
        assert!(info.created_at.unwrap() <= SystemTime::now());
        assert_eq!(tree.t_read("a/b/c.txt").unwrap(), "hello");
        assert_eq!(tree.t_stream_read("a/b/c.txt").unwrap(), "hello");
        let range = tree.read_range(&parse("a/b/c.txt"), (1..3).into()).unwrap();
        assert_eq!(&range[..], b"el");
        assert!(tree.read_range(&parse("a/b/c.txt"), (9..).into()).unwrap().is_empty());
        refused(tree.t_create("a/b/c.txt", "other", false), ErrorKind::AlreadyExists);
        assert_eq!(tree.t_create("a/b/c.txt", "", true).unwrap().size, 0);
        assert_eq!(tree.t_read("a/b/c.txt").unwrap(), "");
    });
}

#[test]
fn directories_and_files_do_not_take_each_others_place() {
    everywhere(|place| {
        let tree = &place.tree;
        assert!(tree.t_create_dir("d/e", false).unwrap().is_dir());
        refused(tree.t_create_dir("d/e", false), ErrorKind::AlreadyExists);
        assert!(tree.t_create_dir("d/e", true).unwrap().is_dir());
        tree.t_create("f", "x", false).unwrap();
        refused(tree.t_create_dir("f", true), ErrorKind::NotADirectory);
        refused(tree.t_create("d", "x", true), ErrorKind::IsADirectory);
        refused(tree.t_create("f/g", "x", true), ErrorKind::NotADirectory);
        refused(tree.t_create_dir("f/g/h", true), ErrorKind::NotADirectory);
        refused(tree.t_stream("d", &["x"], true), ErrorKind::IsADirectory);
        refused(tree.t_read("d"), ErrorKind::IsADirectory);
        refused(tree.t_replace("d", "x"), ErrorKind::IsADirectory);
        refused(tree.t_append("d", "x"), ErrorKind::IsADirectory);
        refused(tree.t_info("f/g"), ErrorKind::NotADirectory);
        refused(tree.t_list("f", false), ErrorKind::NotADirectory);
        refused(tree.t_delete("f/g", true), ErrorKind::NotADirectory);
        refused(tree.t_read("f/g"), ErrorKind::NotADirectory);
    });
}

#[test]
fn what_is_missing_is_not_found() {
    everywhere(|place| {
        let tree = &place.tree;
        for path in ["x", "x/y"] {
            refused(tree.t_read(path), ErrorKind::NotFound);
            refused(tree.t_info(path), ErrorKind::NotFound);
            refused(tree.t_list(path, true), ErrorKind::NotFound);
            refused(tree.t_replace(path, "x"), ErrorKind::NotFound);
            refused(tree.t_append(path, "x"), ErrorKind::NotFound);
            refused(tree.t_delete(path, true), ErrorKind::NotFound);
            refused(tree.t_copy(path, "z", true), ErrorKind::NotFound);
            refused(tree.t_rename(path, "z", true), ErrorKind::NotFound);
            refused(tree.t_stream_read(path), ErrorKind::NotFound);
        }
        assert!(place.names().is_empty());
    });
}

#[test]
fn the_root_can_only_be_described_and_listed() {
    everywhere(|place| {
        let tree = &place.tree;
        assert!(tree.t_info("/").unwrap().is_dir());
        assert!(tree.t_list("/", true).unwrap().is_empty());
        refused(tree.t_create("/", "x", true), ErrorKind::InvalidPath);
        refused(tree.t_create_dir("/", true), ErrorKind::InvalidPath);
        refused(tree.t_read("/"), ErrorKind::InvalidPath);
        refused(tree.t_stream_read("/"), ErrorKind::InvalidPath);
        refused(tree.t_stream("/", &[], true), ErrorKind::InvalidPath);
        refused(tree.t_replace("/", "x"), ErrorKind::InvalidPath);
        refused(tree.t_append("/", "x"), ErrorKind::InvalidPath);
        refused(tree.t_delete("/", true), ErrorKind::InvalidPath);
        refused(tree.t_copy("/", "x", true), ErrorKind::InvalidPath);
        refused(tree.t_rename("/", "x", true), ErrorKind::InvalidPath);
        tree.t_create("f", "x", false).unwrap();
        refused(tree.t_copy("f", "/", true), ErrorKind::InvalidPath);
        refused(tree.t_rename("f", "/", true), ErrorKind::InvalidPath);
    });
}

#[test]
fn updates_replace_or_append() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("f", "one", false).unwrap();
        assert_eq!(tree.t_replace("f", "two").unwrap(), tree.t_info("f").unwrap());
        assert_eq!(tree.t_append("f", "three").unwrap().size, 8);
        assert_eq!(tree.t_append("f", "").unwrap().size, 8);
        let mut more = io::Cursor::new("four");
        tree.update(&parse("f"), Content::reader(&mut more), UpdateMode::Append).unwrap();
        assert_eq!(tree.t_read("f").unwrap(), "twothreefour");
    });
}

#[test]
fn a_replaced_file_keeps_its_permissions() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("f", "one", false).unwrap();
        for mode in [0o600, 0o755, 0o640] {
            std::fs::set_permissions(place.at("f"), std::fs::Permissions::from_mode(mode)).unwrap();
            tree.t_replace("f", "two").unwrap();
            tree.t_create("f", "three", true).unwrap();
            tree.t_stream("f", &["four"], true).unwrap();
            assert_eq!(std::fs::metadata(place.at("f")).unwrap().mode() & 0o7777, mode);
        }
    });
}

#[test]
fn a_replaced_file_keeps_its_owner_where_the_process_may_give_it_away() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIPPED: only root may give files away");
        return;
    }
    let place = Place::new();
    place.tree.t_create("f", "one", false).unwrap();
    std::os::unix::fs::chown(place.at("f"), Some(1234), Some(4321)).unwrap();
    place.tree.t_replace("f", "two").unwrap();
    let found = std::fs::metadata(place.at("f")).unwrap();
    assert_eq!((found.uid(), found.gid()), (1234, 4321));
}

#[test]
fn content_whose_reader_fails_is_not_stored() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| io::Error::other("it broke"))?;
            buffer.fill(7);
            Ok(buffer.len())
        }
    }
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("old", "old", false).unwrap();
        for (path, overwrite) in [("new", false), ("new", true), ("old", true)] {
            let options = CreateOptions::default().overwrite(overwrite);
            let error = tree.create(&parse(path), Content::reader(&mut Failing(3)), options).unwrap_err();
            assert!(error.message().contains("it broke"), "{error:?}");
        }
        for mode in [UpdateMode::Replace, UpdateMode::Append] {
            tree.update(&parse("old"), Content::reader(&mut Failing(3)), mode).unwrap_err();
        }
        assert_eq!(tree.t_read("old").unwrap(), "old");
        assert_eq!(tree.t_list("/", true).unwrap(), ["old"]);
    });
}

#[test]
fn deleting_a_directory_with_entries_needs_recursive() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("d/e/f", "x", false).unwrap();
        tree.t_create_dir("d/g", false).unwrap();
        refused(tree.t_delete("d", false), ErrorKind::DirectoryNotEmpty);
        tree.t_delete("d/g", false).unwrap();
        tree.t_delete("d", true).unwrap();
        refused(tree.t_info("d"), ErrorKind::NotFound);
        tree.t_create("f", "x", false).unwrap();
        tree.t_delete("f", true).unwrap();
        assert!(place.names().is_empty());
    });
}

#[test]
fn a_listing_has_children_or_everything_below() {
    everywhere(|place| {
        let tree = &place.tree;
        for path in ["a/b/c", "a/b/d", "a/e", "f"] {
            tree.t_create(path, "x", false).unwrap();
        }
        assert_eq!(tree.t_list("/", false).unwrap(), ["a", "f"]);
        assert_eq!(tree.t_list("a", false).unwrap(), ["a/b", "a/e"]);
        assert_eq!(tree.t_list("/", true).unwrap(), ["a", "a/b", "a/b/c", "a/b/d", "a/e", "f"]);
        let mut seen = vec![parse("/")];
        for entry in tree.list(&parse("/"), ListOptions::default().recursive(true)).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry, tree.info(&entry.path).unwrap());
            assert!(seen.contains(&entry.path.parent().unwrap()), "{entry:?} before its directory");
            seen.push(entry.path);
        }
    });
}

#[test]
fn a_listing_of_names_looks_at_no_file() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("a/b", "x", false).unwrap();
        let _socket = UnixListener::bind(place.at("a/socket")).unwrap();
        let options = ListOptions::default().recursive(true).names_only(true);
        let mut entries: Vec<_> = tree.list(&parse("/"), options).unwrap().map(Result::unwrap).collect();
        entries.sort_by(|one, other| one.path.cmp(&other.path));
        let expected = [("a", FileKind::Directory), ("a/b", FileKind::File), ("a/socket", FileKind::Other)];
        let expected = expected.map(|(path, kind)| FileInfo::new(parse(path), kind, 0));
        assert_eq!(entries, expected);
    });
}

#[test]
fn a_stream_takes_effect_when_it_is_committed() {
    everywhere(|place| {
        let tree = &place.tree;
        let mut writer = tree.open_write(&parse("a/f"), CreateOptions::default()).unwrap();
        writer.write_all(b"one").unwrap();
        assert!(tree.t_list("/", true).unwrap().is_empty());
        writer.write_all(b"two").unwrap();
        assert_eq!(writer.commit().unwrap(), tree.t_info("a/f").unwrap());
        refused(writer.commit(), ErrorKind::InvalidOperation);
        assert!(writer.write_all(b"more").is_err());
        drop(writer);
        assert_eq!(tree.t_read("a/f").unwrap(), "onetwo");
        refused(tree.t_stream("a/f", &["x"], false), ErrorKind::AlreadyExists);
        tree.t_stream("a/f", &["thr", "ee"], true).unwrap();
        assert_eq!(tree.t_read("a/f").unwrap(), "three");

        let mut dropped = tree.open_write(&parse("a/f"), CreateOptions::default().overwrite(true)).unwrap();
        dropped.write_all(b"lost").unwrap();
        drop(dropped);
        assert_eq!(tree.t_read("a/f").unwrap(), "three");
        assert_eq!(tree.t_list("/", true).unwrap(), ["a", "a/f"]);
    });
}

#[test]
fn a_stream_whose_place_is_taken_meanwhile_changes_nothing() {
    everywhere(|place| {
        let tree = &place.tree;
        let mut writer = tree.open_write(&parse("a/f"), CreateOptions::default()).unwrap();
        writer.write_all(b"late").unwrap();
        tree.t_create("a/f", "early", false).unwrap();
        refused(writer.commit(), ErrorKind::AlreadyExists);
        assert_eq!(tree.t_read("a/f").unwrap(), "early");

        let mut writer = tree.open_write(&parse("b/f"), CreateOptions::default().overwrite(true)).unwrap();
        writer.write_all(b"late").unwrap();
        tree.t_create("b/f", "early", false).unwrap();
        writer.commit().unwrap();
        assert_eq!(tree.t_read("b/f").unwrap(), "late");

        tree.t_create_dir("c", false).unwrap();
        let mut writer = tree.open_write(&parse("c/f"), CreateOptions::default()).unwrap();
        writer.write_all(b"kept").unwrap();
        tree.t_delete("c", true).unwrap();
        writer.commit().unwrap();
        assert_eq!(tree.t_read("c/f").unwrap(), "kept");
    });
}

#[test]
fn a_reader_yields_the_file_as_it_was_when_it_was_opened() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("f", "before", false).unwrap();
        let mut first = tree.open_read(&parse("f"), ByteRange::ALL).unwrap();
        tree.t_append("f", " and after").unwrap();
        let mut second = tree.open_read(&parse("f"), (1..).into()).unwrap();
        tree.t_replace("f", "new").unwrap();
        let mut text = String::new();
        first.read_to_string(&mut text).unwrap();
        second.read_to_string(&mut text).unwrap();
        assert_eq!(text, "beforeefore and after");
    });
}

#[test]
fn files_are_copied_and_moved() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("a/f", "x", false).unwrap();
        assert_eq!(tree.t_copy("a/f", "b/g", false).unwrap(), tree.t_info("b/g").unwrap());
        refused(tree.t_copy("a/f", "b/g", false), ErrorKind::AlreadyExists);
        refused(tree.t_copy("a", "c", false), ErrorKind::IsADirectory);
        refused(tree.t_copy("a/f", "a", true), ErrorKind::IsADirectory);
        tree.t_copy("a/f", "a/f", true).unwrap();
        tree.t_create("y", "y", false).unwrap();
        tree.t_copy("y", "b/g", true).unwrap();
        assert_eq!(tree.t_read("b/g").unwrap(), "y");

        assert_eq!(tree.t_rename("a/f", "c/d/f", false).unwrap(), tree.t_info("c/d/f").unwrap());
        refused(tree.t_info("a/f"), ErrorKind::NotFound);
        refused(tree.t_rename("c/d/f", "y", false), ErrorKind::AlreadyExists);
        tree.t_rename("c/d/f", "y", true).unwrap();
        assert_eq!(tree.t_read("y").unwrap(), "x");
        assert_eq!(tree.t_rename("y", "y", false).unwrap().size, 1);
        refused(tree.t_rename("y", "a", true), ErrorKind::IsADirectory);
        assert_eq!(tree.t_read("y").unwrap(), "x");
    });
}

#[test]
fn directories_are_moved_whole_and_replace_nothing() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("a/b/c", "x", false).unwrap();
        tree.t_create_dir("empty", false).unwrap();
        tree.t_create("f", "f", false).unwrap();
        refused(tree.t_rename("a", "empty", true), ErrorKind::IsADirectory);
        refused(tree.t_rename("a", "empty", false), ErrorKind::AlreadyExists);
        refused(tree.t_rename("a", "f", true), ErrorKind::NotADirectory);
        refused(tree.t_rename("a", "a/b/d", false), ErrorKind::InvalidOperation);
        assert!(tree.t_rename("a", "a", true).unwrap().is_dir());
        assert!(tree.t_rename("a", "x/y", false).unwrap().is_dir());
        assert_eq!(tree.t_list("x", true).unwrap(), ["x/y", "x/y/b", "x/y/b/c"]);
        assert_eq!(tree.t_read("f").unwrap(), "f");
    });
}

#[test]
fn what_is_no_file_is_neither_read_nor_replaced() {
    everywhere(|place| {
        let tree = &place.tree;
        let status = std::process::Command::new("mkfifo").arg(place.at("pipe")).status().unwrap();
        assert!(status.success());
        let _socket = UnixListener::bind(place.at("socket")).unwrap();
        for path in ["pipe", "socket"] {
            assert_eq!(tree.t_info(path).unwrap().kind, FileKind::Other);
            refused(tree.t_read(path), ErrorKind::InvalidOperation);
            refused(tree.t_stream_read(path), ErrorKind::InvalidOperation);
            refused(tree.t_replace(path, "x"), ErrorKind::InvalidOperation);
            refused(tree.t_append(path, "x"), ErrorKind::InvalidOperation);
            refused(tree.t_create(path, "x", true), ErrorKind::InvalidOperation);
            refused(tree.t_copy(path, "z", true), ErrorKind::InvalidOperation);
            tree.t_delete(path, false).unwrap();
        }
    });
}

#[test]
fn nothing_of_the_tree_itself_stays_when_it_is_closed() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        place.tree.t_create("f", "one", false).unwrap();
        place.tree.t_replace("f", "two").unwrap();
        assert!(place.at(".f9-tmp").is_dir());
        assert_eq!(place.tree.t_list("/", true).unwrap(), ["f"]);
        let Place { directory, tree } = place;
        drop(tree);
        assert_eq!(std::fs::read_dir(directory.path().join("root")).unwrap().count(), 1);
    }
}

#[test]
fn a_root_is_made_or_missed() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("a/b");
    let error = Tree::open(&root, TreeOptions::default().create_root(false)).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, root.to_str()));
    Tree::open(&root, TreeOptions::default()).unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    refused(Tree::open(directory.path().join("file"), TreeOptions::default()), ErrorKind::NotADirectory);
    refused(Tree::open(directory.path().join("file/x"), TreeOptions::default()), ErrorKind::NotADirectory);
}

/// A reader that does something before it ends.
struct Meanwhile<F>(F, bool);

impl<F: FnMut()> Read for Meanwhile<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if std::mem::replace(&mut self.1, true) {
            return Ok(0);
        }
        (self.0)();
        buffer[0] = b'+';
        Ok(1)
    }
}

#[test]
fn what_is_appended_is_in_the_file_that_is_there_when_it_has_come() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("f", "old", false).unwrap();
        let mut replacing = Meanwhile(|| drop(tree.t_replace("f", "new").unwrap()), false);
        let info = tree.update(&parse("f"), Content::Reader(&mut replacing), UpdateMode::Append).unwrap();
        assert_eq!((info.size, tree.t_read("f").unwrap().as_str()), (4, "new+"));
        let mut deleting = Meanwhile(|| tree.t_delete("f", false).unwrap(), false);
        let appended = tree.update(&parse("f"), Content::Reader(&mut deleting), UpdateMode::Append);
        refused(appended, ErrorKind::NotFound);
        let mut unread = Meanwhile(|| panic!("the file is missing, and the content was taken"), false);
        let appended = tree.update(&parse("f"), Content::Reader(&mut unread), UpdateMode::Append);
        refused(appended, ErrorKind::NotFound);
    });
}

#[test]
fn a_root_that_is_gone_is_not_found() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        let tree = &place.tree;
        let mut writer = tree.open_write(&parse("f"), CreateOptions::default()).unwrap();
        writer.write_all(b"x").unwrap();
        std::fs::remove_dir_all(place.at("")).unwrap();
        let errors = [
            tree.t_create("f", "x", false).unwrap_err(),
            tree.t_create("d/f", "x", true).unwrap_err(),
            tree.t_create_dir("d", false).unwrap_err(),
            tree.t_read("f").unwrap_err(),
            tree.t_append("f", "x").unwrap_err(),
            tree.t_delete("f", false).unwrap_err(),
            tree.t_rename("f", "g", false).unwrap_err(),
            writer.commit().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
            assert!(error.message().contains("root"), "{error:?}");
        }
    }
}

#[test]
fn a_pipe_is_refused_without_waiting_for_who_writes_to_it() {
    everywhere(|place| {
        assert!(std::process::Command::new("mkfifo").arg(place.at("pipe")).status().unwrap().success());
        refused(place.tree.t_read("pipe"), ErrorKind::InvalidOperation);
        refused(place.tree.t_stream_read("pipe"), ErrorKind::InvalidOperation);
        refused(place.tree.t_copy("pipe", "copy", true), ErrorKind::InvalidOperation);
    });
}

#[test]
fn files_whose_size_says_nothing_are_read_to_their_end() {
    for resolver in RESOLVERS {
        let read_all = |root: &str, path: &str| {
            let tree = super::open(root.as_ref(), TreeOptions::default(), resolver);
            let expected = std::fs::read_to_string(format!("{root}/{path}")).unwrap();
            assert!(!expected.is_empty());
            assert_eq!(tree.t_read(path).unwrap(), expected);
            assert_eq!(tree.t_stream_read(path).unwrap(), expected);
            let part = tree.read_range(&parse(path), (1..3).into()).unwrap();
            assert_eq!(&part[..], &expected.as_bytes()[1..3]);
            let mut rest = String::new();
            tree.open_read(&parse(path), (1..).into()).unwrap().read_to_string(&mut rest).unwrap();
            assert_eq!(rest, expected[1..]);
        };
        read_all("/proc", "version");
        read_all("/proc/sys/kernel", "osrelease");
        if std::path::Path::new("/sys/kernel/mm/transparent_hugepage/enabled").exists() {
            read_all("/sys", "kernel/mm/transparent_hugepage/enabled");
        } else {
            println!("SKIPPED: there is no /sys to read");
        }
    }
}

#[test]
fn files_whose_size_says_nothing_are_copied_whole() {
    let directory = tempfile::tempdir().unwrap();
    let tree = Tree::open("/", TreeOptions::default()).unwrap();
    let copy = directory.path().canonicalize().unwrap().join("copy");
    for path in ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"] {
        let Ok(expected) = std::fs::read(path) else { continue };
        let info =
            tree.t_copy(path.trim_start_matches('/'), copy.to_str().unwrap().trim_start_matches('/'), false);
        assert_eq!(std::fs::read(&copy).unwrap(), expected);
        assert_eq!(info.unwrap().size, expected.len() as u64);
        std::fs::remove_file(&copy).unwrap();
    }
}

#[test]
fn a_copy_may_be_run_by_those_who_may_run_the_original() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let mode = |name: &str| place.at(name).metadata().unwrap().permissions().mode() & 0o777;
    place.tree.t_create("script", "#!/bin/sh", false).unwrap();
    place.tree.t_create("plain", "text", false).unwrap();
    let new = mode("plain");
    std::fs::set_permissions(place.at("script"), std::fs::Permissions::from_mode(0o755)).unwrap();
    place.tree.t_copy("script", "copy", false).unwrap();
    assert_eq!(mode("copy"), new | ((new & 0o444) >> 2));
    // What is replaced keeps its own.
    place.tree.t_copy("script", "plain", true).unwrap();
    assert_eq!(mode("plain"), new);
    place.tree.t_copy("plain", "other", false).unwrap();
    assert_eq!(mode("other"), new);
}

#[test]
fn holes_stay_holes_in_a_copy() {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};
    let place = Place::new();
    let file = std::fs::File::create(place.at("sparse")).unwrap();
    file.write_all_at(b"begin", 0).unwrap();
    file.write_all_at(b"middle", 200 << 20).unwrap();
    file.set_len(400 << 20).unwrap();
    drop(file);
    let blocks = |name: &str| place.at(name).metadata().unwrap().blocks();
    assert_eq!(place.tree.t_copy("sparse", "copy", false).unwrap().size, 400 << 20);
    assert!(blocks("copy") <= blocks("sparse") + 64, "{} {}", blocks("copy"), blocks("sparse"));
    let same =
        std::process::Command::new("cmp").args([place.at("sparse"), place.at("copy")]).status().unwrap();
    assert!(same.success());
}

#[test]
fn a_source_that_has_changed_is_copied_again() {
    use super::super::{
        draft::Draft,
        read,
        spot::{Rule, Spot},
    };
    let (place, path, rule) = (Place::new(), parse("copy"), Rule::creating(false));
    std::fs::write(place.at("source"), "old").unwrap();
    let source = read::open_file(place.tree.root(), "source", rustix::fs::OFlags::RDONLY, "copy").unwrap();
    for (content, size) in [("longer by now", 3), ("no", 13)] {
        // What was known of it is of another time.
        std::fs::write(place.at("source"), content).unwrap();
        let (fd, mut stat) = (&source.0, super::super::stat::Stat::of(&source.0).unwrap());
        stat.size = size;
        let spot = || Spot::preview(&place.tree, &path, rule, "copy");
        let (mut draft, _) = Draft::start(&place.tree, spot, "copy").unwrap();
        draft.copy(fd, stat, "copy").unwrap();
        draft.commit(&place.tree, &path, None, rule, "copy").unwrap();
        assert_eq!(place.tree.t_read("copy").unwrap(), content);
        place.tree.t_delete("copy", false).unwrap();
    }
}
