//! Tickets for a browser's `EventSource`, which cannot send headers: with them no token appears in a URL.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::runtime::grant::Grant;

/// Lifetime of an unused ticket.
const LIFETIME: Duration = Duration::from_mins(1);

/// Maximum number of unused tickets per customer.
const CUSTOMER_MAX: usize = 1_000;

/// Maximum number of unused tickets in total.
const ALL_MAX: usize = 100_000;

/// The unused tickets. They are in memory only: after a restart, as after each use, a client requests a new
/// one.
#[derive(Default)]
pub struct Tickets {
    waiting: Mutex<PendingTickets>,
}

/// The unused tickets by their text; each lets its bearer read the customer's feed once.
#[derive(Default)]
struct PendingTickets {
    tickets: HashMap<String, Ticket>,
    by_customer: HashMap<CustomerId, usize>,
}

#[derive(Clone, Copy)]
struct Ticket {
    customer: CustomerId,
    /// The authorization of the token that requested the ticket; no feed outlives it.
    grant: Grant,
    expires_at: Timestamp,
}

impl Tickets {
    /// Issues a ticket for this customer; returns it with its expiry.
    ///
    /// Fails with `TooMany` at the customer's limit of unused tickets, and with `Unavailable` at the
    /// server's.
    pub fn issue(&self, customer: CustomerId, grant: Grant, now: Timestamp) -> Result<(String, Timestamp)> {
        let mut waiting = self.lock();
        if waiting.is_full(customer) {
            waiting.remove_expired(now);
        }
        if waiting.count(customer) >= CUSTOMER_MAX {
            let message = format!("{CUSTOMER_MAX} tickets are already unused");
            return Err(Error::TooMany { message, wait: LIFETIME });
        }
        if waiting.is_full(customer) {
            return Err(Error::Unavailable("too many unused tickets".to_owned()));
        }
        let (ticket, expires_at) =
            (Uuid::new_v4().simple().to_string(), now.after(LIFETIME).min(grant.expires_at));
        waiting.tickets.insert(ticket.clone(), Ticket { customer, grant, expires_at });
        *waiting.by_customer.entry(customer).or_default() += 1;
        Ok((ticket, expires_at))
    }

    /// Uses up a ticket; returns its customer and the authorization of its token. Fails with `BadCredentials`
    /// if it is unknown, expired or used.
    pub fn redeem(&self, ticket: &str, now: Timestamp) -> Result<(CustomerId, Grant)> {
        valid(self.lock().take(ticket), now)
    }

    /// Like [`Self::redeem`], but leaves the ticket usable.
    pub fn peek(&self, ticket: &str, now: Timestamp) -> Result<(CustomerId, Grant)> {
        valid(self.lock().tickets.get(ticket).copied(), now)
    }

    /// A panic elsewhere leaves the maps consistent: nothing in between can fail.
    fn lock(&self) -> MutexGuard<'_, PendingTickets> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn valid(ticket: Option<Ticket>, now: Timestamp) -> Result<(CustomerId, Grant)> {
    let known = ticket.filter(|known| now < known.expires_at);
    let known = known.ok_or(Error::BadCredentials("the ticket is unknown, used or expired"));
    known.map(|known| (known.customer, known.grant))
}

impl PendingTickets {
    fn count(&self, customer: CustomerId) -> usize {
        self.by_customer.get(&customer).copied().unwrap_or(0)
    }

    fn is_full(&self, customer: CustomerId) -> bool {
        self.count(customer) >= CUSTOMER_MAX || self.tickets.len() >= ALL_MAX
    }

    fn take(&mut self, ticket: &str) -> Option<Ticket> {
        let known = self.tickets.remove(ticket)?;
        let count = self.by_customer.entry(known.customer).or_default();
        *count -= 1;
        if *count == 0 {
            self.by_customer.remove(&known.customer);
        }
        Some(known)
    }

    fn remove_expired(&mut self, now: Timestamp) {
        let expired = self.tickets.iter().filter(|(_, known)| known.expires_at <= now);
        let expired: Vec<_> = expired.map(|(ticket, _)| ticket.clone()).collect();
        for ticket in expired {
            self.take(&ticket);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_655_445_974_446_158);
    const GRANT: Grant = Grant { expires_at: Timestamp::NEVER };

    #[test]
    fn a_ticket_is_valid_for_one_customer_once_within_a_minute() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        let (ticket, expires_at) = tickets.issue(customer, GRANT, NOW).unwrap();
        let (late, _) = tickets.issue(customer, GRANT, NOW).unwrap();

        assert_eq!(expires_at, NOW.after(Duration::from_mins(1)));
        assert_eq!(tickets.redeem(&ticket, NOW).unwrap(), (customer, GRANT));
        assert!(matches!(tickets.redeem(&ticket, NOW), Err(Error::BadCredentials(_))), "already used");
        assert!(matches!(tickets.redeem(&late, expires_at), Err(Error::BadCredentials(_))));
        assert!(matches!(tickets.redeem("", NOW), Err(Error::BadCredentials(_))));
    }

    #[test]
    fn unused_tickets_are_limited_per_customer_and_expired_ones_do_not_count() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        for _ in 0..CUSTOMER_MAX {
            tickets.issue(customer, GRANT, NOW).unwrap();
        }

        assert!(matches!(tickets.issue(customer, GRANT, NOW), Err(Error::TooMany { .. })));
        assert!(tickets.issue(CustomerId::new(NOW), GRANT, NOW).is_ok(), "another customer");
        assert!(tickets.issue(customer, GRANT, NOW.after(LIFETIME)).is_ok());
        assert_eq!(tickets.lock().tickets.len(), 1);
    }

    #[test]
    fn a_ticket_does_not_outlive_the_token_that_requested_it() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        let grant = Grant { expires_at: NOW.after(Duration::from_secs(10)) };

        let (ticket, expires_at) = tickets.issue(customer, grant, NOW).unwrap();

        assert_eq!(expires_at, grant.expires_at);
        assert!(matches!(tickets.redeem(&ticket, expires_at), Err(Error::BadCredentials(_))));
    }
}
