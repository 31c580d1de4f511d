//! Where the remote is, without the password that may have come with it.

use std::{fmt, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use f9_http::Url;
use f9_plugin_api::{Error, ErrorKind, Result, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What RFC 3986 leaves for the encoding in a URL.
const NOT_UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The remote's address. It holds no password, so it can be stored and shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct RemoteUrl {
    text: String,
    address: Address,
}

/// How the remote is reached.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A repository of this machine; absolute.
    Path(PathBuf),
    /// `http` or `https`, without user and password.
    Http(Url),
    /// SSH.
    Ssh(SshAddress),
}

/// An SSH server and a repository on it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SshAddress {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// As the server's shell is to see it, before quoting.
    pub(crate) path: String,
}

/// Who we are at the remote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Credentials {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) ssh_key_path: Option<PathBuf>,
    pub(crate) ssh_key_passphrase: Option<Secret>,
}

impl Credentials {
    /// The text without the password, in all the forms in which a server that quotes its request would show it: plain, as the
    /// `Authorization` header has it, and as in a URL.
    pub(crate) fn redact(&self, text: &str) -> String {
        let Some(password) = self.password.as_ref().map(Secret::expose).filter(|text| !text.is_empty())
        else {
            return text.to_owned();
        };
        let user = self.username.as_deref().unwrap_or_default();
        let forms = [
            STANDARD_NO_PAD.encode(format!("{user}:{password}")),
            utf8_percent_encode(password, NON_ALPHANUMERIC).to_string(),
            utf8_percent_encode(password, NOT_UNRESERVED).to_string(),
            password.to_owned(),
        ];
        forms.iter().fold(text.to_owned(), |text, form| text.replace(form, "[redacted]"))
    }
}

impl RemoteUrl {
    /// Takes an address apart, and out of it the user and password.
    ///
    /// # Errors
    ///
    /// `InvalidConnection`, which never quotes the text: it may hold a password.
    pub(crate) fn parse(text: &str) -> Result<(Self, Credentials)> {
        if text.is_empty() || text.contains(|c: char| c.is_control()) {
            return Err(invalid("it is empty or contains control characters"));
        }
        match text.split_once("://") {
            Some((scheme, _)) => Self::parse_url(&scheme.to_ascii_lowercase(), text),
            None => match scp_like(text) {
                Some((user, host, path)) => Self::ssh(user, host, 22, path.to_owned(), text.to_owned()),
                None => Self::path(PathBuf::from(text)),
            },
        }
    }

    pub(crate) const fn address(&self) -> &Address {
        &self.address
    }

    /// The address as it is stored in the clone's configuration.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    fn parse_url(scheme: &str, text: &str) -> Result<(Self, Credentials)> {
        match scheme {
            "file" | "http" | "https" | "ssh" | "git+ssh" | "ssh+git" => {}
            "git" => {
                return Err(invalid("git:// is neither encrypted nor authenticated").hint("use https or ssh"));
            }
            _ => {
                let message = format!("the scheme `{scheme}` is not known");
                return Err(invalid(&message).hint("use https, http, ssh, file or a path"));
            }
        }
        let mut url = Url::parse(text).map_err(|e| invalid(&format!("it is no URL ({e})")))?;
        if scheme == "file" {
            let path =
                url.to_file_path().map_err(|()| invalid("a file URL has the form file:///absolute/path"))?;
            return Self::path(path);
        }
        let username = Some(decode(url.username())?).filter(|name| !name.is_empty());
        let password = url.password().map(decode).transpose()?.map(Secret::new);
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("a repository's URL has neither `?` nor `#`"));
        }
        if scheme.starts_with("http") {
            // Cannot fail: an http URL has a host.
            let _ = (url.set_username(""), url.set_password(None));
            let text = url.as_str().to_owned();
            let remote = Self { text, address: Address::Http(url) };
            return Ok((remote, Credentials { username, password, ..Credentials::default() }));
        }
        if password.is_some() {
            return Err(invalid("SSH with a password is not supported").hint("use a key: `ssh_key_path`"));
        }
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let path = decode(url.path())?;
        let path = path.strip_prefix("/~").map_or_else(|| path.clone(), |home| format!("~{home}"));
        Self::ssh(username, host, url.port().unwrap_or(22), path, text.to_owned())
    }

    fn ssh(
        username: Option<String>,
        host: &str,
        port: u16,
        path: String,
        text: String,
    ) -> Result<(Self, Credentials)> {
        // A host or path that starts with a dash would be an option of whatever program gets it.
        let odd = |part: &str| part.is_empty() || part.starts_with('-') || part.contains('\0');
        if odd(host) || odd(&path) || path == "/" {
            return Err(invalid("it lacks the host or the path of the repository"));
        }
        let host = host.to_ascii_lowercase();
        let remote = Self { text, address: Address::Ssh(SshAddress { host, port, path }) };
        Ok((remote, Credentials { username, ..Credentials::default() }))
    }

    fn path(path: PathBuf) -> Result<(Self, Credentials)> {
        if path.starts_with("~") {
            return Err(invalid("`~` is not expanded").hint("write the whole path"));
        }
        let bytes = path.as_os_str().as_encoded_bytes();
        if bytes.contains(&0) {
            return Err(invalid("a path cannot contain a NUL character"));
        }
        // Refused before it is shown as a path: there may be a password in it.
        if bytes.starts_with(b"//") && bytes.contains(&b'@') {
            return Err(invalid("it looks like a URL without its scheme"));
        }
        let path = std::path::absolute(path).map_err(|e| invalid("it is no path").caused_by(e))?;
        let text = path.to_str().ok_or_else(|| invalid("it is not UTF-8"))?.to_owned();
        Ok((Self { text, address: Address::Path(path) }, Credentials::default()))
    }
}

