//! How many messages a month the channel's plan allows.

use serde::{Deserialize, Serialize};

/// The plan and what was used of it. Every person that a message reaches counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonthlyQuota {
    /// How many messages may be sent; without it there is no limit.
    pub value: Option<u64>,
    /// How many were sent.
    #[serde(default)]
    pub used: u64,
}

impl MonthlyQuota {
    /// Counts so many messages; tells whether the plan allowed them.
    #[must_use]
    pub fn spend(&mut self, messages: u64) -> bool {
        let used = self.used.saturating_add(messages);
        let allowed = self.value.is_none_or(|value| used <= value && self.used < value);
        if allowed {
            self.used = used;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_allows_no_more_than_itself() {
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
