//! HTTP clients for LINE's API, customers' webhooks, hosts of files and other kaiwa servers; `listening` has
//! what is below the parser of servers.
//!
//! awc sends the requests; `framed_stream` delimits the responses (RFC 9112): interim responses are skipped, and a
//! truncated body is an error rather than a short body. URLs from third parties are requested through
//! `outbound_client` only, which never connects to an address that the SSRF guard refuses.

mod connector;
mod failure;
mod framed_stream;
mod framing;
mod line_ends;
pub mod listening;
pub mod outbound_client;
mod request;
mod response;
pub mod ssrf_guard;
#[cfg(test)]
mod tests;
pub mod webhook_call;
mod webhook_signature;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use tokio::sync::Semaphore;

use awc::ClientResponse;
use awc::error::SendRequestError;
use connector::Connector;
use request::RequestParts;

pub use awc::http::Method;
pub use awc::http::header;
pub use connector::tls;
pub use failure::{FailureKind, RequestFailure};
pub use request::Request;
pub use response::Response;

/// Whether a host may be connected to at this address, which its name resolves to.
pub type AddressFilter = Arc<dyn Fn(&str, IpAddr) -> bool>;

/// How connections are opened and kept.
pub struct Settings {
    /// The trusted certificate authorities.
    pub tls: rustls::ClientConfig,
    /// Timeout for resolving the name, connecting and TLS together.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept; zero opens a new connection for each request.
    pub idle: Duration,
    /// Maximum number of requests in flight; more wait.
    pub connections: usize,
    /// Which addresses of names may be connected to. Not called for addresses that are literal in a URL.
    pub filter: AddressFilter,
}

/// An HTTP client for any server. It follows no redirects, has no cookies, and requests no content encoding.
/// Like awc, it is bound to the thread that created it.
#[derive(Clone)]
pub struct Client {
    /// Connections that are reused; `None` if none are.
    reused: Option<Pool>,
    /// Connections for one request each.
    fresh: Pool,
    permits: Arc<Semaphore>,
}

/// Connections to any servers.
#[derive(Clone)]
struct Pool {
    plain: awc::Client,
    /// With TLS, which is established below awc: awc sees the plain response.
    secure: awc::Client,
    is_reused: bool,
}

impl Settings {
    /// The public certificate authorities, no reuse of connections, and any address.
    pub fn new(connect_timeout: Duration, connections: usize) -> Self {
        let filter: AddressFilter = Arc::new(|_, _| true);
        Self { tls: tls(), connect_timeout, idle: Duration::ZERO, connections, filter }
    }
}

impl Client {
    /// A client with these settings.
    pub fn new(settings: Settings) -> Self {
        let Settings { tls, connect_timeout, idle, connections, filter } = settings;
        let client = |tls, idle| {
            let connector = awc::Connector::new()
                .connector(Connector::new(tls, Arc::clone(&filter)))
                .timeout(connect_timeout)
                .conn_keep_alive(idle)
                // The permits limit the connections of both clients together.
                .limit(0);
            awc::Client::builder()
                .connector(connector)
                .disable_timeout()
                .disable_redirects()
                .no_default_headers()
                .finish()
        };
        let tls = Arc::new(tls);
        let pool = |idle: Duration| {
            let (plain, secure) = (client(None, idle), client(Some(Arc::clone(&tls)), idle));
            Pool { plain, secure, is_reused: !idle.is_zero() }
        };
        let reused = (!idle.is_zero()).then(|| pool(idle));
        Self { reused, fresh: pool(Duration::ZERO), permits: Arc::new(Semaphore::new(connections)) }
    }

    /// Sends a request and returns the head of the final response, for which `within` is the timeout. The
    /// body is not read yet.
    pub async fn send(
        &self,
        request: Request,
        body: impl Into<Bytes>,
        within: Duration,
    ) -> Result<Response, RequestFailure> {
        let late = |_| RequestFailure::new(FailureKind::Timeout, "timed out");
        tokio::time::timeout(within, self.send_once(request, body.into())).await.map_err(late)?
    }

    async fn send_once(&self, request: Request, body: Bytes) -> Result<Response, RequestFailure> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit =
            permit.map_err(|error| RequestFailure::new(FailureKind::ConnectFailed, error.to_string()))?;
        let parts = request.into_parts()?;
        let reused = self.reused.as_ref().filter(|_| !parts.needs_new_connection);
        if reused.is_some() {
            // Pending I/O events must be handled before it is known whether the other side has closed an idle
            // connection.
            tokio::task::yield_now().await;
        }
        let mut response = reused.unwrap_or(&self.fresh).send(&parts, body.clone()).await;
        if parts.is_repeatable && response.as_ref().is_err_and(failure::is_stale) {
            response = self.fresh.send(&parts, body).await;
        }
        response
            .map(|response| Response::new(response, permit))
            .map_err(|error| RequestFailure::from_send_error(&error))
    }
}

impl Pool {
    async fn send(&self, parts: &RequestParts, body: Bytes) -> Result<ClientResponse, SendRequestError> {
        let client = if parts.is_secure { &self.secure } else { &self.plain };
        let mut request = client.request(parts.method.clone(), parts.uri.clone());
        request.headers_mut().clone_from(&parts.headers);
        if !self.is_reused {
            request = request.force_close();
        }
        let has_no_body = body.is_empty() && matches!(parts.method, Method::GET | Method::HEAD);
        if has_no_body { request.send().await } else { request.send_body(body).await }
    }
}
