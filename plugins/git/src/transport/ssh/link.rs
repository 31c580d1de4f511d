//! A session from one call to the next: logging in takes several round trips, going on with a session none.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use tokio::task::AbortHandle;

use super::{session::Session, waiter::Waiter};

/// For how long a session is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(60);

/// A session that is logged in, with the thread that answers the server.
pub(super) struct Link {
    pub(super) session: Session,
    pub(super) waiter: Waiter,
}

/// The session that waits for the next call, if there is one.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<Option<Waiting>>>);

struct Waiting {
    link: Arc<Link>,
    /// Ends the session when nobody has come for it.
    end: AbortHandle,
}

impl Kept {
    /// The session, if the server has not ended it.
    pub(super) fn take(&self) -> Option<Arc<Link>> {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        waiting.end.abort();
        Some(waiting.link).filter(|link| !link.session.is_closed())
    }

    /// Keeps a session that has nothing under way.
    pub(super) fn put(&self, link: Arc<Link>) {
        let kept = Arc::downgrade(&self.0);
        let Some(end) = link.waiter.spawn(end_later(kept)) else { return };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(Waiting { link, end });
    }
}

async fn end_later(kept: Weak<Mutex<Option<Waiting>>>) {
    tokio::time::sleep(IDLE).await;
    if let Some(kept) = kept.upgrade() {
        kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
