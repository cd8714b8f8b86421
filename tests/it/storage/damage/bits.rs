//! The share of flipped bits in a database that `verify` finds. The bits are drawn with a fixed seed.

use std::ops::Range;
use std::path::Path;

use kaiwa::config::key_source::KeySource;
use kaiwa::model::timestamp::Timestamp;
use kaiwa::store;
use kaiwa::store::verify::Findings;
use rusqlite::Connection;

use crate::harness::eventually;
use crate::harness::server::text_event;
use crate::storage::damage::halt;
use crate::webhooks::receiver::Receiver;
use crate::webhooks::start;

/// Bits that are flipped, one at a time.
const FLIPS: u32 = 40;

/// The minimum that is found: the rest lies in values that change all the time and have no checksum.
const FOUND_MIN: u32 = 24;

/// Knuth's generator: good enough to choose offsets.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// The used offsets of a page (SQLite's file format, 1.6). A page of another type holds the end of a long value.
fn used(page: &[u8], header: usize) -> [Range<usize>; 2] {
    let number = |at: usize| usize::from(page[at]) << 8 | usize::from(page[at + 1]);
    let pointers = match page[header] {
        2 | 5 => header + 12,
        10 | 13 => header + 8,
        _ => return [0..page.len(), 0..0],
    };
    [header..pointers + 2 * number(header + 3), number(header + 5)..page.len()]
}

/// All used offsets of a database, except for the file header.
fn places(database: &[u8]) -> Vec<usize> {
    let size = usize::from(database[16]) << 8 | usize::from(database[17]);
    let pages = database.chunks(size).enumerate();
    let of_page = |(number, page): (usize, &[u8])| {
        let header = if number == 0 { 100 } else { 0 };
        used(page, header).into_iter().flatten().map(|place| number * size + place).collect::<Vec<_>>()
    };
    pages.flat_map(of_page).collect()
}

/// The findings; a failure to open the database is one too.
pub fn found(database: &Path, keys: &KeySource) -> Vec<String> {
    let mut findings = Findings::default();
    let looked = store::verify::database(database, &mut findings)
        .and_then(|_| store::verify::rows(database, Some(keys), Timestamp::now(), &mut findings));
    match looked {
        Ok(()) => findings.list().to_vec(),
        Err(error) => vec![error.to_string()],
    }
}

/// A copy, in one file, of a database that nobody has open.
pub fn whole_copy(database: &Path, copy: &Path) {
    std::fs::copy(database, copy).unwrap();
    Connection::open(copy).unwrap().execute_batch("PRAGMA journal_mode = DELETE; VACUUM").unwrap();
}

#[actix_web::test]
async fn most_flipped_bits_of_a_database_are_found() {
    let receiver = Receiver::start();
    let mut server = start(&receiver);
    let conversation = server.conversation_with(&server.user("Alice")).await;
    for number in 0..10 {
        server
            .webhook(&[text_event(&server.user("Alice"), &format!("what Alice says, number {number}"))])
            .await;
        server.say(&conversation, &format!("the reply to her, number {number}")).await;
    }
    eventually(|| {
        server.value::<i64>("SELECT count(*) FROM webhook_deliveries WHERE state <> 'delivered'") == 0
    })
    .await;
    halt(&mut server).await;
    let folder = tempfile::tempdir().unwrap();
    let (whole, flipped) = (folder.path().join("whole.db"), folder.path().join("flipped.db"));
    whole_copy(&server.database(), &whole);
    let keys = KeySource::File(server.folder().join("secret.key"));
    let bytes = std::fs::read(&whole).unwrap();
    let places = places(&bytes);
    assert_eq!(found(&whole, &keys), [""; 0], "nothing is wrong with it");

    let (mut state, mut missed) = (1, Vec::new());
    for _ in 0..FLIPS {
        let place = places[usize::try_from(next(&mut state)).unwrap() % places.len()];
        let mut bytes = bytes.clone();
        bytes[place] ^= 1 << (next(&mut state) % 8);
        std::fs::write(&flipped, bytes).unwrap();
        if found(&flipped, &keys).is_empty() {
            missed.push(place);
        }
    }

    let count = FLIPS - u32::try_from(missed.len()).unwrap();
    assert!(count >= FOUND_MIN, "only {count} of {FLIPS} were found; not those at {missed:?}");
}
