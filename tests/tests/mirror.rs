//! The engine of `mirror` on backends that fail in every place.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    num::NonZeroUsize,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use f9_host::{
    BackendPath, ByteRange, Bytes, CancelToken, ChecksumAlgorithm, Content, CreateOptions, DeleteOptions,
    Entries, Error, ErrorKind, Existing, FileBackend, FileInfo, ListOptions, MirrorEvent, MirrorOptions,
    MirrorReport, Reader, Result, Tree, UpdateMode, mirror,
};
use f9_plugin_api::conformance::StrictMemory;

fn path(text: &str) -> BackendPath {
    BackendPath::parse(text).unwrap()
}

/// A strict backend on which one thing can be made to fail.
#[derive(Default)]
struct Faulty {
    memory: StrictMemory,
    fault: Fault,
    creations: AtomicUsize,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Fault {
    #[default]
    None,
    /// The listing as a whole.
    List,
    /// One entry of each listing, besides the real ones.
    Entry,
    /// The second half of every file.
    Read,
    /// Creating a file of this name.
    Create(&'static str, ErrorKind),
    /// The size that is told of a file that was created.
    Size,
    /// Deleting.
    Delete,
}

impl Faulty {
    fn with(files: &[(&str, &str)]) -> Self {
        let backend = Self::default();
        for (name, content) in files {
            let options = CreateOptions::default();
            backend.memory.create(&path(name), (*content).into(), options).unwrap();
        }
        backend
    }

    fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    fn files(&self) -> BTreeSet<(String, String)> {
        let entries = self.memory.list(&path("/"), ListOptions::default().recursive(true)).unwrap();
        let infos: Vec<_> = entries.map(|entry| entry.unwrap()).filter(FileInfo::is_file).collect();
        let content =
            |path: &BackendPath| String::from_utf8(self.memory.read(path).unwrap().to_vec()).unwrap();
        infos.iter().map(|info| (info.path.to_string(), content(&info.path))).collect()
    }

    fn names(&self) -> Vec<String> {
        self.files().into_iter().map(|(name, _)| name).collect()
    }
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::Io, format!("broken {what}"))
}

impl FileBackend for Faulty {
    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        self.creations.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            Fault::Create(name, kind) if path.name() == Some(name) => {
                Err(Error::new(kind, "broken creation"))
            }
            Fault::Size => {
                let mut info = self.memory.create(path, content, options)?;
                info.size += 1;
                Ok(info)
            }
            _ => self.memory.create(path, content, options),
        }
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        self.memory.create_dir(path, options)
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.memory.read(path)
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        self.memory.update(path, content, mode)
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        if self.fault == Fault::Delete { Err(broken("deletion")) } else { self.memory.delete(path, options) }
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.memory.info(path)
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        match self.fault {
            Fault::List => Err(broken("listing")),
            Fault::Entry => {
                Ok(Box::new(std::iter::once(Err(broken("entry"))).chain(self.memory.list(path, options)?)))
            }
            _ => self.memory.list(path, options),
        }
    }

    fn open_read(&self, path: &BackendPath, range: ByteRange) -> Result<Reader> {
        if self.fault != Fault::Read {
            return self.memory.open_read(path, range);
        }
        let content = self.memory.read(path)?;
        Ok(Box::new(io::Cursor::new(content.slice(..content.len() / 2)).chain(BrokenRead)))
    }

    fn checksum(&self, path: &BackendPath, algorithm: ChecksumAlgorithm) -> Result<String> {
        self.memory.checksum(path, algorithm)
    }
}

struct BrokenRead;

impl Read for BrokenRead {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(broken("reading").into())
    }
}

/// Mirrors root to root, and answers the report with the errors as they were told, in no order.
fn run(from: &Faulty, to: &Faulty, options: &MirrorOptions) -> (MirrorReport, Vec<String>) {
    let errors = Mutex::new(Vec::new());
    let root = BackendPath::root();
    let report =
        mirror(Tree { backend: from, path: &root }, Tree { backend: to, path: &root }, options, &|event| {
            if let MirrorEvent::Failed { error } = event {
                let side = error.context().find(|(name, _)| *name == "side").unwrap().1;
                errors.lock().unwrap().push(format!(
                    "{side} {}: {}",
                    error.path().unwrap_or("-"),
                    error.message()
                ));
            }
        });
    (report.unwrap(), errors.into_inner().unwrap())
}

