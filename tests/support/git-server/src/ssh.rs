//! An SSH server that starts git's programs.

use std::{
    collections::HashMap,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use russh::{
    Channel, ChannelId,
    keys::{Algorithm, EcdsaCurve, PrivateKey, PublicKey, key::safe_rng, ssh_key::LineEnding},
    server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session, run_stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::{Builder, Runtime},
};

/// What the server does with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshBehaviour {
    /// Serves it.
    Serve,
    /// Accepts it and says nothing.
    Silent,
    /// Sends one byte of a greeting every tenth of a second.
    Drip,
    /// Lets nobody in.
    Deny,
    /// Serves it, and holds back what is more than so many bytes of an answer.
    Stall(u64),
}

/// An SSH server with a host key of its own.
pub struct SshServer {
    address: SocketAddr,
    host_key: PublicKey,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    runtime: Option<Runtime>,
}

impl SshServer {
    /// Serves the repositories in `root` to whoever has the private part of `user_key` (one line as in `id.pub`).
    pub fn start(root: &Path, user_key: &str, behaviour: SshBehaviour) -> Self {
        let host_key = PrivateKey::random(&mut safe_rng(), Algorithm::Ed25519).unwrap();
        Self::start_with(root, user_key, behaviour, vec![host_key])
    }

    /// A server with an Ed25519 and an ECDSA host key, of which the client chooses one.
    pub fn with_two_host_keys(root: &Path, user_key: &str) -> Self {
        let ecdsa = Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 };
        let keys = [ecdsa, Algorithm::Ed25519].map(|kind| PrivateKey::random(&mut safe_rng(), kind).unwrap());
        Self::start_with(root, user_key, SshBehaviour::Serve, keys.into())
    }

    fn start_with(root: &Path, user_key: &str, behaviour: SshBehaviour, keys: Vec<PrivateKey>) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let host_key = keys[0].public_key().clone();
        let config = Arc::new(Config {
            keys,
            auth_rejection_time: Duration::from_millis(1),
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..Default::default()
        });
        let (root, user_key) = (root.to_owned(), PublicKey::from_openssh(user_key).unwrap());
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap(); // as sshd does it
                let stream = stream.into_std().unwrap();
                accepted.lock().unwrap().push(stream.try_clone().unwrap());
                let mut stream = tokio::net::TcpStream::from_std(stream).unwrap();
                let (config, root, user_key) = (Arc::clone(&config), root.clone(), user_key.clone());
                tokio::spawn(async move {
                    match behaviour {
                        SshBehaviour::Silent => std::future::pending::<()>().await,
                        SshBehaviour::Drip => {
                            while stream.write_all(b"x").await.is_ok() {
                                tokio::time::sleep(Duration::from_millis(100)).await;
                            }
                        }
                        SshBehaviour::Serve | SshBehaviour::Deny | SshBehaviour::Stall(_) => {
                            let user_key = Some(user_key).filter(|_| behaviour != SshBehaviour::Deny);
                            let most =
                                if let SshBehaviour::Stall(bytes) = behaviour { bytes } else { u64::MAX };
                            let handler = Connection { root, user_key, most, channels: HashMap::new() };
                            // A client that goes away is no failure of the server's.
                            if let Ok(session) = run_stream(config, stream, handler).await {
                                let _ = session.await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, host_key, connections, runtime: Some(runtime) }
    }

    /// The address of a repository.
    pub fn url(&self, repository: &str) -> String {
        format!("ssh://git@127.0.0.1:{}/{repository}", self.address.port())
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Ends every connection, as a server does that is started anew.
    pub fn hang_up(&self) {
        for connection in &*self.connections.lock().unwrap() {
            let _ = connection.shutdown(Shutdown::Both); // the client may have been quicker
        }
    }

    /// The line of a `known_hosts` file that makes this server trusted.
    pub fn known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}\n", self.address.port(), self.host_key.to_openssh().unwrap())
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A kind of key for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `ssh-keygen -t ed25519`.
    Ed25519,
    /// `ssh-keygen -t ecdsa`.
    Ecdsa,
    /// `ssh-keygen -t rsa`. Takes long to make.
    Rsa,
}

/// Makes a private key in OpenSSH's format at `path`, and returns the public one as `id.pub` has it.
pub fn make_key(path: &Path, kind: KeyKind, passphrase: Option<&str>) -> String {
    let algorithm = match kind {
        KeyKind::Ed25519 => Algorithm::Ed25519,
        KeyKind::Ecdsa => Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
        KeyKind::Rsa => Algorithm::Rsa { hash: None },
    };
    let mut key = PrivateKey::random(&mut safe_rng(), algorithm).unwrap();
    let public = key.public_key().to_openssh().unwrap();
    if let Some(passphrase) = passphrase {
        key = key.encrypt(&mut safe_rng(), passphrase).unwrap();
    }
    std::fs::write(path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    public
}

struct Connection {
    root: PathBuf,
    user_key: Option<PublicKey>,
    /// How many bytes of an answer are passed on.
    most: u64,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        _: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        let offered = offer.public_key.to_openssh().unwrap_or_default();
        let offered = offered.split(' ').nth(1);
        let known = self.user_key.as_ref().and_then(|key| key.to_openssh().ok());
        let accepted = known.is_some_and(|known| known.split(' ').nth(1) == offered);
        Ok(if accepted { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(
        &mut self,
        _: &str,
        _: russh::server::VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        let Some(channel) = self.channels.remove(&id) else { return Ok(()) };
        if !command.starts_with("git-upload-pack '/") && !command.starts_with("git-receive-pack '/") {
            return session.channel_failure(id);
        }
        // As a login shell would, so that quoting is tested; paths are below the root.
        let command = command.replacen("'/", "'", 1);
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", &format!("exec git {}", &command["git-".len()..])])
            .current_dir(&self.root)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        session.channel_success(id)?;
        let handle = session.handle();
        let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut stdout = stdout.take(self.most);
        let mut stderr = child.stderr.take().unwrap();
        tokio::spawn(async move {
            let words = handle.clone();
            let errors = tokio::spawn(async move {
                let mut piece = vec![0; 8 << 10];
                while let Ok(read @ 1..) = stderr.read(&mut piece).await {
                    let _ = words.extended_data(id, 1, piece[..read].to_vec()).await;
                }
            });
            let (mut from_client, mut to_client) = tokio::io::split(channel.into_stream());
            let upload = tokio::spawn(async move {
                let _ = tokio::io::copy(&mut from_client, &mut stdin).await;
            });
            let _ = tokio::io::copy(&mut stdout, &mut to_client).await;
            if stdout.limit() == 0 {
                std::future::pending::<()>().await;
            }
            let _ = to_client.flush().await;
            let status = child.wait().await.ok().and_then(|status| status.code()).unwrap_or(1);
            let _ = errors.await;
            let _ = handle.exit_status_request(id, status as u32).await;
            let _ = handle.eof(id).await;
            let _ = handle.close(id).await;
            upload.abort();
        });
        Ok(())
    }
}
