//! Which host keys are trusted: OpenSSH's `known_hosts` format and rules (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT").

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use f9_plugin_api::{Error, ErrorKind, Result};
use ring::hmac;

/// The keys of a file. Lines that cannot be read, and those about certificate authorities, are passed over.
#[derive(Debug)]
pub(crate) struct KnownHosts {
    file: PathBuf,
    lines: Vec<Line>,
    authorities: Vec<(usize, String)>,
}

#[derive(Debug)]
struct Line {
    number: usize,
    revoked: bool,
    hosts: String,
    kind: String,
    key: Vec<u8>,
}

/// What the file says of a host's key.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the host's.
    Trusted,
    /// It must never be accepted.
    Revoked { line: usize },
    /// The host has another key of this kind.
    Changed { line: usize },
    /// The host has keys of other kinds only.
    OtherKinds(Vec<String>),
    /// The host is not in the file.
    Unknown,
}

impl KnownHosts {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let content = fs::read(file).map_err(|error| {
            let message =
                format!("wrong value for the key `known_hosts`: cannot read {}: {error}", file.display());
            Error::new(ErrorKind::InvalidConnection, message)
                .with("key", "known_hosts")
                .hint("name a file with the server's host key, as ~/.ssh/known_hosts has it")
                .caused_by(error)
        })?;
        let content = String::from_utf8_lossy(&content);
        Ok(Self { file: file.to_owned(), lines: parse(&content), authorities: authorities(&content) })
    }

    /// The line that names a certificate authority for a host. f9 takes no certificates; whoever has such a line should know.
    pub(crate) fn authority(&self, host: &str, port: u16) -> Option<usize> {
        let names = names(host, port);
        let is_about = |hosts: &str| names.iter().any(|name| matches_host(hosts, name));
        self.authorities.iter().find(|(_, hosts)| is_about(hosts)).map(|(line, _)| *line)
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// The kinds of keys that are on file for a host, to be asked for first: else a host with several keys may show one
    /// that is not.
    pub(crate) fn kinds(&self, host: &str, port: u16) -> Vec<&str> {
        let all = names(host, port).into_iter().map(|name| self.kinds_of(&name));
        all.into_iter().find(|kinds| !kinds.is_empty()).unwrap_or_default()
    }

    fn kinds_of(&self, name: &str) -> Vec<&str> {
        let lines = self.lines.iter().filter(|line| !line.revoked && matches_host(&line.hosts, name));
        let usable =
            lines.filter(|line| !matches!(self.check_name(name, &line.key), Verdict::Revoked { .. }));
        usable.map(|line| &*line.kind).collect()
    }

    /// Whether `key`, as it goes over the wire, is the key of `host` at `port`.
    pub(crate) fn check(&self, host: &str, port: u16, key: &[u8]) -> Verdict {
        let names = names(host, port);
        let first = self.check_name(&names[0], key);
        match names.get(1) {
            // As OpenSSH: a key that is trusted for the host is trusted at its other ports, if nothing is said of them.
            Some(plain) if first == Verdict::Unknown => match self.check_name(plain, key) {
                found @ (Verdict::Trusted | Verdict::Revoked { .. }) => found,
                _ => Verdict::Unknown,
            },
            _ => first,
        }
    }

    fn check_name(&self, name: &str, key: &[u8]) -> Verdict {
        if let Some(line) = self.about(name).find(|line| line.revoked && line.key == key) {
            return Verdict::Revoked { line: line.number };
        }
        let valid: Vec<_> = self.about(name).filter(|line| !line.revoked).collect();
        if valid.iter().any(|line| line.key == key) {
            return Verdict::Trusted;
        }
        let kind = kind_of(key);
        if let Some(line) = valid.iter().find(|line| Some(&*line.kind) == kind) {
            return Verdict::Changed { line: line.number };
        }
        if valid.is_empty() {
            return Verdict::Unknown;
        }
        Verdict::OtherKinds(valid.into_iter().map(|line| line.kind.clone()).collect())
    }

    fn about<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Line> {
        self.lines.iter().filter(move |line| matches_host(&line.hosts, name))
    }
}

/// The kind that a key itself says it is of, such as `ssh-ed25519`.
pub(crate) fn kind_of(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<4>()?;
    let name = rest.get(..u32::from_be_bytes(*length) as usize)?;
    std::str::from_utf8(name).ok()
}

/// What a host is called in the file: first with its port, if that is not SSH's own.
fn names(host: &str, port: u16) -> Vec<String> {
    let host = host.to_ascii_lowercase();
    if port == 22 { vec![host] } else { vec![format!("[{host}]:{port}"), host] }
}

fn parse(text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate();
    lines.filter_map(|(index, line)| parse_line(index + 1, line)).collect()
}

/// The lines that name certificate authorities, with the hosts that these are for.
fn authorities(text: &str) -> Vec<(usize, String)> {
    let hosts = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        (words.next()? == "@cert-authority").then(|| words.next().map(str::to_owned))?
    };
    text.lines().enumerate().filter_map(|(index, line)| Some((index + 1, hosts(line)?))).collect()
}

fn parse_line(number: usize, line: &str) -> Option<Line> {
    let mut words = line.split_ascii_whitespace();
    let mut hosts = words.next().filter(|word| !word.starts_with('#'))?;
    let revoked = hosts == "@revoked";
    if revoked {
        hosts = words.next()?;
    }
    if hosts.starts_with('@') {
        return None;
    }
    let (kind, key) = (words.next()?, STANDARD.decode(words.next()?).ok()?);
    Some(Line { number, revoked, hosts: hosts.to_owned(), kind: kind.to_owned(), key })
}

