//! The handle to the platform that the server, the command line and tests use.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Result;
use crate::sandbox::options::Options;
use crate::sandbox::people::persistence::{self, SavedBot, SavedChannel};
use crate::sandbox::records::faults::FaultRule;
use crate::sandbox::records::quota::MonthlyQuota;
use crate::sandbox::records::{Executed, RequestRecord, Violation, WebhookRecord};
use crate::sandbox::state::{PlatformData, Redelivery};

/// A platform; cheap to clone.
#[derive(Debug, Clone)]
pub struct Platform {
    shared: Arc<PlatformState>,
}

#[derive(Debug)]
struct PlatformState {
    state: Mutex<PlatformData>,
    persist: Option<PathBuf>,
}

impl Platform {
    /// Creates a platform; fails if its file exists and cannot be used.
    pub fn new(options: Options) -> Result<Self> {
        let saved = options.persist.as_deref().map(persistence::load).transpose()?.flatten();
        let state = PlatformData::new(saved.unwrap_or_else(|| options.saved_state()), &options);
        let shared = PlatformState { state: Mutex::new(state), persist: options.persist };
        let platform = Self { shared: Arc::new(shared) };
        platform.with(|_| ());
        Ok(platform)
    }

    /// Runs an operation with exclusive access to the state, and saves the state if it has changed.
    pub fn with<T>(&self, operation: impl FnOnce(&mut PlatformData) -> T) -> T {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = operation(&mut state);
        if let Some(path) = &self.shared.persist
            && let Some(saved) = state.take_unsaved()
            && let Err(error) = persistence::save(path, saved)
        {
            log::error!("sandbox: {}", error.chain());
        }
        outcome
    }

    /// The channel with its secrets.
    pub fn channel(&self) -> SavedChannel {
        self.with(|state| state.saved().channel.clone())
    }

    /// The bot's profile.
    pub fn bot(&self) -> SavedBot {
        self.with(|state| state.saved().bot.clone())
    }

    /// All executed send requests, oldest first.
    pub fn executed(&self) -> Vec<Executed> {
        self.with(|state| state.executed.to_vec())
    }

    /// All requests to LINE's API, oldest first.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.with(|state| state.requests.to_vec())
    }

    /// All violations by the bot, oldest first.
    pub fn violations(&self) -> Vec<Violation> {
        self.with(|state| state.violations.to_vec())
    }

    /// All attempts to deliver webhooks, oldest first.
    pub fn attempts(&self) -> Vec<WebhookRecord> {
        self.with(|state| state.attempts.to_vec())
    }

    /// Replaces all faults.
    pub fn set_faults(&self, faults: Vec<FaultRule>) {
        self.with(|state| state.faults.set(faults));
    }

    /// Replaces the redelivery settings.
    pub fn set_redelivery(&self, redelivery: Redelivery) {
        self.with(|state| state.redelivery = redelivery);
    }

    /// Replaces the webhook URL.
    pub fn set_webhook(&self, endpoint: Option<String>) {
        self.with(|state| state.saved_mut().webhook.endpoint = endpoint);
    }

    /// Sets the monthly quota and how much of it is used.
    pub fn set_quota(&self, value: Option<u64>, used: u64) {
        self.with(|state| state.quota = MonthlyQuota { value, used });
    }

    /// Clears the records.
    pub fn forget_records(&self) {
        self.with(|state| {
            state.executed.clear();
            state.requests.clear();
            state.violations.clear();
            state.attempts.clear();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restarted_platform_still_has_its_people_and_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let options = || Options { persist: Some(folder.path().join("line.json")), ..Options::generate() };
        let platform = Platform::new(options()).unwrap();
        let channel = platform.channel();

        platform.with(|state| state.people_mut().user_named("Hana").id.clone());
        drop(platform);
        let platform = Platform::new(options()).unwrap();

        assert_eq!(platform.channel(), channel);
        assert!(platform.with(|state| state.people().user("Hana").is_some()));
    }

    #[test]
    fn the_secrets_are_as_long_as_lines() {
        let options = Options::generate();

        assert_eq!(options.channel_secret.expose().len(), 32);
        assert_eq!(options.channel_token.expose().len(), 172);
        assert_ne!(options.channel_secret, Options::generate().channel_secret);
    }
}
