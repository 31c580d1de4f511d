//! What ends a run early: Ctrl-C, being told to by the system (SIGTERM, SIGHUP), and the time that was allowed.

use std::{
    io::{self, IsTerminal, Read},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use f9_host::{CancelToken, Error, ErrorKind, Result};

use super::terminal::to_stderr;

/// The exit code of what Ctrl-C ended, as shells have it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// How long operations have to notice that the time is up. All they do takes effect at once or not at all, so that the
/// program can end at any moment.
const GRACE: Duration = Duration::from_secs(3);

/// Watches for Ctrl-C and for the end of the time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop {
    cancel: CancelToken,
    /// The exit code of what asked first, or 0.
    interrupted: Arc<AtomicU8>,
    timed_out: Arc<AtomicBool>,
    timeout: Option<Duration>,
}

/// How long a run that was told to end may take to tidy up: what is to be taken back at a service takes some seconds.
const TIDYING: Duration = Duration::from_secs(25);

impl Stop {
    /// Starts to watch.
    pub(crate) fn watch(timeout: Option<Duration>) -> Result<Self> {
        let stop = Self { timeout, ..Self::default() };
        let on_interrupt = stop.clone();
        watch_for_interrupts(move |code| on_interrupt.interrupt(code))
            .map_err(|error| unwatched("Ctrl-C", &error))?;
        survive_file_size_limit()?;
        if let Some(timeout) = timeout {
            let on_timeout = stop.clone();
            start(move || on_timeout.end_after(timeout)).map_err(|error| unwatched("the time", &error))?;
        }
        Ok(stop)
    }

    /// What the operations look at.
    pub(crate) fn token(&self) -> &CancelToken {
        &self.cancel
    }

    /// Whether Ctrl-C or its like ended the run.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.exit_code() != 0
    }

    /// The exit code of a run that was ended so.
    pub(crate) fn exit_code(&self) -> u8 {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// An operation that was cancelled because the time was up is told as that.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if error.kind() != ErrorKind::Cancelled {
            return error;
        }
        match self.timeout {
            Some(timeout) if self.timed_out.load(Ordering::SeqCst) => out_of_time(timeout),
            _ => error,
        }
    }

    fn interrupt(&self, code: u8) {
        self.cancel.cancel();
        let before = self.interrupted.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        if before.is_err() {
            // Only people ask twice: of a terminal that closes, and of `timeout`, the same signal may come twice by itself.
            if code == INTERRUPTED {
                super::prompt::restore_echo();
                exit_now(INTERRUPTED);
            }
            return;
        }
        if code != INTERRUPTED {
            self.end_soon(code);
        } else if io::stderr().is_terminal() {
            to_stderr(format_args!("\nf9: stopping; Ctrl-C again ends at once"));
        }
    }

    /// Whoever sends SIGTERM waits for the end, and nobody asks twice: what cannot stop by itself ends all the same.
    fn end_soon(&self, code: u8) {
        let ended = start(move || {
            thread::sleep(TIDYING);
            super::prompt::restore_echo();
            exit_now(code);
        });
        if ended.is_err() {
            exit_now(code); // there is no thread to wait on
        }
    }

    fn end_after(&self, timeout: Duration) {
        thread::sleep(timeout);
        self.timed_out.store(true, Ordering::SeqCst);
        self.cancel.cancel();
        thread::sleep(GRACE);
        super::prompt::restore_echo();
        to_stderr(format_args!("f9: {}", out_of_time(timeout)));
        exit_now(super::failure::exit_code(ErrorKind::Timeout));
    }
}

/// Calls `interrupt` on a thread of its own with the exit code, whenever somebody types Ctrl-C or the system wants an end.
#[cfg(unix)]
fn watch_for_interrupts(interrupt: impl Fn(u8) + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

    let hangup = Some(SIGHUP).filter(|_| !ignores_hangup());
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    let code = |signal: i32| u8::try_from(128 + signal).unwrap_or(INTERRUPTED);
    start(move || signals.forever().for_each(|signal| interrupt(code(signal))))
}

