//! How much a campaign was worth: a check that nothing was lost says nothing when nothing happened.

use std::fmt;

use kaiwa::sandbox::faults::FaultKind;
use kaiwa::sandbox::platform::Platform;

use crate::crash::load::Ledger;
use crate::crash::reconcile::long_messages;

/// What happened in a campaign.
pub struct Tally {
    kills: usize,
    messages: usize,
    attempted_messages: usize,
    events: usize,
    attempted_events: usize,
    copies: usize,
    long: usize,
    conflicts: usize,
    faults: Vec<(FaultKind, u32)>,
}

impl Tally {
    /// Counts what clients and LINE have seen.
    pub fn new(kills: usize, ledger: &Ledger, platform: &Platform, faults: Vec<(FaultKind, u32)>) -> Self {
        let Ledger { messages, events, copies, .. } = ledger;
        Self {
            kills,
            messages: messages.iter().filter(|message| message.acknowledged).count(),
            attempted_messages: messages.len(),
            events: events.iter().filter(|event| event.acknowledged).count(),
            attempted_events: events.len(),
            copies: *copies,
            long: long_messages(platform),
            conflicts: platform.requests().iter().filter(|request| request.status == Some(409)).count(),
            faults,
        }
    }

    /// Fails when too little happened for the rest of the test to mean anything.
    pub fn require(&self) {
        let executed_unheard = self.fired(FaultKind::Lost) + self.fired(FaultKind::StatusAfter);
        let floors = [
            ("kills under load", self.kills, 50),
            ("acknowledged messages", self.messages, 500),
            ("acknowledged events", self.events, 500),
            ("webhooks with copies", self.copies, 50),
            ("messages in two requests", self.long, 5),
            ("executions without an answer that says so", executed_unheard, 20),
            (
                "errors and resets before the execution",
                self.fired(FaultKind::Status) + self.fired(FaultKind::Reset),
                20,
            ),
            ("attempts after an execution", self.conflicts, floor_of_conflicts()),
        ];
        for (name, count, floor) in floors {
            assert!(count >= floor, "{name}: {count} is too little, {floor} are needed");
        }
    }

    fn fired(&self, kind: FaultKind) -> usize {
        let fired =
            self.faults.iter().filter(|(other, _)| *other == kind).map(|(_, count)| count).sum::<u32>();
        usize::try_from(fired).expect("it is small")
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, messages, attempted_messages, events, attempted_events, copies, long, .. } = self;
        write!(
            formatter,
            "kills under load {kills}, acknowledged messages {messages} of {attempted_messages}"
        )?;
        write!(formatter, " ({long} in two requests), acknowledged events {events} of {attempted_events}")?;
        write!(formatter, " (webhooks with copies {copies}), answered by 409 {}, faults", self.conflicts)?;
        self.faults.iter().try_for_each(|(kind, count)| write!(formatter, " {kind:?} {count}"))
    }
}

/// A server that takes a new retry key for each attempt never sees LINE's 409.
const fn floor_of_conflicts() -> usize {
    if cfg!(feature = "seeded-bugs") { 0 } else { 10 }
}
