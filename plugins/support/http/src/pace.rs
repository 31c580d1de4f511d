//! Keeping to a limit that a server has on requests, without being told by it.

use std::{
    collections::{BTreeMap, VecDeque},
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use f9_plugin_api::{Context, Result};

/// How often a waiting thread looks whether it shall stop.
const TICK: Duration = Duration::from_millis(50);

/// All counts of this process, by what is counted.
static COUNTS: Mutex<BTreeMap<String, Arc<Mutex<Count>>>> = Mutex::new(BTreeMap::new());

/// At most so many requests within any period of this length, wherever in the process they come from.
///
/// A request counts from when it is sent until a period after its answer: whenever in between the server counted it, the
/// limit is kept. Up to the limit nothing waits, so that the server's limit is used in full.
#[derive(Debug, Clone)]
pub struct Pace {
    most: usize,
    period: Duration,
    count: Arc<Mutex<Count>>,
}

/// The requests of the last period.
#[derive(Debug, Default)]
struct Count {
    under_way: usize,
    answered: VecDeque<Instant>,
    /// When the server wants to hear no more before.
    resume: Option<Instant>,
    period: Duration,
}

/// The right to send a request, which counts until this is dropped and for a period after.
#[derive(Debug)]
pub(crate) struct Turn<'p>(&'p Pace);

impl Pace {
    /// At most `most` requests in a `period`. What has the same `name` is counted together, whatever its limit.
    pub fn new(name: &str, most: NonZeroU32, period: Duration) -> Self {
        let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
        // What nobody uses is kept no longer than it counts.
        counts.retain(|_, count| Arc::strong_count(count) > 1 || !lock(count).is_over());
        let count = Arc::clone(counts.entry(name.to_owned()).or_default());
        {
            let mut count = lock(&count);
            count.period = count.period.max(period);
        }
        Self { most: most.get() as usize, period, count }
    }

    /// Waits for a turn. How long that took is not the request's fault.
    pub(crate) fn wait(&self, context: &Context) -> Result<Turn<'_>> {
        loop {
            context.check_cancelled()?;
            let pause = {
                let mut count = lock(&self.count);
                match count.pause(self.most, self.period) {
                    None => {
                        count.under_way += 1;
                        return Ok(Turn(self));
                    }
                    Some(pause) => pause,
                }
            };
            thread::sleep(pause.min(TICK));
        }
    }

    /// Lets everybody wait because the server wants it.
    pub(crate) fn hold(&self, pause: Duration) {
        let mut count = lock(&self.count);
        count.resume = count.resume.max(Instant::now().checked_add(pause));
    }
}

impl Count {
    /// How long to wait before it is worth asking again; `None` if it is one's turn.
    fn pause(&mut self, most: usize, period: Duration) -> Option<Duration> {
        let now = Instant::now();
        self.forget(now);
        if let Some(resume) = self.resume.filter(|resume| *resume > now) {
            return Some(resume - now);
        }
        let recent = self.answered.iter().filter(|answered| now - **answered < period).count();
        if self.under_way + recent < most {
            return None;
        }
        let first = self.answered.iter().find(|answered| now - **answered < period);
        Some(first.map_or(TICK, |first| period - (now - *first)))
    }

    fn forget(&mut self, now: Instant) {
        while self.answered.front().is_some_and(|answered| now - *answered >= self.period) {
            self.answered.pop_front();
        }
    }

    fn is_over(&mut self) -> bool {
        let now = Instant::now();
        self.forget(now);
        self.under_way == 0 && self.answered.is_empty() && self.resume.is_none_or(|resume| resume <= now)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut count = lock(&self.0.count);
        count.under_way -= 1;
        count.answered.push_back(Instant::now());
    }
}

fn lock(count: &Mutex<Count>) -> MutexGuard<'_, Count> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(name: &str, most: u32, millis: u64) -> Pace {
        Pace::new(name, NonZeroU32::new(most).unwrap(), Duration::from_millis(millis))
    }

    #[test]
    fn no_period_has_more_than_the_limit_and_the_limit_is_used() {
        const PERIOD: Duration = Duration::from_millis(300);
        let start = Instant::now();
        let sent = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..4 {
                // Each on its own, as connections to the same store are.
                scope.spawn(|| {
                    let pace = pace("limit", 10, 300);
                    for _ in 0..6 {
                        let _turn = pace.wait(&Context::detached()).unwrap();
                        sent.lock().unwrap().push(start.elapsed());
                    }
                });
            }
        });
        let mut sent = sent.into_inner().unwrap();
        sent.sort();
        assert_eq!(sent.len(), 24);
        for window in sent.windows(11) {
            assert!(window[10] - window[0] >= PERIOD, "{window:?}");
        }
        assert!(sent[9] < PERIOD, "the first ten do not wait: {sent:?}");
        assert!(sent[23] >= 2 * PERIOD);
    }

    #[test]
    fn a_server_that_wants_a_pause_gets_it_from_all() {
        let (one, other) = (pace("pause", 10, 100), pace("pause", 10, 100));
        one.hold(Duration::from_millis(120));
        let start = Instant::now();
        drop(other.wait(&Context::detached()).unwrap());
        assert!(start.elapsed() >= Duration::from_millis(120));
    }

    #[test]
    fn what_counts_no_more_is_forgotten() {
        let names = || -> Vec<String> {
            let counts = COUNTS.lock().unwrap();
            counts.keys().filter(|name| name.starts_with("forgotten")).cloned().collect()
        };
        for number in 0..100 {
            drop(pace(&format!("forgotten {number}"), 1, 20).wait(&Context::detached()).unwrap());
        }
        thread::sleep(Duration::from_millis(40));
        let held = pace("forgotten last", 1, 20);
        assert_eq!(names(), ["forgotten last"]);
        for _ in 0..20 {
            drop(held.wait(&Context::detached()).unwrap());
        }
        assert!(lock(&held.count).answered.len() <= 1);
    }
}
