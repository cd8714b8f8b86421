//! Query string parameters.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::Method;

use crate::error::{Error, InvalidRule, Result};
use crate::model::page::{Page, ParticipantPage};

/// The parameter that every call accepts.
const TOKEN: &str = "token";

/// The first parameter with this name. Both `%20` and `+` decode to a space.
pub fn parameter<'request>(request: &'request HttpRequest, name: &str) -> Option<Cow<'request, str>> {
    let parameters = url::form_urlencoded::parse(request.query_string().as_bytes());
    parameters.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The query parameters of each method of a route; a method that is not listed accepts any.
pub struct Parameters(pub Vec<(Method, &'static [&'static str])>);

/// Checks that the route accepts the query of this request. The caller must be authenticated first: nobody else
/// learns which parameters exist.
pub fn check_names(request: &HttpRequest) -> Result<()> {
    check_text(request.query_string())?;
    let parameters = request.app_data::<Parameters>().into_iter().flat_map(|Parameters(all)| all);
    let mut names = parameters.filter(|(method, _)| method == request.method()).map(|(_, names)| *names);
    names.next().map_or(Ok(()), |names| check(request.query_string(), names))
}

/// Checks that the query decodes to UTF-8: invalid bytes would otherwise be silently replaced.
fn check_text(query: &str) -> Result<()> {
    let Some(odd) = query.split('&').find(|parameter| !is_text(parameter)) else { return Ok(()) };
    let (name, _) = url::form_urlencoded::parse(odd.as_bytes()).next().unwrap_or_default();
    let message = format!("`{name}` must be UTF-8, percent-encoded like `%E9%A0%98`");
    Err(Error::invalid(InvalidRule::Argument, message))
}

fn is_text(parameter: &str) -> bool {
    let mut pieces = parameter.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        bytes.extend_from_slice(&piece.as_bytes()[if byte.is_some() { 2 } else { 0 }..]);
    }
    str::from_utf8(&bytes).is_ok()
}

/// Checks that the query has no parameters but these and a token, each at most once: a misspelled one would
/// otherwise go unnoticed, and of two it would be unclear which one counts.
fn check(query: &str, names: &[&str]) -> Result<()> {
    let mut seen = Vec::new();
    for (name, _) in url::form_urlencoded::parse(query.as_bytes()) {
        if name != TOKEN && !names.contains(&name.as_ref()) {
            let known: Vec<_> = names.iter().chain(&[TOKEN]).map(|name| format!("`{name}`")).collect();
            let message =
                format!("`{name}` is not a parameter of this call, which accepts {}", known.join(", "));
            return Err(Error::invalid(InvalidRule::Argument, message));
        }
        if seen.contains(&name) {
            return Err(Error::invalid(
                InvalidRule::Argument,
                format!("`{name}` is in the query more than once"),
            ));
        }
        seen.push(name);
    }
    Ok(())
}

/// The requested page of a list.
pub fn page(request: &HttpRequest) -> Result<Page> {
    Page::parse(parameter(request, "page_size").as_deref(), parameter(request, "page_token").as_deref())
}

/// The requested page of participants.
pub fn participant_page(request: &HttpRequest) -> Result<ParticipantPage> {
    let parameter = |name| parameter(request, name);
    ParticipantPage::parse(parameter("page_size").as_deref(), parameter("page_token").as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_that_is_not_utf8_is_rejected_by_name() {
        for query in ["", "a=%E9%A0%98", "a=領&b=%", "a=%zz%E9%A0%98%", "a=%EF%BF%BD", "%41=1&a=+"] {
            assert!(check_text(query).is_ok(), "{query}");
        }
        for query in [
            "a=%FF",
            "b=1&a=b%80c",
            "a=%E9%A0",
            "a=%E9%A0&b=%98",
            "a=%E9%A0%%98",
            "a=%ed%a0%bd",
            "a=\u{9818}%80",
        ] {
            let message = check_text(query).unwrap_err().to_string();
            assert!(message.contains("`a`"), "{query}: {message}");
        }
        assert!(check_text("%FF=1").is_err());
    }

    #[test]
    fn only_known_parameters_are_accepted_each_once() {
        let takes = |query: &str| check(query, &["page_size", "page_token"]).is_ok();

        for query in [
            "",
            "&",
            "&&",
            "token=a",
            "page_size=1&token=a",
            "page%5Fsize=1",
            "page_token=a+b%20c",
            "page_size",
        ] {
            assert!(takes(query), "{query}");
        }
        for query in [
            "pagesize=1",
            "Page_size=1",
            "page_size=1&page_size=1",
            "token=a&token=b",
            "=",
            "%00=1",
            "ticket=a",
        ] {
            assert!(!takes(query), "{query}");
        }
    }
}
