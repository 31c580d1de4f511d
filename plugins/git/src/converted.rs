//! Files that git keeps in another form than the working tree has them in.
//!
//! gitattributes(5) can name a filter for a path (encryption, large file storage) or an encoding of the working tree. Both
//! are programs and settings of somebody's machine, which f9 does not run: what is in the working tree may be the clear text
//! of what is to be encrypted. So nothing is stored under such a path, but for one case: the pointer of Git LFS *is* the
//! form in which git keeps the file.

use std::{collections::HashSet, io::Read as _};

use f9_plugin_api::{Error, ErrorKind, Result, log};
use git2::{AttrCheckFlags, AttrValue, FileMode, Index, Repository};

use crate::{
    checkout::Change,
    conflicts::as_path,
    errors::{Context as _, clean, name_some},
    index_file::IndexFile,
    own_file,
    repository::{Repo, count},
    rules::{self, Shadow, directories},
    worktree::{Found, Worktree},
};

/// The attributes that make git convert content in a way that f9 does not.
const ATTRIBUTES: [&str; 2] = ["filter", "working-tree-encoding"];

/// What gitattributes(5) calls the file, in every directory.
const FILE: &[u8] = b".gitattributes";

/// Larger attributes files are not searched for a line to name. git reads none that is larger either.
const MAX_ATTRIBUTES: u64 = 100 << 20;

/// A pointer of Git LFS is shorter, and begins so (its specification, version 1).
pub(crate) const MAX_POINTER: usize = 1024;
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";

/// The attributes of paths, for whoever changes single files: apart from the repository that synchronises, so that
/// nobody waits for the network.
pub(crate) struct Attributes {
    git: Repository,
    worktree: Worktree,
}

impl Attributes {
    /// `git` is the repository, opened for this alone.
    pub(crate) fn new(git: Repository, worktree: Worktree) -> Result<Self> {
        // The index of a large tree takes longer to read than all the rest of a change, and staging asks it anyway.
        let mut none = Index::new().context("make an index")?;
        git.set_index(&mut none).context("open the repository")?;
        Ok(Self { git, worktree })
    }

    /// The attribute that makes git convert the file at `path`, by the attributes files of the working tree.
    pub(crate) fn conversion(&self, path: &[u8]) -> Result<Option<Conversion>> {
        if !has_attributes(&self.git, &self.worktree, directories(path))? {
            return Ok(None);
        }
        conversion(&self.git, &self.worktree, path)
    }

    /// Refuses a change at `path` if it is below a submodule or a repository of its own: nothing there is ever published by
    /// this clone.
    pub(crate) fn check_is_of_this_repository(&self, path: &[u8]) -> Result<()> {
        for directory in directories(path).filter(|directory| !directory.is_empty()) {
            let inside = &directory[..directory.len() - 1];
            let git = self.worktree.find(&[directory, b".git"].concat())?;
            let is_nested = matches!(git, Found::Leaf(_) | Found::Directory);
            let what = match is_nested {
                true => "a repository of its own",
                false if self.is_submodule(inside)? => "a submodule",
                false => continue,
            };
            let message = format!("`{}` is {what}, which this clone does not publish", show(inside));
            return Err(Error::new(ErrorKind::Unsupported, message)
                .at(show(path))
                .hint("write elsewhere, or open that repository with a connection of its own"));
        }
        Ok(())
    }

    /// Whether the index has a submodule at `path`. Only a clone with `.gitmodules` is asked.
    fn is_submodule(&self, path: &[u8]) -> Result<bool> {
        if matches!(self.worktree.find(b".gitmodules")?, Found::Nothing) {
            return Ok(false);
        }
        let index = Index::open(&self.git.path().join("index")).context("read the index")?;
        Ok(index.get_path(as_path(path), 0).is_some_and(|entry| entry.mode == u32::from(FileMode::Commit)))
    }
}

fn show(path: &[u8]) -> String {
    clean(&String::from_utf8_lossy(path))
}

/// The attribute by which git would convert a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conversion {
    /// As it stands in an attributes file: `filter=crypt`.
    pub(crate) attribute: String,
    /// Where: `.gitattributes:3`.
    line: Option<String>,
}

impl Conversion {
    /// Whether this content is the form that git keeps.
    pub(crate) fn is_stored_form(&self, content: &[u8]) -> bool {
        self.attribute == "filter=lfs" && is_pointer(content)
    }

