//! Links: each case has one answer.

use f9_plugin_api::{ErrorKind, FileBackend, FileKind, ListOptions};

use super::{Place, RESOLVERS, parse, refused};
use crate::TreeOptions;

fn everywhere(test: impl Fn(&Place)) {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        place.tree.t_create("d/f", "inside", false).unwrap();
        test(&place);
        let outside = std::fs::read_dir(place.outside()).unwrap().count();
        assert_eq!(
            (outside, std::fs::read(place.outside().join("secret")).unwrap()),
            (1, b"SECRET".to_vec())
        );
    }
}

#[test]
fn a_link_that_stays_inside_is_followed() {
    everywhere(|place| {
        let tree = &place.tree;
        place.link("d", "to_dir");
        place.link("../d/./f", "d/to_file");
        place.link("to_dir/to_file", "twice");
        place.link("../d/..", "d/to_root");
        assert_eq!(tree.t_read("to_dir/f").unwrap(), "inside");
        assert_eq!(tree.t_read("twice").unwrap(), "inside");
        assert_eq!(tree.t_read("d/to_root/d/to_root/twice").unwrap(), "inside");
        let info = tree.t_info("twice").unwrap();
        assert_eq!((info.path.as_str(), info.kind, info.size), ("twice", FileKind::File, 6));
        assert!(tree.t_info("d/to_root").unwrap().is_dir());
        assert!(tree.t_create_dir("to_dir", true).unwrap().is_dir());
        assert_eq!(tree.t_create("to_dir/new/file", "x", false).unwrap().path.as_str(), "to_dir/new/file");
        assert!(place.at("d/new/file").is_file());
        assert_eq!(tree.t_append("twice", "!").unwrap().size, 7);
        assert_eq!(tree.t_replace("twice", "other").unwrap().path.as_str(), "twice");
        assert_eq!(std::fs::read(place.at("d/f")).unwrap(), b"other");
        assert!(place.at("twice").is_symlink() && place.at("d/to_file").is_symlink());
        refused(tree.t_replace("d/to_root", "x"), ErrorKind::IsADirectory);
    });
}

#[test]
fn a_link_that_leads_out_is_refused_by_everything_and_described_as_a_link() {
    everywhere(|place| {
        let tree = &place.tree;
        for (name, target) in [
            ("up", "../outside".into()),
            ("absolute", place.outside()),
            ("inside_but_absolute", place.at("d")),
            ("proc", "/proc/self/root".into()),
            ("devious", "d/../../outside".into()),
        ] {
            place.link(&target, name);
            assert_eq!(tree.t_info(name).unwrap().kind, FileKind::Symlink, "{name}");
            refused(tree.t_list(name, true), ErrorKind::OutsideRoot);
            refused(tree.t_read(name), ErrorKind::OutsideRoot);
            refused(tree.t_replace(name, "x"), ErrorKind::OutsideRoot);
            refused(tree.t_append(name, "x"), ErrorKind::OutsideRoot);
            refused(tree.t_create_dir(name, true), ErrorKind::OutsideRoot);
            refused(tree.t_create(name, "x", false), ErrorKind::AlreadyExists);
            let below = format!("{name}/secret");
            refused(tree.t_info(&below), ErrorKind::OutsideRoot);
            refused(tree.t_read(&below), ErrorKind::OutsideRoot);
            refused(tree.t_stream_read(&below), ErrorKind::OutsideRoot);
            refused(tree.t_create(&below, "x", true), ErrorKind::OutsideRoot);
            refused(tree.t_create(&format!("{name}/new/x"), "x", true), ErrorKind::OutsideRoot);
            refused(tree.t_create_dir(&format!("{name}/new/x"), true), ErrorKind::OutsideRoot);
            refused(tree.t_stream(&below, &["x"], true), ErrorKind::OutsideRoot);
            refused(tree.t_replace(&below, "x"), ErrorKind::OutsideRoot);
            refused(tree.t_append(&below, "x"), ErrorKind::OutsideRoot);
            refused(tree.t_delete(&below, true), ErrorKind::OutsideRoot);
            refused(tree.t_copy(&below, "z", true), ErrorKind::OutsideRoot);
            refused(tree.t_copy("d/f", &below, true), ErrorKind::OutsideRoot);
            refused(tree.t_rename(&below, "z", true), ErrorKind::OutsideRoot);
            refused(tree.t_rename("d/f", &below, true), ErrorKind::OutsideRoot);
        }
        let error = tree.t_read("up/secret").unwrap_err();
        assert_eq!(error.path(), Some("up/secret"));
        assert_eq!(error.context().collect::<Vec<_>>(), [("link", "up")]);
        assert!(error.message().contains("leads out of the root"), "{error}");
    });
}

