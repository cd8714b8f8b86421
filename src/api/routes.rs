//! The list of all routes.

use actix_web::web;

use crate::api::accounts::{quota, setup, webhook};
use crate::api::conversations::{messages, participants, read_and_typing, retries};
use crate::api::events::{feed, tickets};
use crate::api::files::{medias, public_files, uploads};
use crate::api::operator::health;
use crate::api::route::{Route, route_not_found};
use crate::api::{accounts, conversations, openapi, webhooks};
use crate::contract::paths::{UPLOADS, WEBHOOK};

/// The query parameters of every list.
const PAGE: &[&str] = &["page_size", "page_token"];

/// The query parameters of the list of deliveries.
const DELIVERIES: &[&str] = &["page_size", "page_token", "state", "conversation_id"];

/// Registers every route, and a 404 for all other paths.
pub fn routes(service: &mut web::ServiceConfig) {
    for route in all() {
        route.register(service);
    }
    service.default_service(web::to(route_not_found));
}

/// Every route of the server; `openapi/document.json` describes the same ones, which a test checks.
pub fn all() -> Vec<Route> {
    [conversations(), line_accounts(), events(), files(), webhooks(), about()].into_iter().flatten().collect()
}

fn conversations() -> Vec<Route> {
    vec![
        Route::at("/v1.0/conversations/setup").post(setup::create),
        Route::at("/v1.0/conversations").get(conversations::list).takes(PAGE),
        Route::at("/v1.0/conversations/{id}").get(conversations::get).put(conversations::update),
        Route::at("/v1.0/conversations/{id}/messages")
            .get(messages::list)
            .takes(PAGE)
            .post(messages::send)
            .idempotent(),
        Route::at("/v1.0/conversations/{id}/messages/{message_id}").get(messages::get),
        Route::at("/v1.0/conversations/{id}/messages/{message_id}/retry").post(retries::create).idempotent(),
        Route::at("/v1.0/conversations/{id}/participants").get(participants::list).takes(PAGE),
        Route::at("/v1.0/conversations/{id}/read").post(read_and_typing::read),
        Route::at("/v1.0/conversations/{id}/typing").post(read_and_typing::typing),
    ]
}

/// Customers' LINE accounts, and LINE's webhook.
fn line_accounts() -> Vec<Route> {
    vec![
        Route::at("/v1.0/conversation_accounts")
            .get(accounts::list)
            .takes(PAGE)
            .post(accounts::create)
            .idempotent(),
        Route::at("/v1.0/conversation_accounts/{id}")
            .get(accounts::get)
            .put(accounts::update)
            .delete(accounts::remove),
        Route::at("/v1.0/conversation_accounts/{id}/quota").get(quota::get),
        Route::at(WEBHOOK).post(webhook::receive).takes_anything(),
    ]
}

/// The live feed.
fn events() -> Vec<Route> {
    vec![
        Route::at("/v1.0/events").get(feed::read).takes(&[
            "conversation_id",
            "type",
            "last_event_id",
            "ticket",
        ]),
        Route::at("/v1.0/events/tickets").post(tickets::create),
    ]
}

/// Files: uploaded by customers, served to LINE and its users.
fn files() -> Vec<Route> {
    vec![
        Route::at(UPLOADS).post(uploads::create).takes(&["filename"]).idempotent(),
        Route::at("/v1.0/medias/{id}").get(medias::get),
        Route::at("/v1.0/medias/{id}/preview").get(medias::preview),
        Route::at("/m/{id}/{name}").get(public_files::whole),
        Route::at("/m/{id}/preview/{name}").get(public_files::preview),
    ]
}

/// Customers' webhooks: the endpoint and its deliveries.
fn webhooks() -> Vec<Route> {
    vec![
        Route::at("/v1.0/webhook").get(webhooks::endpoint::get).put(webhooks::endpoint::update),
        Route::at("/v1.0/webhook/rotate").post(webhooks::endpoint::rotate),
        Route::at("/v1.0/webhook_deliveries").get(webhooks::deliveries::list).takes(DELIVERIES),
        Route::at("/v1.0/webhook_deliveries/{id}").get(webhooks::deliveries::get),
        Route::at("/v1.0/webhook_deliveries/{id}/replay").post(webhooks::deliveries::replay),
    ]
}

/// The server itself: health and API documentation.
fn about() -> Vec<Route> {
    vec![
        Route::at("/healthz").get(health::alive),
        Route::at("/readyz").get(health::ready),
        Route::at("/openapi.json").get(openapi::document),
        Route::at("/docs").get(openapi::page),
        Route::at("/docs/page.css").get(openapi::style),
        Route::at("/docs/page.js").get(openapi::script),
    ]
}
