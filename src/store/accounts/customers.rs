//! Customers: their names, webhook address and retention, each set by the source that may set it.

use crate::error::{Error, Resource, Result};
use crate::model::accounts::customer::{Customer, CustomerProfile, MessageDays, ProfileChange};
use crate::model::accounts::sources::{self, FieldSource, FieldSources, HeldField};
use crate::model::id::CustomerId;
use crate::store::engine::damage::{get_or, text};
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::keys;
use crate::store::webhooks::reset;

/// Creates a customer with the name and detail from its token. Does nothing if it exists.
pub fn introduce(tx: &Transaction<'_>, id: CustomerId, claim: &ProfileChange) -> Result<()> {
    if find(tx, id)?.is_some() {
        return Ok(());
    }
    let names =
        ProfileChange { name: claim.name.clone(), detail: claim.detail.clone(), ..ProfileChange::default() };
    set(tx, id, names, FieldSource::Token).map(drop)
}

/// Changes a customer, or creates it.
///
/// `Conflict` when the change contains a field that the configuration file declares.
pub fn update(tx: &Transaction<'_>, id: CustomerId, change: ProfileChange) -> Result<()> {
    sources::refuse("customers", &set(tx, id, change, FieldSource::Call)?)
}

/// Applies what a token says about its customer to the fields that no source of higher precedence has set. Returns the fields
/// that differ but were not changed.
pub fn take_claim(tx: &Transaction<'_>, id: CustomerId, claim: ProfileChange) -> Result<Vec<HeldField>> {
    let known = find(tx, id)?.map(|known| known.profile).unwrap_or_default();
    set(tx, id, claim.without_unchanged(&known), FieldSource::Token)
}

/// Sets the fields that this source may set, and creates the customer if necessary. Returns the fields that it may not set.
pub fn set(
    tx: &Transaction<'_>,
    id: CustomerId,
    mut change: ProfileChange,
    source: FieldSource,
) -> Result<Vec<HeldField>> {
    const SQL: &str = "SELECT sources FROM customers WHERE id = ?1";
    let read = |row: &Row<'_>| get_or(row, "sources", FieldSources::default());
    let mut sources = query::optional_row(tx, SQL, [id], read)?.unwrap_or_default();
    let mut held = Vec::new();
    change.retain(|field| sources.take(field, source).map_err(|by| held.push(by)).is_ok());
    save(tx, id, &change, &sources)?;
    Ok(held)
}

fn save(tx: &Transaction<'_>, id: CustomerId, change: &ProfileChange, sources: &FieldSources) -> Result<()> {
    const SQL: &str = "
        INSERT INTO customers (id, name, detail, webhook_method, webhook_uri, tm_create, tm_update)
        VALUES (?1, coalesce(?2, ''), coalesce(?3, ''), coalesce(?4, ''), coalesce(?5, ''), ?6, ?6)
        ON CONFLICT (id) DO UPDATE SET
            name = coalesce(?2, name), detail = coalesce(?3, detail),
            webhook_method = coalesce(?4, webhook_method), webhook_uri = coalesce(?5, webhook_uri), tm_update = ?7
        WHERE (name, detail, webhook_method, webhook_uri) IS NOT
            (coalesce(?2, name), coalesce(?3, detail), coalesce(?4, webhook_method), coalesce(?5, webhook_uri))";
    const SQL_REST: &str = "
        UPDATE customers SET message_days = iif(?2, ?3, iif(message_days >= 0, message_days, NULL)), sources = ?4
        WHERE id = ?1 AND (message_days, sources) IS NOT (iif(?2, ?3, message_days), ?4)";
    let ProfileChange { name, detail, webhook_method, webhook_uri, message_days } = change;
    let before = webhook_uri_of(tx, id)?;
    query::execute(tx, SQL, (id, name, detail, webhook_method, webhook_uri, tx.stamp()?, tx.now()))?;
    let days = if let MessageDays::Days(days) = message_days { Some(days) } else { None };
    query::execute(tx, SQL_REST, (id, *message_days != MessageDays::Keep, days, sources))?;
    if webhook_uri_of(tx, id)? != before {
        reset::receiver(tx, keys::customer(tx, id)?)?;
    }
    Ok(())
}

/// The columns that [`from_row`] reads, of the customers that the condition selects.
macro_rules! read {
    ($condition:literal) => {
        concat!(
            "SELECT id, name, detail, webhook_method, webhook_uri, message_days, tm_create, tm_update
            FROM customers
            ",
            $condition
        )
    };
}

/// The customer with this id.
pub fn get(connection: &Connection, id: CustomerId) -> Result<Customer> {
    find(connection, id)?.ok_or(Error::NotFound(Resource::Customer))
}

/// The customer with this id, if there is one.
pub fn find(connection: &Connection, id: CustomerId) -> Result<Option<Customer>> {
    const SQL: &str = read!("WHERE id = ?1");
    query::optional_row(connection, SQL, [id], from_row)
}

/// All customers, oldest first.
pub fn list(connection: &Connection) -> Result<Vec<Customer>> {
    const SQL: &str = read!("ORDER BY tm_create");
    query::readable_rows(connection, SQL, [], ("customers", ALL), from_row)
}

/// The id of the only customer with this name.
///
/// `Conflict` when several have it.
pub fn find_by_name(connection: &Connection, name: &str) -> Result<CustomerId> {
    const SQL: &str = "SELECT id FROM customers WHERE name = ?1 LIMIT 2";
    let found: Vec<CustomerId> =
        query::readable_rows(connection, SQL, [name], ("customers", ALL), |row| row.get(0))?;
    match found.as_slice() {
        [] => Err(Error::NotFound(Resource::Customer)),
        [only] => Ok(*only),
        _ => Err(Error::Conflict(format!("several customers are named {name:?}; use the id"))),
    }
}

fn webhook_uri_of(connection: &Connection, id: CustomerId) -> Result<Option<String>> {
    const SQL: &str = "SELECT webhook_uri FROM customers WHERE id = ?1";
    query::optional_row(connection, SQL, [id], |row| text(row, "webhook_uri"))
}

fn from_row(row: &Row<'_>) -> Read<Customer> {
    Ok(Customer {
        id: row.get("id")?,
        profile: CustomerProfile {
            name: text(row, "name")?,
            detail: text(row, "detail")?,
            webhook_method: text(row, "webhook_method")?,
            webhook_uri: text(row, "webhook_uri")?,
        },
        message_days: get_or(row, "message_days", None)?,
        tm_create: row.get("tm_create")?,
        tm_update: row.get("tm_update")?,
    })
}
