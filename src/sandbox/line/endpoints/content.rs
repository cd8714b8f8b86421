//! LINE's endpoints for the content of messages.

use serde_json::json;

use crate::sandbox::line::endpoints::RequestContext;
use crate::sandbox::line::errors::{not_found, refusal};
use crate::sandbox::records::call::CallResponse;
use crate::sandbox::records::contents::{Readiness, SampleContent};
use crate::sandbox::records::png::green_square;
use crate::sandbox::state::PlatformData;

/// The content itself.
pub fn content(state: &mut PlatformData, request: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let content = find_content(state, request)?;
    if let Readiness::Preparing { .. } = content.poll() {
        return Ok(CallResponse::new(202, "application/json", "{}"));
    }
    let response = CallResponse::new(200, &content.content_type, content.bytes.clone());
    Ok(CallResponse { filler: content.filler, ..response })
}

/// Whether the content is ready.
pub fn transcoding(
    state: &mut PlatformData,
    request: &RequestContext<'_>,
) -> Result<CallResponse, CallResponse> {
    let content = find_content(state, request)?;
    require_kind(content, ["video", "audio"])?;
    let status = match content.poll() {
        Readiness::Preparing { .. } => "processing",
        _ => "succeeded",
    };
    Ok(CallResponse::json(200, &json!({ "status": status })))
}

/// A small preview of the content.
pub fn preview(state: &mut PlatformData, request: &RequestContext<'_>) -> Result<CallResponse, CallResponse> {
    let content = find_content(state, request)?;
    require_kind(content, ["image", "video"])?;
    match content.poll() {
        Readiness::Preparing { .. } => Ok(CallResponse::new(202, "application/json", "{}")),
        _ => Ok(CallResponse::new(200, "image/png", green_square())),
    }
}

fn find_content<'a>(
    state: &'a mut PlatformData,
    request: &RequestContext<'_>,
) -> Result<&'a mut SampleContent, CallResponse> {
    let content = state.contents.get_mut(request.parameters[0]).ok_or_else(not_found)?;
    match content.readiness {
        Readiness::Missing => Err(not_found()),
        Readiness::Unsent => Err(refusal(410, "The content is gone")),
        Readiness::Ready | Readiness::Preparing { .. } => Ok(content),
    }
}

fn require_kind(content: &SampleContent, kinds: [&str; 2]) -> Result<(), CallResponse> {
    let is_supported = kinds.contains(&content.kind.as_str());
    if is_supported { Ok(()) } else { Err(refusal(400, "The content type of the message is not supported")) }
}
