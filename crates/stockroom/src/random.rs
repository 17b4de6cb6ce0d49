//! A small generator of repeatable numbers: every demo shop looks the same, and every generated one with its seed.

/// SplitMix64 (Steele, Lea, Flood 2014): enough for sample data, and for nothing that must not be guessed.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// A generator that always yields the same numbers for the same seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`; 0 for a limit of 0.
    pub(crate) fn below_u64(&mut self, limit: u64) -> u64 {
        self.draw() % limit.max(1)
    }

    /// A place in a list of so many; 0 for an empty one.
    pub(crate) fn below_index(&mut self, limit: usize) -> usize {
        let drawn = self.below_u64(u64::try_from(limit).unwrap_or(u64::MAX));
        usize::try_from(drawn).unwrap_or_default()
    }

    /// A number from 0 to `limit - 1`; 0 for a limit below 1.
    pub(crate) fn below(&mut self, limit: i64) -> i64 {
        i64::try_from(self.below_u64(u64::try_from(limit).unwrap_or_default())).unwrap_or_default()
    }

    /// Whether something happens that happens once in `count` times.
    pub(crate) fn once_in(&mut self, count: i64) -> bool {
        self.below(count) == 0
    }

    /// One of the choices, each as likely as its weight; `None` if there are none.
    pub(crate) fn pick<'a, T>(&mut self, choices: &'a [T], weight: impl Fn(&T) -> i64) -> Option<&'a T> {
        let mut drawn = self.below(choices.iter().map(&weight).sum());
        choices.iter().find(|choice| {
            drawn -= weight(choice);
            drawn < 0
        })
    }
}