/// Whether the program was started to outlive its terminal, as `nohup` does. Where that is not to be known it was not.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    const FIRST_SIGNAL: u64 = 1; // the lowest bit is that of the first signal, SIGHUP
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    ignored.is_some_and(|ignored| ignored & FIRST_SIGNAL != 0)
}

#[cfg(not(unix))]
fn watch_for_interrupts(interrupt: impl Fn(u8) + Send + 'static) -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(move || interrupt(INTERRUPTED))
}

/// Runs something on a thread, which has started when this returns: while a library is loaded, none starts.
fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let (starting, started) = mpsc::channel::<()>();
    thread::Builder::new().spawn(move || {
        drop(starting);
        work();
    })?;
    let _ = started.recv(); // that there is nobody left to send is the message
    Ok(())
}

fn unwatched(what: &str, error: &impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ResourceExhausted, format!("cannot watch for {what}: {error}"))
        .hint("nothing was done; end other processes, or raise the limit (`ulimit -u`)")
}

/// Ends the program as it is: a library that never finishes loading holds a lock that an orderly end has to take.
fn exit_now(code: u8) -> ! {
    #[cfg(unix)]
    signal_hook::low_level::exit(code.into());
    #[cfg(not(unix))]
    std::process::exit(code.into())
}

/// Where files may only become so large (`ulimit -f`), writing more is to be an error, and not the end of the program.
#[cfg(unix)]
fn survive_file_size_limit() -> Result<()> {
    // Who handles the signal gets the error; nobody looks at the flag.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default())?;
    Ok(())
}

#[cfg(not(unix))]
fn survive_file_size_limit() -> Result<()> {
    Ok(())
}

fn out_of_time(timeout: Duration) -> Error {
    Error::new(ErrorKind::Timeout, format!("not done within {timeout:?}")).hint("allow more with --timeout")
}

/// A reader that ends with an error when somebody asks to stop.
pub(crate) struct Stoppable<R> {
    pub(crate) inner: R,
    pub(crate) cancel: CancelToken,
}

impl<R: Read> Read for Stoppable<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.cancel.check()?;
        self.inner.read(buffer)
    }
}

/// Standard input, waited for no longer than until somebody asks to stop. Nothing else may read it.
pub(crate) struct StoppableStdin(pub(crate) CancelToken);

#[cfg(unix)]
impl Read for StoppableStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use rustix::{
            event::{PollFd, PollFlags, Timespec, poll},
            io::Errno,
        };

        // Not std's, which has a buffer that `poll` does not know of.
        let stdin = rustix::stdio::stdin();
        super::stdio::check_stdin()?;
        let step = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        loop {
            self.0.check()?;
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&step)) {
                Ok(0) | Err(Errno::INTR) => continue,
                ready => ready?,
            };
            match rustix::io::read(stdin, &mut *buffer) {
                Err(Errno::INTR | Errno::AGAIN) => {}
                answer => {
                    let failed = |errno| Error::from(io::Error::from(errno)).at("standard input");
                    return Ok(answer.map_err(failed)?);
                }
            }
        }
    }
}

#[cfg(not(unix))]
impl Read for StoppableStdin {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.check()?;
        io::stdin().read(buffer)
    }
}

/// Reads `30s`, `5m`, `1h`, `500ms`; a bare number is seconds.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let millis: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected seconds, or a number with ms, s, m or h, such as 30s".into()),
    };
    match number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)) {
        Some(0) | None => Err("expected a time of more than nothing, such as 30s".into()),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        let millis = |text| parse_duration(text).map(|duration| duration.as_millis());
        assert_eq!(
            ["30", "30s", "5m", "1h", "250ms"].map(|text| millis(text).unwrap()),
            [30_000, 30_000, 300_000, 3_600_000, 250]
        );
        for text in ["", "s", "0", "-1", "1d", "1.5s", "99999999999999999999s"] {
            assert!(millis(text).is_err(), "{text}");
        }
    }
}
