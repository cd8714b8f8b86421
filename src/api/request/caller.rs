//! The authenticated caller: taking a `Caller` as an argument is what makes a route private.

use std::borrow::Cow;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::api::request::state::app;
use crate::api::request::{query, same_origin};
use crate::error::{Error, Result};
use crate::model::accounts::customer::ProfileChange;
use crate::model::id::CustomerId;
use crate::runtime::bearer::{Bearer, Verified};
use crate::runtime::grant::Grant;

/// The customer on whose behalf a request is made.
#[derive(Clone)]
pub struct Caller {
    /// The customer's id.
    pub customer: CustomerId,
    /// What the token says about the customer.
    pub profile: ProfileChange,
    /// How long the authorization lasts.
    pub grant: Grant,
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

/// Authenticates the caller and charges the request to its token, once per request: later extractions return
/// the same result.
fn caller(request: &HttpRequest) -> Result<Caller> {
    if let Some(known) = request.extensions().get::<Caller>() {
        return Ok(known.clone());
    }
    let app = app(request);
    let Presented { token, location } = presented(request).ok_or(Error::NoCredentials)?;
    let now = app.shared.clock.now();
    let Verified { bearer, expires_at } = app.shared.verifier.verify(&token, now)?;
    if location == TokenLocation::Cookie {
        same_origin::require(request)?;
    }
    app.shared.limits.take_token(&token, now)?;
    query::check_names(request)?;
    let Bearer { customer, profile } = bearer;
    let caller = Caller { customer, profile, grant: Grant { expires_at } };
    request.extensions_mut().insert(caller.clone());
    Ok(caller)
}

/// A token, and where it was found.
struct Presented<'request> {
    token: Cow<'request, str>,
    location: TokenLocation,
}

/// Where a token can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenLocation {
    /// In the header or the query: set by the client deliberately.
    Request,
    /// In a cookie: added by the browser, no matter which site made the request.
    Cookie,
}

/// The token of the header, else of the query, else of the cookie. An empty one does not count, and neither
/// does a header with another scheme: that one is meant for a proxy in front.
fn presented(request: &HttpRequest) -> Option<Presented<'_>> {
    let header = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let (scheme, bearer) = header.and_then(|header| header.split_once(' ')).unwrap_or_default();
    let in_header = scheme.eq_ignore_ascii_case("bearer").then(|| Cow::Borrowed(bearer.trim()));
    let given = |token: &Cow<'_, str>| !token.is_empty();
    let in_query = || query::parameter(request, "token").filter(given);
    let in_request = in_header.filter(given).or_else(in_query);
    let in_cookie = || request.cookie("token").map(|cookie| Cow::Owned(cookie.value().to_owned()));
    let of_request = in_request.map(|token| Presented { token, location: TokenLocation::Request });
    of_request.or_else(|| {
        in_cookie().filter(given).map(|token| Presented { token, location: TokenLocation::Cookie })
    })
}