    /// Whether any content can be the form that git keeps.
    pub(crate) fn has_stored_form(&self) -> bool {
        self.attribute == "filter=lfs"
    }

    /// The error for a change that would store content in the wrong form.
    pub(crate) fn refusal(&self, path: &[u8]) -> Error {
        let message = format!("git keeps this file in another form ({self}), which f9 cannot make");
        Error::new(ErrorKind::Unsupported, message)
            .at(String::from_utf8_lossy(path))
            .with("attribute", &self.attribute)
            .hint("write and commit it with git, where that filter is set up, or change the attribute first")
    }
}

impl std::fmt::Display for Conversion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.line {
            Some(line) => write!(f, "`{}`, {line}", self.attribute),
            None => write!(f, "`{}`", self.attribute),
        }
    }
}

/// The attribute that makes git convert the file at `path`, by the attributes files of the working tree or by those of the
/// last commit: taking a line out of a file that is not committed yet publishes nothing.
pub(crate) fn conversion(git: &Repository, worktree: &Worktree, path: &[u8]) -> Result<Option<Conversion>> {
    let shadow = rules::shadow(git, worktree, path)?;
    let git = shadow.as_ref().map_or(git, Shadow::git);
    for flags in [AttrCheckFlags::FILE_THEN_INDEX, AttrCheckFlags::INDEX_ONLY] {
        for name in ATTRIBUTES {
            let value = git.get_attr_bytes(as_path(path), name, flags | AttrCheckFlags::NO_SYSTEM);
            let value = AttrValue::from_bytes(value.context("read the attributes")?);
            if let Some(value) = meaning(name, value) {
                let attribute = if value.is_empty() { name.to_owned() } else { format!("{name}={value}") };
                let line = find_line(git, worktree, path, &attribute);
                return Ok(Some(Conversion { attribute, line }));
            }
        }
    }
    Ok(None)
}

pub(crate) fn is_pointer(content: &[u8]) -> bool {
    content.len() < MAX_POINTER && content.starts_with(POINTER)
}

/// How large the file is that a pointer of Git LFS stands for.
pub(crate) fn pointer_size(content: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(content).ok().filter(|_| is_pointer(content))?;
    text.lines().find_map(|line| line.strip_prefix("size ")?.parse().ok())
}

/// The value of an attribute that makes git convert; `None` where it converts nothing.
fn meaning(name: &str, value: AttrValue<'_>) -> Option<String> {
    let value = match value {
        AttrValue::String(value) => clean(value),
        AttrValue::Bytes(value) => clean(&String::from_utf8_lossy(value)),
        // A filter needs a name, and an encoding too: git refuses one without.
        AttrValue::True if name != "filter" => String::new(),
        AttrValue::True | AttrValue::False | AttrValue::Unspecified => return None,
    };
    let is_utf8 = ["utf-8", "utf8"].iter().any(|same| value.eq_ignore_ascii_case(same));
    (name == "filter" || !is_utf8).then_some(value)
}

/// The line that sets an attribute, or defines the macro that does: the last one that names it, in the attributes file
/// nearest to the path. It is for people to read; what holds was decided before.
fn find_line(git: &Repository, worktree: &Worktree, path: &[u8], attribute: &str) -> Option<String> {
    let info = own_file::read(&git.commondir().join("info/attributes")).ok().flatten();
    let in_info = info.and_then(|text| line_with(&text, attribute));
    if let Some(number) = in_info {
        return Some(format!(".git/info/attributes:{number}"));
    }
    let ends = path.iter().enumerate().rev().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
    for end in ends.chain([0]) {
        let file = [&path[..end], FILE].concat();
        let Ok(Some(content)) = worktree.open_file(&file) else { continue };
        let mut text = Vec::new();
        if content.take(MAX_ATTRIBUTES).read_to_end(&mut text).is_err() {
            continue;
        }
        if let Some(number) = line_with(&text, attribute) {
            return Some(format!("{}:{number}", clean(&String::from_utf8_lossy(&file))));
        }
    }
    None
}

fn line_with(text: &[u8], attribute: &str) -> Option<usize> {
    let mut lines = text.split(|&byte| byte == b'\n').enumerate().collect::<Vec<_>>().into_iter().rev();
    let names_it = |line: &[u8]| line.split(u8::is_ascii_whitespace).any(|word| word == attribute.as_bytes());
    lines.find(|(_, line)| names_it(line)).map(|(number, _)| number + 1)
}

