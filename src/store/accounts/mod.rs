//! LINE accounts: their settings, what LINE said about them, and whether they are suspended.

pub mod customers;
pub mod named;
pub mod provisioning;
pub mod tokens;

use crate::error::{Error, Resource, Result};
use crate::model::accounts::account::{
    Account, AccountChange, Bot, Check, Credential, DeliveryMode, NewAccount, Suspension, SuspensionReason,
};
use crate::model::accounts::sources::{self, FieldSource, FieldSources, HeldField};
use crate::model::id::{AccountId, CustomerId};
use crate::model::page::Page;
use crate::model::secret::Secret;
use crate::model::timestamp::Timestamp;
use crate::store::engine::damage::{get_or, optional_text, size_of, text};
use crate::store::engine::query::{self, ALL, Connection, Read, Row};
use crate::store::engine::transaction::Transaction;
use crate::store::keys;

/// Query for accounts in the form that [`from_row`] reads, with this condition.
macro_rules! read {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, c.id AS customer, a.name, a.detail, unseal(secret, 'accounts.secret', a.id) AS secret,
                unseal(secret_next, 'accounts.secret_next', a.id) AS secret_next,
                unseal(token, 'accounts.token', a.id) AS token, channel_id, delivery_mode, check_state, check_message,
                bot_user_id, bot_basic_id, bot_display_name, bot_chat_mode, suspension_reason, suspension_message, suspended_until,
                a.tm_create, a.tm_update
            FROM ",
            $rest
        )
    };
}

/// Connects a channel.
pub fn create(tx: &Transaction<'_>, customer: CustomerId, account: &NewAccount) -> Result<()> {
    const SQL: &str = "
        INSERT INTO accounts (
            id, customer, name, detail, secret, secret_next, token, delivery_mode, tm_create, tm_update)
        VALUES (?1, ?2, ?3, ?4, seal(?5, 'accounts.secret', ?1), seal(?6, 'accounts.secret_next', ?1), '', ?7, ?8, ?8)";
    let customer = keys::customer(tx, customer)?;
    let NewAccount { id, name, detail, secret, secret_next, credential, delivery_mode } = account;
    let values = (id, customer, name, detail, secret, secret_next, delivery_mode, tx.stamp()?);
    query::execute(tx, SQL, values)?;
    tokens::set(tx, *id, credential)
}

/// Connects a channel declared in the configuration, or updates it. Absent fields stay unchanged.
///
/// `Unusable` when the id already belongs to another customer's account.
pub fn provision(
    tx: &Transaction<'_>,
    (customer, id): (CustomerId, AccountId),
    change: AccountChange,
    source: FieldSource,
) -> Result<()> {
    revive(tx, id)?;
    if find(tx, id)?.is_none() {
        create(tx, customer, &NewAccount::from_change(id, change.clone())?)?;
    }
    let known = get(tx, customer, id)
        .map_err(|_| Error::Unusable(format!("the account {id} belongs to another customer")))?;
    let (change, _) = permitted(tx, id, change, source)?;
    let change = change.without_unchanged(&known);
    if change == AccountChange::default() { Ok(()) } else { save(tx, known, &change) }
}

/// Reconnects a removed account, with its conversations.
fn revive(tx: &Transaction<'_>, id: AccountId) -> Result<()> {
    const SQL: &str =
        "UPDATE accounts SET tm_update = ?2, tm_delete = NULL WHERE id = ?1 AND tm_delete IS NOT NULL";
    query::execute(tx, SQL, (id, tx.now()))?;
    Ok(())
}

/// A page of a customer's accounts, newest first.
pub fn page(connection: &Connection, customer: CustomerId, page: Page) -> Result<Vec<Account>> {
    const SQL: &str = read!(
        "customers c JOIN accounts a ON a.customer = c.key
        WHERE c.id = ?1 AND a.tm_create < ?2 AND a.tm_delete IS NULL
        ORDER BY a.tm_create DESC
        LIMIT ?3"
    );
    let size = size_of(page);
    let values = (customer, page.before, query::with_spare(size));
    query::readable_rows(connection, SQL, values, ("accounts", size), from_row)
}

/// All accounts of a customer, newest first. A read that may take long.
pub fn all_of(connection: &Connection, customer: CustomerId) -> Result<Vec<Account>> {
    let mut accounts = Vec::new();
    let mut before = Timestamp::NEVER;
    loop {
        let next = page(connection, customer, Page { size: Page::SIZE_MAX, before })?;
        let Some(last) = next.last() else { return Ok(accounts) };
        before = last.tm_create;
        accounts.extend(next);
    }
}

