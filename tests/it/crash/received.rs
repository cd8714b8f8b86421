//! Compares the messages of users with what the server lists.

use std::collections::HashMap;

use crate::crash::listed::Listed;
use crate::crash::people::{Event, People, UserMessage};
use crate::crash::reconcile::Report;

/// The expected state of a message.
struct Expectation<'a> {
    /// Whether the server has acknowledged an event with its text.
    is_promised: bool,
    /// Whether the server has acknowledged its unsend.
    is_unsent: bool,
    /// Its possible texts: that of the newest acknowledged event, or of a later unacknowledged one.
    texts: Vec<&'a str>,
}

/// Compares one chat.
pub fn compare(report: &mut Report, people: &People, chat: usize, listed: &[&Listed]) {
    let mut rows: HashMap<&str, Vec<&Listed>> = HashMap::new();
    for one in listed {
        rows.entry(one.line_id.as_deref().unwrap_or_default()).or_default().push(one);
    }
    let mut events: HashMap<usize, Vec<&Event>> = HashMap::new();
    for event in &people.events {
        events.entry(event.message).or_default().push(event);
    }
    for (position, message) in people.messages.iter().enumerate().filter(|(_, message)| message.chat == chat)
    {
        let expectation = Expectation::new(events.get(&position).map_or(&[], Vec::as_slice));
        match rows.remove(message.line_id.as_str()).as_deref() {
            // An unsent message is no longer listed.
            None if expectation.is_promised && !message.is_unsent => {
                report.events_lost.push(message.line_id.clone());
            }
            None => {}
            Some([one]) => compare_one(report, message, &expectation, one),
            Some(_) => report.events_doubled.push(message.line_id.clone()),
        }
    }
    report.invented.extend(rows.into_keys().map(|line_id| format!("{line_id}: listed")));
}

fn compare_one(report: &mut Report, message: &UserMessage, expectation: &Expectation<'_>, listed: &Listed) {
    if expectation.is_unsent {
        report.kept.push(message.line_id.clone());
        return;
    }
    if !expectation.texts.contains(&listed.text.as_str()) {
        report.misread.push(format!("{}: {:?}", message.line_id, listed.text));
    }
    let is_right = match (&message.file, listed.files.as_slice()) {
        (None, []) => true,
        // LINE serves nothing that was unsent.
        (Some(_), [shown]) if message.is_unsent && shown.status == "gone" => shown.bytes.is_none(),
        (Some(bytes), [shown]) => shown.status == "stored" && shown.bytes.as_ref() == Some(bytes),
        _ => false,
    };
    if !is_right {
        let states: Vec<_> = listed.files.iter().map(|shown| shown.status.as_str()).collect();
        report.files_wrong.push(format!("{}: {states:?}", message.line_id));
    }
}

impl<'a> Expectation<'a> {
    fn new(events: &[&'a Event]) -> Self {
        let acknowledged = |event: &&&Event| event.acknowledged;
        let texts = || events.iter().filter(|event| event.text.is_some());
        let newest = texts().filter(acknowledged).map(|event| event.at).max();
        let may_be_last = texts().filter(|event| Some(event.at) >= newest);
        Self {
            is_promised: newest.is_some(),
            is_unsent: events.iter().filter(acknowledged).any(|event| event.text.is_none()),
            texts: may_be_last.filter_map(|event| event.text.as_deref()).collect(),
        }
    }
}
