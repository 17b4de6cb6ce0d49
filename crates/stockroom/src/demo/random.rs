//! A small generator of repeatable numbers: every demo shop looks the same.

/// SplitMix64 (Steele, Lea, Flood 2014): enough for sample data, and for nothing that must not be guessed.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator that always yields the same numbers for the same seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`; 0 for a limit below 1.
    pub(super) fn below(&mut self, limit: i64) -> i64 {
        let limit = u64::try_from(limit).unwrap_or_default().max(1);
        i64::try_from(self.draw() % limit).unwrap_or_default()
    }

    /// Whether something happens that happens once in `count` times.
    pub(super) fn once_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }

    /// One of the choices, each as likely as its weight; `None` if there are none.
    pub(super) fn pick<'a, T>(&mut self, choices: &'a [T], weight: impl Fn(&T) -> i64) -> Option<&'a T> {
        let mut drawn = self.below(choices.iter().map(&weight).sum());
        choices.iter().find(|choice| {
            drawn -= weight(choice);
            drawn < 0
        })
    }
}
