//! The files of a checkout: written where nobody sees them, and moved to where they belong when they are whole.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use f9_plugin_api::Result;
use git2::{FileMode, IndexEntry, Oid, Tree, build::CheckoutBuilder};

use crate::{
    checkout::{Change, Entry, Plan, index_entry},
    errors::Context as _,
    index_file::Tracked,
    repository::Repo,
    worktree::{Found, Spool},
};

/// How often the host is told how far a checkout has come, in files.
const REPORT_EVERY: usize = 500;

/// With fewer changes than this, libgit2 is asked for the attributes of each.
const WORTH_A_LOOK: usize = 50;

impl Repo {
    /// Makes the changes that lead from `old` (none: the empty tree) to `new`, and returns what the index is to know of the
    /// files. Content that a change does not bring itself is taken from `new`.
    pub(crate) fn execute(
        &self,
        plan: &Plan,
        old: Option<&Tree<'_>>,
        new: &Tree<'_>,
    ) -> Result<Vec<IndexEntry>> {
        let to_do = || plan.changes.iter().filter(|change| !plan.done.contains(&change.path));
        // Removals first: a file may make room for a directory, or the other way round.
        for change in to_do().filter(|change| change.new.is_none()) {
            self.worktree.remove(&change.path)?;
        }
        if self.stores_files_as_they_are(old, &plan.changes)? {
            let added: Vec<_> = to_do().filter(|change| change.new.is_some()).collect();
            self.place(&added, |spool| self.spool_blobs(&added, spool))?;
        } else {
            // Attributes next: they say how the other files are written.
            let (attributes, others): (Vec<_>, Vec<_>) =
                to_do().filter(|change| change.new.is_some()).partition(|change| is_attributes(&change.path));
            for changes in [attributes, others] {
                self.place(&changes, |spool| self.spool_filtered(&changes, new, spool))?;
            }
        }
        self.stat_all(plan)
    }