impl Repo {
    /// The attribute that forbids storing what the working tree has at `path`; `None` if it may be stored.
    pub(crate) fn unstorable(&self, path: &[u8]) -> Result<Option<Conversion>> {
        let Some(conversion) = conversion(&self.git, &self.worktree, path)? else { return Ok(None) };
        if conversion.has_stored_form()
            && let Some(file) = self.worktree.open_file(path)?
        {
            let mut content = Vec::new();
            file.take(MAX_POINTER as u64).read_to_end(&mut content).context("read a file")?;
            if conversion.is_stored_form(&content) {
                return Ok(None);
            }
        }
        Ok(Some(conversion))
    }

    /// Which files that a checkout would overwrite or remove are in the form that a filter gave them. f9 can neither make
    /// that form nor tell whether such a file was edited, so they stay as they are, and are told of.
    pub(crate) fn converted_among<'a>(&self, changes: &'a [Change]) -> Result<Vec<&'a [u8]>> {
        let mut found = Vec::new();
        if !self.may_convert(changes)? {
            return Ok(found);
        }
        for change in changes {
            let is_file =
                |mode: u32| mode != u32::from(FileMode::Link) && mode != u32::from(FileMode::Commit);
            let Some(old) = change.old.filter(|old| is_file(old.mode)) else { continue };
            if conversion(&self.git, &self.worktree, &change.path)?.is_some()
                && matches!(self.worktree.find(&change.path)?, Found::Leaf(_))
                && !self.has(&change.path, Some(old))?
                && !self.has(&change.path, change.new)?
            {
                found.push(&*change.path);
            }
        }
        if !found.is_empty() {
            let names: Vec<_> = found.iter().map(|path| clean(&String::from_utf8_lossy(path))).collect();
            log::warn!(
                "{} changed at the remote and left as they are here, because a filter made them what they are: {}; \
                 `git checkout` in the clone brings what the remote has",
                count(found.len(), "file is", "files are"),
                name_some(names.iter().map(String::as_str)),
            );
        }
        Ok(found)
    }

    /// Whether there are any attributes that could convert one of these files, without asking for each.
    fn may_convert(&self, changes: &[Change]) -> Result<bool> {
        const FEW: usize = 50;
        if changes.len() < FEW || changes.iter().any(|change| is_attributes(&change.path)) {
            return Ok(true);
        }
        let Some(index) = self.index_file()? else { return Ok(true) };
        let mut seen = HashSet::new();
        let directories = changes.iter().flat_map(|change| directories(&change.path));
        let directories = directories.filter(|directory| seen.insert(*directory));
        Ok(self.tracks_attributes(&index) || has_attributes(&self.git, &self.worktree, directories)?)
    }

    /// Whether the last commit had attributes, as the index tells.
    pub(crate) fn tracks_attributes(&self, index: &IndexFile) -> bool {
        (0..index.len()).any(|position| is_attributes(index.get(position).path()))
    }
}

fn is_attributes(path: &[u8]) -> bool {
    path == FILE || path.ends_with(b"/.gitattributes")
}

/// Whether one of these directories of the working tree, or the clone itself, has a file with attributes.
pub(crate) fn has_attributes<'a>(
    git: &Repository,
    worktree: &Worktree,
    directories: impl IntoIterator<Item = &'a [u8]>,
) -> Result<bool> {
    if own_file::is_there(&git.commondir().join("info/attributes")) {
        return Ok(true);
    }
    let mut look = worktree.look();
    for directory in directories {
        if matches!(look.find(&[directory, FILE].concat())?, Found::Leaf(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_sets_an_attribute_is_found() {
        let text = b"*.txt text\n[attr]secret filter=crypt -diff\n*.key secret\n# filter=crypt2\n";
        assert_eq!(line_with(text, "filter=crypt"), Some(2));
        assert_eq!(line_with(text, "filter=lfs"), None);
    }

    #[test]
    fn values_that_convert_nothing_are_told_apart() {
        assert_eq!(meaning("filter", AttrValue::String("lfs")), Some("lfs".into()));
        assert_eq!(meaning("filter", AttrValue::False), None);
        assert_eq!(meaning("filter", AttrValue::True), None);
        assert_eq!(meaning("working-tree-encoding", AttrValue::String("UTF-16")), Some("UTF-16".into()));
        assert_eq!(meaning("working-tree-encoding", AttrValue::String("utf-8")), None);
    }
}
