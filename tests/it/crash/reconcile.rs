//! Three histories that must agree: what clients were promised, what the server lists, and what LINE executed.

use std::collections::{HashMap, HashSet};
use std::fmt;

use kaiwa::sandbox::platform::Platform;
use kaiwa::sandbox::records::Executed;
use serde_json::Value;

use crate::crash::listed::Listed;
use crate::crash::load::{Chat, Ledger, Message};
use crate::crash::received;

/// Maximum number of findings of one kind that are shown.
const EXAMPLES_MAX: usize = 5;

/// Violations; each entry says where.
#[derive(Debug, Default)]
pub struct Report {
    /// Acknowledged messages that LINE did not execute, or not as written.
    pub lost: Vec<String>,
    /// Requests that LINE executed more than once.
    pub doubled: Vec<String>,
    /// Messages that LINE executed before an older one of their chat.
    pub reordered: Vec<String>,
    /// Messages that the server lists with another status than `sent`.
    pub unfinished: Vec<String>,
    /// Acknowledged messages that the server does not list exactly once.
    pub unlisted: Vec<String>,
    /// Messages that were listed or executed in a chat where nobody wrote them.
    pub invented: Vec<String>,
    /// Messages of acknowledged events that are not listed.
    pub events_lost: Vec<String>,
    /// Messages that are listed more than once.
    pub events_doubled: Vec<String>,
    /// Messages whose text is not that of their newest edit.
    pub misread: Vec<String>,
    /// Unsent messages that are still listed.
    pub kept: Vec<String>,
    /// Files that are not served as sent or uploaded.
    pub files_wrong: Vec<String>,
    /// Requests that LINE does not allow bots.
    pub violations: Vec<String>,
    /// Valid requests that were rejected.
    pub refusals: Vec<String>,
    /// Violations in the database or in the log.
    pub unsound: Vec<String>,
}

/// The history of one chat on LINE's side.
#[derive(Default)]
struct Executions<'a> {
    /// The names of messages in the order of their first execution.
    order: Vec<&'a str>,
    /// The texts executed under a name, without repetitions.
    texts: HashMap<&'a str, String>,
    repeated: Vec<String>,
}

impl Report {
    /// Compares the histories of a settled campaign.
    pub fn new(ledger: &Ledger, chats: &[Chat], lists: &[Vec<Listed>], platform: &Platform) -> Self {
        let executed = platform.executed();
        let mut report = Self { refusals: ledger.refusals.clone(), ..Self::default() };
        report.violations = platform.violations().iter().map(|violation| format!("{violation:?}")).collect();
        for (position, (chat, listed)) in chats.iter().zip(lists).enumerate() {
            let texts: Vec<String> =
                executed.iter().filter(|one| one.recipients == [chat.user.as_str()]).map(text_of).collect();
            let messages = ledger.messages.iter().filter(|message| message.chat == position);
            let (ours, theirs): (Vec<&Listed>, Vec<&Listed>) = listed.iter().partition(|one| one.is_ours);
            report.compare_messages(messages, &ours, Executions::new(&texts));
            received::compare(&mut report, &ledger.people, position, &theirs);
        }
        report
    }

    /// The findings, with a few examples of each kind.
    pub fn findings(&self) -> Vec<String> {
        let found = self.lists().into_iter().filter(|(_, list)| !list.is_empty());
        let sample = |list: &[String]| list.iter().take(EXAMPLES_MAX).cloned().collect::<Vec<_>>().join("; ");
        found.map(|(name, list)| format!("{name} {}: {}", list.len(), sample(list))).collect()
    }

