//! Customers and LINE accounts that the configuration declares: created or updated at each start.

use crate::config::Config;
use crate::config::account::CustomerReference;
use crate::error::{Error, Result};
use crate::model::account::NewAccount;
use crate::model::customer::Profile;
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::store::transaction::Transaction;
use crate::store::{Store, accounts, customers};

/// Saves them all, or none.
pub fn save(store: &Store, config: &Config, now: Timestamp) -> Result<()> {
    let declared = config.clone();
    store.write_blocking(now, move |tx| {
        for customer in &declared.customers {
            let profile = Profile {
                name: customer.name.clone(),
                detail: customer.detail.clone(),
                webhook_method: customer.webhook_method.clone(),
                webhook_uri: customer.webhook_uri.as_ref().map(ToString::to_string).unwrap_or_default(),
            };
            customers::save(tx, customer.id, &profile)?;
        }
        for account in &declared.accounts {
            let new = NewAccount {
                id: account.id,
                name: account.name.clone(),
                detail: account.detail.clone(),
                secret: account.secret.clone(),
                token: account.token.clone(),
            };
            accounts::declare(tx, resolve(tx, &account.customer)?, &new)?;
        }
        Ok(())
    })
}

/// The customer that an account names, who may have been declared at an earlier start.
fn resolve(tx: &Transaction<'_>, reference: &CustomerReference) -> Result<CustomerId> {
    match reference {
        CustomerReference::Id(id) => customers::get(tx, *id).map(|customer| customer.id),
        CustomerReference::Name(name) => customers::find_by_name(tx, name),
    }
    .map_err(|_| Error::Unusable(format!("an account is declared for the unknown customer {reference:?}")))
}
