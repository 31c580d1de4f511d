//! What is told of files and directories.

use std::collections::HashSet;

use f9_plugin_api::{BackendPath, FileInfo, FileKind, Result};

use crate::{
    index::{Index, Node, Version},
    record::Record,
    store::{find, not_a_directory},
};

/// Describes a path with the record that commits it.
pub(crate) fn describe(path: &BackendPath, record: &Record) -> FileInfo {
    let Some(commit) = &record.commit else {
        return FileInfo::new(path.clone(), FileKind::File, record.length);
    };
    let kind = if commit.directory { FileKind::Directory } else { FileKind::File };
    let info = FileInfo::new(path.clone(), kind, commit.size)
        .created_at(Some(commit.created))
        .modified_at(Some(commit.modified));
    if commit.directory {
        return info;
    }
    info.attribute("encoding", record.encoding()).attribute("sha256", commit.digest.to_string())
}

pub(crate) fn describe_version(path: &BackendPath, version: &Version) -> FileInfo {
    match version.parts.iter().find(|part| part.record.commit.is_some()) {
        Some(head) => describe(path, &head.record),
        None => FileInfo::new(path.clone(), FileKind::File, version.commit.size),
    }
}

/// Describes what is at a path.
pub(crate) fn describe_node(path: &BackendPath, node: &Node) -> FileInfo {
    match node {
        Node::File(version) | Node::Directory(Some(version)) => describe_version(path, version),
        Node::Directory(None) => FileInfo::new(path.clone(), FileKind::Directory, 0),
    }
}

/// What is in a directory, each directory before what it holds.
pub(crate) fn list(index: &Index, path: &BackendPath, recursive: bool) -> Result<Vec<FileInfo>> {
    if let Node::File(_) = find(index, path)? {
        return Err(not_a_directory(path));
    }
    let mut listed: HashSet<BackendPath> = HashSet::new();
    let mut entries = Vec::new();
    for (below, _) in index.descendants(path) {
        for at in way(path, below, recursive) {
            if listed.contains(&at) {
                continue;
            }
            entries.extend(index.node(&at).map(|node| describe_node(&at, &node)));
            listed.insert(at);
        }
    }
    Ok(entries)
}

/// The paths from below `from` down to `to`; without `recursive` the first alone.
fn way(from: &BackendPath, to: &str, recursive: bool) -> Vec<BackendPath> {
    let start = if from.is_root() { 0 } else { from.as_str().len() + 1 };
    let ends = to[start..].match_indices('/').map(|(at, _)| start + at).chain([to.len()]);
    let paths = ends.filter_map(|end| BackendPath::parse(&to[..end]).ok());
    paths.take(if recursive { usize::MAX } else { 1 }).collect()
}
