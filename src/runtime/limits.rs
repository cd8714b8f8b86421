//! Rate limits: requests per token and per address, and messages of a customer that wait to be sent.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::section;
use crate::error::{Error, Result};
use crate::model::id::CustomerId;
use crate::model::rate::{Rate, RecentTimes, Table};
use crate::model::timestamp::Timestamp;

/// How long a count of waiting messages is reused; messages added since are added to it.
const COUNT_AGE_MAX: Duration = Duration::from_secs(2);

/// When to retry with a full outbox: LINE accepts some messages in this time.
const OUTBOX_PAUSE: Duration = Duration::from_secs(5);

/// How long a sender of a signed webhook is known to be LINE, or a proxy that forwards what LINE sends.
const SENDER_AGE_MAX: Duration = Duration::from_hours(24);

/// The limits of all callers, each of which is counted separately.
pub struct RateLimits {
    tokens: Option<Mutex<Table<u64>>>,
    addresses: Option<Mutex<Table<IpAddr>>>,
    /// Webhooks that are read before their signature is verified.
    unverified: Option<Mutex<Table<IpAddr>>>,
    /// When an address last delivered a signed webhook.
    senders: Mutex<RecentTimes<IpAddr>>,
    /// Hashes tokens, which are not stored; the random seed prevents chosen collisions.
    hasher: RandomState,
    /// Each customer's count has its own lock, so that nobody waits while another customer's messages are
    /// counted.
    waiting: Mutex<HashMap<CustomerId, Arc<Mutex<Option<WaitingCount>>>>>,
}

/// How many messages of a customer wait: the count at a time, plus those added since.
#[derive(Debug, Clone, Copy)]
struct WaitingCount {
    counted_at: Timestamp,
    count: u64,
}

impl RateLimits {
    /// The configured limits.
    pub fn new(limits: &section::LimitSettings) -> Self {
        let tokens = Rate::new(limits.token_requests_per_second, limits.token_requests_burst);
        let addresses = Rate::new(limits.address_requests_per_second, limits.address_requests_burst);
        Self {
            tokens: tokens.map(|rate| Mutex::new(Table::new(rate))),
            addresses: addresses.map(|rate| Mutex::new(Table::new(rate))),
            unverified: addresses.map(|rate| Mutex::new(Table::new(rate))),
            senders: Mutex::default(),
            hasher: RandomState::new(),
            waiting: Mutex::default(),
        }
    }

    /// Counts a request with a verified token. Fails with `TooMany` beyond its rate.
    pub fn take_token(&self, token: &str, now: Timestamp) -> Result<()> {
        take(self.tokens.as_ref(), self.hasher.hash_one(token), now, "this token")
    }

    /// Counts a request from an address. Fails with `TooMany` beyond its rate. Loopback addresses are not
    /// limited: all callers behind an undeclared proxy would count as one.
    pub fn take_address(&self, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        limited(address).map_or(Ok(()), |network| take(self.addresses.as_ref(), network, now, "this address"))
    }

    /// Whether a webhook from this address may be read, which has to happen before its signature can be
    /// verified. Fails with `TooMany` if the address has not recently delivered a signed one and has sent too
    /// many unsigned ones.
    pub fn take_unverified(&self, address: Option<IpAddr>, now: Timestamp) -> Result<()> {
        let Some(network) = limited(address) else { return Ok(()) };
        let delivered_at = lock(&self.senders).get(&network);
        if delivered_at.is_some_and(|at| now.since(at) < SENDER_AGE_MAX) {
            return Ok(());
        }
        take(self.unverified.as_ref(), network, now, "this address")
    }

    /// Records that a webhook was signed: it no longer counts, and its address is known from now on. Only
    /// senders with a channel secret are recorded, so that nobody can displace them.
    pub fn verified(&self, address: Option<IpAddr>, now: Timestamp) {
        let Some(network) = limited(address) else { return };
        lock(&self.senders).record(network, now);
        if let Some(unverified) = &self.unverified {
            lock(unverified).refund(network);
        }
    }

