//! Parses LINE's responses about bots, webhooks and profiles. A property that cannot be read is left out; the
//! others stay.

use serde_json::Value;

use crate::line::lenient;
use crate::model::accounts::account::Bot;
use crate::model::chats::conversation::LineProfile;

/// Maximum length of a name in characters; LINE's are far shorter.
const NAME_CHARACTERS_MAX: usize = 1_000;

/// The webhook settings of a channel at LINE.
#[derive(Debug, Clone)]
pub struct WebhookEndpoint {
    /// The URL that is set.
    pub endpoint: String,
    /// Whether "Use webhook" is on; it can only be switched in LINE's console.
    pub active: bool,
}

/// The result of LINE's own test of the webhook.
#[derive(Debug, Clone)]
pub struct WebhookTest {
    /// Whether LINE got a 2xx within its timeout.
    pub success: bool,
    /// The status that LINE got; 0 or less if it got no response.
    pub status_code: i32,
    /// `OK`, `COULD_NOT_CONNECT`, `REQUEST_TIMEOUT`, `ERROR_STATUS_CODE` or `UNCLASSIFIED`.
    pub reason: String,
    /// LINE's explanation.
    pub detail: String,
}

/// The bot that a token belongs to.
pub fn bot(response: &Value) -> Bot {
    Bot {
        user_id: text(&response["userId"]),
        basic_id: text(&response["basicId"]),
        display_name: text(&response["displayName"]),
        chat_mode: text(&response["chatMode"]),
    }
}

/// The webhook settings of the channel.
pub fn webhook_endpoint(response: &Value) -> WebhookEndpoint {
    WebhookEndpoint { endpoint: text(&response["endpoint"]), active: response["active"] == true }
}

/// The result of a webhook test.
pub fn webhook_test(response: &Value) -> WebhookTest {
    WebhookTest {
        success: response["success"] == true,
        status_code: lenient::count(&response["statusCode"]).unwrap_or_default(),
        reason: text(&response["reason"]),
        detail: text(&response["detail"]),
    }
}

/// Name and picture of a user, a member or a group.
pub fn profile(response: &Value) -> LineProfile {
    let name = response["displayName"].as_str().or_else(|| response["groupName"].as_str());
    LineProfile {
        name: name.map(|name| name.chars().take(NAME_CHARACTERS_MAX).collect()),
        picture_url: lenient::string(&response["pictureUrl"]).map(str::to_owned),
        member_count: None,
    }
}

/// The number of people in a group or room, not counting the bot.
pub fn member_count(response: &Value) -> Option<u32> {
    lenient::count(&response["count"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Values that any property of a response might have instead of the expected one.
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

    /// The response with each property replaced by each odd value, and the name of the replaced property.
    fn odd(response: &Value) -> Vec<(String, Value)> {
        let names: Vec<&String> = response.as_object().unwrap().keys().collect();
        let replaced = |name: &str, odd: &str| {
            let mut response = response.clone();
            response[name] = json!("ODD");
            lenient::value(response.to_string().replace("\"ODD\"", odd).as_bytes()).unwrap()
        };
        names.into_iter().flat_map(|name| ODD.map(|odd| (name.clone(), replaced(name, odd)))).collect()
    }

    #[test]
    fn an_odd_value_in_a_response_affects_only_its_property() {
        for (name, response) in
            odd(&json!({ "userId": "U1", "basicId": "@1", "displayName": "Shop", "chatMode": "bot" }))
        {
            let Bot { user_id, basic_id, display_name, chat_mode } = bot(&response);
            let fields = [
                ("userId", user_id, "U1"),
                ("basicId", basic_id, "@1"),
                ("displayName", display_name, "Shop"),
                ("chatMode", chat_mode, "bot"),
            ];
            for (field, found, expected) in fields {
                assert_eq!(found, if field == name { "" } else { expected }, "{response}");
            }
        }
        for (name, response) in odd(&json!({ "displayName": "Alice", "pictureUrl": "https://example.com/a" }))
        {
            let LineProfile { name: found, picture_url, .. } = profile(&response);
            assert!(
                if name == "displayName" {
                    found.unwrap_or_default().is_empty()
                } else {
                    found.as_deref() == Some("Alice")
                },
                "{response}"
            );
            assert_eq!(
                picture_url.as_deref(),
                (name != "pictureUrl").then_some("https://example.com/a"),
                "{response}"
            );
        }
        for (name, response) in
            odd(&json!({ "success": true, "statusCode": 200, "reason": "OK", "detail": "200" }))
        {
            let test = webhook_test(&response);
            assert!(test.success || name == "success", "{response}");
            assert_eq!(test.status_code == 200, name != "statusCode", "{response}");
            assert_eq!(
                (test.reason == "OK", test.detail == "200"),
                (name != "reason", name != "detail"),
                "{response}"
            );
        }
        for (name, response) in odd(&json!({ "endpoint": "https://example.com", "active": true })) {
            let endpoint = webhook_endpoint(&response);
            assert_eq!(endpoint.endpoint.is_empty(), name == "endpoint", "{response}");
            assert!(endpoint.active || name == "active", "{response}");
        }
        for (_, response) in odd(&json!({ "count": 3 })) {
            assert_eq!(member_count(&response), (response["count"] == 7).then_some(7), "{response}");
        }
    }

    #[test]
    fn a_group_name_is_read_and_long_names_are_truncated() {
        assert_eq!(profile(&json!({ "groupName": "Friends" })).name.as_deref(), Some("Friends"));
        assert_eq!(
            profile(&json!({ "displayName": "漢".repeat(5_000) })).name.unwrap().chars().count(),
            1_000
        );
    }
}
