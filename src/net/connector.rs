//! Opens connections: resolves and filters names, then TCP, then TLS, with response framing on top.

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
use crate::net::framed_stream::{FramedStream, RawStream};

/// Opens connections with or without TLS.
#[derive(Clone)]
pub struct Connector {
    tcp: ConnectorService,
    tls: Option<TlsConnectorService>,
}

/// Resolves names and drops addresses that the filter refuses. A name is checked when it is resolved for the
/// connection, so that its address cannot change in between.
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
    type Response = Connection<Uri, FramedStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    fn poll_ready(&self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&self, target: ConnectInfo<Uri>) -> Self::Future {
        let (connected, tls) = (self.tcp.call(target), self.tls.clone());
        Box::pin(async move {
            let connected = connected.await?;
            let (stream, connection): (Box<dyn RawStream>, _) = if let Some(tls) = tls {
                let secured = tls.call(connected).await.map_err(ConnectError::Io)?;
                let (stream, connection) = secured.replace_io(());
                (Box::new(stream), connection)
            } else {
                let (stream, connection) = connected.replace_io(());
                (Box::new(stream), connection)
            };
            Ok(connection.replace_io(FramedStream::new(stream)).1)
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
            let resolved = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?;
            let allowed: Vec<_> = resolved.filter(|address| (self.filter)(host, address.ip())).collect();
            if allowed.is_empty() { Err(RefusedAddress.into()) } else { Ok(allowed) }
        })
    }
}

impl fmt::Display for RefusedAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("every address of this name is refused")
    }
}

impl Error for RefusedAddress {}

/// A TLS configuration with the public certificate authorities, for any client.
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
