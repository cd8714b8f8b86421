//! Lanes: which conversation may send next.
//!
//! A conversation with something to deliver has a lane. Lanes do not wait for each other, but all lanes of a parked
//! account wait for a single probe; only free replies do not wait for a quota.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row};

use crate::error::{Error, Result};
use crate::model::accounts::account::SuspensionReason;
use crate::model::capacity::Capacity;
use crate::model::delivery::Policy;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts;
use crate::store::engine::damage::{get_or, sound};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::most;

/// While a parked account is probed, the next probe is this far away: longer than the slowest probe can take.
const PROBE_TIME: Duration = Duration::from_mins(4);

/// No account is suspended for longer than this.
const SUSPENSION_MAX: Duration = Duration::from_hours(2);

/// A lane whose oldest delivery may go out.
pub(in crate::store) struct Lane {
    pub(in crate::store) conversation: i64,
    pub(in crate::store) account: i64,
    pub(in crate::store) account_id: AccountId,
    pub(in crate::store) token: Secret,
    pub(in crate::store) slow: bool,
    /// Whether it shows if the account is still to be parked. Of those of an account only one may go out.
    pub(in crate::store) is_probe: bool,
}

/// An account with lanes.
struct Sender {
    account: i64,
    id: AccountId,
    token: Secret,
    suspension: Option<(SuspensionReason, Timestamp)>,
}

/// Makes sure that a conversation has a lane.
///
/// `Conflict` when its account was removed.
pub(in crate::store) fn open(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        INSERT INTO lanes (conversation, account, due_at)
        SELECT v.key, a.key, ?2
        FROM conversations v JOIN accounts a ON a.key = v.account
        WHERE v.key = ?1 AND a.tm_delete IS NULL
        ON CONFLICT (conversation) DO UPDATE SET due_at = due_at";
    if tx.prepare_cached(SQL)?.execute((conversation, tx.now()))? > 0 {
        return Ok(());
    }
    Err(Error::Conflict("the LINE account of this conversation was removed".to_owned()))
}

/// Lanes that may move. Accounts with the fewest requests under way come first, and each has its share of what is free.
///
/// No lane waits for longer than `backoff_max`. A wait that ends later than that can only come from a clock that was
/// ahead; it has ended, or it would last as long as the clock was wrong.
pub(in crate::store) fn due(
    tx: &Transaction<'_>,
    mut room: Capacity,
    backoff_max: Duration,
) -> Result<Vec<Lane>> {
    let senders = senders(tx)?;
    let mut lanes = Vec::new();
    for (index, sender) in senders.iter().enumerate() {
        let share = room.share(senders.len() - index);
        let mut due = match sender.suspension {
            None => due_of(tx, sender, share, backoff_max)?,
            Some(suspension) => due_of_suspended(tx, sender, suspension, share, backoff_max)?,
        };
        let going = || due.iter().filter(|lane| !lane.is_probe);
        let probes = due.iter().filter(|lane| lane.is_probe);
        let (probe, slow_probe) =
            (probes.clone().count().min(1), probes.filter(|lane| lane.slow).count().min(1));
        room = room.without(going().count() + probe, going().filter(|lane| lane.slow).count() + slow_probe);
        lanes.append(&mut due);
    }
    Ok(lanes)
}

/// This very lane, if it may move now.
pub(in crate::store) fn due_alone(tx: &Transaction<'_>, conversation: i64) -> Result<Option<Lane>> {
    const SQL: &str = "
        SELECT account, id, unseal(token, 'accounts.token', id) AS token, slow
        FROM lanes l JOIN accounts a ON a.key = l.account
        WHERE conversation = ?1 AND in_flight = 0 AND due_at <= ?2 AND suspension_reason IS NULL AND tm_delete IS NULL";
    let lane = tx.prepare_cached(SQL)?.query_row((conversation, tx.now()), |row| {
        Ok(Lane {
            conversation,
            account: row.get("account")?,
            account_id: row.get("id")?,
            token: row.get("token")?,
            slow: row.get("slow")?,
            is_probe: false,
        })
    });
    Ok(lane.optional()?)
}

