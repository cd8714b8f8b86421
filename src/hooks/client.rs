//! The client for addresses that somebody else chose. It is bound to the thread that made it, as `awc` is.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_tls::connect;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::{CONTENT_LENGTH, HeaderMap};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::LocalBoxStream;

use crate::hooks::guard::{Guard, NOT_PUBLIC};
use crate::model::fetch::Obstacle;

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest until the head of an answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks for what stands at an address, with nothing in the request that belongs to us.
#[derive(Clone)]
pub struct Client {
    pub(super) http: awc::Client,
    pub(super) guard: Guard,
}

/// Resolves names for the guard: what it does not let pass is not among the answers.
struct GuardedResolver {
    guard: Guard,
}

/// All addresses of a name were refused.
#[derive(Debug)]
struct NotPublic;

impl Client {
    /// A client with these TLS settings and up to so many connections at once, that connects to nothing that the guard
    /// refuses.
    pub fn new(guard: Guard, tls: rustls::ClientConfig, connections: usize) -> Self {
        let resolver = connect::Resolver::custom(GuardedResolver { guard: guard.clone() });
        let connector = awc::Connector::new()
            .connector(connect::Connector::new(resolver).service())
            .rustls_0_23(Arc::new(tls))
            .timeout(CONNECT_TIMEOUT)
            .limit(connections);
        let http = awc::Client::builder()
            .connector(connector)
            .timeout(HEAD_TIMEOUT)
            .disable_redirects()
            .no_default_headers()
            .finish();
        Self { http, guard }
    }

    /// The bytes at an address, and how many they are said to be.
    pub async fn content(
        &self,
        url: &str,
    ) -> Result<(Option<u64>, LocalBoxStream<'static, Result<Bytes, PayloadError>>), Obstacle> {
        let url = self.guard.check(url).map_err(|reason| Obstacle::Final(reason.to_owned()))?;
        // An idle connection would be looked at only when the same host is asked again.
        let send = self.http.get(url.as_str()).force_close().send();
        let late = |_| Obstacle::NotYet("no answer in time".to_owned());
        let response = tokio::time::timeout(HEAD_TIMEOUT, send).await.map_err(late)?;
        let response = response.map_err(|error| unsent(&error))?;
        let answered = format!("the address answered {}", response.status().as_u16());
        match response.status().as_u16() {
            200 => Ok((length(response.headers()), response.boxed_local())),
            404 | 410 => Err(Obstacle::Final(answered)),
            202 | 408 | 425 | 429 | 500.. => Err(Obstacle::NotYet(answered)),
            _ => Err(Obstacle::Refused(answered)),
        }
    }
}

impl connect::Resolve for GuardedResolver {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn Error>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?;
            let passing: Vec<_> = found.filter(|address| self.guard.passes(host, address.ip())).collect();
            if passing.is_empty() { Err(NotPublic.into()) } else { Ok(passing) }
        })
    }
}

impl fmt::Display for NotPublic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(NOT_PUBLIC)
    }
}

impl Error for NotPublic {}

/// Whether the guard let no address of the name pass.
pub(super) fn is_not_public(error: &ConnectError) -> bool {
    matches!(error, ConnectError::Resolver(cause) if cause.is::<NotPublic>())
}

fn unsent(error: &SendRequestError) -> Obstacle {
    match error {
        SendRequestError::Connect(error) if is_not_public(error) => Obstacle::Final(NOT_PUBLIC.to_owned()),
        SendRequestError::Url(_) => Obstacle::Final("this is no web address".to_owned()),
        _ => Obstacle::NotYet(format!("the address cannot be reached: {error}")),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use actix_tls::connect::Resolve;

    use super::*;

    fn resolver(allowed: &[&str]) -> GuardedResolver {
        let allowed: Vec<_> = allowed.iter().map(|host| (*host).to_owned()).collect();
        GuardedResolver { guard: Guard::new(&allowed) }
    }

    #[actix_web::test]
    async fn a_name_of_this_machine_has_no_address_unless_it_is_allowed() {
        for name in ["localhost", "[::1]", "127.1"] {
            let refused = resolver(&[]).lookup(name, 80).await.unwrap_err();

            assert!(refused.is::<NotPublic>(), "{name}: {refused}");
        }
        assert!(!resolver(&["localhost"]).lookup("localhost", 80).await.unwrap().is_empty());
    }
}
