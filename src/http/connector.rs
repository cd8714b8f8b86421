//! Connections: names are resolved and judged, then TCP, then TLS, all of it within a time.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{DefaultServerNameResolver, HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::http::Filter;

type AnyError = Box<dyn Error + Send + Sync>;
type Made<T> = Pin<Box<dyn Future<Output = Result<T, AnyError>> + Send>>;

/// Makes connections, within a time.
#[derive(Clone)]
pub struct Connector {
    inner: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
}

/// Resolves names; what the filter does not let pass is not among the addresses. A name is judged when it is resolved for
/// the connection, so that it cannot change its meaning in between.
#[derive(Clone)]
pub struct Resolver {
    filter: Filter,
}

/// No address of the name passes the filter.
#[derive(Debug)]
pub struct Refused;

/// There was no connection in time.
#[derive(Debug)]
pub struct Late;

impl Connector {
    pub fn new(tls: rustls::ClientConfig, timeout: Duration, filter: Filter) -> Self {
        let mut http = HttpConnector::new_with_resolver(Resolver { filter });
        http.enforce_http(false);
        http.set_nodelay(true);
        let names = Arc::new(DefaultServerNameResolver::default());
        Self { inner: HttpsConnector::new(http, tls, false, names), timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = AnyError;
    type Future = Made<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let made = tokio::time::timeout(self.timeout, self.inner.call(uri));
        Box::pin(async move { made.await.unwrap_or_else(|_| Err(Late.into())) })
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = AnyError;
    type Future = Made<Self::Response>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let filter = Arc::clone(&self.filter);
        Box::pin(async move {
            // The port is put in later.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let passing: Vec<_> = found.filter(|address| filter(name.as_str(), address.ip())).collect();
            if passing.is_empty() { Err(Refused.into()) } else { Ok(passing.into_iter()) }
        })
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no address of this name may be connected to")
    }
}

impl Error for Refused {}

impl fmt::Display for Late {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no connection in time")
    }
}

impl Error for Late {}

/// TLS with the certificate authorities of the web, for any client.
pub fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let authorities = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<rustls::RootCertStore>();
    let mut settings = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the safe versions")
        .with_root_certificates(authorities)
        .with_no_client_auth();
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    settings
}
