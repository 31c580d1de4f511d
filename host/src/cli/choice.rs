//! The arguments that choose files: patterns in the order in which they are given, sizes and ages.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use f9_host::{Error, ErrorKind, Filter, Result};

use super::stop::parse_duration;

const HEADING: &str = "Which files";

/// What was typed, in its order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Choice {
    patterns: Vec<(usize, Pattern)>,
    max_size: Option<u64>,
    min_size: Option<u64>,
    newer: Option<Duration>,
    older: Option<Duration>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Include(String),
    Exclude(String),
    ExcludeFrom(PathBuf),
}

impl Choice {
    /// The filter that the arguments stand for.
    pub(crate) fn filter(&self) -> Result<Filter> {
        let mut patterns = self.patterns.clone();
        patterns.sort_by_key(|(position, _)| *position);
        let mut filter = Filter::default();
        for (_, pattern) in &patterns {
            filter = match pattern {
                Pattern::Include(pattern) => filter.include(pattern)?,
                Pattern::Exclude(pattern) => filter.exclude(pattern)?,
                Pattern::ExcludeFrom(file) => exclude_lines(filter, file)?,
            };
        }
        filter = self.max_size.map_or(filter.clone(), |bytes| filter.max_size(bytes));
        filter = self.min_size.map_or(filter.clone(), |bytes| filter.min_size(bytes));
        let ago = |age: Duration| SystemTime::now().checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        filter = self.newer.map_or(filter.clone(), |age| filter.newer_than(ago(age)));
        Ok(self.older.map_or(filter.clone(), |age| filter.older_than(ago(age))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        let Self { patterns, max_size, min_size, newer, older } = self;
        patterns.is_empty()
            && [max_size, min_size].iter().all(|o| o.is_none())
            && newer.is_none()
            && older.is_none()
    }
}

/// A pattern in each line; empty ones, and those that begin with `#`, say nothing.
fn exclude_lines(mut filter: Filter, file: &PathBuf) -> Result<Filter> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let error = Error::from(error);
        Error::new(error.kind(), format!("cannot read the patterns: {}", error.message()))
            .at(file.display())
            .hint("name a text file with a pattern in each line")
    })?;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        if !line.trim().is_empty() && !line.starts_with('#') {
            filter = filter.exclude(line).map_err(|error| {
                let place = format!("{}, line {}", file.display(), number + 1);
                Error::new(ErrorKind::InvalidPath, error.message()).at(place)
            })?;
        }
    }
    Ok(filter)
}

impl Args for Choice {
    fn augment_args(command: Command) -> Command {
        let several = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name)
                .long(name)
                .value_name(value)
                .help(help)
                .help_heading(HEADING)
                .action(ArgAction::Append)
        };
        let one = |name: &'static str, value: &'static str, help: &'static str| {
            Arg::new(name).long(name).value_name(value).help(help).help_heading(HEADING)
        };
        command
            .arg(several("include", "PATTERN", "Take what matches; of all patterns the last that matches decides. Given first, nothing else is taken"))
            .arg(several("exclude", "PATTERN", "Leave out what matches, and what is below it; patterns are those of `f9 glob`"))
            .arg(
                several("exclude-from", "FILE", "Leave out what the patterns in this file match, one in each line")
                    .value_parser(value_parser!(PathBuf)),
            )
            .arg(one("max-size", "SIZE", "Leave out files that are larger: 500, 10K, 1M, 2G").value_parser(size))
            .arg(one("min-size", "SIZE", "Leave out files that are smaller").value_parser(size))
            .arg(one("newer", "AGE", "Leave out files that changed longer ago: 30m, 2h, 7d").value_parser(age))
            .arg(one("older", "AGE", "Leave out files that changed since").value_parser(age))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Choice {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut patterns = Vec::new();
        for (name, make) in [
            ("include", Pattern::Include as fn(String) -> Pattern),
            ("exclude", Pattern::Exclude as fn(String) -> Pattern),
        ] {
            let values = matches.get_many::<String>(name).into_iter().flatten().cloned().map(make);
            patterns.extend(matches.indices_of(name).into_iter().flatten().zip(values));
        }
        let files = matches.get_many::<PathBuf>("exclude-from").into_iter().flatten().cloned();
        let files = files.map(Pattern::ExcludeFrom);
        patterns.extend(matches.indices_of("exclude-from").into_iter().flatten().zip(files));
        Ok(Self {
            patterns,
            max_size: matches.get_one("max-size").copied(),
            min_size: matches.get_one("min-size").copied(),
            newer: matches.get_one("newer").copied(),
            older: matches.get_one("older").copied(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Bytes, or with K, M, G, T so many times 1024, 1024², ….
fn size(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.find(|c: char| !c.is_ascii_digit()).unwrap_or(upper.len());
    let (number, unit) = upper.split_at(digits);
    let power = match unit.trim_end_matches("IB").trim_end_matches('B') {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return Err("expected bytes, or a number with K, M, G or T, such as 10M".into()),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << (10 * power)));
    bytes.ok_or_else(|| "expected a size, such as 500 or 10M".into())
}

/// As other times, and days.
fn age(text: &str) -> Result<Duration, String> {
    const DAY: u64 = 24 * 60 * 60;
    match text.strip_suffix('d').map(str::parse::<u64>) {
        Some(Ok(days)) => {
            days.checked_mul(DAY).map(Duration::from_secs).ok_or_else(|| "too many days".into())
        }
        _ => parse_duration(text).map_err(|_| "expected an age with s, m, h or d, such as 7d".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_have_units() {
        assert_eq!(
            ["0", "500", "10K", "1m", "2G", "3KiB"].map(|text| size(text).unwrap()),
            [0, 500, 10 << 10, 1 << 20, 2 << 30, 3 << 10]
        );
        assert!(["", "K", "1X", "-1", "99999999999T"].iter().all(|text| size(text).is_err()));
        assert_eq!(age("7d").unwrap(), Duration::from_secs(604_800));
        assert_eq!(age("2h").unwrap(), Duration::from_secs(7200));
        assert!(["", "d", "1w"].iter().all(|text| age(text).is_err()));
    }
}
