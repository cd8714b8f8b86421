//! The server that runs on this machine, asked as any client asks it.

mod pinned;

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::net::header::CONTENT_TYPE;
use crate::net::{self, RequestFailure, Settings};

/// How long all of it may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The answers that are asked for have a few hundred bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A request to a route.
pub struct Request<'request> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The route, without the base path.
    pub path: &'request str,
    /// A header of its own, if it needs one.
    pub header: Option<(&'static str, &'request str)>,
    /// JSON, or nothing.
    pub body: &'request str,
}

/// Status and body of the answer of the server that listens where the configuration says.
///
/// `Unusable` when that is not said, `Unavailable` when nobody answers there.
pub async fn ask(config: &Config, request: &Request<'_>) -> Result<(u16, String)> {
    exchange(reachable(&config.listen)?, config, request).await
}

/// Where the server is reached from this machine: whoever listens at every address does so at the loopback one.
fn reachable(listen: &str) -> Result<SocketAddr> {
    let unknown = |error| Error::Unusable(format!("cannot find {listen}: {error}"));
    let found = listen.to_socket_addrs().map_err(unknown)?.next();
    let mut address = found.ok_or_else(|| Error::Unusable("`listen` names no address".to_owned()))?;
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    if address.port() == 0 {
        return Err(Error::Unusable("`listen` takes any free port: nobody can know which".to_owned()));
    }
    Ok(address)
}

async fn exchange(address: SocketAddr, config: &Config, request: &Request<'_>) -> Result<(u16, String)> {
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
    let unreachable = |error: &dyn Display| Error::Unavailable(format!("{address} does not answer: {error}"));
    let answer = async {
        let mut response = net::Client::new(settings).send(request, (*body).to_owned(), TIMEOUT).await?;
        let body = response.read_all(ANSWER_BYTES_MAX).await?;
        Ok((response.status(), String::from_utf8_lossy(&body).into_owned()))
    };
    let answer = tokio::time::timeout(TIMEOUT, answer).await.map_err(|error| unreachable(&error))?;
    answer.map_err(|failure: RequestFailure| unreachable(&failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_for_all_is_asked_at_the_loopback_one() {
        assert_eq!(reachable("0.0.0.0:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080").unwrap().to_string(), "[::1]:8080");
        assert_eq!(reachable("192.0.2.1:80").unwrap().to_string(), "192.0.2.1:80");
        assert!(matches!(reachable("127.0.0.1:0"), Err(Error::Unusable(_))));
    }
}
