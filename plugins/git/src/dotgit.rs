//! Which names are `.git` in disguise.

/// Whether some file system takes `name` for `.git`.
///
/// A clone may move to another disk, and a name that is harmless here is git's own directory there: HFS+ ignores letter
/// case and certain invisible characters, NTFS letter case, trailing dots and spaces, and what follows a colon, and it
/// has the short name `git~1`. The rules are those of git's `verify_path` (`core.protectHFS`, `core.protectNTFS`).
pub(crate) fn is_dot_git(name: &[u8]) -> bool {
    is_on_ntfs(name) || std::str::from_utf8(name).is_ok_and(is_on_hfs)
}

/// Whether any segment of a path is `.git` in disguise.
pub(crate) fn leads_into_dot_git(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/' || byte == b'\\').any(is_dot_git)
}

/// Whether a path of a tree is none, or climbs: git writes no such names, but a hostile remote may.
pub(crate) fn leads_elsewhere(path: &[u8]) -> bool {
    path.split(|&byte| byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")) || path.contains(&0)
}

/// Whether some file system takes a path's name for `.gitmodules`, which git reads and which therefore must not be a link.
pub(crate) fn is_dot_gitmodules(path: &[u8]) -> bool {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    let on_ntfs = without_ntfs_tail(name);
    on_ntfs.eq_ignore_ascii_case(b".gitmodules")
        || is_short_gitmodules(&on_ntfs.to_ascii_lowercase())
        || std::str::from_utf8(name).is_ok_and(|name| is_same_on_hfs(name, ".gitmodules"))
}

/// The short names that NTFS makes (git's `is_ntfs_dot_generic`): `gitmod~1` to `~4`, and then of a hash, `gi7eba~1`.
fn is_short_gitmodules(name: &[u8]) -> bool {
    if let Some(number) = name.strip_prefix(b"gitmod~") {
        return matches!(number, [b'1'..=b'4']);
    }
    let Some(tilde) = name.iter().position(|&byte| byte == b'~') else { return false };
    let (start, number) = (&name[..tilde], &name[tilde + 1..]);
    name.len() == 8
        && b"gi7eba".starts_with(start)
        && matches!(number, [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit))
}

fn is_on_ntfs(name: &[u8]) -> bool {
    let name = without_ntfs_tail(name);
    name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1")
}

/// Without what NTFS leaves out at the end of a name.
fn without_ntfs_tail(name: &[u8]) -> &[u8] {
    let end = name.iter().position(|&byte| byte == b':').unwrap_or(name.len());
    let mut name = &name[..end];
    while let [rest @ .., b'.' | b' '] = name {
        name = rest;
    }
    name
}

fn is_on_hfs(name: &str) -> bool {
    is_same_on_hfs(name, ".git")
}

fn is_same_on_hfs(name: &str, dangerous: &str) -> bool {
    // The Kelvin sign and its like fold to ASCII letters, but none to one of `git`; dotless and dotted i fold to others.
    let seen = name.chars().filter(|&c| !is_ignored_by_hfs(c));
    seen.map(|c| c.to_ascii_lowercase()).eq(dangerous.chars())
}

/// The characters that HFS+ leaves out when it compares names (git's `next_hfs_char`).
const fn is_ignored_by_hfs(c: char) -> bool {
    matches!(c,
        '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_are_seen_through() {
        for name in [
            ".git",
            ".GIT",
            ".Git",
            "git~1",
            "GIT~1",
            ".git.",
            ".git ",
            ".git. .",
            "git~1.",
            ".git:x",
            ".git::$INDEX_ALLOCATION",
            ".git...:s",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{202e}T",
            ".git\u{206f}",
        ] {
            assert!(is_dot_git(name.as_bytes()), "{name:?}");
            assert!(leads_into_dot_git(format!("a/{name}/config").as_bytes()), "{name:?}");
        }
        assert!(leads_into_dot_git(br"a\.git\config"));
    }

    #[test]
    fn disguises_of_gitmodules_are_seen_through() {
        for name in [
            ".gitmodules",
            "sub/.GitModules",
            ".gitmodules. ",
            ".gitmodules:x",
            "GITMOD~1",
            "gitmod~4",
            "gi7eba~1",
            "GI7EB~10",
            ".gitmod\u{200c}ules",
        ] {
            assert!(is_dot_gitmodules(name.as_bytes()), "{name:?}");
        }
        for name in [".gitmodules/x", "gitmodules", "gitmod~5", "gi7eba~0", "gi7eba~12", ".gitignore"] {
            assert!(!is_dot_gitmodules(name.as_bytes()), "{name:?}");
        }
    }

    #[test]
    fn other_names_are_left_alone() {
        for name in [
            ".gitignore",
            ".gitattributes",
            ".github",
            "git",
            "git~2",
            "git~10",
            "a.git",
            "..git",
            ".gi",
            " .git",
            "",
        ] {
            assert!(!is_dot_git(name.as_bytes()), "{name:?}");
        }
        assert!(!is_dot_git(b".g\xffit"));
    }
}