    /// Counts one more message of a customer, unless `most` already wait.
    pub fn add_message(
        &self,
        customer: CustomerId,
        most: u64,
        now: Timestamp,
        count: impl FnOnce() -> Result<u64>,
    ) -> Result<()> {
        let cached = Arc::clone(lock(&self.waiting).entry(customer).or_default());
        let mut cached = lock(&cached);
        let is_fresh = |waiting: &WaitingCount| {
            waiting.counted_at <= now && now.since(waiting.counted_at) < COUNT_AGE_MAX
        };
        let mut waiting = match cached.filter(is_fresh) {
            Some(waiting) => waiting,
            None => WaitingCount { counted_at: now, count: count()? },
        };
        let has_capacity = waiting.count < most;
        waiting.count += u64::from(has_capacity);
        *cached = Some(waiting);
        if has_capacity {
            return Ok(());
        }
        let message = format!("{most} messages of this customer are already waiting to be sent");
        Err(Error::TooMany { message, wait: OUTBOX_PAUSE })
    }
}

fn take<K: Eq + std::hash::Hash>(
    table: Option<&Mutex<Table<K>>>,
    key: K,
    now: Timestamp,
    subject: &str,
) -> Result<()> {
    let Some(table) = table else { return Ok(()) };
    let taken = lock(table).take(key, now);
    taken.map_err(|wait| Error::TooMany { message: format!("too many requests from {subject}"), wait })
}

/// A panic elsewhere leaves the tables consistent: nothing in between can fail.
fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The network that an address counts for; `None` if it is not limited.
fn limited(address: Option<IpAddr>) -> Option<IpAddr> {
    address.filter(|address| !address.is_loopback()).map(network)
}

/// A client with an IPv6 address usually has the whole /64.
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
    fn each_token_and_each_address_is_limited_separately() {
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
    fn a_sender_of_a_signed_webhook_is_never_refused_unread() {
        let limits = limits();
        let from = |address: &str| Some(address.parse::<IpAddr>().unwrap());
        let three = |address| [(); 3].map(|()| limits.take_unverified(from(address), NOW).is_ok());

        assert_eq!(three("192.0.2.1"), [true, true, false]);
        assert_eq!(three("192.0.2.2"), [true, true, false], "each separately");
        limits.verified(from("192.0.2.1"), NOW);
        assert_eq!(three("192.0.2.1"), [true; 3]);
        assert_eq!(three("127.0.0.1"), [true; 3]);

        let later = NOW.after(SENDER_AGE_MAX);
        let again = [(); 3].map(|()| limits.take_unverified(from("192.0.2.1"), later).is_ok());
        assert_eq!(again, [true, true, false], "it expires");
    }

    #[test]
    fn a_signed_webhook_does_not_count() {
        let limits = limits();
        let address = Some("192.0.2.1".parse().unwrap());
        limits.take_unverified(address, NOW).unwrap();

        limits.verified(address, NOW.before(SENDER_AGE_MAX));

        assert_eq!([(); 3].map(|()| limits.take_unverified(address, NOW).is_ok()), [true, true, false]);
    }

    #[test]
    fn a_slow_count_delays_no_other_customer() {
        let limits = limits();
        let (slow, other) = (CustomerId::new(NOW), CustomerId::new(NOW));

        let counted = limits.add_message(slow, 3, NOW, || {
            // Stands for another thread, while this one is still counting.
            std::thread::scope(|threads| {
                threads.spawn(|| limits.add_message(other, 3, NOW, || Ok(0))).join().unwrap()
            })?;
            Ok(0)
        });

        assert!(counted.is_ok());
    }

    #[test]
    fn waiting_messages_are_recounted_only_after_a_while() {
        let limits = limits();
        let customer = CustomerId::new(NOW);
        let add = |count: u64, now| limits.add_message(customer, 3, now, || Ok(count)).is_ok();

        assert_eq!([add(1, NOW), add(0, NOW), add(0, NOW)], [true, true, false]);
        assert!(!add(0, NOW.after(Duration::from_secs(1))), "the count still holds");
        assert!(add(2, NOW.after(Duration::from_secs(2))));
        assert!(!add(0, NOW.after(Duration::from_secs(2))));
    }
}
