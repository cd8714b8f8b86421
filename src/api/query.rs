//! Parameters of the query string.

use std::borrow::Cow;

use actix_web::HttpRequest;

use crate::error::Result;
use crate::model::page::Page;

/// The first parameter of this name. Both `%20` and `+` stand for a space.
pub fn parameter<'request>(request: &'request HttpRequest, name: &str) -> Option<Cow<'request, str>> {
    let parameters = url::form_urlencoded::parse(request.query_string().as_bytes());
    parameters.into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

/// The page of a list that is asked for.
pub fn page(request: &HttpRequest) -> Result<Page> {
    Page::parse(parameter(request, "page_size").as_deref(), parameter(request, "page_token").as_deref())
}