/// All accounts of all customers, oldest first, for the operator.
pub fn list(connection: &Connection) -> Result<Vec<Account>> {
    const SQL: &str = read!(
        "customers c JOIN accounts a ON a.customer = c.key
        WHERE a.tm_delete IS NULL
        ORDER BY a.tm_create"
    );
    query::readable_rows(connection, SQL, [], ("accounts", ALL), from_row)
}

/// A customer's account; `NotFound` for accounts of other customers.
pub fn get(connection: &Connection, customer: CustomerId, id: AccountId) -> Result<Account> {
    let found = find(connection, id)?.filter(|account| account.customer == customer);
    found.ok_or(Error::NotFound(Resource::Account))
}

/// The account with this id, of any customer: for LINE's webhooks, which carry no token.
pub fn find(connection: &Connection, id: AccountId) -> Result<Option<Account>> {
    const SQL: &str = read!(
        "accounts a JOIN customers c ON c.key = a.customer
        WHERE a.id = ?1 AND a.tm_delete IS NULL"
    );
    query::optional_row(connection, SQL, [id], from_row)
}

/// Changes an account. New credentials end a suspension.
///
/// `Conflict` when the change contains a field that the configuration file declares.
pub fn update(
    tx: &Transaction<'_>,
    customer: CustomerId,
    id: AccountId,
    change: AccountChange,
) -> Result<()> {
    let known = get(tx, customer, id)?;
    let (change, mut held) = permitted(tx, id, change, FieldSource::Call)?;
    for held in held.iter_mut().filter(|held| held.field == "token" && known.channel_id.is_some()) {
        held.field = "channel_id";
    }
    sources::refuse("accounts", &held)?;
    save(tx, known, &change)
}

/// Splits a change into the fields that this source may set, recorded as set by it, and those that it may not.
fn permitted(
    tx: &Transaction<'_>,
    id: AccountId,
    mut change: AccountChange,
    source: FieldSource,
) -> Result<(AccountChange, Vec<HeldField>)> {
    const SQL: &str = "SELECT sources FROM accounts WHERE id = ?1";
    const SQL_NOTE: &str = "UPDATE accounts SET sources = ?2 WHERE id = ?1 AND sources <> ?2";
    let mut sources = query::row(tx, SQL, [id], |row| get_or(row, "sources", FieldSources::default()))?;
    let mut held = Vec::new();
    change.retain(|field| sources.take(field, source).map_err(|by| held.push(by)).is_ok());
    query::execute(tx, SQL_NOTE, (id, sources))?;
    Ok((change, held))
}

fn save(tx: &Transaction<'_>, known: Account, change: &AccountChange) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET
            name = coalesce(?2, name), detail = coalesce(?3, detail),
            secret = coalesce(seal(?4, 'accounts.secret', id), secret),
            secret_next = seal(?5, 'accounts.secret_next', id),
            delivery_mode = coalesce(?6, delivery_mode), tm_update = ?7
        WHERE id = ?1";
    let id = known.id;
    let AccountChange { name, detail, secret, secret_next, credential, delivery_mode } = change;
    let next = secret_next.clone().apply(known.secret_next);
    let values = (id, name, detail, secret, next, delivery_mode, tx.now());
    query::execute(tx, SQL, values)?;
    // LINE may issue a token for a new secret where it refused the old one.
    let refetch = || secret.is_some().then(|| known.channel_id.map(Credential::ChannelId)).flatten();
    if let Some(credential) = credential.clone().or_else(refetch) {
        tokens::set(tx, id, &credential)?;
        save_check(tx, id, &Check::Unchecked)?;
        release(tx, keys::account(tx, id)?)?;
    }
    Ok(())
}

/// Saves what LINE said about the token.
pub(super) fn save_check(tx: &Transaction<'_>, id: AccountId, check: &Check) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET check_state = ?2, check_message = ?3
        WHERE id = ?1";
    const SQL_BOT: &str = "
        UPDATE accounts SET bot_user_id = ?2, bot_basic_id = ?3, bot_display_name = ?4, bot_chat_mode = ?5
        WHERE id = ?1";
    let (state, message) = match check {
        Check::Unchecked => ("unchecked", ""),
        Check::Good(_) => ("good", ""),
        Check::Refused(message) => ("refused", message.as_str()),
        Check::Unreachable(message) => ("unreachable", message.as_str()),
    };
    query::execute(tx, SQL, (id, state, message))?;
    if let Check::Good(bot) = check {
        let Bot { user_id, basic_id, display_name, chat_mode } = bot;
        query::execute(tx, SQL_BOT, (id, user_id, basic_id, display_name, chat_mode))?;
    }
    Ok(())
}

