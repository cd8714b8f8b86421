//! LINE's validation of requests that send messages. The sandbox refuses requests by these rules as LINE
//! does, and the server applies them before it stores anything.

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

/// LINE's maximum number of recipients of a multicast.
const RECIPIENTS_MAX: usize = 500;

/// The body of a push. The endpoint itself checks that `to` is an id, since the error is worded differently.
pub static PUSH: ObjectRule = ObjectRule::Object(&[
    required("to", ObjectRule::Any),
    MESSAGES,
    NOTIFICATION_DISABLED,
    AGGREGATION_UNITS,
]);
/// The body of a reply.
pub static REPLY: ObjectRule = ObjectRule::Object(&[
    required("replyToken", ObjectRule::Text(Units, 1, usize::MAX)),
    MESSAGES,
    NOTIFICATION_DISABLED,
]);
/// The body of a multicast.
pub static MULTICAST: ObjectRule = ObjectRule::Object(&[
    required("to", ObjectRule::List(&ObjectRule::Any, 1, RECIPIENTS_MAX)),
    MESSAGES,
    NOTIFICATION_DISABLED,
    AGGREGATION_UNITS,
]);
/// The body of a validation request.
pub static VALIDATE: ObjectRule = ObjectRule::Object(&[MESSAGES]);

const MESSAGES: FieldRule = required("messages", ObjectRule::List(&MESSAGE, 1, 5));
const NOTIFICATION_DISABLED: FieldRule = optional("notificationDisabled", ObjectRule::Boolean);
const AGGREGATION_UNITS: FieldRule =
    optional("customAggregationUnits", ObjectRule::List(&ObjectRule::Text(Units, 1, 30), 0, 1));

/// Everything that is wrong with a body.
pub fn problems(rule: &ObjectRule, body: &Value) -> Problems {
    let mut problems = Problems::new();
    check(rule, body, &Path::Root, &mut problems);
    problems
}
