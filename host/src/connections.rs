//! Connections by name, kept in a file.

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Error, ErrorKind, Result, nearest};
use serde_json::{Map, Value};

use crate::{
    Backend, Connection, Host,
    connection::kind_of,
    json, private, quoted,
    replace::{Readers, exclusively, replace},
};

/// Connections by name, from a JSON file:
///
/// ```json
/// {
///     "notes": {"backend": "local", "root": "/srv/notes"},
///     "site": {"backend": "git", "remote_url": "https://example.com/site.git", "path": "/srv/site", "password": {"$env": "SITE_PASSWORD"}}
/// }
/// ```
///
/// Relative paths in it are taken from the working directory, as in any connection. A secret is better referred to than
/// written down; one that is written down is only used while nobody but the file's owner can read it.
///
/// An entry that is no connection fails when it is used, and not the others: [`broken`](Self::broken) tells of it, and it
/// stays in the file as it is.
///
/// Besides the connections there may be `"$plugin_dirs": ["/opt/f9/plugins"]`, directories to search for plugins, written in
/// full. A file with some is refused while others than its owner can write to it: they would say which code is run.
#[derive(Debug, Clone)]
pub struct Connections {
    file: PathBuf,
    by_name: BTreeMap<String, Entry>,
    plugin_dirs: Vec<PathBuf>,
    others_can_read: bool,
    /// Something was added that may hold a secret.
    is_private: bool,
}

/// What stands in the file by a name.
#[derive(Clone)]
enum Entry {
    Usable(Connection),
    Broken(Value),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usable(connection) => connection.fmt(f),
            Self::Broken(_) => f.write_str("Broken"), // nobody knows what in it is secret
        }
    }
}

/// The key of the directories. It can be no connection's name.
const PLUGIN_DIRS: &str = "$plugin_dirs";

