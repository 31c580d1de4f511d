//! Connecting and logging in.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use f9_plugin_api::{Error, ErrorKind, Result, log};
use russh::{
    Channel, ChannelMsg,
    client::{self, AuthResult, Handle, Msg},
    keys::{
        Algorithm, EcdsaCurve, HashAlg, PrivateKeyWithHashAlg, PublicKeyBase64, PublicKeyOrCertificate,
        ssh_key::PrivateKey,
    },
};
use tokio::net::TcpStream;

use super::{Ssh, key};
use crate::{
    errors::clean,
    known_hosts::{KnownHosts, Verdict, kind_of},
};

/// How often the server is shown that somebody is still there.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// A session that is logged in.
pub(super) type Session = Handle<HostKeyCheck>;

pub(super) async fn log_in(ssh: &Ssh) -> Result<Session> {
    // Before anything is connected: what is wrong here is wrong with any server.
    let known = Arc::new(KnownHosts::read(&ssh.known_hosts)?);
    let key = key::load(&ssh.key, ssh.passphrase.as_ref())?;
    let tcp = TcpStream::connect((ssh.address.host.as_str(), ssh.address.port)).await.map_err(|error| {
        let message = format!("cannot connect to {}: {error}", ssh.place());
        Error::new(ErrorKind::Network, message).hint("check the address and the network").caused_by(error)
    })?;
    // The protocol asks and waits: held back until the last packet is acknowledged, each question takes 40 ms longer. (The
    // library's own setting is for connections that it makes itself.)
    if let Err(error) = tcp.set_nodelay(true) {
        log::debug!("small packets to {} may be delayed: {error}", ssh.place());
    }
    let mut config = client::Config { keepalive_interval: Some(KEEPALIVE), ..Default::default() };
    config.preferred.key = host_key_order(&known.kinds(&ssh.address.host, ssh.address.port)).into();
    let check = HostKeyCheck { known, host: ssh.address.host.clone(), port: ssh.address.port };
    let mut session =
        client::connect_stream(Arc::new(config), tcp, check).await.map_err(|error| error.tell(ssh))?;
    authenticate(ssh, &mut session, key).await?;
    Ok(session)
}

/// A program at the remote that was asked to start.
pub(super) struct Started {
    pub(super) channel: Channel<Msg>,
    /// What came instead of the leave to go on.
    pub(super) message: Option<ChannelMsg>,
}

impl Started {
    /// Whether there is no such program, or no leave to start it.
    pub(super) const fn is_refused(&self) -> bool {
        matches!(self.message, Some(ChannelMsg::Failure | ChannelMsg::Close))
    }
}

/// Starts a program at the remote. A refusal is told by the channel.
pub(super) async fn start(session: &Session, command: &str) -> Result<Started> {
    let mut channel = session.channel_open_session().await.map_err(|error| broken(&error))?;
    channel.exec(true, command).await.map_err(|error| broken(&error))?;
    loop {
        let message = match channel.wait().await {
            Some(ChannelMsg::WindowAdjusted { .. }) => continue,
            Some(ChannelMsg::Success) => None,
            Some(other) => Some(other),
            None => return Err(broken(&russh::Error::Disconnect)),
        };
        return Ok(Started { channel, message });
    }
}

async fn authenticate(ssh: &Ssh, session: &mut Session, key: PrivateKey) -> Result<()> {
    let hash = match key.algorithm().is_rsa() {
        // Never SHA-1: a server that does not say what it can do gets SHA-256.
        true => {
            let supported = session.best_supported_rsa_hash().await.map_err(|error| broken(&error))?;
            Some(supported.flatten().unwrap_or(HashAlg::Sha256))
        }
        false => None,
    };
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
    let answer =
        session.authenticate_publickey(ssh.user.as_str(), key).await.map_err(|error| broken(&error))?;
    let error = match answer {
        AuthResult::Success => return Ok(()),
        // A connection that is lost comes as a refusal too.
        AuthResult::Failure { .. } if session.is_closed() => {
            let message = format!("{} closed the connection while we logged in", ssh.place());
            return Err(Error::new(ErrorKind::Network, message).hint("try again later"));
        }
        AuthResult::Failure { partial_success: true, .. } => Error::new(
            ErrorKind::Authentication,
            format!("{} asks for a second proof besides the key", ssh.place()),
        ),
        AuthResult::Failure { .. } => {
            let (place, key, user) = (ssh.place(), ssh.key.display(), &ssh.user);
            let message = format!("{place} does not accept the key {key} for the user `{user}`");
            Error::new(ErrorKind::Authentication, message)
        }
    };
    Err(error.hint("check `username` and `ssh_key_path`, and that the server knows the public key"))
}

