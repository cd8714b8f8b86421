//! The server process: its start and stop, TLS, the service manager and metrics.

mod metrics;
mod stopping;
pub mod supervised;
mod tls;
