//! The coverage of a campaign: a check that nothing was lost proves nothing when nothing happened.

use std::fmt;

use kaiwa::sandbox::platform::Platform;
use kaiwa::sandbox::records::faults::FaultKind;

use crate::crash::load::Ledger;
use crate::crash::people::Event;
use crate::crash::reconcile::long_messages;

/// The minimum of each kind of event, per kill while a client waited for a response.
#[derive(Clone, Copy)]
pub struct Floors {
    pub kills: usize,
}

impl Floors {
    /// Messages that the server accepted.
    pub const fn messages(self) -> usize {
        self.kills * 10
    }

    /// Events that the server accepted.
    pub const fn events(self) -> usize {
        self.kills * 10
    }

    /// Webhooks that arrived more than once.
    const fn copies(self) -> usize {
        self.kills
    }

    /// Messages in two requests.
    const fn long(self) -> usize {
        self.kills / 10
    }

    /// Files, edits, unsends and uploads, each; and failures of either side around an execution.
    const fn others(self) -> usize {
        self.kills * 2 / 5
    }

    /// Attempts after an execution.
    const fn conflicts(self) -> usize {
        self.kills / 5
    }
}

/// What happened in a campaign.
pub struct Tally {
    kills: usize,
    messages: usize,
    attempted_messages: usize,
    events: usize,
    attempted_events: usize,
    copies: usize,
    long: usize,
    actions: [(&'static str, usize); 4],
    conflicts: usize,
    faults: Vec<(FaultKind, u32)>,
}

impl Tally {
    /// Counts the observations of clients and LINE.
    pub fn new(kills: usize, ledger: &Ledger, platform: &Platform, faults: Vec<(FaultKind, u32)>) -> Self {
        Self {
            kills,
            messages: ledger.acknowledged_messages(),
            attempted_messages: ledger.messages.len(),
            events: ledger.acknowledged_events(),
            attempted_events: ledger.people.events.len(),
            copies: ledger.copies,
            long: long_messages(platform),
            actions: actions(ledger),
            conflicts: platform.requests().iter().filter(|request| request.status == Some(409)).count(),
            faults,
        }
    }

    /// Fails when too little happened for the rest of the test to mean anything.
    pub fn require(&self, floors: Floors) {
        let executed_unheard = self.fired(FaultKind::Lost) + self.fired(FaultKind::StatusAfter);
        let unexecuted = self.fired(FaultKind::Status) + self.fired(FaultKind::Reset);
        let counts = [
            ("kills under load", self.kills, floors.kills),
            ("acknowledged messages", self.messages, floors.messages()),
            ("acknowledged events", self.events, floors.events()),
            ("webhooks with copies", self.copies, floors.copies()),
            ("messages in two requests", self.long, floors.long()),
            ("executions without an answer that says so", executed_unheard, floors.others()),
            ("errors and resets before the execution", unexecuted, floors.others()),
            ("attempts after an execution", self.conflicts, floors.conflicts()),
        ];
        let actions = self.actions.map(|(name, count)| (name, count, floors.others()));
        for (name, count, floor) in counts.into_iter().chain(actions) {
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
        self.actions.iter().try_for_each(|(name, count)| write!(formatter, ", {name} {count}"))?;
        write!(formatter, "), 409 responses {}, faults", self.conflicts)?;
        self.faults.iter().try_for_each(|(kind, count)| write!(formatter, " {kind:?} {count}"))
    }
}

/// The accepted messages that are not plain text.
fn actions(ledger: &Ledger) -> [(&'static str, usize); 4] {
    let messages = &ledger.people.messages;
    let count = |is_counted: &dyn Fn(&Event) -> bool| {
        ledger.people.events.iter().filter(|event| event.acknowledged && is_counted(event)).count()
    };
    [
        ("files", count(&|event| event.text.is_some() && messages[event.message].file.is_some())),
        ("edits", count(&Event::is_edit)),
        ("unsends", count(&|event| event.text.is_none())),
        ("uploads", ledger.uploads.len()),
    ]
}
