//! The files of a checkout: written where nobody sees them, and moved to where they belong when they are whole.

use std::{collections::HashSet, ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::Path};

use f9_plugin_api::Result;
use git2::{FileMode, Index, IndexEntry, Oid, Repository, Tree, build::CheckoutBuilder};

use crate::{
    checkout::{Change, Entry, Plan, index_entry},
    errors::Context as _,
    repository::Repo,
    rules,
    worktree::{Found, Spool},
};

/// How often the host is told how far a checkout has come, in files.
const REPORT_EVERY: usize = 500;

/// With fewer changes than this, libgit2 is asked for the attributes of each.
const WORTH_A_LOOK: usize = 50;

/// An attributes file: its path and content.
type Attributes = (Vec<u8>, Oid);

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
        for change in to_do().filter(|change| change.new.is_none_or(Entry::is_submodule)) {
            if change.old.is_some_and(Entry::is_submodule) {
                self.worktree.remove_directory(&change.path)?;
            } else {
                self.worktree.remove(&change.path)?;
            }
        }
        let added: Vec<_> = to_do().filter(|change| change.new.is_some()).collect();
        if self.stores_files_as_they_are(old, &plan.changes)? {
            self.place(&added, None)?;
        } else {
            // Attributes next: they say how the other files are written.
            let (attributes, others): (Vec<_>, Vec<_>) =
                added.into_iter().partition(|change| is_attributes(&change.path));
            let git = self.with_attributes_of(new, &plan.changes)?;
            let git = git.as_ref().unwrap_or(&self.git);
            for changes in [attributes, others] {
                self.place(&changes, Some((git, new.id())))?;
            }
        }
        self.stat_all(plan)
    }

    /// Whether git's filters leave the files as they are stored. It is found out for a first checkout, which knows all files,
    /// and where it is worth a look through the index.
    fn stores_files_as_they_are(&self, old: Option<&Tree<'_>>, changes: &[Change]) -> Result<bool> {
        let Some(known) = self.known_attributes(old, changes)? else { return Ok(false) };
        if self.has_other_attributes(&known, changes)? {
            return Ok(false);
        }
        let config =
            self.git.config().and_then(|mut config| config.snapshot()).context("read the configuration")?;
        let is_set = |name: &str| config.get_entry(name).is_ok();
        if ["core.autocrlf", "core.eol", "core.attributesfile", "core.symlinks"].into_iter().any(is_set) {
            return Ok(false);
        }
        match fs::read(self.git.commondir().join("info/attributes")) {
            Ok(attributes) if may_change_content(&attributes) => return Ok(false),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).context("read the attributes of the clone");
            }
            _ => {}
        }
        let new = changes.iter().filter(|change| is_attributes(&change.path));
        let new = new.filter_map(|change| Some(change.new.filter(|new| !new.is_submodule())?.id));
        for id in known.into_iter().map(|(_, id)| id).chain(new) {
            let blob = self.git.find_blob(id).context("read an object")?;
            if may_change_content(blob.content()) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The attributes files that are there before the changes; `None` if that is not known.
    fn known_attributes(
        &self,
        old: Option<&Tree<'_>>,
        changes: &[Change],
    ) -> Result<Option<Vec<Attributes>>> {
        let Some(old) = old else { return Ok(Some(Vec::new())) };
        if changes.len() < WORTH_A_LOOK {
            return Ok(None);
        }
        let Some(index) = self.index_file()?.filter(|index| index.tree() == Some(old.id())) else {
            return Ok(None);
        };
        let tracked = (0..index.len()).map(|position| index.get(position));
        let attributes = tracked.filter(|tracked| is_attributes(tracked.path()));
        Ok(attributes.map(|tracked| Some((tracked.path().to_vec(), tracked.id()?))).collect())
    }

    /// Whether there are attributes files that git does not know, where they are about files that change.
    fn has_other_attributes(&self, known: &[Attributes], changes: &[Change]) -> Result<bool> {
        let mut look = self.worktree.look();
        let mut seen: HashSet<&[u8]> = HashSet::new();
        for change in changes {
            let ends =
                change.path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at + 1);
            for end in ends.chain([0]) {
                let directory = &change.path[..end];
                if !seen.insert(directory) {
                    continue;
                }
                let attributes = [directory, b".gitattributes"].concat();
                if !known.iter().any(|(path, _)| *path == attributes)
                    && matches!(look.find(&attributes)?, Found::Leaf(_))
                {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// libgit2 asks the index for attributes, too, which has the old ones: where these change, a repository whose index is that
    /// of the new tree.
    fn with_attributes_of(&self, new: &Tree<'_>, changes: &[Change]) -> Result<Option<Repository>> {
        let mut is_odd = false;
        for change in changes {
            is_odd |= rules::shadow(&self.git, &self.worktree, &change.path)?.is_some();
            if is_odd {
                break;
            }
        }
        let is_link = |change: &Change| change.new.is_some_and(|new| new.mode == u32::from(FileMode::Link));
        is_odd |= changes.iter().any(|change| is_attributes(&change.path) && is_link(change));
        if !is_odd && !changes.iter().any(|change| is_attributes(&change.path)) {
            return Ok(None);
        }
        let open = || {
            let git = Repository::open(self.git.path())?;
            if is_odd {
                // Attributes from the index alone: an empty directory has none.
                git.set_workdir(&self.git.path().join("f9"), false)?;
            }
            let mut index = Index::new()?;
            index.read_tree(&git.find_tree(new.id())?)?;
            git.set_index(&mut index)?;
            Ok::<_, git2::Error>(git)
        };
        open().context("read the new attributes").map(Some)
    }

    /// Writes the files into the spool and moves them to where they belong: as they are stored, or filtered by libgit2.
    fn place(&self, changes: &[&Change], filters: Option<(&Repository, Oid)>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let spool = self.worktree.spool()?;
        if let Some((git, tree)) = filters {
            self.spool_filtered(changes, git, tree, &spool)?;
        }
        let root = spool.open()?;
        let mut mover = self.worktree.mover();
        for (number, change) in changes.iter().enumerate() {
            let Some(new) = change.new else { continue };
            if new.is_submodule() {
                self.worktree.make_directory(&change.path)?;
                continue;
            }
            // libgit2 leaves out what HEAD has as something else: a directory, or a link for a file.
            if filters.is_some()
                && change.content.is_none()
                && let Some(directory) = spool.directory_of(&change.path)?
            {
                mover.place(&directory, name_of(&change.path), &change.path)?;
                continue;
            }
            self.context.check_cancelled()?;
            self.report_files(number, changes.len());
            let file = spool.content(number);
            match &change.content {
                Some(content) => write_file(&file, content, new.mode)?,
                None => {
                    let blob = self.git.find_blob(new.id).context("read an object")?;
                    write_file(&file, blob.content(), new.mode)?;
                }
            }
            mover.place(&root, OsStr::new(&number.to_string()), &change.path)?;
        }
        Ok(())
    }

    /// Has libgit2 write them, with its filters, modes and links.
    fn spool_filtered(&self, changes: &[&Change], git: &Repository, tree: Oid, spool: &Spool) -> Result<()> {
        let mut options = CheckoutBuilder::new();
        options.force().update_index(false).disable_pathspec_match(true).target_dir(&spool.files());
        let mut total = 0;
        for change in changes.iter().filter(|change| change.content.is_none()) {
            if change.new.is_some_and(|new| !new.is_submodule()) {
                options.path(&*change.path);
                total += 1;
            }
        }
        // An index that is only in memory cannot be read again.
        options.refresh(std::ptr::eq(git, &raw const self.git));
        // Without any path, libgit2 would write all.
        if total == 0 {
            return Ok(());
        }
        options.progress(move |_, done, _| self.report_files(done, total));
        let tree = git.find_tree(tree).context("read a tree")?;
        let checkout = git.checkout_tree(tree.as_object(), Some(&mut options));
        checkout.context("write the remote's files")
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

fn name_of(path: &[u8]) -> &OsStr {
    OsStr::from_bytes(path.rsplit(|&byte| byte == b'/').next().unwrap_or(path))
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
