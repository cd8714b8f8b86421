//! The client for addresses that somebody else chose.

use std::sync::Arc;
use std::time::Duration;

use crate::model::files::fetch::Obstacle;
use crate::net::ssrf_guard::{Guard, NOT_PUBLIC};
use crate::net::{self, Failure, FailureKind, Request, Response, Settings};

/// The longest that connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest until the head of an answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks for what stands at an address, with nothing in the request that belongs to us.
#[derive(Clone)]
pub struct OutboundClient {
    pub(super) http: net::Client,
    pub(super) guard: Guard,
}

impl OutboundClient {
    /// A client with up to so many connections at once, that connects to nothing that the guard refuses. Each request has a
    /// connection of its own: an idle one would be looked at only when the same host is asked again.
    pub fn new(guard: Guard, connections: usize) -> Self {
        let names = guard.clone();
        let filter: net::Filter = Arc::new(move |host, address| names.passes(host, address));
        let settings = Settings { filter, ..Settings::new(CONNECT_TIMEOUT, connections) };
        Self { http: net::Client::new(settings), guard }
    }

    /// What stands at an address, whose bytes are still to come.
    pub async fn content(&self, url: &str) -> Result<Response, Obstacle> {
        let url = self.guard.check(url).map_err(|reason| Obstacle::Final(reason.to_owned()))?;
        let response = self.http.send(Request::new().uri(url.as_str()), "", HEAD_TIMEOUT).await;
        let response = response.map_err(|failure| obstacle(&failure))?;
        let answered = format!("the address answered {}", response.status());
        match response.status() {
            200 => Ok(response),
            404 | 410 => Err(Obstacle::Final(answered)),
            202 | 408 | 425 | 429 | 500.. => Err(Obstacle::NotYet(answered)),
            _ => Err(Obstacle::Refused(answered)),
        }
    }
}

fn obstacle(failure: &Failure) -> Obstacle {
    match failure.kind {
        FailureKind::Refused => Obstacle::Final(NOT_PUBLIC.to_owned()),
        FailureKind::Address => Obstacle::Final("this is no web address".to_owned()),
        _ => Obstacle::NotYet(format!("the address cannot be reached: {failure}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(url: &str, allowed: &[&str]) -> Failure {
        let allowed: Vec<_> = allowed.iter().map(|host| (*host).to_owned()).collect();
        let client = OutboundClient::new(Guard::new(&allowed), 1);
        client.http.send(Request::new().uri(url), "", HEAD_TIMEOUT).await.err().unwrap()
    }

    #[actix_web::test]
    async fn a_name_of_this_machine_has_no_address_unless_it_is_allowed() {
        // A port that nobody listens at.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();

        for name in ["localhost", "LocalHost", "127.1"] {
            let refused = ask(&format!("http://{name}:{free}/"), &[]).await;

            assert_eq!(obstacle(&refused), Obstacle::Final(NOT_PUBLIC.to_owned()), "{name}: {refused}");
        }
        let asked = ask(&format!("http://localhost:{free}/"), &["localhost"]).await;
        assert_eq!(asked.kind, FailureKind::Unconnected, "{asked}");
    }
}
