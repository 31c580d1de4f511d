//! What differs in the working tree and is not published all the same, because nobody can have meant to publish it.

use std::io::Read as _;

use f9_plugin_api::{Result, log};
use git2::{AttrCheckFlags, AttrValue, FileMode, Index, Oid};

use crate::{
    conflicts::as_path,
    converted::Conversion,
    errors::{Context as _, clean, name_some},
    repository::{Repo, count},
    rules::{self, Shadow},
};

/// Why a file is left out of a commit.
#[derive(Debug)]
pub(crate) enum LeftOut {
    /// git keeps it in another form.
    Converted(Conversion),
    /// It differs from the last commit in line ends alone, as where git was told to write those of another system.
    LineEnds,
}

/// The attributes that say what becomes of line ends.
const ABOUT_LINE_ENDS: [&str; 3] = ["text", "eol", "crlf"];

/// git takes a file for text that has no NUL in so many bytes at its beginning.
const FIRST_FEW: usize = 8000;

/// Larger files are not compared line by line.
const MAX_TEXT: u64 = 64 << 20;

impl Repo {
    /// Whether the file at `path` is the text that `committed` is, but for its line ends, and no attribute says what is to
    /// become of these.
    pub(crate) fn differs_in_line_ends(&self, path: &[u8], committed: Oid) -> Result<bool> {
        let Some(file) = self.worktree.open_file(path)? else { return Ok(false) };
        if file.metadata().context("look at a file")?.len() > MAX_TEXT {
            return Ok(false);
        }
        let mut here = Vec::new();
        file.take(MAX_TEXT).read_to_end(&mut here).context("read a file")?;
        let Ok(blob) = self.git.find_blob(committed) else { return Ok(false) };
        let there = blob.content();
        let is_text = |content: &[u8]| !content.iter().take(FIRST_FEW).any(|&byte| byte == 0);
        let has_crlf = |content: &[u8]| content.windows(2).any(|pair| pair == b"\r\n");
        if here == there || !is_text(&here) || !(has_crlf(&here) || has_crlf(there)) {
            return Ok(false);
        }
        Ok(without_returns(&here).eq(without_returns(there)) && !self.has_line_end_attributes(path)?)
    }

    fn has_line_end_attributes(&self, path: &[u8]) -> Result<bool> {
        let shadow = rules::shadow(&self.git, &self.worktree, path)?;
        let git = shadow.as_ref().map_or(&self.git, Shadow::git);
        for name in ABOUT_LINE_ENDS {
            let value = git.get_attr_bytes(as_path(path), name, AttrCheckFlags::NO_SYSTEM);
            let value = AttrValue::from_bytes(value.context("read the attributes")?);
            if value != AttrValue::Unspecified {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Says what a commit leaves out.
    pub(crate) fn warn_of_left_out(&self, left_out: &[(Vec<u8>, LeftOut)]) {
        let mut converted = None;
        let (mut of_filters, mut of_line_ends) = (Vec::new(), Vec::new());
        for (path, why) in left_out {
            let path = clean(&String::from_utf8_lossy(path));
            match why {
                LeftOut::Converted(conversion) => {
                    converted.get_or_insert(conversion);
                    of_filters.push(path);
                }
                LeftOut::LineEnds => of_line_ends.push(path),
            }
        }
        if let Some(first) = converted {
            log::warn!(
                "{} left out of the commit, because git keeps such files in another form ({first}), which f9 cannot make: \
                 {}; commit them with git",
                count(of_filters.len(), "changed file is", "changed files are"),
                name_some(of_filters.iter().map(String::as_str)),
            );
        }
        if !of_line_ends.is_empty() {
            log::warn!(
                "{} left out of the commit, because nothing but line ends differs: {}; to publish that, say in \
                 .gitattributes what line ends they are to have (such as `*.txt text`)",
                count(of_line_ends.len(), "file is", "files are"),
                name_some(of_line_ends.iter().map(String::as_str)),
            );
        }
    }

    /// Says that what somebody put where a submodule belongs is not published.
    pub(crate) fn warn_of_submodules(&self, index: &Index) -> Result<()> {
        for entry in index.iter().filter(|entry| entry.mode == u32::from(FileMode::Commit)) {
            let names = self.worktree.entries(&entry.path)?;
            if !names.is_empty() && !names.iter().any(|(name, _)| name == b".git") {
                log::warn!(
                    "what is below `{}` is not committed: it is the place of a submodule, which is not checked out",
                    clean(&String::from_utf8_lossy(&entry.path))
                );
            }
        }
        Ok(())
    }
}

/// The bytes of a text without the carriage returns that end its lines.
fn without_returns(text: &[u8]) -> impl Iterator<Item = u8> {
    let next = |at: usize| text.get(at + 1).copied();
    text.iter()
        .enumerate()
        .filter(move |(at, byte)| **byte != b'\r' || next(*at) != Some(b'\n'))
        .map(|(_, byte)| *byte)
}
