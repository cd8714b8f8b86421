//! LINE's endpoints for the loading animation and read receipts of a chat.

use serde_json::{Value, json};

use crate::line::validation::problems::{Path, Problems, report};
use crate::line::validation::schema::Measure::Units;
use crate::line::validation::schema::{ObjectRule, optional, required};
use crate::sandbox::line::endpoints::{RequestContext, body};
use crate::sandbox::line::errors;
use crate::sandbox::people::is_id;
use crate::sandbox::records::call::CallResponse;
use crate::sandbox::records::tokens;
use crate::sandbox::state::PlatformData;

static LOADING: ObjectRule = ObjectRule::Object(&[
    required("chatId", ObjectRule::Text(Units, 1, 33)),
    optional("loadingSeconds", ObjectRule::Checked(&ObjectRule::Integer(5, 60), multiple_of_five)),
]);
static READ: ObjectRule =
    ObjectRule::Object(&[required("markAsReadToken", ObjectRule::Text(Units, 1, 1_000))]);

/// Shows the loading animation.
pub fn start_loading(
    _: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let body = body(context.call, &LOADING)?;
    let is_user = body["chatId"].as_str().is_some_and(|chat| is_id(chat, &['U']));
    if is_user { Ok(CallResponse::json(202, &json!({}))) } else { Err(errors::property("chatId")) }
}

/// Marks a message and all before it as read.
pub fn mark_as_read(
    state: &mut PlatformData,
    context: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let body = body(context.call, &READ)?;
    let token = body["markAsReadToken"].as_str().unwrap_or_default();
    let message_id = tokens::read_message(&state.saved().channel.secret, token);
    let message_id = message_id.ok_or_else(|| errors::property("markAsReadToken"))?;
    state.chats.read_until(message_id);
    Ok(CallResponse::json(200, &json!({})))
}

fn multiple_of_five(value: &Value, path: &Path<'_>, problems: &mut Problems) {
    if value.as_i64().is_some_and(|seconds| seconds % 5 != 0) {
        report(problems, path, "must be a multiple of 5");
    }
}
