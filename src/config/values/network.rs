//! Lists of networks.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::model::network::Network;

/// Deserializes a list of networks for serde.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Network>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}
