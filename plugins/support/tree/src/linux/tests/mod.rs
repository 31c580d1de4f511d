//! The promises, tried out. Runs are short; `F9_FULL=1` makes them long.

mod attack;
mod basics;
mod beside;
mod durability;
mod faults;
mod hostile;
mod kill;
mod limits;
mod links;
mod model;
mod mounts;
mod names;
mod race;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use f9_plugin_api::{
    BackendPath, ByteRange, CopyOptions, CreateOptions, DeleteOptions, ErrorKind, FileBackend, FileInfo,
    ListOptions, Result, UpdateMode,
};
use tempfile::TempDir;

use super::resolve::Root;
use crate::{Durability, Tree, TreeOptions};

/// How a tree under test finds its way.
#[derive(Debug, Clone, Copy)]
enum Resolver {
    /// With `openat2`.
    Kernel,
    /// As on a kernel without it, and a file system without unnamed files.
    Walk,
}

const RESOLVERS: [Resolver; 2] = [Resolver::Kernel, Resolver::Walk];

/// What all basic tests run with.
const WAYS: [(Resolver, Durability); 3] = [
    (Resolver::Kernel, Durability::None),
    (Resolver::Walk, Durability::None),
    (Resolver::Kernel, Durability::Fsync),
];

fn open(path: &Path, options: TreeOptions, resolver: Resolver) -> Tree {
    std::fs::create_dir_all(path).unwrap();
    let root = Root::open(path, options.reserved).unwrap();
    match resolver {
        Resolver::Kernel => Tree::with_root(root, options),
        Resolver::Walk => {
            let tree = Tree::with_root(root.without_openat2(), options);
            tree.set_no_unnamed();
            tree
        }
    }
}

/// A tree in a directory of its own, which has a neighbour that nothing may reach.
struct Place {
    directory: TempDir,
    tree: Tree,
}

impl Place {
    fn new() -> Self {
        Self::with(TreeOptions::default(), Resolver::Kernel)
    }

    fn with(options: TreeOptions, resolver: Resolver) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("outside")).unwrap();
        std::fs::write(directory.path().join("outside/secret"), "SECRET").unwrap();
        let tree = open(&directory.path().join("root"), options, resolver);
        Self { directory, tree }
    }

    /// Where `path` is on the disk.
    fn at(&self, path: &str) -> PathBuf {
        self.directory.path().join("root").join(path)
    }

    fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    fn link(&self, target: impl AsRef<Path>, path: &str) {
        std::os::unix::fs::symlink(target, self.at(path)).unwrap();
    }

    /// Every name in the root directory itself, but for that of the temporary files.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.at("")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".f9-tmp");
        names.sort();
        names
    }
}

/// The operations with paths as text and the options that tests vary.
impl Tree {
    fn t_create(&self, path: &str, content: &str, overwrite: bool) -> Result<FileInfo> {
        self.create(&parse(path), content.into(), CreateOptions::default().overwrite(overwrite))
    }

    fn t_create_dir(&self, path: &str, overwrite: bool) -> Result<FileInfo> {
        self.create_dir(&parse(path), CreateOptions::default().overwrite(overwrite))
    }

    fn t_read(&self, path: &str) -> Result<String> {
        self.read(&parse(path)).map(|content| String::from_utf8(content.to_vec()).unwrap())
    }

    fn t_replace(&self, path: &str, content: &str) -> Result<FileInfo> {
        self.update(&parse(path), content.into(), UpdateMode::Replace)
    }

    fn t_append(&self, path: &str, content: &str) -> Result<FileInfo> {
        self.update(&parse(path), content.into(), UpdateMode::Append)
    }

    fn t_delete(&self, path: &str, recursive: bool) -> Result<()> {
        self.delete(&parse(path), DeleteOptions::default().recursive(recursive))
    }

    fn t_info(&self, path: &str) -> Result<FileInfo> {
        self.info(&parse(path))
    }

    fn t_list(&self, path: &str, recursive: bool) -> Result<Vec<String>> {
        let entries = self.list(&parse(path), ListOptions::default().recursive(recursive))?;
        let mut names = entries.map(|entry| Ok(entry?.path.to_string())).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn t_stream(&self, path: &str, pieces: &[&str], overwrite: bool) -> Result<FileInfo> {
        let mut writer = self.open_write(&parse(path), CreateOptions::default().overwrite(overwrite))?;
        for piece in pieces {
            writer.write_all(piece.as_bytes())?;
        }
        writer.commit()
    }

    fn t_stream_read(&self, path: &str) -> Result<String> {
        let mut text = String::new();
        self.open_read(&parse(path), ByteRange::ALL)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn t_copy(&self, from: &str, to: &str, overwrite: bool) -> Result<FileInfo> {
        self.copy(&parse(from), &parse(to), CopyOptions::default().overwrite(overwrite))
    }

    fn t_rename(&self, from: &str, to: &str, overwrite: bool) -> Result<FileInfo> {
        self.rename(&parse(from), &parse(to), CopyOptions::default().overwrite(overwrite))
    }
}

fn parse(path: &str) -> BackendPath {
    BackendPath::parse(path).unwrap()
}

#[track_caller]
fn refused<T>(result: Result<T>, kind: ErrorKind) {
    match result {
        Ok(_) => panic!("expected {kind}, and it succeeded"),
        Err(error) => assert_eq!(error.kind(), kind, "{error:?}"),
    }
}

/// This test binary again, running the one test `name` on the tree at `root`.
fn run_again(name: &str, root: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", &format!("linux::tests::{name}")]);
    command.env("F9_TREE_CHILD", root).stdout(Stdio::null()).stderr(Stdio::inherit());
    command
}

/// In a child of a test, the root that it is to work on.
fn child_directory() -> Option<PathBuf> {
    std::env::var_os("F9_TREE_CHILD").map(PathBuf::from)
}

/// Whether the long runs are wanted.
fn full() -> bool {
    std::env::var_os("F9_FULL").is_some_and(|value| value == "1")
}
