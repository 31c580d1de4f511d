//! Temporary files where there is no `.f9-tmp` for them: something else has its name.

use std::{
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::PathBuf,
};

use f9_plugin_api::{Content, CreateOptions, ErrorKind, FileBackend, UpdateMode};

use super::{Place, RESOLVERS, child_directory, parse, refused, run_again};
use crate::{Tree, TreeOptions};

/// Places where every temporary name is beside its file's own.
fn everywhere(test: impl Fn(&Place)) {
    for resolver in RESOLVERS {
        let place = Place::with(TreeOptions::default(), resolver);
        fs::write(place.at(".f9-tmp"), "no directory").unwrap();
        place.tree.t_create_dir("d", false).unwrap();
        test(&place);
        assert_eq!(fs::read(place.at(".f9-tmp")).unwrap(), b"no directory");
    }
}

fn hidden(place: &Place) -> Vec<PathBuf> {
    let paths = fs::read_dir(place.at("d")).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().as_encoded_bytes().starts_with(b".f9-tmp-")).collect()
}

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

/// Looks at the temporary files when it is read.
struct Watching<'p>(&'p Place, Vec<u32>);

impl std::io::Read for Watching<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        self.1.extend(hidden(self.0).into_iter().map(mode));
        Ok(0)
    }
}

#[test]
fn new_content_is_for_nobody_else_until_it_is_in_its_place() {
    everywhere(|place| {
        let tree = &place.tree;
        fs::write(place.at("plain"), "").unwrap();
        let usual = mode(place.at("plain"));
        for (old, expected) in [(Some(0o600), 0o600), (Some(0o640), 0o640), (None, usual)] {
            let file = place.at("d/f");
            if let Some(old) = old {
                fs::write(&file, "old").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(old)).unwrap();
                let mut watching = Watching(place, Vec::new());
                tree.update(&parse("d/f"), Content::Reader(&mut watching), UpdateMode::Replace).unwrap();
                assert_eq!(watching.1, [0o600]);
            }
            let over = CreateOptions::default().overwrite(true);
            let mut writer = tree.open_write(&parse("d/f"), over).unwrap();
            writer.write_all(b"new").unwrap();
            assert!(hidden(place).into_iter().all(|path| mode(path) == 0o600));
            writer.commit().unwrap();
            assert_eq!(mode(file.clone()), expected);
            assert_eq!(hidden(place), [] as [PathBuf; 0]);
            fs::remove_file(file).unwrap();
        }
    });
}

#[test]
fn a_file_that_is_gone_when_it_is_to_be_replaced_is_made_like_a_new_one() {
    everywhere(|place| {
        fs::write(place.at("plain"), "").unwrap();
        place.tree.t_create("d/f", "old", false).unwrap();
        fs::set_permissions(place.at("d/f"), fs::Permissions::from_mode(0o600)).unwrap();
        let over = CreateOptions::default().overwrite(true);
        let mut writer = place.tree.open_write(&parse("d/f"), over).unwrap();
        fs::remove_file(place.at("d/f")).unwrap();
        writer.commit().unwrap();
        assert_eq!(mode(place.at("d/f")), mode(place.at("plain")));
    });
}

/// Has a child begin to write `d/f` and be killed over it.
fn kill_over(place: &Place) {
    let before = hidden(place).len();
    let status = run_again("beside::child_dies", &place.at("")).status().unwrap();
    assert!(!status.success(), "it was to be killed");
    assert_eq!(hidden(place).len(), before + 1);
}

/// Not a test of its own: what the child of the ones below does.
#[test]
fn child_dies() {
    let Some(root) = child_directory() else { return };
    let tree = Tree::open(&root, TreeOptions::default()).unwrap();
    let over = CreateOptions::default().overwrite(true);
    let mut writer = tree.open_write(&parse("d/f"), over).unwrap();
    writer.write_all(b"new").unwrap();
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_a_live_one_needs_is_not() {
    type Removal = fn(&Place);
    let removals: [Removal; 3] = [
        |place| assert_eq!(place.tree.t_list("/", true).unwrap(), ["d", "d/f", "d/g"]),
        |place| refused(place.tree.t_delete("d", false), ErrorKind::DirectoryNotEmpty),
        |place| drop(place.tree.t_replace("d/f", "newer").unwrap()),
    ];
    for remove in removals {
        everywhere(|place| {
            fs::write(place.at("d/f"), "old").unwrap();
            fs::write(place.at("d/g"), "old").unwrap();
            let live = Tree::open(place.at(""), TreeOptions::default()).unwrap();
            let over = CreateOptions::default().overwrite(true);
            let mut writer = live.open_write(&parse("d/g"), over).unwrap();
            writer.write_all(b"new").unwrap();
            let needed = hidden(place);
            kill_over(place);

            remove(place);
            assert_eq!(hidden(place), needed);
            writer.commit().unwrap();
            assert_eq!(place.tree.t_read("d/g").unwrap(), "new");
        });
    }
}

/// Puts a file of its own over every temporary one that it finds in `.f9-tmp`, as whoever can write there could.
struct Swapping<'p>(&'p Place, &'static [u8]);

impl std::io::Read for Swapping<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        for entry in fs::read_dir(self.0.at(".f9-tmp")).unwrap() {
            let evil = self.0.outside().join("evil");
            fs::write(&evil, "theirs").unwrap();
            fs::rename(evil, entry.unwrap().path()).unwrap();
        }
        let next = std::mem::take(&mut self.1);
        buffer[..next.len()].copy_from_slice(next);
        Ok(next.len())
    }
}

