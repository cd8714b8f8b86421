//! What LINE's answers tell of bots, webhooks and people. What cannot be read of an answer is left out, alone.

use serde_json::Value;

use crate::line::lenient;
use crate::model::accounts::account::Bot;
use crate::model::chats::conversation::LineProfile;

/// As much of a name as is kept; LINE's own are far shorter.
const NAME_CHARACTERS_MAX: usize = 1_000;

/// LINE's idea of where webhooks go.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// The address that is set.
    pub endpoint: String,
    /// Whether "Use webhook" is on; only a person can switch it, in LINE's console.
    pub active: bool,
}

/// How LINE's own test of the webhook ended.
#[derive(Debug, Clone)]
pub struct WebhookTest {
    /// Whether LINE got a 2xx in time.
    pub success: bool,
    /// The status that LINE got; 0 or less when it got none.
    pub status_code: i32,
    /// `OK`, `COULD_NOT_CONNECT`, `REQUEST_TIMEOUT`, `ERROR_STATUS_CODE` or `UNCLASSIFIED`.
    pub reason: String,
    /// LINE's explanation.
    pub detail: String,
}

/// The bot behind a token.
pub fn bot(answer: &Value) -> Bot {
    Bot {
        user_id: text(&answer["userId"]),
        basic_id: text(&answer["basicId"]),
        display_name: text(&answer["displayName"]),
        chat_mode: text(&answer["chatMode"]),
    }
}

/// Where webhooks go.
pub fn webhook_endpoint(answer: &Value) -> WebhookEndpoint {
    WebhookEndpoint { endpoint: text(&answer["endpoint"]), active: answer["active"] == true }
}

/// How a test of the webhook ended.
pub fn webhook_test(answer: &Value) -> WebhookTest {
    WebhookTest {
        success: answer["success"] == true,
        status_code: lenient::count(&answer["statusCode"]).unwrap_or_default(),
        reason: text(&answer["reason"]),
        detail: text(&answer["detail"]),
    }
}

/// Name and picture of a user, a member or a group.
pub fn profile(answer: &Value) -> LineProfile {
    let name = answer["displayName"].as_str().or_else(|| answer["groupName"].as_str());
    LineProfile {
        name: name.map(|name| name.chars().take(NAME_CHARACTERS_MAX).collect()),
        picture_url: lenient::string(&answer["pictureUrl"]).map(str::to_owned),
        member_count: None,
    }
}

/// How many people are in a group or room besides the account.
pub fn member_count(answer: &Value) -> Option<u32> {
    lenient::count(&answer["count"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What may stand anywhere in an answer, in place of what should.
    const ODD: [&str; 12] = [
        "null",
        "7",
        "-1",
        "1.5",
        "1e400",
        "18446744073709551615",
        "true",
        "\"\"",
        "[]",
        "{}",
        "[null]",
        "{\"a\":[1e999]}",
    ];

    /// Each answer with an odd value in place of one of its own, and the name of that.
    fn odd(answer: &Value) -> Vec<(String, Value)> {
        let names: Vec<&String> = answer.as_object().unwrap().keys().collect();
        let replaced = |name: &str, odd: &str| {
            let mut answer = answer.clone();
            answer[name] = json!("ODD");
            lenient::value(answer.to_string().replace("\"ODD\"", odd).as_bytes()).unwrap()
        };
        names.into_iter().flat_map(|name| ODD.map(|odd| (name.clone(), replaced(name, odd)))).collect()
    }

    #[test]
    fn an_odd_value_in_an_answer_costs_only_itself() {
        for (name, answer) in
            odd(&json!({ "userId": "U1", "basicId": "@1", "displayName": "Shop", "chatMode": "bot" }))
        {
            let Bot { user_id, basic_id, display_name, chat_mode } = bot(&answer);
            let fields = [
                ("userId", user_id, "U1"),
                ("basicId", basic_id, "@1"),
                ("displayName", display_name, "Shop"),
                ("chatMode", chat_mode, "bot"),
            ];
            for (field, found, expected) in fields {
                assert_eq!(found, if field == name { "" } else { expected }, "{answer}");
            }
        }
        for (name, answer) in odd(&json!({ "displayName": "Alice", "pictureUrl": "https://example.com/a" })) {
            let LineProfile { name: found, picture_url, .. } = profile(&answer);
            assert!(
                if name == "displayName" {
                    found.unwrap_or_default().is_empty()
                } else {
                    found.as_deref() == Some("Alice")
                },
                "{answer}"
            );
            assert_eq!(
                picture_url.as_deref(),
                (name != "pictureUrl").then_some("https://example.com/a"),
                "{answer}"
            );
        }
        for (name, answer) in
            odd(&json!({ "success": true, "statusCode": 200, "reason": "OK", "detail": "200" }))
        {
            let test = webhook_test(&answer);
            assert!(test.success || name == "success", "{answer}");
            assert_eq!(test.status_code == 200, name != "statusCode", "{answer}");
            assert_eq!(
                (test.reason == "OK", test.detail == "200"),
                (name != "reason", name != "detail"),
                "{answer}"
            );
        }
        for (name, answer) in odd(&json!({ "endpoint": "https://example.com", "active": true })) {
            let endpoint = webhook_endpoint(&answer);
            assert_eq!(endpoint.endpoint.is_empty(), name == "endpoint", "{answer}");
            assert!(endpoint.active || name == "active", "{answer}");
        }
        for (_, answer) in odd(&json!({ "count": 3 })) {
            assert_eq!(member_count(&answer), (answer["count"] == 7).then_some(7), "{answer}");
        }
    }

    #[test]
    fn a_group_has_its_name_and_no_name_is_endless() {
        assert_eq!(profile(&json!({ "groupName": "Friends" })).name.as_deref(), Some("Friends"));
        assert_eq!(
            profile(&json!({ "displayName": "漢".repeat(5_000) })).name.unwrap().chars().count(),
            1_000
        );
    }
}
