//! The outbox pattern, for messages to LINE and for webhooks to customers: claim by fair share, attempt, decide, record.
//!
//! Each conversation with something to deliver has a lane, which is a row. Only the oldest delivery of a lane may be in
//! flight, and no lane waits for another. Lanes belong to a party, an account or a webhook endpoint: each party gets its
//! share of the capacity, and the lanes of a suspended party wait for a single probe.

use std::rc::Rc;
use std::time::Duration;

use crate::error::Result;
use crate::model::capacity::Capacity;
use crate::model::id::MessageId;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::only_its_own;
use crate::store::engine::query::{self, Connection};
use crate::store::engine::transaction::Transaction;

/// The lanes of an outbox: their table, and who owns them.
pub trait Lanes: Copy + Send + 'static {
    /// The owner of lanes.
    type Party;

    /// Marks lane `?1` as in flight.
    const SQL_TAKE: &'static str;

    /// Makes lane `?1`, which is no longer in flight, due at `?2`.
    const SQL_FREE: &'static str;

    /// Deletes lane `?1` if it has nothing left to deliver.
    const SQL_END: &'static str;

    /// Marks all lanes as not in flight.
    const SQL_RECOVER: &'static str;

    /// When the next delivery will be due; NULL when nothing waits.
    const SQL_NEXT_DUE: &'static str;

    /// The parties with lanes, those with the fewest deliveries in flight first.
    fn parties(tx: &Transaction<'_>) -> Result<Vec<Self::Party>>;

    /// The lanes of a party whose oldest delivery may go out now, within its share of the capacity.
    fn due_of(
        &self,
        tx: &Transaction<'_>,
        party: &Rc<Self::Party>,
        share: Capacity,
    ) -> Result<Vec<Lane<Self::Party>>>;

    /// Postpones the next probe of a party until this one must have ended.
    fn postpone_probe(tx: &Transaction<'_>, party: &Self::Party) -> Result<()>;
}

/// Deliveries and their lanes.
pub trait Outbox: Lanes {
    /// The table of deliveries.
    const TABLE: &'static str;

    /// A delivery in flight. It belongs to the caller until it is recorded.
    type Claim: Send + Sync + 'static;

    /// What an attempt leads to.
    type Record: Send + Sync + 'static;

    /// Whether the last attempt of the claim's lane or party timed out.
    fn is_slow(claim: &Self::Claim) -> bool;

    /// The lane of a claim that was just recorded, if its next delivery may go out now.
    fn due_alone(tx: &Transaction<'_>, claim: &Self::Claim) -> Result<Option<Lane<Self::Party>>>;

    /// Notes that an attempt at the oldest delivery of a lane starts. Messages that are settled on the way are added to `outcomes`.
    fn start_head(
        &self,
        tx: &Transaction<'_>,
        lane: &Lane<Self::Party>,
        outcomes: &mut Vec<MessageId>,
    ) -> Result<Head<Self::Claim>>;

    /// Fails the oldest delivery of a lane, which is damaged.
    fn give_up_head(tx: &Transaction<'_>, conversation: i64) -> Result<Option<MessageId>>;

    /// Records what an attempt leads to, and frees the lane.
    fn record(tx: &Transaction<'_>, claim: &Self::Claim, record: &Self::Record) -> Result<Option<MessageId>>;

    /// Releases the deliveries that were in flight when the process ended.
    fn recover_deliveries(tx: &Transaction<'_>) -> Result<()>;
}

/// A lane whose oldest delivery may go out.
pub struct Lane<P> {
    pub(in crate::store) conversation: i64,
    pub(in crate::store) party: Rc<P>,
    /// Whether its last attempt, or the last one of its party, timed out.
    pub(in crate::store) slow: bool,
    /// Whether its delivery shows if the party is still suspended. A party has one probe at a time.
    pub(in crate::store) is_probe: bool,
}

/// The oldest delivery of a lane.
pub enum Head<C> {
    /// An attempt starts.
    Started(C),
    /// It may not go out at present, and the lane already has a later time.
    Held,
    /// There is none.
    Missing,
}

/// What a worker has to do next.
#[derive(Debug)]
pub struct Claimed<C> {
    /// Deliveries to attempt.
    pub claims: Vec<C>,
    /// Messages with an outcome, even if it is that they have to wait.
    pub outcomes: Vec<MessageId>,
}

/// Claims what is due, at most one delivery of each lane.
pub fn claim<O: Outbox>(tx: &Transaction<'_>, outbox: &O, capacity: Capacity) -> Result<Claimed<O::Claim>> {
    let mut claimed = Claimed { claims: Vec::new(), outcomes: Vec::new() };
    let mut probed: Option<Rc<O::Party>> = None;
    for lane in due(tx, outbox, capacity)? {
        let is_second_probe =
            lane.is_probe && probed.as_ref().is_some_and(|party| Rc::ptr_eq(party, &lane.party));
        if !is_second_probe && claim_head(tx, outbox, &lane, &mut claimed)? && lane.is_probe {
            probed = Some(lane.party);
        }
    }
    Ok(claimed)
}

/// Records what an attempt leads to. If it is chained, the lane's next delivery is claimed at once if it is due: one commit
/// for a conversation with more to deliver.
pub fn record<O: Outbox>(
    tx: &Transaction<'_>,
    outbox: &O,
    (claim, record): (&O::Claim, &O::Record),
    is_chained: bool,
) -> Result<Claimed<O::Claim>> {
    let outcome = O::record(tx, claim, record)?;
    let mut claimed = Claimed { claims: Vec::new(), outcomes: outcome.into_iter().collect() };
    if is_chained && let Some(lane) = O::due_alone(tx, claim)? {
        claim_head(tx, outbox, &lane, &mut claimed)?;
    }
    Ok(claimed)
}

/// Releases what was in flight when the process ended.
pub fn recover<O: Outbox>(tx: &Transaction<'_>) -> Result<()> {
    query::execute(tx, O::SQL_RECOVER, [])?;
    O::recover_deliveries(tx)
}

/// When something will be due; `None` when nothing waits. Reads a few rows for each party.
pub fn next_due<L: Lanes>(connection: &Connection) -> Result<Option<Timestamp>> {
    query::value(connection, L::SQL_NEXT_DUE, [])
}

/// Whether a wait is still on. One that ends later than the longest that is ever set was set by a clock that was ahead, and
/// would last as long as that was wrong: it is over.
pub fn is_on(until: Timestamp, now: Timestamp, longest: Duration) -> bool {
    until > now && until <= now.after(longest)
}

/// Makes the next delivery of a lane due, or ends a lane that has none.
pub(in crate::store) fn advance<L: Lanes>(tx: &Transaction<'_>, conversation: i64) -> Result<()> {
    if query::execute(tx, L::SQL_END, [conversation])? == 0 {
        free::<L>(tx, conversation, tx.now())?;
    }
    Ok(())
}

/// Makes the oldest delivery of a lane, which is no longer in flight, due at this time.
pub(in crate::store) fn free<L: Lanes>(
    tx: &Transaction<'_>,
    conversation: i64,
    due: Timestamp,
) -> Result<()> {
    query::execute(tx, L::SQL_FREE, (conversation, due))?;
    Ok(())
}

/// Lanes whose oldest delivery may go out, by fair share.
fn due<L: Lanes>(tx: &Transaction<'_>, lanes: &L, mut capacity: Capacity) -> Result<Vec<Lane<L::Party>>> {
    let parties = L::parties(tx)?;
    let count = parties.len();
    let mut all = Vec::new();
    for (index, party) in parties.into_iter().enumerate() {
        let mut due = lanes.due_of(tx, &Rc::new(party), capacity.share(count - index))?;
        let (taken, slow) = places(&due);
        capacity = capacity.without(taken, slow);
        all.append(&mut due);
    }
    Ok(all)
}

/// How many of the lanes of one party will be claimed, and how many of those are slow. Of its probes only one is.
fn places<P>(due: &[Lane<P>]) -> (usize, usize) {
    let count = |slow_only: bool| {
        let counted = || due.iter().filter(move |lane| lane.slow || !slow_only);
        let probes = counted().filter(|lane| lane.is_probe).count();
        counted().count() - probes + probes.min(1)
    };
    (count(false), count(true))
}

/// Claims the oldest delivery of a lane. One that is damaged fails, and holds up no other. `false` when nothing was claimed.
fn claim_head<O: Outbox>(
    tx: &Transaction<'_>,
    outbox: &O,
    lane: &Lane<O::Party>,
    claimed: &mut Claimed<O::Claim>,
) -> Result<bool> {
    let mut outcomes = Vec::new();
    let claim = tx.attempt(|tx| start_head(tx, outbox, lane, &mut outcomes));
    let Ok(claim) = only_its_own(claim, O::TABLE)? else {
        claimed.outcomes.extend(O::give_up_head(tx, lane.conversation)?);
        return Ok(false);
    };
    let is_claimed = claim.is_some();
    claimed.claims.extend(claim);
    claimed.outcomes.append(&mut outcomes);
    Ok(is_claimed)
}

fn start_head<O: Outbox>(
    tx: &Transaction<'_>,
    outbox: &O,
    lane: &Lane<O::Party>,
    outcomes: &mut Vec<MessageId>,
) -> Result<Option<O::Claim>> {
    match outbox.start_head(tx, lane, outcomes)? {
        Head::Started(claim) => {
            if lane.is_probe {
                O::postpone_probe(tx, &lane.party)?;
            }
            query::execute(tx, O::SQL_TAKE, [lane.conversation])?;
            Ok(Some(claim))
        }
        Head::Held => Ok(None),
        Head::Missing => advance::<O>(tx, lane.conversation).map(|()| None),
    }
}
