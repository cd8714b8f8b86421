//! What LINE checks in a request to send messages before it executes it: the sandbox refuses by it as LINE does, and the
//! server before anything is stored.

pub mod actions;
pub mod flex;
pub mod links;
pub mod messages;
pub mod problems;
pub mod schema;
pub mod template;
pub mod text;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::line::validation::messages::MESSAGE;
use crate::line::validation::problems::{Path, Problems};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{Field, Rule, check, optional, required};

/// LINE takes at most so many recipients in one multicast.
const RECIPIENTS_MAX: usize = 500;

/// The body of a push; whether `to` is an id is looked at by the endpoint, which answers in other words.
pub static PUSH: Rule = Rule::Object(&[required("to", Rule::Any), MESSAGES, QUIET, UNITS]);
/// The body of a reply.
pub static REPLY: Rule =
    Rule::Object(&[required("replyToken", Rule::Text(Units, 1, usize::MAX)), MESSAGES, QUIET]);
/// The body of a multicast.
pub static MULTICAST: Rule =
    Rule::Object(&[required("to", Rule::List(&Rule::Any, 1, RECIPIENTS_MAX)), MESSAGES, QUIET, UNITS]);
/// The body of a dry run.
pub static VALIDATE: Rule = Rule::Object(&[MESSAGES]);

const MESSAGES: Field = required("messages", Rule::List(&MESSAGE, 1, 5));
const QUIET: Field = optional("notificationDisabled", Rule::Boolean);
const UNITS: Field = optional("customAggregationUnits", Rule::List(&Rule::Text(Units, 1, 30), 0, 1));

/// All that is wrong with a body.
pub fn problems(rule: &Rule, body: &Value) -> Problems {
    let mut problems = Problems::new();
    check(rule, body, &Path::Root, &mut problems);
    problems
}