/// `[user@]host:path`, as scp and git take it: a colon before any slash.
fn scp_like(text: &str) -> Option<(Option<String>, &str, &str)> {
    let (user, rest) = match text.split_once('@') {
        Some((user, rest)) if !user.contains(['/', ':', '[']) => (Some(user.to_owned()), rest),
        _ => (None, text),
    };
    let (host, path) = match rest.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once("]:")?,
        None => rest.split_once(':')?,
    };
    (!host.contains('/')).then_some((user, host, path))
}

fn decode(text: &str) -> Result<String> {
    let decoded =
        percent_decode_str(text).decode_utf8().map_err(|_| invalid("it is not UTF-8 when decoded"))?;
    if decoded.contains(|c: char| c.is_control()) {
        return Err(invalid("it contains control characters"));
    }
    Ok(decoded.into_owned())
}

fn invalid(found: &str) -> Error {
    let message = format!("wrong value for the key `remote_url`: {found}");
    Error::new(ErrorKind::InvalidConnection, message)
        .with("key", "remote_url")
        .hint("write https://host/repo.git, user@host:repo.git or the path of a repository")
}

impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (RemoteUrl, Credentials) {
        RemoteUrl::parse(text).unwrap()
    }

    fn ssh(text: &str) -> (String, u16, String, Option<String>) {
        let (remote, credentials) = parse(text);
        let Address::Ssh(address) = remote.address else { panic!("{text}: not ssh") };
        (address.host, address.port, address.path, credentials.username)
    }

    #[test]
    fn a_password_is_redacted_in_every_form() {
        let password = Some(Secret::new("p@ss:w/rd-1 x"));
        let credentials = Credentials { username: Some("user".into()), password, ..Credentials::default() };
        // `printf 'user:p@ss:w/rd-1 x' | base64`
        for form in
            ["p@ss:w/rd-1 x", "dXNlcjpwQHNzOncvcmQtMSB4", "p%40ss%3Aw%2Frd%2D1%20x", "p%40ss%3Aw%2Frd-1%20x"]
        {
            let text = credentials.redact(&format!("you sent {form}, user"));
            assert_eq!(text, "you sent [redacted], user", "{form}");
        }
        assert_eq!(Credentials::default().redact("as it is"), "as it is");
    }

    #[test]
    fn a_password_is_moved_out() {
        let (remote, credentials) = parse("https://me:p%40ss%3Aw%2Frd@Example.com:8443/a/b.git");
        assert_eq!(remote.as_str(), "https://example.com:8443/a/b.git");
        assert_eq!(credentials.username.as_deref(), Some("me"));
        assert_eq!(credentials.password.as_ref().unwrap().expose(), "p@ss:w/rd");
        assert!(!format!("{remote:?} {credentials:?}").contains("p@ss"));
    }

    #[test]
    fn what_ssh_addresses_look_like() {
        let user = || Some("git".to_owned());
        assert_eq!(ssh("git@host:a/b.git"), ("host".into(), 22, "a/b.git".into(), user()));
        assert_eq!(ssh("git@[::1]:/a"), ("::1".into(), 22, "/a".into(), user()));
        assert_eq!(ssh("host:~me/a"), ("host".into(), 22, "~me/a".into(), None));
        assert_eq!(ssh("ssh://git@host:2222/a%20b"), ("host".into(), 2222, "/a b".into(), user()));
        assert_eq!(ssh("ssh://git@[::1]:2222/~/a"), ("::1".into(), 2222, "~/a".into(), user()));
        assert_eq!(ssh("git+ssh://git@HOST/a"), ("host".into(), 22, "/a".into(), user()));
    }

    #[test]
    fn what_paths_look_like() {
        for text in ["/srv/a:b.git", "file:///srv/a:b.git"] {
            let (remote, _) = parse(text);
            assert!(remote.address == Address::Path("/srv/a:b.git".into()), "{text}");
        }
        assert_eq!(parse("file:///srv/a%20b").0.as_str(), "/srv/a b");
        assert!(matches!(parse("./a:b").0.address, Address::Path(path) if path.ends_with("a:b")));
    }

    #[test]
    fn what_is_refused_is_not_quoted() {
        for text in [
            "",
            "git://user:canary@host/x",
            "foo://user:canary@host/x",
            "https://user:canary@",
            "https://user:canary@host/x?y",
            "ssh://user:canary@host/x",
            "ssh://-oProxyCommand=canary/x",
            "user@host:-canary",
            "ssh://canary@host",
            "~/canary",
            "https://user:canary@host:port/x",
            "https://user:can\nary@host/x",
            "//user:canary@host/x",
            "/canary\0/x",
        ] {
            let error = RemoteUrl::parse(text).err().unwrap_or_else(|| panic!("{text} was accepted"));
            assert_eq!(error.kind(), ErrorKind::InvalidConnection);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }
}
