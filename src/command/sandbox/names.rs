//! The ids of the sandbox's customer and account, and the path of its summary.

use std::path::{Path, PathBuf};

use crate::model::id::{AccountId, CustomerId};

/// The same customer and account in every sandbox, so that copied commands keep working.
const CUSTOMER: &str = "5a6d0b9e-0000-4000-8000-000000000001";

const ACCOUNT: &str = "5a6d0b9e-0000-4000-8000-000000000002";

/// The customer of the sandbox.
pub fn customer_id() -> CustomerId {
    CUSTOMER.parse().expect("the constant is a UUID")
}

/// The account of the sandbox.
pub fn account_id() -> AccountId {
    ACCOUNT.parse().expect("the constant is a UUID")
}

/// The file with the summary of a running sandbox.
pub fn summary_path(data: &Path) -> PathBuf {
    data.join("sandbox.json")
}
