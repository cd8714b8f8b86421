//! Who is asking: taking a `Caller` as an argument is what makes a route private.

use std::borrow::Cow;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};

use crate::api::app::App;
use crate::api::query;
use crate::api::token::Bearer;
use crate::error::{Error, Result};
use crate::model::customer::ProfileChange;
use crate::model::id::CustomerId;

/// The customer in whose name a request is made.
pub struct Caller {
    /// The customer's id.
    pub customer: CustomerId,
    /// What the token says about the customer.
    pub profile: ProfileChange,
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(request))
    }
}

fn caller(request: &HttpRequest) -> Result<Caller> {
    let app = request.app_data::<web::Data<App>>().expect("every server is given an App");
    let token = token(request)?.ok_or(Error::NoCredentials)?;
    let Bearer { customer, profile } = app.shared.verifier.verify(&token, app.shared.clock.now())?;
    Ok(Caller { customer, profile })
}

/// The token of the header, else of the query, else of the cookie. An empty one is none.
fn token(request: &HttpRequest) -> Result<Option<Cow<'_, str>>> {
    if let Some(header) = request.headers().get(AUTHORIZATION) {
        let expected = Error::BadCredentials("the header `Authorization` must be `Bearer` and a token");
        let (scheme, token) = header.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(expected)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Error::BadCredentials("the header `Authorization` must be `Bearer` and a token"));
        }
        return Ok(Some(Cow::Borrowed(token.trim())));
    }
    let in_query = query::parameter(request, "token").filter(|token| !token.is_empty());
    let in_cookie = || request.cookie("token").map(|cookie| Cow::Owned(cookie.value().to_owned()));
    Ok(in_query.or_else(in_cookie).filter(|token| !token.is_empty()))
}
