//! The monthly message quota ("Get the target limit for sending messages this month" in LINE's reference).

use crate::error::Result;
use crate::line::client::{LineClient, missing};
use crate::line::lenient;
use crate::model::accounts::account::Quota;
use crate::model::secret::Secret;
use crate::net::Method;

impl LineClient {
    /// The quota of the current month and how much of it is used.
    pub async fn quota(&self, token: &Secret) -> Result<Quota> {
        const QUOTA: &str = "/v2/bot/message/quota";
        const CONSUMPTION: &str = "/v2/bot/message/quota/consumption";
        let quota = self.call_json(self.request(Method::GET, QUOTA, token), b"").await?;
        let used = self.call_json(self.request(Method::GET, CONSUMPTION, token), b"").await?;
        let used = lenient::count(&used["totalUsage"]).ok_or_else(|| missing("totalUsage"))?;
        Ok(Quota { limit: lenient::count(&quota["value"]), used })
    }
}
