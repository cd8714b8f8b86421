//! Small signs in a chat: the loading indicator and "read".

use serde_json::{Value, json};

use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{Rule, optional, required};
use crate::sandbox::line::endpoints::{Visit, body};
use crate::sandbox::line::errors;
use crate::sandbox::people::is_id;
use crate::sandbox::records::call::Answer;
use crate::sandbox::records::tokens;
use crate::sandbox::state::State;

static LOADING: Rule = Rule::Object(&[
    required("chatId", Rule::Text(Units, 1, 33)),
    optional("loadingSeconds", Rule::Checked(&Rule::Integer(5, 60), whole_steps)),
]);
static READ: Rule = Rule::Object(&[required("markAsReadToken", Rule::Text(Units, 1, 1_000))]);

/// Shows that the bot is about to answer.
pub fn start_loading(_: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let body = body(visit.call, &LOADING)?;
    let is_person = body["chatId"].as_str().is_some_and(|chat| is_id(chat, &['U']));
    if is_person { Ok(Answer::json(202, &json!({}))) } else { Err(errors::property("chatId")) }
}

/// Marks a message and all before it as read.
pub fn mark_as_read(state: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let body = body(visit.call, &READ)?;
    let token = body["markAsReadToken"].as_str().unwrap_or_default();
    let message_id = tokens::read_message(&state.kept().channel.secret, token);
    let message_id = message_id.ok_or_else(|| errors::property("markAsReadToken"))?;
    state.chats.read_until(message_id);
    Ok(Answer::json(200, &json!({})))
}

fn whole_steps(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    if value.as_i64().is_some_and(|seconds| seconds % 5 != 0) {
        report(problems, path, "must be a multiple of 5");
    }
}
