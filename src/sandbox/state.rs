//! Everything the platform knows. Nothing in here waits, and nothing reads the clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::timestamp::Timestamp;
use crate::sandbox::options::Options;
use crate::sandbox::people::People;
use crate::sandbox::people::chats::Chats;
use crate::sandbox::people::persistence::SavedState;
use crate::sandbox::records::access_tokens::AccessTokens;
use crate::sandbox::records::contents::Contents;
use crate::sandbox::records::faults::Faults;
use crate::sandbox::records::history::History;
use crate::sandbox::records::quota::MonthlyQuota;
use crate::sandbox::records::random::Generator;
use crate::sandbox::records::reply_tokens::ReplyTokens;
use crate::sandbox::records::retry_keys::RetryKeys;
use crate::sandbox::records::{Executed, RequestRecord, Violation, WebhookRecord};
use crate::sandbox::webhook::EmittedWebhook;

/// LINE's undisclosed schedule of redeliveries, in a form that a person can watch.
const REDELIVERY_SCHEDULE_MS: [u64; 4] = [1_000, 5_000, 30_000, 120_000];

/// What the platform knows: a part that is kept on disk, and a part that ends with the process.
#[derive(Debug)]
pub struct PlatformData {
    kept: SavedState,
    unsaved: bool,
    last_message_id: i64,
    /// Keys of requests that were accepted.
    pub retry_keys: RetryKeys,
    /// Tokens that came with events.
    pub reply_tokens: ReplyTokens,
    /// Channel access tokens that were issued for a short time.
    pub stateless_tokens: AccessTokens,
    /// The month's plan.
    pub quota: MonthlyQuota,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// How webhooks are sent again.
    pub redelivery: Redelivery,
    /// Draws the order of redeliveries.
    pub generator: Generator,
    /// What belongs to media messages.
    pub contents: Contents,
    /// What the phones show.
    pub chats: Chats,
    /// Webhooks that come of a call of the bot, until they are on their way.
    pub untold: Vec<EmittedWebhook>,
    /// Requests that were executed.
    pub executed: History<Executed>,
    /// All requests to LINE's API.
    pub requests: History<RequestRecord>,
    /// What the bot did against the rules.
    pub violations: History<Violation>,
    /// All attempts to deliver webhooks.
    pub attempts: History<WebhookRecord>,
    /// How long the connection stays open where a fault never answers.
    pub silence: Duration,
}

/// Whether and when failed webhooks are sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redelivery {
    /// As with LINE, nothing is sent again unless this is switched on.
    pub enabled: bool,
    /// The pauses before each redelivery, in milliseconds.
    pub schedule_ms: Vec<u64>,
    /// Whether pauses are drawn by lot, and events change their order, so that later ones overtake earlier ones.
    pub shuffle: bool,
    /// Whether each redelivery comes twice.
    pub duplicate: bool,
}

impl Default for Redelivery {
    fn default() -> Self {
        let schedule_ms = REDELIVERY_SCHEDULE_MS.to_vec();
        Self { enabled: false, schedule_ms, shuffle: false, duplicate: false }
    }
}

impl PlatformData {
    /// A platform with what was kept, and nothing that has happened yet.
    pub fn new(kept: SavedState, options: &Options) -> Self {
        Self {
            kept,
            unsaved: true,
            last_message_id: 0,
            retry_keys: RetryKeys::default(),
            reply_tokens: ReplyTokens::new(options.reply_token_life),
            stateless_tokens: AccessTokens::default(),
            quota: MonthlyQuota { value: options.quota, used: 0 },
            faults: Faults::new(options.seed),
            redelivery: Redelivery::default(),
            generator: Generator::new(options.seed),
            contents: Contents::default(),
            chats: Chats::default(),
            untold: Vec::new(),
            executed: History::default(),
            requests: History::default(),
            violations: History::default(),
            attempts: History::default(),
            silence: options.silence,
        }
    }

    /// What is kept on disk.
    pub fn saved(&self) -> &SavedState {
        &self.kept
    }

    /// What is kept on disk, for changing.
    pub fn saved_mut(&mut self) -> &mut SavedState {
        self.unsaved = true;
        &mut self.kept
    }

    /// Everybody on the platform.
    pub fn people(&self) -> &People {
        &self.kept.people
    }

    /// Everybody on the platform, for changing.
    pub fn people_mut(&mut self) -> &mut People {
        &mut self.saved_mut().people
    }

    /// What has to be written to disk since this was last asked.
    pub fn take_unsaved(&mut self) -> Option<&SavedState> {
        std::mem::take(&mut self.unsaved).then_some(&self.kept)
    }

    /// An id for a new message: digits that grow, also over restarts.
    pub fn next_message_id(&mut self, now: Timestamp) -> String {
        let id = now.as_microseconds().saturating_mul(100).max(self.last_message_id + 1);
        self.last_message_id = id;
        id.to_string()
    }
}
