//! A request that has not been sent.

use awc::http::Uri;
use awc::http::header::{HOST, HeaderMap, HeaderValue, TryIntoHeaderPair};
use awc::http::uri::{Authority, Scheme};

use crate::net::Method;
use crate::net::failure::{FailureKind, RequestFailure};

/// A request without its body. An invalid method, URL or header is reported when it is sent.
#[derive(Default)]
pub struct Request {
    method: Option<Method>,
    uri: String,
    headers: HeaderMap,
    is_invalid: bool,
    needs_new_connection: bool,
    is_repeatable: bool,
}

/// The validated request.
pub(super) struct RequestParts {
    pub(super) method: Method,
    /// The URL with the scheme `http`, since TLS is established below awc.
    pub(super) uri: Uri,
    pub(super) is_secure: bool,
    pub(super) needs_new_connection: bool,
    pub(super) is_repeatable: bool,
    pub(super) headers: HeaderMap,
}

impl Request {
    /// A `GET` request without a URL.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the method.
    pub fn method(self, method: impl TryInto<Method>) -> Self {
        let method = method.try_into().ok();
        Self { is_invalid: self.is_invalid || method.is_none(), method, ..self }
    }

    /// Sets the URL.
    pub fn uri(self, uri: impl AsRef<str>) -> Self {
        Self { uri: uri.as_ref().to_owned(), ..self }
    }

    /// Adds a header.
    pub fn header<N, V>(mut self, name: N, value: V) -> Self
    where
        (N, V): TryIntoHeaderPair,
    {
        match (name, value).try_into_pair() {
            Ok((name, value)) => self.headers.append(name, value),
            Err(_) => self.is_invalid = true,
        }
        self
    }

    /// Requires a new connection. On a reused one that the other side is just closing it is unknown whether
    /// it has read the request, which is a problem for requests that must not be repeated.
    pub fn on_new_connection(self) -> Self {
        Self { needs_new_connection: true, ..self }
    }

    /// Allows the request to be sent once more if a reused connection turns out to be closed; for idempotent
    /// requests.
    pub fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// Validates the request; fails with `Address`.
    pub(super) fn into_parts(self) -> Result<RequestParts, RequestFailure> {
        let Self { method, uri, mut headers, is_invalid, needs_new_connection, is_repeatable } = self;
        let invalid = || RequestFailure::new(FailureKind::Address, "invalid request or URL");
        let mut parts = uri.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        let is_secure = match &parts.scheme {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(invalid()),
        };
        let authority = parts.authority.take().filter(|_| !is_invalid).ok_or_else(invalid)?;
        let port = if is_secure { 443 } else { 80 };
        headers.insert(HOST, host(&authority, port).ok_or_else(invalid)?);
        let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(port));
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(address.parse().map_err(|_| invalid())?);
        let uri = Uri::from_parts(parts).map_err(|_| invalid())?;
        Ok(RequestParts {
            method: method.unwrap_or_default(),
            uri,
            is_secure,
            needs_new_connection,
            is_repeatable,
            headers,
        })
    }
}

/// The `Host` header: with the port unless it is the default one.
fn host(authority: &Authority, default_port: u16) -> Option<HeaderValue> {
    let name = match authority.port_u16() {
        Some(port) if port != default_port => format!("{}:{port}", authority.host()),
        _ => authority.host().to_owned(),
    };
    HeaderValue::try_from(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, expected: Option<(&str, &str, bool)>) {
        let parts = Request::new().uri(uri).into_parts().ok();
        let found = parts.as_ref().map(|parts| {
            (parts.uri.to_string(), parts.headers.get(HOST).unwrap().to_str().unwrap(), parts.is_secure)
        });

        let found = found.as_ref().map(|(uri, host, is_secure)| (uri.as_str(), *host, *is_secure));
        assert_eq!(found, expected, "{uri}");
    }

    #[test]
    fn the_url_has_the_port_and_the_host_header_the_name() {
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
    fn an_invalid_header_or_method_is_not_sent() {
        let request = || Request::new().uri("http://a.example/");

        assert!(request().header("x", "y").into_parts().is_ok());
        assert!(request().header("x", "y\nz").into_parts().is_err());
        assert!(request().header("x y", "z").into_parts().is_err());
        assert!(request().method("GE T").into_parts().is_err());
    }
}
