//! Words as a shell takes them.

use std::fmt::Display;

/// A word as it is typed into a shell: as it is, or in quotes where it holds what a shell would not take as itself.
///
/// ```
/// use f9_host::quoted;
///
/// assert_eq!(quoted("/srv/notes-2"), "/srv/notes-2");
/// assert_eq!(quoted("it's here"), r"'it'\''s here'");
/// ```
pub fn quoted(word: impl Display) -> String {
    let text = word.to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:".contains(c);
    let is_all_plain = !text.is_empty() && text.chars().all(is_plain);
    if is_all_plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}
