//! What the host gives to plugins: a logger, a progress bar, and the wish to stop.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use f9_plugin_abi::{AbiHost, AbiHost_TO, AbiHostBox, AbiProgress, RStr, TD_Opaque, guard_drop, log_level};
use f9_plugin_api::{Error, ErrorKind, Result, boundary::text_from_abi};

/// How far a long operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress<'a> {
    /// What is being done, in a word or two ("fetch").
    pub operation: &'a str,
    /// What is counted ("bytes", "objects").
    pub unit: &'a str,
    /// How many are done.
    pub done: u64,
    /// Of how many, if that is known.
    pub total: Option<u64>,
}

/// Asks the operations of every backend that was opened with it to stop; they end with
/// [`ErrorKind::Cancelled`] as soon as they look. Clones share the wish.
#[derive(Debug, Clone, Default)]
pub struct CancelToken(Arc<AtomicBool>);

impl CancelToken {
    /// A token that has not been cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks to stop. Only sets a flag, so a signal handler may call it.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Ends an operation that is no longer wanted.
    ///
    /// # Errors
    ///
    /// [`Cancelled`](ErrorKind::Cancelled) if somebody asked to stop.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "cancelled"));
        }
        Ok(())
    }
}

type LogSink = dyn Fn(&log::Record<'_>) + Send + Sync;
type ProgressSink = dyn Fn(Progress<'_>) + Send + Sync;

/// What plugins reach of their host.
#[derive(Clone, Default)]
pub(crate) struct Services {
    pub(crate) log: Option<(log::LevelFilter, Arc<LogSink>)>,
    pub(crate) progress: Option<Arc<ProgressSink>>,
    pub(crate) cancel: CancelToken,
}

impl Services {
    /// As an object that a plugin can own.
    pub(crate) fn object(&self) -> AbiHostBox {
        AbiHost_TO::from_value(self.clone(), TD_Opaque)
    }

    fn max_level(&self) -> log::LevelFilter {
        self.log.as_ref().map_or_else(log::max_level, |(level, _)| *level)
    }
}

impl AbiHost for Services {
    fn max_log_level(&self) -> u8 {
        match self.max_level() {
            log::LevelFilter::Off => 0,
            log::LevelFilter::Error => log_level::ERROR,
            log::LevelFilter::Warn => log_level::WARN,
            log::LevelFilter::Info => log_level::INFO,
            log::LevelFilter::Debug => log_level::DEBUG,
            log::LevelFilter::Trace => log_level::TRACE,
        }
    }

    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>) {
        let level = match level {
            log_level::ERROR => log::Level::Error,
            log_level::WARN => log::Level::Warn,
            log_level::INFO => log::Level::Info,
            log_level::DEBUG => log::Level::Debug,
            _ => log::Level::Trace,
        };
        if level > self.max_level() {
            return;
        }
        let (target, message) = (text_from_abi(target), text_from_abi(message));
        // A sink that panics must not take the plugin along; the record is lost.
        guard_drop(|| match &self.log {
            None => log::log!(target: &target, level, "{message}"),
            Some((_, sink)) => {
                let mut record = log::Record::builder();
                record.level(level).target(&target);
                sink(&record.args(format_args!("{message}")).build());
            }
        });
    }

    fn progress(&self, progress: AbiProgress<'_>) {
        if let Some(sink) = &self.progress {
            let total = progress.total.into_option();
            let (operation, unit) = (text_from_abi(progress.operation), text_from_abi(progress.unit));
            let progress = Progress { operation: &operation, unit: &unit, done: progress.done, total };
            guard_drop(|| sink(progress));
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}
