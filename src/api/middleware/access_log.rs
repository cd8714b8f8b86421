//! One request as the log and the metrics show it: without query strings, tokens and addresses of files.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

use crate::contract::paths::FILES;
use crate::metrics::Metrics;

/// A request that is being answered.
pub struct AccessEntry {
    began: Instant,
    method: Method,
    path: String,
    route: Option<String>,
    /// The id of the request, for the client and for the log.
    pub id: String,
    remote: Option<IpAddr>,
}

impl AccessEntry {
    /// A request that has just come from this address, under this id.
    pub fn begin(request: &ServiceRequest, id: String, remote: Option<IpAddr>) -> Self {
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            path: shown(request.path()).to_owned(),
            route: request.match_pattern(),
            id,
            remote,
        }
    }

    /// Logs and counts the answer, which is about to leave with so many bytes.
    pub fn end(self, metrics: &Metrics, status: u16, bytes: u64) {
        let Self { began, method, path, route, id, remote } = self;
        let took = began.elapsed();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let pattern = route.as_deref().unwrap_or("none");
        let remote = remote.map_or_else(|| "nowhere".to_owned(), |remote| remote.to_string());
        log::info!(
            method = method.as_str(), path = path.as_str(), route = pattern, status, micros, bytes,
            request_id = id.as_str(), remote = remote.as_str();
            "{method} {path} {status} {micros} us {bytes} bytes; request {id} from {remote}"
        );
        metrics.request(method.as_str(), route, status, took);
    }

    /// Logs and counts a request whose handler panicked.
    pub fn panicked(self, metrics: &Metrics) {
        log::error!("{} {} panicked; request {}", self.method, self.path, self.id);
        metrics.request(self.method.as_str(), self.route, 500, self.began.elapsed());
    }
}

/// The path as the log shows it: who knows the address of a file may read it.
fn shown(path: &str) -> &str {
    if path.starts_with(FILES) { FILES } else { path }
}
