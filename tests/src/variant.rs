//! Builds of the SDK and the host that differ from this one: other versions of the boundary, other compiler settings.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{plugin_dir, repository};

/// A copy of the SDK and the host, to be edited and built beside this build.
#[derive(Debug)]
pub struct Variant {
    name: &'static str,
    source: PathBuf,
}

impl Variant {
    /// Copies the sources to a directory of their own below the target directory.
    pub fn new(name: &'static str) -> Self {
        let source = nested().join("variants").join(name);
        if source.exists() {
            fs::remove_dir_all(&source).expect("the copy of an earlier run goes");
        }
        for package in ["plugin-api", "host"] {
            copy(&repository().join(package), &source.join(package));
        }
        let manifest = fs::read_to_string(repository().join("Cargo.toml")).expect("Cargo.toml");
        fs::write(source.join("Cargo.toml"), only_these_members(&manifest)).expect("Cargo.toml");
        fs::copy(repository().join("Cargo.lock"), source.join("Cargo.lock")).expect("Cargo.lock");
        Self { name, source }
    }

    /// Exchanges a piece of a file that occurs once.
    #[must_use]
    pub fn edit(self, file: &str, from: &str, to: &str) -> Self {
        let path = self.source.join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(text.matches(from).count(), 1, "{file} has changed: `{from}` must occur in it once");
        fs::write(path, text.replace(from, to)).expect("the file can be written");
        self
    }

    /// Adds to the end of a file, or makes one.
    #[must_use]
    pub fn append(self, file: &str, text: &str) -> Self {
        let path = self.source.join(file);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        let old = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, old + text).expect("the file can be written");
        self
    }

    /// Builds the plugin of the SDK's front page and answers the directory that it is in.
    pub fn build_plugin(&self) -> PathBuf {
        self.build_plugin_with(&[])
    }

    /// The same with settings for the compiler, as environment variables.
    pub fn build_plugin_with(&self, settings: &[(&str, &str)]) -> PathBuf {
        let _lock = lock();
        let mut command = cargo(&self.source);
        command.envs(settings.iter().copied()).args([
            "build",
            "-p",
            "f9-plugin-api",
            "--example",
            "f9_backend_memory",
        ]);
        run(&mut command);
        let dir = nested().join("plugins").join(self.name);
        fs::create_dir_all(&dir).expect("a directory");
        // Renamed into place: a test that runs beside this one may have loaded the file of an earlier build.
        let library = "libf9_backend_memory.so";
        fs::copy(nested().join("debug/examples").join(library), dir.join("new"))
            .expect("the plugin was built");
        fs::rename(dir.join("new"), dir.join(library)).expect("the plugin is in place");
        dir
    }

    /// Builds and runs an example of the host, and answers what it printed.
    pub fn run_host_example(&self, example: &str, arguments: &[&Path]) -> String {
        let mut command = cargo(&self.source);
        command
            .args(["run", "-p", "f9-host", "--no-default-features", "--example", example, "--"])
            .args(arguments);
        run(&mut command)
    }
}

/// Cargo in a directory outside this workspace, without a network, building beside this build.
pub fn cargo(dir: &Path) -> Command {
    outside(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()), dir)
}

/// A program that runs Cargo in a directory outside this workspace.
pub fn outside(program: impl AsRef<OsStr>, dir: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(dir).env("CARGO_TARGET_DIR", nested()).env("CARGO_NET_OFFLINE", "true");
    // What this test was started with is not meant for others.
    for inherited in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
        command.env_remove(inherited);
    }
    command
}

/// Cargo in one of the plugins in `fixtures`, which are workspaces of their own. It takes the versions of this workspace's
/// lock file, which are there already.
pub fn cargo_in_fixture(fixture: &str, arguments: &[&str]) -> Command {
    let there = repository().join("tests/fixtures").join(fixture);
    fs::copy(repository().join("Cargo.lock"), there.join("Cargo.lock")).expect("Cargo.lock");
    let mut command = cargo(&there);
    command.args(arguments);
    command
}

/// Runs a command that must succeed, and answers what it printed.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Held while something is built and taken from where the next build would replace it; also by other processes.
fn lock() -> fs::File {
    fs::create_dir_all(nested()).expect("a directory");
    let file = fs::File::create(nested().join("lock")).expect("a file to lock");
    file.lock().expect("the lock");
    file
}

/// The target directory of what is built outside this workspace.
pub fn nested() -> PathBuf {
    let target = plugin_dir().ancestors().nth(2).expect("the target directory").to_owned();
    target.join("nested")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The workspace's manifest with what is copied as its members, and as its default members.
fn only_these_members(manifest: &str) -> String {
    let mut lists = manifest.split("members = [");
    let start = lists.next().unwrap_or_default().to_owned();
    lists.fold(start, |before, list| {
        let (_, after) = list.split_once(']').expect("the end of the members");
        format!("{before}members = [\"host\", \"plugin-api\", \"plugin-api/abi\"]{after}")
    })
}
