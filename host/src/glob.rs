//! Patterns that stand for many paths, with one meaning on all backends.

use f9_plugin_api::{BackendPath, Error, ErrorKind, FileBackend, FileInfo, ListOptions, Result};

/// A pattern such as `reports/**/*.txt`.
///
/// `*` stands for any characters within a name, `?` for one, `[a-z]` for one of these, `[!a-z]` for one that is none of
/// these; `{txt,md}` for each of the alternatives, which may hold wildcards and alternatives themselves but no `/`; `**`, as
/// a whole segment, stands for any number of directories, or at the end for everything below. All else stands for itself,
/// case matters, and a name that starts with a dot is like any other. `[*]` stands for a `*`, `[{]` for a `{`.
///
/// ```
/// use f9_host::{BackendPath, Glob};
///
/// let glob = Glob::parse("reports/**/*.txt")?;
/// assert!(glob.matches(&BackendPath::parse("reports/2026/may.txt")?));
/// assert!(glob.matches(&BackendPath::parse("reports/may.txt")?));
/// assert!(!glob.matches(&BackendPath::parse("may.txt")?));
/// # Ok::<(), f9_host::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    /// A name without wildcards.
    Literal(String),
    /// A name with wildcards: one of these.
    Name(Vec<Vec<Token>>),
    /// `**`.
    AnyDepth,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    One,
    Many,
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern. Paths in it are normalised as [`BackendPath::parse`] does.
    ///
    /// # Errors
    ///
    /// [`InvalidPath`](ErrorKind::InvalidPath) as [`BackendPath::parse`]; for a `[` or `{` that is not closed and a range that
    /// runs backwards, which is quoted; and for more than 1,000 alternatives of a name.
    pub fn parse(pattern: &str) -> Result<Self> {
        let path = BackendPath::parse(pattern)?;
        let segments: Result<Vec<_>> = path.segments().map(|text| segment(text, pattern)).collect();
        let mut segments = segments?;
        if segments.last() == Some(&Segment::AnyDepth) {
            segments.push(Segment::Name(vec![vec![Token::Many]])); // everything below, but not the directory itself
        }
        Ok(Self(segments))
    }

    /// Whether the pattern stands for this path.
    pub fn matches(&self, path: &BackendPath) -> bool {
        let names: Vec<_> = path.segments().collect();
        self.matches_names(&names)
    }

    /// As [`matches`](Self::matches), also for names that are part of no path.
    pub(crate) fn matches_names(&self, names: &[&str]) -> bool {
        matches_names(&self.0, names)
    }

    /// Everything in a backend that the pattern stands for, ordered by path. Only the directories that can hold some are
    /// listed. What cannot be described is an error in its place; so is a directory that cannot be listed.
    ///
    /// # Errors
    ///
    /// Those of the backend for the directory before the first wildcard; that there is none is no error.
    pub fn find(&self, backend: &dyn FileBackend) -> Result<Vec<Result<FileInfo>>> {
        let literal = self.0.iter().take_while(|segment| matches!(segment, Segment::Literal(_))).count();
        let literal = literal.min(self.0.len().saturating_sub(1));
        let mut start = BackendPath::root();
        for segment in &self.0[..literal] {
            if let Segment::Literal(name) = segment {
                start = start.join(name)?;
            }
        }
        let mut found = Vec::new();
        match expand(backend, &start, &self.0[literal..], &mut found) {
            Err(error) if is_absent(&error) => {}
            other => other?,
        }
        found.sort_by(|a, b| match (a, b) {
            (Ok(a), Ok(b)) => a.path.cmp(&b.path),
            (a, b) => a.is_err().cmp(&b.is_err()),
        });
        Ok(found)
    }
}

