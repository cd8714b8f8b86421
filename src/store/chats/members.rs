//! Members who join or leave, and their profiles from LINE: the conversation is updated, and the customer is notified.

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::chats::conversation::LineProfile;
use crate::model::timestamp::Timestamp;
use crate::store::chats::lookups::{self, Lookup};
use crate::store::chats::{conversations, participants};
use crate::store::engine::query;
use crate::store::engine::transaction::Transaction;

/// Adds members who were present at this time by LINE's clock. Their profiles will be looked up.
pub(in crate::store) fn join(
    tx: &Transaction<'_>,
    conversation: i64,
    targets: &[LineId],
    at: Timestamp,
) -> Result<()> {
    let mut is_changed = false;
    for target in targets {
        is_changed |= participants::add(tx, conversation, target, at)?
            && participants::is_listed(tx, conversation, target)?;
    }
    if is_changed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Removes members who left at this time by LINE's clock. Their messages keep their ids.
pub(in crate::store) fn part(
    tx: &Transaction<'_>,
    conversation: i64,
    targets: &[LineId],
    at: Timestamp,
) -> Result<()> {
    let mut is_changed = false;
    for target in targets {
        is_changed |= participants::remove(tx, conversation, target, at)?;
    }
    if is_changed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Applies a participant's profile from LINE; `None` when LINE refused it.
fn describe(
    tx: &Transaction<'_>,
    conversation: i64,
    target: &LineId,
    profile: Option<&LineProfile>,
) -> Result<()> {
    const SQL: &str = "UPDATE participants SET named_at = ?3 WHERE conversation = ?1 AND target = ?2";
    const SQL_NAME: &str = "
        UPDATE participants SET target_name = ?3
        WHERE conversation = ?1 AND target = ?2 AND target_name <> ?3";
    let found = query::execute(tx, SQL, (conversation, target, tx.now()))?;
    let Some(profile) = profile.filter(|_| found > 0) else { return Ok(()) };
    let renamed = match &profile.name {
        Some(name) => query::execute(tx, SQL_NAME, (conversation, target, name))?,
        None => 0,
    };
    if let Some(count) = profile.member_count {
        participants::count_members(tx, conversation, count)?;
    }
    let lost_picture = participants::set_picture(tx, conversation, target, profile.picture_url.as_deref())?;
    let is_changed = (renamed > 0 || lost_picture) && participants::is_listed(tx, conversation, target)?;
    if is_changed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// Completes a lookup with a profile.
pub fn resolve(tx: &Transaction<'_>, lookup: &Lookup, profile: &LineProfile) -> Result<()> {
    describe(tx, lookup.conversation, &lookup.target, Some(profile))?;
    lookups::cancel(tx, lookup.conversation, &lookup.target)
}

/// Completes a lookup without a profile, until it is time for a refresh.
pub fn give_up(tx: &Transaction<'_>, lookup: &Lookup) -> Result<()> {
    describe(tx, lookup.conversation, &lookup.target, None)?;
    lookups::cancel(tx, lookup.conversation, &lookup.target)
}
