//! `kaiwa token`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::command::settings::{CommonArguments, find_customer, jwt_key};
use crate::command::terminal::output;
use crate::config::Config;
use crate::config::customer::ProvisionedCustomer;
use crate::error::{Error, Result};
use crate::model::accounts::customer::{CustomerProfile, ProfileChange};
use crate::model::timestamp::Timestamp;
use crate::runtime::bearer::{Bearer, sign};

/// The longest validity; no token should live longer.
const LIFE_MAX: Duration = Duration::from_hours(10 * 366 * 24);

/// The shortest validity: tokens expire at whole seconds, so a shorter one would have expired when printed.
const LIFE_MIN: Duration = Duration::from_secs(1);

/// Print a token for an existing customer.
#[derive(Debug, Args)]
pub struct TokenCommand {
    #[command(flatten)]
    settings: CommonArguments,
    /// The customer: an id or a name.
    #[arg(long, value_name = "ID|NAME", allow_hyphen_values = true)]
    customer: String,
    /// How long the token is valid, such as 1h, 7d or 1y; at most 10y.
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_life)]
    ttl: Duration,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl TokenCommand {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let key = jwt_key(&config, self.settings.file())?;
        let bearer = self.bearer(&config)?;
        let now = Timestamp::now();
        let token = sign(key, &bearer, now, self.ttl)?;
        if !self.json {
            return output::line(&token);
        }
        let expires = now.after(self.ttl).to_string();
        output::json(&json!({ "token": token, "customer_id": bearer.customer, "expires": expires }))
    }

    /// The customer in the database, or else in the configuration: before the first start there may be no
    /// database.
    fn bearer(&self, config: &Config) -> Result<Bearer> {
        let declared = configured_bearer(config, &self.customer);
        if let (Some(declared), false) = (&declared, config.database_path().exists()) {
            return Ok(declared.clone());
        }
        match (find_customer(&self.settings.reader()?, &self.customer), declared) {
            (Err(Error::NotHere(..)), Some(declared)) => Ok(declared),
            // The webhook address is not included: it may have changed long before the token is used.
            (known, _) => known.map(|known| {
                let CustomerProfile { name, detail, .. } = known.profile;
                let (name, detail) = (Some(name), Some(detail));
                Bearer {
                    customer: known.id,
                    profile: ProfileChange { name, detail, ..ProfileChange::default() },
                }
            }),
        }
    }
}

/// A customer of the configuration, which the next start creates.
fn configured_bearer(config: &Config, id_or_name: &str) -> Option<Bearer> {
    let id = id_or_name.parse().ok();
    let is_meant = |one: &&ProvisionedCustomer| Some(one.id) == id || one.name.as_deref() == Some(id_or_name);
    let found = config.customers.iter().find(is_meant)?;
    let profile = ProfileChange { name: found.name.clone(), ..ProfileChange::default() };
    Some(Bearer { customer: found.id, profile })
}

fn parse_life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if life < LIFE_MIN {
        return Err("a token is valid for at least 1s".to_owned());
    }
    if life > LIFE_MAX { Err("a token is valid for at most 10y".to_owned()) } else { Ok(life) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_valid_for_one_second_to_ten_years() {
        for text in ["1s", "1500ms", "7d", "10y", "87840h"] {
            assert!(parse_life(text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("0", "at least 1s"),
            ("0s", "at least 1s"),
            ("1ms", "at least 1s"),
            ("999999us", "at least 1s"),
            ("87841h", "at most 10y"),
            ("11y", "at most 10y"),
        ] {
            assert!(parse_life(text).unwrap_err().contains(expected), "{text}");
        }
    }
}
