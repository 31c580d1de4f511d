//! Mending a clone: from what is left of it, and from the remote. No file of the working tree is changed but by finishing what
//! was interrupted; what is replaced inside `.git` is kept aside.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result, log};
use git2::{Config, Oid, Repository};

use crate::{
    checkout::Before,
    damage::{Anatomy, Damage, is_packed_line, open},
    divergence::short,
    errors::{Context as _, clean, name_some},
    incoming::{Depth, Fresh, check_whole},
    lock::LockFile,
    loose,
    merge::Merged,
    options::Settings,
    repository::{Repo, count},
    transport,
};

/// Where, inside `.git`, the damaged parts are kept.
const ASIDE: &str = "f9/damaged";

/// Mends the clone, and tells in sentences what was done and what could not be saved.
pub(crate) fn repair(settings: &Arc<Settings>, context: &Context) -> Result<Vec<String>> {
    let Some(anatomy) = Anatomy::of(settings) else {
        let message = "there is no clone here whose `.git` is a directory of its own";
        return Err(Error::new(ErrorKind::Unsupported, message).at(settings.path.display()));
    };
    let private = anatomy.git.join("f9");
    fs::create_dir_all(&private).context("make a directory inside .git")?;
    for directory in ["refs/heads", "objects/pack"] {
        fs::create_dir_all(anatomy.git.join(directory)).context("make a directory inside .git")?;
    }
    let lock = |name: &str| LockFile::new(private.join(name), settings.timeout);
    let (operation, tree) = (lock("operation.lock"), lock("tree.lock"));
    let (_operation, _tree) = (operation.hold(context)?, tree.hold(context)?);
    let aside = anatomy.git.join(ASIDE).join(now());
    let mut repair = Repair { anatomy, context, aside, done: Vec::new(), journal_lost: false };
    repair.loose_objects()?;
    repair.files()?;
    repair.objects()?;
    repair.other_branches()?;
    repair.lost_commits()?;
    repair.tracking()?;
    repair.branch()?;
    let repo = Repo::at(&settings.path, Arc::clone(settings), context.clone())?;
    repair.index(&repo)?;
    repair.journal(&repo)?;
    repair.close(&repo)
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{:09}", since.as_secs(), since.subsec_nanos())
}

struct Repair<'a> {
    anatomy: Anatomy<'a>,
    context: &'a Context,
    /// Where what is replaced is kept.
    aside: PathBuf,
    done: Vec<String>,
    /// Something was under way, and what it was is not known.
    journal_lost: bool,
}

