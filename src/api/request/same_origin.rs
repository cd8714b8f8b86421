//! Requests that a browser makes: a page of somebody else may make one with the cookies of ours.

use actix_web::HttpRequest;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use url::Url;

use crate::error::{Error, Result};
use crate::runtime::app::App;

/// Where a request comes from, as the browser says and no page can change (W3C, Fetch Metadata).
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// `Forbidden` for a request that changes something, unless a page of this server made it: for requests whose only proof is a
/// cookie.
pub fn require(request: &HttpRequest) -> Result<()> {
    let app: &actix_web::web::Data<App> = request.app_data().expect("every server is given an App");
    if request.method().is_safe() || is_same(request.headers(), app.shared.public_url.as_deref()) {
        return Ok(());
    }
    let expected = "a request that a cookie authenticates has to come from a page of this server: send the token in the \
                    header `Authorization: Bearer` instead";
    Err(Error::Forbidden(expected.to_owned()))
}

/// What the browser says of the request counts; of one that says nothing the address of its page, which has to be ours.
fn is_same(headers: &HeaderMap, public_url: Option<&str>) -> bool {
    if headers.contains_key(&FETCH_SITE) {
        return only(headers, &FETCH_SITE) == Some("same-origin");
    }
    let Some(origin) = only(headers, &ORIGIN).and_then(origin_of) else { return false };
    let host = || only(headers, &HOST);
    match public_url.and_then(origin_of) {
        Some(public) if public == origin => true,
        // Behind a proxy that passes the host on, and where nobody said what the address is.
        _ => host().is_some_and(|host| {
            ["http", "https"]
                .iter()
                .any(|scheme| origin_of(&format!("{scheme}://{host}")).as_ref() == Some(&origin))
        }),
    }
}

/// The text of a header that is there once.
fn only<'headers>(headers: &'headers HeaderMap, name: &HeaderName) -> Option<&'headers str> {
    let mut values = headers.get_all(name);
    let first = values.next().filter(|_| values.next().is_none())?;
    first.to_str().ok()
}

/// The origin of an address; none of what has none, such as "null".
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
    fn only_pages_of_this_server_change_something_by_a_cookie() {
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
