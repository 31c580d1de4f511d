//! A remote on this machine that has hooks. They are run by git itself, or the push is refused: a push that goes round them
//! would not be one that the remote's owner allowed.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use git2::{Oid, Repository, RepositoryInitOptions};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::{remote_moved, remote_refused};
use crate::{errors::Context as _, own_file, ownership};

/// The hooks that git runs when something is pushed.
const HOOKS: [&str; 6] =
    ["pre-receive", "update", "proc-receive", "reference-transaction", "post-receive", "post-update"];

/// Where git is looked for; the environment is not asked.
const PROGRAMS: [&str; 4] = ["/usr/bin/git", "/usr/local/bin/git", "/opt/homebrew/bin/git", "/bin/git"];

/// More than this of what the hooks say is not kept.
const MAX_WORDS: u64 = 64 << 10;

/// The hook that a push would have to run, if there is one.
pub(super) fn hook_of(remote: &Repository) -> Option<&'static str> {
    let configured = remote.config().and_then(|config| config.get_path("core.hooksPath"));
    let directory = configured.map_or_else(|_| remote.path().join("hooks"), |path| remote.path().join(path));
    let is_executable = |path: PathBuf| {
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    HOOKS.into_iter().find(|hook| is_executable(directory.join(hook)))
}

/// Pushes with the git of this machine, which runs the remote's hooks and compares before it moves the branch.
pub(super) fn push(
    hook: &str,
    from: &Repository,
    remote: &Path,
    branch: &str,
    tip: Oid,
    context: &Context,
) -> Result<()> {
    if !ownership::is_ours(remote) {
        let message = format!(
            "the remote has the hook `{hook}` and belongs to another user, whose programs are not run as you"
        );
        return Err(Error::new(ErrorKind::RemoteRefused, message).with("remote", remote.display()).hint(
            "push by ssh:// or https://, where the hook runs at the remote, or as the remote's owner",
        ));
    }
    let Some(program) = PROGRAMS.into_iter().find(|program| Path::new(program).is_file()) else {
        let message = format!("the remote has the hook `{hook}`, which only git can run, and there is none");
        return Err(Error::new(ErrorKind::RemoteRefused, message)
            .with("looked_for", PROGRAMS.join(", "))
            .hint("install git, push by ssh:// or https://, or remove the hook"));
    };
    let failed = |error: io::Error| {
        Error::new(ErrorKind::Other, format!("cannot run {program} for the remote's hooks: {error}"))
    };
    let place = empty_repository(from)?;
    let mut command = Command::new(program);
    command
        .args(["push", "--quiet", "--no-verify"])
        .arg(remote)
        .arg(format!("{tip}:{branch}"))
        .current_dir(place.path())
        // A group of its own, so that the hooks end with it.
        .process_group(0)
        // Neither the user's settings nor the caller's surroundings have a say.
        .env_clear()
        .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C"), ("GIT_DIR", ".")])
        .env("GIT_OBJECT_DIRECTORY", from.commondir().join("objects"))
        .envs([("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_CONFIG_GLOBAL", "/dev/null")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    // Before anything is done: a thread may not be to be had.
    let (hand_over, handed_over) = mpsc::channel::<ChildStderr>();
    let listen = move || handed_over.recv().map(heard).unwrap_or_default();
    let words = thread::Builder::new().spawn(listen).map_err(failed)?;
    let mut child = command.spawn().map_err(failed)?;
    if let Some(stderr) = child.stderr.take() {
        let _ = hand_over.send(stderr); // it listens until this is gone
    }
    drop(hand_over);
    let succeeded = wait(&mut child, context)?;
    if succeeded { Ok(()) } else { Err(refusal(&words.join().unwrap_or_default())) }
}

/// Where git is started: in the clone it would obey the clone's configuration, which can name programs. The clone's objects
/// are lent to it.
fn empty_repository(from: &Repository) -> Result<TempDir> {
    let private = from.path().join("f9");
    own_file::make_directory(&private)?;
    let place = tempfile::Builder::new().prefix("push-").tempdir_in(private);
    let place = place.context("make a repository to push from")?;
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    Repository::init_opts(place.path(), &options).context("make a repository to push from")?;
    Ok(place)
}

/// What is said, up to a limit. The rest is listened to as well: whoever speaks to nobody is ended by the system.
fn heard(mut stderr: ChildStderr) -> String {
    let mut words = Vec::new();
    // What cannot be read is not told; whether the push succeeded is known without it.
    let _ = stderr.by_ref().take(MAX_WORDS).read_to_end(&mut words);
    let _ = io::copy(&mut stderr, &mut io::sink());
    String::from_utf8_lossy(&words).into_owned()
}

/// Waits for git and the hooks, for as long as the caller wants.
fn wait(child: &mut Child, context: &Context) -> Result<bool> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if let Err(cancelled) = context.check_cancelled() {
            end(child)?;
            return Err(cancelled);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Ends git and everything that it has started: a hook that went on would hold the remote's locks.
fn end(child: &mut Child) -> Result<()> {
    match Pid::from_raw(child.id().cast_signed()) {
        Some(group) if rustix::process::kill_process_group(group, Signal::KILL).is_ok() => {}
        _ => child.kill()?,
    }
    child.wait()?;
    Ok(())
}

/// What git's words mean: `[rejected]` is its own comparison, all else the remote's will.
fn refusal(words: &str) -> Error {
    if words.contains("[rejected]") {
        return remote_moved();
    }
    let hooks = words.lines().filter_map(|line| line.strip_prefix("remote: ")).collect::<Vec<_>>().join(" ");
    let status = words.lines().find_map(|line| line.trim_start().strip_prefix("! [remote rejected]"));
    match status.and_then(|line| line.rsplit_once('(')) {
        Some((_, reason)) => remote_refused(reason.trim_end_matches(')'), &hooks),
        None => remote_refused(words, ""),
    }
}
