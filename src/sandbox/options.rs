//! How a platform starts.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::secret::Secret;
use crate::sandbox::people::People;
use crate::sandbox::people::persistence::{SavedBot, SavedChannel, SavedEndpoint, SavedState};
use crate::sandbox::records::random::{bytes, hexadecimal};

/// A reply token lives for so long, as LINE recommends not to count on more.
const REPLY_TOKEN_LIFE: Duration = Duration::from_mins(1);

/// A fault that never answers holds the connection for so long.
const SILENCE: Duration = Duration::from_mins(1);

/// How a platform starts.
#[derive(Debug, Clone)]
pub struct Options {
    /// The number of the channel.
    pub channel_id: String,
    /// The secret that signs webhooks.
    pub channel_secret: Secret,
    /// The long-lived channel access token.
    pub channel_token: Secret,
    /// The bot.
    pub bot: SavedBot,
    /// The file that keeps people and settings; what it holds is stronger than these options.
    pub persist: Option<PathBuf>,
    /// How long a reply token lives after a delivery.
    pub reply_token_life: Duration,
    /// How many messages a month may be sent; without it there is no limit.
    pub quota: Option<u64>,
    /// How long a fault that never answers holds the connection.
    pub silence: Duration,
    /// Repeats what is drawn by lot.
    pub seed: u64,
}

impl Options {
    /// A new channel with secrets that nobody can guess, in memory only.
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
            reply_token_life: REPLY_TOKEN_LIFE,
            quota: None,
            silence: SILENCE,
            seed: 1,
        }
    }

    /// What these options keep on disk at the beginning.
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