fn deleting() -> MirrorOptions {
    MirrorOptions::default().delete(true)
}

const FILES: [(&str, &str); 3] = [("a", "1"), ("d/b", "22"), ("d/e/c", "333")];

#[test]
fn what_is_the_same_is_not_touched_and_the_rest_is_brought() {
    let (from, to) = (Faulty::with(&FILES), Faulty::with(&[("a", "1"), ("d/b", "xx"), ("extra/x", "x")]));
    let (report, errors) = run(&from, &to, &MirrorOptions::default());
    assert_eq!((report.copied, report.bytes, report.same, errors.len()), (2, 5, 1, 0));
    assert!(report.is_complete());
    assert_eq!(to.creations.load(Ordering::SeqCst), 2);
    assert_eq!(to.names(), ["a", "d/b", "d/e/c", "extra/x"]);
    let (report, _) = run(&from, &to, &deleting());
    assert_eq!((report.copied, report.same, report.deleted), (0, 3, 2));
    assert_eq!((to.files(), to.creations.load(Ordering::SeqCst)), (from.files(), 2));
}

#[test]
fn a_side_that_cannot_be_listed_ends_it_before_anything_is_done() {
    let root = BackendPath::root();
    for (fault, to_fault, side) in
        [(Fault::List, Fault::None, "source"), (Fault::None, Fault::List, "destination")]
    {
        let (from, to) = (Faulty::with(&FILES).fault(fault), Faulty::with(&[("x", "x")]).fault(to_fault));
        let (source, destination) =
            (Tree { backend: &from, path: &root }, Tree { backend: &to, path: &root });
        let error = mirror(source, destination, &deleting(), &|_| ()).unwrap_err();
        assert_eq!((error.message(), error.context().next()), ("broken listing", Some(("side", side))));
        assert_eq!(to.names(), ["x"]);
    }
}

#[test]
fn an_entry_that_cannot_be_told_keeps_everything_from_being_deleted() {
    for (fault, to_fault, side) in
        [(Fault::Entry, Fault::None, "source"), (Fault::None, Fault::Entry, "destination")]
    {
        let (from, to) =
            (Faulty::with(&FILES).fault(fault), Faulty::with(&[("x", "x"), ("a/in", "x")]).fault(to_fault));
        let (report, errors) = run(&from, &to, &deleting());
        assert!(errors.contains(&format!("{side} -: broken entry")), "{errors:?}");
        assert!(report.deletions_withheld && !report.is_complete() && !report.is_nothing_done());
        assert!(to.names().contains(&"x".to_owned()));
        assert_eq!(to.names().contains(&"a/in".to_owned()), side == "source");
        assert!(to.names().contains(&"d/e/c".to_owned()));
    }
}

#[test]
fn a_file_that_breaks_off_while_it_is_read_is_not_stored() {
    let (from, to) = (Faulty::with(&FILES).fault(Fault::Read), Faulty::with(&[("d/b", "old!"), ("x", "x")]));
    let (report, mut errors) = run(&from, &to, &deleting());
    errors.sort();
    assert_eq!(
        errors,
        ["source a: broken reading", "source d/b: broken reading", "source d/e/c: broken reading"]
    );
    assert!(report.is_nothing_done() && report.deletions_withheld);
    assert_eq!(report.first_error.unwrap().kind(), ErrorKind::Io);
    assert_eq!(to.files(), [("d/b".into(), "old!".into()), ("x".into(), "x".into())].into());
}

#[test]
fn a_file_that_cannot_be_stored_does_not_keep_the_others() {
    let to = Faulty::with(&[("x", "x")]).fault(Fault::Create("b", ErrorKind::PermissionDenied));
    let (report, errors) = run(&Faulty::with(&FILES), &to, &deleting());
    assert_eq!(errors, ["destination d/b: broken creation"]);
    assert_eq!((report.copied, report.failed, report.left), (2, 1, 0));
    assert_eq!(to.names(), ["a", "d/e/c", "x"]);
}

