//! A request that is still to be sent.

use awc::http::Uri;
use awc::http::header::{HOST, HeaderMap, HeaderValue, TryIntoHeaderPair};
use awc::http::uri::{Authority, Scheme};

use crate::net::Method;
use crate::net::failure::{FailureKind, RequestFailure};

/// A request without its body. What is no method, address or header is noticed when it is sent.
#[derive(Default)]
pub struct Request {
    method: Option<Method>,
    uri: String,
    headers: HeaderMap,
    is_wrong: bool,
    is_alone: bool,
    is_repeatable: bool,
}

/// What is sent.
pub(super) struct Sending {
    pub(super) method: Method,
    /// Without TLS in its scheme: that is made beneath awc.
    pub(super) uri: Uri,
    pub(super) is_secure: bool,
    pub(super) is_alone: bool,
    pub(super) is_repeatable: bool,
    pub(super) headers: HeaderMap,
}

impl Request {
    /// `GET` of nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this method.
    pub fn method(self, method: impl TryInto<Method>) -> Self {
        let method = method.try_into().ok();
        Self { is_wrong: self.is_wrong || method.is_none(), method, ..self }
    }

    /// For what is at this address.
    pub fn uri(self, uri: impl AsRef<str>) -> Self {
        Self { uri: uri.as_ref().to_owned(), ..self }
    }

    /// With this header.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        (N, V): TryIntoHeaderPair,
    {
        match (name, value).try_into_pair() {
            Ok((name, value)) => self.headers.append(name, value),
            Err(_) => self.is_wrong = true,
        }
        self
    }

    /// On a connection of its own. The other side may be closing one that was idle, and then nobody knows whether it has read
    /// the request: bad for one that must not be repeated.
    pub fn alone(self) -> Self {
        Self { is_alone: true, ..self }
    }

    /// Sent once more when the other side closes a connection that was idle in the moment in which it is used: good for what may
    /// be done twice.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// `Address` for what cannot be sent.
    pub(super) fn into_parts(self) -> Result<Sending, RequestFailure> {
        let Self { method, uri, mut headers, is_wrong, is_alone, is_repeatable } = self;
        let wrong = || RequestFailure::new(FailureKind::Address, "this is no request to a web address");
        let mut parts = uri.parse::<Uri>().map_err(|_| wrong())?.into_parts();
        let is_secure = match &parts.scheme {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong()),
        };
        let authority = parts.authority.take().filter(|_| !is_wrong).ok_or_else(wrong)?;
        let port = if is_secure { 443 } else { 80 };
        headers.insert(HOST, host(&authority, port).ok_or_else(wrong)?);
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(address.parse().map_err(|_| wrong())?);
        let uri = Uri::from_parts(parts).map_err(|_| wrong())?;
        Ok(Sending { method: method.unwrap_or_default(), uri, is_secure, is_alone, is_repeatable, headers })
    }
}

/// How the host is called in the request: with its port, unless that is the usual one.
fn host(authority: &Authority, usual: u16) -> Option<HeaderValue> {
    let name = match authority.port_u16() {
        Some(port) if port != usual => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: Option<(&str, &str, bool)>) {
        let sending = Request::new().uri(uri).into_parts().ok();
        let found = sending.as_ref().map(|sending| {
            (sending.uri.to_string(), sending.headers.get(HOST).unwrap().to_str().unwrap(), sending.is_secure)
        });

        let found = found.as_ref().map(|(uri, host, is_secure)| (uri.as_str(), *host, *is_secure));
        assert_eq!(found, expected, "{uri}");
    }

    #[test]
    fn an_address_is_asked_at_its_port_and_called_by_its_name() {
        check("https://a.example/b?c=d", Some(("http://a.example:443/b?c=d", "a.example", true)));
        check("https://a.example:8443/", Some(("http://a.example:8443/", "a.example:8443", true)));
        check("http://a.example", Some(("http://a.example:80/", "a.example", false)));
        check("http://a.example:443/", Some(("http://a.example:443/", "a.example:443", false)));
        check("http://[::1]:81/", Some(("http://[::1]:81/", "[::1]:81", false)));
        for uri in ["", "/", "a.example", "ftp://a.example/", "http://", "http://a b/"] {
            check(uri, None);
        }
    }

    #[test]
    fn what_cannot_stand_in_a_request_is_not_sent() {
        let request = || Request::new().uri("http://a.example/");

        assert!(request().header("x", "y").into_parts().is_ok());
        assert!(request().header("x", "y\nz").into_parts().is_err());
        assert!(request().header("x y", "z").into_parts().is_err());
        assert!(request().method("GE T").into_parts().is_err());
    }
}
