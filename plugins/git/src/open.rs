//! Opening a clone, or making it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{Config, ErrorCode, Oid, Repository, RepositoryInitOptions};

use crate::{
    checkout::{Before, Differ, check_changes},
    damage::pending,
    errors::Context as _,
    incoming::fetch_whole,
    journal::{Journal, Step},
    lock::LockFile,
    new_branch,
    options::Settings,
    remote_url::RemoteUrl,
    repository::Repo,
    representable::longest_name,
    transport::{self, Wanted},
};

/// Where a clone is made, inside the directory it is for, so that it comes to life by one rename.
const NURSERY: &str = ".f9-tmp-clone";

/// Where the clone says which branch f9 has last put it on: a checkout that somebody else has put elsewhere is theirs.
const OWN_BRANCH: &str = "f9/branch";

/// Opens the clone at `settings.path`; makes it if there is none.
pub(crate) fn open(settings: Arc<Settings>, context: Context) -> Result<Repo> {
    make_if_missing(&settings, &context)?;
    let path = settings.path.clone();
    let repo = Repo::at(&path, settings, context)?;
    {
        let operation = repo.locks.operation.hold(&repo.context)?;
        let tree = repo.locks.tree.hold(&repo.context)?;
        repo.recover(operation.interrupted().or(tree.interrupted())).map_err(pending)?;
        repo.check_configured()?;
        repo.point_at_remote()?;
        repo.switch_to_branch()?;
    }
    Ok(repo)
}

/// Sees to it that there is a clone.
pub(crate) fn make_if_missing(settings: &Settings, context: &Context) -> Result<()> {
    crate::libgit2::init()?;
    let path = &settings.path;
    // Where a clone was made and its maker was ended before it had tidied up, that is made up for.
    if !is_clone(path)? || path.join(NURSERY).exists() {
        make_clone(settings, context)?;
    }
    Ok(())
}

/// Whether there is a clone. Refuses whatever else is there, but for an empty directory.
fn is_clone(path: &Path) -> Result<bool> {
    match fs::symlink_metadata(path.join(".git")) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(Error::new(ErrorKind::NotADirectory, "a file is where the working tree is to be")
                .at(path.display())
                .hint("name another `path`"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("look for the clone");
        }
        Err(_) => {}
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).context("look into `path`"),
    };
    if ["HEAD", "objects", "refs"].iter().all(|name| path.join(name).exists()) {
        let message = "a bare repository is where the working tree is to be; nothing was changed";
        return Err(Error::new(ErrorKind::AlreadyExists, message)
            .at(path.display())
            .hint("name another `path`; a bare repository can be the `remote_url`"));
    }
    for entry in entries {
        if entry.context("look into `path`")?.file_name() != NURSERY {
            // Another one that made the clone may have been done meanwhile.
            if path.join(".git").symlink_metadata().is_ok() {
                return Ok(true);
            }
            let message = "the directory is not empty and is no git repository; nothing was changed";
            return Err(Error::new(ErrorKind::AlreadyExists, message)
                .at(path.display())
                .hint("name an empty or new directory as `path`, or run `git init` in this one"));
        }
    }
    Ok(false)
}

