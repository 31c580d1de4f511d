//! When a request is sent again, and after how long.

use std::{
    hash::{BuildHasher, RandomState},
    time::{Duration, SystemTime},
};

use reqwest::{StatusCode, header::HeaderMap};

use crate::date;

/// When a request is sent again.
///
/// Retried are connection errors, timeouts and the answers 408, 409, 429 and 5xx, unless the server says otherwise
/// (`x-should-retry`). The pause is what the server asks for (`retry-after-ms`, `retry-after`) if that is at most two
/// minutes, after more the answer is given back; else half a second, doubled each time up to eight, less a random quarter.
/// These are the rules of the OpenAI SDKs.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    /// How many times at most, after the first try.
    pub max_retries: u32,
    /// Answers whose body this accepts are final, whatever their status (an exhausted quota, for instance).
    pub is_final: fn(&[u8]) -> bool,
}

/// A longer wish of the server is not granted (as in the Python SDK).
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

impl RetryPolicy {
    /// A request is sent once.
    pub const fn none() -> Self {
        Self::times(0)
    }

    /// A request is sent again at most `max_retries` times.
    pub const fn times(max_retries: u32) -> Self {
        Self { max_retries, is_final: |_| false }
    }

    /// Whether an answer of this status can be retried at all, before looking at its body.
    pub(crate) fn may_retry(&self, status: StatusCode, headers: &HeaderMap) -> bool {
        match text(headers, "x-should-retry") {
            Some("true") => true,
            Some("false") => false,
            _ => matches!(status.as_u16(), 408 | 409 | 429 | 500..),
        }
    }

    /// How long to wait before retry number `retry` (from 0); `None` if the server wants more than is granted.
    pub(crate) fn pause(&self, retry: u32, headers: Option<&HeaderMap>) -> Option<Duration> {
        match headers.and_then(retry_after) {
            Some(wish) if wish > LONGEST_RETRY_AFTER => None,
            Some(wish) if !wish.is_zero() => Some(wish),
            _ => {
                let full = (0.5 * f64::from(2u32.saturating_pow(retry))).min(8.0);
                Some(Duration::from_secs_f64(full * (1.0 - 0.25 * random())))
            }
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::none()
    }
}

/// `retry-after-ms`, else `retry-after`, which is a number of seconds or a date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name| text(headers, name)?.trim().parse::<f64>().ok();
    match number("retry-after-ms").map(|ms| ms / 1000.0).or_else(|| number("retry-after")) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        None => {
            let here = SystemTime::now();
            // By the server's clock, if it says how late it is: the one here may be wrong.
            let now = text(headers, "date").and_then(|date| date::parse(date, here)).unwrap_or(here);
            date::parse(text(headers, "retry-after")?, here)?.duration_since(now).ok()
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// From 0 to 1, different in each process and call: std seeds its hashers at random.
fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn the_servers_wish_comes_first() {
        let policy = RetryPolicy::times(2);
        let pause = |pairs: &[_]| policy.pause(0, Some(&headers(pairs)));
        assert_eq!(pause(&[("retry-after", "3")]), Some(Duration::from_secs(3)));
        assert_eq!(
            pause(&[("retry-after", "3"), ("retry-after-ms", "250")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(pause(&[("retry-after", "121")]), None);
        for nonsense in ["0", "-5", "NaN", "soon", "1e400"] {
            let pause = pause(&[("retry-after", nonsense)]);
            assert!(pause.is_none_or(|pause| pause <= Duration::from_millis(500)), "{nonsense}: {pause:?}");
        }
    }

    #[test]
    fn the_wish_can_be_a_date_by_the_servers_clock() {
        let policy = RetryPolicy::times(2);
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let pause = |until| policy.pause(0, Some(&headers(&[date, ("retry-after", until)])));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:40 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(pause("Sunday, 06-Nov-94 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(pause("Sun Nov  6 08:52:00 1994"), None, "more than is granted");
        for past in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:30 GMT"] {
            assert!(pause(past).is_some_and(|pause| pause <= Duration::from_millis(500)), "{past}");
        }
        let without = policy.pause(0, Some(&headers(&[("retry-after", "Fri, 31 Dec 9999 23:59:59 GMT")])));
        assert_eq!(without, None, "by the clock here");
    }

    #[test]
    fn pauses_grow_to_eight_seconds() {
        let policy = RetryPolicy::times(9);
        for (retry, full) in [(0, 0.5), (1, 1.0), (3, 4.0), (4, 8.0), (60, 8.0)] {
            let pause = policy.pause(retry, None).unwrap().as_secs_f64();
            assert!((full * 0.75..=full).contains(&pause), "{retry}: {pause}");
        }
    }

    #[test]
    fn what_is_retried() {
        let policy = RetryPolicy::times(1);
        let may =
            |status, pairs: &[_]| policy.may_retry(StatusCode::from_u16(status).unwrap(), &headers(pairs));
        for status in [408, 409, 429, 500, 503, 599] {
            assert!(may(status, &[]), "{status}");
            assert!(!may(status, &[("x-should-retry", "false")]), "{status}");
        }
        for status in [200, 301, 400, 401, 404, 422] {
            assert!(!may(status, &[]), "{status}");
        }
        assert!(may(400, &[("x-should-retry", "true")]));
    }
}
