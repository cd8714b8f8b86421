//! How much of the month's messages an account has used, as LINE says.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::{HttpResponse, web};

use crate::api::app::App;
use crate::api::caller::Caller;
use crate::error::Result;
use crate::model::account::Quota;
use crate::model::id::AccountId;
use crate::model::timestamp::Timestamp;
use crate::model::view::QuotaView;
use crate::store::accounts;

/// LINE is asked again after this long.
const AGE_MAX: Duration = Duration::from_mins(1);

/// What LINE said about accounts, and when.
#[derive(Debug, Default)]
pub struct Quotas {
    known: Mutex<HashMap<AccountId, (Timestamp, Quota)>>,
}

/// The quota of one account, at most a minute old.
pub async fn get(caller: Caller, id: web::Path<String>, app: web::Data<App>) -> Result<HttpResponse> {
    let id: AccountId = id.parse()?;
    let account = app.reader.read(|connection| accounts::get(connection, caller.customer, id))?;
    let now = app.shared.clock.now();
    if let Some((at, quota)) = app.shared.quotas.fresh(id, now) {
        return Ok(HttpResponse::Ok().json(QuotaView::new(quota, at)));
    }
    let ask = app.tokens.call(id, &account.token, async |token| app.line.quota(token).await);
    let quota = ask.await.map_err(|error| error.of_account(id))?;
    app.shared.quotas.note(id, (now, quota));
    Ok(HttpResponse::Ok().json(QuotaView::new(quota, now)))
}

impl Quotas {
    /// What LINE said last about each account that somebody asked for.
    pub fn known(&self) -> Vec<(AccountId, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|(account, (_, quota))| (*account, *quota)).collect()
    }

    fn fresh(&self, id: AccountId, now: Timestamp) -> Option<(Timestamp, Quota)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = |(at, _): &(Timestamp, Quota)| *at <= now && now.since(*at) < AGE_MAX;
        known.get(&id).copied().filter(is_fresh)
    }

    fn note(&self, id: AccountId, known: (Timestamp, Quota)) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(id, known);
    }
}
