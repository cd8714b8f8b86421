//! LINE's API without connections.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::timestamp::Timestamp;
use crate::sandbox::line::endpoints::respond;
use crate::sandbox::line::events::{self, UserMessage};
use crate::sandbox::options::Options;
use crate::sandbox::people::GroupKind;
use crate::sandbox::records::ViolationKind;
use crate::sandbox::records::call::{CallResponse, LineCall};
use crate::sandbox::records::contents::{Readiness, SampleContent};
use crate::sandbox::records::quota::MonthlyQuota;
use crate::sandbox::state::PlatformData;

const NOW: Timestamp = Timestamp::from_milliseconds(1_700_000_000_000);
const NOBODY: &str = "U00000000000000000000000000000000";

/// A platform with one friend.
struct TestLine {
    state: PlatformData,
    hana: String,
}

impl TestLine {
    fn new() -> Self {
        let options = Options::generate();
        let mut state = PlatformData::new(options.saved_state(), &options);
        let hana = state.people_mut().user_named("Hana").id.clone();
        events::follow(&mut state, &hana, NOW).unwrap();
        Self { state, hana }
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> LineCall {
        LineCall {
            method: method.to_owned(),
            path: path.to_owned(),
            authorization: Some(format!("Bearer {}", self.state.saved().channel.token.expose())),
            content_type: Some("application/json".to_owned()),
            body: if body.is_null() { Vec::new().into() } else { body.to_string().into() },
            request_id: Uuid::new_v4().to_string(),
            ..LineCall::default()
        }
    }

    fn post(&mut self, path: &str, body: &Value) -> CallResponse {
        let call = self.call("POST", path, body);
        respond(&mut self.state, &call, NOW)
    }

    fn get(&mut self, path: &str) -> CallResponse {
        let call = self.call("GET", path, &Value::Null);
        respond(&mut self.state, &call, NOW)
    }

    fn push(&mut self, to: &str) -> CallResponse {
        self.post("/v2/bot/message/push", &json!({ "to": to, "messages": [text("Hello")] }))
    }

    /// Hana sends a message; returns its event.
    fn receive_message(&mut self, content: Option<SampleContent>) -> Value {
        let message = match &content {
            Some(content) => json!({ "type": content.kind }),
            None => json!({ "type": "text", "text": "Hi" }),
        };
        let sent = UserMessage { user: "Hana", group: None, message, content };
        events::write(&mut self.state, sent, NOW).unwrap().webhook.events.remove(0)
    }

    fn reply(&mut self, token: &str, now: Timestamp) -> CallResponse {
        let body = json!({ "replyToken": token, "messages": [text("Hello")] });
        let call = self.call("POST", "/v2/bot/message/reply", &body);
        respond(&mut self.state, &call, now)
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn body(response: &CallResponse) -> Value {
    serde_json::from_slice(&response.body).unwrap()
}

#[track_caller]
fn assert_refused(response: &CallResponse, status: u16, message: &str) {
    assert_eq!((response.status, body(response)["message"].as_str()), (status, Some(message)));
}

#[test]
fn a_push_to_a_friend_is_shown_and_returns_the_message_ids() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();

    let response = line.push(&hana);

    assert_eq!(response.status, 200);
    let sent = &body(&response)["sentMessages"][0];
    assert!(sent["id"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()));
    assert!(sent["quoteToken"].is_string());
    assert_eq!(line.state.chats.messages(&hana)[0].message, text("Hello"));
    assert_eq!(line.state.executed.to_vec()[0].recipients, [hana]);
    assert_eq!(line.state.quota.used, 1);
}

#[test]
fn pushes_to_unknown_recipients_are_refused_and_to_blockers_are_lost() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();

    assert_refused(&line.push(NOBODY), 400, "Failed to send messages");
    assert_refused(&line.push(&NOBODY.replace('U', "C")), 400, "Failed to send messages");
    assert_refused(&line.push("Hana"), 400, "The property, 'to', in the request body is invalid");
    assert_eq!(line.state.executed.to_vec().len(), 0);

    events::block(&mut line.state, &hana, NOW).unwrap();
    assert_eq!(line.push(&hana).status, 200);
    assert_eq!(line.state.executed.to_vec()[0].reached, 0);
    assert_eq!(line.state.chats.messages(&hana), []);
    assert_eq!(line.state.quota.used, 0);
}

#[test]
fn a_group_counts_its_people_while_the_bot_is_in_it() {
    let mut line = TestLine::new();
    let members = ["Hana".to_owned(), "Ken".to_owned(), "Yui".to_owned()];
    let (group, _) = events::join(&mut line.state, ("Family", GroupKind::Group), &members, NOW);

    assert_eq!(line.push(&group.id).status, 200);
    assert_eq!(line.state.quota.used, 3);
    let path = format!("/v2/bot/group/{}", group.id);
    assert_eq!(body(&line.get(&format!("{path}/members/count")))["count"], 3);
    assert_eq!(body(&line.get(&format!("{path}/summary")))["groupName"], "Family");
    assert_eq!(line.get(&format!("{path}/member/{}", line.hana)).status, 200);
    assert_refused(&line.get(&format!("{path}/member/{NOBODY}")), 404, "Not found");

    assert_eq!(line.post(&format!("{path}/leave"), &Value::Null).status, 200);
    assert_refused(&line.push(&group.id), 400, "Failed to send messages");
    assert_refused(&line.get(&format!("{path}/summary")), 404, "Not found");
}

#[test]
fn an_exhausted_quota_refuses_pushes_and_accepts_replies() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();
    line.state.quota = MonthlyQuota { value: Some(1), used: 0 };