/// The oldest delivery of a lane is under way. After a probe the next one is due only when this one can have ended.
pub(in crate::store) fn take(tx: &Transaction<'_>, lane: &Lane) -> Result<()> {
    const SQL: &str = "UPDATE lanes SET in_flight = 1 WHERE conversation = ?1";
    if lane.is_probe {
        accounts::put_off_probe(tx, lane.account, tx.now().after(PROBE_TIME))?;
    }
    tx.prepare_cached(SQL)?.execute([lane.conversation])?;
    Ok(())
}

/// The oldest delivery of a lane goes out again, not before `until`.
pub(in crate::store) fn wait(
    tx: &Transaction<'_>,
    conversation: i64,
    until: Timestamp,
    slow: bool,
) -> Result<()> {
    const SQL: &str = "UPDATE lanes SET in_flight = 0, due_at = ?2, slow = ?3 WHERE conversation = ?1";
    tx.prepare_cached(SQL)?.execute((conversation, until, slow))?;
    Ok(())
}

/// Makes the next delivery of a lane due, or ends a lane that has none.
pub(in crate::store) fn advance(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        DELETE FROM lanes
        WHERE conversation = ?1 AND NOT EXISTS (
            SELECT 1 FROM deliveries INDEXED BY deliveries_waiting
            WHERE conversation = ?1 AND state IN ('queued', 'sending')
        )";
    if tx.prepare_cached(SQL)?.execute([conversation])? == 0 {
        wait(tx, conversation, tx.now(), false)?;
    }
    Ok(())
}

/// What was under way of a lane was erased: the next delivery may go out, unless it is under way already.
pub(in crate::store) fn set_free(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    const SQL: &str = "
        SELECT EXISTS (
            SELECT 1 FROM deliveries INDEXED BY deliveries_waiting
            WHERE conversation = ?1 AND state IN ('queued', 'sending') AND state = 'sending'
        )";
    let is_taken: bool = tx.prepare_cached(SQL)?.query_row([conversation], |row| row.get(0))?;
    if is_taken { Ok(()) } else { advance(tx, conversation) }
}

/// Nothing is under way when a process starts.
pub(in crate::store) fn recover(tx: &Transaction<'_>) -> Result<()> {
    const SQL: &str = "UPDATE lanes SET in_flight = 0 WHERE in_flight = 1";
    tx.prepare_cached(SQL)?.execute([])?;
    Ok(())
}

/// The conversations of an account that have something to deliver.
pub(in crate::store) fn of_account(connection: &Connection, account: i64) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT conversation FROM lanes WHERE account = ?1";
    let mut statement = connection.prepare_cached(SQL)?;
    let lanes = statement.query_map([account], |row| row.get(0))?;
    Ok(lanes.collect::<rusqlite::Result<_>>()?)
}

/// When something will be due; `None` when nothing waits. Reads a few rows for each account.
pub fn next_due(connection: &Connection) -> Result<Option<Timestamp>> {
    const SQL: &str = "
        SELECT min(max(coalesce(suspended_until, 0), (
            SELECT min(due_at)
            FROM (
                SELECT min(due_at) AS due_at FROM lanes WHERE account = a.key AND in_flight = 0 AND slow = 0
                UNION ALL
                SELECT min(due_at) FROM lanes WHERE account = a.key AND in_flight = 0 AND slow = 1
            )
        )))
        FROM accounts a
        WHERE tm_delete IS NULL";
    Ok(connection.prepare_cached(SQL)?.query_row([], |row| row.get(0))?)
}

fn senders(connection: &Connection) -> Result<Vec<Sender>> {
    const SQL: &str = "
        SELECT key, id, unseal(token, 'accounts.token', id) AS token, suspension_reason, suspended_until
        FROM accounts a
        WHERE tm_delete IS NULL AND EXISTS (SELECT 1 FROM lanes WHERE account = a.key)
        ORDER BY (SELECT count(*) FROM lanes WHERE account = a.key AND in_flight = 1)";
    let mut statement = connection.prepare_cached(SQL)?;
    let senders = statement.query_map([], |row| {
        let reason: Option<_> = get_or(row, "suspension_reason", None)?;
        let until: Option<_> = get_or(row, "suspended_until", None)?;
        Ok(Sender {
            account: row.get("key")?,
            id: row.get("id")?,
            token: row.get("token")?,
            suspension: reason.zip(until),
        })
    })?;
    Ok(sound(senders, "accounts").collect::<rusqlite::Result<_>>()?)
}

