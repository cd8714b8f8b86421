//! Who comes, who leaves, and what LINE says of their names and pictures: the conversation shows it, and the customer is told.

use crate::error::Result;
use crate::model::chats::chat::LineId;
use crate::model::chats::conversation::LineProfile;
use crate::model::timestamp::Timestamp;
use crate::store::chats::lookups::{self, Lookup};
use crate::store::chats::{conversations, participants};
use crate::store::engine::transaction::Transaction;

/// These people took part at this time of LINE's, and their names will be asked for.
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

/// These people left at this time of LINE's. What they said keeps their ids.
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

/// LINE told the name and the picture of somebody who takes part; nothing when it refused to.
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
    let found = tx.prepare_cached(SQL)?.execute((conversation, target, tx.now()))?;
    let Some(profile) = profile.filter(|_| found > 0) else { return Ok(()) };
    let renamed = match &profile.name {
        Some(name) => tx.prepare_cached(SQL_NAME)?.execute((conversation, target, name))?,
        None => 0,
    };
    if let Some(count) = profile.member_count {
        participants::count_members(tx, conversation, count)?;
    }
    let lost_picture = participants::set_picture(tx, conversation, target, profile.picture_url.as_deref())?;
    let is_changed = (renamed > 0 || lost_picture) && participants::is_listed(tx, conversation, target)?;
    if is_changed { conversations::touch(tx, conversation) } else { Ok(()) }
}

/// LINE told the name and the picture.
pub fn resolve(tx: &Transaction<'_>, lookup: &Lookup, profile: &LineProfile) -> Result<()> {
    describe(tx, lookup.conversation, &lookup.target, Some(profile))?;
    lookups::cancel(tx, lookup.conversation, &lookup.target)
}

/// Asks no more, until it is time to ask again.
pub fn give_up(tx: &Transaction<'_>, lookup: &Lookup) -> Result<()> {
    describe(tx, lookup.conversation, &lookup.target, None)?;
    lookups::cancel(tx, lookup.conversation, &lookup.target)
}
