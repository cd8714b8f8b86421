//! The five calls of the tutorial: complete bodies, with the tutorial's formats and order of keys.

use awc::http::Method;
use serde_json::{Value, json};

use crate::harness::eventually;
use crate::harness::response::Response;
use crate::harness::server::{KEY, TestServer};

const USER_NAME: &str = "Brown";

/// Replaces values that differ from run to run with their names.
fn golden(text: &str, replacements: &[(&str, &str)]) -> String {
    let times = replacements.iter().fold(text.to_owned(), |text, (found, name)| text.replace(found, name));
    mask_times(&times)
}

/// Every time in the contract's format becomes `TIME`, except the one that stands for never.
fn mask_times(text: &str) -> String {
    let mut masked = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("\"20") {
        let (before, candidate) = rest.split_at(start + 1);
        masked.push_str(before);
        let time =
            candidate.get(..26).filter(|time| time.parse::<kaiwa::model::timestamp::Timestamp>().is_ok());
        masked.push_str(if time.is_some() { "TIME" } else { &candidate[..2] });
        rest = &candidate[time.map_or(2, str::len)..];
    }
    masked + rest
}

async fn start_conversation() -> (TestServer, String, String) {
    let server = TestServer::start();
    let user = server.user(USER_NAME);
    let conversation = server.conversation_with(&user).await;
    let path = format!("/v1.0/conversations/{conversation}");
    let named = |response: Response| response.json()["participants"][1]["target_name"] == USER_NAME;
    for _ in 0..400 {
        if named(server.get(&path).await) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    (server, user, conversation)
}

const CONVERSATION: &str = r#"{"id":"CONVERSATION","name":"conversation","detail":"conversation detail","reference_type":"line","reference_id":"USER","participants":[{"type":"line","target":"","target_name":"me","name":"","detail":""},{"type":"line","target":"USER","target_name":"Brown","name":"","detail":""}],"tm_create":"TIME","tm_update":"TIME","tm_delete":"9999-01-01 00:00:00.000000","participant_count":2}"#;

/// The keys of the tutorial, followed by those appended since.
const SENT: &str = r#"{"id":"SENT","conversation_id":"CONVERSATION","status":"sent","reference_type":"line","reference_id":"USER","source_target":"","text":"hi, this is test message. Good to see you. hahaha :)","medias":[],"tm_create":"TIME","tm_update":"TIME","tm_delete":"9999-01-01 00:00:00.000000","cost":1,"source_name":"","source_picture_uri":"","quote":null,"mentions":[]}"#;

const RECEIVED: &str = r#"{"id":"RECEIVED","conversation_id":"CONVERSATION","status":"received","reference_type":"line","reference_id":"USER","source_target":"USER","text":"hello","medias":[],"tm_create":"TIME","tm_update":"TIME","tm_delete":"9999-01-01 00:00:00.000000","tm_occur":"TIME","source_name":"Brown","source_picture_uri":"","quote":null,"mentions":[]}"#;

#[actix_web::test]
async fn the_five_calls_return_what_the_tutorial_prints() {
    let (server, user, conversation) = start_conversation().await;
    let token = server.token();
    let call = async |method: Method, path: &str, body: &str| {
        let request = server.anonymous(method, &format!("{path}?token={token}"));
        Response::to(request.insert_header(("Content-Type", "application/json")), body.to_owned()).await
    };
    let known = [(user.as_str(), "USER"), (conversation.as_str(), "CONVERSATION")];
    let base = "/v1.0/conversations";
    let one = format!("{base}/{conversation}");
    let messages = format!("{one}/messages");

    let setup = call(Method::POST, &format!("{base}/setup"), "{\n    \"reference_type\": \"line\"\n}").await;
    let list = call(Method::GET, base, "").await;
    let detail = call(Method::GET, &one, "").await;
    let text = "{\n    \"text\": \"hi, this is test message. Good to see you. hahaha :)\"\n}";
    let sent = call(Method::POST, &messages, text).await;
    let listed = call(Method::GET, &messages, "").await;

    assert_eq!(setup.status, 200, "{setup:?}");
    assert_eq!(
        golden(&list.text, &known),
        format!(r#"{{"result":[{CONVERSATION}],"next_page_token":"TIME"}}"#)
    );
    assert_eq!(golden(&detail.text, &known), CONVERSATION);
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let (sent_id, received_id) = (id(&sent.json()), id(&listed.json()["result"][1]));
    let known =
        [known.as_slice(), &[(sent_id.as_str(), "SENT"), (received_id.as_str(), "RECEIVED")]].concat();
    assert_eq!(golden(&sent.text, &known), SENT);
    let expected = format!(r#"{{"result":[{SENT},{RECEIVED}],"next_page_token":"TIME"}}"#);
    assert_eq!(golden(&listed.text, &known), expected);
    let last = listed.json()["result"][1]["tm_create"].clone();
    assert_eq!(
        listed.json()["next_page_token"],
        last,
        "the token is that of the last row, also on a short page"
    );
}

#[actix_web::test]
async fn setup_registers_the_webhook_and_can_be_repeated() {
    let server = TestServer::start();
    server.line.platform.set_webhook(None);

    for _ in 0..2 {
        let response = server.post("/v1.0/conversations/setup", &json!({ "reference_type": "line" })).await;

        let bot = server.line.platform.bot();
        let expected = format!(
            r#"{{"result":[{{"account_id":"{}","webhook_uri":"{}","bot":{{"user_id":"{}","basic_id":"{}","display_name":"{}","chat_mode":"{}"}},"active":true,"test":{{"success":true,"status_code":200,"reason":"OK","detail":"200"}}}}]}}"#,
            server.account,
            server.url(&server.webhook_path()),
            bot.user_id,
            bot.basic_id,
            bot.display_name,
            bot.chat_mode,
        );
        assert_eq!(response.text, expected);
    }
}

#[actix_web::test]
async fn a_token_as_in_the_tutorial_works_in_query_header_and_cookie() {
    let server = TestServer::start();
    let customer = json!({
        "id": server.customer, "username": "test", "name": "Test", "detail": "", "webhook_method": "POST",
        "webhook_uri": "", "permission_ids": [], "tm_create": "2022-06-17 06:06:14.446158", "tm_update": "",
        "tm_delete": "9999-01-01 00:00:00.000000",
    });
    let claims = json!({ "customer": customer.to_string(), "exp": 4_102_444_800_i64 });
    let key = jsonwebtoken::EncodingKey::from_secret(KEY.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    let path = "/v1.0/conversations";

    let in_query = server.anonymous(Method::GET, &format!("{path}?token={token}"));
    let in_header = server.anonymous(Method::GET, path).bearer_auth(&token);
    let in_cookie = server.anonymous(Method::GET, path).insert_header(("Cookie", format!("token={token}")));
    let nowhere = server.anonymous(Method::GET, path);
    let wrong = server.anonymous(Method::GET, &format!("{path}?token={token}x"));

    for request in [in_query, in_header, in_cookie] {
        let response = Response::to(request, "").await;
        assert_eq!((response.status, response.text.as_str()), (200, r#"{"result":[],"next_page_token":""}"#));
    }
    assert_eq!(Response::to(nowhere, "").await.reason(), "AUTHENTICATION_REQUIRED");
    assert_eq!(Response::to(wrong, "").await.reason(), "INVALID_CREDENTIALS");
}

#[actix_web::test]
async fn updating_a_conversation_leaves_absent_fields_unchanged() {
    let (server, _, conversation) = start_conversation().await;
    let path = format!("/v1.0/conversations/{conversation}");

    let renamed = server.put(&path, &json!({ "name": "Brown's order" })).await.json();
    let emptied = server.put(&path, &json!({ "detail": "" })).await.json();

    assert_eq!(
        (&renamed["name"], &renamed["detail"]),
        (&json!("Brown's order"), &json!("conversation detail"))
    );
    assert_eq!((&emptied["name"], &emptied["detail"]), (&json!("Brown's order"), &json!("")));
    assert_eq!(server.get(&path).await.json(), emptied);
}

#[actix_web::test]
async fn a_client_that_prefers_not_to_wait_gets_an_immediate_response() {
    let (server, _, conversation) = start_conversation().await;
    let path = format!("/v1.0/conversations/{conversation}/messages");
    let hold =
        serde_json::from_value(json!({ "path": "/v2/bot/message/push", "kind": "slow", "delay_ms": 300 }))
            .unwrap();
    server.line.platform.set_faults(vec![hold]);

    let request = server.request(Method::POST, &path).insert_header(("Prefer", "respond-async, wait=1"));
    let response = Response::to(request.content_type("application/json"), r#"{"text":"hi"}"#).await;

    assert_eq!(response.json()["status"], "sending");
    eventually(|| server.line.platform.executed().len() == 1).await;
}
