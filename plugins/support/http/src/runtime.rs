//! The thread that drives a client's connections.

use std::thread::{self, JoinHandle};

use f9_plugin_api::{Error, ErrorKind, Result};
use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// An async runtime on a thread of its own, which ends with this value.
///
/// A plugin may be called on a thread that belongs to another async runtime. There nothing async can be waited for nor a
/// runtime dropped, so both happen over here, and callers wait on ordinary channels.
#[derive(Debug)]
pub(crate) struct Runtime {
    handle: Handle,
    /// Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Runtime {
    pub(crate) fn start() -> Result<Self> {
        let failed = |error| {
            Error::new(ErrorKind::ResourceExhausted, "cannot start the thread for network connections")
                .caused_by(error)
        };
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let work = move || {
            let _ = runtime.block_on(stopped); // an error is the sender's drop, which is how it always ends
            runtime.shutdown_background(); // does not wait for a name lookup that hangs
        };
        let thread = thread::Builder::new().name("f9-http".into()).spawn(work).map_err(failed)?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // a panic there has been reported; there is nothing left to save
        }
    }
}
