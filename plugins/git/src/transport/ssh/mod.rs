//! A remote behind SSH: a client of our own, with the key, the host keys and the limits of one connection.

mod key;
mod session;
mod stream;
mod waiter;

use std::path::PathBuf;

use f9_plugin_api::{Context, Error, ErrorKind, Result, Secret};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use self::{stream::Stream, waiter::Waiter};
use super::smart::{Connection, Failure};
use crate::{options::Settings, remote_url::SshAddress};

/// One configured remote.
#[derive(Clone)]
pub(crate) struct Ssh {
    address: SshAddress,
    user: String,
    key: PathBuf,
    passphrase: Option<Secret>,
    known_hosts: PathBuf,
    timeout: std::time::Duration,
    context: Context,
}

impl Ssh {
    pub(crate) fn new(address: &SshAddress, settings: &Settings, context: Context) -> Result<Self> {
        let credentials = &settings.credentials;
        let needed = |key: &str, advice: &str| {
            let message = format!("the connection lacks the key `{key}`, which SSH needs");
            Error::new(ErrorKind::InvalidConnection, message).with("key", key).hint(advice)
        };
        let user = credentials.username.clone();
        let known_hosts = settings.known_hosts.clone();
        let key = credentials.ssh_key_path.clone();
        Ok(Self {
            address: address.clone(),
            user: user.ok_or_else(|| needed("username", "most servers for git want \"git\""))?,
            key: key.ok_or_else(|| {
                needed("ssh_key_path", "name the private key, for instance ~/.ssh/id_ed25519 in full")
            })?,
            passphrase: credentials.ssh_key_passphrase.clone(),
            known_hosts: known_hosts.ok_or_else(|| {
                needed(
                    "known_hosts",
                    "`ssh-keyscan HOST` shows the host's keys; compare before you trust them",
                )
            })?,
            timeout: settings.timeout,
            context,
        })
    }

    /// Logs in and starts git's program at the remote.
    fn start(&self, program: &str, failed: Failure) -> Result<Stream> {
        let waiter = Waiter::new(self.context.clone(), self.timeout)?;
        let session = waiter.wait("logging in", session::log_in(self))??;
        let command = format!("{program} {}", quote(&self.address.path));
        let channel = waiter.wait("starting git", session::start(&session, command))??;
        Ok(Stream::new(waiter, session, channel, program == "git-receive-pack", failed))
    }

    /// `host:port`.
    fn place(&self) -> String {
        format!("{}:{}", self.address.host, self.address.port)
    }
}

/// For the remote's shell, as git quotes it.
fn quote(path: &str) -> String {
    format!("'{}'", path.replace('\'', r"'\''").replace('!', r"'\!'"))
}

impl Connection for Ssh {
    const RPC: bool = false;

    fn subtransport(&self, failed: Failure) -> impl SmartSubtransport {
        Subtransport { ssh: self.clone(), failed }
    }
}

struct Subtransport {
    ssh: Ssh,
    failed: Failure,
}

impl SmartSubtransport for Subtransport {
    fn action(&self, _: &str, service: Service) -> Result<Box<dyn SmartSubtransportStream>, git2::Error> {
        let program = match service {
            Service::UploadPackLs | Service::UploadPack => "git-upload-pack",
            Service::ReceivePackLs | Service::ReceivePack => "git-receive-pack",
        };
        let stream = self.ssh.start(program, self.failed.clone());
        let stream = stream.map_err(|error| git2::Error::from_str(&self.failed.note(error).to_string()))?;
        Ok(Box::new(stream))
    }

    fn close(&self) -> Result<(), git2::Error> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn a_path_reaches_the_remote_as_it_is() {
        for path in ["plain", "with space", "it's", "!x", "a'b'!c", "$HOME`id`"] {
            let output =
                std::process::Command::new("sh").args(["-c", &format!("printf %s {}", quote(path))]).output();
            assert_eq!(String::from_utf8(output.unwrap().stdout).unwrap(), path);
        }
    }
}