/// Compares the server's key with those on file.
pub(super) struct HostKeyCheck {
    known: Arc<KnownHosts>,
    host: String,
    port: u16,
}

impl client::Handler for HostKeyCheck {
    type Error = SessionError;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, SessionError> {
        let key = key.public_key().public_key_bytes();
        match self.known.check(&self.host, self.port, &key) {
            Verdict::Trusted => Ok(true),
            verdict => Err(SessionError::HostKey(self.refuse(verdict, &key))),
        }
    }
}

impl HostKeyCheck {
    fn refuse(&self, verdict: Verdict, key: &[u8]) -> Error {
        let (file, place) = (self.known.file().display(), format!("{}:{}", self.host, self.port));
        let kind = kind_of(key).map(clean).unwrap_or_default();
        let verdict_is_open = matches!(verdict, Verdict::Unknown | Verdict::OtherKinds(_));
        let (message, advice) = match verdict {
            Verdict::Changed { line } => (
                format!(
                    "the host key of {place} has CHANGED: it is not the {kind} key in {file}, line {line}"
                ),
                "somebody may be in between. Ask whoever runs the server; if it has a new key, replace that line",
            ),
            Verdict::Revoked { line } => (
                format!("the host key of {place} is revoked by {file}, line {line}"),
                "do not connect to this server",
            ),
            Verdict::OtherKinds(kinds) => (
                format!("{place} shows a {kind} key, and {file} has only {}", kinds.join(", ")),
                "compare the fingerprint with what the server's owner says, then add the key to that file",
            ),
            Verdict::Unknown | Verdict::Trusted => (
                format!("the host {place} is not in {file}"),
                "compare the fingerprint with what the server's owner says, then add the key to that file",
            ),
        };
        let message = format!("{message}; the server shows {} ({kind})", fingerprint(key));
        let authority = match verdict_is_open {
            true => self.known.authority(&self.host, self.port),
            false => None,
        };
        let message = match authority {
            Some(line) => {
                format!("{message}; line {line} names a certificate authority, which is not supported")
            }
            None => message,
        };
        Error::new(ErrorKind::Authentication, message).with("fingerprint", fingerprint(key)).hint(advice)
    }
}

/// As OpenSSH shows it.
fn fingerprint(key: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, key)))
}

/// What the protocol can end with.
#[derive(Debug)]
pub(super) enum SessionError {
    HostKey(Error),
    Protocol(russh::Error),
}

impl SessionError {
    fn tell(self, ssh: &Ssh) -> Error {
        match self {
            Self::HostKey(error) => error,
            Self::Protocol(error) => {
                let message = format!("no SSH session with {}: {}", ssh.place(), clean(&error.to_string()));
                Error::new(ErrorKind::Network, message).hint("check the address; try again later")
            }
        }
    }
}

impl From<russh::Error> for SessionError {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

fn broken(error: &russh::Error) -> Error {
    let message = format!("the SSH session broke off: {}", clean(&error.to_string()));
    Error::new(ErrorKind::Network, message).hint("try again later")
}

/// The kinds on file first, so that a server with several keys shows one of these; never RSA with SHA-1.
fn host_key_order(known: &[&str]) -> Vec<Algorithm> {
    let ecdsa = |curve| Algorithm::Ecdsa { curve };
    let rsa = |hash| Algorithm::Rsa { hash: Some(hash) };
    let mut all = vec![
        Algorithm::Ed25519,
        ecdsa(EcdsaCurve::NistP256),
        ecdsa(EcdsaCurve::NistP384),
        ecdsa(EcdsaCurve::NistP521),
        rsa(HashAlg::Sha512),
        rsa(HashAlg::Sha256),
    ];
    let on_file = |algorithm: &Algorithm| match algorithm {
        Algorithm::Rsa { .. } => known.contains(&"ssh-rsa"),
        other => known.contains(&other.as_str()),
    };
    all.sort_by_key(|algorithm| !on_file(algorithm)); // stable
    all
}
