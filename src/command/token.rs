//! `kaiwa token`.

use clap::Args;
use serde_json::json;

use crate::api::token::{Bearer, sign};
use crate::command::output;
use crate::command::settings::{Settings, find_customer};
use crate::error::Result;
use crate::model::timestamp::Timestamp;

/// Prints a token for a known customer.
#[derive(Debug, Args)]
pub struct Token {
    #[command(flatten)]
    settings: Settings,
    /// The customer: an id or a name.
    #[arg(long, value_name = "ID|NAME")]
    customer: String,
    /// How long the token is valid, such as 1h, 7d or 1y.
    #[arg(long, value_name = "TIME", default_value = "7d")]
    ttl: humantime::Duration,
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
        let token = sign(
            key,
            &Bearer { customer: customer.id, profile: customer.profile.into() },
            now,
            self.ttl.into(),
        )?;
        if !self.json {
            return output::line(&token);
        }
        let expires = now.after(self.ttl.into()).to_string();
        output::json(&json!({ "token": token, "customer_id": customer.id, "expires": expires }))
    }
}
