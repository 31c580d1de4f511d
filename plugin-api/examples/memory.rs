//! Files in memory, gone when the backend is closed.

use std::{collections::BTreeMap, sync::Mutex};

use f9_plugin_api::{ErrorKind::*, *};

/// The connection's keys; this plugin has none.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
struct Options {}

struct MemoryPlugin;

impl Plugin for MemoryPlugin {
    const NAME: &'static str = "memory";
    const CAPABILITIES: Capabilities = Capabilities::empty();
    type Options = Options;
    type Backend = Memory;

    fn open(_: Options, _: Context) -> Result<Memory> {
        Ok(Memory(Mutex::new(Files::from([(BackendPath::root(), None)]))))
    }
}

export_plugin!(MemoryPlugin);

/// Everything by its path: a file's content or, as `None`, a directory.
type Files = BTreeMap<BackendPath, Option<Bytes>>;

struct Memory(Mutex<Files>);

impl Memory {
    fn with<T>(&self, work: impl FnOnce(&mut Files) -> Result<T>) -> Result<T> {
        work(&mut *self.0.lock().map_err(|_| Error::new(Other, "an earlier call panicked"))?)
    }
}

fn find<'a>(files: &'a Files, path: &BackendPath) -> Result<&'a Option<Bytes>> {
    if let Some(parent) = path.parent()
        && find(files, &parent)?.is_some()
    {
        return Err(Error::new(NotADirectory, "a file is on the way"));
    }
    files.get(path).ok_or_else(|| Error::new(NotFound, "no such file or directory"))
}

fn find_file<'a>(files: &'a Files, path: &BackendPath) -> Result<&'a Bytes> {
    path.split()?; // refuses the root
    find(files, path)?.as_ref().ok_or_else(|| Error::new(IsADirectory, "this is a directory"))
}

fn describe(path: &BackendPath, entry: &Option<Bytes>) -> FileInfo {
    match entry {
        Some(content) => FileInfo::new(path.clone(), FileKind::File, content.len() as u64),
        None => FileInfo::new(path.clone(), FileKind::Directory, 0),
    }
}

/// Puts a new entry in its place, which must be free or, with `overwrite`, hold one of the same kind.
fn put(files: &mut Files, path: &BackendPath, entry: Option<Bytes>, overwrite: bool) -> Result<FileInfo> {
    path.split()?;
    match find(files, path) {
        Ok(_) if !overwrite => return Err(Error::new(AlreadyExists, "this path is taken")),
        Ok(None) if entry.is_some() => return Err(Error::new(IsADirectory, "this is a directory")),
        Ok(Some(_)) if entry.is_none() => return Err(Error::new(NotADirectory, "this is a file")),
        Err(error) if !error.is_not_found() => return Err(error),
        _ => {}
    }
    for parent in std::iter::successors(path.parent(), BackendPath::parent) {
        files.entry(parent).or_insert(None);
    }
    let info = describe(path, &entry);
    files.insert(path.clone(), entry);
    Ok(info)
}

impl FileBackend for Memory {
    fn create(&self, path: &BackendPath, content: Content<'_>, options: CreateOptions) -> Result<FileInfo> {
        let content = content.into_bytes()?;
        self.with(|files| put(files, path, Some(content), options.overwrite))
    }

    fn create_dir(&self, path: &BackendPath, options: CreateOptions) -> Result<FileInfo> {
        self.with(|files| put(files, path, None, options.overwrite))
    }

    fn read(&self, path: &BackendPath) -> Result<Bytes> {
        self.with(|files| find_file(files, path).cloned())
    }

    fn update(&self, path: &BackendPath, content: Content<'_>, mode: UpdateMode) -> Result<FileInfo> {
        let content = content.into_bytes()?;
        self.with(|files| {
            let old = find_file(files, path)?;
            let new = if mode == UpdateMode::Append { [&old[..], &content].concat().into() } else { content };
            put(files, path, Some(new), true)
        })
    }

    fn delete(&self, path: &BackendPath, options: DeleteOptions) -> Result<()> {
        path.split()?;
        self.with(|files| {
            find(files, path)?;
            if !options.recursive && files.keys().any(|other| other != path && other.starts_with(path)) {
                return Err(Error::new(DirectoryNotEmpty, "the directory is not empty"));
            }
            files.retain(|other, _| !other.starts_with(path));
            Ok(())
        })
    }

    fn info(&self, path: &BackendPath) -> Result<FileInfo> {
        self.with(|files| Ok(describe(path, find(files, path)?)))
    }

    fn list(&self, path: &BackendPath, options: ListOptions) -> Result<Entries> {
        self.with(|files| {
            if find(files, path)?.is_some() {
                return Err(Error::new(NotADirectory, "this is a file"));
            }
            let inside = |other: &BackendPath| match options.recursive {
                true => other != path && other.starts_with(path),
                false => other.parent().as_ref() == Some(path),
            };
            let found = files.iter().filter(|(other, _)| inside(other));
            let entries: Vec<_> = found.map(|(other, entry)| Ok(describe(other, entry))).collect();
            Ok(Box::new(entries.into_iter()) as Entries)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conforms() {
        let open = || MemoryPlugin::open(Options {}, Context::detached()).unwrap();
        conformance::run(|| Box::new(open())).assert();
    }
}