#[test]
fn what_would_meet_every_file_ends_it() {
    let files: Vec<_> = (0..100).map(|i| (format!("{i:03}"), "x")).collect();
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), *content)).collect();
    let to = Faulty::default().fault(Fault::Create("010", ErrorKind::StorageFull));
    let options = MirrorOptions::default().parallel(NonZeroUsize::MIN);
    let (report, errors) = run(&Faulty::with(&files), &to, &options);
    assert_eq!((errors.len(), report.copied, report.failed, report.left), (1, 10, 1, 89));
    assert!(!report.is_complete());
}

#[test]
fn a_size_that_is_not_what_was_sent_is_a_failure() {
    let (report, errors) = run(&Faulty::with(&FILES), &Faulty::default().fault(Fault::Size), &deleting());
    assert_eq!((report.failed, errors.len()), (3, 3));
    assert_eq!(report.first_error.unwrap().kind(), ErrorKind::Integrity);
}

#[test]
fn a_deletion_that_fails_ends_the_deleting() {
    let to = Faulty::with(&[("x", "x"), ("y", "y")]).fault(Fault::Delete);
    let (report, errors) = run(&Faulty::with(&FILES), &to, &deleting());
    assert_eq!(
        (errors.as_slice(), report.deletions_withheld),
        (&["destination y: broken deletion".to_owned()][..], true)
    );
    assert_eq!((report.copied, report.failed), (3, 1));
}

#[test]
fn an_empty_source_deletes_nothing() {
    let (from, to, root) = (Faulty::default(), Faulty::with(&FILES), BackendPath::root());
    let (source, destination) = (Tree { backend: &from, path: &root }, Tree { backend: &to, path: &root });
    let error = mirror(source, destination, &deleting(), &|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidOperation);
    assert_eq!(to.names().len(), 3);
    assert!(run(&from, &to, &MirrorOptions::default()).0.is_complete());
    assert!(run(&from, &Faulty::default(), &deleting()).0.is_complete());
}

#[test]
fn what_exists_can_be_refused_or_replaced_without_comparing() {
    let (from, to) = (Faulty::with(&FILES), Faulty::with(&[("a", "old")]));
    let (report, errors) = run(&from, &to, &MirrorOptions::default().existing(Existing::Refuse));
    assert_eq!((errors.len(), report.copied), (1, 2));
    assert!(to.files().contains(&("a".into(), "old".into())));
    let (report, _) = run(&from, &to, &MirrorOptions::default().existing(Existing::Replace));
    assert_eq!((report.copied, report.same), (3, 0));
    assert_eq!(to.files(), from.files());
}

#[test]
fn who_asks_to_stop_gets_whole_files_and_no_deletions() {
    let files: Vec<_> = (0..50).map(|i| (format!("{i}"), "x".repeat(1000))).collect();
    let files: Vec<_> = files.iter().map(|(name, content)| (name.as_str(), content.as_str())).collect();
    let (from, to) = (Faulty::with(&files), Faulty::with(&[("old", "x")]));
    let (cancel, root) = (CancelToken::new(), BackendPath::root());
    let options = deleting().cancel(cancel.clone());
    let (source, destination) = (Tree { backend: &from, path: &root }, Tree { backend: &to, path: &root });
    let sent = AtomicUsize::new(0);
    let report = mirror(source, destination, &options, &|event| {
        if let MirrorEvent::Sent { bytes } = event
            && sent.fetch_add(bytes as usize, Ordering::SeqCst) > 10_500
        {
            cancel.cancel();
        }
    })
    .unwrap();
    assert!(report.cancelled && !report.is_complete() && report.failed == 0, "{report:?}");
    assert_eq!(report.copied + report.left, 50);
    assert!(to.files().iter().all(|(name, content)| name == "old" || content.len() == 1000));
    assert!(to.names().contains(&"old".to_owned()));
    let (report, _) = run(&from, &to, &deleting());
    assert_eq!((report.copied + report.same, report.deleted), (50, 1));
    assert_eq!(to.files(), from.files());
}

#[test]
fn a_dry_run_does_nothing() {
    let (from, to) = (Faulty::with(&FILES), Faulty::with(&[("x", "x"), ("a/in", "x")]));
    let (report, _) = run(&from, &to, &deleting().dry_run(true));
    assert_eq!((report.copied, report.bytes), (3, 6));
    assert!(report.deleted >= 2);
    assert_eq!((to.names(), to.creations.load(Ordering::SeqCst)), (vec!["a/in".into(), "x".into()], 0));
}
