//! The monthly message quota of the channel.

use serde::{Deserialize, Serialize};

/// The quota and its usage. Every person that a message reaches counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyQuota {
    /// The maximum number of messages; `None` for no limit.
    pub value: Option<u64>,
    /// How many messages were sent.
    #[serde(default)]
    pub used: u64,
}

impl MonthlyQuota {
    /// Counts this many messages; returns whether the quota allowed them.
    #[must_use]
    pub fn spend(&mut self, messages: u64) -> bool {
        let used = self.used.saturating_add(messages);
        let is_allowed = self.value.is_none_or(|value| used <= value && self.used < value);
        if is_allowed {
            self.used = used;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_never_exceeded() {
        let mut quota = MonthlyQuota { value: Some(3), used: 0 };

        assert!(quota.spend(2));
        assert!(!quota.spend(2));
        assert!(quota.spend(1));
        assert!(!quota.spend(1));
        assert!(!quota.spend(0));

        assert_eq!(quota.used, 3);
    }

    #[test]
    fn without_a_limit_everything_is_counted_and_allowed() {
        let mut quota = MonthlyQuota::default();

        assert!(quota.spend(u64::MAX));
        assert!(quota.spend(1));

        assert_eq!(quota.used, u64::MAX);
    }
}
