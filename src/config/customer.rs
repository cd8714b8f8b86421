//! `[[customers]]`: the customers that the configuration file declares.

use serde::Deserialize;
use url::Url;

use crate::config::web_address;
use crate::model::id::CustomerId;

/// A customer that is created or updated at start.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredCustomer {
    /// The id that tokens carry.
    pub id: CustomerId,
    /// What the customer is called; distinct within the file. Default empty.
    #[serde(default)]
    pub name: String,
    /// Anything that is worth noting. Default empty.
    #[serde(default)]
    pub detail: String,
    /// The HTTP method with which the customer is told: `GET`, `POST`, `PUT` or `DELETE`. Default `POST`.
    #[serde(default = "post")]
    pub webhook_method: String,
    /// Where the customer is told; it may have a query. Default none.
    #[serde(default, deserialize_with = "web_address::deserialize_some")]
    pub webhook_uri: Option<Url>,
    /// Days for which messages are kept, 0 is for ever. Default none: as `retention.message_days` says.
    #[serde(default)]
    pub message_days: Option<u32>,
}

fn post() -> String {
    "POST".to_owned()
}
