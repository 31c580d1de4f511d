//! The process that a plugin is checked in, as the verifying process sees it.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{Error, ErrorKind, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::{Serialize, de::DeserializeOwned};

use crate::CancelToken;

/// How often it is looked whether somebody wants to stop, and whether the process has ended without closing its end.
const STEP: Duration = Duration::from_millis(100);

/// A process with a plugin. Ended, with all it has started, when this is dropped.
pub(super) struct Process {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

/// Why there is no answer.
pub(super) enum Silence {
    /// The process has ended; this is how.
    Ended(String),
    /// The time is up.
    TimedOut,
}

impl Process {
    /// Starts it; what it prints goes to `printed`.
    pub(super) fn start(mut command: Command, printed: File) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(printed)
            .process_group(0)
            .spawn()
            .map_err(|error| {
                Error::new(ErrorKind::Other, format!("the process for the checks does not start: {error}"))
            })?;
        let (Some(requests), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::new(ErrorKind::Other, "the process for the checks has no pipes"));
        };
        let (sender, answers) = channel();
        let listens = thread::Builder::new().spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        if let Err(error) = listens {
            // It ends by itself when there is nobody left to ask for anything.
            drop(requests);
            child.wait()?;
            return Err(error.into());
        }
        Ok(Self { child, requests, answers })
    }

    /// Tells what is to be done. If nobody listens any more, the missing answer tells why.
    pub(super) fn send(&mut self, request: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(request).map_err(std::io::Error::from)?;
        line.push(b'\n');
        let _ = self.requests.write_all(&line);
        Ok(())
    }

    /// Waits for an answer.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](ErrorKind::Cancelled) if somebody wants to stop.
    pub(super) fn answer<T: DeserializeOwned>(
        &mut self,
        timeout: Duration,
        cancel: &CancelToken,
    ) -> Result<Result<T, Silence>> {
        let deadline = Instant::now() + timeout;
        loop {
            cancel.check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left.min(STEP)) {
                Ok(line) => return Ok(parse(&line)),
                Err(RecvTimeoutError::Disconnected) => {
                    // It may have closed its output and go on.
                    if let Some(status) = self.ended_within(left)? {
                        return Ok(Err(Silence::Ended(how(status))));
                    }
                    return Ok(Err(Silence::TimedOut));
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(Err(Silence::TimedOut)),
                // What it has started may hold its end of the pipe open.
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(status) = self.child.try_wait()? {
                        let last = self.answers.try_recv().ok();
                        return Ok(match last {
                            Some(line) => parse(&line),
                            None => Err(Silence::Ended(how(status))),
                        });
                    }
                }
            }
        }
    }

    fn ended_within(&mut self, time: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + time;
        loop {
            match self.child.try_wait()? {
                None if Instant::now() < deadline => thread::sleep(Duration::from_millis(1)),
                ended => return Ok(ended),
            }
        }
    }
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, Silence> {
    serde_json::from_str(line)
        .map_err(|_| Silence::Ended("it answered something that is no answer".to_owned()))
}

impl Drop for Process {
    fn drop(&mut self) {
        kill_group(&mut self.child);
    }
}

/// Ends whatever is left of a group: the process that leads it, and what that has started.
pub(super) fn kill_group(leader: &mut Child) {
    let _ = kill_process_group(Pid::from_child(leader), Signal::KILL);
    let _ = leader.wait();
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("the process ended with exit code {code}"),
        (None, Some(signal)) => format!("the process was ended by signal {signal}{}", signal_name(signal)),
        (None, None) => "the process ended".to_owned(),
    }
}

fn signal_name(signal: i32) -> &'static str {
    match Signal::from_named_raw(signal) {
        Some(Signal::ABORT) => " (SIGABRT)",
        Some(Signal::BUS) => " (SIGBUS)",
        Some(Signal::FPE) => " (SIGFPE)",
        Some(Signal::ILL) => " (SIGILL)",
        Some(Signal::KILL) => " (SIGKILL)",
        Some(Signal::SEGV) => " (SIGSEGV)",
        Some(Signal::TERM) => " (SIGTERM)",
        Some(Signal::TRAP) => " (SIGTRAP)",
        _ => "",
    }
}
