//! Protection against cross-site request forgery: another site's page can make a browser send a request with
//! our cookies.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use url::Url;

use crate::api::request::state::app;
use crate::error::{Error, Result};

/// The relation of the page that made a request to this server, set by the browser and not changeable by a page
/// (W3C, Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// For requests authenticated only by a cookie: `Forbidden` for one that changes something, unless a page of
/// this server made it.
pub fn require(request: &HttpRequest) -> Result<()> {
    let app = app(request);
    if request.method().is_safe() || is_same(request.headers(), app.shared.public_url.as_deref()) {
        return Ok(());
    }
    let expected = "a request authenticated by a cookie must come from a page of this server: send the token in the \
                    header `Authorization: Bearer` instead";
    Err(Error::Forbidden(expected.to_owned()))
}

/// `Sec-Fetch-Site` decides if present; otherwise the `Origin` header, which must be ours.
fn is_same(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    if headers.contains_key(&FETCH_SITE) {
        return only(headers, &FETCH_SITE) == Some("same-origin");
    }
    let Some(origin) = only(headers, &ORIGIN).and_then(origin_of) else { return false };
    let host = || only(headers, &HOST);
    match public_url.and_then(origin_of) {
        Some(public) if public == origin => true,
        // Behind a proxy that forwards the host, and where no public address is configured.
        _ => host().is_some_and(|host| {
            ["http", "https"]
                .iter()
                .any(|scheme| origin_of(&format!("{scheme}://{host}")).as_ref() == Some(&origin))
        }),
    }
}

/// The text of a header that occurs exactly once.
fn only<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name);
    let first = values.next().filter(|_| values.next().is_none())?;
    first.to_str().ok()
}

/// The origin of an address; `None` for an opaque one such as "null".
fn origin_of(address: &str) -> Option<url::Origin> {
    let origin = Url::parse(address).ok()?.origin();
    origin.is_tuple().then_some(origin)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(expected: bool, given: &[(&'static str, &'static str)]) {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }

        assert_eq!(is_same(&headers, Some("https://chat.example.com/kaiwa")), expected, "{given:?}");
    }

    #[test]
    fn only_pages_of_this_server_may_change_something_with_a_cookie() {
        check(true, &[("sec-fetch-site", "same-origin")]);
        check(true, &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")]);
        check(true, &[("origin", "https://chat.example.com")]);
        check(true, &[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]);
        check(true, &[("origin", "https://inner.example"), ("host", "inner.example")]);

        for site in ["same-site", "cross-site", "none", "", "SAME-ORIGIN", "same-origin, none"] {
            check(false, &[("sec-fetch-site", site), ("origin", "https://chat.example.com")]);
        }
        check(false, &[]);
        check(false, &[("host", "chat.example.com")]);
        check(false, &[("origin", "null"), ("host", "null")]);
        check(false, &[("origin", "https://evil.example"), ("host", "chat.example.com")]);
        check(false, &[("origin", "http://chat.example.com"), ("host", "a")]);
        check(false, &[("origin", "https://chat.example.com.evil.example"), ("host", "chat.example.com")]);
        check(false, &[("origin", "https://chat.example.com:444"), ("host", "chat.example.com")]);
        check(false, &[("origin", "https://chat.example.com"), ("origin", "https://evil.example")]);
        check(false, &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]);
        check(false, &[("referer", "https://chat.example.com/")]);
    }
}
