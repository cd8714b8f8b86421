//! Webhook endpoints: their addresses, signing secrets, and whether they work.

use std::time::Duration;

use crate::error::Result;
use crate::model::id::CustomerId;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::model::webhooks::signing_secret;
use crate::model::webhooks::webhook::{self, Effect, Failing, WebhookOutcome};
use crate::model::webhooks::webhook_delivery::WebhookEndpoint;
use crate::store::engine::damage::{get_or, text};
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::keys;

/// How long the previous secret keeps signing after a rotation.
pub const ROTATION_TIME: Duration = Duration::from_hours(24);

/// The method of a customer who has set none.
const METHOD: &str = "POST";

/// The endpoints with an address that meet a condition, as [`receiver`] reads them, with this number of deliveries in flight.
macro_rules! receivers {
    ($in_flight:literal, $condition:literal) => {
        concat!(
            "SELECT customer, webhook_uri, webhook_method, unseal(secret, 'webhook_endpoints.secret', e.id) AS secret,
                unseal(secret_previous, 'webhook_endpoints.secret_previous', e.id) AS secret_previous,
                secret_previous_until, slow, paused_until, ",
            $in_flight,
            " AS in_flight
            FROM webhook_endpoints e JOIN customers c ON c.key = e.customer
            WHERE webhook_uri <> '' AND ",
            $condition
        )
    };
}

/// An endpoint with deliveries.
#[derive(Debug, Clone)]
pub struct Receiver {
    pub(in crate::store) customer: i64,
    pub(in crate::store) uri: String,
    pub(in crate::store) method: String,
    pub(in crate::store) secrets: Vec<Secret>,
    pub(in crate::store) slow: bool,
    pub(in crate::store) paused_until: Option<Timestamp>,
    /// How many deliveries to it are in flight.
    pub(in crate::store) in_flight: usize,
}

/// The customer's endpoint; one without an address for an unknown customer. A short, indexed read.
pub fn get(connection: &Connection, customer: CustomerId) -> Result<WebhookEndpoint> {
    const SQL: &str = "
        SELECT webhook_uri, webhook_method, secret_previous_until, failing_since, failing_last, paused_until,
            disabled_reason, disabled_at
        FROM customers c LEFT JOIN webhook_endpoints e ON e.customer = c.key
        WHERE c.id = ?1";
    let found = query::optional_row(connection, SQL, [customer], from_row)?;
    Ok(found.unwrap_or_default())
}

/// The secret that signs the customer's webhooks; `None` before there is one. A short, indexed read.
pub fn secret(connection: &Connection, customer: CustomerId) -> Result<Option<Secret>> {
    const SQL: &str = "
        SELECT unseal(secret, 'webhook_endpoints.secret', id)
        FROM webhook_endpoints
        WHERE id = ?1";
    query::optional_value(connection, SQL, [customer])
}

/// Makes sure that the customer has a secret, and returns whether it is a new one.
///
/// `NotFound` for an unknown customer.
pub fn open(tx: &Transaction<'_>, customer: CustomerId) -> Result<bool> {
    ensure(tx, keys::customer(tx, customer)?)
}

/// Rotates the secret. The previous one keeps signing for [`ROTATION_TIME`], and older ones stop at once. A customer without
/// a secret gets one.
pub fn rotate(tx: &Transaction<'_>, customer: CustomerId) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_endpoints
        SET secret = seal(?2, 'webhook_endpoints.secret', id), secret_previous_until = ?3, secret_previous = seal(
            unseal(secret, 'webhook_endpoints.secret', id), 'webhook_endpoints.secret_previous', id)
        WHERE customer = ?1";
    let key = keys::customer(tx, customer)?;
    if ensure(tx, key)? {
        return Ok(());
    }
    let until = tx.now().after(ROTATION_TIME);
    query::execute(tx, SQL, (key, signing_secret::generate(), until))?;
    Ok(())
}

/// Whether the customer has an address for webhooks; if so, it has a secret from now on.
pub(in crate::store) fn is_wanted(tx: &Transaction<'_>, customer: i64) -> Result<bool> {
    const SQL: &str = "SELECT webhook_uri <> '' FROM customers WHERE key = ?1";
    let is_wanted = query::value(tx, SQL, [customer])?;
    if is_wanted {
        ensure(tx, customer)?;
    }
    Ok(is_wanted)
}

/// Gives a customer a secret unless it has one, and returns whether it did. A row with the customer's id is the customer's,
/// even if damage has changed its private key.
fn ensure(tx: &Transaction<'_>, customer: i64) -> Result<bool> {
    const SQL_LOOK: &str = "SELECT EXISTS (SELECT 1 FROM webhook_endpoints WHERE customer = ?1)";
    const SQL: &str = "
        INSERT INTO webhook_endpoints (customer, id, secret)
        SELECT key, id, seal(?2, 'webhook_endpoints.secret', id)
        FROM customers
        WHERE key = ?1
        ON CONFLICT (id) DO UPDATE SET customer = excluded.customer";
    let is_there: bool = query::value(tx, SQL_LOOK, [customer])?;
    if !is_there {
        query::execute(tx, SQL, (customer, signing_secret::generate()))?;
    }
    Ok(!is_there)
}

