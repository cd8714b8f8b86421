//! The month's messages ("Get the target limit for sending messages this month" in LINE's reference).

use crate::error::Result;
use crate::line::client::{LineClient, without};
use crate::line::lenient;
use crate::model::accounts::account::Quota;
use crate::model::secret::Secret;
use crate::net::Method;

impl LineClient {
    /// How many messages the plan has this month, and how many were used.
    pub async fn quota(&self, token: &Secret) -> Result<Quota> {
        const QUOTA: &str = "/v2/bot/message/quota";
        const CONSUMPTION: &str = "/v2/bot/message/quota/consumption";
        let quota = self.ask(self.request(Method::GET, QUOTA, token), b"").await?;
        let used = self.ask(self.request(Method::GET, CONSUMPTION, token), b"").await?;
        let used = lenient::count(&used["totalUsage"]).ok_or_else(|| without("totalUsage"))?;
        Ok(Quota { limit: lenient::count(&quota["value"]), used })
    }
}
