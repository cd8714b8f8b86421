//! The HTTP interface: one file for each resource, one list of all routes.

pub mod access;
pub mod accounts;
pub mod app;
pub mod attachments;
pub mod base_path;
pub mod body;
pub mod caller;
pub mod conversations;
pub mod counters;
pub mod deadline;
pub mod error;
pub mod guard;
pub mod health;
pub mod limits;
pub mod medias;
pub mod messages;
pub mod metrics;
pub mod once;
pub mod outgoing;
pub mod public_files;
pub mod query;
pub mod quota;
pub mod range;
pub mod remote;
pub mod retries;
pub mod setup;
pub mod signs;
pub mod token;
pub mod uploads;
pub mod view;
pub mod webhook;

use actix_web::http::header::HeaderValue;
use actix_web::middleware::from_fn;
use actix_web::{HttpRequest, Resource, web};

use crate::error::{Error, Resource as Missing};

/// Bodies of this server are JSON and nobody else's business.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Where files are uploaded.
pub(crate) const UPLOADS: &str = "/v1.0/medias";

/// Where LINE and its users fetch files that were sent: the rest of the path is a secret.
pub(crate) const FILES: &str = "/m/";

/// Where LINE's webhooks go: the rest of the path is the account.
pub(crate) const WEBHOOKS: &str = "/v1.0/conversation/accounts/";

/// Every route of the server.
pub fn routes(service: &mut web::ServiceConfig) {
    service
        .service(at("/healthz", "GET").route(web::get().to(health::alive)))
        .service(at("/readyz", "GET").route(web::get().to(health::ready)))
        .service(at("/v1.0/conversations/setup", "POST").route(web::post().to(setup::create)))
        .service(at("/v1.0/conversations", "GET").route(web::get().to(conversations::list)))
        .service(
            at("/v1.0/conversations/{id}", "GET, PUT")
                .route(web::get().to(conversations::get))
                .route(web::put().to(conversations::update)),
        )
        .service(
            at("/v1.0/conversations/{id}/messages", "GET, POST")
                .route(web::get().to(messages::list))
                .route(web::post().to(messages::send))
                .wrap(from_fn(once::once)),
        )
        .service(at("/v1.0/conversations/{id}/messages/{message}", "GET").route(web::get().to(messages::get)))
        .service(
            at("/v1.0/conversations/{id}/messages/{message}/retry", "POST")
                .route(web::post().to(retries::create))
                .wrap(from_fn(once::once)),
        )
        .service(at("/v1.0/conversations/{id}/read", "POST").route(web::post().to(signs::read)))
        .service(at("/v1.0/conversations/{id}/typing", "POST").route(web::post().to(signs::typing)))
        .configure(line_accounts)
        .configure(files)
        .service(at("/v1.0/conversation/accounts/{id}", "POST").route(web::post().to(webhook::receive)))
        .default_service(web::to(route_not_found));
}

/// LINE accounts of customers.
fn line_accounts(service: &mut web::ServiceConfig) {
    service
        .service(at("/v1.0/conversation_accounts/{id}/quota", "GET").route(web::get().to(quota::get)))
        .service(
            at("/v1.0/conversation_accounts", "GET, POST")
                .route(web::get().to(accounts::list))
                .route(web::post().to(accounts::create))
                .wrap(from_fn(once::once)),
        )
        .service(
            at("/v1.0/conversation_accounts/{id}", "DELETE, GET, PUT")
                .route(web::get().to(accounts::get))
                .route(web::put().to(accounts::update))
                .route(web::delete().to(accounts::remove)),
        );
}

/// Files: taken from customers, given to LINE and its users.
fn files(service: &mut web::ServiceConfig) {
    service
        .service(at(UPLOADS, "POST").route(web::post().to(uploads::create)).wrap(from_fn(once::once)))
        .service(at("/v1.0/medias/{id}", "GET").route(web::get().to(medias::get)))
        .service(at("/v1.0/medias/{id}/preview", "GET").route(web::get().to(medias::preview)))
        .service(
            at("/m/{id}/{name}", "GET, HEAD")
                .route(web::get().to(public_files::whole))
                .route(web::head().to(public_files::whole)),
        )
        .service(
            at("/m/{id}/preview/{name}", "GET, HEAD")
                .route(web::get().to(public_files::preview))
                .route(web::head().to(public_files::preview)),
        );
}

/// A path, and the methods that it takes: any other is told so.
fn at(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |_: HttpRequest| async move {
        Err::<&str, _>(Error::MethodNotAllowed { allow: allow.to_owned() })
    }))
}

async fn route_not_found() -> Result<&'static str, Error> {
    Err(Error::NotFound(Missing::Route))
}
