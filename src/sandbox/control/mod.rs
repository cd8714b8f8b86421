//! The control API: controls people, groups, faults and settings from outside, and shows what was recorded.

pub mod chats;
pub mod client;
pub mod groups;
pub mod records;
pub mod settings;
pub mod taps;
pub mod users;
pub mod webhooks;

use actix_web::web::{
    Json, JsonConfig, PayloadConfig, ServiceConfig, delete, patch, post, put, route, scope, to,
};
use actix_web::{HttpResponse, Route, Scope, guard};
use serde_json::{Value, json};

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::line::events::EmittedEvent;
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::line::sender;
use crate::sandbox::platform::Platform;
use crate::sandbox::state::PlatformData;

/// Images are sent as base64 within JSON.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Mounts `/sandbox`.
pub fn routes(config: &mut ServiceConfig) {
    let json = JsonConfig::default()
        .limit(BODY_BYTES_MAX)
        .content_type_required(false)
        // So that curl can be used without a content type.
        .content_type(|_| true)
        .error_handler(|error, _| Refusal::bad_request(error.to_string()).into());
    let scope = scope("/sandbox").app_data(json).app_data(PayloadConfig::new(BODY_BYTES_MAX));
    config.service(records_and_settings(people(scope)).default_service(to(unknown)));
}

fn people(scope: Scope) -> Scope {
    scope
        .route("/users", read().to(users::list))
        .route("/users", post().to(users::create))
        .route("/users/{user}", patch().to(users::change))
        .route("/users/{user}/say", post().to(users::say))
        .route("/users/{user}/send", post().to(users::send))
        .route("/users/{user}/follow", post().to(users::follow))
        .route("/users/{user}/block", post().to(users::block))
        .route("/users/{user}/edit", post().to(users::edit))
        .route("/users/{user}/unsend", post().to(users::unsend))
        .route("/users/{user}/postback", post().to(users::postback))
        .route("/users/{user}/buttons", read().to(taps::buttons))
        .route("/users/{user}/tap", post().to(taps::tap))
        .route("/users/{user}/album", post().to(users::album))
        .route("/groups", read().to(groups::list))
        .route("/groups", post().to(groups::create))
        .route("/groups/{group}/leave", post().to(groups::leave))
        .route("/groups/{group}/members", post().to(groups::add_members))
        .route("/groups/{group}/members", delete().to(groups::remove_members))
        .route("/events", post().to(webhooks::events))
        .route("/webhooks", post().to(webhooks::raw))
}

fn records_and_settings(scope: Scope) -> Scope {
    scope
        .route("/state", read().to(settings::state))
        .route("/faults", read().to(settings::faults))
        .route("/faults", put().to(settings::set_faults))
        .route("/quota", put().to(settings::set_quota))
        .route("/redelivery", put().to(settings::set_redelivery))
        .route("/reply-tokens", put().to(settings::set_reply_tokens))
        .route("/webhook", put().to(settings::set_webhook))
        .route("/tokens", delete().to(settings::expire_tokens))
        .route("/contents/{message}", put().to(settings::set_content))
        .route("/contents/{message}/readiness", put().to(settings::set_readiness))
        .route("/executed", read().to(records::executed))
        .route("/requests", read().to(records::requests))
        .route("/violations", read().to(records::violations))
        .route("/attempts", read().to(records::attempts))
        .route("/records", delete().to(records::forget))
        .route("/chats/{chat}", read().to(chats::show))
        .route("/chats/{chat}/open", post().to(chats::open))
}

/// A route for `GET` that also serves `HEAD`, without the body.
fn read() -> Route {
    route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn unknown() -> Result<HttpResponse, Refusal> {
    Err(Refusal::not_found("such path", "in the control API"))
}

/// Runs an operation that emits an event, and delivers the event to the bot.
async fn emit_and_notify(
    platform: &Platform,
    client: &net::Client,
    operation: impl FnOnce(&mut PlatformData, Timestamp) -> Result<EmittedEvent, Refusal>,
) -> Result<Json<Value>, Refusal> {
    let emitted = platform.with(|state| operation(state, Timestamp::now()))?;
    Ok(notify(platform, client, emitted).await)
}

/// Delivers an emitted event to the bot; responds with the outcome.
async fn notify(platform: &Platform, client: &net::Client, emitted: EmittedEvent) -> Json<Value> {
    let id = emitted.webhook.event_ids().into_iter().next();
    let outcome = sender::deliver(platform, client, emitted.webhook).await;
    let mut response = json!({
        "webhook_event_id": id,
        "status": outcome.status,
        "reason": outcome.reason,
        "detail": outcome.detail,
    });
    if let Some(id) = emitted.message_id {
        response["message_id"] = json!(id);
    }
    Json(response)
}
