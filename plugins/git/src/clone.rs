//! Making a clone.
//!
//! It grows in a directory with a name made at random, inside the directory that it is for, and becomes `.git` by one
//! rename. No file of the remote is in the tree before that, and nothing of ours is left in it after: so no name that a
//! repository can track has a meaning. The files come when the clone is opened, as the journal in it says.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher as _, Hasher as _},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{Config, Repository, RepositoryInitOptions};

use crate::{
    bounds,
    checkout::{Differ, check_changes},
    errors::Context as _,
    incoming::fetch_whole,
    journal::{Journal, Step},
    lock::{LockFile, Shared},
    new_branch,
    options::Settings,
    own_file,
    representable::longest_name,
    transport::{self, Wanted},
};

/// How the name of a clone in the making begins; hexadecimal digits follow.
const PREFIX: &str = ".f9-clone-";

/// The file in it by which it is known for what it is, and what it says.
const MARK: (&str, &[u8]) = ("f9-clone", b"This clone is not complete.\n");

/// Where the clone says which branch f9 has last put it on: a checkout that somebody else has put elsewhere is theirs.
pub(crate) const OWN_BRANCH: &str = "f9/branch";

/// How often the directory for the clone may be taken away while we wait for it.
const ATTEMPTS: u32 = 100;

/// Makes the clone at `settings.path`, unless somebody else is quicker.
pub(crate) fn make(settings: &Settings, context: &Context) -> Result<()> {
    let is_new = !settings.path.exists();
    let held = hold(settings, context)?;
    let made = make_alone(settings, context, held.is_some());
    if made.is_err() && is_new {
        // Only if it is still empty.
        let _ = fs::remove_dir(&settings.path);
    }
    made
}

/// Whether this looks like a clone in the making. Whether it is one, and left behind, is found out under the lock.
pub(crate) fn may_be_remains(path: &Path) -> bool {
    let is_named_so = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
        let digits = name.strip_prefix(PREFIX);
        digits
            .is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
    });
    let is_our_directory = || {
        let metadata = fs::symlink_metadata(path);
        metadata.is_ok_and(|there| there.is_dir() && there.uid() == rustix::process::geteuid().as_raw())
    };
    is_named_so && is_our_directory()
}

/// The error for a directory that has something else in it.
pub(crate) fn not_empty(path: &Path) -> Error {
    let message = "the directory is not empty and is no git repository; nothing was changed";
    Error::new(ErrorKind::AlreadyExists, message)
        .at(path.display())
        .hint("name an empty or new directory as `path`, or run `git init` in this one")
}

/// The directory for the clone, which is made if need be and locked, so that nobody makes the same clone at the same
/// time. `None` where the file system has no locks for directories (NFS): then both make one, and one of them is taken.
fn hold(settings: &Settings, context: &Context) -> Result<Option<Shared>> {
    for _ in 0..ATTEMPTS {
        fs::create_dir_all(&settings.path).context("make the directory for the clone")?;
        match LockFile::hold_directory(settings.path.clone(), settings.timeout, context) {
            Ok(held) => return Ok(Some(held)),
            // Another one that made it has failed, and tidied up.
            Err(error) if error.is_not_found() => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::Io | ErrorKind::Unsupported | ErrorKind::Other) =>
            {
                log::debug!("the directory for the clone is not locked: {error}");
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::Busy, "the directory for the clone is taken away again and again")
        .at(settings.path.display())
        .hint("find out which program removes it, then try again"))
}

fn make_alone(settings: &Settings, context: &Context, is_locked: bool) -> Result<()> {
    let place = settings.path.join(".git");
    if own_file::is_there(&place) {
        return Ok(());
    }
    if is_locked {
        remove_remains(&settings.path)?;
    }
    let nursery = settings.path.join(format!("{PREFIX}{:016x}", random()));
    // Whatever the umask, nobody else puts anything into what is to be the clone.
    fs::DirBuilder::new().mode(0o755).create(&nursery).context("make the directory for the clone")?;
    fs::write(nursery.join(MARK.0), MARK.1).context("make the directory for the clone")?;
    let made = fetch_into(&nursery, settings, context).and_then(|()| come_to_life(&nursery, &place));
    if made.is_err() {
        // What cannot be removed now is removed before the next attempt.
        let _ = fs::remove_dir_all(&nursery);
    }
    made
}

