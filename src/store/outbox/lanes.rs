//! The lanes of messages to LINE, by account.
//!
//! All lanes of a suspended account wait for a single probe; only free replies do not wait for a quota.

use std::rc::Rc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::model::accounts::account::SuspensionReason;
use crate::model::capacity::Capacity;
use crate::model::delivery::Policy;
use crate::model::id::AccountId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::accounts;
use crate::store::dispatch::{self, Lane, Lanes};
use crate::store::engine::damage::get_or;
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::engine::values::Limit;

/// How far away the next probe is while one is in flight: longer than the slowest attempt can take.
const PROBE_TIME: Duration = Duration::from_mins(4);

/// The longest suspension of an account.
const SUSPENSION_MAX: Duration = Duration::from_hours(2);

/// The outbox to LINE.
#[derive(Debug, Clone, Copy)]
pub struct LineOutbox {
    /// How often and how long LINE is tried.
    pub policy: Policy,
}

/// An account with lanes.
pub struct LineSender {
    pub(super) account: i64,
    pub(super) id: AccountId,
    pub(super) token: Secret,
    suspension: Option<(SuspensionReason, Timestamp)>,
}

impl Lanes for LineOutbox {
    type Party = LineSender;

    const SQL_TAKE: &'static str = "UPDATE lanes SET in_flight = 1 WHERE conversation = ?1";
    const SQL_FREE: &'static str =
        "UPDATE lanes SET in_flight = 0, due_at = ?2, slow = 0 WHERE conversation = ?1";
    // Without INDEXED BY the plan is `deliveries_of_message`, which reads every delivery that the conversation ever had.
    const SQL_END: &'static str = "
        DELETE FROM lanes
        WHERE conversation = ?1 AND NOT EXISTS (
            SELECT 1 FROM deliveries INDEXED BY deliveries_waiting
            WHERE conversation = ?1 AND state IN ('queued', 'sending')
        )";
    const SQL_RECOVER: &'static str = "UPDATE lanes SET in_flight = 0 WHERE in_flight = 1";
    const SQL_NEXT_DUE: &'static str = "
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

    fn parties(tx: &Transaction<'_>) -> Result<Vec<LineSender>> {
        const SQL: &str = "
            SELECT key, id, unseal(token, 'accounts.token', id) AS token, suspension_reason, suspended_until
            FROM accounts a
            WHERE tm_delete IS NULL AND EXISTS (SELECT 1 FROM lanes WHERE account = a.key)
            ORDER BY (SELECT count(*) FROM lanes WHERE account = a.key AND in_flight = 1)";
        query::readable_rows(tx, SQL, [], ("accounts", ALL), |row| {
            let reason: Option<_> = get_or(row, "suspension_reason", None)?;
            let until: Option<_> = get_or(row, "suspended_until", None)?;
            sender(row, reason.zip(until))
        })
    }

    /// No lane waits for longer than the policy's longest backoff, and no account is suspended for longer than
    /// `SUSPENSION_MAX`; a later end can only come from a clock that was ahead.
    ///
    /// Of a suspended account these are: once the time has come, lanes of which the first that may be written to is the probe;
    /// and while only its quota is used up, each lane that can go out as a free reply. Such a lane is no probe, since it says
    /// nothing about the quota.
    fn due_of(
        &self,
        tx: &Transaction<'_>,
        sender: &Rc<LineSender>,
        share: Capacity,
    ) -> Result<Vec<Lane<LineSender>>> {
        let Some((reason, until)) = sender.suspension else { return self.waiting(tx, sender, share) };
        let mut due =
            if reason == SuspensionReason::Quota { free_replies(tx, sender, share.any)? } else { Vec::new() };
        if dispatch::is_on(until, tx.now(), SUSPENSION_MAX) || due.len() == share.any {
            return Ok(due);
        }
        let is_due = |lane: &Lane<_>| due.iter().any(|other| other.conversation == lane.conversation);
        let mut probes = self.waiting(tx, sender, share)?;
        probes.retain(|lane| !is_due(lane));
        due.extend(probes.into_iter().map(|lane| Lane { is_probe: true, ..lane }));
        Ok(due)
    }

    fn postpone_probe(tx: &Transaction<'_>, sender: &LineSender) -> Result<()> {
        accounts::put_off_probe(tx, sender.account, tx.now().after(PROBE_TIME))
    }
}