impl Repair<'_> {
    fn settings(&self) -> &Settings {
        self.anatomy.settings
    }

    fn path(&self, part: &str) -> PathBuf {
        self.anatomy.git.join(part)
    }

    fn tell(&mut self, sentence: String) {
        // Should what follows fail, this is what is known of what was done.
        log::info!("{sentence}");
        self.done.push(sentence);
    }

    /// Objects that are cut short: set aside before libgit2 meets them.
    fn loose_objects(&mut self) -> Result<()> {
        let damaged = loose::damaged(&self.anatomy.git, self.context)?;
        if damaged.is_empty() {
            return Ok(());
        }
        let kept = self.aside.join("loose");
        fs::create_dir_all(&kept).context("set a damaged object aside")?;
        for object in &damaged {
            let names = object.components().rev().take(2).map(|name| name.as_os_str().to_string_lossy());
            let id = names.collect::<Vec<_>>().into_iter().rev().collect::<String>();
            fs::rename(object, kept.join(id)).context("set a damaged object aside")?;
        }
        let what = count(damaged.len(), "object was damaged", "objects were damaged");
        self.tell(format!("{what}: kept in {}", kept.display()));
        Ok(())
    }

    /// Git's files that are damaged: set aside, and those made anew that git cannot do without.
    fn files(&mut self) -> Result<()> {
        for damage in self.anatomy.damages() {
            self.set_aside(&damage.part)?;
            let made = match &*damage.part {
                "HEAD" => self.make_head()?,
                "config" => self.make_config()?,
                "packed-refs" => self.keep_whole_lines()?,
                "f9/journal" => {
                    self.journal_lost = true;
                    "finished as far as it is known"
                }
                "index" => "made anew",
                name if *name == self.settings().branch_ref() => "looked for in its log and at the remote",
                _ => "read again from its log or from the remote",
            };
            self.tell_of(&damage, made);
        }
        Ok(())
    }

    fn tell_of(&mut self, damage: &Damage, made: &str) {
        let kept = match self.aside.join(&damage.part).symlink_metadata() {
            Ok(_) => format!("; the old one is kept in {}", self.aside.display()),
            Err(_) => String::new(),
        };
        self.tell(format!("`.git/{}` {}: {made}{kept}", clean(&damage.part), damage.what));
    }

    fn set_aside(&self, part: &str) -> Result<()> {
        let (from, to) = (self.path(part), self.aside.join(part));
        if from.symlink_metadata().is_err() {
            return Ok(());
        }
        let parent = to.parent().unwrap_or(&self.aside);
        fs::create_dir_all(parent).and_then(|()| fs::rename(from, &to)).context("set a damaged part aside")
    }

    fn make_head(&self) -> Result<&'static str> {
        let own = fs::read_to_string(self.path("f9/branch")).unwrap_or_default();
        let branch = if own.starts_with("refs/heads/") && git2::Reference::is_valid_name(&own) {
            own
        } else {
            self.settings().branch_ref()
        };
        self.write("HEAD", format!("ref: {branch}\n").as_bytes())?;
        Ok("made anew for the branch that f9 has last put it on")
    }

    fn make_config(&self) -> Result<&'static str> {
        self.write("config", b"[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n")?;
        let set = || {
            let mut config = Config::open(&self.path("config"))?;
            config.set_bool("core.bare", false)?;
            config.set_bool("core.logallrefupdates", true)?;
            config.set_str("user.name", &self.settings().author_name)?;
            config.set_str("user.email", &self.settings().author_email)?;
            let branch = &self.settings().branch;
            config.set_str(&format!("branch.{branch}.remote"), "origin")?;
            config.set_str(&format!("branch.{branch}.merge"), &format!("refs/heads/{branch}"))
        };
        set().context("configure the clone")?;
        Ok("made anew as the connection says; what somebody has set by hand is lost")
    }

    fn keep_whole_lines(&self) -> Result<&'static str> {
        let old = fs::read(self.aside.join("packed-refs")).context("read the references")?;
        let whole = old.split_inclusive(|&byte| byte == b'\n').filter(|line| {
            line.strip_suffix(b"\n").is_some_and(is_packed_line) // the last may have been cut off
        });
        let whole = whole.collect::<Vec<_>>().concat();
        if whole.contains(&b'\n') {
            self.write("packed-refs", &whole)?;
        }
        Ok("its whole lines are kept, and of the others what the logs of the branches tell")
    }

    fn write(&self, part: &str, content: &[u8]) -> Result<()> {
        let new = self.path("f9").join("repaired");
        let written = fs::write(&new, content).and_then(|()| fs::rename(&new, self.path(part)));
        written.context("write a part of the clone anew")
    }

    /// Fetches what is missing or damaged of what the branch consists of, here and as it was seen at the remote.
    fn objects(&mut self) -> Result<()> {
        let git = open(&self.settings().path).context("open the repository")?;
        let roots = self.roots(&git);
        let is_whole = |id: &Oid| check_whole(&git, *id, Depth::Content, self.context).is_ok();
        if !roots.is_empty() && roots.iter().all(is_whole) {
            return Ok(());
        }
        self.context.check_cancelled()?;
        let transport = transport::open(self.settings(), self.context)?;
        let directory = self.path("f9/refetch");
        let fresh = Fresh::fetch(&directory, &*transport, &self.settings().branch_ref(), self.context)?;
        salvage(&git, &fresh.git, self.context)?;
        if roots.is_empty() && fresh.tip.is_none() {
            return Ok(()); // an empty clone of an empty remote
        }
        if let Some(tip) = fresh.tip {
            // Where it was seen is what a rewritten history is known by: it stays, if it can be read.
            let tracking = self.settings().tracking_ref();
            if git.refname_to_id(&tracking).is_err() && self.logged(&tracking).is_empty() {
                self.write_reference(&tracking, tip)?;
            }
        }
        self.exchange_objects(&directory)?;
        // It may speak of objects that are gone.
        self.set_aside("index")?;
        self.tell(format!(
            "objects were missing or damaged: fetched again from the remote, and taken from what was here; the old ones are \
             kept in {}",
            self.aside.join("objects").display()
        ));
        Ok(())
    }

    /// The commits that are looked at: where the branch is, where it was, where it is going, and what was seen of the remote.
    fn roots(&self, git: &Repository) -> Vec<Oid> {
        let names = [self.settings().branch_ref(), self.settings().tracking_ref()];
        let mut roots: Vec<_> = names.iter().filter_map(|name| git.refname_to_id(name).ok()).collect();
        if let Ok(Some(step)) = self.anatomy.journal().read() {
            roots.extend(step.commits());
        }
        let merged = fs::read_to_string(self.path("MERGE_HEAD")).unwrap_or_default();
        roots.extend(merged.lines().filter_map(|line| Oid::from_str(line).ok()));
        if roots.is_empty() {
            roots.extend(self.logged(&self.settings().branch_ref()).first());
        }
        roots
    }

    /// Where a reference was, as its log says, the latest first.
    fn logged(&self, name: &str) -> Vec<Oid> {
        let log = fs::read(self.path("logs").join(name)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let ids = log.lines().rev().filter_map(|line| {
            let id = line.split(' ').nth(1).filter(|id| id.len() == 40)?;
            Oid::from_str(id).ok().filter(|id| !id.is_zero())
        });
        ids.collect()
    }

    fn exchange_objects(&self, fresh: &Path) -> Result<()> {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let (old, new) = (self.path("objects"), fresh.join("objects"));
        fs::create_dir_all(&self.aside).context("set the objects aside")?;
        let kept = self.aside.join("objects");
        match renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE) {
            Ok(()) => fs::rename(new, kept).context("set the objects aside"),
            Err(error) => {
                log::debug!("the objects are exchanged in two steps: {error}");
                fs::rename(&old, kept)
                    .and_then(|()| fs::rename(&new, &old))
                    .context("put the objects in their place")
            }
        }
    }

    /// Tells of what was kept under a name, and of other branches, whose commits are gone: only this clone had them.
    fn lost_commits(&mut self) -> Result<()> {
        let git = open(&self.settings().path).context("open the repository")?;
        let own = [self.settings().branch_ref(), self.settings().tracking_ref()];
        let mut lost = Vec::new();
        for glob in ["refs/f9/kept/*", "refs/heads/*"] {
            let mut references = git.references_glob(glob).context("read the branches")?;
            for name in references.names() {
                let name = name.context("read the branches")?.to_owned();
                let is_whole = git
                    .refname_to_id(&name)
                    .is_ok_and(|id| check_whole(&git, id, Depth::Header, self.context).is_ok());
                if !own.contains(&name) && !is_whole {
                    lost.push(name);
                }
            }
        }
        for name in lost {
            self.tell(format!(
                "{} cannot be saved: commits of it are missing, and nobody else has them",
                clean(&name)
            ));
        }
        Ok(())
    }

    /// Puts branches that were lost with the packed references where their logs say.
    fn other_branches(&mut self) -> Result<()> {
        if self.aside.join("packed-refs").symlink_metadata().is_err() {
            return Ok(());
        }
        let git = open(&self.settings().path).context("open the repository")?;
        let own = [self.settings().branch_ref(), self.settings().tracking_ref()];
        let mut open_directories =
            vec!["refs/heads".to_owned(), "refs/remotes".to_owned(), "refs/f9".to_owned()];
        while let Some(directory) = open_directories.pop() {
            // There need not be any logs.
            let Ok(entries) = fs::read_dir(self.path("logs").join(&directory)) else { continue };
            for entry in entries {
                let entry = entry.context("read the logs")?;
                let Some(name) = entry.file_name().to_str().map(|name| format!("{directory}/{name}")) else {
                    continue;
                };
                if entry.file_type().context("read the logs")?.is_dir() {
                    open_directories.push(name);
                } else if !own.contains(&name) && git.refname_to_id(&name).is_err() {
                    let is_whole = |id: &Oid| check_whole(&git, *id, Depth::Header, self.context).is_ok();
                    if let Some(id) = self.logged(&name).into_iter().find(is_whole) {
                        self.write_reference(&name, id)?;
                        self.tell(format!("{} is at {} again", clean(&name), short(id)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Puts the note of what was seen at the remote where its log says, or forgets it: what is not here tells nothing.
    fn tracking(&mut self) -> Result<()> {
        let git = open(&self.settings().path).context("open the repository")?;
        let tracking = self.settings().tracking_ref();
        let is_whole = |id: &Oid| check_whole(&git, *id, Depth::Header, self.context).is_ok();
        if git.refname_to_id(&tracking).is_ok_and(|id| is_whole(&id)) {
            return Ok(());
        }
        let seen = self.logged(&tracking).into_iter().find(is_whole);
        self.set_aside(&tracking)?;
        match seen {
            Some(seen) => self.write_reference(&tracking, seen),
            None => Ok(()),
        }
    }

    /// Puts the branch where it was last whole, if it is not.
    fn branch(&mut self) -> Result<()> {
        let git = open(&self.settings().path).context("open the repository")?;
        let branch = self.settings().branch_ref();
        let at = git.refname_to_id(&branch).ok();
        let is_whole = |id: &Oid| check_whole(&git, *id, Depth::Header, self.context).is_ok();
        if at.as_ref().is_some_and(is_whole) || (at.is_none() && self.anatomy.journal().exists()) {
            return Ok(());
        }
        let seen = git.refname_to_id(&self.settings().tracking_ref()).ok();
        let candidates = self.logged(&branch).into_iter().chain(seen);
        let found = candidates.filter(|id| Some(*id) != at).find(is_whole);
        let Some(found) = found else {
            if at.is_none() && self.logged(&branch).is_empty() {
                return Ok(()); // no commit was ever made
            }
            let message = "no commit of the branch is whole, neither here nor at the remote";
            return Err(Error::new(ErrorKind::Integrity, message)
                .hint("clone it anew at another `path`, and copy the files of this working tree there"));
        };
        self.set_aside(&branch)?;
        self.write_reference(&branch, found)?;
        for log in ["logs/HEAD".to_owned(), format!("logs/{branch}")] {
            self.forget_lost(&git, &log, found)?;
        }
        let lost = at.map_or_else(String::new, |at| {
            format!(
                "; what was committed since, up to {}, cannot be saved but for the files of the working tree, which are pending",
                short(at)
            )
        });
        self.tell(format!("the branch is at {}, the last commit of it that is whole{lost}", short(found)));
        Ok(())
    }

    /// Keeps of a log what is about commits that are there, as that which was `found` is.
    fn forget_lost(&self, git: &Repository, log: &str, found: Oid) -> Result<()> {
        let Ok(old) = fs::read(self.path(log)) else { return Ok(()) };
        let is_there = |id: &[u8]| {
            let id = std::str::from_utf8(id).ok().and_then(|id| Oid::from_str(id).ok());
            id.is_some_and(|id| {
                id.is_zero()
                    || id == found
                    || git.graph_descendant_of(found, id).unwrap_or(false)
                    || check_whole(git, id, Depth::Header, self.context).is_ok()
            })
        };
        let whole = old.split_inclusive(|&byte| byte == b'\n').filter(|line| {
            let mut words = line.split(|&byte| byte == b' ');
            words.next().is_some_and(is_there) && words.next().is_some_and(is_there)
        });
        let whole = whole.collect::<Vec<_>>().concat();
        self.set_aside(log)?;
        self.write(log, &whole)
    }

    /// Without libgit2, which would read what is there before.
    fn write_reference(&self, name: &str, id: Oid) -> Result<()> {
        let parent = self.path(name);
        let parent = parent.parent().unwrap_or(&self.anatomy.git);
        fs::create_dir_all(parent).context("make a directory inside .git")?;
        self.write(name, format!("{id}\n").as_bytes())
    }

    /// Makes an index that was set aside anew: that of the last commit, or of the merge under way.
    fn index(&mut self, repo: &Repo) -> Result<()> {
        let Some(head) = repo.head()? else { return Ok(()) };
        if repo.index_path().exists() {
            return Ok(());
        }
        if let [their] = &*repo.merge_heads()?
            && let Merged::Conflicts(conflicts) = repo.merge_in_memory(head, *their)?
        {
            self.tell("the conflicts of the merge that is under way are open again".to_owned());
            return repo.leave_conflicts(head, *their, &conflicts, Before::Interrupted);
        }
        let mut index = repo.index_of(&repo.tree_of(head)?, [])?;
        index.write_tree().and_then(|_| index.write()).context("write the index")
    }

    /// Finishes what was interrupted, if that was a pull and its journal is lost: what it was to bring was noted before.
    fn journal(&mut self, repo: &Repo) -> Result<()> {
        if self.journal_lost
            && let (Some(head), Some(seen)) = (repo.head()?, repo.tracked())
            && !repo.is_ancestor(seen, Some(head))?
        {
            repo.resume(head, seen)?;
            self.tell("the pull that was interrupted is finished".to_owned());
            return Ok(());
        }
        let was_there = repo.needs_recovery();
        repo.recover(None)?;
        if was_there {
            self.tell("what was interrupted is finished".to_owned());
        }
        Ok(())
    }

    /// What is left to be told.
    fn close(mut self, repo: &Repo) -> Result<Vec<String>> {
        if self.done.is_empty() {
            self.tell("the clone is not damaged: nothing was changed".to_owned());
            return Ok(self.done);
        }
        match repo.check_nothing_pending() {
            Ok(()) => {}
            Err(error) => self.tell(format!("look before the next push: {}", error.message())),
        }
        Ok(self.done)
    }
}

impl Repo {
    /// Goes on with a pull from `head` of what is at `their`. Some of it may be done.
    fn resume(&self, head: Oid, their: Oid) -> Result<()> {
        if self.is_ancestor(head, Some(their))? {
            return self.advance(Some(head), their, Before::Interrupted);
        }
        match self.merge_in_memory(head, their)? {
            Merged::Clean(tree) => {
                let commit = self.commit_tree(&tree, &self.merge_message(), &[head, their])?;
                self.advance(Some(head), commit, Before::Interrupted)
            }
            Merged::Conflicts(conflicts) => {
                self.leave_conflicts(head, their, &conflicts, Before::Interrupted)
            }
        }
    }
}

/// Copies what can be read of a repository's objects to another that lacks them.
fn salvage(from: &Repository, to: &Repository, context: &Context) -> Result<()> {
    let (source, target) = (from.odb().context("open the objects")?, to.odb().context("open the objects")?);
    let mut ids = Vec::new();
    let listed = source.foreach(|id| {
        ids.push(*id);
        true
    });
    if let Err(error) = listed {
        log::warn!("not all objects that are here can be listed: {}", clean(error.message()));
    }
    ids.extend(loose_objects(&from.commondir().join("objects")));
    let mut unreadable = Vec::new();
    for id in ids {
        context.check_cancelled()?;
        if target.exists(id) {
            continue;
        }
        match source.read(id) {
            Ok(object) => drop(target.write(object.kind(), object.data()).context("write an object")?),
            Err(_) => unreadable.push(id.to_string()),
        }
    }
    if !unreadable.is_empty() {
        let names = name_some(unreadable.iter().map(String::as_str));
        log::warn!("{}: {names}", count(unreadable.len(), "object cannot be read", "objects cannot be read"));
    }
    Ok(())
}

/// The objects that have a file of their own. A damaged pack must not hide them.
fn loose_objects(directory: &Path) -> Vec<Oid> {
    let mut ids = Vec::new();
    // What cannot be listed cannot be saved, either: it shows in what is not whole afterwards.
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let start = entry.file_name();
        let Some(start) = start.to_str().filter(|start| start.len() == 2) else { continue };
        for file in fs::read_dir(entry.path()).into_iter().flatten().flatten() {
            let name = file.file_name();
            ids.extend(name.to_str().and_then(|rest| Oid::from_str(&format!("{start}{rest}")).ok()));
        }
    }
    ids
}
