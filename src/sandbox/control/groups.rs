//! Groups and rooms: adding and removing the bot and people.

use actix_web::web::{Data, Json, Path, ThinData};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::model::timestamp::Timestamp;
use crate::net;
use crate::sandbox::control::{emit_and_notify, notify};
use crate::sandbox::line::events;
use crate::sandbox::line::refusal::Refusal;
use crate::sandbox::people::{Group, GroupKind};
use crate::sandbox::platform::Platform;

/// A new group that the bot joins.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateGroup {
    name: String,
    #[serde(default)]
    members: Vec<String>,
    #[serde(default = "group")]
    kind: GroupKind,
}

/// People by name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    members: Vec<String>,
}

/// `GET /sandbox/groups`
pub async fn list(platform: Data<Platform>) -> Json<Vec<Group>> {
    Json(platform.with(|state| state.people().groups().cloned().collect()))
}

/// `POST /sandbox/groups`: the bot joins. An existing name refers to that group.
pub async fn create(
    body: Json<CreateGroup>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Json<Value> {
    let name_and_kind = (body.name.as_str(), body.kind);
    let (group, emitted) =
        platform.with(|state| events::join(state, name_and_kind, &body.members, Timestamp::now()));
    let Json(mut response) = notify(&platform, &client, emitted).await;
    response["group"] = json!(group);
    Json(response)
}

/// `POST /sandbox/groups/{group}/leave`: removes the bot.
pub async fn leave(
    group: Path<String>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::leave(state, &group, now)).await
}

/// `POST /sandbox/groups/{group}/members`
pub async fn add_members(
    group: Path<String>,
    body: Json<Members>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::join_members(state, &group, &body.members, now))
        .await
}

/// `DELETE /sandbox/groups/{group}/members`
pub async fn remove_members(
    group: Path<String>,
    body: Json<Members>,
    platform: Data<Platform>,
    client: ThinData<net::Client>,
) -> Result<Json<Value>, Refusal> {
    emit_and_notify(&platform, &client, |state, now| events::leave_members(state, &group, &body.members, now))
        .await
}

const fn group() -> GroupKind {
    GroupKind::Group
}
