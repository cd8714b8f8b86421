//! Groups of any size: the first hundred members are listed, all can be paged, and none costs more than another.

use std::time::Duration;

use kaiwa::line::webhook;
use kaiwa::model::chats::conversation::LineProfile;
use kaiwa::model::id::AccountId;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::Store;
use kaiwa::store::chats::{inbound, lookups, members};
use serde_json::{Value, json};

use crate::harness::eventually_is;
use crate::harness::server::{TestServer, text_event};

const GROUP: &str = "C00000000000000000000000000000001";

/// The maximum size of a member of a large group in the file: a group of 5,000 stays below 20 MiB.
const MEMBER_BYTES_MAX: i64 = 4 * 1024;

fn says(group: &str, user: &str, text: &str) -> Value {
    let mut event = text_event(user, text);
    event["source"] = json!({ "type": "group", "groupId": group, "userId": user });
    event
}

/// These members write something, and LINE returns their names.
async fn speak(store: &Store, account: AccountId, members: std::ops::Range<usize>) {
    let count = members.len();
    let write = store.write(Timestamp::now(), move |tx| {
        for member in members {
            let event = says(GROUP, &format!("U{member:032}"), "a text of some length, as people write");
            let body = json!({ "destination": "U0", "events": [event] }).to_string();
            let events = webhook::parse(body.as_bytes())?.events;
            inbound::receive(tx, account, ("", &events), Duration::from_hours(24))?;
        }
        let asked = lookups::claim(tx, 10_000)?;
        for lookup in &asked {
            let name = Some(format!("Member {}", lookup.target.as_str()));
            members::resolve(tx, lookup, &LineProfile { name, picture_url: None, member_count: None })?;
        }
        Ok(asked.len())
    });
    assert!(write.await.unwrap() >= count, "all are asked for");
}

#[actix_web::test]
async fn a_member_of_a_large_group_costs_no_more_than_one_of_a_small_group() {
    let mut server = TestServer::start();
    let (account, keys) = (server.account, server.keys());
    server.stop_and_wait();
    let store = Store::open(&server.database(), &keys, 10).unwrap();
    let bytes =
        || server.value::<i64>("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size");
    speak(&store, account, 0..200).await;

    let mut growth = Vec::new();
    for batch in 1..4 {
        let before = bytes();
        speak(&store, account, batch * 200..(batch + 1) * 200).await;
        growth.push((bytes() - before) / 200);
    }

    assert!(growth.iter().all(|member| *member < MEMBER_BYTES_MAX), "{growth:?}");
    assert!(growth[2] < growth[0] * 5 / 4, "{growth:?}");
    let count = server.value::<i64>("SELECT participant_count FROM conversations");
    assert_eq!(count, 801, "the group and its members");
}

#[actix_web::test]
async fn the_first_hundred_members_are_listed_and_all_can_be_paged() {
    let server = TestServer::start();
    let members: Vec<String> = (1..=105).map(|number| server.user(&format!("member {number}"))).collect();
    let names: Vec<&str> = members.iter().map(String::as_str).collect();
    let group = server.group("Friends", &names);
    let spoken: Vec<Value> = members[..104].iter().map(|member| says(&group, member, "hello")).collect();
    assert_eq!(server.webhook(&spoken).await.status, 200);
    let conversation = async || server.get("/v1.0/conversations").await.json()["result"][0].clone();
    let path = format!("/v1.0/conversations/{}", conversation().await["id"].as_str().unwrap());
    let page = async |query: &str| server.get(&format!("{path}/participants?{query}")).await.json();
    let targets = |list: &Value| -> Vec<String> {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one["target"].as_str().unwrap().to_owned()).collect()
    };
    let named =
        async || server.get(&format!("{path}/messages")).await.json()["result"][0]["source_name"].clone();
    eventually_is(json!("member 104"), named).await;

    let shown = conversation().await;
    let (first, second) = (page("page_size=50").await, page("page_size=60&page_token=49").await);
    let (last, beyond) = (page("page_token=105").await, page("page_token=106").await);

    let expected: Vec<String> = ["", &group].into_iter().chain(names).map(str::to_owned).collect();
    assert_eq!(targets(&shown["participants"]), expected[..102]);
    assert_eq!(shown["participant_count"], 106);
    assert_eq!(
        (targets(&first["result"]), &first["next_page_token"]),
        (expected[..50].to_vec(), &json!("49"))
    );
    assert_eq!(first["result"][0], shown["participants"][0]);
    assert_eq!(
        (targets(&second["result"]), &second["next_page_token"]),
        (expected[50..106].to_vec(), &json!("105"))
    );
    assert_eq!((&last, &beyond), (&json!({ "result": [], "next_page_token": "" }), &last));
    assert_eq!(server.get(&format!("{path}/participants?page_token=x")).await.reason(), "INVALID_PAGE_TOKEN");
}

#[actix_web::test]
async fn an_unlisted_member_is_counted_and_causes_no_event() {
    let mut server = TestServer::start();
    let (account, keys) = (server.account, server.keys());
    server.stop_and_wait();
    let store = Store::open(&server.database(), &keys, 10).unwrap();
    speak(&store, account, 0..103).await;
    drop(store);
    server.restart();
    let events = || server.value::<i64>("SELECT count(*) FROM events WHERE kind = 'conversation_updated'");
    let conversation = async || server.get("/v1.0/conversations").await.json()["result"][0].clone();
    let moves = async |kind: &str, list: &str, member: usize| {
        let mut event = says(GROUP, &format!("U{member:032}"), "");
        event["type"] = json!(kind);
        event["source"] = json!({ "type": "group", "groupId": GROUP });
        event[list] = json!({ "members": [{ "type": "user", "userId": format!("U{member:032}") }] });
        assert_eq!(server.webhook(&[event]).await.status, 200);
    };
    let (started, before) = (conversation().await, events());

    moves("memberJoined", "joined", 103).await;
    moves("memberLeft", "left", 101).await;
    let joined = (conversation().await, events());
    moves("memberLeft", "left", 0).await;
    let left = (conversation().await, events());

    assert_eq!((&started["participant_count"], &joined.0["participant_count"]), (&json!(105), &json!(105)));
    assert_eq!(
        (&joined.0["participants"], &joined.0["tm_update"], joined.1),
        (&started["participants"], &started["tm_update"], before)
    );
    assert_eq!((&left.0["participant_count"], left.1), (&json!(104), before + 1));
    let listed = left.0["participants"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[101]["target"]), (102, &json!(format!("U{:032}", 100))));
}
