//! Fault injection: failures of LINE, the network and anything in between.

use serde::{Deserialize, Serialize};

use crate::sandbox::records::call::LineCall;
use crate::sandbox::records::random::Generator;

/// The kind of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// An error status; the request is not executed.
    Status,
    /// An error status although the request was executed.
    StatusAfter,
    /// No response for a long time, then the connection is closed.
    Timeout,
    /// The connection is closed without a response; the request is not executed.
    Reset,
    /// The connection is closed without a response although the request was executed.
    Lost,
    /// The right response, delayed.
    Slow,
    /// An HTML page with status 502, as from a proxy; the request is not executed.
    Html,
    /// Half of the right response, unless that is an error; the request was executed.
    Garbage,
    /// The head and the first half of the right response, then a closed connection; the request was executed.
    Cut,
    /// Like `Cut`, but the connection stays open for a long time before it is closed.
    Stall,
    /// A redirect to a path that does not exist; the request is not executed.
    Redirect,
}

/// A rule that selects requests and the fault to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// The kind of fault.
    pub kind: FaultKind,
    /// Applies only to requests whose path starts with this.
    #[serde(default)]
    pub path: Option<String>,
    /// Applies only to requests with this id in their path or body.
    #[serde(default)]
    pub recipient: Option<String>,
    /// The probability, from 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    /// How many more times it applies; `None` for no limit.
    #[serde(default)]
    pub count: Option<u32>,
    /// Delay before anything happens, in milliseconds.
    #[serde(default)]
    pub delay_ms: u64,
    /// The status of `status` and `status_after`.
    #[serde(default)]
    pub status: Option<u16>,
    /// The text of `status` and `status_after`.
    #[serde(default)]
    pub message: Option<String>,
    /// Whether `timeout` executes the request.
    #[serde(default)]
    pub execute: bool,
}

/// The active rules; the first that matches applies.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<FaultRule>,
    generator: Generator,
}

impl Faults {
    /// No faults; the seed determines the random numbers for probabilities.
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), generator: Generator::new(seed) }
    }

    /// Replaces all rules.
    pub fn set(&mut self, rules: Vec<FaultRule>) {
        self.rules = rules;
    }

    /// All rules, with their remaining counts.
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// Selects the fault for this request and counts it.
    pub fn select(&mut self, call: &LineCall) -> Option<FaultRule> {
        let generator = &mut self.generator;
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.matches(call) && rule.count != Some(0) && generator.occurs(rule.probability))?;
        rule.count = rule.count.map(|count| count - 1);
        Some(rule.clone())
    }
}

impl FaultRule {
    /// A fault that applies to every request.
    pub fn new(kind: FaultKind) -> Self {
        Self {
            kind,
            path: None,
            recipient: None,
            probability: certain(),
            count: None,
            delay_ms: 0,
            status: None,
            message: None,
            execute: false,
        }
    }

    /// Whether the request is executed despite the fault.
    pub fn executes(&self) -> bool {
        match self.kind {
            FaultKind::StatusAfter
            | FaultKind::Lost
            | FaultKind::Slow
            | FaultKind::Garbage
            | FaultKind::Cut
            | FaultKind::Stall => true,
            FaultKind::Timeout => self.execute,
            FaultKind::Status | FaultKind::Reset | FaultKind::Html | FaultKind::Redirect => false,
        }
    }

    fn matches(&self, call: &LineCall) -> bool {
        self.path.as_ref().is_none_or(|path| call.path.starts_with(path.as_str()))
            && self.recipient.as_ref().is_none_or(|id| call.mentions(id))
    }
}

const fn certain() -> f64 {
    1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(to: &str) -> LineCall {
        let body = format!(r#"{{"to":"{to}"}}"#).into();
        LineCall { path: "/v2/bot/message/push".to_owned(), body, ..LineCall::default() }
    }

    #[test]
    fn a_counted_fault_applies_that_many_times() {
        let mut faults = Faults::new(1);
        faults.set(vec![FaultRule { count: Some(2), ..FaultRule::new(FaultKind::Reset) }]);

        let selected = (0..4).filter(|_| faults.select(&push("U1")).is_some()).count();

        assert_eq!(selected, 2);
        assert_eq!(faults.rules()[0].count, Some(0));
    }

    #[test]
    fn a_fault_matches_its_path_and_its_recipient() {
        let mut faults = Faults::new(1);
        faults.set(vec![FaultRule {
            path: Some("/v2/bot/message/push".to_owned()),
            recipient: Some("U1".to_owned()),
            ..FaultRule::new(FaultKind::Reset)
        }]);

        assert!(faults.select(&push("U1")).is_some());
        assert!(faults.select(&push("U2")).is_none());
        let profile = LineCall { path: "/v2/bot/profile/U1".to_owned(), ..LineCall::default() };
        assert!(faults.select(&profile).is_none());
    }

    #[test]
    fn the_first_matching_fault_applies() {
        let mut faults = Faults::new(1);
        let never = FaultRule { probability: 0.0, ..FaultRule::new(FaultKind::Reset) };
        faults.set(vec![never, FaultRule::new(FaultKind::Html), FaultRule::new(FaultKind::Lost)]);

        assert_eq!(faults.select(&push("U1")).map(|fault| fault.kind), Some(FaultKind::Html));
    }
}