impl Connections {
    /// None yet, to be saved to `file`.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        Self {
            file: file.into(),
            by_name: BTreeMap::new(),
            plugin_dirs: Vec::new(),
            others_can_read: false,
            is_private: false,
        }
    }

    /// Where a user's connections are: `f9/connections.json` in `$XDG_CONFIG_HOME`, or in `~/.config`. `None` where neither
    /// is known.
    pub fn default_file() -> Option<PathBuf> {
        // What is relative or empty would mean another file in every directory.
        let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
        let home = || absolute("HOME").map(|home| home.join(".config"));
        let config = absolute("XDG_CONFIG_HOME");
        config.or_else(home).map(|config| config.join("f9/connections.json"))
    }

    /// Reads a file of connections. No plugin is looked for.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if there is no such file; [`InvalidConnection`](ErrorKind::InvalidConnection) with
    /// the place of what is wrong in it. Of a single wrong connection only its use is an error.
    pub fn load(file: impl Into<PathBuf>) -> Result<Self> {
        let file = file.into();
        let (text, others) = private::read(&file).map_err(|error| unreadable(&file, &error))?;
        let (by_name, plugin_dirs) = parse(&text).map_err(|error| error.at(file.display()))?;
        if others.can_write && !plugin_dirs.is_empty() {
            let message = format!("it has {PLUGIN_DIRS}, and others than the file's owner can write to it");
            return Err(Error::new(ErrorKind::InvalidConnection, message)
                .at(file.display())
                .hint(format!("type `chmod go-w {}`", quoted(file.display()))));
        }
        let by_name = if others.can_read { exposed(by_name, Some(&file)) } else { by_name };
        Ok(Self { file, by_name, plugin_dirs, others_can_read: others.can_read, is_private: false })
    }

    /// Reads a file of connections, changes them, and writes it; a file that is missing holds none. Whoever else does so at
    /// the same time waits. Nothing is written if `change` fails.
    ///
    /// # Errors
    ///
    /// Those of [`load`](Self::load), `change` and [`save`](Self::save).
    pub fn edit<T>(file: impl Into<PathBuf>, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let file = file.into();
        exclusively(&file, || {
            let mut connections = match Self::load(&file) {
                Err(error) if error.is_not_found() => Self::new(&file),
                loaded => loaded?,
            };
            let answer = change(&mut connections)?;
            connections.save()?;
            Ok(answer)
        })
    }

    /// The directories that the file wants searched for plugins, in order: for
    /// [`HostBuilder::plugin_dir`](crate::HostBuilder::plugin_dir), after those that the user has named.
    pub fn plugin_dirs(&self) -> &[PathBuf] {
        &self.plugin_dirs
    }

    /// The file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Every connection with its name, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Connection)> {
        self.by_name.iter().filter_map(|(name, entry)| match entry {
            Entry::Usable(connection) => Some((name.as_str(), connection)),
            Entry::Broken(_) => None,
        })
    }

    /// Every entry that is no connection, and why it is none, ordered by name.
    pub fn broken(&self) -> impl Iterator<Item = (&str, Error)> {
        self.by_name.iter().filter_map(|(name, entry)| match entry {
            Entry::Usable(_) => None,
            Entry::Broken(value) => Some((name.as_str(), connection(name, value).err()?)),
        })
    }

    /// Whether there is an entry of this name, be it usable or broken.
    pub fn contains(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The connection of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) if there is none, or what is wrong with it.
    pub fn get(&self, name: &str) -> Result<&Connection> {
        match self.by_name.get(name) {
            Some(Entry::Usable(connection)) => Ok(connection),
            Some(Entry::Broken(value)) => match connection(name, value) {
                Err(error) => Err(in_connection(name, &error).at(self.file.display())),
                Ok(_) => Err(self.unknown(name)), // what is right is kept as that
            },
            None => Err(self.unknown(name)),
        }
    }

    /// Opens the connection of this name.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) if there is none, or if a secret is written down where others
    /// can read it; else as [`Host::open`].
    pub fn open(&self, name: &str, host: &Host) -> Result<Backend> {
        let connection = self.get(name)?;
        let plugin = host.plugin(connection.backend())?;
        if self.others_can_read {
            self.refuse_secrets(name, &connection.literal_secrets(&plugin.schema()?))?;
        }
        plugin.open(connection)
    }

    /// Adds a connection, or replaces the one of this name. [`save`](Self::save) makes it last, and lets nobody but its owner
    /// read the file from then on: the connection may hold a secret.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) for a name with characters other than letters, digits, `_`, `-`
    /// and `.`, or one that starts with `-` or `.`.
    pub fn insert(&mut self, name: &str, connection: Connection) -> Result<()> {
        check_name(name)?;
        self.by_name.insert(name.to_owned(), Entry::Usable(connection));
        self.is_private = true;
        Ok(())
    }

    /// As [`insert`](Self::insert), where the plugin's [schema](crate::Plugin::schema) tells whether the connection holds a
    /// secret. If it does not, whoever can read the file still can.
    ///
    /// # Errors
    ///
    /// As [`insert`](Self::insert).
    pub fn insert_known(&mut self, name: &str, connection: Connection, schema: &Value) -> Result<()> {
        let is_private = self.is_private || !connection.literal_secrets(schema).is_empty();
        self.insert(name, connection)?;
        self.is_private = is_private;
        Ok(())
    }

    /// Takes an entry away, be it usable or broken, and answers whether there was one. [`save`](Self::save) makes it last.
    pub fn remove(&mut self, name: &str) -> bool {
        self.by_name.remove(name).is_some()
    }

    /// Writes the file, with missing directories, all at once: a crash leaves the old file or the new. Only one that is
    /// mounted by itself, or would change hands, is written in place, after its new content has reached the disk beside it.
    /// Owner and permissions stay; a new file can be read by its owner alone, and so can one that something was
    /// [added](Self::insert) to which may be secret.
    ///
    /// # Errors
    ///
    /// What the file system answers.
    pub fn save(&mut self) -> Result<()> {
        let value = |entry: &Entry| match entry {
            Entry::Usable(connection) => connection.to_json(),
            Entry::Broken(value) => value.clone(),
        };
        let mut all: Map<_, _> =
            self.by_name.iter().map(|(name, entry)| (name.clone(), value(entry))).collect();
        if !self.plugin_dirs.is_empty() {
            let dirs = self.plugin_dirs.iter().map(|dir| dir.to_string_lossy().into_owned());
            all.insert(PLUGIN_DIRS.to_owned(), dirs.collect());
        }
        let text = format!("{:#}\n", Value::Object(all));
        let readers = if self.is_private { Readers::Owner } else { Readers::OwnerOfNew };
        replace(&self.file, text.as_bytes(), readers).map_err(|error| error.at(self.file.display()))?;
        if self.is_private && self.others_can_read {
            self.by_name = exposed(std::mem::take(&mut self.by_name), None);
            self.others_can_read = false;
        }
        Ok(())
    }

    fn unknown(&self, name: &str) -> Error {
        let error = Error::new(
            ErrorKind::InvalidConnection,
            format!("there is no connection `{name}` in {}", self.file.display()),
        )
        .with("connection", name);
        let names: Vec<_> = self.by_name.keys().map(String::as_str).collect();
        match nearest(name, names.iter().copied()) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if names.is_empty() => {
                error.hint(format!("it holds none; `f9 connections add {name}` adds one"))
            }
            None => {
                let known = format!("known connections: {}", names.join(", "));
                let add = is_name(name).then(|| format!("; `f9 connections add {name}` adds it"));
                error.hint(known + &add.unwrap_or_default())
            }
        }
    }

    fn refuse_secrets(&self, name: &str, keys: &[&str]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let holder = format!("the connection `{name}`");
        Err(private::refuse_literal(&holder, keys, &self.file).with("connection", name))
    }
}

