//! How a client connects.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use f9_plugin_api::{Error, ErrorKind, Result};
use reqwest::Proxy;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};

use crate::parse_url;

/// How a client connects. Start from `default()`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// A PEM file with certificates of authorities to trust besides the public ones.
    pub ca_bundle: Option<PathBuf>,
    /// The URL of an HTTP proxy for every request (`http://proxy.example:3128`), without credentials. Default: none.
    pub proxy: Option<String>,
    /// How long looking up a name, connecting and the TLS handshake may take together. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long a request may go on without a byte moving in either direction. Default: 60 s.
    pub inactivity_timeout: Duration,
    /// What the client calls itself. Default: `f9/` and this crate's version.
    pub user_agent: String,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            ca_bundle: None,
            proxy: None,
            connect_timeout: Duration::from_secs(10),
            inactivity_timeout: Duration::from_secs(60),
            user_agent: concat!("f9/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl ClientOptions {
    pub(crate) fn build(&self) -> Result<reqwest::Client> {
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(self.connect_timeout)
            .user_agent(&self.user_agent);
        if let Some(proxy) = &self.proxy {
            let url = parse_url(proxy)?;
            builder = builder.proxy(Proxy::all(url).map_err(unusable)?);
        }
        builder.build().map_err(unusable)
    }

    fn tls(&self) -> Result<ClientConfig> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(path) = &self.ca_bundle {
            for certificate in read_certificates(path)? {
                roots.add(certificate).map_err(|error| unusable_bundle(path).caused_by(error))?;
            }
        }
        let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        Ok(versions.with_root_certificates(roots).with_no_client_auth())
    }
}

fn read_certificates(path: &PathBuf) -> Result<Vec<CertificateDer<'static>>> {
    let pem = fs::read(path).map_err(|error| unusable_bundle(path).caused_by(error))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = certificates.map_err(|error| unusable_bundle(path).caused_by(error))?;
    if certificates.is_empty() {
        return Err(unusable_bundle(path));
    }
    Ok(certificates)
}

fn unusable_bundle(path: &std::path::Path) -> Error {
    let message = format!("no certificates could be read from the CA bundle {}", path.display());
    Error::new(ErrorKind::InvalidConnection, message)
        .hint("give a PEM file with one or more \"BEGIN CERTIFICATE\" blocks")
}

fn unusable(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::InvalidConnection, "cannot set up the HTTP client").caused_by(error)
}
