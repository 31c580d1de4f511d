//! Which part of a clone is damaged: looked for when something has failed.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{Config, Index, Oid, Repository, RepositoryOpenFlags};

use crate::{
    errors::clean,
    incoming::{Depth, check_whole},
    index_file::is_ordered,
    journal::Journal,
    loose,
    options::Settings,
};

/// The fact that names the damaged parts.
const DAMAGED: &str = "damaged";

/// A part of the clone, as its name inside `.git`, and what is wrong with it.
#[derive(Debug)]
pub(crate) struct Damage {
    pub(crate) part: String,
    pub(crate) what: &'static str,
}

/// git's directory, with what the connection says of it.
pub(crate) struct Anatomy<'a> {
    pub(crate) git: PathBuf,
    pub(crate) settings: &'a Settings,
}

impl<'a> Anatomy<'a> {
    /// `None` if `.git` is no directory: then it is somebody else's, which refers to another place.
    pub(crate) fn of(settings: &'a Settings) -> Option<Self> {
        let git = settings.path.join(".git");
        let is_directory = git.symlink_metadata().is_ok_and(|found| found.is_dir());
        is_directory.then_some(Self { git, settings })
    }

    pub(crate) fn journal(&self) -> Journal {
        Journal::new(self.git.join("f9/journal"))
    }

    /// What is wrong with git's files, but for the objects.
    pub(crate) fn damages(&self) -> Vec<Damage> {
        let mut found = Vec::new();
        let mut add = |part: &str, what: Option<&'static str>| {
            found.extend(what.map(|what| Damage { part: part.to_owned(), what }));
        };
        add("HEAD", self.of_reference("HEAD"));
        add("config", self.of_config());
        add("packed-refs", self.of_packed());
        let (branch, tracking) = (self.settings.branch_ref(), self.settings.tracking_ref());
        add(
            &branch,
            self.of_reference(&branch).filter(|what| *what != MISSING).or_else(|| self.is_gone(&branch)),
        );
        add(&tracking, self.of_reference(&tracking).filter(|what| *what != MISSING));
        add("index", self.of_index());
        add("f9/journal", self.journal().read().is_err().then_some(NONSENSE));
        found
    }

    fn of_reference(&self, name: &str) -> Option<&'static str> {
        let content = match self.content(name) {
            Ok(content) => content,
            Err(what) => return Some(what),
        };
        let text = String::from_utf8_lossy(&content);
        let is_whole = match text.strip_prefix("ref: ") {
            Some(target) => git2::Reference::is_valid_name(target.trim_end()),
            None => text.trim_end().len() == 40 && Oid::from_str(text.trim_end()).is_ok(),
        };
        (!is_whole).then_some(NONSENSE)
    }

    /// A branch that its log knows, and nothing else.
    fn is_gone(&self, branch: &str) -> Option<&'static str> {
        let is_packed = || {
            let packed = fs::read(self.git.join("packed-refs")).unwrap_or_default();
            packed.split(|&byte| byte == b'\n').any(|line| line.ends_with(format!(" {branch}").as_bytes()))
        };
        let is_there = self.git.join(branch).exists() || is_packed();
        let was_there = self.git.join("logs").join(branch).exists();
        (!is_there && was_there && !self.journal().exists()).then_some(MISSING)
    }

    fn of_config(&self) -> Option<&'static str> {
        if let Err(what) = self.content("config") {
            return Some(what);
        }
        let parsed = Config::open(&self.git.join("config")).and_then(|mut config| config.snapshot());
        parsed.is_err().then_some(NONSENSE)
    }

    fn of_packed(&self) -> Option<&'static str> {
        match self.content("packed-refs") {
            // There need not be one.
            Err(MISSING) => None,
            Err(what) => Some(what),
            Ok(content) => {
                content.split(|&byte| byte == b'\n').any(|line| !is_packed_line(line)).then_some(NONSENSE)
            }
        }
    }

    fn of_index(&self) -> Option<&'static str> {
        let has_commit = self.of_reference(&self.settings.branch_ref()).is_none();
        match self.content("index") {
            Err(MISSING) if !has_commit || self.journal().exists() => None,
            Err(what) => Some(what),
            Ok(_) => match Index::open(&self.git.join("index")) {
                Ok(index) => (!is_ordered(&index)).then_some("is out of order"),
                Err(_) => Some(NONSENSE),
            },
        }
    }

    fn content(&self, part: &str) -> Result<Vec<u8>, &'static str> {
        match fs::read(self.git.join(part)) {
            Ok(content) if content.is_empty() => Err("is empty"),
            Ok(content) => Ok(content),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(MISSING),
            Err(_) => Err("cannot be read"),
        }
    }
}

