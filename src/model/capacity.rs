//! Who may take how much of what is free: to LINE by account, to receivers by customer.

/// Of all attempts at once, the part that may be with those who gave no answer in time at their last one, all of them
/// together.
const SLOW_SHARE: usize = 4;

/// So many times as many attempts as there are places may be under way when most of them get no answer.
const CROWD: usize = 4;

/// The most attempts that can be under way with so many places.
pub const fn crowd(places: usize) -> usize {
    places * CROWD
}

/// How many attempts may begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Attempts of any kind.
    pub any: usize,
    /// Attempts among them with those who are slow.
    pub slow: usize,
}

impl Capacity {
    /// What is left of so many places when so many attempts are under way, some of them with those who are slow.
    ///
    /// The slow ones keep no more than their part from the others: the first attempts with many who turn out to be slow take
    /// more, and others begin beside them, up to a [`crowd`].
    pub fn left(places: usize, taken: usize, slow_taken: usize) -> Self {
        let part = places.div_ceil(SLOW_SHARE);
        let counted = taken.saturating_sub(slow_taken) + slow_taken.min(part);
        let any = places.saturating_sub(counted).min(crowd(places).saturating_sub(taken));
        Self { any, slow: part.saturating_sub(slow_taken).min(any) }
    }

    /// What one of so many parties may take, itself included, who are asked one after the other.
    pub fn share(self, parties: usize) -> Self {
        let any = self.any.div_ceil(parties.max(1));
        Self { any, slow: self.slow.min(any) }
    }

    /// What is left for the others when one has taken this.
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
        /// Parties ask one after the other, first for what answers in time, then for what is slow.
        #[test]
        fn those_who_are_slow_have_a_quarter_together_however_many_they_are_and_others_have_the_rest(
            places in 1_usize..300,
            wishes in prop::collection::vec((0_usize..400, 0_usize..400), 1..20),
        ) {
            let (mut room, mut taken, mut slow_taken) = (Capacity::left(places, 0, 0), 0, 0);
            for (index, (swift, slow)) in wishes.iter().enumerate() {
                let share = room.share(wishes.len() - index);
                let swift = (*swift).min(share.any);
                let slow = (*slow).min(share.slow).min(share.any - swift);
                room = room.without(swift + slow, slow);
                (taken, slow_taken) = (taken + swift + slow, slow_taken + slow);

                prop_assert!(share.any >= places / wishes.len(), "everybody has at least an even share");
                prop_assert_eq!(room, Capacity::left(places, taken, slow_taken), "as if it were asked anew");
            }
            prop_assert!(taken <= places);
            prop_assert!(slow_taken <= places.div_ceil(SLOW_SHARE));
        }
    }

    #[test]
    fn those_who_turn_out_to_be_slow_keep_their_part_and_no_more() {
        assert_eq!(Capacity::left(64, 64, 0), Capacity { any: 0, slow: 0 });
        assert_eq!(Capacity::left(64, 64, 64), Capacity { any: 48, slow: 0 });
        assert_eq!(Capacity::left(64, 112, 64), Capacity { any: 0, slow: 0 });
        assert_eq!(Capacity::left(64, 250, 250), Capacity { any: 6, slow: 0 });
        assert_eq!(Capacity::left(64, 256, 256), Capacity { any: 0, slow: 0 });
    }

    #[test]
    fn five_parties_that_are_slow_leave_three_quarters_to_the_sixth() {
        let mut room = Capacity::left(256, 0, 0);
        let mut begun = Vec::new();
        for party in 0..6 {
            let share = room.share(6 - party);
            let (taken, slow) = if party < 5 { (share.slow, share.slow) } else { (share.any, 0) };
            room = room.without(taken, slow);
            begun.push(taken);
        }

        assert_eq!(begun.iter().take(5).sum::<usize>(), 64);
        assert_eq!(begun[5], 192);
    }
}
