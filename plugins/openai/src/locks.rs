//! One change at a time on a path, on what is above it and on what is below it.

use std::sync::{Condvar, Mutex, PoisonError};

use f9_plugin_api::BackendPath;

/// The paths that are being changed.
#[derive(Debug, Default)]
pub(crate) struct PathLocks {
    held: Mutex<Vec<BackendPath>>,
    released: Condvar,
}

/// The right to change a path and all below it, until dropped.
#[derive(Debug)]
pub(crate) struct PathLock<'l> {
    locks: &'l PathLocks,
    path: BackendPath,
}

impl PathLocks {
    /// Waits until nobody changes the path, anything above or anything below.
    pub(crate) fn lock(&self, path: &BackendPath) -> PathLock<'_> {
        let related = |other: &BackendPath| other.starts_with(path) || path.starts_with(other);
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.released.wait_while(held, |held| held.iter().any(related));
        waited.unwrap_or_else(PoisonError::into_inner).push(path.clone());
        PathLock { locks: self, path: path.clone() }
    }
}

impl Drop for PathLock<'_> {
    fn drop(&mut self) {
        let mut held = self.locks.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|path| *path != self.path);
        drop(held);
        self.locks.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::*;

    #[test]
    fn related_paths_wait_for_each_other_and_others_do_not() {
        let path = |text| BackendPath::parse(text).unwrap();
        let locks = PathLocks::default();
        for related in ["a", "a/b", "a/b/c"] {
            let held = locks.lock(&path("a/b"));
            drop(locks.lock(&path("a/c")));
            drop(locks.lock(&path("a/bb")));
            let (tell, told) = mpsc::channel();
            thread::scope(|scope| {
                scope.spawn(|| {
                    let _lock = locks.lock(&path(related));
                    tell.send(()).unwrap();
                });
                assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "{related}");
                drop(held);
                told.recv_timeout(Duration::from_secs(5)).unwrap();
            });
        }
    }
}