/// Adds what `segments` stand for below `dir`.
fn expand(
    backend: &dyn FileBackend,
    dir: &BackendPath,
    segments: &[Segment],
    found: &mut Vec<Result<FileInfo>>,
) -> Result<()> {
    let Some((first, rest)) = segments.split_first() else {
        found.push(backend.info(dir)); // the pattern of the root
        return Ok(());
    };
    match first {
        Segment::Literal(name) if rest.is_empty() => match backend.info(&dir.join(name)?) {
            Err(error) if is_absent(&error) => {}
            answer => found.push(answer),
        },
        Segment::Literal(name) => expand_below(backend, &dir.join(name)?, rest, found),
        Segment::AnyDepth => {
            let depth = dir.segments().count();
            for entry in backend.list(dir, ListOptions::default().recursive(true))? {
                let is_match = |info: &FileInfo| {
                    let names: Vec<_> = info.path.segments().skip(depth).collect();
                    matches_names(segments, &names)
                };
                if entry.as_ref().map_or(true, is_match) {
                    found.push(entry);
                }
            }
        }
        Segment::Name(names) => {
            for entry in backend.list(dir, ListOptions::default().names_only(!rest.is_empty()))? {
                match entry {
                    Err(error) => found.push(Err(error)),
                    Ok(info) if !info.path.name().is_some_and(|name| matches_any(names, name)) => {}
                    Ok(info) if rest.is_empty() => found.push(Ok(info)),
                    Ok(info) if info.is_dir() => expand_below(backend, &info.path, rest, found),
                    Ok(_) => {}
                }
            }
        }
    }
    Ok(())
}

fn expand_below(
    backend: &dyn FileBackend,
    dir: &BackendPath,
    segments: &[Segment],
    found: &mut Vec<Result<FileInfo>>,
) {
    match expand(backend, dir, segments, found) {
        Err(error) if is_absent(&error) => {} // it need not be everywhere, and can vanish meanwhile
        Err(error) => found.push(Err(error.at(dir))),
        Ok(()) => {}
    }
}

fn is_absent(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

fn segment(text: &str, pattern: &str) -> Result<Segment> {
    if text == "**" {
        return Ok(Segment::AnyDepth);
    }
    let names = alternatives(text).map_err(|error| error.at(pattern))?;
    let names: Result<Vec<_>> = names.iter().map(|name| tokens(name, pattern)).collect();
    let names = names?;
    let literal = if let [only] = names.as_slice() { literal(only) } else { None };
    Ok(literal.map_or(Segment::Name(names), Segment::Literal))
}

/// The name that these stand for, if there is just one.
fn literal(tokens: &[Token]) -> Option<String> {
    tokens.iter().map(|token| if let Token::Char(c) = token { Some(*c) } else { None }).collect()
}

/// The names that a name with `{a,b}` in it stands for, without any.
fn alternatives(text: &str) -> Result<Vec<String>> {
    const MAX: usize = 1000;
    let mut waiting = vec![text.to_owned()];
    let mut names = Vec::new();
    while let Some(name) = waiting.pop() {
        match first_braces(&name)? {
            None => names.push(name),
            Some((before, choices, after)) => {
                waiting.extend(choices.iter().rev().map(|choice| format!("{before}{choice}{after}")));
            }
        }
        if waiting.len() + names.len() > MAX {
            let message = format!("the pattern has more than {MAX} alternatives for a name");
            return Err(Error::new(ErrorKind::InvalidPath, message).hint("use several patterns"));
        }
    }
    Ok(names)
}

/// What is before the first `{`, its alternatives, and what is after its `}`; `None` if there is no `{`.
fn first_braces(text: &str) -> Result<Option<(&str, Vec<&str>, &str)>> {
    let (mut depth, mut open, mut start) = (0, 0, 0);
    let mut choices = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let next = at + c.len_utf8();
        match c {
            // What is in a class stands for itself.
            '[' => {
                at = class(&text[next..]).map_or(next, |(_, after)| text.len() - after.len());
                continue;
            }
            '{' => {
                if depth == 0 {
                    (open, start) = (at, next);
                }
                depth += 1;
            }
            ',' if depth == 1 => {
                choices.push(&text[start..at]);
                start = next;
            }
            '}' if depth == 1 => {
                choices.push(&text[start..at]);
                return Ok(Some((&text[..open], choices, &text[next..])));
            }
            '}' if depth > 1 => depth -= 1,
            _ => {}
        }
        at = next;
    }
    if depth == 0 {
        return Ok(None);
    }
    Err(not_closed(&text[open..], '}')
        .hint("alternatives hold no `/`; write `[{]` for a `{` that stands for itself"))
}

