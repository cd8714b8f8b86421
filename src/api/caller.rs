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
    let token = token(request).ok_or(Error::NoCredentials)?;
    let now = app.shared.clock.now();
    let Bearer { customer, profile } = app.shared.verifier.verify(&token, now)?;
    app.shared.limits.take_token(&token, now)?;
    Ok(Caller { customer, profile })
}

/// The token of the header, else of the query, else of the cookie. An empty one is none, and so is a header of another
/// scheme: it is meant for a proxy in front.
fn token(request: &HttpRequest) -> Option<Cow<'_, str>> {
    let header = request.headers().get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let (scheme, bearer) = header.and_then(|header| header.split_once(' ')).unwrap_or_default();
    let in_header = scheme.eq_ignore_ascii_case("bearer").then(|| Cow::Borrowed(bearer.trim()));
    let given = |token: &Cow<'_, str>| !token.is_empty();
    let in_query = || query::parameter(request, "token").filter(given);
    let in_cookie =
        || request.cookie("token").map(|cookie| Cow::Owned(cookie.value().to_owned())).filter(given);
    in_header.filter(given).or_else(in_query).or_else(in_cookie)
}
