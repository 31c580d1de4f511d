//! Dates as HTTP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// A date in any of the three forms that have to be understood (RFC 9110, section 5.6.7). `now` settles the century of
/// a year with two digits.
pub(crate) fn parse(text: &str, now: SystemTime) -> Option<SystemTime> {
    let words: Vec<&str> = text.split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words[..] {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let date = |year| seconds(year, month, number(day, 1..=31)?, time).map(|seconds| UNIX_EPOCH + seconds);
    match (year.len(), number(year, 0..=9999)?) {
        (4, year) => date(year),
        // What seems more than 50 years ahead is of the last century.
        (2, year) => {
            let soon = now + Duration::from_secs(50 * 365 * 86_400);
            date(2000 + year).filter(|date| *date <= soon).or_else(|| date(1900 + year))
        }
        _ => None,
    }
}

/// Since 1970.
fn seconds(year: u64, month: &str, day: u64, time: &str) -> Option<Duration> {
    let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
    let mut units = time.split(':');
    let mut unit = |most| units.next().filter(|word| word.len() == 2).and_then(|word| number(word, 0..=most));
    let seconds = unit(23)? * 3600 + unit(59)? * 60 + unit(60)?; // 60: a leap second
    if units.next().is_some() {
        return None;
    }
    // A year that begins in March ends with the leap day.
    let years = if month > 2 { year } else { year.checked_sub(1)? };
    let days = years * 365 + years / 4 - years / 100 + years / 400 + ((month + 9) % 12 * 153 + 2) / 5 + day;
    let days = days.checked_sub(719_469)?; // up to the first of January 1970
    Some(Duration::from_secs(days * 86_400 + seconds))
}

fn number(digits: &str, within: std::ops::RangeInclusive<u64>) -> Option<u64> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    within.contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<u64> {
        let now = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        parse(text, now).map(|date| date.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn the_three_forms_are_one_moment() {
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(unix(text), Some(784_111_777), "{text}");
        }
    }

    #[test]
    fn leap_days_and_turns_of_years() {
        for (text, seconds) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Thu, 31 Dec 1970 23:59:59 GMT", 31_535_999),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
            ("Wed, 01 Mar 2000 00:00:00 GMT", 951_868_800),
            ("Mon, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Saturday, 01-Jan-28 00:00:00 GMT", 1_830_297_600),
        ] {
            assert_eq!(unix(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_date() {
        for text in [
            "",
            "soon",
            "12",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 994 08:49:37 GMT",
            "Sun, +6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nuv 1994 08:49:37 GMT",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        ] {
            assert_eq!(unix(text), None, "{text}");
        }
    }
}
