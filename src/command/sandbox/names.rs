//! How the sandbox's customer, its account and the file of its summary are named.

use std::path::{Path, PathBuf};

use crate::model::id::{AccountId, CustomerId};

/// The customer and the account of every sandbox, so that commands that were copied once work again.
const CUSTOMER: &str = "5a6d0b9e-0000-4000-8000-000000000001";

const ACCOUNT: &str = "5a6d0b9e-0000-4000-8000-000000000002";

/// The customer of the sandbox.
pub fn customer_id() -> CustomerId {
    CUSTOMER.parse().expect("the constant is a UUID")
}

/// Its account.
pub fn account_id() -> AccountId {
    ACCOUNT.parse().expect("the constant is a UUID")
}

/// Where a running sandbox says how to reach it.
pub fn summary_path(data: &Path) -> PathBuf {
    data.join("sandbox.json")
}
