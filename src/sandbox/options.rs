//! Options of a platform.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::secret::Secret;
use crate::sandbox::people::People;
use crate::sandbox::people::persistence::{SavedBot, SavedChannel, SavedEndpoint, SavedState};
use crate::sandbox::records::random::{bytes, hexadecimal};

/// Default lifetime of a reply token: LINE recommends not to rely on more.
const REPLY_TOKEN_LIFETIME: Duration = Duration::from_mins(1);

/// How long a fault that never responds holds the connection.
const SILENCE: Duration = Duration::from_mins(1);

/// Options of a platform.
#[derive(Debug, Clone)]
pub struct Options {
    /// The id of the channel.
    pub channel_id: String,
    /// The secret that signs webhooks.
    pub channel_secret: Secret,
    /// The long-lived channel access token.
    pub channel_token: Secret,
    /// The bot's profile.
    pub bot: SavedBot,
    /// The file that stores people and settings; its contents take precedence over these options.
    pub persist: Option<PathBuf>,
    /// Lifetime of a reply token after a delivery.
    pub reply_token_lifetime: Duration,
    /// The monthly quota of messages; `None` for no limit.
    pub quota: Option<u64>,
    /// How long a fault that never responds holds the connection.
    pub silence: Duration,
    /// Seed of the random numbers, which makes them reproducible.
    pub seed: u64,
}

impl Options {
    /// A new channel with random secrets, in memory only.
    pub fn generate() -> Self {
        Self {
            channel_id: (2_000_000_000 + u32::from_le_bytes(bytes()) % 1_000_000_000).to_string(),
            channel_secret: Secret::new(hexadecimal::<16>()),
            channel_token: Secret::new(hexadecimal::<86>()),
            bot: SavedBot {
                user_id: format!("U{}", hexadecimal::<16>()),
                basic_id: format!("@{}", hexadecimal::<4>()),
                display_name: "Sandbox".to_owned(),
                chat_mode: "chat".to_owned(),
                mark_as_read_mode: "manual".to_owned(),
            },
            persist: None,
            reply_token_lifetime: REPLY_TOKEN_LIFETIME,
            quota: None,
            silence: SILENCE,
            seed: 1,
        }
    }

    /// The initial saved state for these options.
    pub fn saved_state(&self) -> SavedState {
        SavedState {
            channel: SavedChannel {
                id: self.channel_id.clone(),
                secret: self.channel_secret.clone(),
                token: self.channel_token.clone(),
            },
            bot: self.bot.clone(),
            webhook: SavedEndpoint { endpoint: None, active: true },
            people: People::default(),
        }
    }
}