/// Of a parked account: when the time has come, lanes of which the first that may be written to probes, and, while only its
/// quota is used up, each lane that can go out as a free reply. Such a lane is no probe, since it says nothing about the quota.
///
/// No account is suspended for longer than [`SUSPENSION_MAX`]; a later end can only come from a clock that was ahead.
fn due_of_suspended(
    tx: &Transaction<'_>,
    sender: &Sender,
    (reason, until): (SuspensionReason, Timestamp),
    share: Capacity,
    wait_max: Duration,
) -> Result<Vec<Lane>> {
    let mut taken =
        if reason == SuspensionReason::Quota { free_of(tx, sender, share.any)? } else { Vec::new() };
    let waits = until > tx.now() && until <= tx.now().after(SUSPENSION_MAX);
    if waits || taken.len() == share.any {
        return Ok(taken);
    }
    let is_taken = |lane: &Lane| taken.iter().any(|other| other.conversation == lane.conversation);
    let mut probes = due_of(tx, sender, share, wait_max)?;
    probes.retain(|lane| !is_taken(lane));
    taken.extend(probes.into_iter().map(|lane| Lane { is_probe: true, ..lane }));
    Ok(taken)
}

/// Lanes whose oldest delivery was never tried and can go out as a reply: see `conversations::take_reply_token`.
fn free_of(tx: &Transaction<'_>, sender: &Sender, limit: usize) -> Result<Vec<Lane>> {
    const SQL: &str = "
        SELECT conversation, slow
        FROM conversations v INDEXED BY conversations_answerable
        JOIN accounts a ON a.key = v.account
        JOIN lanes l ON l.conversation = v.key
        WHERE v.account = ?1 AND reply_token IS NOT NULL AND reply_token_at BETWEEN ?2 AND ?3
            AND delivery_mode = 'prefer_reply' AND in_flight = 0 AND due_at <= ?3 AND 0 = (
                SELECT attempts
                FROM deliveries d
                WHERE d.conversation = v.key AND state IN ('queued', 'sending')
                ORDER BY d.key
                LIMIT 1
            )
        ORDER BY due_at
        LIMIT ?4";
    let fresh_since = tx.now().before(Policy::REPLY_TOKEN_AGE_MAX);
    let limit = most(limit);
    let mut statement = tx.prepare_cached(SQL)?;
    let free =
        statement.query_map((sender.account, fresh_since, tx.now(), limit), |row| lane(row, sender))?;
    Ok(free.collect::<rusqlite::Result<_>>()?)
}

/// Lanes of an account that are due, those that answered in time first.
fn due_of(tx: &Transaction<'_>, sender: &Sender, share: Capacity, wait_max: Duration) -> Result<Vec<Lane>> {
    const SQL: &str = "
        SELECT conversation, slow, due_at FROM lanes
        WHERE account = ?1 AND in_flight = 0 AND slow = ?2 AND due_at <= ?3
        UNION ALL
        SELECT conversation, slow, due_at FROM lanes
        WHERE account = ?1 AND in_flight = 0 AND slow = ?2 AND due_at > ?4
        ORDER BY due_at
        LIMIT ?5";
    let mut statement = tx.prepare_cached(SQL)?;
    let mut due = |slow: bool, limit: usize| {
        let limit = most(limit);
        let values = (sender.account, slow, tx.now(), tx.now().after(wait_max), limit);
        statement.query_map(values, |row| lane(row, sender))?.collect::<rusqlite::Result<Vec<_>>>()
    };
    let mut lanes = due(false, share.any)?;
    lanes.append(&mut due(true, share.slow.min(share.any - lanes.len()))?);
    Ok(lanes)
}

fn lane(row: &Row<'_>, sender: &Sender) -> rusqlite::Result<Lane> {
    Ok(Lane {
        conversation: row.get("conversation")?,
        account: sender.account,
        account_id: sender.id,
        token: sender.token.clone(),
        slow: row.get("slow")?,
        is_probe: false,
    })
}
