//! Work for several threads that gets done with fewer, where no more are to be had.

use std::thread;

/// Does `work` on this thread and, as far as the system lets it, on others, on so many in all.
pub(crate) fn on_threads(count: usize, work: impl Fn() + Sync) {
    thread::scope(|scope| {
        for _ in 1..count {
            if thread::Builder::new().spawn_scoped(scope, &work).is_err() {
                break;
            }
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn work_is_done_on_so_many_threads() {
        for count in [0, 1, 4] {
            let done = AtomicUsize::new(0);
            on_threads(count, || {
                done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(done.into_inner(), count.max(1));
        }
    }
}
