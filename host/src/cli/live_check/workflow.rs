//! The whole way of synchronising, between two working trees and a remote that are made for it.

use std::{fs, path::Path};

use f9_host::{
    Backend, BackendPath, Content, Error, ErrorKind, Host, MirrorOptions, Result, Tree, mirror,
    serde_json::json,
};

/// Two working trees of a temporary remote.
pub(super) struct Workflow {
    /// What conflicts arise and are settled in.
    pub(super) here: Backend,
    /// Somebody else's.
    there: Backend,
    /// What the files of the check are in.
    directory: String,
}

/// The files over which both sides disagree: which side each is settled for.
const FILES: [&str; 3] = ["local.txt", "remote.txt", "merged.txt"];

impl Workflow {
    pub(super) fn new(host: &Host, scratch: &Path, directory: &str) -> Result<Self> {
        let remote = scratch.join("remote.git");
        make_bare_repository(&remote)?;
        let open = |name: &str| {
            host.open(json!({
                "backend": "git", "remote_url": remote, "path": scratch.join(name), "author_name": name,
                "author_email": "live-check@localhost",
            }))
        };
        Ok(Self { here: open("here")?, there: open("there")?, directory: directory.to_owned() })
    }

    /// Brings the files here, and to the remote.
    pub(super) fn push(&self, source: &Backend) -> Result<String> {
        let root = BackendPath::root();
        let tree = |backend| Tree { backend, path: &root };
        // What is a link and leads nowhere is no matter here.
        let report = mirror(tree(source), tree(&self.here), &MirrorOptions::default(), &|_| {})?;
        self.write_all(&self.here, "both\n")?;
        let pushed = self.here.sync_backend()?.push(Some("Begin"))?;
        expect(pushed.sent > 0, || "nothing was sent".to_owned())?;
        Ok(format!("{} files", report.copied + FILES.len() as u64))
    }

    /// Takes over what somebody else has pushed.
    pub(super) fn pull(&self) -> Result<String> {
        self.there.sync_backend()?.pull()?;
        self.expect_all(&self.there, "both\n")?;
        self.there.write(self.path(FILES[0]).as_str(), "changed there\n")?;
        self.there.sync_backend()?.push(Some("Change a file"))?;
        let pulled = self.here.sync_backend()?.pull()?;
        expect(pulled.received > 0, || "nothing was received".to_owned())?;
        self.expect(&self.here, FILES[0], "changed there\n")?;
        Ok("the change is here".to_owned())
    }

    /// Changes the same files on both sides.
    pub(super) fn conflict(&self) -> Result<String> {
        self.write_all(&self.there, "remote\n")?;
        self.there.sync_backend()?.push(Some("Change all"))?;
        self.write_all(&self.here, "local\n")?;
        match self.sync_here("Change all, too") {
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(mismatch("a sync of contradicting changes found no conflict".to_owned())),
        }
        let conflicts = self.here.sync_backend()?.conflict_report()?;
        let found: Vec<_> = conflicts.iter().map(|conflict| conflict.path.as_str().to_owned()).collect();
        let mut expected: Vec<_> = FILES.iter().map(|name| self.path(name)).collect();
        expected.sort();
        expect(found == expected, || format!("expected conflicts at {expected:?}, found {found:?}"))?;
        let status = conflicts.iter().find(|conflict| conflict.status != "UU");
        expect(status.is_none(), || format!("expected the status UU, found {status:?}"))?;
        Ok(format!("{} reported", found.len()))
    }

    /// Settles each conflict in another way.
    pub(super) fn resolve(&self) -> Result<String> {
        let sync = self.here.sync_backend()?;
        let path = |name| BackendPath::parse(&self.path(name));
        sync.conflict_accept_local(&path(FILES[0])?)?;
        sync.conflict_accept_remote(&path(FILES[1])?)?;
        sync.conflict_resolve(&path(FILES[2])?, Content::Bytes(b"merged\n"))?;
        let left = sync.conflict_report()?.len();
        expect(left == 0, || format!("{left} conflicts are still open"))?;
        Ok("one for each side, one with new content".to_owned())
    }

    /// Brings both sides to the same.
    pub(super) fn sync(&self) -> Result<String> {
        self.sync_here("Settle the conflicts")?;
        self.there.sync_backend()?.sync(None)?;
        for side in [&self.here, &self.there] {
            self.expect(side, FILES[0], "local\n")?;
            self.expect(side, FILES[1], "remote\n")?;
            self.expect(side, FILES[2], "merged\n")?;
        }
        Ok("the same on both".to_owned())
    }

    fn sync_here(&self, message: &str) -> Result<()> {
        self.here.sync_backend()?.sync(Some(message)).map(drop)
    }

    fn write_all(&self, side: &Backend, content: &str) -> Result<()> {
        FILES.iter().try_for_each(|name| side.write(self.path(name).as_str(), content).map(drop))
    }

    fn expect_all(&self, side: &Backend, content: &str) -> Result<()> {
        FILES.iter().try_for_each(|name| self.expect(side, name, content))
    }

    fn expect(&self, side: &Backend, name: &str, content: &str) -> Result<()> {
        let found = side.read(self.path(name).as_str())?;
        expect(found == content, || {
            format!("`{name}` has {:?}, expected {content:?}", String::from_utf8_lossy(&found))
        })
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }
}

/// An empty repository, down to what git itself asks for (gitrepository-layout(5)).
fn make_bare_repository(at: &Path) -> Result<()> {
    for directory in ["objects/info", "objects/pack", "refs/heads", "refs/tags"] {
        fs::create_dir_all(at.join(directory))?;
    }
    fs::write(at.join("HEAD"), "ref: refs/heads/main\n")?;
    fs::write(
        at.join("config"),
        "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n",
    )?;
    Ok(())
}

fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(mismatch(otherwise())) }
}

fn mismatch(message: String) -> Error {
    Error::new(ErrorKind::Integrity, message)
}
