//! `kaiwa token`.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::api::token::{Bearer, sign};
use crate::command::output;
use crate::command::settings::{Settings, find_customer};
use crate::error::Result;
use crate::model::customer::{Profile, ProfileChange};
use crate::model::timestamp::Timestamp;

/// Longer than anybody should be able to hold a token.
const LIFE_MAX: Duration = Duration::from_hours(10 * 366 * 24);

/// Prints a token for a known customer.
#[derive(Debug, Args)]
pub struct Token {
    #[command(flatten)]
    settings: Settings,
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

impl Token {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let config = self.settings.load()?;
        let key = config.require_jwt_key()?;
        let customer = find_customer(&self.settings.reader()?, &self.customer)?;
        let now = Timestamp::now();
        // Where the customer is told is not part of it: that may have changed long before the token is used.
        let Profile { name, detail, .. } = customer.profile;
        let profile = ProfileChange { name: Some(name), detail: Some(detail), ..ProfileChange::default() };
        let token = sign(key, &Bearer { customer: customer.id, profile }, now, self.ttl)?;
        if !self.json {
            return output::line(&token);
        }
        let expires = now.after(self.ttl).to_string();
        output::json(&json!({ "token": token, "customer_id": customer.id, "expires": expires }))
    }
}

fn parse_life(text: &str) -> Result<Duration, String> {
    let life = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if life > LIFE_MAX { Err("a token is valid for at most 10y".to_owned()) } else { Ok(life) }
}