/// The entries as they are where others can read the file, or where they cannot.
fn exposed(entries: BTreeMap<String, Entry>, file: Option<&Path>) -> BTreeMap<String, Entry> {
    let of = |(name, entry)| match entry {
        Entry::Usable(connection) => (name, Entry::Usable(connection.exposed_in(file.map(Path::to_owned)))),
        broken => (name, broken),
    };
    entries.into_iter().map(of).collect()
}

/// A file that is missing stays one that is not found: then there are no connections yet.
fn unreadable(file: &Path, error: &Error) -> Error {
    let message = format!("the file with the connections cannot be read: {}", error.message());
    Error::new(error.kind(), message).at(file.display()).hint(match (error.kind(), error.advice()) {
        (ErrorKind::NotFound, _) => "`f9 connections add NAME` makes one",
        (_, Some(advice)) => advice,
        _ => "let yourself read it, or name another file",
    })
}

fn parse(text: &str) -> Result<(BTreeMap<String, Entry>, Vec<PathBuf>)> {
    let invalid = |message: String| Error::new(ErrorKind::InvalidConnection, message).hint(EXAMPLE);
    if let Some((what, hint)) = json::whole(text) {
        return Err(invalid(format!("the file is not valid JSON: {what}")).hint(hint));
    }
    // serde_json tells the place and what it missed there, but quotes nothing of the text.
    let all = json::parse(text).map_err(|cause| invalid(format!("the file is not valid JSON: {cause}")))?;
    let Value::Object(mut all) = all else {
        let found = kind_of(&all);
        return Err(invalid(format!("expected an object with a connection for each name, found {found}")));
    };
    let plugin_dirs = all.remove(PLUGIN_DIRS).map(plugin_dirs).transpose()?.unwrap_or_default();
    let entry = |(name, value): (String, Value)| {
        let entry = connection(&name, &value).map_or_else(|_| Entry::Broken(value), Entry::Usable);
        (name, entry)
    };
    Ok((all.into_iter().map(entry).collect(), plugin_dirs))
}

fn connection(name: &str, value: &Value) -> Result<Connection> {
    check_name(name)?;
    value.try_into()
}

