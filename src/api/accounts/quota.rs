//! An account's monthly message quota and its use, as LINE reports them.

use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::api::request::caller::Caller;
use crate::contract::views::QuotaView;
use crate::error::Result;
use crate::model::id::AccountId;
use crate::runtime::app::App;
use crate::store::accounts;

/// How long a quota is served from memory before LINE is asked again.
const AGE_MAX: Duration = Duration::from_mins(1);

/// The quota of one account, at most a minute old.
pub async fn get(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: AccountId = id.parse()?;
    let account = app.reader.read(|connection| accounts::get(connection, caller.customer, id))?;
    let now = app.shared.clock.now();
    if let Some((at, quota)) = app.shared.quotas.fresh(id, now, AGE_MAX) {
        return Ok(HttpResponse::Ok().json(QuotaView::new(quota, at)));
    }
    let ask = app.tokens.call(id, &account.token, async |token| app.line.quota(token).await);
    let quota = ask.await.map_err(|error| error.of_account(id))?;
    app.shared.quotas.record(id, (now, quota));
    Ok(HttpResponse::Ok().json(QuotaView::new(quota, now)))
}
