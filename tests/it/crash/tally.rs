//! How much a campaign was worth: a check that nothing was lost says nothing when nothing happened.

use std::fmt;

use kaiwa::sandbox::faults::FaultKind;
use kaiwa::sandbox::platform::Platform;

use crate::crash::load::Ledger;
use crate::crash::people::Event;
use crate::crash::reconcile::long_messages;

/// Kills while a client waited for an answer.
pub const KILLS_MIN: usize = 50;

/// Messages that the server took.
pub const MESSAGES_MIN: usize = 500;

/// Events that the server took.
pub const EVENTS_MIN: usize = 500;

/// Of files, edits, withdrawals and uploads, each.
const SAID_MIN: usize = 20;

/// What happened in a campaign.
pub struct Tally {
    kills: usize,
    messages: usize,
    attempted_messages: usize,
    events: usize,
    attempted_events: usize,
    copies: usize,
    long: usize,
    said: [(&'static str, usize); 4],
    conflicts: usize,
    faults: Vec<(FaultKind, u32)>,
}

impl Tally {
    /// Counts what clients and LINE have seen.
    pub fn new(kills: usize, ledger: &Ledger, platform: &Platform, faults: Vec<(FaultKind, u32)>) -> Self {
        Self {
            kills,
            messages: ledger.acknowledged_messages(),
            attempted_messages: ledger.messages.len(),
            events: ledger.acknowledged_events(),
            attempted_events: ledger.people.events.len(),
            copies: ledger.copies,
            long: long_messages(platform),
            said: said(ledger),
            conflicts: platform.requests().iter().filter(|request| request.status == Some(409)).count(),
            faults,
        }
    }

    /// Fails when too little happened for the rest of the test to mean anything.
    pub fn require(&self) {
        let executed_unheard = self.fired(FaultKind::Lost) + self.fired(FaultKind::StatusAfter);
        let floors = [
            ("kills under load", self.kills, KILLS_MIN),
            ("acknowledged messages", self.messages, MESSAGES_MIN),
            ("acknowledged events", self.events, EVENTS_MIN),
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
        let said = self.said.map(|(name, count)| (name, count, SAID_MIN));
        for (name, count, floor) in floors.into_iter().chain(said) {
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
        write!(formatter, " (webhooks with copies {copies}")?;
        self.said.iter().try_for_each(|(name, count)| write!(formatter, ", {name} {count}"))?;
        write!(formatter, "), answered by 409 {}, faults", self.conflicts)?;
        self.faults.iter().try_for_each(|(kind, count)| write!(formatter, " {kind:?} {count}"))
    }
}

/// What was taken of that which is no plain text.
fn said(ledger: &Ledger) -> [(&'static str, usize); 4] {
    let said = &ledger.people.said;
    let count = |is_counted: &dyn Fn(&Event) -> bool| {
        ledger.people.events.iter().filter(|event| event.acknowledged && is_counted(event)).count()
    };
    [
        ("files", count(&|event| event.text.is_some() && said[event.said].file.is_some())),
        ("edits", count(&Event::is_edit)),
        ("withdrawals", count(&|event| event.text.is_none())),
        ("uploads", ledger.uploads.len()),
    ]
}

/// A server that takes a new retry key for each attempt never sees LINE's 409.
const fn floor_of_conflicts() -> usize {
    if cfg!(feature = "seeded-bugs") { 0 } else { 10 }
}
