//! The server is killed repeatedly under load, while LINE and the network fail independently. Everything it acknowledged
//! must exist afterwards, and must have reached LINE once and in order.

mod database;
mod large;
mod listed;
mod load;
mod people;
mod process;
mod received;
mod reconcile;
mod tally;

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::Write;
use std::time::{Duration, Instant};

use kaiwa::model::timestamp::Timestamp;
use kaiwa::sandbox::options::Options;
use kaiwa::sandbox::records::faults::{FaultKind, FaultRule};
use kaiwa::sandbox::records::random::Generator;

use crate::crash::listed::{Listed, identify, is_undecided, read_all, read_files, undecided, unknown};
use crate::crash::load::{Chat, Ledger, Load, generator, open_chats};
use crate::crash::process::{Api, Installation};
use crate::crash::reconcile::Report;
use crate::crash::tally::{Floors, Tally};
use crate::harness::line::Line;

/// Kills while a client waits for a response, unless `CRASH_KILLS=50 cargo test --test it crash` asks for more.
const KILLS: usize = 6;

/// A slow machine needs more kills until enough has happened between them; this many times as many is the limit.
const ROUNDS_PER_KILL_MAX: u64 = 4;

/// A kill comes after this many responses, plus up to as many more: how much happens between two kills does not depend on
/// the speed of the machine.
const KILL_AFTER: (usize, usize) = (10, 60);

/// And up to this many microseconds later, so that it falls anywhere between two of them.
const KILL_LATER_US: usize = 10_000;

/// Replies that LINE executed, per kill.
const REPLIES_PER_KILL: usize = 5;

/// One message with an unknown outcome is expected per this many kills.
const KILLS_PER_UNKNOWN: usize = 2;

const CHATS: usize = 8;

/// How long a hanging fault holds a connection.
const SILENCE: Duration = Duration::from_secs(1);

/// After the last start, without further faults, everything is delivered within this time.
const DRAIN_TIME_MAX: Duration = Duration::from_mins(2);

/// The minimum that must happen.
const NOTHING: [String; 0] = [];

/// Counted down while a fault fires.
const FAULTS_MAX: u32 = 1_000_000;

/// The server, its LINE, and what clients know of both.
struct Campaign {
    line: Line,
    installation: Installation,
    chats: Vec<Chat>,
    ledger: RefCell<Ledger>,
    seed: u64,
    floors: Floors,
    draw: Generator,
    /// Kills while a client waited for a response.
    kills: usize,
    unsound: Vec<String>,
}

#[actix_web::test]
async fn whatever_is_acknowledged_survives_kills_and_reaches_line_once_and_in_order() {
    let started = Instant::now();
    let mut campaign = Campaign::begin("push_only").await;

    campaign.kill_until(Campaign::has_enough).await;
    let faults = campaign.end_faults();
    let lists = campaign.drain().await;

    let tally = campaign.tally(faults);
    let report = campaign.report(&lists);
    print(&format!("crash: seed {}, {:.1?}, {tally}, {report}", campaign.seed, started.elapsed()));
    assert_eq!(report.findings(), NOTHING);
    assert_eq!(unknown(&lists), 0, "every push can be repeated");
    tally.require(campaign.floors);
}

#[actix_web::test]
async fn replies_are_never_repeated_and_unclear_outcomes_are_reported() {
    let started = Instant::now();
    let mut campaign = Campaign::begin("prefer_reply").await;

    campaign.kill_until(Campaign::has_replied_enough).await;
    campaign.end_faults();
    let lists = campaign.drain().await;

    let report = campaign.report(&lists);
    let (replies, unknown) = (campaign.replies(), unknown(&lists));
    let kills = campaign.kills;
    print(&format!(
        "crash: seed {}, {:.1?}, kills under load {kills}, replies {replies}, unknown {unknown}, {report}",
        campaign.seed,
        started.elapsed()
    ));
    assert_eq!(report.findings(), NOTHING);
    assert!(kills >= campaign.floors.kills && replies >= kills * REPLIES_PER_KILL, "too little happened");
    assert!(unknown >= campaign.floors.kills / KILLS_PER_UNKNOWN, "{unknown} is too little");
}

