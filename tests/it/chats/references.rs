//! References of messages: the message they quote and the people they mention.

use serde_json::{Value, json};

use crate::harness::server::{TestServer, text_event};

/// A group with Alice and Bob.
struct Group {
    server: TestServer,
    id: String,
    alice: String,
    bob: String,
}

impl Group {
    fn begin() -> Self {
        let server = TestServer::start();
        let (alice, bob) = (server.user("Alice"), server.user("Bob"));
        let id = server.group("Friends", &[&alice, &bob]);
        Self { server, id, alice, bob }
    }

    fn event(&self, user: &str, message: &Value) -> Value {
        let mut event = text_event(user, "");
        event["source"] = json!({ "type": "group", "groupId": self.id, "userId": user });
        event["message"].as_object_mut().unwrap().extend(message.as_object().unwrap().clone());
        event
    }

    async fn receive(&self, event: &Value) {
        assert_eq!(self.server.webhook(std::slice::from_ref(event)).await.status, 200);
    }

    async fn path(&self) -> String {
        let list = self.server.get("/v1.0/conversations").await.json();
        let chat =
            list["result"].as_array().unwrap().iter().find(|one| one["reference_id"] == self.id).unwrap();
        format!("/v1.0/conversations/{}/messages", chat["id"].as_str().unwrap())
    }

    /// Newest first.
    async fn messages(&self) -> Vec<Value> {
        self.server.get(&self.path().await).await.json()["result"].as_array().unwrap().clone()
    }

    async fn send(&self, body: &Value) -> Value {
        let response = self.server.post(&self.path().await, body).await;
        assert_eq!((response.status, &response.json()["status"]), (200, &json!("sent")), "{response:?}");
        response.json()
    }

    /// The message objects of the latest request that LINE executed.
    fn objects(&self) -> Value {
        self.server.line.platform.executed().last().unwrap().body["messages"].clone()
    }
}

#[actix_web::test]
async fn a_message_shows_its_quote_and_mentions_in_any_order_of_arrival() {
    for is_orderly in [true, false] {
        let group = Group::begin();
        let asked = group.event(&group.alice, &json!({ "text": "is it open?" }));
        let mentionees = json!([
            { "index": 0, "length": 5, "type": "user", "userId": group.alice, "isSelf": true },
            { "index": 6, "length": 4, "type": "all" },
        ]);
        let answered = group.event(
            &group.bob,
            &json!({ "text": "@shop @All this one", "quotedMessageId": asked["message"]["id"], "mention": { "mentionees": mentionees } }),
        );
        let events = if is_orderly { [&asked, &answered] } else { [&answered, &asked] };
        for event in events {
            group.receive(event).await;
        }

        let messages = group.messages().await;
        let find = |text: &str| messages.iter().find(|one| one["text"] == text).unwrap();
        let (quoted, quoting) = (find("is it open?"), find("@shop @All this one"));
        let quote = json!({ "message_id": quoted["id"], "line_message_id": asked["message"]["id"] });
        let mentions = json!([
            { "index": 0, "length": 5, "kind": "user", "participant": group.alice, "is_self": true },
            { "index": 6, "length": 4, "kind": "all", "participant": null, "is_self": false },
        ]);
        assert_eq!((&quoting["quote"], &quoting["mentions"]), (&quote, &mentions), "{is_orderly}");
        assert_eq!((&quoted["quote"], &quoted["mentions"]), (&Value::Null, &json!([])));

        let mut unsend = group.event(&group.bob, &json!({}));
        unsend["type"] = json!("unsend");
        unsend["unsend"] = json!({ "messageId": answered["message"]["id"] });
        group.receive(&unsend).await;
        let path = format!("{}/{}", group.path().await, quoting["id"].as_str().unwrap());
        let unsend = group.server.get(&path).await.json();
        assert_eq!((&unsend["quote"], &unsend["mentions"]), (&Value::Null, &json!([])));
        assert_eq!(
            group.server.value::<i64>("SELECT count(*) FROM events WHERE instr(data, '@shop') > 0"),
            0
        );
    }
}

#[actix_web::test]
async fn an_edited_message_mentions_those_in_its_new_text() {
    let group = Group::begin();
    let mention = |index: u32| json!({ "mentionees": [{ "index": index, "length": 2, "type": "all" }] });
    let original = group.event(&group.alice, &json!({ "text": "@a", "mention": mention(0) }));
    let mut edited = group.event(
        &group.alice,
        &json!({ "text": "to @a", "mention": mention(3), "id": original["message"]["id"] }),
    );
    edited["type"] = json!("messageEdited");
    edited["timestamp"] = json!(original["timestamp"].as_i64().unwrap() + 1);

    group.receive(&original).await;
    group.receive(&edited).await;

    let messages = group.messages().await;
    assert_eq!((&messages[0]["text"], &messages[0]["mentions"][0]["index"]), (&json!("to @a"), &json!(3)));
}

