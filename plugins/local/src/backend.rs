//! From the options to a tree: [`Tree`] is the backend.

use f9_plugin_api::{Error, ErrorKind, Result};
use f9_tree::{Tree, TreeOptions};

use crate::options::{Durability, LocalOptions};

/// Opens the root.
pub(crate) fn open(options: LocalOptions) -> Result<Tree> {
    let LocalOptions { root, create_root, durability } = options;
    if root.is_empty() || root.contains('\0') {
        return Err(Error::new(
            ErrorKind::InvalidConnection,
            "wrong value for the key `root`: expected a directory",
        )
        .with("key", "root")
        .hint("name a directory, such as \"data\"; \".\" is the working directory"));
    }
    let durability = match durability {
        Durability::None => f9_tree::Durability::None,
        Durability::Fsync => f9_tree::Durability::Fsync,
    };
    let options = TreeOptions::default().create_root(create_root).durability(durability);
    Tree::open(&root, options).map_err(|error| explain(error, create_root))
}

/// Says what to change in the connection.
fn explain(error: Error, create_root: bool) -> Error {
    let error = error.with("key", "root");
    match error.kind() {
        ErrorKind::NotFound if !create_root => {
            error.hint("make the directory, correct `root`, or set `create_root` to true")
        }
        ErrorKind::NotADirectory => error.hint("correct `root`: it must be a directory"),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use f9_plugin_api::{
        BackendPath, CreateOptions, FileBackend, parse_options,
        serde_json::{Value, json},
    };

    use super::*;

    fn open_json(options: Value) -> Result<Tree> {
        let Value::Object(options) = options else { panic!("not an object") };
        open(parse_options(options)?)
    }

    #[test]
    fn a_missing_root_is_made_unless_that_is_not_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("a/b");
        let error = open_json(json!({"root": root, "create_root": false})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.advice().unwrap().contains("create_root"), "{error:?}");
        assert_eq!(error.context().next(), Some(("key", "root")));
        assert!(!root.exists());

        let tree = open_json(json!({"root": root})).unwrap();
        tree.create(&BackendPath::parse("x").unwrap(), "1".into(), CreateOptions::default()).unwrap();
        assert_eq!(std::fs::read(root.join("x")).unwrap(), b"1");
        open_json(json!({"root": root, "create_root": false, "durability": "fsync"})).unwrap();
    }

    #[test]
    fn a_root_that_is_a_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = open_json(json!({"root": file.path()})).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory);
        assert!(error.advice().unwrap().contains("`root`"), "{error:?}");
    }

    #[test]
    fn wrong_options_are_named() {
        for (options, words) in [
            (json!({"root": ""}), "key `root`"),
            (json!({"root": "a\0b"}), "key `root`"),
            (json!({}), "key `root`"),
            (json!({"root": "x", "durability": "often"}), "\"none\", \"fsync\""),
            (json!({"root": "x", "create_rot": true}), "`create_rot`"),
        ] {
            let error = open_json(options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConnection);
            assert!(error.message().contains(words), "{error}");
        }
    }

    #[test]
    fn a_tilde_is_a_name_like_any_other() {
        let directory = tempfile::tempdir().unwrap();
        open_json(json!({"root": directory.path().join("~")})).unwrap();
        assert!(directory.path().join("~").is_dir());
    }
}
