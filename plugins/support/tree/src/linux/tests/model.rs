//! The contract: its suite, and random sequences of operations side by side with a model in memory.

use f9_plugin_api::{
    BackendPath, CopyOptions, CreateOptions, DeleteOptions, FileBackend, FileInfo, FileKind, ListOptions,
    Result, UpdateMode,
    conformance::{self, StrictMemory},
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use tempfile::TempDir;

use super::{Resolver, full, open, parse};
use crate::{Durability, Tree, TreeOptions};

/// A tree that takes its directory along.
struct Fresh {
    tree: Tree,
    _directory: TempDir,
}

impl Fresh {
    fn new(resolver: Resolver, durability: Durability) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let tree = open(directory.path(), TreeOptions::default().durability(durability), resolver);
        Self { tree, _directory: directory }
    }
}

#[test]
fn the_tree_keeps_the_contract() {
    // The suite makes thousands of files: waiting for the disk each time takes long.
    let ways = super::WAYS.into_iter().filter(|(_, durability)| full() || *durability == Durability::None);
    for (resolver, durability) in ways {
        let kept = std::sync::Mutex::new(Vec::new());
        let report = conformance::run(|| {
            let Fresh { tree, _directory } = Fresh::new(resolver, durability);
            kept.lock().unwrap().push(_directory);
            Box::new(tree)
        });
        report.assert();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create { path: BackendPath, content: Vec<u8>, overwrite: bool, stream: bool },
    CreateDir { path: BackendPath, overwrite: bool },
    Update { path: BackendPath, content: Vec<u8>, append: bool },
    Delete { path: BackendPath, recursive: bool },
    Copy { from: BackendPath, to: BackendPath, overwrite: bool },
    Rename { from: BackendPath, to: BackendPath, overwrite: bool },
    Read { path: BackendPath, start: u64, end: u64 },
    Info { path: BackendPath },
    List { path: BackendPath, recursive: bool },
}

/// What two backends must agree on.
#[derive(Debug, PartialEq)]
enum Answer {
    Info(String, FileKind, u64),
    Content(Vec<u8>),
    Names(Vec<String>),
    Nothing,
}

#[test]
fn random_sequences_do_what_the_model_does() {
    let cases = if full() { 10_000 } else { 150 };
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let sequences = proptest::collection::vec(step(), 1..40);
    let run = TestRunner::new(config).run(&sequences, |steps| {
        let fresh = Fresh::new(Resolver::Kernel, Durability::None);
        let model = StrictMemory::new();
        for step in &steps {
            let (real, expected) = (apply(&fresh.tree, step), apply(&model, step));
            let kinds = (real.as_ref().map_err(|e| e.kind()), expected.as_ref().map_err(|e| e.kind()));
            assert_eq!(kinds.0, kinds.1, "{step:?}: {real:?}");
        }
        let everything = |backend: &dyn FileBackend| {
            apply(backend, &Step::List { path: BackendPath::root(), recursive: true }).unwrap()
        };
        assert_eq!(everything(&fresh.tree), everything(&model));
        Ok(())
    });
    run.unwrap();
    println!("{cases} sequences");
}

fn apply(backend: &dyn FileBackend, step: &Step) -> Result<Answer> {
    match step {
        Step::Create { path, content, overwrite, stream: false } => backend
            .create(path, content.into(), CreateOptions::default().overwrite(*overwrite))
            .map(described),
        Step::Create { path, content, overwrite, stream: true } => {
            let mut writer = backend.open_write(path, CreateOptions::default().overwrite(*overwrite))?;
            writer.write_all(content)?;
            writer.commit().map(described)
        }
        Step::CreateDir { path, overwrite } => {
            backend.create_dir(path, CreateOptions::default().overwrite(*overwrite)).map(described)
        }
        Step::Update { path, content, append } => {
            let mode = if *append { UpdateMode::Append } else { UpdateMode::Replace };
            backend.update(path, content.into(), mode).map(described)
        }
        Step::Delete { path, recursive } => {
            let options = DeleteOptions::default().recursive(*recursive);
            backend.delete(path, options).map(|()| Answer::Nothing)
        }
        Step::Copy { from, to, overwrite } => {
            backend.copy(from, to, CopyOptions::default().overwrite(*overwrite)).map(described)
        }
        Step::Rename { from, to, overwrite } => {
            backend.rename(from, to, CopyOptions::default().overwrite(*overwrite)).map(described)
        }
        Step::Read { path, start, end } => {
            backend.read_range(path, (*start..*end).into()).map(|content| Answer::Content(content.to_vec()))
        }
        Step::Info { path } => backend.info(path).map(described),
        Step::List { path, recursive } => {
            let entries = backend.list(path, ListOptions::default().recursive(*recursive))?;
            let lines = entries.map(|entry| entry.map(|info| format!("{:?}", described(info))));
            let mut lines = lines.collect::<Result<Vec<_>>>()?;
            lines.sort();
            Ok(Answer::Names(lines))
        }
    }
}

fn described(info: FileInfo) -> Answer {
    Answer::Info(info.path.to_string(), info.kind, info.size)
}

/// Few names, so that they meet.
fn path() -> impl Strategy<Value = BackendPath> + Clone {
    let name = || prop_oneof![Just("a"), Just("b"), Just("é \n")];
    prop_oneof![
        1 => Just(BackendPath::root()),
        10 => proptest::collection::vec(name(), 1..4).prop_map(|names| parse(&names.join("/"))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let content = || proptest::collection::vec(any::<u8>(), 0..20);
    let flag = any::<bool>;
    prop_oneof![
        4 => (path(), content(), flag(), flag())
            .prop_map(|(path, content, overwrite, stream)| Step::Create { path, content, overwrite, stream }),
        2 => (path(), flag()).prop_map(|(path, overwrite)| Step::CreateDir { path, overwrite }),
        2 => (path(), content(), flag()).prop_map(|(path, content, append)| Step::Update { path, content, append }),
        2 => (path(), flag()).prop_map(|(path, recursive)| Step::Delete { path, recursive }),
        1 => (path(), path(), flag()).prop_map(|(from, to, overwrite)| Step::Copy { from, to, overwrite }),
        2 => (path(), path(), flag()).prop_map(|(from, to, overwrite)| Step::Rename { from, to, overwrite }),
        1 => (path(), 0..30_u64, 0..30_u64).prop_map(|(path, start, end)| Step::Read { path, start, end }),
        1 => path().prop_map(|path| Step::Info { path }),
        1 => (path(), flag()).prop_map(|(path, recursive)| Step::List { path, recursive }),
    ]
}
