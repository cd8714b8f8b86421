//! Creates or updates the customers and LINE accounts that the configuration declares, at each start.

use crate::config::Config;
use crate::config::account::{CustomerReference, ProvisionedAccount};
use crate::config::customer::ProvisionedCustomer;
use crate::error::{Error, Result};
use crate::model::accounts::account::{AccountChange, Credential, SecretChange};
use crate::model::accounts::customer::{MessageDays, ProfileChange};
use crate::model::accounts::sources::FieldSource;
use crate::model::id::{AccountId, CustomerId};
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts::{customers, named, provisioning};
use crate::store::engine::transaction::Transaction;
use crate::store::{Store, accounts};

/// Saves all of them in one transaction.
pub fn save(store: &Store, config: &Config, now: Timestamp) -> Result<()> {
    let declared = config.clone();
    store.write_blocking(now, move |tx| {
        provisioning::give_back(tx)?;
        if !all_known(tx, &declared)? {
            named::require_all(tx)?;
        }
        for customer in &declared.customers {
            customers::set(tx, customer.id, profile(customer), source(customer.is_default))?;
        }
        for account in &declared.accounts {
            let owner = resolve(tx, &declared, &account.customer)?;
            accounts::provision(
                tx,
                (owner, account.id),
                account_change(account)?,
                source(account.is_default),
            )?;
        }
        Ok(())
    })
}

