//! The part of the index that says which tree each directory of it stands for.

use std::collections::BTreeMap;

use f9_plugin_api::Result;
use git2::{Oid, Repository, Tree};

use crate::errors::Context as _;

/// How deep directories may be nested; deeper ones are not looked at here.
const MAX_DEPTH: usize = 200;

/// A directory of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CacheTree {
    /// How many entries are below it, and their tree; `None` if some changed since that was noted.
    known: Option<(usize, Oid)>,
    below: BTreeMap<Vec<u8>, CacheTree>,
}

impl CacheTree {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let (name, root) = Self::parse_one(&mut rest, 0)?;
        (name.is_empty() && rest.is_empty()).then_some(root)
    }

    fn parse_one(rest: &mut &[u8], depth: usize) -> Option<(Vec<u8>, Self)> {
        let name = until(rest, 0)?.to_vec();
        let count: i64 = number(until(rest, b' ')?)?;
        let children: usize = number(until(rest, b'\n')?)?;
        let mut node = Self::default();
        if let Ok(count) = usize::try_from(count) {
            let (id, after) = rest.split_at_checked(20)?;
            node.known = Some((count, Oid::from_bytes(id).ok()?));
            *rest = after;
        }
        if depth > MAX_DEPTH {
            return None;
        }
        for _ in 0..children {
            let (name, child) = Self::parse_one(rest, depth + 1)?;
            node.below.insert(name, child);
        }
        Some((name, node))
    }

    pub(crate) fn id(&self) -> Option<Oid> {
        self.known.map(|(_, id)| id)
    }

    /// As it is when the files at `paths` have changed and the whole has become `tree`.
    pub(crate) fn updated<'a>(
        mut self,
        paths: impl Iterator<Item = &'a Vec<u8>>,
        tree: &Tree<'_>,
        repository: &Repository,
        count_below: &impl Fn(&[u8]) -> usize,
    ) -> Result<Self> {
        for path in paths {
            self.invalidate(path);
        }
        self.fill(b"", tree, repository, count_below)?;
        Ok(self)
    }

    fn invalidate(&mut self, path: &[u8]) {
        self.known = None;
        if let Some(slash) = path.iter().position(|&byte| byte == b'/') {
            self.below.entry(path[..slash].to_vec()).or_default().invalidate(&path[slash + 1..]);
        }
    }

    /// Notes what is not known any more. `prefix` is empty or ends in a slash.
    fn fill(
        &mut self,
        prefix: &[u8],
        tree: &Tree<'_>,
        repository: &Repository,
        count_below: &impl Fn(&[u8]) -> usize,
    ) -> Result<()> {
        if self.known.is_some() {
            return Ok(());
        }
        self.known = Some((count_below(prefix), tree.id()));
        for (name, mut child) in std::mem::take(&mut self.below) {
            let entry =
                tree.get_name_bytes(&name).filter(|entry| entry.kind() == Some(git2::ObjectType::Tree));
            let Some(entry) = entry else { continue }; // the directory is gone
            if child.known.is_none() {
                let tree = repository.find_tree(entry.id()).context("read a tree")?;
                child.fill(&[prefix, &name, b"/"].concat(), &tree, repository, count_below)?;
            }
            self.below.insert(name, child);
        }
        Ok(())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(b"", &mut bytes);
        bytes
    }

    fn append_to(&self, name: &[u8], bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(name);
        let count = self.known.map_or(-1, |(count, _)| count as i64);
        bytes.extend_from_slice(format!("\0{count} {}\n", self.below.len()).as_bytes());
        if let Some((_, id)) = self.known {
            bytes.extend_from_slice(id.as_bytes());
        }
        for (name, child) in &self.below {
            child.append_to(name, bytes);
        }
    }
}

/// Takes what is before `end` off the front.
fn until<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let at = rest.iter().position(|&byte| byte == end)?;
    let found = &rest[..at];
    *rest = &rest[at + 1..];
    Some(found)
}

fn number<T: std::str::FromStr>(digits: &[u8]) -> Option<T> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
