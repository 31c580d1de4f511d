//! The attack: while every operation runs, threads exchange the leaf, its directory and the directory above with links
//! that lead out of the root. A neighbouring tree is compared before and after, and no answer may tell of it.
//!
//! The same attack on an implementation that canonicalises the path, checks it and then opens it must succeed: so we
//! know that it bites.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{
    BackendPath, ByteRange, Bytes, Content, CreateOptions, DeleteOptions, Entries, Error, ErrorKind,
    FileBackend, FileInfo, FileKind, ListOptions, Result, UpdateMode,
};
use rustix::{
    fd::OwnedFd,
    fs::{CWD, Mode, OFlags, RenameFlags, open, renameat_with, statat, symlinkat, unlinkat},
};

use super::{Resolver, full, parse};
use crate::{Tree, TreeOptions};

const SECRET: &str = "SECRET: this is outside of the root";

/// One operation; the answer is what it told, to be searched for secrets.
type Operation = fn(&dyn FileBackend, u64) -> Result<String>;

/// What the naive implementation has as well.
const BASIC: [(&str, Operation); 9] = [
    ("read", |tree, _| Ok(text(&tree.read(&parse("g/p/l"))?))),
    ("info", |tree, _| told(tree.info(&parse("g/p/l"))?)),
    ("list", |tree, _| listed(tree, "g/p", false)),
    ("create", |tree, i| {
        let info = tree.create(&name("n", i), "new".into(), CreateOptions::default());
        let _ = tree.delete(&name("n", i), DeleteOptions::default()); // for the next one
        told(info?)
    }),
    ("overwrite", |tree, _| {
        told(tree.create(&parse("g/p/l"), "inside".into(), CreateOptions::default().overwrite(true))?)
    }),
    ("create_dir", |tree, i| {
        let info = tree.create_dir(&name("d", i), CreateOptions::default());
        let _ = tree.delete(&name("d", i), DeleteOptions::default());
        told(info?)
    }),
    ("replace", |tree, _| told(tree.update(&parse("g/p/l"), "inside".into(), UpdateMode::Replace)?)),
    ("append", |tree, _| told(tree.update(&parse("g/p/l"), "+".into(), UpdateMode::Append)?)),
    ("delete", |tree, i| {
        let _ = tree.create(&name("n", i), "new".into(), CreateOptions::default());
        tree.delete(&name("n", i), DeleteOptions::default()).map(|()| String::new())
    }),
];

const FURTHER: [(&str, Operation); 10] = [
    ("read_range", |tree, _| Ok(text(&tree.read_range(&parse("g/p/l"), (0..9).into())?))),
    ("open_read", |tree, _| {
        let mut content = String::new();
        tree.open_read(&parse("g/p/l"), ByteRange::ALL)?.read_to_string(&mut content)?;
        Ok(content)
    }),
    ("list all", |tree, _| listed(tree, "g", true)),
    ("parents", |tree, i| {
        let path = parse(&format!("g/p/q{}/r/s", i % 16));
        told(tree.create(&path, "new".into(), CreateOptions::default().overwrite(true))?)
    }),
    ("delete all", |tree, i| {
        let path = parse(&format!("g/p/q{}", i % 16));
        let _ = tree.create(&path.join("r/s")?, "new".into(), CreateOptions::default());
        tree.delete(&path, DeleteOptions::default().recursive(true)).map(|()| String::new())
    }),
    ("open_write", |tree, i| {
        let options = CreateOptions::default().overwrite(i % 2 == 0);
        let mut writer = tree.open_write(&name("w", i), options)?;
        writer.write_all(b"new")?;
        told(writer.commit()?)
    }),
    ("copy from", |tree, _| {
        tree.copy(&parse("g/p/l"), &parse("copy"), over())?;
        Ok(text(&tree.read(&parse("copy"))?))
    }),
    ("copy to", |tree, i| {
        tree.create(&parse("source"), "x".into(), CreateOptions::default().overwrite(true))?;
        told(tree.copy(&parse("source"), &name("c", i), over())?)
    }),
    ("rename from", |tree, i| {
        let _ = tree.create(&name("c", i), "new".into(), CreateOptions::default());
        told(tree.rename(&name("c", i), &parse("moved"), over())?)
    }),
    ("rename to", |tree, i| {
        tree.create(&parse("source"), "x".into(), CreateOptions::default().overwrite(true))?;
        told(tree.rename(&parse("source"), &name("l", i % 2), over())?)
    }),
];

#[test]
fn nothing_gets_out_while_links_are_swapped_in() {
    withstand(Resolver::Kernel);
}

#[test]
fn nothing_gets_out_where_the_kernel_does_not_help() {
    withstand(Resolver::Walk);
}

