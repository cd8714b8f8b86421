//! The data of the platform. Nothing here waits or reads the clock.

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

/// A short redelivery schedule for development; LINE does not disclose its own.
const REDELIVERY_SCHEDULE_MS: [u64; 4] = [1_000, 5_000, 30_000, 120_000];

/// The platform's data: a part that is saved to disk, and a part in memory.
#[derive(Debug)]
pub struct PlatformData {
    saved: SavedState,
    unsaved: bool,
    last_message_id: i64,
    /// The retry keys of requests.
    pub retry_keys: RetryKeys,
    /// The reply tokens of events.
    pub reply_tokens: ReplyTokens,
    /// The short-lived channel access tokens.
    pub stateless_tokens: AccessTokens,
    /// The monthly quota.
    pub quota: MonthlyQuota,
    /// The active faults.
    pub faults: Faults,
    /// The redelivery settings.
    pub redelivery: Redelivery,
    /// Shuffles redeliveries.
    pub generator: Generator,
    /// The content of media messages.
    pub contents: Contents,
    /// The chats as the phones show them.
    pub chats: Chats,
    /// Webhooks caused by calls of the bot that are not yet on their way.
    pub pending_webhooks: Vec<EmittedWebhook>,
    /// The send requests that were executed.
    pub executed: History<Executed>,
    /// All requests to LINE's API.
    pub requests: History<RequestRecord>,
    /// The violations by the bot.
    pub violations: History<Violation>,
    /// All attempts to deliver webhooks.
    pub attempts: History<WebhookRecord>,
    /// How long the connection stays open when a fault never responds.
    pub silence: Duration,
}

/// The redelivery of failed webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Redelivery {
    /// Whether failed webhooks are redelivered; off by default, as with LINE.
    pub enabled: bool,
    /// The pause before each redelivery, in milliseconds.
    pub schedule_ms: Vec<u64>,
    /// Whether pauses are picked at random and events are shuffled, so that later events overtake earlier
    /// ones.
    pub shuffle: bool,
    /// Whether each redelivery is sent twice.
    pub duplicate: bool,
}

impl Default for Redelivery {
    fn default() -> Self {
        let schedule_ms = REDELIVERY_SCHEDULE_MS.to_vec();
        Self { enabled: false, schedule_ms, shuffle: false, duplicate: false }
    }
}

impl PlatformData {
    /// A platform with this saved state and empty records.
    pub fn new(saved: SavedState, options: &Options) -> Self {
        Self {
            saved,
            unsaved: true,
            last_message_id: 0,
            retry_keys: RetryKeys::default(),
            reply_tokens: ReplyTokens::new(options.reply_token_lifetime),
            stateless_tokens: AccessTokens::default(),
            quota: MonthlyQuota { value: options.quota, used: 0 },
            faults: Faults::new(options.seed),
            redelivery: Redelivery::default(),
            generator: Generator::new(options.seed),
            contents: Contents::default(),
            chats: Chats::default(),
            pending_webhooks: Vec::new(),
            executed: History::default(),
            requests: History::default(),
            violations: History::default(),
            attempts: History::default(),
            silence: options.silence,
        }
    }

    /// The saved state.
    pub fn saved(&self) -> &SavedState {
        &self.saved
    }

    /// The saved state, for changes; marks it as unsaved.
    pub fn saved_mut(&mut self) -> &mut SavedState {
        self.unsaved = true;
        &mut self.saved
    }

    /// All people and groups.
    pub fn people(&self) -> &People {
        &self.saved.people
    }

    /// All people and groups, for changes.
    pub fn people_mut(&mut self) -> &mut People {
        &mut self.saved_mut().people
    }

    /// The state to save, if it may have changed since the last call.
    pub fn take_unsaved(&mut self) -> Option<&SavedState> {
        std::mem::take(&mut self.unsaved).then_some(&self.saved)
    }

    /// An id for a new message: decimal and increasing, even across restarts.
    pub fn next_message_id(&mut self, now: Timestamp) -> String {
        let id = now.as_microseconds().saturating_mul(100).max(self.last_message_id + 1);
        self.last_message_id = id;
        id.to_string()
    }
}
