//! The command that makes what a check needs, with all it has started.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{Error, ErrorKind, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, WaitIdStatus, waitid};

use super::process::kill_group;
use crate::CancelToken;

/// How much of the end of what it says is looked at.
const SAID: u64 = 4096;

/// How often it is looked whether the command has ended.
const STEP: Duration = Duration::from_millis(1);

/// A command that has done its work. What it leaves running, such as a server, ends when this is dropped.
pub(super) struct Setup {
    /// Not waited for before the end, so that nobody else's group can have its number.
    leader: Child,
}

impl Setup {
    /// Runs the command in this directory; `None` if it does not end in time. What it says goes to the file `said`.
    ///
    /// # Errors
    ///
    /// [`InvalidConnection`](ErrorKind::InvalidConnection) if it fails, [`Cancelled`](ErrorKind::Cancelled) if somebody
    /// wants to stop.
    pub(super) fn run(
        command: &str,
        directory: &Path,
        said: &Path,
        timeout: Duration,
        cancel: &CancelToken,
    ) -> Result<Option<Self>> {
        let deadline = Instant::now() + timeout;
        let leader = Command::new("sh")
            .args(["-c", command])
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(said)?)
            .process_group(0)
            .spawn()
            .map_err(|error| failed(&error.to_string()))?;
        let setup = Self { leader };
        loop {
            cancel.check()?;
            match setup.ended()? {
                Some(status) if status.exit_status() == Some(0) => return Ok(Some(setup)),
                Some(status) => return Err(failed(&format!("{}: {}", how(&status), last_words(said)?))),
                None if Instant::now() >= deadline => return Ok(None),
                None => thread::sleep(STEP),
            }
        }
    }

    /// How it ended. The system keeps that, and with it the number of its group.
    fn ended(&self) -> Result<Option<WaitIdStatus>> {
        let leader = Pid::from_child(&self.leader);
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(leader), look).map_err(io::Error::from)?)
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        kill_group(&mut self.leader);
    }
}

pub(super) fn failed(why: &str) -> Error {
    Error::new(ErrorKind::InvalidConnection, format!("the setup command failed: {why}"))
        .hint("it is run by `sh` in a new directory before each check")
}

fn how(status: &WaitIdStatus) -> String {
    match status.exit_status() {
        Some(code) => format!("exit status: {code}"),
        None => format!("signal: {}", status.terminating_signal().unwrap_or_default()),
    }
}

fn last_words(said: &Path) -> Result<String> {
    let mut file = File::open(said)?;
    let start = file.metadata()?.len().saturating_sub(SAID);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(SAID).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).lines().last().unwrap_or_default().to_owned())
}
