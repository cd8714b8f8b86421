//! LINE accounts: connect, list, read, update, remove. Credentials are write-only: no response contains them.

pub mod quota;
pub mod setup;
pub mod webhook;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::api::json::JSON_TYPE;
use crate::api::request::body::Json;
use crate::api::request::caller::Caller;
use crate::api::request::field::{Field, checked};
use crate::api::request::idempotency_key::IdempotencyKey;
use crate::api::request::query;
use crate::contract::views::{AccountView, ListBody, REFERENCE_TYPE};
use crate::error::{Error, InvalidRule, Result};
use crate::model::accounts::account::{
    Account, AccountChange, Check, Credential, DeliveryMode, NewAccount, SecretChange,
};
use crate::model::created::Created;
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::runtime::app::App;
use crate::store::accounts;
use crate::store::accounts::customers;
use crate::store::chats::reconnection;
use crate::store::outbox::{idempotency, removal};

/// The account in a request body.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountBody {
    r#type: Field<String>,
    name: Field<String>,
    detail: Field<String>,
    secret: Field<Secret>,
    secret_next: Field<Secret>,
    token: Field<Secret>,
    channel_id: Field<String>,
    delivery_mode: Field<DeliveryMode>,
}

/// A page of the caller's accounts, newest first.
pub async fn list(caller: Caller, request: HttpRequest, app: web::Data<App>) -> Result<HttpResponse> {
    let page = query::page(&request)?;
    let accounts = app.reader.read(|connection| accounts::page(connection, caller.customer, page))?;
    let mut body = ListBody::default();
    for account in &accounts {
        body.push(&AccountView::new(account, app.shared.webhook_uri(account.id)), account.tm_create);
    }
    Ok(HttpResponse::Ok().content_type(JSON_TYPE).body(body.finish()))
}

/// One account.
pub async fn get(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    show(&app, caller.customer, id.parse()?)
}

/// Connects a channel and checks its token with LINE. While LINE is unreachable, the account works and is shown
/// as unchecked.
pub async fn create(
    caller: Caller,
    Json(body): Json<AccountBody>,
    app: web::Data<App>,
    key: IdempotencyKey,
) -> Result<HttpResponse> {
    let now = app.shared.clock.now();
    let account = body.into_new(AccountId::new(now))?;
    let id = account.id;
    let (Caller { customer, profile, .. }, claim) = (caller, key.claim());
    let create = app.shared.store.write(now, move |tx| {
        customers::introduce(tx, customer, &profile)?;
        accounts::create(tx, customer, &account)?;
        idempotency::note(tx, claim.as_ref(), Created::Account(id))
    });
    create.await?;
    recheck(&app, customer, id).await?;
    show(&app, customer, id)
}

/// Updates an account. A new token is checked at key, and the messages that waited for it are sent.
pub async fn update(
    caller: Caller,
    id: web::Path<String>,
    Json(body): Json<AccountBody>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    let id: AccountId = id.parse()?;
    let change = body.into_change()?;
    let has_new_credential = change.credential.is_some() || change.secret.is_some();
    let now = app.shared.clock.now();
    app.shared.store.write(now, move |tx| accounts::update(tx, caller.customer, id, change)).await?;
    if has_new_credential {
        app.shared.wakers.deliveries.wake();
        recheck(&app, caller.customer, id).await?;
    }
    show(&app, caller.customer, id)
}

/// Removes an account and its credentials.
pub async fn remove(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: AccountId = id.parse()?;
    let now = app.shared.clock.now();
    let remove = app.shared.store.write(now, move |tx| removal::remove_account(tx, caller.customer, id));
    remove.await?.into_iter().for_each(|message| app.shared.outcomes.announce(message));
    Ok(HttpResponse::NoContent().finish())
}

/// Checks an account's token with LINE and stores the result.
pub async fn check(app: &App, account: &Account) -> Result<Check> {
    let id = account.id;
    let bot = app.tokens.call(id, &account.token, async |token| app.line.bot(token).await);
    let check = match bot.await {
        Ok(bot) => Check::Good(bot),
        Err(Error::LineRefused { message, .. }) => Check::Refused(message),
        Err(error) => Check::Unreachable(error.chain()),
    };
    let result = check.clone();
    app.shared
        .store
        .write(app.shared.clock.now(), move |tx| reconnection::save_check(tx, id, &result))
        .await?;
    Ok(check)
}

