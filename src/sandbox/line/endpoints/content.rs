//! What people sent besides texts.

use serde_json::json;

use crate::sandbox::line::endpoints::RequestContext;
use crate::sandbox::line::errors::{not_found, refusal};
use crate::sandbox::records::call::CallAnswer;
use crate::sandbox::records::contents::{Readiness, SampleContent};
use crate::sandbox::records::png::green_square;
use crate::sandbox::state::PlatformData;

/// The content itself.
pub fn content(state: &mut PlatformData, request: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let content = content_of(state, request)?;
    if let Readiness::Preparing { .. } = content.ask() {
        return Ok(CallAnswer::new(202, "application/json", "{}"));
    }
    let answer = CallAnswer::new(200, &content.content_type, content.bytes.clone());
    Ok(CallAnswer { filler: content.filler, ..answer })
}

/// Whether the content is ready.
pub fn transcoding(state: &mut PlatformData, request: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let content = content_of(state, request)?;
    of_kinds(content, ["video", "audio"])?;
    let status = match content.ask() {
        Readiness::Preparing { .. } => "processing",
        _ => "succeeded",
    };
    Ok(CallAnswer::json(200, &json!({ "status": status })))
}

/// A small picture of the content.
pub fn preview(state: &mut PlatformData, request: &RequestContext<'_>) -> Result<CallAnswer, CallAnswer> {
    let content = content_of(state, request)?;
    of_kinds(content, ["image", "video"])?;
    match content.ask() {
        Readiness::Preparing { .. } => Ok(CallAnswer::new(202, "application/json", "{}")),
        _ => Ok(CallAnswer::new(200, "image/png", green_square())),
    }
}

fn content_of<'a>(
    state: &'a mut PlatformData,
    request: &RequestContext<'_>,
) -> Result<&'a mut SampleContent, CallAnswer> {
    let content = state.contents.get_mut(request.parameters[0]).ok_or_else(not_found)?;
    match content.readiness {
        Readiness::Missing => Err(not_found()),
        Readiness::Unsent => Err(refusal(410, "The content is gone")),
        Readiness::Ready | Readiness::Preparing { .. } => Ok(content),
    }
}

fn of_kinds(content: &SampleContent, kinds: [&str; 2]) -> Result<(), CallAnswer> {
    let is_fit = kinds.contains(&content.kind.as_str());
    if is_fit { Ok(()) } else { Err(refusal(400, "The content type of the message is not supported")) }
}
