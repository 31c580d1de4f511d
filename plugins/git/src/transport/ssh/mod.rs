//! A remote behind SSH: a client of our own, with the key, the host keys and the limits of one connection.

mod key;
mod link;
mod session;
mod stream;
mod waiter;

use std::{path::PathBuf, sync::Arc, time::Duration};

use f9_plugin_api::{Context, Error, ErrorKind, Result, Secret, log};
use git2::transport::{Service, SmartSubtransport, SmartSubtransportStream};

use self::{
    link::{Kept, Link},
    session::Started,
    stream::Stream,
    waiter::Waiter,
};
use super::smart::{Connection, Failure};
use crate::{options::Settings, remote_url::SshAddress};

/// A kept session that takes longer to answer than this is given up for a new one.
const PATIENCE: Duration = Duration::from_secs(5);

/// One configured remote. Clones share the session.
#[derive(Clone)]
pub(crate) struct Ssh {
    address: SshAddress,
    user: String,
    key: PathBuf,
    passphrase: Option<Secret>,
    known_hosts: PathBuf,
    timeout: Duration,
    context: Context,
    kept: Kept,
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
                needed("ssh_key_path", "name the private key, for instance ~/.ssh/id_ed25519")
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
            kept: Kept::default(),
        })
    }

    /// Starts git's program at the remote, on the session of the last call or on a new one.
    fn start(&self, program: &str, failed: Failure) -> Result<Stream> {
        let command = format!("{program} {}", quote(&self.address.path));
        let on_kept = match self.kept.take() {
            Some(link) => self.start_on(link, &command)?,
            None => None,
        };
        let (link, started) = match on_kept {
            Some(both) => both,
            None => {
                let waiter = Waiter::new(self.context.clone(), self.timeout)?;
                let session = waiter.wait("logging in", session::log_in(self))??;
                let started = waiter.wait("starting git", session::start(&session, &command))??;
                (Arc::new(Link { session, waiter }), started)
            }
        };
        Ok(Stream::new(link, self.kept.clone(), started, program == "git-receive-pack", failed))
    }

    /// Starts it on a kept session; `None` if that one is no longer good for it. The program has been told nothing by then,
    /// so that it can as well be started on another.
    fn start_on(&self, link: Arc<Link>, command: &str) -> Result<Option<(Arc<Link>, Started)>> {
        let starting = session::start(&link.session, command);
        match link.waiter.wait_for(PATIENCE.min(self.timeout), "starting git", starting).flatten() {
            Ok(started) if started.is_refused() => {}
            Ok(started) => return Ok(Some((link, started))),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(error) => log::debug!("the SSH session has ended since its last use: {error}"),
        }
        Ok(None)
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