impl Campaign {
    /// A server with started chats, and a LINE that fails from now on.
    async fn begin(mode: &'static str) -> Self {
        let seed =
            asked_for("CRASH_SEED").unwrap_or_else(|| Timestamp::now().as_microseconds().unsigned_abs());
        let kills = asked_for("CRASH_KILLS").map_or(KILLS, |kills| usize::try_from(kills).unwrap());
        let line = Line::start_with(Options { seed, silence: SILENCE, ..Options::generate() });
        let installation = Installation::new(&line, mode);
        let users = (0..CHATS).map(|number| line.friend(&format!("user {number}"))).collect();
        let mut ledger = Ledger::default();
        let (mut process, api) = installation.start_without_fault().await;
        let chats = open_chats(&api, users, &mut ledger, &line.platform).await;
        process.kill();
        line.platform.set_faults(faults());
        let ledger = RefCell::new(ledger);
        let draw = generator(seed, 0);
        let floors = Floors { kills };
        Self { line, installation, chats, ledger, seed, floors, draw, kills: 0, unsound: Vec::new() }
    }

    /// Starts the server, puts load on it and kills it under that load.
    async fn kill_under_load(&mut self, round: u64) {
        let (mut process, api) = self.installation.start().await;
        let more = KILL_AFTER.0 + self.draw(KILL_AFTER.1);
        let enough = self.ledger.borrow().responses + more;
        let later = Duration::from_micros(u64::try_from(self.draw(KILL_LATER_US)).expect("it is small"));
        let limit = Instant::now() + DRAIN_TIME_MAX;
        let (mut log, mut is_in_flight) = (Vec::new(), false);
        let kill = async {
            while self.ledger.borrow().responses < enough && Instant::now() < limit {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(later).await;
            is_in_flight = self.ledger.borrow().is_in_flight();
            log = process.kill();
        };
        let platform = &self.line.platform;
        Load::new(&api, &self.chats, &self.ledger, platform, self.seed + round).until(kill).await;
        self.kills += usize::from(is_in_flight);
        self.inspect(&log);
    }

    /// Kills the server until enough has happened.
    async fn kill_until(&mut self, is_enough: impl Fn(&Self) -> bool) {
        let rounds_max = u64::try_from(self.floors.kills).unwrap() * ROUNDS_PER_KILL_MAX;
        for round in 1..=rounds_max {
            self.kill_under_load(round).await;
            if is_enough(self) {
                return;
            }
        }
    }

    /// Whether enough replies were sent, and lost, for their test.
    fn has_replied_enough(&self) -> bool {
        self.kills >= self.floors.kills && self.replies() >= self.kills * REPLIES_PER_KILL
    }

    /// Replies that LINE has executed.
    fn replies(&self) -> usize {
        self.line.platform.executed().iter().filter(|one| one.endpoint == "reply").count()
    }

    /// Whether enough has happened for the checks. Everything else that must happen follows from this amount.
    fn has_enough(&self) -> bool {
        let ledger = self.ledger.borrow();
        self.kills >= self.floors.kills
            && ledger.acknowledged_messages() >= self.floors.messages()
            && ledger.acknowledged_events() >= self.floors.events()
    }

    /// Ends LINE's faults and returns those that fired.
    fn end_faults(&self) -> Vec<(FaultKind, u32)> {
        let fired = |fault: &FaultRule| (fault.kind, FAULTS_MAX - fault.count.unwrap_or_default());
        let fired = self.line.platform.with(|state| state.faults.rules().iter().map(fired).collect());
        self.line.platform.set_faults(Vec::new());
        fired
    }

    /// Starts the server a last time, reads everything once it is all delivered, and stops the server gracefully.
    async fn drain(&mut self) -> Vec<Vec<Listed>> {
        let (mut process, api) = self.installation.start().await;
        let limit = Instant::now() + DRAIN_TIME_MAX;
        for path in undecided(&read_all(&api, &self.chats).await) {
            while is_undecided(&api.get(&path).await.json()) && Instant::now() < limit {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        let mut lists = read_all(&api, &self.chats).await;
        read_files(&api, &mut lists).await;
        self.read_uploads(&api).await;
        let (status, log) = process.stop().await;
        assert_eq!(status.code(), Some(0), "{log:#?}");
        self.inspect(&log);
        identify(&mut lists, &database::line_ids(&self.installation.database()));
        lists
    }

    /// Compares uploads with what is served to the customer and, for sent files, to everyone.
    async fn read_uploads(&mut self, api: &Api) {
        let ledger = self.ledger.get_mut();
        let sent: HashSet<&str> = ledger
            .messages
            .iter()
            .filter(|message| message.acknowledged)
            .filter_map(|message| message.upload.as_deref())
            .collect();
        for upload in &ledger.uploads {
            let id = upload.id.as_str();
            let mut places = vec![format!("/v1.0/medias/{id}")];
            places.extend(sent.contains(id).then(|| format!("/m/{id}/file.jpg")));
            for place in places {
                if api.file(&place).await.as_ref() != Some(&upload.bytes) {
                    self.unsound.push(format!("an upload that is not served at {place}"));
                }
            }
        }
    }

    /// Checks what a process has left behind.
    fn inspect(&mut self, log: &[String]) {
        let alarming = |line: &&String| line.contains("panicked") || line.contains(" ERROR ");
        self.unsound.extend(log.iter().filter(alarming).cloned());
        self.unsound.extend(database::faults(&self.installation.database()));
    }

    fn draw(&mut self, span: usize) -> usize {
        self.draw.position(span).expect("there is a span")
    }

    fn tally(&self, faults: Vec<(FaultKind, u32)>) -> Tally {
        Tally::new(self.kills, &self.ledger.borrow(), &self.line.platform, faults)
    }

    fn report(&self, lists: &[Vec<Listed>]) -> Report {
        let report = Report::new(&self.ledger.borrow(), &self.chats, lists, &self.line.platform);
        Report { unsound: self.unsound.clone(), ..report }
    }
}

/// The faults between the server and LINE.
fn faults() -> Vec<FaultRule> {
    let fault = |kind, probability, delay_ms| FaultRule {
        path: Some(path_of(kind).to_owned()),
        probability,
        count: Some(FAULTS_MAX),
        delay_ms,
        execute: true,
        ..FaultRule::new(kind)
    };
    vec![
        fault(FaultKind::Lost, 0.06, 0),
        fault(FaultKind::StatusAfter, 0.05, 0),
        fault(FaultKind::Status, 0.04, 0),
        fault(FaultKind::Reset, 0.04, 0),
        fault(FaultKind::Garbage, 0.04, 0),
        fault(FaultKind::Html, 0.02, 0),
        fault(FaultKind::Timeout, 0.005, 0),
        fault(FaultKind::Cut, 0.03, 0),
        fault(FaultKind::Stall, 0.005, 0),
        // Long enough for kills between a request and its execution, and between that and its response.
        fault(FaultKind::Slow, 0.1, 30),
    ]
}

/// A truncated response with a matching length is noticed where JSON is expected. With a file it cannot be noticed.
const fn path_of(kind: FaultKind) -> &'static str {
    if matches!(kind, FaultKind::Garbage) { "/v2/bot/message/push" } else { "/v2/bot/message/" }
}

/// A number from the environment: `CRASH_SEED=7 cargo test --test it crash`. Without it, the seed differs in each run.
#[expect(clippy::disallowed_methods, reason = "how long to test is no setting of the program")]
fn asked_for(name: &str) -> Option<u64> {
    let given = std::env::var(name).ok()?;
    Some(given.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not {given:?}")))
}

/// Bypasses the captured output of passing tests: how much was tested is part of the result.
fn print(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error accepts a line");
}
