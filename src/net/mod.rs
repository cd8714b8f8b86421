//! What any client of others needs: LINE's API, customers' receivers, hosts of files, another kaiwa; and in `listening` what is
//! below the parser of everything that listens.
//!
//! awc, from the makers of the server, asks; how an answer begins and ends is for `answers` to tell (RFC 9112): interim
//! answers are passed over, and a body that breaks off before its end is an error and never a short body. An address that
//! somebody else chose is asked by `outbound_client` alone, which connects to nothing that the SSRF guard refuses.

mod answers;
mod connector;
mod failure;
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
use request::Sending;

pub use awc::http::Method;
pub use awc::http::header;
pub use connector::tls;
pub use failure::{FailureKind, RequestFailure};
pub use request::Request;
pub use response::Response;

/// Says of a host and an address that its name stands for whether it may be connected to.
pub type AddressFilter = Arc<dyn Fn(&str, IpAddr) -> bool>;

/// How connections are made and kept.
pub struct Settings {
    /// Whom to trust.
    pub tls: rustls::ClientConfig,
    /// Finding the address, connecting and TLS may take so long together.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept; with nothing, each request has a connection of its own.
    pub idle: Duration,
    /// So many requests may be under way at once; more wait.
    pub connections: usize,
    /// Which addresses of names may be connected to. An address that stands in a URL as numbers is not asked about.
    pub filter: AddressFilter,
}

/// Asks any server. It follows no redirect, has no cookies, and takes no encoding of bodies. It is bound to the thread that made
/// it, as awc is.
#[derive(Clone)]
pub struct Client {
    /// With connections that are kept, unless there are none.
    kept: Option<Pool>,
    /// With connections that are not.
    alone: Pool,
    places: Arc<Semaphore>,
}

/// Connections to any servers.
#[derive(Clone)]
struct Pool {
    plain: awc::Client,
    /// Within TLS, which is made beneath awc: what is seen there is the answer itself.
    secure: awc::Client,
    is_kept: bool,
}

impl Settings {
    /// The certificate authorities of the web, connections that are not kept, and any address.
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
                // The places say how many there may be, for both clients together.
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
            Pool { plain, secure, is_kept: !idle.is_zero() }
        };
        let kept = (!idle.is_zero()).then(|| pool(idle));
        Self { kept, alone: pool(Duration::ZERO), places: Arc::new(Semaphore::new(connections)) }
    }

    /// Sends a request; gives the head of the final answer, which has to come within so long. Its body is still to come.
    pub async fn send(
        &self,
        request: Request,
        body: impl Into<Bytes>,
        within: Duration,
    ) -> Result<Response, RequestFailure> {
        let late = |_| RequestFailure::new(FailureKind::Late, "no answer in time");
        tokio::time::timeout(within, self.send_once(request, body.into())).await.map_err(late)?
    }

    async fn send_once(&self, request: Request, body: Bytes) -> Result<Response, RequestFailure> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place =
            place.map_err(|error| RequestFailure::new(FailureKind::Unconnected, error.to_string()))?;
        let sending = request.into_parts()?;
        let kept = self.kept.as_ref().filter(|_| !sending.is_alone);
        if kept.is_some() {
            // Whether the other side has closed an idle connection is known only once what came in between was looked at.
            tokio::task::yield_now().await;
        }
        let mut answer = kept.unwrap_or(&self.alone).send(&sending, body.clone()).await;
        if sending.is_repeatable && answer.as_ref().is_err_and(failure::is_unheard) {
            answer = self.alone.send(&sending, body).await;
        }
        answer
            .map(|answer| Response::new(answer, place))
            .map_err(|error| RequestFailure::of_send_error(&error))
    }
}

impl Pool {
    async fn send(&self, sending: &Sending, body: Bytes) -> Result<ClientResponse, SendRequestError> {
        let client = if sending.is_secure { &self.secure } else { &self.plain };
        let mut request = client.request(sending.method.clone(), sending.uri.clone());
        request.headers_mut().clone_from(&sending.headers);
        if !self.is_kept {
            request = request.force_close();
        }
        let is_bare = body.is_empty() && matches!(sending.method, Method::GET | Method::HEAD);
        if is_bare { request.send().await } else { request.send_body(body).await }
    }
}
