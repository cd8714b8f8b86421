//! The server that runs on this machine, asked as any client asks it.

mod pinned;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::config::Config;
use crate::error::{Error, Result};

/// How long each step may take: connecting, asking, and each part of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The answers that are asked for have a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

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
/// `Unusable` when that is not said, `Unavailable` when nobody answers there, or something else than kaiwa.
pub fn ask(config: &Config, request: &Request<'_>) -> Result<(u16, String)> {
    let address = reachable(&config.listen)?;
    let unreachable = |error| Error::Unavailable(format!("{address} does not answer: {error}"));
    exchange_with(address, config, request).map_err(unreachable)
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

fn exchange_with(
    address: SocketAddr,
    config: &Config,
    request: &Request<'_>,
) -> std::io::Result<(u16, String)> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = text(address, config, request);
    let answer = match &config.tls.certificate_file {
        Some(certificate) => exchange(pinned::connect(stream, address.ip(), certificate)?, &request)?,
        None => exchange(stream, &request)?,
    };
    parse(&answer).ok_or_else(|| std::io::Error::other("the answer is not kaiwa's"))
}

fn text(address: SocketAddr, config: &Config, request: &Request<'_>) -> String {
    let Request { method, path, header, body } = request;
    let header = header.map_or_else(String::new, |(name, value)| format!("{name}: {value}\r\n"));
    format!(
        "{method} {}{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n{header}\r\n{body}",
        config.base_path,
        body.len()
    )
}

fn exchange(mut stream: impl Read + Write, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body.to_owned()))
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

    #[test]
    fn status_and_body_are_read_from_an_answer_of_http_alone() {
        assert_eq!(parse("HTTP/1.1 503 x\r\na: b\r\n\r\n{}"), Some((503, "{}".to_owned())));
        assert_eq!(parse("SSH-2.0\r\n"), None);
        assert_eq!(parse(""), None);
    }
}
