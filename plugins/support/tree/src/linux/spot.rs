//! Where new content goes, and what is there already.

use std::borrow::Cow;

use f9_plugin_api::{BackendPath, Result};
use rustix::{fd::AsFd, io::Errno};

use super::{
    errors::{already_exists, contended, failure, is_a_directory, not_a_regular_file},
    resolve::{Folder, attempts},
    stat::Stat,
};
use crate::Tree;

/// What may be at the place of the new content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Nothing.
    New,
    /// Nothing or a file.
    NewOrReplace,
    /// A file.
    Replace,
}

impl Rule {
    pub(crate) fn creating(overwrite: bool) -> Self {
        if overwrite { Self::NewOrReplace } else { Self::New }
    }
}

/// Where content goes, and what is there now.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    pub(super) folder: Folder<'a>,
    pub(super) name: Cow<'a, str>,
    pub(super) old: Option<Stat>,
}

impl<'a> Spot<'a> {
    /// Looks at `path`: with its parents made, if the rule is to make something new, and where a link leads, if the rule
    /// is to change what exists.
    pub(crate) fn find(tree: &'a Tree, path: &'a BackendPath, rule: Rule, doing: &str) -> Result<Self> {
        let (parent, name) = path.split()?;
        let folder = match rule {
            Rule::Replace => tree.root().folder(parent, doing)?,
            Rule::New | Rule::NewOrReplace => tree.root().make_folder(parent, tree.durability(), doing)?,
        };
        // What must be new is seen to be when it gets its name.
        let old = if rule == Rule::New { None } else { replaceable(&folder, name, rule, doing)? };
        if rule == Rule::Replace && old.as_ref().is_some_and(Stat::is_link) {
            return Self::follow(tree, path, doing);
        }
        Ok(Self { folder, name: name.into(), old })
    }

    /// Looks where the link at `path` leads.
    fn follow(tree: &'a Tree, path: &BackendPath, doing: &str) -> Result<Self> {
        for _ in attempts() {
            let plain = tree.root().without_links(path.as_str(), doing)?;
            if plain.is_empty() {
                return Err(is_a_directory(doing));
            }
            let (parent, name) = plain.rsplit_once('/').unwrap_or(("", &plain));
            let folder = tree.root().folder(parent, doing)?;
            let old = replaceable(&folder, name, Rule::Replace, doing)?;
            if !old.as_ref().is_some_and(Stat::is_link) {
                return Ok(Self { folder, name: name.to_owned().into(), old });
            }
        }
        Err(contended(doing))
    }

    /// As [`find`](Self::find), but makes nothing and refuses at once what is there and is not to be replaced: for
    /// content that takes its time to come.
    pub(crate) fn preview(tree: &'a Tree, path: &'a BackendPath, rule: Rule, doing: &str) -> Result<Self> {
        if rule == Rule::Replace {
            return Self::find(tree, path, rule, doing);
        }
        let (mut parent, name) = path.split()?;
        match tree.root().folder(parent, doing) {
            Err(error) if error.is_not_found() => {}
            folder => {
                let folder = folder?;
                let old = replaceable(&folder, name, rule, doing)?;
                return Ok(Self { folder, name: name.into(), old });
            }
        }
        loop {
            parent = parent.rsplit_once('/').map_or("", |(above, _)| above);
            match tree.root().folder(parent, doing) {
                Err(error) if error.is_not_found() && !parent.is_empty() => {}
                folder => return Ok(Self { folder: folder?, name: name.into(), old: None }),
            }
        }
    }
}

/// Looks at what is to be replaced: a file, a link, or by the rule nothing.
pub(crate) fn replaceable(folder: impl AsFd, name: &str, rule: Rule, doing: &str) -> Result<Option<Stat>> {
    match Stat::at(folder, name) {
        Ok(_) if rule == Rule::New => Err(already_exists(doing)),
        Ok(old) if old.is_dir() => Err(is_a_directory(doing)),
        Ok(old) if old.is_file() || old.is_link() => Ok(Some(old)),
        Ok(_) => Err(not_a_regular_file(doing)),
        Err(Errno::NOENT) if rule != Rule::Replace => Ok(None),
        Err(errno) => Err(failure(doing, errno)),
    }
}
