//! Works through an outbox: claims what is due, attempts it, decides what follows, records that.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::model::clock::Clock;
use crate::model::id::MessageId;
use crate::model::timestamp::Timestamp;
use crate::runtime::in_flight::InFlight;
use crate::store::Store;
use crate::store::dispatch::{self, Claimed, Outbox};
use crate::store::engine::transaction::Transaction;
use crate::store::reader::Reader;
use crate::worker::{PAUSE_AFTER_FAILURE, Worker, WorkerContext, pause};

/// A conversation with more to deliver goes on at once for this many deliveries; then others have their turn.
const CHAIN_MAX: usize = 32;

/// What an outbox hands to a transport.
pub type Claim<T> = <<T as Transport>::Outbox as Outbox>::Claim;

/// What a transport hands back to its outbox.
pub type Record<T> = <<T as Transport>::Outbox as Outbox>::Record;

/// How the deliveries of an outbox go out.
pub trait Transport: Clone + 'static {
    /// The worker's name in the log.
    const NAME: &'static str;

    /// Where the deliveries come from.
    type Outbox: Outbox;

    /// The outcome of an attempt.
    type Outcome;

    /// The outbox, with the settings that its claims need.
    fn outbox(&self) -> Self::Outbox;

    /// Makes one attempt. It catches its own panics.
    fn attempt(&self, claim: &Claim<Self>, clock: &Clock) -> impl Future<Output = Self::Outcome>;

    /// Decides what follows from an outcome; counts and logs it.
    fn decide(&self, claim: &Claim<Self>, outcome: Self::Outcome, now: Timestamp) -> Record<Self>;

    /// What stands in for a record that the storage refuses for good.
    fn unrecorded(&self, claim: &Claim<Self>, now: Timestamp) -> Record<Self>;

    /// What the log calls a claim.
    fn label(claim: &Claim<Self>) -> String;

    /// Whether a claim may find something. It saves the writer operations where most wake-ups have nothing for the outbox.
    fn may_be_due(_reader: &Reader, _now: Timestamp) -> Result<bool> {
        Ok(true)
    }

    /// Notifies those who wait for a message that it has an outcome.
    fn announce(&self, _message: MessageId) {}
}

/// The worker of an outbox.
pub struct OutboxWorker<T> {
    courier: Courier<T>,
    reader: Reader,
    in_flight: InFlight,
}

/// What the tasks in flight share.
#[derive(Clone)]
struct Courier<T> {
    store: Store,
    transport: T,
}

impl<T: Transport> OutboxWorker<T> {
    /// A worker with room for `concurrency` attempts at once, or more while they are slow.
    pub fn new(store: Store, transport: T, concurrency: usize) -> Result<Self> {
        let reader = store.reader()?;
        Ok(Self { courier: Courier { store, transport }, reader, in_flight: InFlight::new(concurrency) })
    }

    async fn claim(&self, clock: &Clock) -> Result<Vec<Claim<T>>> {
        let capacity = self.in_flight.capacity();
        if capacity.any == 0 || !T::may_be_due(&self.reader, clock.now())? {
            return Ok(Vec::new());
        }
        let Courier { store, transport } = &self.courier;
        let outbox = transport.outbox();
        let claimed = store.write(clock.now(), move |tx| dispatch::claim(tx, &outbox, capacity)).await?;
        self.courier.announce(&claimed);
        Ok(claimed.claims)
    }

    fn begin(&mut self, claim: Claim<T>, context: &WorkerContext) {
        let (courier, clock, stop) = (self.courier.clone(), context.clock.clone(), context.stop.clone());
        self.in_flight.begin(T::Outbox::is_slow(&claim), |since| async move {
            let goes_on = || {
                since.restart();
                !stop.is_requested()
            };
            courier.deliver(claim, &clock, goes_on).await;
        });
    }
}

/// A stop lets the attempts in flight end.
impl<T: Transport> Worker for OutboxWorker<T> {
    const NAME: &'static str = T::NAME;

    async fn round(&mut self, context: &mut WorkerContext) -> Result<Duration> {
        for claim in self.claim(&context.clock).await? {
            self.begin(claim, context);
        }
        Ok(pause(self.reader.read(dispatch::next_due::<T::Outbox>)?, context.clock.now()))
    }

    async fn ended(&mut self) {
        self.in_flight.ended().await;
    }

    async fn finish(self) {
        self.in_flight.all_ended().await;
    }
}

impl<T: Transport> Courier<T> {
    /// Attempts deliveries of a lane until none is due, or `goes_on` or the chain's length ends it.
    async fn deliver(&self, first: Claim<T>, clock: &Clock, goes_on: impl Fn() -> bool) {
        let mut claim = first;
        for left in (0..CHAIN_MAX).rev() {
            let outcome = self.transport.attempt(&claim, clock).await;
            let record = self.transport.decide(&claim, outcome, clock.now());
            let is_chained = left > 0 && goes_on();
            let Some(next) = self.record(claim, record, is_chained, clock).await else { return };
            claim = next;
        }
    }

    /// Records an attempt, however long the storage takes to accept it: without the record the lane could not go on. The
    /// transport has a substitute for what the storage refuses for good. Returns the lane's next delivery if it is chained and
    /// one is due.
    async fn record(
        &self,
        claim: Claim<T>,
        record: Record<T>,
        is_chained: bool,
        clock: &Clock,
    ) -> Option<Claim<T>> {
        let (claim, mut record, mut is_substitute) = (Arc::new(claim), Arc::new(record), false);
        loop {
            let error = match self.write(&claim, &record, is_chained, clock).await {
                Ok(mut claimed) => {
                    self.announce(&claimed);
                    return claimed.claims.pop();
                }
                Err(error) => error,
            };
            let (name, label, chain) = (T::NAME, T::label(&claim), error.chain());
            if error.is_transient() {
                log::error!("{name}: the outcome of {label} is not recorded yet: {chain}");
                tokio::time::sleep(PAUSE_AFTER_FAILURE).await;
            } else if is_substitute {
                log::error!("{name}: the conversation of {label} waits for the next start: {chain}");
                return None;
            } else {
                log::error!(
                    "{name}: the outcome of {label} cannot be recorded and counts as unknown: {chain}"
                );
                record = Arc::new(self.transport.unrecorded(&claim, clock.now()));
                is_substitute = true;
            }
        }
    }

    async fn write(
        &self,
        claim: &Arc<Claim<T>>,
        record: &Arc<Record<T>>,
        is_chained: bool,
        clock: &Clock,
    ) -> Result<Claimed<Claim<T>>> {
        let (outbox, claim, record) = (self.transport.outbox(), Arc::clone(claim), Arc::clone(record));
        let write = move |tx: &Transaction<'_>| dispatch::record(tx, &outbox, (&claim, &record), is_chained);
        self.store.write(clock.now(), write).await
    }

    fn announce(&self, claimed: &Claimed<Claim<T>>) {
        for message in &claimed.outcomes {
            self.transport.announce(*message);
        }
    }
}
