//! Requests that go wrong on purpose.

use std::time::Duration;

use crate::Route;

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The request is refused with this status and error code, and nothing is done.
    Status(u16, &'static str),
    /// As `Status`, with a `retry-after-ms` of this many milliseconds.
    RetryAfter(u16, u64),
    /// The request is refused with this status and something that is not the service's JSON (a proxy's page, say).
    Page(u16),
    /// The connection closes before anything is done.
    DropBefore,
    /// The request is carried out, and the connection closes without an answer.
    DropAfter,
    /// The request is carried out, and the connection closes in the middle of the answer.
    Truncate,
    /// The request is carried out, and the answer is not what was asked for: JSON of another kind.
    Nonsense,
    /// The request is carried out, and the answer is no JSON.
    Garbage,
    /// The request is carried out, and the answer comes after this time.
    Stall(Duration),
    /// One character of the content that is answered is another.
    Corrupt,
    /// The request is carried out; what it attaches will fail to be indexed with this code.
    FailIndexing(&'static str),
    /// The request is carried out; what it attaches will be `in_progress` for ever.
    NeverIndex,
}

/// Which requests go wrong, and how.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Only requests of this route; `None` means all.
    pub route: Option<Route>,
    /// So many of them are let through first.
    pub skip: usize,
    /// So many go wrong after that.
    pub times: usize,
    /// What happens to them.
    pub fault: Fault,
}

impl Plan {
    /// The next request of this route goes wrong.
    pub const fn once(route: Route, fault: Fault) -> Self {
        Self { route: Some(route), skip: 0, times: 1, fault }
    }

    /// Every request of this route goes wrong from now on.
    pub const fn always(route: Route, fault: Fault) -> Self {
        Self { route: Some(route), skip: 0, times: usize::MAX, fault }
    }

    /// Only request number `n` (from 0) of all that come goes wrong.
    pub const fn nth(n: usize, fault: Fault) -> Self {
        Self { route: None, skip: n, times: 1, fault }
    }

    /// Counts a request; tells whether it goes wrong.
    fn strikes(&mut self, route: Route) -> bool {
        if self.route.is_some_and(|only| only != route) || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times -= 1;
        true
    }
}

/// The fault for a request of this route, if one is planned.
pub(crate) fn strike(plans: &mut Vec<Plan>, route: Route) -> Option<Fault> {
    let mut fault = None;
    for plan in plans.iter_mut() {
        if plan.strikes(route) {
            fault.get_or_insert_with(|| plan.fault.clone());
        }
    }
    plans.retain(|plan| plan.times > 0);
    fault
}
