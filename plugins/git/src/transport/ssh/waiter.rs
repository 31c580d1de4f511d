//! Between the thread that calls and the tasks that talk: waiting, but not for ever.

use std::{
    future::Future,
    pin::pin,
    time::{Duration, Instant},
};

use f9_plugin_api::{Context, Error, ErrorKind, Result};
use tokio::{
    runtime::{Builder, Runtime},
    task::AbortHandle,
};

/// How often a waiting thread looks whether it shall stop.
const TICK: Duration = Duration::from_millis(50);

/// The runtime of one session, whose thread answers the server while libgit2 is busy. What is left of the session ends with
/// it, also a handshake that was given up.
pub(super) struct Waiter {
    /// `None` only while it is dropped.
    runtime: Option<Runtime>,
    context: Context,
    timeout: Duration,
}

impl Waiter {
    pub(super) fn new(context: Context, timeout: Duration) -> Result<Self> {
        // The runtime panics where no thread is to be had.
        std::thread::Builder::new().spawn(|| ()).map_err(no_thread)?;
        let mut builder = Builder::new_multi_thread();
        let runtime =
            builder.worker_threads(1).thread_name("f9-git-ssh").enable_io().enable_time().build()?;
        Ok(Self { runtime: Some(runtime), context, timeout })
    }

    /// How long a single wait may take.
    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Has the session's thread see to `future` as well.
    pub(super) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Option<AbortHandle> {
        Some(self.runtime.as_ref()?.spawn(future).abort_handle())
    }

    /// Waits for `future`; not longer than the timeout, and not after the host has cancelled.
    pub(super) fn wait<T>(&self, what: &str, future: impl Future<Output = T>) -> Result<T> {
        self.wait_for(self.timeout, what, future)
    }

    /// As [`wait`](Self::wait), with another limit.
    pub(super) fn wait_for<T>(
        &self,
        limit: Duration,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T> {
        let Some(runtime) = &self.runtime else {
            return Err(Error::new(ErrorKind::Other, "the session has ended"));
        };
        let end = Instant::now() + limit;
        runtime.block_on(async {
            let mut future = pin!(future);
            loop {
                self.context.check_cancelled()?;
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    let message = format!("ssh: {what}: no answer within {limit:?}");
                    return Err(
                        Error::new(ErrorKind::Timeout, message).hint("try again later, or allow more time")
                    );
                }
                if let Ok(value) = tokio::time::timeout(left.min(TICK), &mut future).await {
                    return Ok(value);
                }
            }
        })
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: the look-up of a name cannot be interrupted.
            runtime.shutdown_background();
        }
    }
}

fn no_thread(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "cannot start the thread for the SSH connection")
        .caused_by(cause)
}
