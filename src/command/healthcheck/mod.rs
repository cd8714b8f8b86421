//! `kaiwa healthcheck`: for containers, unit files and scripts, which have no HTTP client.

mod pinned;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::command::output;
use crate::command::settings::Settings;
use crate::config::Config;
use crate::error::{Error, Result};

/// How long each step may take: connecting, asking, and each part of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The answer has a few hundred bytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Asks `/readyz` of the server that listens where the configuration says.
#[derive(Debug, Args)]
pub struct Healthcheck {
    #[command(flatten)]
    settings: Settings,
    /// Print the server's whole answer as JSON.
    #[arg(long)]
    json: bool,
}

impl Healthcheck {
    /// Runs the command. `Unavailable` when the server cannot be reached or is not ready.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let address = reachable(&config.listen)?;
        let unreachable = |error| Error::Unavailable(format!("{address} does not answer: {error}"));
        let (status, body) = ask(address, &config).map_err(unreachable)?;
        if self.json {
            output::json(&body)?;
        }
        match status {
            200 if self.json => Ok(()),
            200 => output::line("ready"),
            _ => Err(Error::Unavailable(format!("{address} is not ready: {}", body["checks"]))),
        }
    }
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

/// Status and body of the answer. Something else than JSON is no answer of ours.
fn ask(address: SocketAddr, config: &Config) -> std::io::Result<(u16, Value)> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request =
        format!("GET {}/readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n", config.base_path);
    let answer = match &config.tls.certificate_file {
        Some(certificate) => exchange(pinned::connect(stream, address.ip(), certificate)?, &request)?,
        None => exchange(stream, &request)?,
    };
    parse(&answer).ok_or_else(|| std::io::Error::other("the answer is not kaiwa's"))
}

fn exchange(mut stream: impl Read + Write, request: &str) -> std::io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

fn parse(answer: &str) -> Option<(u16, Value)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_address_for_all_is_asked_at_the_loopback_one() {
        assert_eq!(reachable("0.0.0.0:8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(reachable("[::]:8080").unwrap().to_string(), "[::1]:8080");
        assert_eq!(reachable("192.0.2.1:80").unwrap().to_string(), "192.0.2.1:80");
        assert!(matches!(reachable("127.0.0.1:0"), Err(Error::Unusable(_))));
    }

    #[test]
    fn status_and_body_are_read_from_an_answer_of_ours_alone() {
        assert_eq!(parse("HTTP/1.1 503 x\r\na: b\r\n\r\n{\"a\":1}"), Some((503, json!({ "a": 1 }))));
        assert_eq!(parse("HTTP/1.1 200 OK\r\n\r\n<html>"), None);
        assert_eq!(parse("SSH-2.0\r\n"), None);
        assert_eq!(parse(""), None);
    }
}
