//! Fair shares of a worker's capacity: among accounts for LINE, among customers for webhooks.

/// All slow parties together may have this part of the capacity: a quarter. A party is slow when its last attempt timed out.
const SLOW_SHARE: usize = 4;

/// How many times the capacity may be in flight when most attempts get no response.
const CROWD: usize = 4;

/// The most attempts that can be in flight with this concurrency.
pub const fn crowd(concurrency: usize) -> usize {
    concurrency * CROWD
}

/// How many attempts may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Attempts of any kind.
    pub any: usize,
    /// Attempts among them of slow parties.
    pub slow: usize,
}

impl Capacity {
    /// What is left of this concurrency when `taken` attempts are in flight, `slow_taken` of them slow.
    ///
    /// Slow attempts take no more than their part from the others. When more attempts than that turn out to be slow, others
    /// start beside them, up to a [`crowd`].
    pub fn left(concurrency: usize, taken: usize, slow_taken: usize) -> Self {
        let part = concurrency.div_ceil(SLOW_SHARE);
        let counted = taken.saturating_sub(slow_taken) + slow_taken.min(part);
        let any = concurrency.saturating_sub(counted).min(crowd(concurrency).saturating_sub(taken));
        Self { any, slow: part.saturating_sub(slow_taken).min(any) }
    }

    /// The share of one party, when this many, itself included, are still to be served one after another.
    pub fn share(self, parties: usize) -> Self {
        let any = self.any.div_ceil(parties.max(1));
        Self { any, slow: self.slow.min(any) }
    }

    /// What is left when one party has taken this.
    pub fn without(self, taken: usize, slow_taken: usize) -> Self {
        let any = self.any.saturating_sub(taken);
        Self { any, slow: self.slow.saturating_sub(slow_taken).min(any) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Parties are served one after another, first their lanes that are not slow, then the slow ones.
        #[test]
        fn slow_lanes_have_a_quarter_together_however_many_they_are_and_others_have_the_rest(
            places in 1_usize..300,
            demands in prop::collection::vec((0_usize..400, 0_usize..400), 1..20),
        ) {
            let (mut capacity, mut taken, mut slow_taken) = (Capacity::left(places, 0, 0), 0, 0);
            for (index, (swift, slow)) in demands.iter().enumerate() {
                let share = capacity.share(demands.len() - index);
                let swift = (*swift).min(share.any);
                let slow = (*slow).min(share.slow).min(share.any - swift);
                capacity = capacity.without(swift + slow, slow);
                (taken, slow_taken) = (taken + swift + slow, slow_taken + slow);

                prop_assert!(share.any >= places / demands.len(), "every party has at least an even share");
                prop_assert_eq!(capacity, Capacity::left(places, taken, slow_taken), "as if it were computed again");
            }
            prop_assert!(taken <= places);
            prop_assert!(slow_taken <= places.div_ceil(SLOW_SHARE));
        }
    }

    #[test]
    fn attempts_that_turn_out_to_be_slow_keep_their_part_and_no_more() {
        assert_eq!(Capacity::left(64, 64, 0), Capacity { any: 0, slow: 0 });
        assert_eq!(Capacity::left(64, 64, 64), Capacity { any: 48, slow: 0 });
        assert_eq!(Capacity::left(64, 112, 64), Capacity { any: 0, slow: 0 });
        assert_eq!(Capacity::left(64, 250, 250), Capacity { any: 6, slow: 0 });
        assert_eq!(Capacity::left(64, 256, 256), Capacity { any: 0, slow: 0 });
    }

    #[test]
    fn five_parties_that_are_slow_leave_three_quarters_to_the_sixth() {
        let mut capacity = Capacity::left(256, 0, 0);
        let mut begun = Vec::new();
        for party in 0..6 {
            let share = capacity.share(6 - party);
            let (taken, slow) = if party < 5 { (share.slow, share.slow) } else { (share.any, 0) };
            capacity = capacity.without(taken, slow);
            begun.push(taken);
        }

        assert_eq!(begun.iter().take(5).sum::<usize>(), 64);
        assert_eq!(begun[5], 192);
    }
}