/// Has `f` updated while others can do what they like in `.f9-tmp`.
fn update_despite_others(place: &Place, left_by_them: &[&str]) {
    let theirs = || {
        let entries = fs::read_dir(place.at(".f9-tmp")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    fs::write(place.at("f"), "old").unwrap();
    let tree = Tree::open(place.at(""), TreeOptions::default()).unwrap();
    let mut content = Swapping(place, b"ours");
    tree.update(&parse("f"), Content::Reader(&mut content), UpdateMode::Replace).unwrap();
    assert_eq!(fs::read(place.at("f")).unwrap(), b"ours");
    drop(tree);
    assert_eq!(theirs(), left_by_them, "nothing of ours is made there, nothing of theirs is removed");
    assert_eq!(place.names(), ["f"], "nothing stays beside it");
}

#[test]
fn a_directory_that_others_can_write_to_is_not_used() {
    for mode in [0o777, 0o1777, 0o770, 0o702] {
        let place = Place::new();
        fs::create_dir(place.at(".f9-tmp")).unwrap();
        fs::set_permissions(place.at(".f9-tmp"), fs::Permissions::from_mode(mode)).unwrap();
        // It has the look of what a killed process left.
        fs::write(place.at(".f9-tmp/abc"), "").unwrap();
        fs::write(place.at(".f9-tmp/abc-1"), "").unwrap();
        update_despite_others(&place, &["abc", "abc-1"]);
    }
}

#[test]
fn a_directory_of_another_user_is_not_used() {
    let place = Place::new();
    fs::create_dir(place.at(".f9-tmp")).unwrap();
    fs::set_permissions(place.at(".f9-tmp"), fs::Permissions::from_mode(0o755)).unwrap();
    if std::os::unix::fs::chown(place.at(".f9-tmp"), Some(65_534), None).is_err() {
        println!("SKIPPED: only root can give a directory to another user");
        return;
    }
    update_despite_others(&place, &[]);
}

#[test]
fn a_directory_that_others_can_only_look_into_is_used() {
    let place = Place::new();
    fs::create_dir(place.at(".f9-tmp")).unwrap();
    fs::set_permissions(place.at(".f9-tmp"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.at("f"), "old").unwrap();
    let mut watching = InDirectory(&place, Vec::new());
    place.tree.update(&parse("f"), Content::Reader(&mut watching), UpdateMode::Replace).unwrap();
    watching.1.sort_unstable();
    assert_eq!(watching.1, [0o600, 0o600], "the lock and the file");
}

/// Looks at the files in `.f9-tmp` when it is read.
struct InDirectory<'p>(&'p Place, Vec<u32>);

impl std::io::Read for InDirectory<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        let entries = fs::read_dir(self.0.at(".f9-tmp")).unwrap();
        self.1.extend(entries.map(|entry| mode(entry.unwrap().path())));
        Ok(0)
    }
}

#[test]
fn a_directory_is_empty_when_only_a_killed_process_left_something_in_it() {
    everywhere(|place| {
        fs::write(place.at("d/f"), "old").unwrap();
        kill_over(place);
        fs::remove_file(place.at("d/f")).unwrap();
        // What only looks alike is not the tree's to remove.
        fs::write(place.at("d/.f9-tmp-mine"), "").unwrap();
        refused(place.tree.t_delete("d", false), ErrorKind::DirectoryNotEmpty);
        fs::remove_file(place.at("d/.f9-tmp-mine")).unwrap();
        place.tree.t_delete("d", false).unwrap();
        assert!(!place.at("d").exists());
    });
}
