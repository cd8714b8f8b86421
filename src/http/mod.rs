//! The HTTP client with which everything here asks others: LINE, customers' receivers, hosts of files, another kaiwa.
//!
//! How an answer begins and ends is hyper's to tell (RFC 9112): interim answers are passed over, and a body that breaks off
//! before its end is an error and never a short body.

mod connector;
mod failure;
mod response;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use http_body_util::Full;
use hyper::http::request::Builder;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;

use connector::Connector;

pub use connector::tls;
pub use failure::{Failure, FailureKind};
pub use hyper::header;
pub use hyper::{Method, StatusCode};
pub use response::Response;

/// A request that has no body yet.
pub type Request = Builder;

/// Says of a host and an address that its name stands for whether it may be connected to.
pub type Filter = Arc<dyn Fn(&str, IpAddr) -> bool + Send + Sync>;

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
    pub filter: Filter,
}

/// Asks any server. It follows no redirect, has no cookies, and adds no header but `host`.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Connector, Full<Bytes>>,
    is_kept: bool,
    places: Arc<Semaphore>,
}

impl Settings {
    /// The certificate authorities of the web, connections that are not kept, and any address.
    pub fn new(connect_timeout: Duration, connections: usize) -> Self {
        let filter: Filter = Arc::new(|_, _| true);
        Self { tls: tls(), connect_timeout, idle: Duration::ZERO, connections, filter }
    }
}

impl Client {
    /// A client with these settings. Its connections live on the runtime of the thread that asks.
    pub fn new(settings: Settings) -> Self {
        let Settings { tls, connect_timeout, idle, connections, filter } = settings;
        let is_kept = !idle.is_zero();
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(idle)
            .pool_max_idle_per_host(if is_kept { connections } else { 0 })
            .http1_allow_spaces_after_header_name_in_responses(true)
            .build(Connector::new(tls, connect_timeout, filter));
        Self { inner, is_kept, places: Arc::new(Semaphore::new(connections)) }
    }

    /// Sends a request; gives the head of the final answer, which has to come within so long. Its body is still to come.
    pub async fn send(
        &self,
        request: Request,
        body: impl Into<Bytes>,
        within: Duration,
    ) -> Result<Response, Failure> {
        let late = |_| Failure::new(FailureKind::Late, "no answer in time");
        tokio::time::timeout(within, self.exchange(request, body.into())).await.map_err(late)?
    }

    async fn exchange(&self, request: Request, body: Bytes) -> Result<Response, Failure> {
        let request = if self.is_kept { request } else { request.header(header::CONNECTION, "close") };
        let unusable = |error: hyper::http::Error| Failure::new(FailureKind::Address, error.to_string());
        let request = request.body(Full::new(body)).map_err(unusable)?;
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.map_err(|error| Failure::new(FailureKind::Unconnected, error.to_string()))?;
        let answer = self.inner.request(request).await.map_err(|error| Failure::of_exchange(&error))?;
        Response::new(answer, place)
    }
}