#[actix_web::test]
async fn a_sent_message_can_be_quoted_and_shows_what_it_quotes() {
    let group = Group::begin();
    group.receive(&group.event(&group.alice, &json!({ "text": "hello" }))).await;
    let long = group.send(&json!({ "text": "a ".repeat(4_000) })).await;
    let second: String = group.server.value("SELECT max(line_id) FROM sent_ids");

    group.receive(&group.event(&group.bob, &json!({ "text": "and this?", "quotedMessageId": second }))).await;
    let response = group.send(&json!({ "text": "that too", "quote": long["id"] })).await;

    let quote = json!({ "message_id": long["id"], "line_message_id": second });
    assert_eq!(group.messages().await[1]["quote"], quote);
    assert_eq!(response["quote"]["message_id"], long["id"]);
    assert!(response["quote"]["line_message_id"].is_string(), "{response}");
    assert!(group.objects()[0]["quoteToken"].is_string());
    assert_eq!(long["quote"], Value::Null);
}

#[actix_web::test]
async fn people_in_groups_are_mentioned_by_the_positions_of_their_names() {
    let group = Group::begin();
    group.receive(&group.event(&group.alice, &json!({ "text": "hello" }))).await;
    let mention = json!({ "index": 3, "length": 6, "participant": group.alice });
    let all = json!({ "index": 14, "length": 4, "kind": "all" });

    let sent = group.send(&json!({ "text": "😀 @Alice {x} @All", "mentions": [mention, all] })).await;

    let object = group.objects()[0].clone();
    assert_eq!((&object["type"], &object["text"]), (&json!("textV2"), &json!("😀 {m0} {{x}} {m1}")));
    let alice = json!({ "type": "mention", "mentionee": { "type": "user", "userId": group.alice } });
    assert_eq!(
        object["substitution"],
        json!({ "m0": alice, "m1": { "type": "mention", "mentionee": { "type": "all" } } })
    );
    let mentions = json!([
        { "index": 3, "length": 6, "kind": "user", "participant": group.alice, "is_self": false },
        { "index": 14, "length": 4, "kind": "all", "participant": null, "is_self": false },
    ]);
    assert_eq!((&sent["text"], &sent["mentions"]), (&json!("😀 @Alice {x} @All"), &mentions));

    let text = format!("{}@Alice Smith {}", "a".repeat(4_895), "b".repeat(4_000));
    let mention = json!({ "index": 4_895, "length": 12, "participant": group.alice });
    group.send(&json!({ "text": text, "mentions": [mention] })).await;
    let objects = group.objects();
    let texts: Vec<&str> =
        objects.as_array().unwrap().iter().map(|one| one["text"].as_str().unwrap()).collect();
    assert_eq!(texts.concat().replace("{m0}", "@Alice Smith"), text, "no mention is cut");
    assert_eq!(
        objects.as_array().unwrap().iter().filter(|one| one["substitution"]["m0"].is_object()).count(),
        1
    );
}

#[actix_web::test]
async fn an_impossible_mention_is_rejected_by_name_and_nothing_is_stored() {
    let group = Group::begin();
    group.receive(&group.event(&group.alice, &json!({ "text": "hello" }))).await;
    let refused = async |path: &str, body: &Value| {
        let response = group.server.post(path, body).await;
        assert_eq!(
            (response.status, response.reason().as_str()),
            (400, "INVALID_ARGUMENT"),
            "{body} {response:?}"
        );
        response.json()["error"]["details"][0]["property"].as_str().unwrap().to_owned()
    };
    let path = group.path().await;
    let mention =
        |index: u32, length: u32| json!({ "index": index, "length": length, "participant": group.alice });

    for (mentions, property) in [
        (json!([mention(1, 1)]), "mentions[0]"),
        (json!([mention(3, 100)]), "mentions[0]"),
        (json!([mention(3, 6), mention(8, 2)]), "mentions[1]"),
        (json!([{ "index": 3, "length": 6 }]), "mentions[0].participant"),
        (json!(vec![mention(3, 1); 21]), "mentions"),
    ] {
        let body = json!({ "text": "😀 @Alice hi", "mentions": mentions });
        assert_eq!(refused(&path, &body).await, property, "{mentions}");
    }
    let sticker = json!({ "type": "sticker", "package_id": "446", "sticker_id": "1988" });
    assert_eq!(
        refused(&path, &json!({ "medias": [sticker], "mentions": [mention(0, 1)] })).await,
        "mentions"
    );
    let alone = group.server.conversation_with(&group.alice).await;
    let alone = format!("/v1.0/conversations/{alone}/messages");
    assert_eq!(refused(&alone, &json!({ "text": "@Alice", "mentions": [mention(0, 6)] })).await, "mentions");
    assert_eq!(group.server.value::<i64>("SELECT count(*) FROM messages WHERE source_target = ''"), 0);
}