/// Runs each operation under attack.
fn withstand(resolver: Resolver) {
    let rounds = if full() { 200_000 } else { 300 };
    let arena = Arena::new();
    let tree = super::open(&arena.root(), TreeOptions::default(), resolver);
    let before = arena.outside();
    let counts = arena.under_attack(|| {
        let operations = BASIC.iter().chain(&FURTHER);
        let counts = operations.map(|&(kind, operation)| {
            let count = run(&tree, operation, rounds);
            println!(
                "{resolver:?}, {kind}: {} done, {} refused, {} leaks",
                count.done, count.refused, count.leaks
            );
            (kind, count)
        });
        counts.collect::<Vec<_>>()
    });
    assert_eq!(arena.outside(), before, "something outside was changed");
    for (kind, count) in &counts {
        assert_eq!(count.leaks, 0, "{kind} told of what is outside");
    }
    // An attack that never lets anything through, or never stops anything, tries nothing.
    assert!(counts.iter().all(|(_, count)| count.done > 0), "{counts:?}");
    assert!(counts.iter().map(|(_, count)| count.refused).sum::<u64>() > rounds, "{counts:?}");
    assert_eq!(listed(&tree, "/", true).unwrap().matches(".f9-tmp").count(), 0);
}

#[test]
fn the_attack_gets_through_a_check_before_the_use() {
    let arena = Arena::new();
    let naive = Naive(arena.root());
    let before = arena.outside();
    let deadline = Instant::now() + Duration::from_secs(30);
    let leaked = arena.under_attack(|| {
        while Instant::now() < deadline {
            let leaks: u64 = BASIC.iter().map(|&(_, operation)| run(&naive, operation, 50).leaks).sum();
            if leaks > 0 && arena.outside() != before {
                return true;
            }
        }
        false
    });
    assert!(leaked, "the attack does not bite");
}

#[derive(Debug, Default)]
struct Count {
    done: u64,
    refused: u64,
    leaks: u64,
}

fn run(backend: &dyn FileBackend, operation: Operation, rounds: u64) -> Count {
    let (mut count, size_of_secret) = (Count::default(), format!("size={};", secret().len()));
    for i in 0.. {
        // On a busy machine a thread can stop for long in the middle of a swap: then some more are needed.
        if i >= rounds && (count.done > 0 || i > 50 * rounds) {
            break;
        }
        match operation(backend, i) {
            Ok(told) => {
                count.done += 1;
                count.leaks += u64::from(told.contains("SECRET") || told.contains(&size_of_secret));
            }
            Err(_) => count.refused += 1,
        }
    }
    count
}

/// A root with `g/p/l` in it and links beside each that lead to the same place outside.
struct Arena(tempfile::TempDir);

impl Arena {
    fn new() -> Self {
        let arena = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(arena.root().join("g/p")).unwrap();
        fs::write(arena.root().join("g/p/l"), "inside").unwrap();
        let outside = arena.0.path().join("outside");
        fs::create_dir_all(outside.join("g/p/SECRET_dir")).unwrap();
        for file in ["g/p/l", "g/p/SECRET_file", "g/p/n1", "g/p/n2", "g/p/n3"] {
            fs::write(outside.join(file), secret()).unwrap();
        }
        symlink("../outside/g", arena.root().join("g.link")).unwrap();
        symlink(outside.join("g/p"), arena.root().join("g/p.link")).unwrap();
        symlink("../../../outside/g/p/l", arena.root().join("g/p/l.link")).unwrap();
        arena
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// All that is outside: names and contents.
    fn outside(&self) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.0.path().join("outside")];
        while let Some(path) = left.pop() {
            if path.is_dir() && !path.is_symlink() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                found.insert(path, None);
            } else {
                found.insert(path.clone(), fs::read(&path).ok());
            }
        }
        found
    }

    /// Runs `work` while three threads swap.
    fn under_attack<T>(&self, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        let hold = |path: &Path| open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let (root, g, p) = (hold(&self.root()), hold(&self.root().join("g")), hold(&self.root().join("g/p")));
        thread::scope(|scope| {
            scope.spawn(|| swap(&root, "g", &stop, || ()));
            scope.spawn(|| swap(&g, "p", &stop, || ()));
            scope.spawn(|| swap(&p, "l", &stop, || mend(&p)));
            let result = work();
            stop.store(true, Ordering::Relaxed);
            result
        })
    }
}

