//! Checks that the server has capacity for what a caller sends.

use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::runtime::app::App;
use crate::store::outbox::backlog;

/// Checks that another message of this customer fits into its outbox and on the disk.
///
/// `TooMany` beyond the customer's share, `Unavailable` when the disk is nearly full.
pub fn require_capacity(app: &App, customer: CustomerId) -> Result<()> {
    require_disk(app)?;
    let max = app.shared.config.limits.pending_messages;
    let count = || app.reader.read(|connection| backlog::of_customer(connection, customer, max));
    app.shared.limits.add_message(customer, max, app.shared.clock.now(), count)
}

/// `Unavailable` when the disk is nearly full: the remaining space is reserved for what LINE sends.
pub fn require_disk(app: &App) -> Result<()> {
    let min = app.shared.config.limits.disk_free_bytes;
    if min == 0 || app.shared.store.free_bytes()? >= min {
        return Ok(());
    }
    log::error!("storage: less than {min} bytes free on the disk: messages and uploads are rejected");
    Err(Error::Unavailable("the server's disk is nearly full".to_owned()))
}
