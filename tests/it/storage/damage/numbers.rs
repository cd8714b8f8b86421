//! Every number of every table, with a high bit flipped: it is found, and affects at most its own row.

use std::path::Path;

use kaiwa::admin::erasure::{self, FIRST, Whom};
use kaiwa::config::key_source::KeySource;
use kaiwa::error::{Error, Result};
use kaiwa::model::id::{ConversationId, CustomerId};
use kaiwa::model::page::Page;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::accounts::customers;
use kaiwa::store::chats::{conversations, messages};
use kaiwa::store::files::media_store::MediaStore;
use kaiwa::store::webhooks::history::DeliveryFilter;
use kaiwa::store::{Store, accounts, webhooks};
use rusqlite::{Connection, OptionalExtension};
use serde_json::json;

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};
use crate::media::{JPEG, media_once, send};
use crate::storage::damage::bits::{found, whole_copy};
use crate::storage::damage::{closed, halt};
use crate::webhooks::receiver::Receiver;
use crate::webhooks::start;

/// The bit that flips.
const BIT: u32 = 62;

const PAGE: Page = Page { size: Page::SIZE_MAX, before: Timestamp::NEVER };

/// The tables whose rows everything else references.
const OWNERS: [&str; 2] = ["customers", "accounts"];

/// A stopped server with rows in most tables, and the ids of its users.
async fn filled(receiver: &Receiver) -> (TestServer, Vec<String>) {
    let mut server = start(receiver);
    let users =
        vec![send(&server, "image", JPEG.to_vec()).await.user, server.user("Bob"), server.user("Carol")];
    media_once(&server, "stored").await;
    let group = server.group("Team", &[&users[1], &users[2]]);
    for user in &users {
        let conversation = server.conversation_with(user).await;
        server.say(&conversation, &format!("to {user}")).await;
        let mut event = text_event(user, &format!("of {user}"));
        event["source"] = json!({ "type": "group", "groupId": group, "userId": user });
        server.webhook(&[event]).await;
    }
    eventually(|| {
        server.value::<i64>("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'") == 0
    })
    .await;
    halt(&mut server).await;
    (server, users)
}

/// All number columns of tables that have rows.
fn numbers(connection: &Connection) -> Vec<(String, String)> {
    const SQL: &str = "
        SELECT t.name, c.name
        FROM sqlite_schema t, pragma_table_info(t.name) c
        WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND c.type = 'INTEGER'";
    let mut statement = connection.prepare(SQL).unwrap();
    let all = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap);
    let has_rows = |(table, _): &(String, String)| {
        let sql = format!("SELECT 1 FROM {table} LIMIT 1");
        connection.query_row(&sql, [], |_| Ok(())).optional().unwrap().is_some()
    };
    all.filter(has_rows).collect()
}

/// Flips a bit of a number in the middle row of its table.
fn flip(database: &Path, table: &str, column: &str) {
    let connection = Connection::open(database).unwrap();
    let text = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let keys = text(&format!(
        "SELECT group_concat(name, ', ' ORDER BY pk) FROM pragma_table_info('{table}') WHERE pk > 0"
    ));
    let row = format!(
        "({keys}) = (SELECT {keys} FROM {table} ORDER BY {keys} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {table}))"
    );
    let number = format!("coalesce({column}, 0)");
    connection.execute_batch("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF").unwrap();
    let sql = format!("UPDATE {table} SET {column} = {number} | (1 << {BIT}) WHERE {row}");
    assert_eq!(connection.execute(&sql, []).unwrap(), 1, "{sql}");
}

/// The numbers of conversations, messages, accounts and deliveries that the customer sees.
fn shown(connection: &Connection, customer: CustomerId, chats: &[ConversationId]) -> Result<[usize; 4]> {
    let mut count = 0;
    for chat in chats {
        match messages::page(connection, (customer, *chat), PAGE, |_| count += 1) {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok([
        conversations::page(connection, customer, PAGE)?.len(),
        count,
        accounts::page(connection, customer, PAGE)?.len(),
        webhooks::history::page(connection, customer, DeliveryFilter::default(), PAGE)?.len(),
    ])
}

fn open(database: &Path, keys: &KeySource) -> Store {
    Store::open(database, keys, 16).unwrap()
}

fn shown_in(store: &Store, chats: &[ConversationId]) -> Result<[usize; 4]> {
    store.reader()?.read(|connection| {
        let customer = customers::list(connection)?.first().map(|customer| customer.id);
        customer.map_or(Ok([0; 4]), |customer| shown(connection, customer, chats))
    })
}

/// Erases users, one after the other: on a thread, since each step waits for the writer.
fn erase(store: &Store, folder: &Path, users: &[String]) -> Result<()> {
    let folder = MediaStore::open(folder)?;
    let erase = || {
        users.iter().try_for_each(|user| {
            let (whom, mut next) = (Whom::User(user.clone()), Some(FIRST));
            while let Some(step) = next {
                next = erasure::step(store, &folder, &whom, step, Timestamp::now())?.next;
            }
            Ok(())
        })
    };
    std::thread::scope(|scope| scope.spawn(erase).join().unwrap())
}

#[actix_web::test]
async fn a_number_with_a_flipped_bit_is_found_and_affects_at_most_its_own_row() {
    let receiver = Receiver::start();
    let (server, users) = filled(&receiver).await;
    let folder = tempfile::tempdir().unwrap();
    let (whole, flipped) = (folder.path().join("whole.db"), folder.path().join("flipped.db"));
    whole_copy(&server.database(), &whole);
    let keys = server.keys();
    let connection = Connection::open(&whole).unwrap();
    let mut ids = connection.prepare("SELECT id FROM conversations").unwrap();
    let ids = ids.query_map([], |row| row.get(0).map(ConversationId::from_bytes)).unwrap();
    let chats: Vec<_> = ids.map(Result::unwrap).collect();
    let all = shown_in(&open(&whole, &keys), &chats).unwrap();
    closed(&whole).await;
    assert!(all.iter().all(|count| *count > 0), "{all:?}");
    let numbers = numbers(&connection);
    assert!(numbers.len() > 80, "{}", numbers.len());

    let mut wrong = Vec::new();
    for (index, (table, column)) in numbers.into_iter().enumerate() {
        std::fs::copy(&whole, &flipped).unwrap();
        flip(&flipped, &table, &column);
        if found(&flipped, &keys).is_empty() {
            wrong.push(format!("{table}.{column} is not found"));
        }
        let store = open(&flipped, &keys);
        match shown_in(&store, &chats) {
            Err(error) => wrong.push(format!("{table}.{column} costs a list: {}", error.chain())),
            Ok(_) if OWNERS.contains(&table.as_str()) => {}
            Ok(left) if left.iter().zip(all).all(|(left, all)| left + 1 >= all) => {}
            // The messages and events of a conversation belong to its row.
            Ok([left, ..]) if table == "conversations" && left + 1 >= all[0] => {}
            Ok(left) => wrong.push(format!("{table}.{column} costs more than its row: {left:?} of {all:?}")),
        }
        let erased = erase(&store, folder.path(), std::slice::from_ref(&users[index % users.len()]));
        if let (Err(error), false) = (erased, OWNERS.contains(&table.as_str())) {
            wrong.push(format!("{table}.{column} costs an erasure: {}", error.chain()));
        }
        drop(store);
        closed(&flipped).await;
    }

    assert!(wrong.is_empty(), "{wrong:#?}");
}
