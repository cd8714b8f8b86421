//! Tickets: for a browser's `EventSource`, which can send no header, so that no token stands in an address.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::model::timestamp::Timestamp;
use crate::runtime::grant::Grant;

/// How long a ticket may wait for its use.
const LIFE: Duration = Duration::from_mins(1);

/// Tickets of one customer that may wait.
const CUSTOMER_MAX: usize = 1_000;

/// Tickets that may wait in all.
const ALL_MAX: usize = 100_000;

/// The tickets that wait. They are in memory only: after a restart a client asks for a new one, as after each use.
#[derive(Default)]
pub struct Tickets {
    waiting: Mutex<PendingTicket>,
}

/// By the ticket; whoever knows one may read the customer's feed once.
#[derive(Default)]
struct PendingTicket {
    tickets: HashMap<String, Ticket>,
    of_customers: HashMap<CustomerId, usize>,
}

#[derive(Clone, Copy)]
struct Ticket {
    customer: CustomerId,
    /// What the token that asked for it grants: no feed outlives that.
    grant: Grant,
    expires_at: Timestamp,
}

impl Tickets {
    /// A new ticket of this customer, and when it expires.
    ///
    /// `TooMany` when too many of the customer's wait already, `Unavailable` when too many of all do.
    pub fn issue(&self, customer: CustomerId, grant: Grant, now: Timestamp) -> Result<(String, Timestamp)> {
        let mut waiting = self.lock();
        if waiting.is_full(customer) {
            waiting.forget_expired(now);
        }
        if waiting.own(customer) >= CUSTOMER_MAX {
            let message = format!("{CUSTOMER_MAX} tickets wait for their use already");
            return Err(Error::TooMany { message, wait: LIFE });
        }
        if waiting.is_full(customer) {
            return Err(Error::Unavailable("too many tickets wait for their use".to_owned()));
        }
        let (ticket, expires_at) =
            (Uuid::new_v4().simple().to_string(), now.after(LIFE).min(grant.expires_at));
        waiting.tickets.insert(ticket.clone(), Ticket { customer, grant, expires_at });
        *waiting.of_customers.entry(customer).or_default() += 1;
        Ok((ticket, expires_at))
    }

    /// Whose ticket it is, which is used up by this, and what its token grants. `BadCredentials` for one that is not known,
    /// expired or used.
    pub fn redeem(&self, ticket: &str, now: Timestamp) -> Result<(CustomerId, Grant)> {
        good(self.lock().take(ticket), now)
    }

    /// The same, and the ticket can still be used.
    pub fn look_at(&self, ticket: &str, now: Timestamp) -> Result<(CustomerId, Grant)> {
        good(self.lock().tickets.get(ticket).copied(), now)
    }

    /// A panic elsewhere leaves the maps whole: nothing in between can fail.
    fn lock(&self) -> MutexGuard<'_, PendingTicket> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn good(ticket: Option<Ticket>, now: Timestamp) -> Result<(CustomerId, Grant)> {
    let known = ticket.filter(|known| now < known.expires_at);
    let known = known.ok_or(Error::BadCredentials("the ticket is not known, or it was used or has expired"));
    known.map(|known| (known.customer, known.grant))
}

impl PendingTicket {
    fn own(&self, customer: CustomerId) -> usize {
        self.of_customers.get(&customer).copied().unwrap_or(0)
    }

    fn is_full(&self, customer: CustomerId) -> bool {
        self.own(customer) >= CUSTOMER_MAX || self.tickets.len() >= ALL_MAX
    }

    fn take(&mut self, ticket: &str) -> Option<Ticket> {
        let known = self.tickets.remove(ticket)?;
        let own = self.of_customers.entry(known.customer).or_default();
        *own -= 1;
        if *own == 0 {
            self.of_customers.remove(&known.customer);
        }
        Some(known)
    }

    fn forget_expired(&mut self, now: Timestamp) {
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
    fn a_ticket_is_of_one_customer_for_one_use_within_a_minute() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        let (ticket, expires_at) = tickets.issue(customer, GRANT, NOW).unwrap();
        let (late, _) = tickets.issue(customer, GRANT, NOW).unwrap();

        assert_eq!(expires_at, NOW.after(Duration::from_mins(1)));
        assert_eq!(tickets.redeem(&ticket, NOW).unwrap(), (customer, GRANT));
        assert!(matches!(tickets.redeem(&ticket, NOW), Err(Error::BadCredentials(_))), "once");
        assert!(matches!(tickets.redeem(&late, expires_at), Err(Error::BadCredentials(_))));
        assert!(matches!(tickets.redeem("", NOW), Err(Error::BadCredentials(_))));
    }

    #[test]
    fn a_customer_has_only_so_many_and_those_that_expired_do_not_count() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        for _ in 0..CUSTOMER_MAX {
            tickets.issue(customer, GRANT, NOW).unwrap();
        }

        assert!(matches!(tickets.issue(customer, GRANT, NOW), Err(Error::TooMany { .. })));
        assert!(tickets.issue(CustomerId::new(NOW), GRANT, NOW).is_ok(), "another customer");
        assert!(tickets.issue(customer, GRANT, NOW.after(LIFE)).is_ok());
        assert_eq!(tickets.lock().tickets.len(), 1);
    }

    #[test]
    fn a_ticket_does_not_outlive_the_token_that_made_it() {
        let (tickets, customer) = (Tickets::default(), CustomerId::new(NOW));
        let grant = Grant { expires_at: NOW.after(Duration::from_secs(10)) };

        let (ticket, expires_at) = tickets.issue(customer, grant, NOW).unwrap();

        assert_eq!(expires_at, grant.expires_at);
        assert!(matches!(tickets.redeem(&ticket, expires_at), Err(Error::BadCredentials(_))));
    }
}