fn make_clone(settings: &Settings, context: &Context) -> Result<()> {
    let is_new = !settings.path.exists();
    let nursery = settings.path.join(NURSERY);
    // Another process may make the same clone: then this one waits, and finds it made.
    let held = loop {
        fs::create_dir_all(&nursery).context("make the directory for the clone")?;
        match LockFile::new(nursery.join("lock"), settings.timeout).hold(context) {
            Err(error) if error.is_not_found() => {} // the other one has just tidied up
            other => break other?,
        }
    };
    let already_made = settings.path.join(".git").exists();
    let made = if already_made { Ok(()) } else { fetch_into(&nursery.join("git"), settings, context) };
    let tidied = fs::remove_dir_all(&nursery);
    drop(held);
    if made.is_err() && is_new {
        // Only if it is still empty.
        let _ = fs::remove_dir(&settings.path);
    }
    made?;
    match tidied.as_ref().map_err(io::Error::kind) {
        // Another one that waited has come in meanwhile: it finds the clone made, and tidies up itself.
        Err(io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Ok(()),
        _ => tidied.context("tidy up after cloning"),
    }
}

/// Makes git's directory with the remote's branch in it, and puts it in its place. The files come when it is opened, as
/// the journal in it says.
fn fetch_into(directory: &PathBuf, settings: &Settings, context: &Context) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).context("clear an old attempt");
        }
        _ => {}
    }
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false).initial_head(&settings.branch);
    let repository = Repository::init_opts(directory, &options).context("make a repository")?;
    let branch = settings.branch_ref();
    let transport = transport::open(settings, context)?;
    let tip = fetch_whole(&*transport, &repository, &branch, Wanted::BranchOrDefault, context)?;
    if tip.is_none() {
        new_branch::refuse_unrelated(&*transport, &repository, settings, context)?;
    }
    if let Some(tip) = tip {
        let commit =
            repository.find_commit(tip.id).and_then(|commit| commit.tree()).context("read a commit")?;
        let changes = Differ { git: &repository, context }.changes(None, &commit)?;
        let place = fs::File::open(directory).context("look at the directory for the clone")?;
        check_changes(&changes, &repository, longest_name(place))?;
        let private = directory.join("f9");
        fs::create_dir_all(&private).context("make a directory inside .git")?;
        Journal::new(private.join("journal")).write(Step::Advance { from: None, to: tip.id })?;
        if let Some(name) = tip.branch.strip_prefix("refs/heads/") {
            let tracking = format!("refs/remotes/origin/{name}");
            repository.reference(&tracking, tip.id, true, "f9: cloned").context("note the remote's state")?;
        }
        if tip.branch != branch {
            new_branch::warn(&*transport, &repository, settings, context, "is published by the next push");
        }
    }
    let mut config = repository.config().context("configure the clone")?;
    config.set_bool("core.bare", false).context("configure the clone")?;
    config.set_bool("core.logallrefupdates", true).context("configure the clone")?;
    config.set_str("user.name", &settings.author_name).context("configure the clone")?;
    config.set_str("user.email", &settings.author_email).context("configure the clone")?;
    set_upstream(&mut config, &settings.branch)?;
    note_branch(directory, &branch)?;
    fs::rename(directory, settings.path.join(".git")).context("put the clone in its place")
}

