//! Numbers for people.

use std::time::Duration;

/// A size in units of 1024: `17 B`, `1.4 KiB`, `23 MiB`.
pub(crate) fn human(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut rest = bytes as f64;
    // What would be rounded to 1024 belongs to the next unit.
    while rest >= 1023.5 && unit + 1 < UNITS.len() {
        rest /= 1024.0;
        unit += 1;
    }
    if unit == 0 || rest >= 9.95 {
        format!("{rest:.0} {}", UNITS[unit])
    } else {
        format!("{rest:.1} {}", UNITS[unit])
    }
}

/// Minutes and seconds, or hours: `0:07`, `12:30`, `3:05:00`.
pub(crate) fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 1023, 1024, 1434, 10 << 10, (1 << 20) - 1, 23 << 20, u64::MAX];
        assert_eq!(
            sizes.map(human),
            ["0 B", "1023 B", "1.0 KiB", "1.4 KiB", "10 KiB", "1.0 MiB", "23 MiB", "16 EiB"]
        );
    }

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!([7, 750, 11_100].map(|s| clock(Duration::from_secs(s))), ["0:07", "12:30", "3:05:00"]);
    }
}
