//! The month's messages ("Get the target limit for sending messages this month" in LINE's reference).

use serde::Deserialize;

use crate::error::Result;
use crate::http::Method;
use crate::line::client::Client;
use crate::model::account::Quota;
use crate::model::secret::Secret;

#[derive(Deserialize)]
struct QuotaBody {
    value: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConsumptionBody {
    total_usage: u64,
}

impl Client {
    /// How many messages the plan has this month, and how many were used.
    pub async fn quota(&self, token: &Secret) -> Result<Quota> {
        const QUOTA: &str = "/v2/bot/message/quota";
        const CONSUMPTION: &str = "/v2/bot/message/quota/consumption";
        let quota: QuotaBody = self.call(self.request(Method::GET, QUOTA, token), b"").await?;
        let used: ConsumptionBody = self.call(self.request(Method::GET, CONSUMPTION, token), b"").await?;
        Ok(Quota { limit: quota.value, used: used.total_usage })
    }
}
