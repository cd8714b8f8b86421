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
use crate::line::validation::schema::{FieldRule, ObjectRule, check, optional, required};

/// LINE takes at most so many recipients in one multicast.
const RECIPIENTS_MAX: usize = 500;

/// The body of a push; whether `to` is an id is looked at by the endpoint, which answers in other words.
pub static PUSH: ObjectRule = ObjectRule::Object(&[required("to", ObjectRule::Any), MESSAGES, QUIET, UNITS]);
/// The body of a reply.
pub static REPLY: ObjectRule =
    ObjectRule::Object(&[required("replyToken", ObjectRule::Text(Units, 1, usize::MAX)), MESSAGES, QUIET]);
/// The body of a multicast.
pub static MULTICAST: ObjectRule = ObjectRule::Object(&[
    required("to", ObjectRule::List(&ObjectRule::Any, 1, RECIPIENTS_MAX)),
    MESSAGES,
    QUIET,
    UNITS,
]);
/// The body of a dry run.
pub static VALIDATE: ObjectRule = ObjectRule::Object(&[MESSAGES]);

const MESSAGES: FieldRule = required("messages", ObjectRule::List(&MESSAGE, 1, 5));
const QUIET: FieldRule = optional("notificationDisabled", ObjectRule::Boolean);
const UNITS: FieldRule =
    optional("customAggregationUnits", ObjectRule::List(&ObjectRule::Text(Units, 1, 30), 0, 1));

/// All that is wrong with a body.
pub fn problems(rule: &ObjectRule, body: &Value) -> Problems {
    let mut problems = Problems::new();
    check(rule, body, &Path::Root, &mut problems);
    problems
}
