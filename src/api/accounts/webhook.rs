//! LINE's webhook: verify the signature, store durably, respond 200, in that order and with nothing else before
//! the response.

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};

use crate::api::request::body;
use crate::api::request::client_address::ClientAddress;
use crate::contract::paths::WEBHOOK;
use crate::error::{Error, Result};
use crate::line::{signature, webhook};
use crate::model::accounts::account::{Account, Check, SuspensionReason};
use crate::model::id::AccountId;
use crate::runtime::app::App;
use crate::store::accounts;
use crate::store::chats::inbound;

/// Marks a request with a valid LINE signature, whatever its outcome: it does not count against the sender's
/// rate limit.
pub struct Signed;

/// Whether a request could be a signed webhook: a `POST` to the webhook route.
pub fn may_be_signed(request: &ServiceRequest) -> bool {
    request.method() == Method::POST && request.match_pattern().as_deref() == Some(WEBHOOK)
}

/// Stores the events of one webhook request.
///
/// Responds 401 without a valid signature, and likewise for an unknown account. LINE waits two seconds: slower
/// storage gets a 503, and if the events are stored after all, LINE's redelivery is recognized as a duplicate.
pub async fn receive(
    id: web::Path<String>,
    request: HttpRequest,
    payload: web::Payload,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let (account, body) = signed(&app, &id, &request, payload.into_inner()).await.inspect_err(|error| {
        if let Error::BadCredentials(_) = error {
            app.shared.counters.webhooks_refused.add(1);
        }
    })?;
    let webhook = webhook::parse(&body)?;
    check_destination(&account, &webhook.destination);
    if webhook.events.is_empty() {
        return Ok(HttpResponse::Ok().finish());
    }
    let now = app.shared.clock.now();
    let lags: Vec<_> =
        webhook.events.iter().filter_map(|event| Some(now.since(event.occurred(now)?))).collect();
    let may_reply = waits_for_replies(&account);
    let profile_ttl = app.shared.config.line.profile_ttl;
    let receive = app.shared.store.write(now, move |tx| {
        inbound::receive(tx, account.id, (&webhook.destination, &webhook.events), profile_ttl)
    });
    let late = |_| Error::Unavailable("the storage is too slow".to_owned());
    let received =
        tokio::time::timeout(app.shared.config.limits.webhook_timeout, receive).await.map_err(late)??;
    app.shared.count(received, &lags);
    if received.stored > 0 {
        app.shared.wakers.names.wake();
        app.shared.wakers.medias.wake();
        if may_reply {
            app.shared.wakers.deliveries.wake();
        }
    }
    Ok(HttpResponse::Ok().finish())
}

/// Whether messages wait because the quota is used up: an event brings a reply token, with which a message can
/// be sent free of charge.
fn waits_for_replies(account: &Account) -> bool {
    account.suspension.as_ref().is_some_and(|suspension| suspension.reason == SuspensionReason::Quota)
}

/// The account whose channel secret signed the body, and the body.
///
/// Whatever can be rejected without reading the body is rejected first. Otherwise the body is read only while
/// its address has unproved requests left, unless all of it has already arrived.
async fn signed(
    app: &App,
    id: &str,
    request: &HttpRequest,
    mut payload: Payload,
) -> Result<(Account, Bytes)> {
    let limit_bytes = app.shared.config.limits.webhook_body_bytes;
    body::check_announced(request, limit_bytes)?;
    let refused = || Error::BadCredentials("the signature of this webhook is not LINE's");
    let id: AccountId = id.parse().map_err(|_| refused())?;
    let signature = request.headers().get(signature::HEADER).map(HeaderValue::as_bytes);
    let signature = signature.filter(|signature| signature::is_plausible(signature)).ok_or_else(refused)?;
    let account = app.reader.read(|connection| accounts::find(connection, id))?.ok_or_else(refused)?;
    let client = request.extensions().get::<ClientAddress>().and_then(|client| client.0);
    let body = match app.shared.limits.take_unverified(client, app.shared.clock.now()) {
        Ok(()) => body::read(request, &mut payload, limit_bytes).await?,
        Err(late) => body::at_hand(payload, limit_bytes).await.ok_or(late)?,
    };
    if !account.secrets().any(|secret| signature::verify(secret, &body, signature)) {
        return Err(refused());
    }
    app.shared.limits.verified(client, app.shared.clock.now());
    request.extensions_mut().insert(Signed);
    Ok((account, body))
}

/// Logs a webhook for another bot: the signature proves the channel, but the operator should know about such an
/// odd setup.
fn check_destination(account: &Account, destination: &str) {
    if let Check::Good(bot) = &account.check
        && !bot.user_id.is_empty()
        && bot.user_id != destination
    {
        log::warn!("webhook: account {} got a webhook for the bot {destination:?}", account.id);
    }
}