async fn recheck(app: &App, customer: CustomerId, id: AccountId) -> Result<()> {
    app.shared.wakers.tokens.wake();
    let account = app.reader.read(|connection| accounts::get(connection, customer, id))?;
    check(app, &account).await.map(drop)
}

/// The response that contains an account.
pub fn show(app: &App, customer: CustomerId, id: AccountId) -> Result<HttpResponse> {
    let account: Account = app.reader.read(|connection| accounts::get(connection, customer, id))?;
    Ok(HttpResponse::Ok().json(AccountView::new(&account, app.shared.webhook_uri(id))))
}

impl AccountBody {
    fn of_new(self) -> Self {
        Self {
            r#type: self.r#type.of_new(),
            name: self.name.of_new(),
            detail: self.detail.of_new(),
            secret: self.secret.of_new(),
            secret_next: self.secret_next.of_new(),
            token: self.token.of_new(),
            channel_id: self.channel_id.of_new(),
            delivery_mode: self.delivery_mode.of_new(),
        }
    }

    fn into_new(self, id: AccountId) -> Result<NewAccount> {
        let body = self.of_new();
        if body.r#type == Field::Absent {
            return Err(Error::invalid(InvalidRule::ReferenceType, "an account needs `\"type\": \"line\"`"));
        }
        let AccountChange { name, detail, secret, secret_next, credential, delivery_mode } =
            body.into_change()?;
        Ok(NewAccount {
            id,
            name: name.unwrap_or_default(),
            detail: detail.unwrap_or_default(),
            secret: secret.ok_or_else(|| missing("secret", "the channel secret"))?,
            secret_next: secret_next.apply(None),
            credential: credential
                .ok_or_else(|| missing("token` or `channel_id", "a long-lived channel access token"))?,
            delivery_mode: delivery_mode.unwrap_or_default(),
        })
    }

    fn into_change(self) -> Result<AccountChange> {
        if self.r#type.not_null("type")?.is_some_and(|kind| kind != REFERENCE_TYPE) {
            return Err(Error::invalid(
                InvalidRule::ReferenceType,
                "the only `type` of an account is `line`",
            ));
        }
        Ok(AccountChange {
            name: checked(self.name.or_empty(), "name")?,
            detail: checked(self.detail.or_empty(), "detail")?,
            secret: credential(self.secret.not_null("secret")?, "secret")?,
            secret_next: next(self.secret_next)?,
            credential: message_credential(
                self.token.not_null("token")?,
                self.channel_id.not_null("channel_id")?,
            )?,
            delivery_mode: self.delivery_mode.not_null("delivery_mode")?,
        })
    }
}

fn next(secret: Field<Secret>) -> Result<SecretChange> {
    match secret {
        Field::Absent => Ok(SecretChange::Keep),
        Field::Null => Ok(SecretChange::Remove),
        Field::Given(secret) => Ok(credential(Some(secret), "secret_next")?.into()),
    }
}

/// How messages are authorized: a token, or the id of a channel for which tokens are fetched.
fn message_credential(token: Option<Secret>, channel_id: Option<String>) -> Result<Option<Credential>> {
    let token = credential(token, "token")?;
    let channel_id = credential(channel_id.map(Secret::new), "channel_id")?;
    match (token, channel_id) {
        (Some(_), Some(_)) => Err(Error::invalid(
            InvalidRule::Argument,
            "an account has either a `token` or a `channel_id`, not both",
        )),
        (Some(token), None) => Ok(Some(Credential::Token(token))),
        (None, Some(id)) => Ok(Some(Credential::ChannelId(id.expose().to_owned()))),
        (None, None) => Ok(None),
    }
}

fn missing(field: &str, meaning: &str) -> Error {
    Error::invalid(
        InvalidRule::Argument,
        format!("a LINE account needs `{field}`: {meaning} from LINE's console"),
    )
}

/// A secret or token that is valid in an HTTP header.
fn credential(secret: Option<Secret>, field: &str) -> Result<Option<Secret>> {
    let expected = || {
        let message =
            format!("`{field}` must be visible ASCII characters without spaces, as LINE's console shows it");
        Error::invalid(InvalidRule::Argument, message)
    };
    secret.map(|secret| Secret::credential(secret.expose()).ok_or_else(expected)).transpose()
}
