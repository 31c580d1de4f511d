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

fn is_on_ntfs(name: &[u8]) -> bool {
    let end = name.iter().position(|&byte| byte == b':').unwrap_or(name.len());
    let mut name = &name[..end];
    while let [rest @ .., b'.' | b' '] = name {
        name = rest;
    }
    name.eq_ignore_ascii_case(b".git") || name.eq_ignore_ascii_case(b"git~1")
}

fn is_on_hfs(name: &str) -> bool {
    // The Kelvin sign and its like fold to ASCII letters, but none to one of `git`; dotless and dotted i fold to others.
    let seen = name.chars().filter(|&c| !is_ignored_by_hfs(c));
    seen.map(|c| c.to_ascii_lowercase()).eq(".git".chars())
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
