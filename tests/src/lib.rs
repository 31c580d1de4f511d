//! What the tests of the assembled system share: where the plugins of this build are, the command line, fixtures.

pub mod shelf;
pub mod shell;
pub mod snapshot;
pub mod variant;

use std::{
    env,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use f9_host::{Host, HostBuilder};
use serde_json::Value;

/// Where this build's plugins are: Cargo puts the libraries that tests depend on into `deps`, beside the tests.
pub fn plugin_dir() -> PathBuf {
    let test = env::current_exe().expect("the path of the test");
    test.parent().expect("the directory of the test").to_owned()
}

/// Where the plugins are that are built as examples: the one of the SDK's front page, and the misbehaving ones.
pub fn example_dir() -> PathBuf {
    let dir = plugin_dir().with_file_name("examples");
    assert!(dir.is_dir(), "{} is missing: run `cargo test` without `--test`, which builds it", dir.display());
    dir
}

/// A host that knows the plugins of this build and no others.
pub fn host() -> Host {
    host_of(&[plugin_dir()])
}

/// A host that knows the plugins in these directories and no others.
pub fn host_of(dirs: &[PathBuf]) -> Host {
    dirs.iter().fold(Host::builder().no_default_dirs(), HostBuilder::plugin_dir).build()
}

/// The command line of this build, with its plugins and nothing of the environment.
pub fn f9() -> Command {
    let program = plugin_dir().with_file_name(format!("f9{}", env::consts::EXE_SUFFIX));
    assert!(program.is_file(), "{} is missing: `cargo build` makes it", program.display());
    let mut command = Command::new(program);
    command.env_clear().arg("--plugin-dir").arg(plugin_dir());
    command
}

/// Runs the command line on a connection.
pub fn f9_on<S: AsRef<OsStr>>(connection: &Value, arguments: impl IntoIterator<Item = S>) -> Output {
    f9().arg("-c").arg(connection.to_string()).args(arguments).output().expect("f9 runs")
}

/// What was printed, where commands to type are without where the tests keep their connections and plugins.
pub fn short(printed: &str) -> String {
    const COMMAND: &str = "`f9 ";
    let mut parts = printed.split(COMMAND);
    let mut shortened = parts.next().unwrap_or_default().to_owned();
    for mut part in parts {
        while let Some((_, rest)) = ["--config ", "--plugin-dir "]
            .iter()
            .find_map(|option| part.strip_prefix(option))
            .and_then(|rest| rest.split_once(' '))
        {
            part = rest;
        }
        shortened.extend([COMMAND, part]);
    }
    shortened
}

/// What a program printed, as text.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8 output")
}

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the repository")
}
