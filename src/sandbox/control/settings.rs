//! Faults and settings of the platform.

use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::web::{Bytes, Data, Header, Json, Path};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::platform::Platform;
use crate::sandbox::records::contents::{Readiness, SampleContent};
use crate::sandbox::records::faults::FaultRule;
use crate::sandbox::records::quota::MonthlyQuota;
use crate::sandbox::state::Redelivery;

/// Maximum number of entries of a redelivery schedule.
const REDELIVERIES_MAX: usize = 100;

/// The lifetime of reply tokens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplyTokenSettings {
    life_ms: u64,
}

/// The webhook settings; missing ones are left unchanged.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    endpoint: Option<String>,
    active: Option<bool>,
}

/// `GET /sandbox/state`
pub async fn state(platform: Data<Platform>) -> Json<Value> {
    Json(platform.with(|state| {
        let saved = state.saved();
        json!({
            "channel": saved.channel,
            "bot": saved.bot,
            "webhook": saved.webhook,
            "users": saved.people.users().collect::<Vec<_>>(),
            "groups": saved.people.groups().collect::<Vec<_>>(),
            "quota": state.quota,
            "redelivery": state.redelivery,
            "reply_tokens": { "life_ms": state.reply_tokens.lifetime().as_millis() },
            "faults": state.faults.rules(),
        })
    }))
}

/// `GET /sandbox/faults`
pub async fn faults(platform: Data<Platform>) -> Json<Vec<FaultRule>> {
    Json(platform.with(|state| state.faults.rules().to_vec()))
}

/// `PUT /sandbox/faults`
pub async fn set_faults(body: Json<Vec<FaultRule>>, platform: Data<Platform>) -> Json<Vec<FaultRule>> {
    platform.set_faults(body.into_inner());
    faults(platform).await
}

/// `PUT /sandbox/quota`
pub async fn set_quota(body: Json<MonthlyQuota>, platform: Data<Platform>) -> Json<MonthlyQuota> {
    platform.with(|state| state.quota = *body);
    body
}

/// `PUT /sandbox/redelivery`
pub async fn set_redelivery(
    body: Json<Redelivery>,
    platform: Data<Platform>,
) -> Result<Json<Redelivery>, Refusal> {
    if body.schedule_ms.len() > REDELIVERIES_MAX {
        return Err(Refusal::bad_request(format!("there can be at most {REDELIVERIES_MAX} redeliveries")));
    }
    platform.set_redelivery(body.clone());
    Ok(body)
}

/// `PUT /sandbox/reply-tokens`
pub async fn set_reply_tokens(body: Json<ReplyTokenSettings>, platform: Data<Platform>) -> Json<Value> {
    platform.with(|state| state.reply_tokens.set_lifetime(Duration::from_millis(body.life_ms)));
    Json(json!({ "life_ms": body.life_ms }))
}

/// `PUT /sandbox/webhook`
pub async fn set_webhook(body: Json<WebhookSettings>, platform: Data<Platform>) -> Json<Value> {
    let WebhookSettings { endpoint, active } = body.into_inner();
    Json(platform.with(|state| {
        let webhook = &mut state.saved_mut().webhook;
        webhook.endpoint = endpoint.or(webhook.endpoint.take());
        webhook.active = active.unwrap_or(webhook.active);
        json!(webhook)
    }))
}

/// `DELETE /sandbox/tokens`: all short-lived tokens (15 minutes) expire at once.
pub async fn expire_tokens(platform: Data<Platform>) -> Json<Value> {
    platform.with(|state| state.stateless_tokens.expire());
    Json(json!({}))
}

/// `PUT /sandbox/contents/{message}`: sets the content of this message to the body.
pub async fn set_content(
    message: Path<String>,
    content_type: Header<ContentType>,
    body: Bytes,
    platform: Data<Platform>,
) -> Json<Value> {
    let content_type = content_type.into_inner().0;
    let kind = match content_type.type_().as_str() {
        kind @ ("image" | "video" | "audio") => kind,
        _ => "file",
    };
    let content = SampleContent::new(kind, content_type.as_ref(), body);
    platform.with(|state| state.contents.put(&message, content));
    Json(json!({}))
}

/// `PUT /sandbox/contents/{message}/readiness`
pub async fn set_readiness(
    message: Path<String>,
    body: Json<Readiness>,
    platform: Data<Platform>,
) -> Result<Json<Readiness>, Refusal> {
    platform.with(|state| {
        let content = state.contents.get_mut(&message);
        let content = content.ok_or_else(|| Refusal::not_found("content of the message", &message))?;
        content.readiness = *body;
        Ok(body)
    })
}