    assert_eq!(line.push(&hana).status, 200);
    assert_refused(&line.push(&hana), 429, "You have reached your monthly limit.");

    let event = line.receive_message(None);
    assert_eq!(line.reply(event["replyToken"].as_str().unwrap(), NOW).status, 200);
    assert_eq!(body(&line.get("/v2/bot/message/quota")), json!({ "type": "limited", "value": 1 }));
    assert_eq!(body(&line.get("/v2/bot/message/quota/consumption")), json!({ "totalUsage": 1 }));
}

#[test]
fn a_reply_token_is_accepted_once_and_in_time() {
    let mut line = TestLine::new();
    let token = line.receive_message(None)["replyToken"].as_str().unwrap().to_owned();
    let late = line.receive_message(None)["replyToken"].as_str().unwrap().to_owned();

    assert_eq!(line.reply(&token, NOW).status, 200);
    assert_refused(&line.reply(&token, NOW), 400, "Invalid reply token");
    assert_refused(&line.reply(&late, NOW.after(Duration::from_secs(61))), 400, "Invalid reply token");
}

#[test]
fn invalid_messages_do_not_use_up_the_reply_token() {
    let mut line = TestLine::new();
    let token = line.receive_message(None)["replyToken"].as_str().unwrap().to_owned();

    let invalid = json!({ "replyToken": token, "messages": [{ "type": "text", "text": "" }] });
    let refusal = line.post("/v2/bot/message/reply", &invalid);

    assert_refused(&refusal, 400, "The request body has 1 error(s)");
    assert_eq!(
        body(&refusal)["details"],
        json!([{ "message": "May not be empty", "property": "messages[0].text" }])
    );
    assert_eq!(line.reply(&token, NOW).status, 200);
}

#[test]
fn a_quote_token_is_valid_in_its_chat_only() {
    let mut line = TestLine::new();
    let (hana, event) = (line.hana.clone(), line.receive_message(None));
    let ken = line.state.people_mut().user_named("Ken").id.clone();
    let quote = json!({ "type": "text", "text": "a", "quoteToken": event["message"]["quoteToken"] });
    let push = |to: &str| json!({ "to": to, "messages": [quote] });

    assert_eq!(line.post("/v2/bot/message/push", &push(&hana)).status, 200);
    assert_refused(&line.post("/v2/bot/message/push", &push(&ken)), 400, "The request body has 1 error(s)");
}

#[test]
fn mentions_are_for_groups_and_tracking_is_for_people() {
    let mut line = TestLine::new();
    let (group, _) = events::join(&mut line.state, ("Family", GroupKind::Group), &["Hana".to_owned()], NOW);
    let (hana, url) = (line.hana.clone(), "https://example.com/a");
    let all = json!({ "type": "mention", "mentionee": { "type": "all" } });
    let mention = json!({ "type": "textV2", "text": "{all}", "substitution": { "all": all } });
    let video =
        json!({ "type": "video", "originalContentUrl": url, "previewImageUrl": url, "trackingId": "t" });
    let mut push = |to: &str, message: &Value| {
        line.post("/v2/bot/message/push", &json!({ "to": to, "messages": [message] })).status
    };

    assert_eq!([push(&group.id, &mention), push(&hana, &mention)], [200, 400]);
    assert_eq!([push(&group.id, &video), push(&hana, &video)], [400, 200]);
}