fn all_known(tx: &Transaction<'_>, config: &Config) -> Result<bool> {
    for customer in &config.customers {
        if matches!(customers::get(tx, customer.id), Err(Error::NotFound(_))) {
            return Ok(false);
        }
    }
    for account in &config.accounts {
        if accounts::find(tx, account.id)?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn source(is_default: bool) -> FieldSource {
    if is_default { FieldSource::Default } else { FieldSource::File }
}

fn profile(customer: &ProvisionedCustomer) -> ProfileChange {
    ProfileChange {
        name: customer.name.clone(),
        detail: customer.detail.clone(),
        webhook_method: customer.webhook_method.clone(),
        webhook_uri: customer.webhook_uri.as_ref().map(ToString::to_string),
        message_days: customer.message_days.map_or(MessageDays::Keep, MessageDays::Days),
    }
}

fn account_change(account: &ProvisionedAccount) -> Result<AccountChange> {
    let secret_next = account.secret_next.as_ref().map(|secret| checked(secret, account.id)).transpose()?;
    Ok(AccountChange {
        name: account.name.clone(),
        detail: account.detail.clone(),
        secret: Some(checked(&account.secret, account.id)?),
        secret_next: secret_next.map_or(SecretChange::Keep, SecretChange::Set),
        credential: Some(match account.credential() {
            Credential::Token(token) => Credential::Token(checked(&token, account.id)?),
            channel @ Credential::ChannelId(_) => channel,
        }),
        delivery_mode: account.delivery_mode,
    })
}

/// A credential that is valid in a header; a file may contain a byte order mark or two lines.
fn checked(secret: &Secret, account: AccountId) -> Result<Secret> {
    let message =
        format!("the secret and the token of account {account} must be visible ASCII characters on one line");
    Secret::credential(secret.expose()).ok_or(Error::Unusable(message))
}

/// The customer that an account refers to: one of the file, where names are unique, or else an existing one.
fn resolve(tx: &Transaction<'_>, config: &Config, reference: &CustomerReference) -> Result<CustomerId> {
    let known = match reference {
        CustomerReference::Id(id) => customers::get(tx, *id).map(|customer| customer.id),
        CustomerReference::Name(name) => {
            match config.customers.iter().find(|customer| customer.name.as_ref() == Some(name)) {
                Some(declared) => Ok(declared.id),
                None => customers::find_by_name(tx, name),
            }
        }
    };
    known.map_err(|error| {
        Error::Unusable(format!("an account is declared for the customer {reference:?}: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key_source::KeySource;
    use crate::model::accounts::account::{Account, DeliveryMode};
    use crate::model::accounts::customer::CustomerProfile;
    use crate::store::outbox::removal;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    fn configured(token: &str) -> Config {
        let id = CustomerId::new(NOW);
        let customer = ProvisionedCustomer {
            id,
            name: Some("shop".to_owned()),
            detail: None,
            webhook_method: None,
            webhook_uri: None,
            message_days: None,
            is_default: false,
        };
        let account = ProvisionedAccount {
            id: AccountId::new(NOW),
            customer: CustomerReference::Name("shop".to_owned()),
            name: None,
            detail: None,
            secret: Secret::new("secret"),
            secret_file: None,
            secret_next: None,
            secret_next_file: None,
            token: Secret::new(token),
            token_file: None,
            channel_id: None,
            delivery_mode: None,
            is_default: false,
        };
        Config { customers: vec![customer], accounts: vec![account], ..Config::default() }
    }

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let keys = KeySource::File(directory.path().join("secret.key"));
        let store = Store::open(&directory.path().join("kaiwa.db"), &keys, 16).unwrap();
        (directory, store)
    }

    fn account(store: &Store, config: &Config) -> Account {
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        store.reader().unwrap().read(|connection| accounts::get(connection, customer, id)).unwrap()
    }

    /// A customer's fields on one line.
    fn row(store: &Store, customer: CustomerId) -> String {
        let reader = store.reader().unwrap();
        let known = reader.read(|connection| customers::get(connection, customer)).unwrap();
        let CustomerProfile { name, detail, webhook_method, webhook_uri } = known.profile;
        let days = known.message_days.map_or("none".to_owned(), |days| days.to_string());
        format!("{name} {detail} {webhook_uri} {webhook_method} {days}")
    }

    #[test]
    fn each_start_updates_declared_accounts_only_where_they_differ() {
        let (_directory, store) = store();
        let mut config = configured("first");

        save(&store, &config, NOW).unwrap();
        save(&store, &config, NOW.next()).unwrap();
        let unchanged = account(&store, &config);
        config.accounts[0].token = Secret::new("second");
        save(&store, &config, NOW.next()).unwrap();

        assert_eq!(unchanged.tm_update, unchanged.tm_create);
        assert_eq!(account(&store, &config).token.expose(), "second");
    }

    #[test]
    fn fields_that_the_file_omits_stay_as_they_were_set_elsewhere() {
        let (_directory, store) = store();
        let config = configured("token");
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        let profile = ProfileChange {
            detail: Some("ours".to_owned()),
            webhook_method: Some("PUT".to_owned()),
            webhook_uri: Some("https://shop.example.com/".to_owned()),
            message_days: MessageDays::Days(7),
            ..ProfileChange::default()
        };
        let change = AccountChange {
            name: Some("ours".to_owned()),
            detail: Some("ours".to_owned()),
            secret_next: SecretChange::Set(Secret::new("next")),
            delivery_mode: Some(DeliveryMode::PushOnly),
            ..AccountChange::default()
        };
        let called = store.write_blocking(NOW, move |tx| {
            customers::update(tx, customer, profile)?;
            accounts::update(tx, customer, id, change)
        });
        called.unwrap();
        let (account_before, row_before) = (account(&store, &config), row(&store, customer));

        save(&store, &config, NOW.next()).unwrap();

        let after = account(&store, &config);
        assert_eq!((after.name.as_str(), after.detail.as_str()), ("ours", "ours"));
        assert_eq!(after.secret_next.map(|next| next.expose().to_owned()).as_deref(), Some("next"));
        assert_eq!(
            (after.delivery_mode, after.tm_update),
            (DeliveryMode::PushOnly, account_before.tm_update)
        );
        assert_eq!(row(&store, customer), row_before);
        assert!(row_before.contains("https://shop.example.com/ PUT 7"), "{row_before}");
    }

    #[test]
    fn a_declared_field_belongs_to_the_file_and_keeps_its_value_when_removed_from_it() {
        let (_directory, store) = store();
        let mut config = configured("token");
        config.customers[0].webhook_uri = Some("https://shop.example.com/".parse().unwrap());
        config.accounts[0].delivery_mode = Some(DeliveryMode::PushOnly);
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        let uri = ProfileChange {
            webhook_uri: Some("https://x.example.com/".to_owned()),
            ..ProfileChange::default()
        };
        let mode =
            AccountChange { delivery_mode: Some(DeliveryMode::PreferReply), ..AccountChange::default() };
        let token = AccountChange {
            credential: Some(Credential::ChannelId("7".to_owned())),
            ..AccountChange::default()
        };
        let call =
            |uri: ProfileChange| store.write_blocking(NOW, move |tx| customers::update(tx, customer, uri));
        let change = |change| store.write_blocking(NOW, move |tx| accounts::update(tx, customer, id, change));

        let declared = [call(uri.clone()), change(mode.clone()), change(token)];
        let before = row(&store, customer);
        (config.customers[0].webhook_uri, config.accounts[0].delivery_mode) = (None, None);
        save(&store, &config, NOW).unwrap();
        let after_removal = (row(&store, customer), account(&store, &config).delivery_mode);

        let keys = ["`customers[].webhook_uri`", "`accounts[].delivery_mode`", "`accounts[].token`"];
        for (refused, key) in declared.into_iter().zip(keys) {
            assert!(
                matches!(&refused, Err(Error::Conflict(text)) if text.contains(key)),
                "{key}: {refused:?}"
            );
        }
        assert_eq!(after_removal, (before, DeliveryMode::PushOnly));
        call(uri).unwrap();
        change(mode).unwrap();
        assert!(row(&store, customer).contains("https://x.example.com/"));
    }

    #[test]
    fn fields_of_a_removed_table_can_be_changed_by_calls() {
        let (_directory, store) = store();
        let mut config = configured("token");
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        config.customers.clear();
        config.accounts.clear();

        save(&store, &config, NOW).unwrap();

        let name = ProfileChange { name: Some("renamed".to_owned()), ..ProfileChange::default() };
        store.write_blocking(NOW, move |tx| customers::update(tx, customer, name)).unwrap();
        let token = Credential::Token(Secret::new("another"));
        let change = AccountChange { credential: Some(token), ..AccountChange::default() };
        store.write_blocking(NOW, move |tx| accounts::update(tx, customer, id, change)).unwrap();
    }

    #[test]
    fn default_values_replace_nothing_that_was_set() {
        let (_directory, store) = store();
        let mut config = configured("first");
        (config.customers[0].is_default, config.accounts[0].is_default) = (true, true);
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        let token = Credential::Token(Secret::new("set by a call"));
        let change = AccountChange { credential: Some(token), ..AccountChange::default() };
        let claim = ProfileChange { name: Some("by a token".to_owned()), ..ProfileChange::default() };
        let set = store.write_blocking(NOW, move |tx| {
            customers::take_claim(tx, customer, claim)?;
            accounts::update(tx, customer, id, change)
        });
        set.unwrap();
        config.accounts[0].secret = Secret::new("rotated");

        save(&store, &config, NOW).unwrap();

        let account = account(&store, &config);
        assert_eq!((account.token.expose(), account.secret.expose()), ("set by a call", "rotated"));
        assert!(row(&store, customer).starts_with("by a token"));
    }

    #[test]
    fn a_declared_account_that_was_removed_is_connected_again() {
        let (_directory, store) = store();
        let config = configured("token");
        save(&store, &config, NOW).unwrap();
        let (customer, id) = (config.customers[0].id, config.accounts[0].id);
        store.write_blocking(NOW, move |tx| removal::remove_account(tx, customer, id)).unwrap();

        save(&store, &config, NOW).unwrap();

        assert_eq!(account(&store, &config).token.expose(), "token");
    }

    #[test]
    fn a_name_refers_to_the_customer_in_the_file_even_if_another_has_it() {
        let (_directory, store) = store();
        let config = configured("token");
        let other = ProfileChange { name: Some("shop".to_owned()), ..ProfileChange::default() };
        store.write_blocking(NOW, move |tx| customers::update(tx, CustomerId::new(NOW), other)).unwrap();

        save(&store, &config, NOW).unwrap();

        assert_eq!(account(&store, &config).customer, config.customers[0].id);
    }

    #[test]
    fn an_account_of_an_unknown_customer_is_rejected_with_the_name() {
        let (_directory, store) = store();
        let mut config = configured("token");
        config.accounts[0].customer = CustomerReference::Name("nobody".to_owned());

        let refused = save(&store, &config, NOW).unwrap_err();

        assert!(matches!(&refused, Error::Unusable(text) if text.contains("nobody")), "{refused}");
    }
}
