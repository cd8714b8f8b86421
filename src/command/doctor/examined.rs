//! The accounts to check: those of the database, with the configuration applied, and those only in the
//! configuration.

use crate::config::Config;
use crate::config::account::ProvisionedAccount;
use crate::error::Result;
use crate::model::accounts::account::{Account, Check};
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::store::accounts;
use crate::store::reader::Reader;

/// What the checks need to know of an account.
pub struct Examined {
    /// The id in the webhook's path.
    pub id: AccountId,
    /// The channel secret.
    pub secret: Secret,
    /// The channel access token; empty until one has been fetched.
    pub token: Secret,
    /// The user id of its bot; empty if unknown.
    pub bot: String,
    /// Why the account is suspended, if it is.
    pub suspension: Option<String>,
}

/// All accounts. Before the first start, those of the configuration.
pub fn all(config: &Config) -> Result<Vec<Examined>> {
    // A missing or unusable database is reported by another check.
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

    /// Applies the configuration as the next start will. A fetched token stays.
    fn apply_configuration(&mut self, account: &ProvisionedAccount) {
        self.secret = account.secret.clone();
        if !account.token.expose().is_empty() {
            self.token = account.token.clone();
        }
    }
}