#[test]
fn a_retry_key_is_a_uuid_and_not_for_replies() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();
    let mut call = line.call("POST", "/v2/bot/message/push", &json!({ "to": hana, "messages": [text("a")] }));

    call.retry_key = Some("not a uuid".to_owned());
    assert_eq!(respond(&mut line.state, &call, NOW).status, 400);
    call.retry_key = Some(Uuid::new_v4().to_string());
    call.path = "/v2/bot/message/reply".to_owned();
    assert_eq!(respond(&mut line.state, &call, NOW).status, 400);

    assert_eq!(line.state.executed.to_vec().len(), 0);
    assert_eq!(line.state.violations.to_vec()[0].kind, ViolationKind::RetryKeyMisplaced);
}

#[test]
fn a_push_without_a_retry_key_is_a_violation() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();

    line.push(&hana);

    assert_eq!(line.state.violations.to_vec()[0].kind, ViolationKind::RetryKeyMissing);
}

#[test]
fn a_multicast_reaches_friends_only() {
    let mut line = TestLine::new();
    let hana = line.hana.clone();
    let multicast = |to: Value| json!({ "to": to, "messages": [text("a")] });

    let stranger = line.state.people_mut().user_named("Ken");
    stranger.wrote_at = Some(NOW.as_milliseconds());
    let stranger = stranger.id.clone();

    let response = line.post("/v2/bot/message/multicast", &multicast(json!([hana, stranger, NOBODY])));

    assert_eq!((response.status, body(&response)), (200, json!({})));
    assert_eq!(line.state.executed.to_vec()[0].reached, 1);
    assert_eq!(line.state.quota.used, 1);
    assert_eq!(line.state.chats.messages(&stranger), []);
    let group = NOBODY.replace('U', "C");
    assert_eq!(line.post("/v2/bot/message/multicast", &multicast(json!([group]))).status, 400);
}

#[test]
fn a_profile_is_visible_until_the_person_blocks_the_bot() {
    let mut line = TestLine::new();
    let path = format!("/v2/bot/profile/{}", line.hana);

    assert_eq!(body(&line.get(&path))["displayName"], "Hana");
    assert_refused(&line.get(&format!("/v2/bot/profile/{NOBODY}")), 404, "Not found");
    assert_eq!(line.get("/v2/bot/profile/Hana").status, 400);

    events::block(&mut line.state, "Hana", NOW).unwrap();
    assert_refused(&line.get(&path), 404, "Not found");
}

