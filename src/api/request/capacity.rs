//! Whether the server has room for what a caller sends.

use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::runtime::app::App;
use crate::store::outbox::backlog;

/// There is room for another message of this customer, in its outbox and on the disk.
///
/// `TooMany` beyond the customer's share, `Unavailable` when the disk is nearly full.
pub fn require_room(app: &App, customer: CustomerId) -> Result<()> {
    require_disk(app)?;
    let most = app.shared.config.limits.pending_messages;
    let count = || app.reader.read(|connection| backlog::of_customer(connection, customer, most));
    app.shared.limits.add_message(customer, most, app.shared.clock.now(), count)
}

/// `Unavailable` when the disk is nearly full: what is left of it is for what LINE sends.
pub fn require_disk(app: &App) -> Result<()> {
    let least = app.shared.config.limits.disk_free_bytes;
    if least == 0 || app.shared.store.free_bytes()? >= least {
        return Ok(());
    }
    log::error!("storage: the disk has less than {least} bytes left: nothing is taken to be sent");
    Err(Error::Unavailable("the server's disk is nearly full".to_owned()))
}
