//! The connection's keys, and the settings that are left of them once they are checked.

use std::{path::PathBuf, time::Duration};

use f9_plugin_api::{Error, ErrorKind, Result, Secret, schemars, serde};

use crate::remote_url::{Address, Credentials, RemoteUrl};

/// The connection's keys.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(crate = "f9_plugin_api::serde")]
#[schemars(crate = "f9_plugin_api::schemars")]
pub(crate) struct Options {
    /// Where the remote repository is: `https://host/repo.git`, `ssh://user@host/repo.git`, `user@host:repo.git`,
    /// `file:///srv/repo.git` or a path. A password in it is moved out before anything is stored or shown.
    #[schemars(extend("format" = "path"))]
    pub(crate) remote_url: String,
    /// The working tree. It is cloned from the remote if there is none yet.
    #[schemars(extend("format" = "path"))]
    pub(crate) path: PathBuf,
    /// The branch that is kept in step with the remote's of the same name.
    #[serde(default = "default_branch")]
    #[schemars(default = "default_branch")]
    pub(crate) branch: String,
    /// Who the commits are by.
    #[serde(default = "default_author_name")]
    #[schemars(default = "default_author_name")]
    pub(crate) author_name: String,
    /// The author's address.
    #[serde(default = "default_author_email")]
    #[schemars(default = "default_author_email")]
    pub(crate) author_email: String,
    /// The user at the remote: with `password` for HTTP(S), with `ssh_key_path` for SSH.
    pub(crate) username: Option<String>,
    /// The password or access token for HTTP(S).
    pub(crate) password: Option<Secret>,
    /// The private key for SSH, in any format that OpenSSH writes today.
    #[schemars(extend("format" = "path"))]
    pub(crate) ssh_key_path: Option<PathBuf>,
    /// What the private key is encrypted with.
    pub(crate) ssh_key_passphrase: Option<Secret>,
    /// The file with the host keys to trust, in OpenSSH's format. Needed for SSH: a host that is not in it is refused.
    #[schemars(extend("format" = "path"))]
    pub(crate) known_hosts: Option<PathBuf>,
    /// A PEM file with the certificates of the authorities to trust for HTTPS, besides the public ones.
    #[schemars(extend("format" = "path"))]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// How many files a clone or a pull may bring. More are refused before any is written.
    #[serde(default = "default_max_files")]
    #[schemars(default = "default_max_files", range(min = 1))]
    pub(crate) max_files: u64,
    /// How many bytes the files of a clone or a pull may have together.
    #[serde(default = "default_max_bytes")]
    #[schemars(default = "default_max_bytes", range(min = 1))]
    pub(crate) max_bytes: u64,
    /// A file with further rules for what is not published, in the form of `.gitignore`: the user's own, for instance.
    #[schemars(extend("format" = "path"))]
    pub(crate) excludes_file: Option<PathBuf>,
    /// Uses a clone that belongs to another user, and pushes to a remote path of another user. Only for owners whom you trust:
    /// the configuration and the links in there count.
    #[serde(default)]
    pub(crate) trust_other_owner: bool,
    /// How many seconds the remote may stay silent, and how long a connection may take to come about.
    #[serde(default = "default_timeout")]
    #[schemars(default = "default_timeout", range(min = 1))]
    pub(crate) timeout: u64,
}

fn default_branch() -> String {
    "main".to_owned()
}

fn default_author_name() -> String {
    "f9".to_owned()
}

fn default_author_email() -> String {
    "f9@localhost".to_owned()
}

const fn default_timeout() -> u64 {
    60
}

const fn default_max_files() -> u64 {
    10_000_000
}

const fn default_max_bytes() -> u64 {
    1 << 40
}