/// Whether a line's first field is about the host `name`, which is in lower case.
fn matches_host(hosts: &str, name: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        return matches_hash(hashed, name).unwrap_or(false);
    }
    let mut found = false;
    for pattern in hosts.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
        if matches_pattern(pattern.to_ascii_lowercase().as_bytes(), name.as_bytes()) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

/// `salt|hash`: what ssh-keygen -H makes of a name, with HMAC-SHA1.
fn matches_hash(hashed: &str, name: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let salt = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &STANDARD.decode(salt).ok()?);
    Some(hmac::verify(&salt, name.as_bytes(), &STANDARD.decode(hash).ok()?).is_ok())
}

/// `*` stands for any text, `?` for one character. In time that grows with the product of the lengths at most.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        if p < pattern.len() && pattern[p] == b'*' {
            star = Some((p, n));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == b'?' || pattern[p] == name[n]) {
            (p, n) = (p + 1, n + 1);
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            (p, n) = (at + 1, from + 1);
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, seed: u8) -> Vec<u8> {
        [&(kind.len() as u32).to_be_bytes()[..], kind.as_bytes(), &[seed; 32]].concat()
    }

    fn line(hosts: &str, kind: &str, seed: u8) -> String {
        format!("{hosts} {kind} {}\n", STANDARD.encode(key(kind, seed)))
    }

    fn known(text: &str) -> KnownHosts {
        KnownHosts { file: "known_hosts".into(), lines: parse(text), authorities: authorities(text) }
    }

    const ED: &str = "ssh-ed25519";
    const RSA: &str = "ssh-rsa";

    #[test]
    fn keys_are_trusted_changed_or_unknown() {
        let known = known(&format!("# comment\n\ngarbage\nhost ssh-rsa !!!\n{}", line("host,other", ED, 1)));
        assert_eq!(known.check("HOST", 22, &key(ED, 1)), Verdict::Trusted);
        assert_eq!(known.check("other", 22, &key(ED, 1)), Verdict::Trusted);
        assert_eq!(known.check("host", 22, &key(ED, 2)), Verdict::Changed { line: 5 });
        assert_eq!(known.check("host", 22, &key(RSA, 1)), Verdict::OtherKinds(vec![ED.into()]));
        assert_eq!(known.check("stranger", 22, &key(ED, 1)), Verdict::Unknown);
        assert_eq!(known.check("host", 22, b"\0\0\xff\xff"), Verdict::OtherKinds(vec![ED.into()]));
    }

    #[test]
    fn a_revoked_key_is_refused_wherever_it_stands() {
        let known =
            known(&format!("{}@revoked {}{}", line("host", ED, 1), line("*", ED, 1), line("host", RSA, 2)));
        assert_eq!(known.check("host", 22, &key(ED, 1)), Verdict::Revoked { line: 2 });
        assert_eq!(known.check("host", 22, &key(RSA, 2)), Verdict::Trusted);
        assert_eq!(known.kinds("host", 22), [RSA]);
    }

    #[test]
    fn ports_have_names_of_their_own_and_fall_back() {
        let known = known(&format!("{}{}", line("[host]:2222", ED, 1), line("host", ED, 2)));
        assert_eq!(known.check("host", 2222, &key(ED, 1)), Verdict::Trusted);
        assert_eq!(known.check("host", 2222, &key(ED, 2)), Verdict::Changed { line: 1 });
        assert_eq!(known.check("host", 3333, &key(ED, 2)), Verdict::Trusted);
        assert_eq!(known.check("host", 3333, &key(ED, 3)), Verdict::Unknown);
        assert_eq!(known.check("host", 22, &key(ED, 1)), Verdict::Changed { line: 2 });
    }

    #[test]
    fn patterns_hashes_and_authorities() {
        // ssh-keygen -H of `host.example.com`, with the salt `salt`.
        let salt = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"salt");
        let hash = hmac::sign(&salt, b"host.example.com");
        let hashed = format!("|1|{}|{}", STANDARD.encode("salt"), STANDARD.encode(hash));
        let known = known(&format!(
            "{}{}@cert-authority {}",
            line(&hashed, ED, 1),
            line("*.Example.org,!bad.example.org,h?st", ED, 2),
            line("*", ED, 3)
        ));
        assert_eq!(known.check("host.example.com", 22, &key(ED, 1)), Verdict::Trusted);
        assert_eq!(known.check("a.b.example.org", 22, &key(ED, 2)), Verdict::Trusted);
        assert_eq!(known.check("bad.example.org", 22, &key(ED, 2)), Verdict::Unknown);
        assert_eq!(known.check("hast", 22, &key(ED, 2)), Verdict::Trusted);
        assert_eq!(known.check("heast", 22, &key(ED, 2)), Verdict::Unknown);
        assert_eq!(known.check("anything", 22, &key(ED, 3)), Verdict::Unknown);
        assert!(!matches_pattern("*a".repeat(40).as_bytes(), "a".repeat(30).as_bytes()));
    }

    #[test]
    fn a_certificate_authority_for_a_host_is_told_of() {
        let known = known("# comment\n@cert-authority *.example.com ssh-ed25519 AAAA\n");
        assert_eq!(known.authority("git.example.com", 22), Some(2));
        assert_eq!(known.authority("git.example.org", 22), None);
    }
}
