//! Remotes, clones, and git itself as the judge.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use f9_plugin_api::{Context, Result, serde_json};
use tempfile::TempDir;

use crate::{backend::GitBackend, options::Options};

/// A directory with a bare repository in it, which others are cloned from.
pub(crate) struct Site {
    pub(crate) dir: TempDir,
}

impl Site {
    /// A remote without commits.
    pub(crate) fn empty() -> Self {
        // In memory where that is possible: these tests make many small files, and a busy disk takes its time.
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let site = Self { dir: dir.unwrap() };
        git(site.dir.path(), &["init", "--quiet", "--bare", "--initial-branch=main", "remote.git"]);
        site
    }

    /// A remote with these files in one commit.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let site = Self::empty();
        site.commit_elsewhere("seed", files);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn remote(&self) -> PathBuf {
        self.path("remote.git")
    }

    pub(crate) fn options(&self, name: &str) -> serde_json::Value {
        serde_json::json!({
            "remote_url": self.remote(), "path": self.path(name), "timeout": 30,
            "author_name": "Tester", "author_email": "tester@example.com",
        })
    }

    /// Opens the clone `name`, making it if need be.
    pub(crate) fn open(&self, name: &str) -> GitBackend {
        open(self.options(name)).unwrap()
    }

    /// Somebody else pushes a commit with git itself. An empty content deletes.
    pub(crate) fn commit_elsewhere(&self, name: &str, files: &[(&str, &str)]) {
        let clone = self.path(&format!("elsewhere-{name}"));
        if !clone.exists() {
            git(self.dir.path(), &["clone", "--quiet", "remote.git", clone.to_str().unwrap()]);
            git(&clone, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        } else {
            git(&clone, &["pull", "--quiet", "origin", "main"]);
        }
        for (path, content) in files {
            write(&clone, path, content);
        }
        git(&clone, &["add", "--all"]);
        git(&clone, &["commit", "--quiet", "--message", &format!("by {name}")]);
        git(&clone, &["push", "--quiet", "origin", "main"]);
    }

    /// What the remote's branch has at a path.
    pub(crate) fn at_remote(&self, path: &str) -> Option<String> {
        let output = git_command(&self.remote(), &["show", &format!("main:{path}")]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// `git fsck` has nothing to say about the remote and the clones.
    pub(crate) fn check(&self, clones: &[&str]) {
        git(&self.remote(), &["fsck", "--strict", "--no-dangling"]);
        for clone in clones {
            git(&self.path(clone), &["fsck", "--strict", "--no-dangling"]);
        }
    }
}

pub(crate) fn open(options: serde_json::Value) -> Result<GitBackend> {
    let serde_json::Value::Object(options) = options else { panic!("not an object") };
    GitBackend::open(f9_plugin_api::parse_options::<Options>(options)?, Context::detached())
}

/// Writes or, without content, deletes a file.
pub(crate) fn write(root: &Path, path: &str, content: &str) {
    let file = root.join(path);
    if content.is_empty() {
        fs::remove_file(&file).unwrap();
        let _ = fs::remove_dir(file.parent().unwrap());
        return;
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

pub(crate) fn read(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap()
}

/// Runs git, which must succeed, and gives back what it says.
pub(crate) fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = git_command(dir, arguments).output().expect("these tests need `git`");
    let said = String::from_utf8_lossy(&[&*output.stderr, &*output.stdout].concat()).into_owned();
    assert!(output.status.success(), "git {arguments:?} in {}: {said}", dir.display());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// git without anybody's configuration.
pub(crate) fn git_command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    for (name, value) in [("AUTHOR", "Other"), ("COMMITTER", "Other")] {
        command.env(format!("GIT_{name}_NAME"), value).env(format!("GIT_{name}_EMAIL"), "other@example.com");
    }
    command.args(["-c", "core.quotePath=false"]).args(arguments).current_dir(dir);
    command
}

/// Whether any file below `directory` holds one of the texts.
pub(crate) fn contains(directory: &Path, needles: &[&str]) -> bool {
    fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return contains(&path, needles);
        }
        let content = fs::read(&path).unwrap();
        let has = |needle: &&str| content.windows(needle.len()).any(|window| window == needle.as_bytes());
        needles.iter().any(has)
    })
}