#[test]
fn content_is_prepared_then_ready_then_gone() {
    let mut line = TestLine::new();
    let id = line.receive_message(Some(SampleContent::sample("video")))["message"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = format!("/v2/bot/message/{id}/content");

    line.state.contents.get_mut(&id).unwrap().readiness = Readiness::Preparing { count: Some(2) };
    assert_eq!(line.get(&path).status, 202);
    assert_eq!(body(&line.get(&format!("{path}/transcoding")))["status"], "processing");
    assert_eq!(line.get(&path).status, 200);
    assert_eq!(line.get(&format!("{path}/preview")).content_type, "image/png");

    events::unsend(&mut line.state, "Hana", &id, NOW).unwrap();
    assert_refused(&line.get(&path), 410, "The content is gone");
    assert_refused(&line.get("/v2/bot/message/1/content"), 404, "Not found");
}

#[test]
fn a_message_is_marked_as_read_with_all_before_it() {
    let mut line = TestLine::new();
    let (hana, _) = (line.hana.clone(), line.receive_message(None));
    let token = line.receive_message(None)["message"]["markAsReadToken"].clone();
    line.receive_message(None);

    let response = line.post("/v2/bot/chat/markAsRead", &json!({ "markAsReadToken": token }));

    assert_eq!(response.status, 200);
    let read: Vec<bool> = line.state.chats.messages(&hana).iter().map(|message| message.read).collect();
    assert_eq!(read, [true, true, false]);
    assert_eq!(line.post("/v2/bot/chat/markAsRead", &json!({ "markAsReadToken": "x" })).status, 400);
}

#[test]
fn the_loading_indicator_is_for_one_person_in_steps_of_five_seconds() {
    let mut line = TestLine::new();
    let mut start = |chat: &str, seconds: i64| {
        let body = json!({ "chatId": chat, "loadingSeconds": seconds });
        line.post("/v2/bot/chat/loading/start", &body).status
    };

    assert_eq!([start(NOBODY, 5), start(NOBODY, 60)], [202, 202]);
    assert_eq!([start(NOBODY, 4), start(NOBODY, 7), start(NOBODY, 65)], [400, 400, 400]);
    assert_eq!(start(&NOBODY.replace('U', "C"), 5), 400);
}

#[test]
fn a_short_lived_token_is_issued_for_the_secret_and_expires() {
    let mut line = TestLine::new();
    let channel = line.state.saved().channel.clone();
    let mut call = line.call("POST", "/oauth2/v3/token", &Value::Null);
    let form = |secret: &str| {
        format!("grant_type=client_credentials&client_id={}&client_secret={secret}", channel.id)
    };
    call.authorization = None;
    call.content_type = Some("application/x-www-form-urlencoded".to_owned());

    call.body = form("wrong").into();
    assert_eq!(body(&respond(&mut line.state, &call, NOW))["error"], "invalid_client");
    call.body = form(channel.secret.expose()).into();
    let issued = body(&respond(&mut line.state, &call, NOW));
    assert_eq!(issued["expires_in"], 900);

    let mut info = line.call("GET", "/v2/bot/info", &Value::Null);
    info.authorization = Some(format!("Bearer {}", issued["access_token"].as_str().unwrap()));
    assert_eq!(respond(&mut line.state, &info, NOW).status, 200);
    assert_eq!(respond(&mut line.state, &info, NOW.after(Duration::from_mins(15))).status, 401);
}

#[test]
fn each_kind_of_malformed_request_has_its_error() {
    let mut line = TestLine::new();
    let mut call = line.call("POST", "/v2/bot/message/push", &json!({}));

    assert_eq!(respond(&mut line.state, &call, NOW).status, 400);
    call.body = "{".into();
    assert_refused(
        &respond(&mut line.state, &call, NOW),
        400,
        "The request body could not be parsed as JSON",
    );
    call.body = vec![b' '; 2 * 1024 * 1024 + 1].into();
    assert_eq!(respond(&mut line.state, &call, NOW).status, 413);
    call.body = "{}".into();
    call.content_type = Some("text/plain".to_owned());
    assert_eq!(respond(&mut line.state, &call, NOW).status, 415);
    call.authorization = None;
    assert_eq!(respond(&mut line.state, &call, NOW).status, 401);
    assert_refused(&line.get("/v2/bot/unknown"), 404, "Not found");
    assert_refused(&line.get("/v2/bot/info/"), 404, "Not found");
}

#[test]
fn the_webhook_endpoint_is_stored() {
    let mut line = TestLine::new();
    let path = "/v2/bot/channel/webhook/endpoint";
    let mut put = |endpoint: &str| {
        let call = line.call("PUT", path, &json!({ "endpoint": endpoint }));
        respond(&mut line.state, &call, NOW).status
    };

    assert_eq!([put("http://example.com/"), put("callback")], [400, 400]);
    assert_eq!([put("https://example.com/callback"), put("http://127.0.0.1:1/callback")], [200, 200]);
    assert_eq!(body(&line.get(path)), json!({ "endpoint": "http://127.0.0.1:1/callback", "active": true }));
}

#[test]
fn validation_sends_nothing() {
    let mut line = TestLine::new();
    let path = |kind: &str| format!("/v2/bot/message/validate/{kind}");
    let messages = json!({ "messages": [text("a")] });

    for kind in ["reply", "push", "multicast", "narrowcast", "broadcast"] {
        assert_eq!(line.post(&path(kind), &messages).status, 200);
    }
    assert_eq!(line.post(&path("push"), &json!({ "messages": [text("")] })).status, 400);
    assert_refused(&line.post(&path("other"), &messages), 404, "Not found");
    assert_eq!(line.state.executed.to_vec().len(), 0);
}
