//! What one caller may take of the server: requests by token and by address, and messages that wait to be sent.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::section;
use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::model::rate::{Lately, Rate, Table};
use crate::model::timestamp::Timestamp;

/// How long a count of waiting messages holds; what was added since is added to it.
const COUNT_AGE_MAX: Duration = Duration::from_secs(2);

/// When to come back to a customer's full outbox: LINE takes some messages in this time.
const OUTBOX_PAUSE: Duration = Duration::from_secs(5);

/// For how long whoever has delivered a signed webhook is known to be LINE, or a proxy that passes on what LINE sends.
const SENDER_AGE_MAX: Duration = Duration::from_hours(24);

/// The limits of all callers. None is limited by what another one takes.
pub struct RateLimits {
    tokens: Option<Mutex<Table<u64>>>,
    addresses: Option<Mutex<Table<IpAddr>>>,
    /// Webhooks that are read before it is known who has signed them.
    unproved: Option<Mutex<Table<IpAddr>>>,
    /// When an address has last delivered a signed webhook.
    senders: Mutex<Lately<IpAddr>>,
    /// Tokens are not kept, and nobody can choose two that meet in one number.
    numbers: RandomState,
    /// Each customer's count has a lock of its own: nobody waits while somebody else's messages are counted.
    waiting: Mutex<HashMap<CustomerId, Arc<Mutex<Option<WaitingCount>>>>>,
}

/// How many messages of a customer wait: the number at a time, and those since.
#[derive(Debug, Clone, Copy)]
struct WaitingCount {
    counted_at: Timestamp,
    count: u64,
}

impl RateLimits {
    /// With the configured rates.
    pub fn new(limits: &section::LimitSettings) -> Self {
        let tokens = Rate::new(limits.token_requests_per_second, limits.token_requests_burst);
        let addresses = Rate::new(limits.address_requests_per_second, limits.address_requests_burst);
        Self {
            tokens: tokens.map(|rate| Mutex::new(Table::new(rate))),
            addresses: addresses.map(|rate| Mutex::new(Table::new(rate))),
            unproved: addresses.map(|rate| Mutex::new(Table::new(rate))),
            senders: Mutex::default(),
            numbers: RandomState::new(),
            waiting: Mutex::default(),
        }
    }

    /// Takes a request of a token that was found to be good. `TooMany` beyond its rate.
    pub fn take_token(&self, token: &str, now: Timestamp) -> Result<()> {
        take(self.tokens.as_ref(), self.numbers.hash_one(token), now, "this token")
    }

    /// Takes a request from an address. `TooMany` beyond its rate. Whoever is on this machine is not limited: all callers of a
    /// proxy that is not declared would be one.
    pub fn take_address(&self, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        limited(address).map_or(Ok(()), |network| take(self.addresses.as_ref(), network, now, "this address"))
    }

    /// Whether a webhook from this address may be read, which has to be done before it is known whether LINE has signed it.
    /// `TooMany` when the address has delivered none lately that was, and too many of late that were not.
    pub fn take_unproved(&self, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let Some(network) = limited(address) else { return Ok(()) };
        let delivered_at = lock(&self.senders).get(&network);
        if delivered_at.is_some_and(|at| now.since(at) < SENDER_AGE_MAX) {
            return Ok(());
        }
        take(self.unproved.as_ref(), network, now, "this address")
    }

    /// A webhook that was read is signed: it does not count, and its address is known from now on. Only who has a channel
    /// secret comes to be remembered, so that nobody can push the others out.
    pub fn proved(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(network) = limited(address) else { return };
        lock(&self.senders).note(network, now);
        if let Some(unproved) = &self.unproved {
            lock(unproved).give_back(network);
        }
    }

    /// Counts one more message of a customer, unless `most` wait already.
    pub fn add_message(
        &self,
        customer: CustomerId,
        most: u64,
        now: Timestamp,
        count: impl FnOnce() -> Result<u64>,
    ) -> Result<()> {
        let known = Arc::clone(lock(&self.waiting).entry(customer).or_default());
        let mut known = lock(&known);
        let is_fresh = |waiting: &WaitingCount| {
            waiting.counted_at <= now && now.since(waiting.counted_at) < COUNT_AGE_MAX
        };
        let mut waiting = match known.filter(is_fresh) {
            Some(waiting) => waiting,
            None => WaitingCount { counted_at: now, count: count()? },
        };
        let has_room = waiting.count < most;
        waiting.count += u64::from(has_room);
        *known = Some(waiting);
        if has_room {
            return Ok(());
        }
        let message = format!("{most} messages of this customer wait to be sent already");
        Err(Error::TooMany { message, wait: OUTBOX_PAUSE })
    }
}

