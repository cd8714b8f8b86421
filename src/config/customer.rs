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
    /// The customer's name, unique within the file. Default none: unchanged.
    #[serde(default)]
    pub name: Option<String>,
    /// A free-form note. Default none: unchanged.
    #[serde(default)]
    pub detail: Option<String>,
    /// The HTTP method of the customer's webhook: `GET`, `POST`, `PUT` or `DELETE`. Default none: unchanged.
    #[serde(default)]
    pub webhook_method: Option<String>,
    /// The address of the customer's webhook; it may have a query. Default none: unchanged.
    #[serde(default, deserialize_with = "web_address::deserialize_receiver")]
    pub webhook_uri: Option<Url>,
    /// Days for which messages are retained; 0 means forever. Default none: unchanged, and
    /// `retention.message_days` for a new customer.
    #[serde(default)]
    pub message_days: Option<u32>,
    /// Whether these are only initial values, over which values set by an API call or a command take
    /// precedence. True for the sandbox's customer, which comes from no file.
    #[serde(skip)]
    pub is_default: bool,
}