    fn lists(&self) -> [(&'static str, &[String]); 14] {
        [
            ("doubled", &self.doubled),
            ("lost", &self.lost),
            ("reordered", &self.reordered),
            ("unfinished", &self.unfinished),
            ("unlisted", &self.unlisted),
            ("invented", &self.invented),
            ("events lost", &self.events_lost),
            ("events doubled", &self.events_doubled),
            ("misread", &self.misread),
            ("unsent and listed", &self.kept),
            ("files wrong", &self.files_wrong),
            ("violations", &self.violations),
            ("refusals", &self.refusals),
            ("unsound", &self.unsound),
        ]
    }

    fn compare_messages<'a>(
        &mut self,
        attempted: impl Iterator<Item = &'a Message> + Clone,
        listed: &[&Listed],
        executions: Executions<'_>,
    ) {
        let counts = count(listed);
        // A reply without a response is not repeated: such a message says so, and was executed once or not at all.
        let unknown = listed.iter().filter(|message| message.is_unknown);
        let unknown: HashSet<&str> = unknown.map(|message| name_of(&message.text)).collect();
        for message in attempted.clone().filter(|message| message.acknowledged) {
            let is_whole = executions.texts.get(message.name.as_str()) == Some(&message.executed());
            if !is_whole && !unknown.contains(message.name.as_str()) {
                self.lost.push(message.name.clone());
            }
            if counts.get(message.text.as_str()) != Some(&1) {
                self.unlisted.push(message.name.clone());
            }
        }
        let whole: HashMap<&str, String> =
            attempted.clone().map(|message| (message.name.as_str(), message.executed())).collect();
        for message in listed {
            let name = name_of(&message.text);
            let is_whole = whole.contains_key(name) && executions.texts.get(name) == whole.get(name);
            if !message.is_unknown && (message.status != "sent" || !is_whole) {
                self.unfinished.push(format!("{}: {}", name_of(&message.text), message.status));
            }
        }
        let written: HashSet<&str> = attempted.map(|message| message.text.as_str()).collect();
        self.note_inventions(&written, listed);
        // A request that nobody waits for may still be executed, after the next message.
        let order: Vec<&str> =
            executions.order.iter().filter(|name| !unknown.contains(*name)).copied().collect();
        self.compare_order(listed, &order);
        self.doubled.extend(executions.repeated);
    }

    /// LINE must have received the messages of a chat in the order in which the server lists them.
    fn compare_order(&mut self, listed: &[&Listed], executed: &[&str]) {
        let names = listed.iter().map(|message| name_of(&message.text));
        let positions: HashMap<&str, usize> = names.enumerate().map(|(at, name)| (name, at)).collect();
        let unknown = executed.iter().filter(|name| !positions.contains_key(*name));
        self.invented.extend(unknown.map(|name| format!("{name}: executed, and not listed")));
        for pair in executed.windows(2) {
            if positions.get(pair[0]) > positions.get(pair[1]) {
                self.reordered.push(format!("{} after {}", pair[1], pair[0]));
            }
        }
    }

    fn note_inventions(&mut self, written: &HashSet<&str>, listed: &[&Listed]) {
        let unknown = listed.iter().filter(|listed| !written.contains(listed.text.as_str()));
        self.invented.extend(unknown.map(|listed| format!("{}: listed", name_of(&listed.text))));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts = self.lists().map(|(name, found)| format!("{name} {}", found.len()));
        formatter.write_str(&texts.join(", "))
    }
}

impl<'a> Executions<'a> {
    /// The executions of one chat, whose texts are these.
    fn new(texts: &'a [String]) -> Self {
        let mut executions = Self::default();
        let mut seen = HashSet::new();
        for text in texts {
            let name = name_of(text);
            if seen.insert(text) {
                executions.order.push(name);
                executions.texts.entry(name).or_default().push_str(text);
            } else {
                executions.repeated.push(name.to_owned());
            }
        }
        executions
    }
}

/// The number of messages sent in more than one request.
pub fn long_messages(platform: &Platform) -> usize {
    let executed = platform.executed();
    let distinct: HashSet<String> = executed.iter().map(text_of).collect();
    let names: HashSet<&str> = distinct.iter().map(|text| name_of(text)).collect();
    distinct.len() - names.len()
}

/// The text of a request: its bubbles joined.
fn text_of(executed: &Executed) -> String {
    let bubbles = executed.body["messages"].as_array().unwrap();
    bubbles.iter().map(text_of_bubble).collect()
}

/// A text, or the path of an image, regardless of the server's port.
fn text_of_bubble(bubble: &Value) -> String {
    bubble["text"].as_str().map_or_else(
        || {
            let address = bubble["originalContentUrl"].as_str().unwrap();
            format!("\n{}", &address[address.find("/m/").expect("it is ours")..])
        },
        str::to_owned,
    )
}

fn name_of(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn count<'a>(listed: &[&'a Listed]) -> HashMap<&'a str, usize> {
    let mut counts = HashMap::new();
    for message in listed {
        *counts.entry(message.text.as_str()).or_default() += 1;
    }
    counts
}
