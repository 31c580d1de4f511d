//! What the host offers to an open backend.

use std::{
    fmt,
    sync::{Arc, Once},
};

use f9_plugin_abi::{AbiHostBox, AbiProgress, ROption, RStr, log_level};

use crate::{
    Error, ErrorKind, Result,
    secrets::{Words, hide},
};

/// The host as a backend sees it: progress and cancellation. Cheap to clone; works from any thread.
///
/// Log with the `log` crate as anywhere else: the SDK passes records on to the host's logger.
#[derive(Clone)]
pub struct Context {
    host: Option<Arc<AbiHostBox>>,
}

impl Context {
    /// A context without a host, for tests: progress goes nowhere, nothing is ever cancelled.
    pub const fn detached() -> Self {
        Self { host: None }
    }

    pub(crate) fn new(host: AbiHostBox) -> Self {
        let host = Arc::new(host);
        install_logger(&host);
        install_panic_hook();
        Self { host: Some(host) }
    }

    /// Tells how far a long operation has come: `operation` in a word or two ("fetch"), counted in `unit` ("bytes").
    ///
    /// Hosts may show every call, so a few per second are enough.
    pub fn progress(&self, operation: &str, unit: &str, done: u64, total: Option<u64>) {
        if let Some(host) = &self.host {
            let (operation, unit) = (hide(operation, Words::Hidden), hide(unit, Words::Hidden));
            let (operation, unit) = (RStr::from_str(&operation), RStr::from_str(&unit));
            host.progress(AbiProgress { operation, unit, done, total: ROption::from(total) });
        }
    }

    /// Whether the caller no longer wants the answer.
    pub fn is_cancelled(&self) -> bool {
        self.host.as_ref().is_some_and(|host| host.is_cancelled())
    }

    /// Ends an operation that is no longer wanted: ask between the steps of whatever takes longer than a moment.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Cancelled`] if the caller asked to stop.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
        }
        Ok(())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("detached", &self.host.is_none()).finish()
    }
}

/// Each library has a `log` of its own, which knows no logger until it gets this one. The first host to open a backend
/// receives the records of all: a process has one logger.
fn install_logger(host: &Arc<AbiHostBox>) {
    let level = match host.max_log_level() {
        0 => log::LevelFilter::Off,
        log_level::ERROR => log::LevelFilter::Error,
        log_level::WARN => log::LevelFilter::Warn,
        log_level::INFO => log::LevelFilter::Info,
        log_level::DEBUG => log::LevelFilter::Debug,
        _ => log::LevelFilter::Trace,
    };
    if log::set_boxed_logger(Box::new(HostLogger(Arc::clone(host)))).is_ok() {
        log::set_max_level(level);
    }
}

/// A panic is answered as an error; this tells where it happened, in the host's log instead of on its terminal. The hook
/// is the library's own, as its standard library is.
fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| match info.location() {
            Some(at) => log::error!("panicked at {}:{}", at.file(), at.line()),
            None => log::error!("panicked"),
        }));
    });
}

struct HostLogger(Arc<AbiHostBox>);

impl log::Log for HostLogger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let level = match record.level() {
            log::Level::Error => log_level::ERROR,
            log::Level::Warn => log_level::WARN,
            log::Level::Info => log_level::INFO,
            log::Level::Debug => log_level::DEBUG,
            log::Level::Trace => log_level::TRACE,
        };
        let message = record.args().to_string();
        let (target, message) = (hide(record.target(), Words::Shown), hide(&message, Words::Hidden));
        self.0.log(level, RStr::from_str(&target), RStr::from_str(&message));
    }

    fn flush(&self) {}
}