impl LineOutbox {
    /// Lanes of an account that are due, those that are not slow first.
    fn waiting(
        &self,
        tx: &Transaction<'_>,
        sender: &Rc<LineSender>,
        share: Capacity,
    ) -> Result<Vec<Lane<LineSender>>> {
        const SQL: &str = "
            SELECT conversation, slow, due_at FROM lanes
            WHERE account = ?1 AND in_flight = 0 AND slow = ?2 AND due_at <= ?3
            UNION ALL
            SELECT conversation, slow, due_at FROM lanes
            WHERE account = ?1 AND in_flight = 0 AND slow = ?2 AND due_at > ?4
            ORDER BY due_at
            LIMIT ?5";
        let latest = tx.now().after(self.policy.backoff_max);
        let due = |slow: bool, limit: usize| {
            let values = (sender.account, slow, tx.now(), latest, Limit(limit));
            query::rows(tx, SQL, values, |row| lane(row, sender))
        };
        let mut lanes = due(false, share.any)?;
        lanes.append(&mut due(true, share.slow.min(share.any - lanes.len()))?);
        Ok(lanes)
    }
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
    if query::execute(tx, SQL, (conversation, tx.now()))? > 0 {
        return Ok(());
    }
    Err(Error::Conflict("the LINE account of this conversation was removed".to_owned()))
}

/// This lane, if it may move now.
pub(super) fn due_alone(tx: &Transaction<'_>, conversation: i64) -> Result<Option<Lane<LineSender>>> {
    const SQL: &str = "
        SELECT a.key, id, unseal(token, 'accounts.token', id) AS token, conversation, slow
        FROM lanes l JOIN accounts a ON a.key = l.account
        WHERE conversation = ?1 AND in_flight = 0 AND due_at <= ?2 AND suspension_reason IS NULL AND tm_delete IS NULL";
    let read = |row: &Row<'_>| lane(row, &Rc::new(sender(row, None)?));
    query::optional_row(tx, SQL, (conversation, tx.now()), read)
}

/// Makes the oldest delivery of a lane, which is no longer in flight, due at this time.
pub(super) fn wait(tx: &Transaction<'_>, conversation: i64, until: Timestamp, slow: bool) -> Result<()> {
    const SQL: &str = "UPDATE lanes SET in_flight = 0, due_at = ?2, slow = ?3 WHERE conversation = ?1";
    query::execute(tx, SQL, (conversation, until, slow))?;
    Ok(())
}

/// Frees a lane whose delivery was erased while it was in flight, unless another delivery is in flight by now.
pub(super) fn free_erased(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    // INDEXED BY for the reason that `SQL_END` has.
    const SQL: &str = "
        SELECT EXISTS (
            SELECT 1 FROM deliveries INDEXED BY deliveries_waiting
            WHERE conversation = ?1 AND state IN ('queued', 'sending') AND state = 'sending'
        )";
    let is_taken: bool = query::value(tx, SQL, [conversation])?;
    if is_taken { Ok(()) } else { dispatch::advance::<LineOutbox>(tx, conversation) }
}

/// The conversations of an account that have something to deliver.
pub(super) fn of_account(connection: &Connection, account: i64) -> Result<Vec<i64>> {
    const SQL: &str = "SELECT conversation FROM lanes WHERE account = ?1";
    query::values(connection, SQL, [account])
}

/// Lanes whose oldest delivery was never tried and can go out as a reply: see `conversations::take_reply_token`.
fn free_replies(
    tx: &Transaction<'_>,
    sender: &Rc<LineSender>,
    limit: usize,
) -> Result<Vec<Lane<LineSender>>> {
    const SQL: &str = "
        SELECT conversation, slow
        FROM conversations v
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
    let values = (sender.account, fresh_since, tx.now(), Limit(limit));
    query::rows(tx, SQL, values, |row| lane(row, sender))
}

fn lane(row: &Row<'_>, sender: &Rc<LineSender>) -> Read<Lane<LineSender>> {
    Ok(Lane {
        conversation: row.get("conversation")?,
        party: Rc::clone(sender),
        slow: row.get("slow")?,
        is_probe: false,
    })
}

fn sender(row: &Row<'_>, suspension: Option<(SuspensionReason, Timestamp)>) -> Read<LineSender> {
    Ok(LineSender { account: row.get("key")?, id: row.get("id")?, token: row.get("token")?, suspension })
}
