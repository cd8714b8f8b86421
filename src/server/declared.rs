//! Customers and LINE accounts that the configuration declares: created or updated at each start.

use crate::config::Config;
use crate::config::account::CustomerReference;
use crate::error::{Error, Result};
use crate::model::account::{Credential, NewAccount};
use crate::model::customer::Profile;
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
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
            customers::save(tx, customer.id, &profile.into())?;
        }
        for account in &declared.accounts {
            let new = NewAccount {
                id: account.id,
                name: account.name.clone(),
                detail: account.detail.clone(),
                secret: checked(&account.secret, account.id)?,
                secret_next: account
                    .secret_next
                    .as_ref()
                    .map(|secret| checked(secret, account.id))
                    .transpose()?,
                credential: match account.credential() {
                    Credential::Token(token) => Credential::Token(checked(&token, account.id)?),
                    channel @ Credential::ChannelId(_) => channel,
                },
                delivery_mode: account.delivery_mode,
            };
            accounts::declare(tx, resolve(tx, &declared, &account.customer)?, &new)?;
        }
        Ok(())
    })
}

/// A credential that can stand in a header; a file may hold a byte order mark or two lines.
fn checked(secret: &Secret, account: AccountId) -> Result<Secret> {
    let message =
        format!("the secret and the token of account {account} must be visible ASCII characters on one line");
    Secret::credential(secret.expose()).ok_or(Error::Unusable(message))
}

/// The customer that an account names: one of the file, whose names are its own, else one that is known already.
fn resolve(tx: &Transaction<'_>, config: &Config, reference: &CustomerReference) -> Result<CustomerId> {
    let known = match reference {
        CustomerReference::Id(id) => customers::get(tx, *id).map(|customer| customer.id),
        CustomerReference::Name(name) => {
            match config.customers.iter().find(|customer| customer.name == *name) {
                Some(declared) => Ok(declared.id),
                None => customers::find_by_name(tx, name),
            }
        }
    };
    known.map_err(|error| Error::Unusable(format!("an account is declared for {reference:?}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::account::DeclaredAccount;
    use crate::config::customer::DeclaredCustomer;
    use crate::config::key_source::KeySource;
    use crate::model::account::{Account, DeliveryMode};
    use crate::model::customer::ProfileChange;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    fn declared(token: &str) -> Config {
        let id = CustomerId::new(NOW);
        let customer = DeclaredCustomer {
            id,
            name: "shop".to_owned(),
            detail: String::new(),
            webhook_method: "POST".to_owned(),
            webhook_uri: None,
        };
        let account = DeclaredAccount {
            id: AccountId::new(NOW),
            customer: CustomerReference::Name("shop".to_owned()),
            name: "line".to_owned(),
            detail: String::new(),
            secret: Secret::new("secret"),
            secret_file: None,
            secret_next: None,
            secret_next_file: None,
            token: Secret::new(token),
            token_file: None,
            channel_id: None,
            delivery_mode: DeliveryMode::default(),
        };
        Config { customers: vec![customer], accounts: vec![account], ..Config::default() }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeySource::File(folder.path().join("secret.key"));
        let store = Store::open(&folder.path().join("kaiwa.db"), &keys, 16).unwrap();
        (folder, store)
    }

    fn account(store: &Store, config: &Config) -> Account {
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        store.reader().unwrap().read(|connection| accounts::get(connection, customer, id)).unwrap()
    }

    #[test]
    fn each_start_brings_declared_accounts_up_to_date_and_touches_no_others() {
        let (_folder, store) = store();
        let mut config = declared("first");

        save(&store, &config, NOW).unwrap();
        save(&store, &config, NOW.next()).unwrap();
        let unchanged = account(&store, &config);
        config.accounts[0].token = Secret::new("second");
        save(&store, &config, NOW.next()).unwrap();

        assert_eq!(unchanged.tm_update, unchanged.tm_create);
        assert_eq!(account(&store, &config).token.expose(), "second");
    }

    #[test]
    fn a_declared_account_that_was_removed_is_connected_again() {
        let (_folder, store) = store();
        let config = declared("token");
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        store.write_blocking(NOW, move |tx| accounts::remove(tx, customer, id)).unwrap();

        save(&store, &config, NOW).unwrap();

        assert_eq!(account(&store, &config).token.expose(), "token");
    }

    #[test]
    fn names_in_the_file_are_those_of_the_file_whoever_else_has_one() {
        let (_folder, store) = store();
        let config = declared("token");
        let stranger = ProfileChange { name: Some("shop".to_owned()), ..ProfileChange::default() };
        store.write_blocking(NOW, move |tx| customers::save(tx, CustomerId::new(NOW), &stranger)).unwrap();

        save(&store, &config, NOW).unwrap();

        assert_eq!(account(&store, &config).customer, config.customers[0].id);
    }

    #[test]
    fn an_account_of_nobody_is_refused_with_the_name() {
        let (_folder, store) = store();
        let mut config = declared("token");
        config.accounts[0].customer = CustomerReference::Name("nobody".to_owned());

        let refused = save(&store, &config, NOW).unwrap_err();

        assert!(matches!(&refused, Error::Unusable(text) if text.contains("nobody")), "{refused}");
    }
}
