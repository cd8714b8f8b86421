//! Webhooks of any kind, including kinds that LINE does not send yet.

use actix_web::web::{Bytes, Data, Json, Query, ThinData};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::line::sender::{self, Signature};
use crate::sandbox::line::webhooks::completed;
use crate::sandbox::platform::Platform;
use crate::sandbox::webhook::EmittedWebhook;

/// Maximum number of copies sent at once.
const COPIES_MAX: usize = 100;

/// Events to send; properties that every event has are added if they are missing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomEvents {
    events: Vec<Map<String, Value>>,
    #[serde(default = "one")]
    copies: usize,
}

/// How a raw webhook is signed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    #[serde(default)]
    signature: Signature,
}

/// `POST /sandbox/events`
pub async fn events(
    body: Json<CustomEvents>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let CustomEvents { events, copies } = body.into_inner();
    if !(1..=COPIES_MAX).contains(&copies) {
        return Err(Refusal::bad_request(format!("there can be 1 to {COPIES_MAX} copies")));
    }
    let now = Timestamp::now();
    let webhook = platform.with(|state| {
        let events = events.into_iter().map(|event| completed(state, event, now)).collect();
        EmittedWebhook::new(state.saved(), events)
    });
    let ids = webhook.event_ids();
    let deliveries = (0..copies).map(|_| sender::deliver(&platform, &client, webhook.clone()));
    let outcomes = join_all(deliveries).await;
    Ok(Json(json!({ "webhook_event_ids": ids, "outcomes": outcomes })))
}

/// `POST /sandbox/webhooks`: sends these bytes as they are.
pub async fn raw(
    query: Query<Raw>,
    body: Bytes,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Json<Value> {
    let webhook = platform.with(|state| EmittedWebhook::new(state.saved(), Vec::new()));
    Json(json!(sender::send(&client, &webhook, body.to_vec(), query.signature).await))
}

const fn one() -> usize {
    1
}
