//! Whom the client trusts.

use std::{io::Write, sync::Arc};

use f9_http::{Client, ClientOptions, Request, Url, parse_url};
use f9_plugin_api::{Context, ErrorKind};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer};

use crate::server::{Server, read_head};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";

/// An HTTPS server for `localhost`, and the certificate of the authority that vouches for it.
fn https_server() -> (Url, Server, String) {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let config = Arc::new(config);
    let server = Server::start(move |_, stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        if !read_head(&mut stream).is_empty() {
            stream.write_all(OK.as_bytes()).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    });
    let url = parse_url(&format!("https://localhost:{}/", server.url.port().unwrap())).unwrap();
    (url, server, authority.pem())
}

#[test]
fn a_private_authority_is_trusted_only_if_the_connection_names_it() {
    let (url, _server, authority) = https_server();
    let stranger = Client::new(&ClientOptions::default(), Context::detached()).unwrap();
    let error = stranger.send(Request::get(url.clone())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error:?}");
    assert!(error.advice().unwrap().contains("ca_bundle"), "{error:?}");

    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("ca.pem");
    std::fs::write(&bundle, authority).unwrap();
    let mut options = ClientOptions::default();
    options.ca_bundle = Some(bundle);
    let friend = Client::new(&options, Context::detached()).unwrap();
    let answer = friend.send(Request::get(url)).unwrap().bytes(100).unwrap();
    assert_eq!(&answer[..], b"hello");
}

#[test]
fn an_unusable_bundle_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in [("empty", Some("")), ("text", Some("hello")), ("missing", None)] {
        let bundle = directory.path().join(name);
        if let Some(content) = content {
            std::fs::write(&bundle, content).unwrap();
        }
        let mut options = ClientOptions::default();
        options.ca_bundle = Some(bundle);
        let error = Client::new(&options, Context::detached()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConnection);
        assert!(error.message().contains(name), "{error}");
    }
}

#[test]
fn plain_http_to_a_tls_port_and_the_reverse_are_errors() {
    let (url, server, _) = https_server();
    let client = Client::new(&ClientOptions::default(), Context::detached()).unwrap();
    assert!(client.send(Request::get(server.url.clone())).is_err());
    let plain = Server::start(|_, stream| stream.write_all(OK.as_bytes()).unwrap());
    let mut wrong = url;
    wrong.set_port(plain.url.port()).unwrap();
    let error = client.send(Request::get(wrong)).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Network | ErrorKind::RemoteRefused), "{error:?}");
}