/// What the options say, checked.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) remote: RemoteUrl,
    pub(crate) credentials: Credentials,
    /// Absolute.
    pub(crate) path: PathBuf,
    /// Without `refs/heads/`.
    pub(crate) branch: String,
    pub(crate) author_name: String,
    pub(crate) author_email: String,
    pub(crate) known_hosts: Option<PathBuf>,
    pub(crate) ca_bundle: Option<PathBuf>,
    pub(crate) max_files: u64,
    pub(crate) max_bytes: u64,
    pub(crate) excludes_file: Option<PathBuf>,
    pub(crate) trust_other_owner: bool,
    pub(crate) timeout: Duration,
}

impl Settings {
    pub(crate) fn from_options(options: Options) -> Result<Self> {
        let (remote, in_url) = RemoteUrl::parse(&options.remote_url)?;
        if options.timeout == 0 {
            return Err(invalid("timeout", "0 seconds is no time at all", "allow at least 1"));
        }
        if let Some(name) = options.branch.strip_prefix("refs/heads/") {
            let advice = format!("write \"{name}\"");
            return Err(invalid(
                "branch",
                "this is the full name of a reference, not that of a branch",
                &advice,
            ));
        }
        let is_branch = git2::Reference::is_valid_name(&format!("refs/heads/{}", options.branch));
        // git itself takes no such names for branches.
        if !is_branch || options.branch == "HEAD" || options.branch.starts_with('-') {
            return Err(invalid("branch", "this is no name for a branch", "see git-check-ref-format(1)"));
        }
        let author = git2::Signature::now(&options.author_name, &options.author_email);
        if author.is_err() || options.author_name.contains(['<', '>', '\n']) {
            let is_name = options.author_name.contains(['<', '>', '\n'])
                || git2::Signature::now(&options.author_name, "author@example.com").is_err();
            let key = if is_name { "author_name" } else { "author_email" };
            return Err(invalid(key, "git cannot store this as an author", "leave out <, > and line breaks"));
        }
        if options.username.is_some() && in_url.username.is_some() && options.username != in_url.username {
            return Err(invalid(
                "username",
                "`remote_url` names another user",
                "name one user, in one place",
            ));
        }
        if options.password.is_some() && in_url.password.is_some() {
            return Err(invalid("password", "`remote_url` has a password too", "give it in one place"));
        }
        if options.path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(invalid("path", "a path cannot contain a NUL character", "name a directory"));
        }
        let path = std::path::absolute(&options.path)
            .map_err(|e| invalid("path", "this is no path", "name a directory").caused_by(e))?;
        let credentials = Credentials {
            username: options.username.or(in_url.username),
            password: options.password.or(in_url.password),
            ssh_key_path: options.ssh_key_path,
            ssh_key_passphrase: options.ssh_key_passphrase,
        };
        check_fit(&remote, &credentials)?;
        Ok(Self {
            remote,
            credentials,
            path,
            branch: options.branch,
            author_name: options.author_name,
            author_email: options.author_email,
            known_hosts: options.known_hosts,
            ca_bundle: options.ca_bundle,
            max_files: options.max_files,
            max_bytes: options.max_bytes,
            excludes_file: options.excludes_file,
            trust_other_owner: options.trust_other_owner,
            timeout: Duration::from_secs(options.timeout),
        })
    }

    /// `refs/heads/<branch>`.
    pub(crate) fn branch_ref(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Where the remote's branch is remembered.
    pub(crate) fn tracking_ref(&self) -> String {
        format!("refs/remotes/origin/{}", self.branch)
    }
}

/// Refuses what could not possibly log in, before anything is tried.
fn check_fit(remote: &RemoteUrl, credentials: &Credentials) -> Result<()> {
    match remote.address() {
        Address::Http(_) if credentials.password.is_some() && credentials.username.is_none() => Err(invalid(
            "username",
            "a password without a user",
            "add the user; for a token most servers take any name",
        )),
        _ => Ok(()),
    }
}

fn invalid(key: &str, found: &str, advice: &str) -> Error {
    let message = format!("wrong value for the key `{key}`: {found}");
    Error::new(ErrorKind::InvalidConnection, message).with("key", key).hint(advice)
}