/// The endpoints with lanes, those with the fewest deliveries in flight first.
pub(super) fn with_lanes(connection: &Connection, now: Timestamp) -> Result<Vec<Receiver>> {
    const SQL: &str = receivers!(
        "(SELECT count(*) FROM webhook_lanes l WHERE l.customer = e.customer AND l.in_flight = 1)",
        "disabled_at IS NULL AND EXISTS (SELECT 1 FROM webhook_lanes l WHERE l.customer = e.customer)
        ORDER BY in_flight"
    );
    query::readable_rows(connection, SQL, [], ("webhook_endpoints", ALL), |row| receiver(row, now))
}

/// This endpoint, if it is neither disabled nor paused.
pub(super) fn open_to(connection: &Connection, customer: i64, now: Timestamp) -> Result<Option<Receiver>> {
    const SQL: &str = receivers!("0", "customer = ?1 AND disabled_at IS NULL AND paused_until IS NULL");
    query::optional_row(connection, SQL, [customer], |row| receiver(row, now))
}

/// Postpones the next probe, because one is in flight.
pub(super) fn postpone_probe(tx: &Transaction<'_>, customer: i64, until: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE webhook_endpoints SET paused_until = ?2 WHERE customer = ?1";
    query::execute(tx, SQL, (customer, until))?;
    Ok(())
}

/// Records what an attempt says about the endpoint. Only the probe ends a pause: other attempts may have started before it
/// began.
pub(in crate::store) fn note(
    tx: &Transaction<'_>,
    customer: i64,
    outcome: WebhookOutcome,
    was_probe: bool,
) -> Result<()> {
    const SQL: &str = "
        UPDATE webhook_endpoints
        SET slow = ?2, failing_since = ?3, failing_last = ?4, paused_until = iif(?5, ?6, coalesce(?6, paused_until))
        WHERE customer = ?1";
    const SQL_DISABLE: &str =
        "UPDATE webhook_endpoints SET disabled_reason = ?2, disabled_at = ?3 WHERE customer = ?1";
    let failing = failing(tx, customer)?;
    let effect = webhook::effect(failing, outcome, tx.now());
    let failing = (effect != Effect::Working).then(|| webhook::fail(failing, tx.now()));
    let paused_until = if let Effect::Pause(until) = effect { Some(until) } else { None };
    let (since, last) = (failing.map(|failing| failing.since), failing.map(|failing| failing.last));
    let slow = outcome.timed_out();
    query::execute(tx, SQL, (customer, slow, since, last, was_probe, paused_until))?;
    if let Effect::Disable(reason) = effect {
        query::execute(tx, SQL_DISABLE, (customer, reason, tx.now()))?;
    }
    Ok(())
}

fn failing(connection: &Connection, customer: i64) -> Result<Option<Failing>> {
    const SQL: &str = "SELECT failing_since, failing_last FROM webhook_endpoints WHERE customer = ?1";
    query::row(connection, SQL, [customer], |row| Ok(joined(row.get(0)?, row.get(1)?)))
}

fn joined(since: Option<Timestamp>, last: Option<Timestamp>) -> Option<Failing> {
    since.zip(last).map(|(since, last)| Failing { since, last })
}

fn receiver(row: &Row<'_>, now: Timestamp) -> Read<Receiver> {
    let previous_until: Option<Timestamp> = row.get("secret_previous_until")?;
    let previous: Option<Secret> = row.get("secret_previous")?;
    let previous = previous.filter(|_| previous_until.is_some_and(|until| until > now));
    Ok(Receiver {
        customer: row.get("customer")?,
        uri: text(row, "webhook_uri")?,
        method: method(row)?,
        secrets: std::iter::once(row.get("secret")?).chain(previous).collect(),
        slow: row.get("slow")?,
        paused_until: get_or(row, "paused_until", None)?,
        in_flight: row.get::<_, u32>("in_flight")?.try_into().unwrap_or(usize::MAX),
    })
}

fn from_row(row: &Row<'_>) -> Read<WebhookEndpoint> {
    Ok(WebhookEndpoint {
        uri: text(row, "webhook_uri")?,
        method: method(row)?,
        secret_previous_until: row.get("secret_previous_until")?,
        failing: joined(row.get("failing_since")?, row.get("failing_last")?),
        paused_until: row.get("paused_until")?,
        disabled: get_or(row, "disabled_reason", None)?.zip(get_or::<Option<Timestamp>>(
            row,
            "disabled_at",
            None,
        )?),
    })
}

fn method(row: &Row<'_>) -> Read<String> {
    let method = text(row, "webhook_method")?;
    Ok(if method.is_empty() { METHOD.to_owned() } else { method })
}
