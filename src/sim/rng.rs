//! Random numbers from a seed.
//!
//! They are derived from the generator's raw output by integer arithmetic only, so the same
//! seed gives the same market on every machine and with every version of the `rand` crates.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A thousandth of a standard deviation, the unit of [`Rng::normal`].
pub(super) const SIGMA: i64 = 1_000;

/// One random stream. Streams of one seed are independent of each other.
#[derive(Debug, Clone)]
pub(super) struct Rng(ChaCha8Rng);

impl Rng {
    /// Opens stream number `stream` of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        for (byte, of_seed) in key.iter_mut().zip(seed.to_le_bytes()) {
            *byte = of_seed;
        }
        let mut source = ChaCha8Rng::from_seed(key);
        source.set_stream(stream);
        Self(source)
    }

    /// Returns a number from 0 up to but not including `end`; 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u32) -> u32 {
        // The high half of the product; its bias is below `end` / 2^32.
        let wide = u64::from(self.0.next_u32()).wrapping_mul(u64::from(end));
        u32::try_from(wide >> 32).unwrap_or(0)
    }

    /// Returns an index into a list of `length`; 0 if that is empty.
    pub(super) fn index(&mut self, length: usize) -> usize {
        let drawn = self.below(u32::try_from(length).unwrap_or(u32::MAX));
        usize::try_from(drawn).unwrap_or(0)
    }

    /// Returns a number from `from` to `to`, both included.
    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        let width = to.saturating_sub(from).saturating_add(1);
        let width = u32::try_from(width).unwrap_or(u32::MAX);
        from.saturating_add(i64::from(self.below(width)))
    }

    /// Returns true with a probability of `share` in a million.
    pub(super) fn per_million(&mut self, share: u32) -> bool {
        self.below(1_000_000) < share
    }

    /// Returns true with a probability of `share` percent.
    pub(super) fn percent(&mut self, share: u32) -> bool {
        self.below(100) < share
    }

    /// Returns one of the items, each as likely as the others; `None` if there are none.
    pub(super) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Returns an index drawn by weight, or `None` if all weights are zero.
    pub(super) fn pick_by_weight(&mut self, weights: &[u32]) -> Option<usize> {
        let total = weights.iter().fold(0_u32, |sum, weight| sum.saturating_add(*weight));
        let mut left = self.below(total);
        weights.iter().position(|weight| match left.checked_sub(*weight) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        })
    }

    /// Draws from the normal distribution, in thousandths of its standard deviation: the sum of
    /// twelve uniform numbers, whose variance is one and whose ends are at ±6.
    pub(super) fn normal(&mut self) -> i64 {
        const MEAN: i64 = 6 * 65_535;
        let mut sum = 0_i64;
        for _ in 0..6 {
            let both = self.0.next_u32();
            sum =
                sum.saturating_add(i64::from(both >> 16)).saturating_add(i64::from(both & 0xFFFF));
        }
        sum.saturating_sub(MEAN).saturating_mul(SIGMA) / 65_536
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_on_every_machine() {
        let mut rng = Rng::new(7, 0);
        let drawn: Vec<i64> = (0..6).map(|_| rng.normal()).collect();

        assert_eq!(drawn, NORMAL_OF_SEED_7);
        assert_ne!(Rng::new(7, 1).normal(), drawn[0]);
        assert_ne!(Rng::new(8, 0).normal(), drawn[0]);
    }

    const NORMAL_OF_SEED_7: [i64; 6] = [1325, -456, -446, 1233, 11, -208];

    #[test]
    fn the_normal_draw_has_mean_zero_and_deviation_sigma() {
        let mut rng = Rng::new(1, 0);
        let drawn: Vec<i64> = (0..20_000).map(|_| rng.normal()).collect();

        let mean = drawn.iter().sum::<i64>() / 20_000;
        let variance = drawn.iter().map(|one| one * one).sum::<i64>() / 20_000;
        assert!(mean.abs() < 25, "mean {mean}");
        assert!((variance.isqrt() - SIGMA).abs() < 25, "deviation {}", variance.isqrt());
    }

    #[test]
    fn a_weight_of_zero_is_never_drawn() {
        let mut rng = Rng::new(3, 0);
        for _ in 0..1_000 {
            assert_ne!(rng.pick_by_weight(&[5, 0, 1]), Some(1));
        }
        assert_eq!(rng.pick_by_weight(&[0, 0]), None);
    }

    #[test]
    fn both_ends_of_a_range_are_drawn() {
        let mut rng = Rng::new(3, 0);
        let drawn: std::collections::BTreeSet<i64> = (0..200).map(|_| rng.between(-1, 2)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [-1, 0, 1, 2]);
    }
}