pub(crate) const MISSING: &str = "is missing";
const NONSENSE: &str = "makes no sense";

/// Whether a line is one that `packed-refs` has.
pub(crate) fn is_packed_line(line: &[u8]) -> bool {
    let is_id = |id: &[u8]| id.len() == 40 && id.iter().all(u8::is_ascii_hexdigit);
    match line {
        [] | [b'#', ..] => true,
        [b'^', id @ ..] => is_id(id),
        _ => line.split_at_checked(40).is_some_and(|(id, name)| is_id(id) && name.starts_with(b" refs/")),
    }
}

/// What has failed, in terms of the damage that is its cause, if there is any.
pub(crate) fn explain(error: Error, settings: &Settings, context: &Context) -> Error {
    let may_be =
        matches!(error.kind(), ErrorKind::Io | ErrorKind::Integrity | ErrorKind::Other | ErrorKind::NotFound);
    let is_explained = error.context().any(|(name, value)| name == "reason" && value != PENDING);
    let Some(anatomy) = Anatomy::of(settings).filter(|_| may_be && !is_explained) else { return error };
    let mut damages = anatomy.damages();
    if damages.is_empty() && lacks_objects(&anatomy, &error, context) {
        damages.push(Damage { part: "objects".to_owned(), what: "lacks some, or has damaged ones" });
    }
    if damages.is_empty() { error } else { damaged(&damages).caused_by(error) }
}

/// Whether the error of opening is one beside which files can be read.
pub(crate) fn leaves_files_readable(error: &Error) -> bool {
    error.context().any(|(name, value)| name == "reason" && matches!(value, "damaged" | PENDING))
}

const PENDING: &str = "pull-pending";

/// The error for a pull that was interrupted and cannot be finished now.
pub(crate) fn pending(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Busy | ErrorKind::Cancelled => error,
        kind if error.context().all(|(name, value)| name != "reason" || value != "damaged") => {
            let message = format!("a pull that was interrupted cannot be finished: {}", error.message());
            let renewed = Error::new(kind, message).with("reason", PENDING).hint(
                "`f9 pull NAME:` goes on, `f9 pull NAME: --abort` goes back, `f9 repair NAME:` fetches what is missing; \
                 until then files can be read",
            );
            match error.path() {
                Some(path) => renewed.at(path.to_owned()).caused_by(error),
                None => renewed.caused_by(error),
            }
        }
        _ => error,
    }
}

fn damaged(damages: &[Damage]) -> Error {
    let parts: Vec<_> = damages.iter().map(|damage| clean(&damage.part)).collect();
    let each: Vec<_> =
        damages.iter().map(|damage| format!("`.git/{}` {}", clean(&damage.part), damage.what)).collect();
    Error::new(ErrorKind::Integrity, format!("the clone is damaged: {}", each.join(", ")))
        .with("reason", "damaged")
        .with(DAMAGED, parts.join(", "))
        .hint("`f9 repair NAME:` mends it from what is here and at the remote, and changes no file")
}

/// Refuses a clone with objects that libgit2 would read without end.
pub(crate) fn check_objects(settings: &Settings, context: &Context) -> Result<()> {
    let Some(anatomy) = Anatomy::of(settings) else { return Ok(()) };
    if loose::damaged_since_start(&anatomy.git, context)?.is_empty() {
        return Ok(());
    }
    Err(damaged(&[Damage { part: "objects".to_owned(), what: "has damaged ones" }]))
}

/// Whether the branch, as it is here and as it was seen at the remote, is not whole.
fn lacks_objects(anatomy: &Anatomy<'_>, error: &Error, context: &Context) -> bool {
    let hints = ["object", "zlib", "inflate", "mismatch", "corrupt", "pack", "not found", "read a"];
    if !hints.iter().any(|hint| error.message().contains(hint)) {
        return false;
    }
    if loose::damaged(&anatomy.git, context).is_ok_and(|damaged| !damaged.is_empty()) {
        return true;
    }
    let Ok(git) = open(&anatomy.settings.path) else { return false };
    let names = [anatomy.settings.branch_ref(), anatomy.settings.tracking_ref()];
    let tips = names.iter().filter_map(|name| git.refname_to_id(name).ok());
    let mut tips: Vec<_> = tips.collect();
    if let Ok(Some(step)) = anatomy.journal().read() {
        tips.extend(step.commits());
    }
    tips.into_iter().any(|tip| check_whole(&git, tip, Depth::Content, context).is_err())
}

pub(crate) fn open(path: &Path) -> Result<Repository, git2::Error> {
    let nothing_above: [&Path; 0] = [];
    Repository::open_ext(path, RepositoryOpenFlags::NO_SEARCH, nothing_above)
}