/// Swaps there and back, for moments of many lengths, and lets go in between so that operations also get through.
fn swap(folder: &OwnedFd, name: &str, stop: &AtomicBool, mend: impl Fn()) {
    let link = format!("{name}.link");
    for round in 0_u32.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        for _ in 0..2 {
            let _ = renameat_with(folder, name, folder, &link, RenameFlags::EXCHANGE);
            (0..round.wrapping_mul(2_654_435_761) >> 24).for_each(|_| std::hint::spin_loop());
        }
        if round % 4 == 0 {
            mend();
            thread::sleep(Duration::from_micros(1));
        }
    }
}

/// Operations replace, move and delete the leaf and its link: puts both back.
fn mend(p: &OwnedFd) {
    let is_link = |name: &str| rustix::fs::readlinkat(p, name, Vec::new()).is_ok();
    if statat(p, "l", rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_err() {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY;
        if let Ok(fd) = rustix::fs::openat(p, "l", flags, Mode::from_raw_mode(0o666)) {
            let _ = rustix::io::write(&fd, b"inside");
        }
    }
    if !is_link("l") && !is_link("l.link") {
        let _ = unlinkat(p, "l.link", rustix::fs::AtFlags::empty());
        let _ = symlinkat("../../../outside/g/p/l", p, "l.link");
    }
}

/// Of a size that no file inside comes to, by however many appends.
fn secret() -> String {
    SECRET.repeat(10_000)
}

fn name(letter: &str, i: u64) -> BackendPath {
    parse(&format!("g/p/{letter}{}", i % 64))
}

fn over() -> f9_plugin_api::CopyOptions {
    f9_plugin_api::CopyOptions::default().overwrite(true)
}

fn text(bytes: &Bytes) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn told(info: FileInfo) -> Result<String> {
    Ok(format!("{} size={};", info.path, info.size))
}

fn listed(backend: &dyn FileBackend, path: &str, recursive: bool) -> Result<String> {
    let entries = backend.list(&parse(path), ListOptions::default().recursive(recursive))?;
    Ok(entries.flatten().map(|info| format!("{} size={};\n", info.path, info.size)).collect())
}

/// How many do it: canonicalise, compare with the root, then use the path.
struct Naive(PathBuf);

impl Naive {
    fn checked(&self, path: &BackendPath) -> Result<PathBuf> {
        let path = self.0.join(path.as_str());
        let (parent, name) = (path.parent().unwrap().canonicalize()?, path.file_name().unwrap());
        let real = parent.join(name);
        let end = real.canonicalize().unwrap_or_else(|_| real.clone());
        if !parent.starts_with(&self.0) || !end.starts_with(&self.0) {
            return Err(Error::new(ErrorKind::OutsideRoot, "outside"));
        }
        Ok(path)
    }

    fn described(&self, path: &BackendPath) -> Result<FileInfo> {
        let size = fs::metadata(self.checked(path)?)?.len();
        Ok(FileInfo::new(path.clone(), FileKind::File, size))
    }
}

impl FileBackend for Naive {
    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        let mut open = fs::OpenOptions::new();
        open.write(true).create_new(!options.overwrite).create(true).truncate(options.overwrite);
        open.open(self.checked(path)?)?.write_all(&content.into_bytes()?)?;
        self.described(path)
    }

    fn create_dir(&self, path: &BackendPath, _: CreateOptions) -> Result<FileInfo> {
        fs::create_dir_all(self.checked(path)?)?;
        self.described(path)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        Ok(fs::read(self.checked(path)?)?.into())
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        let mut open = fs::OpenOptions::new();
        open.append(mode == UpdateMode::Append).write(true).truncate(mode == UpdateMode::Replace);
        open.open(self.checked(path)?)?.write_all(&content.into_bytes()?)?;
        self.described(path)
    }

    fn delete(&self, path: &BackendPath, _: DeleteOptions) -> Result<()> {
        Ok(fs::remove_file(self.checked(path)?)?)
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.described(path)
    }

    fn list(&self, path: &BackendPath, _: ListOptions) -> Result<Entries> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.checked(path)?)? {
            let name = entry?.file_name();
            entries.push(Ok(FileInfo::new(path.join(&name.to_string_lossy())?, FileKind::File, 0)));
        }
        Ok(Box::new(entries.into_iter()))
    }
}

#[test]
fn the_root_itself_may_be_moved_while_it_is_in_use() {
    let arena = Arena::new();
    let tree = Tree::open(arena.root(), TreeOptions::default()).unwrap();
    let moved = arena.0.path().join("moved");
    renameat_with(CWD, arena.root(), CWD, &moved, RenameFlags::empty()).unwrap();
    symlink("outside", arena.root()).unwrap();
    tree.create(&parse("g/p/new"), "x".into(), CreateOptions::default()).unwrap();
    assert!(moved.join("g/p/new").exists());
    assert_eq!(&tree.read(&parse("g/p/l")).unwrap()[..], b"inside");
}
