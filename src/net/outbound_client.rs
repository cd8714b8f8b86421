//! The client for URLs from third parties.

use std::sync::Arc;
use std::time::Duration;

use crate::model::files::fetch::FetchError;
use crate::net::ssrf_guard::{NOT_PUBLIC, SsrfGuard};
use crate::net::{self, FailureKind, Request, RequestFailure, Response, Settings};

/// Timeout for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Timeout for the head of a response.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Requests URLs from third parties; the requests carry none of our credentials.
#[derive(Clone)]
pub struct OutboundClient {
    pub(super) http: net::Client,
    pub(super) guard: SsrfGuard,
}

impl OutboundClient {
    /// A client with up to this many concurrent connections, which never connects to an address that the
    /// guard refuses. Each request has its own connection: an idle one would be checked only when the same
    /// host is requested again.
    pub fn new(guard: SsrfGuard, connections: usize) -> Self {
        let filter_guard = guard.clone();
        let filter: net::AddressFilter =
            Arc::new(move |host, address| filter_guard.allows_address(host, address));
        let settings = Settings { filter, ..Settings::new(CONNECT_TIMEOUT, connections) };
        Self { http: net::Client::new(settings), guard }
    }

    /// Opens the file at a URL; the body is not read yet.
    pub async fn content(&self, url: &str) -> Result<Response, FetchError> {
        let url = self.guard.check(url).map_err(|reason| FetchError::Final(reason.to_owned()))?;
        let response = self.http.send(Request::new().uri(url.as_str()), "", HEAD_TIMEOUT).await;
        let response = response.map_err(|failure| fetch_error(&failure))?;
        let message = format!("the server responded with {}", response.status());
        match response.status() {
            200 => Ok(response),
            404 | 410 => Err(FetchError::Final(message)),
            202 | 408 | 425 | 429 | 500.. => Err(FetchError::NotYet(message)),
            _ => Err(FetchError::Refused(message)),
        }
    }
}

fn fetch_error(failure: &RequestFailure) -> FetchError {
    match failure.kind {
        FailureKind::Refused => FetchError::Final(NOT_PUBLIC.to_owned()),
        FailureKind::Address => FetchError::Final("invalid URL".to_owned()),
        _ => FetchError::NotYet(format!("the server cannot be reached: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn failure_of(url: &str, allowed: &[&str]) -> RequestFailure {
        let allowed: Vec<_> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let client = OutboundClient::new(SsrfGuard::new(&allowed), 1);
        client.http.send(Request::new().uri(url), "", HEAD_TIMEOUT).await.err().unwrap()
    }

    #[actix_web::test]
    async fn local_names_are_refused_unless_allowed() {
        // A port that nobody listens on.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

        for name in ["localhost", "LocalHost", "127.1"] {
            let refused = failure_of(&format!("http://{name}:{port}/"), &[]).await;

            assert_eq!(fetch_error(&refused), FetchError::Final(NOT_PUBLIC.to_owned()), "{name}: {refused}");
        }
        let failure = failure_of(&format!("http://localhost:{port}/"), &["localhost"]).await;
        assert_eq!(failure.kind, FailureKind::ConnectFailed, "{failure}");
    }
}
