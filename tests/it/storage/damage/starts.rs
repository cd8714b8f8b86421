//! The effect of a damaged row on a start: none where possible; otherwise the row and the remedy are named.

use std::time::Duration;

use kaiwa::error::Error;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store::verify;

use crate::harness::eventually;
use crate::harness::server::{TestServer, text_event};
use crate::storage::damage::{end, found, halt, harm, kaiwa, refused_start};
use crate::webhooks::receiver::Receiver;
use crate::webhooks::start;

const DAY: Duration = Duration::from_hours(24);

#[actix_web::test]
async fn a_start_prevented_by_a_damaged_row_names_it_and_creates_no_substitute() {
    let harms = [
        ("customers with key 1: id", "UPDATE customers SET id = x'00ff'"),
        ("accounts with key 1: id", "UPDATE accounts SET id = x'00ff'"),
        ("accounts with key 1: id", "UPDATE accounts SET id = CAST(substr(id, 1, 15) || x'00' AS BLOB)"),
        ("accounts with key 1: customer", "UPDATE accounts SET customer = 7"),
        ("accounts with key 1: customer", "UPDATE customers SET key = 7"),
    ];
    let mut server = TestServer::start();
    server.conversation_with(&server.user("Alice")).await;
    halt(&mut server).await;
    assert!(refused_start(&server).await.is_none());
    let whole = server.folder().join("whole");
    std::fs::copy(server.database(), &whole).unwrap();

    for (named, sql) in harms {
        harm(&server, sql);

        let refused = refused_start(&server).await;

        let Some(Error::Unusable(text)) = refused else { panic!("{sql}: {refused:?}") };
        assert!(text.contains(named) && text.contains("estore a backup"), "{sql}: {text}");
        assert_ne!(found(&server), [""; 0], "{sql}");
        assert_eq!(server.value::<i64>("SELECT count(*) FROM accounts"), 1, "{sql}");
        std::fs::copy(&whole, server.database()).unwrap();
    }
    end(server);
}

#[actix_web::test]
async fn damage_to_dispensable_rows_prevents_no_start_and_no_message() {
    let harms = [
        "UPDATE customers SET message_days = -1",
        "UPDATE webhook_endpoints SET customer = 7",
        "UPDATE sealing SET probe = 'x'",
        "UPDATE sealing SET probe = CAST(x'ff' AS TEXT)",
        "UPDATE sealing SET probe = replace(probe, 'sealed1:', 'sealed1:00')",
        "UPDATE customers SET events_pruned = 1 << 50",
        "UPDATE webhook_endpoints SET slow = 1 << 40",
    ];
    let receiver = Receiver::start();
    let mut server = start(&receiver);
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;

    for (number, sql) in harms.iter().enumerate() {
        halt(&mut server).await;
        harm(&server, sql);
        assert_ne!(found(&server), [""; 0], "{sql}");

        server.restart();

        let text = format!("after harm {number}");
        assert_eq!(server.webhook(&[text_event(&alice, &text)]).await.status, 200, "{sql}");
        assert_eq!(server.say(&conversation, "an answer").await["status"], "sent", "{sql}");
        eventually(|| receiver.texts().contains(&text)).await;
    }
    end(server);
}

#[actix_web::test]
async fn a_damaged_key_probe_does_not_let_another_key_in() {
    let mut server = TestServer::start();
    server.conversation_with(&server.user("Alice")).await;
    halt(&mut server).await;
    harm(&server, "UPDATE sealing SET probe = 'x'");
    let key = server.folder().join("secret.key");
    let right = std::fs::read_to_string(&key).unwrap();
    std::fs::write(&key, "ab".repeat(32)).unwrap();

    let refused = refused_start(&server).await;

    let Some(Error::Unusable(text)) = refused else { panic!("{refused:?}") };
    assert!(text.contains("sealing with only 1: probe"), "{text}");
    std::fs::write(&key, right).unwrap();
    server.restart();
    assert_eq!(found(&server), [""; 0], "the probe is sealed again");
    end(server);
}

#[actix_web::test]
async fn whichever_bit_of_the_last_timestamp_flips_later_messages_follow_the_earlier_ones() {
    let mut server = TestServer::start();
    let alice = server.user("Alice");
    let conversation = server.conversation_with(&alice).await;
    for bit in [47, 48, 51, 54, 57, 58, 60, 62, 63] {
        halt(&mut server).await;
        harm(&server, &format!("UPDATE clock SET last_stamp = last_stamp | (1 << {bit})"));
        let named = found(&server);
        assert!(named.iter().any(|found| found.contains("last_stamp")), "bit {bit}: {named:?}");
        let doctor =
            verify::diagnostics::database(&server.database(), server.clock.now()).unwrap_err().to_string();
        assert!(doctor.contains("last_stamp"), "bit {bit}: {doctor}");
        server.restart();
        let text = format!("after bit {bit}");

        server.webhook(&[text_event(&alice, &text)]).await;

        let messages = server.messages(&conversation).await;
        assert_eq!(messages[0]["text"], text.as_str());
        let tomorrow = server.clock.now().after(DAY).to_string();
        assert!(messages[0]["tm_create"].as_str().unwrap() < tomorrow.as_str(), "{}", messages[0]);
        assert_eq!(found(&server), [""; 0], "bit {bit}: it continues from the newest row");
    }
}

#[actix_web::test]
async fn a_message_that_no_list_could_show_is_rejected_and_not_stored() {
    let server = TestServer::start();
    let alice = server.user("Alice");
    server.conversation_with(&alice).await;
    let year = DAY * 365;
    let count = "SELECT count(*) FROM messages";
    let before = server.value::<i64>(count);
    while server.clock.now() < Timestamp::NEVER {
        server.clock.advance(year * 500);
    }

    let refused = server.webhook(&[text_event(&alice, "too late")]).await;

    assert_eq!(refused.status, 503);
    assert_eq!(server.value::<i64>(count), before);
    end(server);
}

#[actix_web::test]
async fn commands_that_read_name_the_file_that_is_not_a_database() {
    let mut server = TestServer::start();
    server.conversation_with(&server.user("Alice")).await;
    halt(&mut server).await;
    let customer = server.customer.to_string();
    let backup = server.folder().join("backup.tar");
    let commands: [&[&str]; 6] = [
        &["account", "list"],
        &["customer", "list"],
        &["token", "--customer", &customer],
        &["webhooks", "list", "--customer", &customer],
        &["backup", backup.to_str().unwrap()],
        &["verify", server.folder().to_str().unwrap()],
    ];
    let size = std::fs::metadata(server.database()).unwrap().len();
    let whole = std::fs::read(server.database()).unwrap();
    let damages =
        [b"garbage".repeat(1000), whole[..8192].to_vec(), [&whole[..4096], &vec![7; 4096 * 9]].concat()];

    for (number, damage) in damages.iter().enumerate() {
        std::fs::write(server.database(), damage).unwrap();
        for arguments in commands {
            let output = kaiwa(server.folder(), arguments);

            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{number} {arguments:?} of {size}: {errors}");
            assert!(errors.contains("kaiwa.db"), "{number} {arguments:?}: {errors}");
        }
    }
    end(server);
}
