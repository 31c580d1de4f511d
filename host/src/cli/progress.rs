//! How far the work has come, on standard error: one line that changes on a terminal, a line now and then elsewhere.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Read},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use f9_host::Progress as PluginProgress;

use super::{
    sizes::human,
    terminal::{draw, one_line, to_stderr},
};

/// Shared by all who write to standard error, so that a line that changes is out of the way of those that stay.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<State>>);

struct State {
    style: Style,
    due: Instant,
    /// Whether the line that changes is on the terminal.
    drawn: bool,
    /// Whether the program itself shows the progress of more than a plugin's single operation.
    taken: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Off,
    Line,
    Lines,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Self {
        let style = match (wanted, io::stderr().is_terminal()) {
            (false, _) => Style::Off,
            (true, true) => Style::Line,
            (true, false) => Style::Lines,
        };
        // What is done at once needs no progress.
        let due = Instant::now() + style.pause();
        Self(Arc::new(Mutex::new(State { style, due, drawn: false, taken: false })))
    }

    /// From now on only what the program itself shows is shown.
    pub(crate) fn take(&self) {
        self.state().taken = true;
    }

    /// Shows what `line` makes of the width, if it is time to.
    pub(crate) fn show(&self, line: impl FnOnce(usize) -> String) {
        let mut state = self.state();
        let now = Instant::now();
        if state.style == Style::Off || now < state.due {
            return;
        }
        state.due = now + state.style.pause();
        if state.style == Style::Lines {
            to_stderr(format_args!("f9: {}", line(usize::MAX)));
            return;
        }
        // One column less than there is: writing into the last one makes some terminals begin a new line.
        let width = terminal_width().saturating_sub(1);
        let line: String = line(width).chars().take(width).collect();
        draw(format_args!("\r\x1b[K{line}"));
        state.drawn = true;
    }

    /// Takes the line that changes off the terminal.
    pub(crate) fn clear(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.drawn) {
            draw(format_args!("\r\x1b[K"));
        }
    }

    /// What a plugin tells of an operation of its own, such as a fetch.
    pub(crate) fn of_plugin(&self, progress: PluginProgress<'_>) {
        if self.state().taken {
            return;
        }
        self.show(|_| {
            let count = |number: u64| match progress.unit {
                "bytes" => human(number),
                unit => format!("{number} {}", one_line(unit)),
            };
            let operation = one_line(progress.operation);
            match progress.total.filter(|&total| total > 0) {
                None => format!("{operation}: {}", count(progress.done)),
                Some(total) => {
                    let percent = percent(progress.done, total);
                    format!("{operation}: {percent}%, {} of {}", progress_number(&progress), count(total))
                }
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that shows how much of it was read.
pub(crate) struct Watched<R> {
    inner: R,
    progress: Progress,
    what: String,
    done: u64,
    total: Option<u64>,
}

impl<R: Read> Watched<R> {
    /// `what` is shown; `total` is how much there is, if that is known.
    pub(crate) fn new(inner: R, progress: &Progress, what: impl Display, total: Option<u64>) -> Self {
        Self { inner, progress: progress.clone(), what: one_line(&what.to_string()), done: 0, total }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        self.progress.show(|_| match self.total {
            None => format!("{}: {}", self.what, human(self.done)),
            Some(total) => {
                let percent = percent(self.done, total);
                format!("{}: {percent}%, {} of {}", self.what, human(self.done), human(total))
            }
        });
        Ok(count)
    }
}

fn progress_number(progress: &PluginProgress<'_>) -> String {
    if progress.unit == "bytes" { human(progress.done) } else { progress.done.to_string() }
}

impl Style {
    fn pause(self) -> Duration {
        match self {
            Self::Lines => Duration::from_secs(3),
            Self::Off | Self::Line => Duration::from_millis(100),
        }
    }
}

/// How much of the work is done: 100 is kept for when it is.
pub(crate) fn percent(done: u64, total: u64) -> u64 {
    if total == 0 || done >= total {
        return 100;
    }
    u64::try_from(u128::from(done) * 100 / u128::from(total)).unwrap_or(99)
}

#[cfg(unix)]
fn terminal_width() -> usize {
    match rustix::termios::tcgetwinsize(rustix::stdio::stderr()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => 80,
    }
}

#[cfg(not(unix))]
fn terminal_width() -> usize {
    80
}
