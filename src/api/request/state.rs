//! The state of the HTTP thread that a request is on.

use actix_web::{HttpRequest, web};

use crate::runtime::app::App;

/// The state. Every server is given one, so that no request is without it.
pub fn app(request: &HttpRequest) -> &web::Data<App> {
    request.app_data().expect("every server is given an App")
}
