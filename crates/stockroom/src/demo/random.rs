//! A small generator of repeatable numbers: every demo shop looks the same.

/// SplitMix64 (Steele, Lea, Flood 2014): enough for sample data, and for nothing that must not be guessed.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// A generator that always yields the same numbers for the same seed.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `limit - 1`.
    pub(super) fn below(&mut self, limit: u32) -> i64 {
        i64::try_from(self.next() % u64::from(limit.max(1))).unwrap_or_default()
    }

    /// A position in a list of `length`.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let limit = u32::try_from(length).unwrap_or(u32::MAX);
        usize::try_from(self.below(limit)).unwrap_or_default()
    }
}
