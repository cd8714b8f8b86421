//! Faults that can be switched on: what LINE, the network and everything between them do on bad days.

use serde::{Deserialize, Serialize};

use crate::sandbox::records::call::LineCall;
use crate::sandbox::records::random::Generator;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// An error status; the request is not executed.
    Status,
    /// An error status, although the request was executed.
    StatusAfter,
    /// No answer for a long time, then the connection is closed.
    Timeout,
    /// The connection is closed without an answer; the request is not executed.
    Reset,
    /// The connection is closed without an answer, although the request was executed.
    Lost,
    /// The right answer, late.
    Slow,
    /// A page of HTML with 502, as from a proxy; the request is not executed.
    Html,
    /// Half of the right answer, unless that is a refusal; the request was executed.
    Garbage,
    /// The head and the first half of the right answer, then a closed connection; the request was executed.
    Cut,
    /// The same, and the connection stays open for a long time before it is closed.
    Stall,
    /// A redirect to nowhere; the request is not executed.
    Redirect,
}

/// A rule about which requests go wrong and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Only requests whose path starts with this.
    #[serde(default)]
    pub path: Option<String>,
    /// Only requests that name this id in their path or body.
    #[serde(default)]
    pub recipient: Option<String>,
    /// How likely it is, from 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    /// How many more times it happens; without it, for ever.
    #[serde(default)]
    pub count: Option<u32>,
    /// How long it takes before anything happens.
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

/// The rules that are switched on. The first that fits is the one that happens.
#[derive(Debug)]
pub struct Faults {
    rules: Vec<FaultRule>,
    generator: Generator,
}

impl Faults {
    /// No faults; probabilities will be drawn from this seed.
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), generator: Generator::new(seed) }
    }

    /// Exchanges all rules.
    pub fn set(&mut self, rules: Vec<FaultRule>) {
        self.rules = rules;
    }

    /// All rules, with what is left of their counts.
    pub fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    /// What goes wrong with this request.
    pub fn strike(&mut self, call: &LineCall) -> Option<FaultRule> {
        let generator = &mut self.generator;
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.fits(call) && rule.count != Some(0) && generator.happens(rule.probability))?;
        rule.count = rule.count.map(|count| count - 1);
        Some(rule.clone())
    }
}

impl FaultRule {
    /// Something that goes wrong with every request.
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

    /// Whether the request is executed all the same.
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

    fn fits(&self, call: &LineCall) -> bool {
        self.path.as_ref().is_none_or(|path| call.path.starts_with(path.as_str()))
            && self.recipient.as_ref().is_none_or(|id| call.names(id))
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
    fn a_counted_fault_happens_so_often() {
        let mut faults = Faults::new(1);
        faults.set(vec![FaultRule { count: Some(2), ..FaultRule::new(FaultKind::Reset) }]);

        let struck = (0..4).filter(|_| faults.strike(&push("U1")).is_some()).count();

        assert_eq!(struck, 2);
        assert_eq!(faults.rules()[0].count, Some(0));
    }

    #[test]
    fn a_fault_fits_its_path_and_its_recipient() {
        let mut faults = Faults::new(1);
        faults.set(vec![FaultRule {
            path: Some("/v2/bot/message/push".to_owned()),
            recipient: Some("U1".to_owned()),
            ..FaultRule::new(FaultKind::Reset)
        }]);

        assert!(faults.strike(&push("U1")).is_some());
        assert!(faults.strike(&push("U2")).is_none());
        let profile = LineCall { path: "/v2/bot/profile/U1".to_owned(), ..LineCall::default() };
        assert!(faults.strike(&profile).is_none());
    }

    #[test]
    fn the_first_fault_that_fits_happens() {
        let mut faults = Faults::new(1);
        let never = FaultRule { probability: 0.0, ..FaultRule::new(FaultKind::Reset) };
        faults.set(vec![never, FaultRule::new(FaultKind::Html), FaultRule::new(FaultKind::Lost)]);

        assert_eq!(faults.strike(&push("U1")).map(|fault| fault.kind), Some(FaultKind::Html));
    }
}
