//! Secrets that stand in a URL.

use super::REDACTED;

/// Schemes whose user is a name that everybody may know; a password beside it is none.
const NAMED_USERS: [&str; 7] = ["ssh", "git+ssh", "ssh+git", "sftp", "scp", "rsync", "git"];

/// What the name of a parameter contains, in small letters, if its value is a credential.
const CREDENTIALS: [&str; 10] = [
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "credential",
    "apikey",
    "api_key",
    "api-key",
    "auth",
];

/// What such a name is as a whole.
const SHORT_CREDENTIALS: [&str; 9] =
    ["key", "sig", "pwd", "pass", "code", "jwt", "awsaccesskeyid", "googleaccessid", "access_key"];

/// The URL with `[redacted]` in place of its secrets, or `None` if it has none: its user part (with `ssh` and its like only
/// the password in it), and the values of its query and fragment whose names are those of credentials, such as `token`,
/// `sig`, `key` and `X-Amz-Signature`.
pub fn hide_in_url(text: &str) -> Option<String> {
    let secrets = secrets_in(text);
    let mut hidden = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_any = false;
    for secret in secrets {
        // They are parts of the text, in its order.
        let start = secret.as_ptr() as usize - rest.as_ptr() as usize;
        hidden.push_str(&rest[..start]);
        hidden.push_str(REDACTED);
        rest = &rest[start + secret.len()..];
        is_any = true;
    }
    hidden.push_str(rest);
    is_any.then_some(hidden)
}

/// The parts of a URL that are secret, in their order.
pub(crate) fn secrets_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let Some((scheme, rest)) = text.split_once("://") else { return found };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if let Some((user_info, _)) = authority.rsplit_once('@') {
        let has_named_user = NAMED_USERS.iter().any(|named| scheme.trim().eq_ignore_ascii_case(named));
        match user_info.split_once(':') {
            Some((_, password)) if has_named_user => found.push(password),
            None if has_named_user => {}
            Some((user, password)) => found.extend([user, password]),
            None => found.push(user_info),
        }
    }
    let query = path.find(['?', '#']).map(|at| &path[at + 1..]).unwrap_or_default();
    for pair in query.split(['&', ';', '?', '#']) {
        if let Some((name, value)) = pair.split_once('=')
            && is_credential(name)
        {
            found.push(value);
        }
    }
    found.retain(|secret| !secret.is_empty());
    found
}

fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SHORT_CREDENTIALS.contains(&name.as_str())
        || CREDENTIALS.iter().any(|word| name.contains(word))
        || name.ends_with("_key")
        || name.ends_with("-key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_url_carries_is_hidden() {
        for (url, shown) in [
            ("https://TOKEN@host/x@y", "https://[redacted]@host/x@y"),
            ("https://TOKEN:x@host", "https://[redacted]:[redacted]@host"),
            ("https://:pw@host", "https://:[redacted]@host"),
            ("https://a@b:c@host/", "https://[redacted]:[redacted]@host/"),
            ("ssh://git:pw@host/x", "ssh://git:[redacted]@host/x"),
            ("https://host/?token=abc&a=b", "https://host/?token=[redacted]&a=b"),
            ("https://host/x?a=b&sig=a%2Fb", "https://host/x?a=b&sig=[redacted]"),
            (
                "https://host/x?X-Amz-Signature=ff&key=1#access_token=2",
                "https://host/x?X-Amz-Signature=[redacted]&key=[redacted]#access_token=[redacted]",
            ),
            ("socks5://ann:pw@proxy:1080", "socks5://[redacted]:[redacted]@proxy:1080"),
            ("HTTPS://TOKEN@host", "HTTPS://[redacted]@host"),
        ] {
            assert_eq!(hide_in_url(url).as_deref(), Some(shown), "{url}");
        }
    }

    #[test]
    fn what_carries_none_is_left_alone() {
        for url in [
            "https://host/x",
            "git@host:x.git",
            "ssh://git@host/x",
            "https://host/a@b:c",
            "https://host/?q=a&monkey=b",
            "a/path",
            "file:///a?b",
            "https://host/?token=",
            "",
        ] {
            assert_eq!(hide_in_url(url), None, "{url}");
        }
    }
}