/// `from` begins with what is not closed.
fn not_closed(from: &str, by: char) -> Error {
    let message = format!("in the pattern, `{from}` is not closed by `{by}` within the name");
    Error::new(ErrorKind::InvalidPath, message)
}

fn tokens(text: &str, pattern: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        tokens.push(match c {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::One,
            '[' => {
                let (class, after) = class(rest.as_str()).ok_or_else(|| {
                    not_closed(&format!("[{}", rest.as_str()), ']')
                        .at(pattern)
                        .hint("write `[[]` for a `[` that stands for itself")
                })?;
                check_ranges(&class).map_err(|error| error.at(pattern))?;
                rest = after.chars();
                class
            }
            c => Token::Char(c),
        });
    }
    Ok(tokens)
}

/// A range that runs backwards holds nothing, which nobody means.
fn check_ranges(class: &Token) -> Result<()> {
    let Token::Class { ranges, .. } = class else { return Ok(()) };
    let Some((first, last)) = ranges.iter().find(|(first, last)| first > last) else { return Ok(()) };
    let message = format!("in the pattern, the range `{first}-{last}` runs backwards");
    Err(Error::new(ErrorKind::InvalidPath, message)
        .hint(format!("write `{last}-{first}`, or the `-` last for one that stands for itself")))
}

