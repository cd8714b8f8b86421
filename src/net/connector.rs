//! Connections: names are resolved and judged, then TCP, then TLS, and above it all the reading of answers.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_service::Service;
use actix_tls::connect::rustls_0_23::{TlsConnector, TlsConnectorService};
use actix_tls::connect::{self, ConnectError, ConnectInfo, Connection, ConnectorService, Resolve};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;

use crate::net::AddressFilter;
use crate::net::answers::{AnswerStream, FramedAnswers};

/// Makes connections, within TLS or without.
#[derive(Clone)]
pub struct Connector {
    tcp: ConnectorService,
    tls: Option<TlsConnectorService>,
}

/// Resolves names; what the filter does not let pass is not among the addresses. A name is judged when it is resolved for
/// the connection, so that it cannot change its meaning in between.
struct Resolver {
    filter: AddressFilter,
}

/// No address of the name passes the filter.
#[derive(Debug)]
pub struct RefusedAddress;

impl Connector {
    pub fn new(tls: Option<Arc<rustls::ClientConfig>>, filter: AddressFilter) -> Self {
        let resolver = connect::Resolver::custom(Resolver { filter });
        Self { tcp: connect::Connector::new(resolver).service(), tls: tls.map(TlsConnector::service) }
    }
}

impl Service<ConnectInfo<Uri>> for Connector {
    type Response = Connection<Uri, FramedAnswers>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, wanted: ConnectInfo<Uri>) -> Self::Future {
        let (connected, tls) = (self.tcp.call(wanted), self.tls.clone());
        Box::pin(async move {
            let connected = connected.await?;
            let (stream, connection): (Box<dyn AnswerStream>, _) = if let Some(tls) = tls {
                let secured = tls.call(connected).await.map_err(ConnectError::Io)?;
                let (stream, connection) = secured.replace_io(());
                (Box::new(stream), connection)
            } else {
                let (stream, connection) = connected.replace_io(());
                (Box::new(stream), connection)
            };
            Ok(connection.replace_io(FramedAnswers::new(stream)).1)
        })
    }
}

impl Resolve for Resolver {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?;
            let passing: Vec<_> = found.filter(|address| (self.filter)(host, address.ip())).collect();
            if passing.is_empty() { Err(RefusedAddress.into()) } else { Ok(passing) }
        })
    }
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("no address of this name may be connected to")
    }
}

impl Error for RefusedAddress {}

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
