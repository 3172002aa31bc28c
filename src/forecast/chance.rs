//! RandomDraws, from a seed: the same draws for the same seed, in whatever order samples are played.

use std::f64::consts::TAU;

/// The draws of one sample.
#[derive(Debug)]
pub(super) struct RandomDraws(fastrand::Rng);

impl RandomDraws {
    /// The draws of a sample of a forecast.
    pub(super) fn of(seed: u64, sample: u64) -> Self {
        // Neighbours are spread far apart (Steele, Lea and Flood, «Fast splittable pseudorandom number generators», 2014).
        let mut mixed = seed ^ sample.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self(fastrand::Rng::with_seed(mixed ^ (mixed >> 31)))
    }

    /// Between 0 and 1.
    pub(super) fn unit(&mut self) -> f64 {
        self.0.f64()
    }

    /// Draws whether something happens that has this chance.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// One of several; none of none.
    pub(super) fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        (!of.is_empty()).then(|| &of[self.0.usize(..of.len())])
    }

    /// From the standard normal distribution (Box and Muller).
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (TAU * self.0.f64()).cos()
    }

    /// From a gamma distribution of scale 1 (Marsaglia and Tsang, 2000).
    pub(super) fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let part = (1.0 - self.0.f64()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * part;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.0.f64();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// From a beta distribution.
    pub(super) fn beta(&mut self, a: f64, b: f64) -> f64 {
        let (a, b) = (self.gamma(a), self.gamma(b));
        if a + b > 0.0 { a / (a + b) } else { 0.5 }
    }

    /// By how much a standard deviation is off that was estimated with so many degrees of freedom, as a factor.
    pub(super) fn deviation(&mut self, degrees: f64) -> f64 {
        (degrees / (2.0 * self.gamma(degrees / 2.0)).max(1e-9)).sqrt()
    }

    /// From Student's distribution.
    pub(super) fn student(&mut self, degrees: f64) -> f64 {
        self.normal() * self.deviation(degrees)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean_and_deviation(draw: impl FnMut(&mut RandomDraws) -> f64) -> (f64, f64) {
        let mut chance = RandomDraws::of(7, 0);
        let mut draw = draw;
        let drawn: Vec<f64> = (0..20_000).map(|_| draw(&mut chance)).collect();
        let mean = drawn.iter().sum::<f64>() / 20_000.0;
        let square = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        (mean, square.sqrt())
    }

    #[test]
    fn draws_have_the_moments_of_their_distributions() {
        let near = |(mean, deviation): (f64, f64), wanted: (f64, f64)| {
            assert!((mean - wanted.0).abs() < 0.05, "{mean}, not {}", wanted.0);
            assert!(
                (deviation - wanted.1).abs() < 0.1,
                "{deviation}, not {}",
                wanted.1
            );
        };
        near(mean_and_deviation(RandomDraws::normal), (0.0, 1.0));
        near(
            mean_and_deviation(|chance| chance.gamma(3.0)),
            (3.0, 3.0_f64.sqrt()),
        );
        near(
            mean_and_deviation(|chance| chance.gamma(0.5)),
            (0.5, 0.5_f64.sqrt()),
        );
        near(
            mean_and_deviation(|chance| chance.beta(2.0, 2.0)),
            (0.5, 0.05_f64.sqrt()),
        );
        near(
            mean_and_deviation(|chance| chance.student(8.0)),
            (0.0, (8.0_f64 / 6.0).sqrt()),
        );
    }

    #[test]
    fn samples_differ_and_seeds_repeat() {
        let first = |seed, sample| RandomDraws::of(seed, sample).unit();
        assert_eq!(first(1, 1).to_bits(), first(1, 1).to_bits());
        assert_ne!(first(1, 1).to_bits(), first(1, 2).to_bits());
        assert_ne!(first(1, 1).to_bits(), first(2, 1).to_bits());
    }
}