/// Removes what the makers of clones left behind when they were killed. Nobody else's directory is taken for one: it has
/// our mark, or nothing in it.
fn remove_remains(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).context("look into `path`")? {
        let path = entry.context("look into `path`")?.path();
        let is_marked =
            || matches!(own_file::read(&path.join(MARK.0)), Ok(Some(mark)) if MARK.1.starts_with(&mark));
        let is_empty = || fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_none());
        if !may_be_remains(&path) || !(is_marked() || is_empty()) {
            return Err(not_empty(directory));
        }
        fs::remove_dir_all(&path).context("remove an incomplete clone")?;
        log::info!("removed {}, an incomplete clone that was left behind", path.display());
    }
    Ok(())
}

/// Makes git's directory with the remote's branch in it.
fn fetch_into(directory: &Path, settings: &Settings, context: &Context) -> Result<()> {
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
        bounds::check(&repository, None, &commit, settings, context)?;
        let changes = Differ { git: &repository, context }.changes(None, &commit)?;
        let place = fs::File::open(directory).context("look at the directory for the clone")?;
        check_changes(&changes, &repository, longest_name(place))?;
        let private = directory.join("f9");
        own_file::make_directory(&private)?;
        Journal::new(private.join("journal")).write(Step::Advance { from: None, to: tip.id })?;
        if let Some(name) = tip.branch.strip_prefix("refs/heads/") {
            let tracking = format!("refs/remotes/origin/{name}");
            repository.reference(&tracking, tip.id, true, "f9: cloned").context("note the remote's state")?;
        }
        if tip.branch != branch {
            new_branch::warn(
                &*transport,
                &repository,
                settings,
                context,
                "is made there when something is pushed",
            );
        }
    }
    let mut config = repository.config().context("configure the clone")?;
    config.set_bool("core.bare", false).context("configure the clone")?;
    config.set_bool("core.logallrefupdates", true).context("configure the clone")?;
    config.set_str("user.name", &settings.author_name).context("configure the clone")?;
    config.set_str("user.email", &settings.author_email).context("configure the clone")?;
    set_upstream(&mut config, &settings.branch)?;
    note_branch(directory, &branch)
}

/// Puts the clone in its place, unless another one is there.
fn come_to_life(nursery: &Path, place: &Path) -> Result<()> {
    match fs::rename(nursery, place) {
        Ok(()) => fs::remove_file(place.join(MARK.0)).context("finish the clone"),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists) =>
        {
            fs::remove_dir_all(nursery).context("remove a clone that another process was quicker to make")
        }
        Err(error) => Err(error).context("put the clone in its place"),
    }
}

/// A number that nobody can foresee.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// So that a plain `git push` by hand knows where to. What somebody has set already stays.
pub(crate) fn set_upstream(config: &mut Config, branch: &str) -> Result<()> {
    let remote = format!("branch.{branch}.remote");
    if config.get_entry(&remote).is_ok() {
        return Ok(());
    }
    let merge = (format!("branch.{branch}.merge"), format!("refs/heads/{branch}"));
    config.set_str(&remote, "origin").context("configure the clone")?;
    config.set_str(&merge.0, &merge.1).context("configure the clone")
}

/// Notes that f9 has put the clone on this branch (`refs/heads/…`).
pub(crate) fn note_branch(git: &Path, branch: &str) -> Result<()> {
    own_file::make_directory(&git.join("f9"))?;
    own_file::replace(&git.join(OWN_BRANCH), branch.as_bytes())
}