/// Only what is written in full: a relative one would let whoever fills the working directory say which code is run.
fn plugin_dirs(value: Value) -> Result<Vec<PathBuf>> {
    let wrong = |found: &str| {
        let message = format!("wrong value for {PLUGIN_DIRS}: expected a list of directories, found {found}");
        Error::new(ErrorKind::InvalidConnection, message).hint(r#"write for instance ["/opt/f9/plugins"]"#)
    };
    let Value::Array(dirs) = value else {
        return Err(wrong(kind_of(&value)));
    };
    let dir = |dir: &Value| match dir.as_str().map(Path::new) {
        Some(dir) if dir.is_absolute() => Ok(dir.to_owned()),
        Some(_) => Err(wrong("one that is not written in full")),
        None => Err(wrong(kind_of(dir))),
    };
    dirs.iter().map(dir).collect()
}

const EXAMPLE: &str = r#"write for instance {"notes": {"backend": "local", "root": "/srv/notes"}}"#;

fn in_connection(name: &str, error: &Error) -> Error {
    let outer = Error::new(error.kind(), format!("in the connection `{name}`: {}", error.message()))
        .with("connection", name);
    match error.advice() {
        Some(advice) => outer.hint(advice),
        None => outer,
    }
}

/// A name stands before the `:` of an address, so it holds no `:` and no `/`; and it is no option of a command.
fn check_name(name: &str) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(40).collect();
    Err(Error::new(ErrorKind::InvalidConnection, format!("{shown:?} cannot be the name of a connection"))
        .hint("a name has letters, digits, `_`, `-` and `.`, and starts with neither `-` nor `.`"))
}

fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !name.is_empty() && !name.starts_with(['-', '.']) && name.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn refusal(text: &str) -> String {
        let error = parse(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        error.message().to_owned()
    }

    #[test]
    fn says_which_connection_is_wrong() {
        assert_eq!(refusal("[]"), "expected an object with a connection for each name, found a list");
        for name in ["", "a:b", "a/b", "-a", ".a", "a b"] {
            let error = connection(name, &json!({"backend": "local"})).unwrap_err();
            assert_eq!(error.message(), format!("{name:?} cannot be the name of a connection"));
        }
        let text = r#"{"notes": {"backend": "git", "password": "hunter2",}}"#;
        assert!(!refusal(text).contains("hunter2"));
    }

    #[test]
    fn a_broken_entry_fails_alone_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("connections.json");
        let broken = [
            ("a b", json!({"backend": "local"}), "cannot be the name of a connection"),
            ("list", json!(["hunter2"]), "a connection is a JSON object, found a list"),
            ("name", json!({"backend": "../x"}), "cannot be the name of a plugin"),
            ("number", json!({"backend": 5}), "wrong value for the key `backend`: expected a string"),
            ("rootless", json!({"root": "hunter2"}), "the connection lacks the key `backend`"),
        ];
        let mut all: Map<_, _> =
            broken.iter().map(|(name, value, _)| ((*name).to_owned(), value.clone())).collect();
        all.insert("notes".to_owned(), json!({"backend": "local", "root": "x"}));
        fs::write(&file, Value::Object(all).to_string()).unwrap();
        let mut connections = Connections::load(&file).unwrap();
        assert!(connections.get("notes").is_ok() && connections.iter().count() == 1);
        assert!(!format!("{connections:?}").contains("hunter2"));
        let told: Vec<_> = connections.broken().map(|(name, error)| (name.to_owned(), error)).collect();
        for ((name, _, words), (told_name, told)) in broken.iter().zip(&told) {
            assert!(name == told_name && told.message().contains(words), "{name}: {told}");
            let error = connections.get(name).unwrap_err();
            assert_eq!(error.message(), format!("in the connection `{name}`: {}", told.message()));
            assert_eq!(error.path(), file.to_str());
        }
        assert_eq!(told.len(), broken.len());
        connections.save().unwrap();
        let mut saved = Connections::load(&file).unwrap();
        for (name, value, _) in &broken {
            assert!(matches!(&saved.by_name[*name], Entry::Broken(kept) if kept == value), "{name}");
        }
        assert!(saved.remove("list") && !saved.remove("list") && !saved.contains("list"));
    }

    #[test]
    fn what_stands_twice_is_refused_and_not_lost() {
        for text in [
            r#"{"a": {"backend": "local"}, "a": {"backend": "git"}}"#,
            r#"{"a": {"backend": "local", "root": "x", "root": "y"}}"#,
        ] {
            assert!(refusal(text).starts_with("the file is not valid JSON: a key occurs twice"));
        }
    }

    #[test]
    fn directories_of_plugins_are_written_in_full_and_kept() {
        for (value, found) in [
            (json!("/opt"), "a string"),
            (json!([5]), "a number"),
            (json!(["plugins"]), "one that is not written in full"),
            (json!([""]), "one that is not written in full"),
        ] {
            let message = "wrong value for $plugin_dirs: expected a list of directories";
            assert_eq!(
                refusal(&json!({"$plugin_dirs": value}).to_string()),
                format!("{message}, found {found}")
            );
        }
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("connections.json");
        fs::write(&file, r#"{"$plugin_dirs": ["/opt/a", "/opt/b"], "notes": {"backend": "local"}}"#).unwrap();
        let mut connections = Connections::load(&file).unwrap();
        assert_eq!(connections.iter().count(), 1);
        connections.remove("notes");
        connections.save().unwrap();
        let saved = Connections::load(&file).unwrap();
        assert_eq!(saved.plugin_dirs(), [Path::new("/opt/a"), Path::new("/opt/b")]);
    }

    #[test]
    fn an_unknown_name_is_told_what_was_meant() {
        let mut connections = Connections::new("connections.json");
        assert_eq!(
            connections.get("x").unwrap_err().advice(),
            Some("it holds none; `f9 connections add x` adds one")
        );
        connections.insert("notes", r#"{"backend": "local", "root": "x"}"#.parse().unwrap()).unwrap();
        assert_eq!(connections.get("nots").unwrap_err().advice(), Some("did you mean `notes`?"));
        assert_eq!(
            connections.get("zzzzzz").unwrap_err().advice(),
            Some("known connections: notes; `f9 connections add zzzzzz` adds it")
        );
        assert_eq!(connections.get("z z z z").unwrap_err().advice(), Some("known connections: notes"));
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f9/connections.json");
        assert_eq!(Connections::load(&file).unwrap_err().kind(), ErrorKind::NotFound);
        let mut connections = Connections::new(&file);
        let notes: Connection = r#"{"backend": "git", "password": "hunter2", "n": 1.5}"#.parse().unwrap();
        connections.insert("notes", notes.clone()).unwrap();
        connections.save().unwrap();
        let mut loaded = Connections::load(&file).unwrap();
        assert_eq!(loaded.iter().collect::<Vec<_>>(), [("notes", &notes)]);
        assert!(!loaded.others_can_read);
        assert!(!format!("{loaded:?}").contains("hunter2"));
        assert!(loaded.remove("notes"));
        loaded.save().unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "{}\n");
    }

    #[cfg(unix)]
    #[test]
    fn nothing_that_is_added_at_the_same_time_is_lost() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f9/connections.json");
        let connection: Connection = r#"{"backend": "local"}"#.parse().unwrap();
        std::thread::scope(|scope| {
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                let (file, connection) = (&file, connection.clone());
                scope.spawn(move || Connections::edit(file, |all| all.insert(name, connection)).unwrap());
            }
        });
        assert_eq!(Connections::load(&file).unwrap().iter().count(), 8);
        Connections::edit(&file, |all| all.insert("a:b", connection)).unwrap_err();
        assert_eq!(Connections::load(&file).unwrap().iter().count(), 8);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_file_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("real.json"), directory.path().join("link.json"));
        fs::write(&file, "{}").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut connections = Connections::load(&link).unwrap();
        connections.insert("a", r#"{"backend": "local"}"#.parse().unwrap()).unwrap();
        connections.save().unwrap();
        assert!(link.is_symlink());
        assert_eq!(Connections::load(&file).unwrap().iter().count(), 1);
    }
}