    /// Whether git's filters leave the files as they are stored. It is found out for a first checkout, which knows all files,
    /// and where it is worth a look through the index.
    fn stores_files_as_they_are(&self, old: Option<&Tree<'_>>, changes: &[Change]) -> Result<bool> {
        let Some(known) = self.known_attributes(old, changes)? else { return Ok(false) };
        let config =
            self.git.config().and_then(|mut config| config.snapshot()).context("read the configuration")?;
        let is_set = |name: &str| config.get_entry(name).is_ok();
        if ["core.autocrlf", "core.eol", "core.attributesfile", "core.symlinks"].into_iter().any(is_set) {
            return Ok(false);
        }
        match fs::read(self.git.path().join("info/attributes")) {
            Ok(attributes) if may_change_content(&attributes) => return Ok(false),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("read the attributes of the clone");
            }
            _ => {}
        }
        let new = changes.iter().filter(|change| is_attributes(&change.path));
        let new = new.filter_map(|change| Some(change.new.filter(|new| !new.is_submodule())?.id));
        for id in known.into_iter().chain(new) {
            let blob = self.git.find_blob(id).context("read an object")?;
            if may_change_content(blob.content()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The attributes files that are there before the changes; `None` if that is not known.
    fn known_attributes(&self, old: Option<&Tree<'_>>, changes: &[Change]) -> Result<Option<Vec<Oid>>> {
        let Some(old) = old else { return Ok(Some(Vec::new())) };
        if changes.len() < WORTH_A_LOOK {
            return Ok(None);
        }
        let Some(index) = self.index_file()?.filter(|index| index.tree() == Some(old.id())) else {
            return Ok(None);
        };
        let tracked = (0..index.len()).map(|position| index.get(position));
        Ok(tracked.filter(|tracked| is_attributes(tracked.path())).map(Tracked::id).collect())
    }

    /// Has `write` fill the spool, and moves everything to where it belongs.
    fn place(&self, changes: &[&Change], write: impl FnOnce(&Spool) -> Result<()>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let spool = self.worktree.spool()?;
        write(&spool)?;
        for (number, change) in changes.iter().enumerate() {
            let Some(new) = change.new else { continue };
            if new.is_submodule() {
                self.worktree.make_directory(&change.path)?;
            } else if let Some(content) = &change.content {
                let file = spool.content(number);
                write_file(&file, content, new.mode)?;
                self.worktree.place(&file, &change.path)?;
            }
        }
        self.worktree.place_all(&spool.files())
    }

    /// Writes blobs as they are.
    fn spool_blobs(&self, changes: &[&Change], spool: &Spool) -> Result<()> {
        let mut directory = PathBuf::new();
        for (done, (change, new)) in from_tree(changes).enumerate() {
            self.context.check_cancelled()?;
            self.report_files(done, changes.len());
            let file = spool.file(&change.path);
            if let Some(parent) = file.parent().filter(|parent| *parent != directory) {
                fs::create_dir_all(parent).context("make a directory in the spool")?;
                directory = parent.to_owned();
            }
            let blob = self.git.find_blob(new.id).context("read an object")?;
            write_file(&file, blob.content(), new.mode)?;
        }
        Ok(())
    }

    /// Has libgit2 write them, with its filters, modes and links.
    fn spool_filtered(&self, changes: &[&Change], tree: &Tree<'_>, spool: &Spool) -> Result<()> {
        let mut options = CheckoutBuilder::new();
        options.force().update_index(false).disable_pathspec_match(true).target_dir(&spool.files());
        let mut total = 0;
        for (change, _) in from_tree(changes) {
            options.path(&*change.path);
            total += 1;
        }
        // Without any path, libgit2 would write all.
        if total == 0 {
            return Ok(());
        }
        options.progress(move |_, done, _| self.report_files(done, total));
        let checkout = self.git.checkout_tree(tree.as_object(), Some(&mut options));
        checkout.context("write the remote's files")?;
        for (change, new) in from_tree(changes) {
            let file = spool.file(&change.path);
            // libgit2 leaves out what HEAD has as something else: a directory, or a link for a file.
            if file.symlink_metadata().is_err() {
                let blob = self.git.find_blob(new.id).context("read an object")?;
                file.parent().map_or(Ok(()), fs::create_dir_all).context("make a directory in the spool")?;
                write_file(&file, blob.content(), new.mode)?;
            }
        }
        Ok(())
    }

    fn report_files(&self, done: usize, total: usize) {
        if done.is_multiple_of(REPORT_EVERY) {
            self.context.progress("checkout", "files", done as u64, Some(total as u64));
        }
    }

    /// The index entries of the files that are as they were planned.
    fn stat_all(&self, plan: &Plan) -> Result<Vec<IndexEntry>> {
        let mut entries = Vec::new();
        let mut look = self.worktree.look();
        for change in plan.changes.iter().filter(|change| change.content.is_none()) {
            let Some(new) = change.new.filter(|new| !new.is_submodule()) else { continue };
            if plan.done.contains(&change.path) && !self.has(&change.path, Some(new))? {
                continue;
            }
            if let Found::Leaf(stat) = look.find(&change.path)? {
                entries.push(index_entry(&change.path, new, Some(&stat)));
            }
        }
        Ok(entries)
    }
}

/// The files and links whose content is that of the tree.
fn from_tree<'a>(changes: &'a [&Change]) -> impl Iterator<Item = (&'a Change, Entry)> {
    let new = |change: &&'a Change| Some((*change, change.new.filter(|new| !new.is_submodule())?));
    changes.iter().copied().filter(|change| change.content.is_none()).filter_map(move |change| new(&change))
}

fn is_attributes(path: &[u8]) -> bool {
    path.rsplit(|&byte| byte == b'/').next() == Some(b".gitattributes")
}

/// Whether attributes can make a file another one than is stored, where the configuration asks for nothing: line ends of
/// another system (`eol=crlf`, or of old `crlf`), and `ident`. `text` alone, in whatever form, is about what is stored
/// (gitattributes(5)), and other filters are programs, which are not run.
fn may_change_content(attributes: &[u8]) -> bool {
    let mentions = |word: &[u8]| attributes.windows(word.len()).any(|part| part == word);
    mentions(b"crlf") || mentions(b"ident")
}

fn write_file(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, symlink};
    if mode == u32::from(FileMode::Link) {
        return symlink(OsStr::from_bytes(content), path).context("write a link");
    }
    let mut options = fs::OpenOptions::new();
    let executable = mode == u32::from(FileMode::BlobExecutable);
    options.write(true).create_new(true).mode(if executable { 0o777 } else { 0o666 });
    let written = options.open(path).and_then(|mut file| std::io::Write::write_all(&mut file, content));
    written.context("write a file")
}
