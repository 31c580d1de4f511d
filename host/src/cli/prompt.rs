//! Questions to the person at the terminal; on a pipe, lines that are read without asking aloud.

use std::io::{self, BufRead, BufReader, IsTerminal};

use f9_host::{CancelToken, Error, ErrorKind, Result};

use super::{
    stop::StoppableStdin,
    terminal::{draw, to_stderr},
};

/// Asks on standard error and reads answers from standard input.
pub(crate) struct Prompt {
    input: BufReader<StoppableStdin>,
    is_terminal: bool,
}

impl Prompt {
    pub(crate) fn new(cancel: &CancelToken) -> Self {
        let input = BufReader::new(StoppableStdin(cancel.clone()));
        Self { input, is_terminal: io::stdin().is_terminal() }
    }

    /// Whether somebody is there who can be asked again.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Tells something on a line of its own, if somebody is there.
    pub(crate) fn tell(&self, text: &str) {
        if self.is_terminal {
            to_stderr(format_args!("{text}"));
        }
    }

    /// The answer, without white space around it.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String> {
        if self.is_terminal {
            draw(format_args!("{question}: "));
        }
        Ok(self.line(question)?.trim().to_owned())
    }

    /// The answer as it was typed, which the terminal does not show.
    pub(crate) fn ask_secret(&mut self, question: &str) -> Result<String> {
        if !self.is_terminal {
            return self.line(question);
        }
        // In this order: what is typed as soon as the question shows, or before, is the answer, and is not shown.
        let hidden = terminal::HiddenInput::new()?;
        draw(format_args!("{question}: "));
        let answer = self.line(question);
        drop(hidden);
        to_stderr(format_args!(""));
        answer
    }

    fn line(&mut self, question: &str) -> Result<String> {
        let mut line = String::new();
        if self.input.read_line(&mut line)? == 0 {
            return Err(Error::new(ErrorKind::InvalidConnection, format!("no answer to `{question}`"))
                .hint("standard input ended; give one line for each question"));
        }
        let line = line.strip_suffix('\n').unwrap_or(&line);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}

/// Makes the terminal show again what is typed, for a program that ends in the middle of a question.
pub(crate) fn restore_echo() {
    terminal::restore();
}

#[cfg(unix)]
mod terminal {
    use std::sync::{Mutex, PoisonError};

    use f9_host::{Error, Result};
    use rustix::{
        stdio::stdin,
        termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr},
    };

    /// How the terminal was before what is typed was hidden.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

    /// Hides what is typed until it is dropped.
    pub(super) struct HiddenInput;

    impl HiddenInput {
        pub(super) fn new() -> Result<Self> {
            let before = tcgetattr(stdin()).map_err(failed)?;
            let mut hidden = before.clone();
            hidden.local_modes.remove(LocalModes::ECHO);
            *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
            tcsetattr(stdin(), OptionalActions::Now, &hidden).map_err(failed)?;
            Ok(Self)
        }
    }

    impl Drop for HiddenInput {
        fn drop(&mut self) {
            restore();
        }
    }

    pub(super) fn restore() {
        if let Some(before) = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // If the terminal has gone, nothing needs to be restored.
            let _ = tcsetattr(stdin(), OptionalActions::Now, &before);
        }
    }

    fn failed(error: rustix::io::Errno) -> Error {
        Error::from(std::io::Error::from(error))
    }
}

#[cfg(not(unix))]
mod terminal {
    use f9_host::{Error, Result};

    pub(super) struct HiddenInput;

    impl HiddenInput {
        pub(super) fn new() -> Result<Self> {
            Err(Error::unsupported("hidden input on this system")
                .hint("refer to the secret: -c '{… {\"$env\": \"NAME\"} …}' connections add NAME"))
        }
    }

    pub(super) fn restore() {}
}
