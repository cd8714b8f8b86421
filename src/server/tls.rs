//! TLS with a certificate from files that are polled for changes: renewing it takes no restart.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::section::Tls;
use crate::error::{Error, Result};

/// The polling interval.
const PAUSE: Duration = Duration::from_secs(2);

/// The only protocol offered by ALPN.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The current certificate.
pub struct Certificate {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// The content of both files when last read, valid or not.
    seen: [Vec<u8>; 2],
}

struct Current(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    /// Reads the files; `None` when none are configured. `Unusable` when they do not contain a certificate and
    /// its key.
    pub fn open(files: &Tls) -> Result<Option<Self>> {
        let (Some(certificate), Some(key)) = (&files.certificate_file, &files.key_file) else {
            return Ok(None);
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let seen = [read(certificate)?, read(key)?];
        let pair = pair(&seen, &provider).map_err(|error| {
            let (certificate, key) = (certificate.display(), key.display());
            Error::Unusable(format!("the certificate {certificate} with the key {key}: {error}"))
        })?;
        let current = Arc::new(Current(RwLock::new(Arc::new(pair))));
        Ok(Some(Self { files: files.clone(), provider, current, seen }))
    }

    /// The TLS settings of the listening socket.
    pub fn settings(&self) -> ServerConfig {
        let resolver: Arc<dyn ResolvesServerCert> = self.current.clone();
        let mut settings = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has the safe versions")
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        settings.alpn_protocols = vec![HTTP_1_1.to_vec()];
        settings
    }

    /// Polls the files; never returns. An unusable pair is logged once, and the current certificate stays in
    /// use.
    pub async fn watch(mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let files = self.files.clone();
            // The disk may hang.
            let Ok(Some(found)) = tokio::task::spawn_blocking(move || read_both(&files)).await else {
                continue;
            };
            if found != self.seen {
                self.replace(&found);
                self.seen = found;
            }
        }
    }

    fn replace(&self, found: &[Vec<u8>; 2]) {
        match pair(found, &self.provider) {
            Ok(pair) => {
                *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                log::info!("tls: the certificate was renewed");
            }
            Err(error) => log::error!("tls: keeping the old certificate, the new one is unusable: {error}"),
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Current")
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| Error::Unusable(format!("cannot read {}: {error}", path.display())))
}

/// `None` while one of the files is missing, since it may be about to be replaced.
fn read_both(files: &Tls) -> Option<[Vec<u8>; 2]> {
    Some([read(files.certificate_file.as_ref()?).ok()?, read(files.key_file.as_ref()?).ok()?])
}

/// Parses the chain and the key and checks that they match. The error reveals nothing about the key.
fn pair([certificate, key]: &[Vec<u8>; 2], provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| "the certificate is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("the file contains no certificate".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|_| "the file contains no private key in PEM".to_owned())?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::generate_simple_self_signed;

    use super::*;

    /// A certificate and its key in PEM.
    fn generate() -> [Vec<u8>; 2] {
        let generated = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        [pem("CERTIFICATE", generated.cert.der()), pem("PRIVATE KEY", &generated.signing_key.serialize_der())]
    }

    fn pem(label: &str, bytes: &[u8]) -> Vec<u8> {
        let lines = STANDARD.encode(bytes);
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n").into_bytes()
    }

    fn write(files: &Tls, [certificate, key]: &[Vec<u8>; 2]) {
        std::fs::write(files.certificate_file.as_ref().unwrap(), certificate).unwrap();
        std::fs::write(files.key_file.as_ref().unwrap(), key).unwrap();
    }

    fn current(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
        certificate.current.0.read().unwrap().cert.clone()
    }

    #[test]
    fn an_unusable_pair_leaves_the_old_one_in_use_and_a_later_valid_one_is_loaded() {
        let directory = tempfile::tempdir().unwrap();
        let [certificate_file, key_file] =
            ["certificate.pem", "key.pem"].map(|name| Some(directory.path().join(name)));
        let files = Tls { certificate_file, key_file };
        let (first, second) = (generate(), generate());
        write(&files, &first);
        let certificate = Certificate::open(&files).unwrap().unwrap();
        let before = current(&certificate);
        let [good, key] = &second;

        for bad in
            [[good.clone(), first[1].clone()], [good.clone(), b"no key".to_vec()], [Vec::new(), key.clone()]]
        {
            write(&files, &bad);
            certificate.replace(&read_both(&files).unwrap());
            assert_eq!(current(&certificate), before);
        }

        write(&files, &second);
        certificate.replace(&read_both(&files).unwrap());
        assert_ne!(current(&certificate), before);
        assert!(matches!(Certificate::open(&Tls { key_file: None, ..files }), Ok(None)));
    }
}
