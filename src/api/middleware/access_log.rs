//! The access log and the request metrics: without query strings, tokens and addresses of files.

use std::net::IpAddr;
use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;

use crate::contract::paths::FILES;
use crate::metrics::Metrics;

/// A request in progress.
pub struct AccessEntry {
    started: Instant,
    method: Method,
    path: String,
    route: Option<String>,
    /// The request id, for the client and the log.
    pub id: String,
    remote: Option<IpAddr>,
}

impl AccessEntry {
    /// Starts the entry of a request from this address, under this id.
    pub fn begin(request: &ServiceRequest, id: String, remote: Option<IpAddr>) -> Self {
        Self {
            started: Instant::now(),
            method: request.method().clone(),
            path: shown(request.path()).to_owned(),
            route: request.match_pattern(),
            id,
            remote,
        }
    }

    /// Logs and counts the response, which is about to be sent with this many bytes.
    pub fn end(self, metrics: &Metrics, status: u16, bytes: u64) {
        let Self { started, method, path, route, id, remote } = self;
        let took = started.elapsed();
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
        metrics.request(self.method.as_str(), self.route, 500, self.started.elapsed());
    }
}

/// The path as logged, without the address of a file: knowing it is enough to read the file.
fn shown(path: &str) -> &str {
    if path.starts_with(FILES) { FILES } else { path }
}
