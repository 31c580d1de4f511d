//! Names: reserved, unspeakable, too long.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use f9_plugin_api::{ErrorKind, FileBackend, FileKind, ListOptions};

use super::{Place, RESOLVERS, parse, refused};
use crate::TreeOptions;

#[test]
fn names_that_no_path_can_tell_are_errors_in_a_listing_that_goes_on() {
    let place = Place::new();
    std::fs::create_dir(place.at("d")).unwrap();
    for name in [&b"bad\xff"[..], b"back\\slash", b"good", b"d/bad\xfe", b"d/good", b"C:drive"] {
        std::fs::write(place.at("").join(OsStr::from_bytes(name)), "x").unwrap();
    }
    let options = ListOptions::default().recursive(true);
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for entry in place.tree.list(&parse("/"), options).unwrap() {
        match entry {
            Ok(info) => found.push(info.path.to_string()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidPath);
                errors.push(error.path().unwrap().to_owned());
            }
        }
    }
    found.sort();
    errors.sort();
    assert_eq!(found, ["d", "d/good", "good"]);
    assert_eq!(errors, ["C:drive", "back\\slash", "bad\u{fffd}", "d/bad\u{fffd}"]);
    place.tree.t_delete("d", true).unwrap();
}

#[test]
fn temporary_names_are_out_of_reach_and_never_listed() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        std::fs::create_dir_all(place.at(".f9-tmp-x/y")).unwrap();
        std::fs::create_dir_all(place.at("d/.F9-tmp")).unwrap();
        std::fs::write(place.at("d/.F9-tmp/file"), "x").unwrap();
        place.link("d/.F9-tmp", "link");
        let tree = &place.tree;
        for path in [".f9-tmp", ".f9-tmp-x/y", "d/.F9-tmp/file", "link/file"] {
            refused(tree.t_read(path), ErrorKind::InvalidPath);
            refused(tree.t_list(path, true), ErrorKind::InvalidPath);
            refused(tree.t_info(path), ErrorKind::InvalidPath);
            refused(tree.t_create(path, "x", true), ErrorKind::InvalidPath);
            refused(tree.t_create_dir(path, true), ErrorKind::InvalidPath);
            refused(tree.t_stream(path, &[], true), ErrorKind::InvalidPath);
            refused(tree.t_append(path, "x"), ErrorKind::InvalidPath);
            refused(tree.t_replace(path, "x"), ErrorKind::InvalidPath);
            refused(tree.t_delete(path, true), ErrorKind::InvalidPath);
            refused(tree.t_copy(path, "z", true), ErrorKind::InvalidPath);
            refused(tree.t_rename(path, "z", true), ErrorKind::InvalidPath);
        }
        assert_eq!(tree.t_info("link").unwrap().kind, FileKind::Symlink);
        assert_eq!(tree.t_list("/", true).unwrap(), ["d", "link"]);
    }
}

#[test]
fn names_of_the_options_are_out_of_reach_wherever_a_link_leads() {
    for resolver in RESOLVERS {
        let options = TreeOptions::default().reserved(|name| name.eq_ignore_ascii_case(".git"));
        let place = Place::with(options, resolver);
        std::fs::create_dir_all(place.at(".git/hooks")).unwrap();
        std::fs::create_dir_all(place.at("sub/deep/.git")).unwrap();
        std::fs::write(place.at("sub/deep/.git/config"), "x").unwrap();
        std::fs::write(place.at("sub/deep/file"), "x").unwrap();
        place.link("sub/../.git/hooks", "link");
        place.link("../.git", "sub/up");
        let tree = &place.tree;
        for path in
            [".git/config", ".GIT/x", "sub/deep/.git/config", "link/pre-push", "sub/up/config", "link/../x"]
        {
            let Ok(path) = f9_plugin_api::BackendPath::parse(path) else { continue };
            let path = path.as_str();
            refused(tree.t_read(path), ErrorKind::InvalidPath);
            refused(tree.t_create(path, "x", true), ErrorKind::InvalidPath);
            refused(tree.t_append(path, "x"), ErrorKind::InvalidPath);
            refused(tree.t_rename("sub/deep/file", path, true), ErrorKind::InvalidPath);
        }
        assert_eq!(tree.t_info("link").unwrap().kind, FileKind::Symlink);
        assert_eq!(tree.t_list("/", true).unwrap(), ["link", "sub", "sub/deep", "sub/deep/file", "sub/up"]);
        refused(tree.t_delete("sub", true), ErrorKind::DirectoryNotEmpty);
        assert_eq!(std::fs::read(place.at("sub/deep/.git/config")).unwrap(), b"x");
        assert!(!place.at("sub/deep/file").exists());
    }
}

#[test]
fn names_and_paths_that_are_too_long_are_refused() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        let long = "x".repeat(256);
        refused(place.tree.t_create(&long, "x", false), ErrorKind::InvalidPath);
        refused(place.tree.t_create(&format!("{long}/y"), "x", false), ErrorKind::InvalidPath);
        refused(place.tree.t_create_dir(&format!("d/{long}"), false), ErrorKind::InvalidPath);
        refused(place.tree.t_info(&long), ErrorKind::InvalidPath);
        refused(place.tree.t_stream(&long, &[], false), ErrorKind::InvalidPath);
    }
}

#[test]
fn a_tree_deeper_than_the_process_may_have_open_is_listed_and_deleted() {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        let depth = 120;
        let path = "d/".repeat(depth);
        place.tree.t_create_dir(&path, false).unwrap();
        for level in (1..depth).step_by(11) {
            place.tree.t_create(&format!("{}f", "d/".repeat(level)), "x", false).unwrap();
            place.tree.t_create(&format!("{}a/g", "d/".repeat(level)), "x", false).unwrap();
        }
        let expected = depth + 3 * (1..depth).step_by(11).count();
        let listed = place.tree.t_list("/", true).unwrap();
        assert_eq!(listed.len(), expected);
        assert!(listed.windows(2).all(|pair| pair[0] != pair[1]));
        place.tree.t_delete("d", true).unwrap();
        assert!(place.names().is_empty());
    }
}

#[test]
fn a_tree_deeper_than_any_path_is_deleted() {
    let place = Place::new();
    // Each half is as long as a path can be.
    let half = format!("{}/", "d".repeat(200)).repeat(20);
    place.tree.t_create_dir(&half, false).unwrap();
    place.tree.t_create_dir(&half.replace('d', "e"), false).unwrap();
    place.tree.t_rename(&"e".repeat(200), &format!("{half}e"), false).unwrap();
    let errors = place.tree.list(&parse("/"), ListOptions::default().recursive(true)).unwrap();
    assert!(errors.filter_map(Result::err).all(|error| error.kind() == ErrorKind::InvalidPath));
    place.tree.t_delete(&"d".repeat(200), true).unwrap();
    assert!(place.names().is_empty());
}
