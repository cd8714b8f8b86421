//! TLS with a certificate from files, which are looked at again and again: a renewed certificate needs no new start.

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

/// How often the files are looked at.
const PAUSE: Duration = Duration::from_secs(2);

/// The only protocol that is spoken within TLS.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificate that is shown at present.
pub struct Certificate {
    files: Tls,
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
    /// The bytes of both files when they were last looked at, good or bad.
    seen: [Vec<u8>; 2],
}

struct Current(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    /// Reads the files; nothing when none are set. `Unusable` when they do not hold a certificate and its key.
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

    /// How connections are accepted.
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

    /// Looks at the files again and again; never ends. What cannot be used is logged once, and the certificate that there
    /// is stays.
    pub async fn watch(mut self) {
        loop {
            tokio::time::sleep(PAUSE).await;
            let files = self.files.clone();
            // A file may lie on a disk that hangs.
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
            Err(error) => log::error!("tls: the new certificate is not used, the old one stays: {error}"),
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

/// Nothing while one of the files is not there: whoever renews them may be about to put it in place.
fn read_both(files: &Tls) -> Option<[Vec<u8>; 2]> {
    Some([read(files.certificate_file.as_ref()?).ok()?, read(files.key_file.as_ref()?).ok()?])
}

/// The chain and the key, which must belong together. The error says nothing of the key.
fn pair([certificate, key]: &[Vec<u8>; 2], provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|_| "the certificate is not PEM".to_owned())?;
    if chain.is_empty() {
        return Err("there is no certificate in the file".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| "there is no private key in PEM".to_owned())?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::generate_simple_self_signed;

    use super::*;

    /// A certificate and its key, as the files hold them.
    fn made() -> [Vec<u8>; 2] {
        let made = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        [pem("CERTIFICATE", made.cert.der()), pem("PRIVATE KEY", &made.signing_key.serialize_der())]
    }

    fn pem(label: &str, bytes: &[u8]) -> Vec<u8> {
        let lines = STANDARD.encode(bytes);
        format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n").into_bytes()
    }

    fn write(files: &Tls, [certificate, key]: &[Vec<u8>; 2]) {
        std::fs::write(files.certificate_file.as_ref().unwrap(), certificate).unwrap();
        std::fs::write(files.key_file.as_ref().unwrap(), key).unwrap();
    }

    fn shown(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
        certificate.current.0.read().unwrap().cert.clone()
    }

    #[test]
    fn a_new_pair_that_cannot_be_used_leaves_the_old_one_and_a_later_good_one_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let [certificate_file, key_file] =
            ["certificate.pem", "key.pem"].map(|name| Some(folder.path().join(name)));
        let files = Tls { certificate_file, key_file };
        let (first, second) = (made(), made());
        write(&files, &first);
        let certificate = Certificate::open(&files).unwrap().unwrap();
        let before = shown(&certificate);
        let [good, key] = &second;

        for bad in
            [[good.clone(), first[1].clone()], [good.clone(), b"no key".to_vec()], [Vec::new(), key.clone()]]
        {
            write(&files, &bad);
            certificate.replace(&read_both(&files).unwrap());
            assert_eq!(shown(&certificate), before);
        }

        write(&files, &second);
        certificate.replace(&read_both(&files).unwrap());
        assert_ne!(shown(&certificate), before);
        assert!(matches!(Certificate::open(&Tls { key_file: None, ..files }), Ok(None)));
    }
}
