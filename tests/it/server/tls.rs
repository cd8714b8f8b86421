//! The server with its own certificate.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kaiwa::config::Config;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::command::program::{Serving, check_refused, kaiwa};
use crate::harness::server::TestServer;
use crate::harness::{PATIENCE, eventually};

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Writes a new certificate and its key into a folder.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let CertifiedKey::<KeyPair> { cert, signing_key } =
        generate_simple_self_signed(["chat.example.com".to_owned()]).unwrap();
    std::fs::write(folder.join("certificate.pem"), pem("CERTIFICATE", cert.der())).unwrap();
    std::fs::write(folder.join("certificate.key"), pem("PRIVATE KEY", &signing_key.serialize_der())).unwrap();
    cert.der().clone()
}

fn pem(label: &str, bytes: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(bytes))
}

fn start(folder: &Path) -> TestServer {
    start_with(folder, |_| {})
}

fn start_with(folder: &Path, change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::start_with(|config| {
        config.tls.certificate_file = Some(folder.join("certificate.pem"));
        config.tls.key_file = Some(folder.join("certificate.key"));
        change(config);
    })
}

/// A connection that trusts this certificate.
fn connect(address: SocketAddr, trusted: &CertificateDer<'static>) -> std::io::Result<Stream> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut settings = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    settings.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("chat.example.com").unwrap();
    let mut session = ClientConnection::new(Arc::new(settings), name).unwrap();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    Ok(StreamOwned::new(session, stream))
}

/// Sends these bytes and reads until the response contains `end` or the connection ends.
fn exchange(stream: &mut Stream, request: &str, end: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    let (mut response, mut part) = (String::new(), [0; 1024]);
    while !response.contains(end) {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => response.push_str(&String::from_utf8_lossy(&part[..length])),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => panic!("{error}: {response}"),
        }
    }
    response
}

#[actix_web::test]
async fn https_offers_only_http_1_1() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let server = start(folder.path());

    let mut stream = connect(server.address, &certificate).unwrap();
    let response = exchange(&mut stream, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", "\"ok\"");

    assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()), "though h2 was offered first");
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut response = Vec::new();
    plain.read_to_end(&mut response).ok();
    assert!(!response.starts_with(b"HTTP"), "no response outside of TLS");
}

#[actix_web::test]
async fn a_renewed_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let old = certify(folder.path());
    let server = start(folder.path());
    assert!(connect(server.address, &old).is_ok());

    let new = certify(folder.path());

    eventually(|| connect(server.address, &new).is_ok()).await;
    assert!(connect(server.address, &old).is_err(), "the old one is no longer used");
}

#[actix_web::test]
async fn slow_clients_are_disconnected_within_tls_too() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let server =
        start_with(folder.path(), |config| config.limits.request_timeout = Duration::from_millis(500));
    let signature = kaiwa::line::signature::sign(&kaiwa::model::secret::Secret::new("another"), b"");
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: a\r\nx-line-signature: {signature}\r\ncontent-length: 10\r\n\r\nab",
        server.webhook_path()
    );

    // On a busy machine the handshake itself may be too slow.
    let mut dripping = (0..).find_map(|_| connect(server.address, &certificate).ok()).expect("one is quick");
    let response = exchange(&mut dripping, &head, "REQUEST_TIMEOUT");
    let mut silent = TcpStream::connect(server.address).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut nothing = Vec::new();

    assert!(response.starts_with("HTTP/1.1 408"), "{response}");
    assert!(silent.read_to_end(&mut nothing).is_ok(), "a handshake that does not come ends");
    assert!(nothing.is_empty());
}

#[test]
fn the_program_serves_https_and_stops_despite_idle_connections() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let with_tls = |arguments: &[&str], listen: &str| {
        let mut command = kaiwa(folder.path(), arguments);
        command.env("KAIWA_TLS__CERTIFICATE_FILE", "certificate.pem").env("KAIWA_LISTEN", listen);
        command.env("KAIWA_TLS__KEY_FILE", "certificate.key").env("KAIWA_LIMITS__SHUTDOWN_TIMEOUT", "1min");
        command
    };
    let mut serving = Serving::start(with_tls(&["serve"], "127.0.0.1:0"));
    let address = serving.url.strip_prefix("https://").unwrap().to_owned();

    let asked = with_tls(&["healthcheck"], &address).output().unwrap();
    let mut idle = connect(address.parse().unwrap(), &certificate).unwrap();
    exchange(&mut idle, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", "\"ok\"");
    let began = Instant::now();
    serving.signal("-TERM");

    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    assert!(
        began.elapsed() < Duration::from_mins(1),
        "limits.shutdown_timeout applies only while work is in flight"
    );
    assert_eq!((asked.status.code(), asked.stdout.as_slice()), (Some(0), b"ready\n".as_slice()));
}

#[test]
fn an_unusable_certificate_is_rejected_at_start() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let start = |certificate: &str, key: Option<&str>| {
        let mut command = kaiwa(folder.path(), &["serve"]);
        command.env("KAIWA_TLS__CERTIFICATE_FILE", certificate);
        command.envs(key.map(|key| ("KAIWA_TLS__KEY_FILE", key)));
        command
    };
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    certify(&other);

    check_refused(start("certificate.pem", None), 78, "tls.key_file");
    check_refused(start("missing.pem", Some("certificate.key")), 78, "missing.pem");
    check_refused(start("certificate.pem", Some("other/certificate.key")), 78, "other/certificate.key");
    check_refused(start("certificate.key", Some("certificate.key")), 78, "no certificate");
}

#[test]
fn the_healthcheck_trusts_only_the_configured_certificate() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let mut command = kaiwa(folder.path(), &["serve"]);
    command
        .env("KAIWA_TLS__CERTIFICATE_FILE", "certificate.pem")
        .env("KAIWA_TLS__KEY_FILE", "certificate.key");
    let serving = Serving::start(command);
    let other = folder.path().join("other");
    std::fs::create_dir(&other).unwrap();
    certify(&other);

    let mut ask = kaiwa(folder.path(), &["healthcheck"]);
    ask.env("KAIWA_LISTEN", serving.url.strip_prefix("https://").unwrap());
    ask.env("KAIWA_TLS__CERTIFICATE_FILE", "other/certificate.pem");
    ask.env("KAIWA_TLS__KEY_FILE", "other/certificate.key");

    check_refused(ask, 1, "does not respond");
}
