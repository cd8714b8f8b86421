//! `[[customers]]`: the customers that the configuration file declares.

use serde::Deserialize;
use url::Url;

use crate::config::values::web_address;
use crate::model::id::CustomerId;

/// A customer that is created or updated at start.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvisionedCustomer {
    /// The id that tokens carry.
    pub id: CustomerId,
    /// What the customer is called; distinct within the file. Default none: as it is.
    #[serde(default)]
    pub name: Option<String>,
    /// Anything that is worth noting. Default none: as it is.
    #[serde(default)]
    pub detail: Option<String>,
    /// The HTTP method with which the customer is told: `GET`, `POST`, `PUT` or `DELETE`. Default none: as it is.
    #[serde(default)]
    pub webhook_method: Option<String>,
    /// Where the customer is told; it may have a query. Default none: as it is.
    #[serde(default, deserialize_with = "web_address::deserialize_receiver")]
    pub webhook_uri: Option<Url>,
    /// Days for which messages are kept, 0 is for ever. Default none: as it is, and `retention.message_days` for a new one.
    #[serde(default)]
    pub message_days: Option<u32>,
    /// Whether this is only how the customer begins: what others have set goes before it. So it is with that of the
    /// sandbox, where nobody has written a file.
    #[serde(skip)]
    pub is_default: bool,
}
