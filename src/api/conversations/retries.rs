//! Retries: sends a failed message again.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::api::conversations::messages::{prefers_no_wait, show};
use crate::api::request::body::MaybeJson;
use crate::api::request::caller::Caller;
use crate::api::request::capacity;
use crate::api::request::field::or_default;
use crate::api::request::idempotency_key::IdempotencyKey;
use crate::error::Result;
use crate::model::created::Created;
use crate::model::id::{ConversationId, MessageId};
use crate::runtime::app::App;
use crate::store::chats::conversations;
use crate::store::outbox::{idempotency, sending};

/// The request body.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Retry even when the message may have been sent, or LINE's events say that nothing reaches the recipient.
    #[serde(default, deserialize_with = "or_default")]
    force: bool,
}

/// Sends a failed message again, and waits for LINE as sending does.
pub async fn create(
    caller: Caller,
    ids: web::Path<(String, String)>,
    request: HttpRequest,
    MaybeJson(Retry { force }): MaybeJson<Retry>,
    (app, key): (web::Data<App>, IdempotencyKey),
) -> Result<HttpResponse> {
    let of = (caller.customer, ids.0.parse::<ConversationId>()?);
    let id: MessageId = ids.1.parse()?;
    let conversation = app.reader.read(|connection| conversations::get(connection, of.0, of.1))?;
    conversation.check_sendable(force)?;
    capacity::require_capacity(&app, caller.customer)?;
    let mut outcome = app.shared.outcomes.expect(id);
    let now = app.shared.clock.now();
    let claim = key.claim();
    let retry = app.shared.store.write(now, move |tx| {
        sending::retry(tx, of, id, force)?;
        idempotency::note(tx, claim.as_ref(), Created::Message(id))
    });
    retry.await?;
    app.shared.wakers.deliveries.wake();
    if !prefers_no_wait(&request) {
        outcome.wait(app.shared.config.delivery.wait).await;
    }
    show(&app, of, id)
}
