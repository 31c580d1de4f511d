//! A directory with named connections, and the command line in it.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::{f9, short, text};

/// A temporary directory whose connections are local ones.
pub struct Shell {
    dir: TempDir,
}

impl Shell {
    /// With a connection of each name, whose root is the directory of that name.
    pub fn new(names: &[&str]) -> Self {
        let shell = Self { dir: TempDir::new().expect("a temporary directory") };
        let connections: Map<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), json!({"backend": "local", "root": shell.path(name)})))
            .collect();
        shell.write("connections.json", Value::Object(connections).to_string());
        shell
    }

    /// A path in the directory.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// The file of the connections.
    pub fn config(&self) -> PathBuf {
        self.path("connections.json")
    }

    /// Writes a file with its directories.
    pub fn write(&self, relative: &str, content: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("directories");
        fs::write(path, content).expect("a file");
    }

    /// Writes a file that nobody else can read, as those with secrets have to be.
    pub fn write_secret(&self, relative: &str, content: impl AsRef<[u8]>) {
        self.write(relative, content);
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(self.path(relative), mode).expect("a file of this user");
    }

    /// What a file holds.
    pub fn read(&self, relative: &str) -> String {
        fs::read_to_string(self.path(relative)).expect("a text file")
    }

    /// The command line, with the connections.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = f9();
        command
            .arg("--config")
            .arg(self.config())
            .args(arguments)
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        command
    }

    /// Runs it.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command(arguments).output().expect("f9 runs")
    }

    /// Runs what must succeed without a word on standard error, and answers what it printed.
    #[track_caller]
    pub fn ok<const N: usize>(&self, arguments: [&str; N]) -> String {
        let output = self.run(arguments);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "{arguments:?}");
        text(&output.stdout).to_owned()
    }

    /// Runs what must end with this code, and answers what it printed on standard error, made [`short`].
    #[track_caller]
    pub fn fails<const N: usize>(&self, arguments: [&str; N], code: i32) -> String {
        let output = self.run(arguments);
        let errors = short(text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {errors}");
        errors
    }

    /// Runs it with something on standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &[u8],
    ) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("f9 runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        std::thread::scope(|scope| {
            // A program that ends without reading all of it is judged by what it printed.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().expect("f9 ends")
        })
    }
}
