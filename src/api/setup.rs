//! Setup: registers this server's webhook with LINE, for every LINE account of the caller.

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::api::accounts as account_api;
use crate::api::app::App;
use crate::api::body::Json;
use crate::api::caller::Caller;
use crate::error::{Error, Result, Rule};
use crate::line::client::{WebhookEndpoint, WebhookTest};
use crate::model::account::{Account, Bot, Check};
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::model::view::{BotView, REFERENCE_TYPE};
use crate::store::transaction::Transaction;
use crate::store::{accounts, customers, webhook_endpoints};

/// What to set up.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupBody {
    reference_type: String,
}

#[derive(Serialize)]
struct SetupView<'a> {
    result: Vec<AccountSetupView<'a>>,
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

/// How the setup of one account went.
struct Connected {
    account: AccountId,
    bot: Bot,
    endpoint: WebhookEndpoint,
    test: WebhookTest,
}

/// Makes the caller known and connects its accounts. Repeating it is harmless.
pub async fn create(
    caller: Caller,
    Json(body): Json<SetupBody>,
    app: web::Data<App>,
) -> Result<HttpResponse> {
    if body.reference_type != REFERENCE_TYPE {
        return Err(Error::invalid(Rule::ReferenceType, "the only `reference_type` is `line`"));
    }
    let Caller { customer, profile } = caller;
    let now = app.shared.clock.now();
    let save = move |tx: &Transaction<'_>| {
        customers::save(tx, customer, &profile)?;
        webhook_endpoints::enable_if_disabled(tx, customer)
    };
    app.shared.store.write(now, save).await?;
    let mut connected = Vec::new();
    for account in accounts_of(&app, customer).await? {
        connected.push(connect(&app, &account).await.map_err(|error| error.of_account(account.id))?);
    }
    Ok(HttpResponse::Ok().json(SetupView { result: connected.iter().map(AccountSetupView::from).collect() }))
}

/// All accounts of the caller. There may be many: a read that may take long.
async fn accounts_of(app: &App, customer: CustomerId) -> Result<Vec<Account>> {
    let accounts = app.shared.store.read(move |connection| accounts::all_of(connection, customer)).await?;
    if accounts.is_empty() {
        let message = "this customer has no LINE account: create one with POST /v1.0/conversation_accounts";
        return Err(Error::invalid(Rule::LineAccount, message));
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
