//! The accounts that are looked at: those of the database, as the configuration declares them, and those that it declares beside.

use crate::config::Config;
use crate::config::account::ProvisionedAccount;
use crate::error::Result;
use crate::model::accounts::account::{Account, Check};
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::store::accounts;
use crate::store::reader::Reader;

/// An account, as far as LINE is asked about it.
pub struct Examined {
    /// The id in the webhook's path.
    pub id: AccountId,
    /// The channel secret.
    pub secret: Secret,
    /// The channel access token; empty while none was fetched.
    pub token: Secret,
    /// The user id of its bot, or nothing.
    pub bot: String,
    /// Why nothing is sent at present.
    pub suspension: Option<String>,
}

/// All of them. Before the first start that is what the configuration declares.
pub fn all(config: &Config) -> Result<Vec<Examined>> {
    // That a database is missing or cannot be opened has been told.
    let known = match Reader::open(&config.database_path(), &config.key_source()) {
        Ok(reader) => reader.read(accounts::list)?,
        Err(_) => Vec::new(),
    };
    let mut found: Vec<Examined> = known.into_iter().map(Examined::known).collect();
    for declared in &config.accounts {
        match found.iter_mut().find(|one| one.id == declared.id) {
            Some(known) => known.apply_configuration(declared),
            None => found.push(Examined::from_configuration(declared)),
        }
    }
    Ok(found)
}

impl Examined {
    fn known(account: Account) -> Self {
        let bot = if let Check::Good(bot) = account.check { bot.user_id } else { String::new() };
        let suspension = account.suspension.map(|suspension| suspension.message);
        Self { id: account.id, secret: account.secret, token: account.token, bot, suspension }
    }

    fn from_configuration(account: &ProvisionedAccount) -> Self {
        let (secret, token) = (account.secret.clone(), account.token.clone());
        Self { id: account.id, secret, token, bot: String::new(), suspension: None }
    }

    /// What the next start will make of it. A fetched token stays.
    fn apply_configuration(&mut self, account: &ProvisionedAccount) {
        self.secret = account.secret.clone();
        if !account.token.expose().is_empty() {
            self.token = account.token.clone();
        }
    }
}
