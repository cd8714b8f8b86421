//! The OpenAPI document: `document.json` for programs, and a page that shows it to people.
//!
//! `document.json` is written by hand. Tests check it against the routes and against every response they
//! receive.

use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, web};

use crate::api::json::JSON_TYPE;
use crate::runtime::app::App;

/// OpenAPI 3.1, except for the two placeholders that [`render`] replaces.
const DOCUMENT: &str = include_str!("document.json");

/// The page runs its own script, reads the document, and does nothing else: it never turns text into HTML.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The OpenAPI document.
pub async fn document(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().content_type(JSON_TYPE).body(render(&app.shared.config.base_path))
}

/// The page that shows the document.
pub async fn page() -> HttpResponse {
    asset("text/html; charset=utf-8", include_str!("page.html"))
}

/// The page's style sheet.
pub async fn style() -> HttpResponse {
    asset("text/css; charset=utf-8", include_str!("page.css"))
}

/// The page's script.
pub async fn script() -> HttpResponse {
    asset("text/javascript; charset=utf-8", include_str!("page.js"))
}

/// The document with this version and base path.
fn render(base_path: &str) -> String {
    let base_path = if base_path.is_empty() { "/" } else { base_path };
    let base_path = serde_json::to_string(base_path).expect("a string always serializes");
    DOCUMENT.replacen("\"BASE_PATH\"", &base_path, 1).replacen("VERSION", env!("CARGO_PKG_VERSION"), 1)
}

fn asset(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, HeaderValue::from_static(kind)))
        .insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .insert_header((REFERRER_POLICY, HeaderValue::from_static("no-referrer")))
        .body(text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_states_its_version_and_base_path() {
        for (base_path, expected) in [("", "/"), ("/chat/kaiwa", "/chat/kaiwa")] {
            let document: Value = serde_json::from_str(&render(base_path)).unwrap();

            assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
            assert_eq!(document["servers"][0]["url"], expected);
        }
    }
}
