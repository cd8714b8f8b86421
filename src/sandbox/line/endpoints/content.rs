//! What people sent besides texts.

use serde_json::json;

use crate::sandbox::line::endpoints::Visit;
use crate::sandbox::line::errors::{not_found, refusal};
use crate::sandbox::records::call::Answer;
use crate::sandbox::records::contents::{Content, Readiness};
use crate::sandbox::records::png::green_square;
use crate::sandbox::state::State;

/// The content itself.
pub fn content(state: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let content = content_of(state, visit)?;
    if let Readiness::Preparing { .. } = content.ask() {
        return Ok(Answer::new(202, "application/json", "{}"));
    }
    let answer = Answer::new(200, &content.content_type, content.bytes.clone());
    Ok(Answer { filler: content.filler, ..answer })
}

/// Whether the content is ready.
pub fn transcoding(state: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let content = content_of(state, visit)?;
    of_kinds(content, ["video", "audio"])?;
    let status = match content.ask() {
        Readiness::Preparing { .. } => "processing",
        _ => "succeeded",
    };
    Ok(Answer::json(200, &json!({ "status": status })))
}

/// A small picture of the content.
pub fn preview(state: &mut State, visit: &Visit<'_>) -> Result<Answer, Answer> {
    let content = content_of(state, visit)?;
    of_kinds(content, ["image", "video"])?;
    match content.ask() {
        Readiness::Preparing { .. } => Ok(Answer::new(202, "application/json", "{}")),
        _ => Ok(Answer::new(200, "image/png", green_square())),
    }
}

fn content_of<'a>(state: &'a mut State, visit: &Visit<'_>) -> Result<&'a mut Content, Answer> {
    let content = state.contents.get_mut(visit.parameters[0]).ok_or_else(not_found)?;
    match content.readiness {
        Readiness::Missing => Err(not_found()),
        Readiness::Unsent => Err(refusal(410, "The content is gone")),
        Readiness::Ready | Readiness::Preparing { .. } => Ok(content),
    }
}

fn of_kinds(content: &Content, kinds: [&str; 2]) -> Result<(), Answer> {
    let is_fit = kinds.contains(&content.kind.as_str());
    if is_fit { Ok(()) } else { Err(refusal(400, "The content type of the message is not supported")) }
}