/// The class that starts after a `[`, and what comes after its `]`. A `]` that comes first stands for itself.
fn class(text: &str) -> Option<(Token, &str)> {
    let (negated, mut rest) = match text.strip_prefix(['!', '^']) {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    loop {
        let mut chars = rest.chars();
        let first = chars.next()?;
        if first == ']' && !ranges.is_empty() {
            return Some((Token::Class { negated, ranges }, chars.as_str()));
        }
        let after_first = chars.as_str();
        let mut last = first;
        if chars.next() == Some('-')
            && let Some(end) = chars.next().filter(|&end| end != ']')
        {
            last = end;
            rest = chars.as_str();
        } else {
            rest = after_first;
        }
        ranges.push((first, last));
    }
}

fn matches_names(segments: &[Segment], names: &[&str]) -> bool {
    matches_all(
        segments,
        names,
        |segment| *segment == Segment::AnyDepth,
        |segment, name| match segment {
            Segment::Literal(literal) => literal == name,
            Segment::Name(names) => matches_any(names, name),
            Segment::AnyDepth => false,
        },
    )
}

fn matches_any(names: &[Vec<Token>], name: &str) -> bool {
    names.iter().any(|tokens| matches_name(tokens, name))
}

fn matches_name(tokens: &[Token], name: &str) -> bool {
    let chars: Vec<_> = name.chars().collect();
    matches_all(
        tokens,
        &chars,
        |token| *token == Token::Many,
        |token, &c| match token {
            Token::Char(literal) => *literal == c,
            Token::One => true,
            Token::Many => false,
            Token::Class { negated, ranges } => {
                ranges.iter().any(|&(first, last)| (first..=last).contains(&c)) != *negated
            }
        },
    )
}

/// Whether the pattern stands for all of the items, where `is_many` stands for any number of them and all else for one
/// each. When it does not go on, the last `is_many` takes one item more: trying earlier ones could not help.
fn matches_all<P, T>(
    pattern: &[P],
    items: &[T],
    is_many: impl Fn(&P) -> bool,
    matches_one: impl Fn(&P, &T) -> bool,
) -> bool {
    let (mut p, mut i) = (0, 0);
    let mut last_many = None;
    while i < items.len() {
        if pattern.get(p).is_some_and(&is_many) {
            last_many = Some((p, i));
            p += 1;
        } else if pattern.get(p).is_some_and(|one| matches_one(one, &items[i])) {
            (p, i) = (p + 1, i + 1);
        } else if let Some((many, taken)) = last_many {
            last_many = Some((many, taken + 1));
            (p, i) = (many + 1, taken + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(is_many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::parse(pattern).unwrap();
        let matches = |path: &&str| glob.matches(&BackendPath::parse(path).unwrap());
        assert!(yes.iter().all(matches), "{pattern}");
        assert!(!no.iter().any(matches), "{pattern}");
    }

    #[test]
    fn wildcards_stay_within_a_name() {
        check("*.txt", &["a.txt", ".txt", ".hidden.txt"], &["a.txt.x", "d/a.txt", "a.TXT"]);
        check("a?c", &["abc", "aéc"], &["ac", "abbc", "a/c"]);
        check("a*b*c", &["abc", "aXbYc", "abbbc", "abcbc"], &["ab", "acb"]);
        check("/d//./*", &["d/a"], &["d", "d/a/b"]);
        check("***", &["abc"], &["a/b"]);
    }

    #[test]
    fn classes_take_one_character() {
        check("[abc]", &["a", "c"], &["d", "ab", ""]);
        check("[a-cx-z]1", &["b1", "y1"], &["d1", "-1"]);
        check("[!a-c]", &["d", "é"], &["a"]);
        check("[^a]", &["b"], &["a"]);
        check("[]a]", &["]", "a"], &["b"]);
        check("[a-]", &["a", "-"], &["b"]);
        check("[*][?]", &["*?"], &["ab"]);
    }

    #[test]
    fn braces_hold_alternatives() {
        check("*.{txt,md}", &["a.txt", "b.md"], &["a.t", "a.{txt,md}", "a.txt,md"]);
        check("{a,b}{1,2}", &["a1", "a2", "b1", "b2"], &["a", "ab", "a12"]);
        check("x{,.bak}", &["x", "x.bak"], &["x.", "xbak"]);
        check("{a,b{c,d*}}/z", &["a/z", "bc/z", "bdd/z"], &["b/z", "c/z", "a,b/z"]);
        check("{only}", &["only"], &["{only}"]);
        check("{[,}],é}", &[",", "}", "é"], &["[", "[,"]);
        check("[{]a}", &["{a}"], &["a"]);
        check("a,b}", &["a,b}"], &["a", "b"]);
        check("**/{x,y}", &["x", "d/y"], &["d/z"]);
    }

    #[test]
    fn two_stars_take_any_number_of_directories() {
        check("**/a", &["a", "x/a", "x/y/a"], &["ab", "a/x"]);
        check("d/**", &["d/a", "d/a/b"], &["d", "e/a"]);
        check("**", &["a", "a/b"], &["/"]);
        check("a/**/b/**/c", &["a/b/c", "a/x/b/y/z/c", "a/b/b/c/c"], &["a/c", "a/b", "b/c"]);
        check("a/**/**", &["a/b", "a/b/c"], &["a"]);
        check("a/**/b/**", &["a/b/c", "a/x/b/c/d"], &["a/b", "a/x/b"]);
        check("**/*.txt", &["a.txt", "x/a.txt"], &["a.txt/x"]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let many = "{a,b}".repeat(12);
        for (pattern, quoted) in [
            ("[a", "`[a`"),
            ("x/y[/z", "`[`"),
            ("[]", "`[]`"),
            ("a[!]", "`[!]`"),
            ("[z-a]", "`z-a`"),
            ("*/[!a-c9-0]x", "`9-0`"),
            ("{a,[z-a]}", "`z-a`"),
            ("x{a", "`{a`"),
            ("{a,{b}", "`{a,{b}`"),
            ("{a/b,c}", "`{a`"),
            ("{[}", "`[`"),
            ("../*", "`..`"),
            ("a\\*", "backslash"),
            (&many, "1000 alternatives"),
        ] {
            let error = Glob::parse(pattern).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidPath, "{pattern}");
            assert!(error.message().contains(quoted), "{pattern}: {}", error.message());
            assert!(error.path().is_some(), "{pattern}");
        }
    }

    #[test]
    fn many_stars_do_not_take_long() {
        let name = "a".repeat(200);
        let pattern = format!("{}b", "*a".repeat(100));
        assert!(!Glob::parse(&pattern).unwrap().matches(&BackendPath::parse(&name).unwrap()));
    }
}
