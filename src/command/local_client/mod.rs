//! An HTTP client for the server on this machine, over its public API.

mod pinned;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::net::header::CONTENT_TYPE;
use crate::net::{self, RequestFailure, Settings};

/// The timeout of a whole request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest response; the expected ones have a few hundred bytes.
const RESPONSE_BYTES_MAX: usize = 64 * 1024;

/// A request to a route.
pub struct Request<'request> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The route, without the base path.
    pub path: &'request str,
    /// An additional header, if needed.
    pub header: Option<(&'static str, &'request str)>,
    /// JSON, or empty.
    pub body: &'request str,
}

/// Sends a request to the server at the configured address, and returns status and body of the response.
///
/// `Unusable` when the address is unknown, `Unavailable` when nothing responds there.
pub async fn send(config: &Config, request: &Request<'_>) -> Result<(u16, String)> {
    send_to(reachable(&config.listen)?, config, request).await
}

/// The address of the server for clients on this machine: a wildcard address is reached at loopback.
fn reachable(listen: &str) -> Result<SocketAddr> {
    let unknown = |error| Error::Unusable(format!("cannot find {listen}: {error}"));
    let found = listen.to_socket_addrs().map_err(unknown)?.next();
    let mut address = found.ok_or_else(|| Error::Unusable("`listen` is not an address".to_owned()))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    if address.port() == 0 {
        return Err(Error::Unusable("`listen` picks any free port, so the address is unknown".to_owned()));
    }
    Ok(address)
}

async fn send_to(address: SocketAddr, config: &Config, request: &Request<'_>) -> Result<(u16, String)> {
    let Request { method, path, header, body } = request;
    let mut settings = Settings::new(TIMEOUT, 1);
    let scheme = match &config.tls.certificate_file {
        Some(certificate) => {
            settings.tls = pinned::tls(certificate)?;
            "https"
        }
        None => "http",
    };
    let request = net::Request::new()
        .method(*method)
        .uri(format!("{scheme}://{address}{}{path}", config.base_path))
        .header(CONTENT_TYPE, "application/json");
    let request = header.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let unreachable =
        |error: &dyn Display| Error::Unavailable(format!("{address} does not respond: {error}"));
    let result = async {
        let mut response = net::Client::new(settings).send(request, (*body).to_owned(), TIMEOUT).await?;
        let body = response.read_all(RESPONSE_BYTES_MAX).await?;
        Ok((response.status(), String::from_utf8_lossy(&body).into_owned()))
    };
    let result = tokio::time::timeout(TIMEOUT, result).await.map_err(|error| unreachable(&error))?;
    result.map_err(|failure: RequestFailure| unreachable(&failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_address_is_reached_at_loopback() {
        assert_eq!(reachable("0.0.0.0:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080").unwrap().to_string(), "[::1]:8080");
        assert_eq!(reachable("192.0.2.1:80").unwrap().to_string(), "192.0.2.1:80");
        assert!(matches!(reachable("127.0.0.1:0"), Err(Error::Unusable(_))));
    }
}