fn take<K: Eq + std::hash::Hash>(
    table: Option<&Mutex<Table<K>>>,
    key: K,
    now: Timestamp,
    whose: &str,
) -> Result<()> {
    let Some(table) = table else { return Ok(()) };
    let taken = lock(table).take(key, now);
    taken.map_err(|wait| Error::TooMany { message: format!("too many requests of {whose}"), wait })
}

/// A panic elsewhere leaves the tables whole: nothing in between can fail.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For whom an address counts, unless it is not limited.
fn limited(address: Option<IpAddr>) -> Option<IpAddr> {
    address.filter(|address| !address.is_loopback()).map(network)
}

/// Whoever has an IPv6 address has all those that begin with the same 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_microseconds(1_700_000_000_000_000);

    fn limits() -> RateLimits {
        RateLimits::new(&section::LimitSettings {
            token_requests_per_second: 1,
            token_requests_burst: 2,
            address_requests_per_second: 1,
            address_requests_burst: 2,
            ..section::LimitSettings::default()
        })
    }

    #[test]
    fn tokens_and_addresses_are_limited_each_for_itself() {
        let limits = limits();
        let three = |take: &dyn Fn() -> Result<()>| [take().is_ok(), take().is_ok(), take().is_ok()];
        let from = |address: &str| Some(address.parse::<IpAddr>().unwrap());

        assert_eq!(three(&|| limits.take_token("a", NOW)), [true, true, false]);
        assert_eq!(three(&|| limits.take_token("b", NOW)), [true, true, false]);
        assert_eq!(three(&|| limits.take_address(from("192.0.2.1"), NOW)), [true, true, false]);
        assert_eq!(three(&|| limits.take_address(from("192.0.2.2"), NOW)), [true, true, false]);
        assert_eq!(three(&|| limits.take_address(from("127.0.0.1"), NOW)), [true, true, true]);
        assert_eq!(three(&|| limits.take_address(from("2001:db8::1"), NOW)), [true, true, false]);
        assert!(limits.take_address(from("2001:db8::ffff"), NOW).is_err(), "the same network");
        assert!(limits.take_address(from("2001:db8:0:1::1"), NOW).is_ok());
    }

    #[test]
    fn who_has_delivered_a_signed_webhook_is_never_refused_unread() {
        let limits = limits();
        let from = |address: &str| Some(address.parse::<IpAddr>().unwrap());
        let three = |address| [(); 3].map(|()| limits.take_unproved(from(address), NOW).is_ok());

        assert_eq!(three("192.0.2.1"), [true, true, false]);
        assert_eq!(three("192.0.2.2"), [true, true, false], "each for itself");
        limits.proved(from("192.0.2.1"), NOW);
        assert_eq!(three("192.0.2.1"), [true; 3]);
        assert_eq!(three("127.0.0.1"), [true; 3]);

        let later = NOW.after(SENDER_AGE_MAX);
        let again = [(); 3].map(|()| limits.take_unproved(from("192.0.2.1"), later).is_ok());
        assert_eq!(again, [true, true, false], "not for ever");
    }

    #[test]
    fn a_signed_webhook_does_not_count() {
        let limits = limits();
        let address = Some("192.0.2.1".parse().unwrap());
        limits.take_unproved(address, NOW).unwrap();

        limits.proved(address, NOW.before(SENDER_AGE_MAX));

        assert_eq!([(); 3].map(|()| limits.take_unproved(address, NOW).is_ok()), [true, true, false]);
    }

    #[test]
    fn a_count_that_takes_long_holds_up_no_other_customer() {
        let limits = limits();
        let (slow, other) = (CustomerId::new(NOW), CustomerId::new(NOW));

        let counted = limits.add_message(slow, 3, NOW, || {
            // As another thread would, while this one is still counting.
            std::thread::scope(|threads| {
                threads.spawn(|| limits.add_message(other, 3, NOW, || Ok(0))).join().unwrap()
            })?;
            Ok(0)
        });

        assert!(counted.is_ok());
    }

    #[test]
    fn waiting_messages_are_counted_anew_after_a_while_only() {
        let limits = limits();
        let customer = CustomerId::new(NOW);
        let add = |count: u64, now| limits.add_message(customer, 3, now, || Ok(count)).is_ok();

        assert_eq!([add(1, NOW), add(0, NOW), add(0, NOW)], [true, true, false]);
        assert!(!add(0, NOW.after(Duration::from_secs(1))), "the count still holds");
        assert!(add(2, NOW.after(Duration::from_secs(2))));
        assert!(!add(0, NOW.after(Duration::from_secs(2))));
    }
}