#[test]
fn dangling_links_and_loops_are_described_and_not_followed() {
    everywhere(|place| {
        let tree = &place.tree;
        place.link("nothing", "dangling");
        place.link("loop_b", "loop_a");
        place.link("loop_a", "loop_b");
        place.link("d/f/x", "through_file");
        for name in ["dangling", "loop_a", "through_file"] {
            assert_eq!(tree.t_info(name).unwrap().kind, FileKind::Symlink, "{name}");
            refused(tree.t_create(name, "x", false), ErrorKind::AlreadyExists);
            refused(tree.t_create_dir(name, true), ErrorKind::NotADirectory);
        }
        refused(tree.t_read("dangling"), ErrorKind::NotFound);
        refused(tree.t_replace("dangling", "x"), ErrorKind::NotFound);
        refused(tree.t_append("dangling", "x"), ErrorKind::NotFound);
        refused(tree.t_create("dangling/x", "x", false), ErrorKind::NotFound);
        refused(tree.t_read("loop_a"), ErrorKind::InvalidOperation);
        refused(tree.t_read("loop_a/x"), ErrorKind::InvalidOperation);
        refused(tree.t_read("through_file"), ErrorKind::NotADirectory);
        assert_eq!(tree.t_list("/", false).unwrap(), ["d", "dangling", "loop_a", "loop_b", "through_file"]);
        tree.t_create("dangling", "file now", true).unwrap();
        assert!(place.at("dangling").is_file() && !place.at("dangling").is_symlink());
    });
}

#[test]
fn deleting_moving_and_overwriting_mean_the_link_itself() {
    everywhere(|place| {
        let tree = &place.tree;
        for name in ["delete", "recursive", "overwrite", "stream", "copy", "rename", "source"] {
            place.link("d", name);
        }
        place.link("../outside", "out");
        tree.t_delete("delete", false).unwrap();
        tree.t_delete("recursive", true).unwrap();
        tree.t_create("overwrite", "1", true).unwrap();
        tree.t_stream("stream", &["2"], true).unwrap();
        tree.t_copy("overwrite", "copy", true).unwrap();
        tree.t_rename("stream", "rename", true).unwrap();
        assert!(tree.t_rename("source", "moved", false).unwrap().is_dir());
        assert!(place.at("moved").is_symlink());
        tree.t_delete("out", true).unwrap();
        for name in ["overwrite", "copy", "rename"] {
            assert!(!place.at(name).is_symlink() && place.at(name).is_file(), "{name}");
            let mode =
                std::os::unix::fs::PermissionsExt::mode(&place.at(name).metadata().unwrap().permissions());
            assert_eq!(mode & 0o111, 0, "{name}: the permissions of a link are no file's");
        }
        assert_eq!(tree.t_read("d/f").unwrap(), "inside");
    });
}

#[test]
fn a_recursive_delete_removes_links_and_not_where_they_lead() {
    everywhere(|place| {
        let tree = &place.tree;
        tree.t_create("gone/x/y", "x", false).unwrap();
        place.link("../../outside", "gone/out");
        place.link("../../d", "gone/x/in");
        place.link(place.outside(), "gone/x/absolute");
        tree.t_delete("gone", true).unwrap();
        assert_eq!(tree.t_list("/", true).unwrap(), ["d", "d/f"]);
    });
}

#[test]
fn a_listing_describes_links_and_does_not_walk_into_them() {
    everywhere(|place| {
        let tree = &place.tree;
        place.link(".", "self");
        place.link("d", "dir");
        place.link("d/f", "file");
        place.link("../outside", "out");
        let options = ListOptions::default().recursive(true);
        use FileKind::{Directory, File, Symlink};
        for options in [options, options.names_only(true)] {
            let mut entries: Vec<_> = tree.list(&parse("/"), options).unwrap().map(Result::unwrap).collect();
            entries.sort_by(|a, b| a.path.cmp(&b.path));
            let kinds: Vec<_> = entries.iter().map(|entry| (entry.path.as_str(), entry.kind)).collect();
            assert_eq!(
                kinds,
                [
                    ("d", Directory),
                    ("d/f", File),
                    ("dir", Directory),
                    ("file", File),
                    ("out", Symlink),
                    ("self", Directory)
                ]
            );
        }
        assert_eq!(tree.t_list("dir", true).unwrap(), ["dir/f"]);
    });
}

#[test]
fn more_links_than_the_kernel_follows_are_a_loop() {
    everywhere(|place| {
        place.link("d/f", "l0");
        for i in 1..=40 {
            place.link(format!("l{}", i - 1), &format!("l{i}"));
        }
        assert_eq!(place.tree.t_read("l39").unwrap(), "inside");
        refused(place.tree.t_read("l40"), ErrorKind::InvalidOperation);
    });
}

#[test]
fn moving_something_onto_itself_by_another_way_changes_nothing() {
    everywhere(|place| {
        place.link("d", "same");
        assert_eq!(place.tree.t_rename("d/f", "same/f", false).unwrap().path.as_str(), "same/f");
        assert_eq!(place.tree.t_rename("d/f", "same/f", true).unwrap().size, 6);
        assert_eq!(place.tree.t_read("d/f").unwrap(), "inside");
    });
}
