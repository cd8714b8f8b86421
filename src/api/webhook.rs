//! LINE's webhook: signature, durable storage, 200 — in that order, and nothing else before the answer.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::api::app::App;
use crate::api::body::Raw;
use crate::error::{Error, Result};
use crate::line::{signature, webhook};
use crate::model::account::{Account, Check, ParkReason};
use crate::model::id::AccountId;
use crate::store::{accounts, inbound};

/// Takes in the events of one webhook.
///
/// 401 without LINE's signature, and the same for an account that does not exist. LINE waits two seconds: a storage
/// that takes longer is answered with 503, and what it then stores all the same is told from LINE's next copy.
pub async fn receive(
    id: web::Path<String>,
    request: HttpRequest,
    Raw(body): Raw,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let account = signed_by(&app, &id, &request, &body)?;
    let webhook = webhook::parse(&body)?;
    check_destination(&account, &webhook.destination);
    if webhook.events.is_empty() {
        return Ok(HttpResponse::Ok().finish());
    }
    let now = app.shared.clock.now();
    let lags: Vec<_> =
        webhook.events.iter().filter_map(|event| Some(now.since(event.occurred_at?))).collect();
    let may_reply = waits_for_replies(&account);
    let profile_ttl = app.shared.config.line.profile_ttl;
    let receive =
        app.shared.store.write(now, move |tx| inbound::receive(tx, account.id, &webhook.events, profile_ttl));
    let late = |_| Error::Unavailable("the storage is too slow".to_owned());
    let received =
        tokio::time::timeout(app.shared.config.limits.webhook_timeout, receive).await.map_err(late)??;
    app.shared.count(received, &lags);
    if received.stored > 0 {
        app.shared.alarms.names.wake();
        app.shared.alarms.medias.wake();
        if may_reply {
            app.shared.alarms.deliveries.wake();
        }
    }
    Ok(HttpResponse::Ok().finish())
}

/// Whether messages wait for a quota that is used up: an event brings a token with which one can go out for free.
fn waits_for_replies(account: &Account) -> bool {
    account.parked.as_ref().is_some_and(|parked| parked.reason == ParkReason::Quota)
}

/// The account whose channel secret signed these bytes.
fn signed_by(app: &App, id: &str, request: &HttpRequest, body: &[u8]) -> Result<Account> {
    let account = match id.parse::<AccountId>() {
        Ok(id) => app.reader.read(|connection| accounts::find(connection, id))?,
        Err(_) => None,
    };
    let signature = request.headers().get(signature::HEADER);
    let signed = account.zip(signature).filter(|(account, signature)| {
        account.secrets().any(|secret| signature::verify(secret, body, signature.as_bytes()))
    });
    if let Some((account, _)) = signed {
        return Ok(account);
    }
    app.shared.counters.webhooks_refused.add(1);
    Err(Error::BadCredentials("the signature of this webhook is not LINE's"))
}

/// The signature has proved the channel; another bot in the body is an odd setup that an operator should know of.
fn check_destination(account: &Account, destination: &str) {
    if let Check::Good(bot) = &account.check
        && bot.user_id != destination
    {
        log::warn!("webhook: account {} got a webhook for the bot {destination:?}", account.id);
    }
}
