//! Taps of people on buttons that the bot has sent.

use actix_web::web::{Data, Json, Path, Query, ThinData};
use serde::Deserialize;
use serde_json::Value;

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::control::notify;
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::line::taps::{self, Tapped};
use crate::sandbox::people::buttons::Button;
use crate::sandbox::platform::Platform;

/// The chat whose buttons are listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapLocation {
    group: Option<String>,
}

/// Which button is tapped, and with what.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapRequest {
    group: Option<String>,
    message_id: Option<String>,
    label: Option<String>,
    #[serde(default)]
    index: usize,
    params: Option<Value>,
    message: Option<Value>,
}

/// `GET /sandbox/users/{user}/buttons`: the buttons that can be tapped.
pub async fn buttons(
    user: Path<String>,
    location: Query<TapLocation>,
    platform: Data<Platform>,
) -> Result<Json<Vec<Button>>, Refusal> {
    platform.with(|state| taps::buttons(state, &user, location.group.as_deref())).map(Json)
}

/// `POST /sandbox/users/{user}/tap`
pub async fn tap(
    user: Path<String>,
    body: Json<TapRequest>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    let tap = taps::Tap {
        user: &user,
        group: body.group.as_deref(),
        message_id: body.message_id.as_deref(),
        label: body.label.as_deref(),
        index: body.index,
        params: body.params.as_ref(),
        message: body.message.clone(),
    };
    match platform.with(|state| taps::tap(state, &tap, Timestamp::now()))? {
        Tapped::Emitted(emitted) => Ok(notify(&platform, &client, emitted).await),
        Tapped::OnPhone(value) => Ok(Json(value)),
    }
}
