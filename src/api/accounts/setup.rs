//! Setup: registers this server's webhook with LINE, for every LINE account of the caller.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::api::accounts as account_api;
use crate::api::request::body::Json;
use crate::api::request::caller::Caller;
use crate::api::webhooks::endpoint::check_method;
use crate::contract::views::{BotView, REFERENCE_TYPE};
use crate::error::{Error, InvalidRule, Result};
use crate::line::responses::{WebhookEndpoint, WebhookTest};
use crate::model::accounts::account::{Account, Bot, Check};
use crate::model::accounts::customer::ProfileChange;
use crate::model::accounts::sources::{FieldSource, HeldField};
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::net::ssrf_guard::SsrfGuard;
use crate::runtime::app::App;
use crate::store::accounts::customers;
use crate::store::{accounts, webhooks};

/// The request body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupBody {
    reference_type: String,
}

#[derive(Serialize)]
struct SetupView<'a> {
    result: Vec<AccountSetupView<'a>>,
    #[serde(skip_serializing_if = "<[NotTaken]>::is_empty")]
    not_taken: &'a [NotTaken],
}

/// A field of the token's claim that was not applied.
#[derive(Serialize)]
struct NotTaken {
    field: &'static str,
    reason: &'static str,
    message: String,
}

#[derive(Serialize)]
struct AccountSetupView<'a> {
    account_id: AccountId,
    webhook_uri: &'a str,
    bot: BotView<'a>,
    active: bool,
    test: TestView<'a>,
}

#[derive(Serialize)]
struct TestView<'a> {
    success: bool,
    status_code: i32,
    reason: &'a str,
    detail: &'a str,
}

/// The result of setting up one account.
struct Connected {
    account: AccountId,
    bot: Bot,
    endpoint: WebhookEndpoint,
    test: WebhookTest,
}

/// Registers the caller and connects its accounts. Idempotent.
pub async fn create(
    caller: Caller,
    Json(body): Json<SetupBody>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    if body.reference_type != REFERENCE_TYPE {
        return Err(Error::invalid(InvalidRule::ReferenceType, "the only `reference_type` is `line`"));
    }
    let Caller { customer, profile, .. } = caller;
    let now = app.shared.clock.now();
    let (claim, mut not_taken) = checked(profile, &SsrfGuard::new(&app.shared.config.limits.allowed_hosts));
    let save = app.shared.store.write(now, move |tx| {
        let held = customers::take_claim(tx, customer, claim)?;
        webhooks::reset::enable_if_disabled(tx, customer)?;
        Ok(held)
    });
    not_taken.extend(save.await?.into_iter().map(NotTaken::from));
    let mut connected = Vec::new();
    for account in accounts_of(&app, customer).await? {
        connected.push(connect(&app, &account).await.map_err(|error| error.of_account(account.id))?);
    }
    let result = connected.iter().map(AccountSetupView::from).collect();
    Ok(HttpResponse::Ok().json(SetupView { result, not_taken: &not_taken }))
}

/// Splits a claim into what can be applied and what cannot. The webhook address follows the same rules as in
/// `PUT /v1.0/webhook`.
fn checked(mut claim: ProfileChange, guard: &SsrfGuard) -> (ProfileChange, Vec<NotTaken>) {
    let address = claim.webhook_uri.as_deref().map(|uri| guard.check_receiver(uri));
    let method = claim.webhook_method.as_deref().map(check_method);
    let mut not_taken = Vec::new();
    for (field, checked) in [("webhook_uri", address), ("webhook_method", method)] {
        if let Some(Err(message)) = checked {
            claim.retain(|other| other != field);
            not_taken.push(NotTaken { field, reason: "refused", message });
        }
    }
    (claim, not_taken)
}

/// All accounts of the caller. There may be many, so this reads in the background rather than on the HTTP
/// thread.
async fn accounts_of(app: &App, customer: CustomerId) -> Result<Vec<Account>> {
    let accounts = app.shared.store.read(move |connection| accounts::all_of(connection, customer)).await?;
    if accounts.is_empty() {
        let message = "this customer has no LINE account: create one with POST /v1.0/conversation_accounts";
        return Err(Error::invalid(InvalidRule::LineAccount, message));
    }
    Ok(accounts)
}

/// Reads the bot, sets the webhook, reads it back, and lets LINE test it.
async fn connect(app: &App, account: &Account) -> Result<Connected> {
    let bot = match account_api::check(app, account).await? {
        Check::Good(bot) => bot,
        Check::Refused(_) | Check::Unreachable(_) | Check::Unchecked => {
            app.tokens.call(account.id, &account.token, async |token| app.line.bot(token).await).await?
        }
    };
    let uri = app.shared.webhook_uri(account.id).ok_or_else(|| {
        let message = "`public_url` is not configured: LINE needs to know where to reach this server";
        Error::Conflict(message.to_owned())
    })?;
    let register = async |token: &Secret| {
        app.line.set_webhook(token, &uri).await?;
        Ok((app.line.webhook(token).await?, app.line.test_webhook(token).await?))
    };
    let (endpoint, test) = app.tokens.call(account.id, &account.token, register).await?;
    Ok(Connected { account: account.id, bot, endpoint, test })
}

impl From<HeldField> for NotTaken {
    fn from(held: HeldField) -> Self {
        let HeldField { field, by } = held;
        let (reason, message) = match by {
            FieldSource::File => {
                ("declared", format!("`customers[].{field}` of the configuration file takes precedence"))
            }
            FieldSource::Call | FieldSource::Token | FieldSource::Default => {
                ("set_by_call", "a value set by an API call or a command takes precedence".to_owned())
            }
        };
        Self { field, reason, message }
    }
}

impl<'a> From<&'a Connected> for AccountSetupView<'a> {
    fn from(connected: &'a Connected) -> Self {
        let WebhookTest { success, status_code, reason, detail } = &connected.test;
        Self {
            account_id: connected.account,
            webhook_uri: &connected.endpoint.endpoint,
            bot: BotView::from(&connected.bot),
            active: connected.endpoint.active,
            test: TestView { success: *success, status_code: *status_code, reason, detail },
        }
    }
}
