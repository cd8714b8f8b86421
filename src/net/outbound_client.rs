//! The client for addresses that somebody else chose.

use std::sync::Arc;
use std::time::Duration;

use crate::model::files::fetch::FetchError;
use crate::net::ssrf_guard::{NOT_PUBLIC, SsrfGuard};
use crate::net::{self, FailureKind, Request, RequestFailure, Response, Settings};

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest until the head of an answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks for what stands at an address, with nothing in the request that belongs to us.
#[derive(Clone)]
pub struct OutboundClient {
    pub(super) http: net::Client,
    pub(super) guard: SsrfGuard,
}

impl OutboundClient {
    /// A client with up to so many connections at once, that connects to nothing that the guard refuses. Each request has a
    /// connection of its own: an idle one would be looked at only when the same host is asked again.
    pub fn new(guard: SsrfGuard, connections: usize) -> Self {
        let names = guard.clone();
        let filter: net::AddressFilter = Arc::new(move |host, address| names.passes(host, address));
        let settings = Settings { filter, ..Settings::new(CONNECT_TIMEOUT, connections) };
        Self { http: net::Client::new(settings), guard }
    }

    /// What stands at an address, whose bytes are still to come.
    pub async fn content(&self, url: &str) -> Result<Response, FetchError> {
        let url = self.guard.check(url).map_err(|reason| FetchError::Final(reason.to_owned()))?;
        let response = self.http.send(Request::new().uri(url.as_str()), "", HEAD_TIMEOUT).await;
        let response = response.map_err(|failure| fetch_error(&failure))?;
        let answered = format!("the address answered {}", response.status());
        match response.status() {
            200 => Ok(response),
            404 | 410 => Err(FetchError::Final(answered)),
            202 | 408 | 425 | 429 | 500.. => Err(FetchError::NotYet(answered)),
            _ => Err(FetchError::Refused(answered)),
        }
    }
}

fn fetch_error(failure: &RequestFailure) -> FetchError {
    match failure.kind {
        FailureKind::Refused => FetchError::Final(NOT_PUBLIC.to_owned()),
        FailureKind::Address => FetchError::Final("this is no web address".to_owned()),
        _ => FetchError::NotYet(format!("the address cannot be reached: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(url: &str, allowed: &[&str]) -> RequestFailure {
        let allowed: Vec<_> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let client = OutboundClient::new(SsrfGuard::new(&allowed), 1);
        client.http.send(Request::new().uri(url), "", HEAD_TIMEOUT).await.err().unwrap()
    }

    #[actix_web::test]
    async fn a_name_of_this_machine_has_no_address_unless_it_is_allowed() {
        // A port that nobody listens at.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

        for name in ["localhost", "LocalHost", "127.1"] {
            let refused = ask(&format!("http://{name}:{free}/"), &[]).await;

            assert_eq!(fetch_error(&refused), FetchError::Final(NOT_PUBLIC.to_owned()), "{name}: {refused}");
        }
        let asked = ask(&format!("http://localhost:{free}/"), &["localhost"]).await;
        assert_eq!(asked.kind, FailureKind::Unconnected, "{asked}");
    }
}