impl Repo {
    /// Refuses a clone whose configuration is gone: what is set below would make it look like one that is whole.
    fn check_configured(&self) -> Result<()> {
        let config = fs::metadata(self.git.commondir().join("config"));
        if config.is_ok_and(|config| config.len() > 0) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Integrity, "the configuration of the clone is gone")
            .hint("`f9 repair NAME:` makes it anew"))
    }

    /// Sees to it that `origin` is the remote of this connection, for whoever uses git by hand. That it is the right one shows
    /// when its history is compared with that of the clone, before anything of it is brought here.
    fn point_at_remote(&self) -> Result<()> {
        let url = self.settings.remote.as_str();
        let branch = &self.settings.branch;
        match self.git.find_remote("origin") {
            Ok(remote) if remote.url_bytes() == url.as_bytes() => return Ok(()),
            Ok(remote) => {
                // What it was may hold a password.
                let was =
                    std::str::from_utf8(remote.url_bytes()).ok().and_then(|url| RemoteUrl::parse(url).ok());
                let was = was.map_or_else(|| "another address".to_owned(), |(was, _)| was.to_string());
                log::warn!("`origin` was {was}, and is now {url}, as the connection says");
                self.git.remote_set_url("origin", url).context("set the remote's address")?;
            }
            Err(error) if error.code() == ErrorCode::NotFound => {
                let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
                self.git.remote_with_fetch("origin", url, &refspec).context("set the remote's address")?;
            }
            Err(error) => return Err(error).context("read the remote's address"),
        }
        Ok(())
    }

    /// Sees to it that the clone is on the connection's branch. It is switched there if it is where f9 has put it, or has no
    /// commit yet; where somebody else has put it, it stays. A branch that does not exist yet starts where the remote's is
    /// or else at the commit that is checked out.
    fn switch_to_branch(&self) -> Result<()> {
        self.check_no_other_operation()?;
        let branch = self.settings.branch_ref();
        let head = self.git.find_reference("HEAD").context("read HEAD")?;
        if head.symbolic_target_bytes() == Some(branch.as_bytes()) {
            return Ok(());
        }
        let current = self.git.head().ok().and_then(|head| head.target());
        let known = self.head()?.or(self.tracked());
        if known.or(current).is_some() && head.symbolic_target_bytes() != self.own_branch()?.as_deref() {
            return Err(self.elsewhere(&head));
        }
        if current.is_some() {
            self.check_not_sparse()?;
            self.check_nothing_pending().map_err(|error| {
                let place = self.elsewhere(&head);
                let message = format!("{}: {}", place.message(), error.message());
                Error::new(error.kind(), message).at(self.settings.path.display()).hint(
                    "commit or stash it there with git, or open the connection with that branch as `branch` and push",
                )
            })?;
        }
        let target = match known {
            Some(known) => Some(known),
            // The remote may have it since the clone was made.
            None => self.fetch_branch()?.or(current),
        };
        self.make_room_for(&branch)?;
        if let Some(target) = target.filter(|target| Some(*target) != current) {
            self.advance(current, target, Before::Clean)?;
        }
        if let Some(target) = target.filter(|_| self.head().is_ok_and(|head| head.is_none())) {
            self.git.reference(&branch, target, false, "f9: start a branch").context("make the branch")?;
            set_upstream(&mut self.git.config().context("configure the clone")?, &self.settings.branch)?;
            if self.tracked().is_none() {
                new_branch::warn(
                    &*self.transport,
                    &self.git,
                    &self.settings,
                    &self.context,
                    "is published by the next push",
                );
            }
        }
        if self.tracked().is_some() {
            self.fetch_by_hand()?;
        }
        log::info!("the clone is now on the branch `{}`", self.settings.branch);
        self.git.set_head(&branch).context("switch to the branch")?;
        note_branch(self.git.path(), &branch)
    }

    /// Brings the connection's branch here, if the remote has it.
    fn fetch_branch(&self) -> Result<Option<Oid>> {
        let tip = self.bring()?;
        if let Some(tip) = tip {
            self.remember(tip)?;
        }
        Ok(tip)
    }

    /// So that a plain `git fetch` by hand brings the branch too. While the remote does not have it, `git fetch` would fail.
    pub(crate) fn fetch_by_hand(&self) -> Result<()> {
        let branch = self.settings.branch_ref();
        let origin = self.git.find_remote("origin").context("configure the clone")?;
        if origin.refspecs().any(|refspec| refspec.src_matches(&branch)) {
            return Ok(());
        }
        let name = &self.settings.branch;
        let refspec = format!("+{branch}:refs/remotes/origin/{name}");
        self.git.remote_add_fetch("origin", &refspec).context("configure the clone")
    }

    /// The branch that f9 has last put the clone on.
    fn own_branch(&self) -> Result<Option<Vec<u8>>> {
        match fs::read(self.git.path().join(OWN_BRANCH)) {
            Ok(name) => Ok(Some(name)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).context("read which branch the clone was put on"),
        }
    }
}

/// So that a plain `git push` by hand knows where to. What somebody has set already stays.
fn set_upstream(config: &mut Config, branch: &str) -> Result<()> {
    let remote = format!("branch.{branch}.remote");
    if config.get_entry(&remote).is_ok() {
        return Ok(());
    }
    let merge = (format!("branch.{branch}.merge"), format!("refs/heads/{branch}"));
    config.set_str(&remote, "origin").context("configure the clone")?;
    config.set_str(&merge.0, &merge.1).context("configure the clone")
}

/// Notes that f9 has put the clone on this branch (`refs/heads/…`).
fn note_branch(git: &Path, branch: &str) -> Result<()> {
    let note = git.join(OWN_BRANCH);
    let new = note.with_extension("new");
    fs::create_dir_all(git.join("f9"))
        .and_then(|()| fs::write(&new, branch))
        .and_then(|()| fs::rename(&new, &note))
        .context("note which branch the clone is on")
}