/// Suspends an account: its messages wait. Does nothing if the account has been given another token since `token` was used,
/// because LINE has said nothing about the new one yet.
pub(super) fn suspend(tx: &Transaction<'_>, key: i64, suspension: &Suspension, token: &Secret) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET suspension_reason = ?2, suspension_message = ?3, suspended_until = ?4
        WHERE key = ?1 AND (channel_id IS NOT NULL OR unseal(token, 'accounts.token', id) = ?5)";
    query::execute(tx, SQL, (key, suspension.reason, &suspension.message, suspension.until, token))?;
    Ok(())
}

/// Whether an account is suspended.
pub(super) fn is_suspended(connection: &Connection, key: i64) -> Result<bool> {
    const SQL: &str =
        "SELECT EXISTS (SELECT 1 FROM accounts WHERE key = ?1 AND suspension_reason IS NOT NULL)";
    query::value(connection, SQL, [key])
}

/// Postpones the next probe of a suspended account because one is in flight.
pub(super) fn put_off_probe(tx: &Transaction<'_>, key: i64, until: Timestamp) -> Result<()> {
    const SQL: &str =
        "UPDATE accounts SET suspended_until = ?2 WHERE key = ?1 AND suspension_reason IS NOT NULL";
    query::execute(tx, SQL, (key, until))?;
    Ok(())
}

/// Ends a suspension because LINE accepted a message. A reply does not count towards the quota, so it does not end a suspension
/// for an exhausted quota.
pub(super) fn release_after(tx: &Transaction<'_>, key: i64, was_reply: bool) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET suspension_reason = NULL, suspension_message = '', suspended_until = NULL
        WHERE key = ?1 AND suspension_reason IS NOT NULL AND suspension_reason <> 'quota'";
    if !was_reply {
        return release(tx, key);
    }
    query::execute(tx, SQL, [key])?;
    Ok(())
}

/// Ends a suspension.
pub(super) fn release(tx: &Transaction<'_>, key: i64) -> Result<()> {
    const SQL: &str = "
        UPDATE accounts SET suspension_reason = NULL, suspension_message = '', suspended_until = NULL
        WHERE key = ?1 AND suspension_reason IS NOT NULL";
    query::execute(tx, SQL, [key])?;
    Ok(())
}

fn from_row(row: &Row<'_>) -> Read<Account> {
    Ok(Account {
        id: row.get("id")?,
        customer: row.get("customer")?,
        name: text(row, "name")?,
        detail: text(row, "detail")?,
        secret: row.get("secret")?,
        secret_next: row.get("secret_next")?,
        token: row.get("token")?,
        channel_id: optional_text(row, "channel_id")?,
        delivery_mode: get_or(row, "delivery_mode", DeliveryMode::PreferReply)?,
        check: check_from_row(row)?,
        suspension: suspension_from_row(row)?,
        tm_create: row.get("tm_create")?,
        tm_update: row.get("tm_update")?,
    })
}

fn check_from_row(row: &Row<'_>) -> Read<Check> {
    let state = text(row, "check_state")?;
    Ok(match state.as_str() {
        "good" => Check::Good(Bot {
            user_id: text(row, "bot_user_id")?,
            basic_id: text(row, "bot_basic_id")?,
            display_name: text(row, "bot_display_name")?,
            chat_mode: text(row, "bot_chat_mode")?,
        }),
        "refused" => Check::Refused(text(row, "check_message")?),
        "unreachable" => Check::Unreachable(text(row, "check_message")?),
        _ => Check::Unchecked,
    })
}

fn suspension_from_row(row: &Row<'_>) -> Read<Option<Suspension>> {
    let reason: Option<SuspensionReason> = get_or(row, "suspension_reason", None)?;
    let until = get_or(row, "suspended_until", None)?;
    let Some((reason, until)) = reason.zip(until) else { return Ok(None) };
    Ok(Some(Suspension { reason, message: text(row, "suspension_message")?, until }))
}
