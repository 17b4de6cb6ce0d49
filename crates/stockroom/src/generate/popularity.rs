//! Who is asked for how often: few very often, many hardly ever (Zipf's law, with a flattened head).

use crate::random::Random;

/// Scale of the weights. Whole numbers, so that a seed means the same shop on every machine.
const SCALE: u64 = 1 << 40;

/// A draw among `0..count`, each with a popularity of its own, which has nothing to do with its number.
#[derive(Debug)]
pub(super) struct Popularity {
    /// The sum of the weights up to and with each rank.
    sums: Vec<u64>,
    /// Which one has which rank.
    by_rank: Vec<usize>,
}

impl Popularity {
    /// The weight of rank `r` is as 1 / (r + `head`): the larger `head`, the more share the first place.
    pub(super) fn new(count: usize, head: u64, random: &mut Random) -> Self {
        let mut sum = 0;
        let sums = (head.max(1)..).take(count).map(|divisor| {
            sum += SCALE / divisor;
            sum
        });
        let sums = sums.collect();
        let mut by_rank: Vec<usize> = (0..count).collect();
        // Fisher and Yates.
        for place in (1..count).rev() {
            let other = random.below_index(place + 1);
            by_rank.swap(place, other);
        }
        Self { sums, by_rank }
    }

    /// One of them, by popularity; 0 if there are none.
    pub(super) fn draw(&self, random: &mut Random) -> usize {
        let drawn = random.below_u64(self.total());
        let rank = self.sums.partition_point(|sum| *sum <= drawn);
        self.by_rank.get(rank).copied().unwrap_or_default()
    }

    /// How often each is drawn in so many draws, on average.
    pub(super) fn expected(&self, draws: u64) -> Vec<i64> {
        let total = u128::from(self.total().max(1));
        let mut expected = vec![0; self.by_rank.len()];
        let mut before = 0;
        for (index, sum) in self.by_rank.iter().zip(&self.sums) {
            let share = u128::from(draws) * u128::from(sum - before) / total;
            before = *sum;
            if let Some(place) = expected.get_mut(*index) {
                *place = i64::try_from(share).unwrap_or(i64::MAX);
            }
        }
        expected
    }

    fn total(&self) -> u64 {
        self.sums.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_drawn_often_and_what_is_expected_comes() {
        let mut random = Random::new(1);
        let popularity = Popularity::new(1_000, 4, &mut random);
        let expected = popularity.expected(100_000);
        let mut drawn = vec![0_i64; 1_000];
        for _ in 0..100_000 {
            drawn[popularity.draw(&mut random)] += 1;
        }
        let first = popularity.by_rank[0];
        assert!(expected[first] > 3_000 && (drawn[first] - expected[first]).abs() < 300, "{}", drawn[first]);
        let last = popularity.by_rank[999];
        assert!(expected[last] < 30 && drawn[last] < 60, "{}", drawn[last]);
        assert!(drawn.iter().filter(|count| **count > 0).count() > 900);
    }

    #[test]
    fn nobody_to_draw_is_nobody_in_particular() {
        let mut random = Random::new(1);
        assert_eq!(Popularity::new(0, 1, &mut random).draw(&mut random), 0);
        assert_eq!(Popularity::new(1, 0, &mut random).draw(&mut random), 0);
    }
}
