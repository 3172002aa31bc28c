//! Duration of a job's work by the size of its backup: a fixed part and a rate, both uncertain.
//!
//! The logarithm of a duration is that of `fixed + size / rate`, plus what the day does to all of a run, plus a
//! residual: a scale, and a shape that is that of what was seen. `fixed` and `rate` are fitted by least squares that
//! outliers pull little (Student's distribution of 4 degrees), held by what is known beforehand; how sure they are
//! follows from the curvature there.

use super::chance::RandomDraws;
use super::group::Prior;

/// Degrees of freedom of what is left, where nothing was seen: tails are heavy.
pub(super) const TAIL: f64 = 4.0;
/// Uncertainty of published numbers, as a deviation of the logarithm: a factor of two either way is usual.
const PUBLISHED: f64 = 0.7;
/// The same of assumptions: a factor of three and a half.
const ASSUMED: f64 = 1.25;
/// MiB a second of a type whose size is not said to count: it hardly does, unless it is seen to.
const HARDLY: f64 = 20_000.0;
const HARDLY_SPREAD: f64 = 2.0;
/// Residual of a duration whose type, size and day are known, as a deviation of the logarithm; and how many
/// observations that is worth.
const LEFT_PUBLISHED: f64 = 0.35;
const LEFT_ASSUMED: f64 = 0.5;
const LEFT_WORTH: f64 = 5.0;

/// A duration that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenDuration {
    /// The size of the backup, MiB.
    pub(super) size: f64,
    /// The logarithm of the seconds.
    pub(super) log: f64,
    /// The run.
    pub(super) run: usize,
}

/// Durations of one group.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    /// Logarithms of the fixed part in seconds, and of the rate in MiB a second.
    at: [f64; 2],
    prior: [f64; 2],
    /// One over the square of how far off each may be.
    precision: [f64; 2],
    /// A root of their covariance: lower triangle.
    root: [f64; 3],
    /// The scale of what is left.
    pub(super) left: f64,
    left_prior: f64,
    /// Number of durations that it was fitted to.
    pub(super) count: f64,
}

/// A curve as it is in one sample.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DrawnCurve {
    fixed: f64,
    seconds_per_mib: f64,
    /// By how much the logarithms of both are off.
    off: [f64; 2],
    pub(super) left: f64,
}

impl DrawnCurve {
    /// Seconds for a size in MiB, before the day and what is left. What is off moves the whole by the share that each part
    /// has: two parts that are told apart badly are sure together.
    pub(super) fn seconds(&self, size: f64) -> f64 {
        let moved = size * self.seconds_per_mib;
        let whole = self.fixed + moved;
        let off = (self.fixed * self.off[0] + moved * self.off[1]) / whole;
        whole * off.clamp(-12.0, 12.0).exp()
    }
}

impl Curve {
    /// Creates the curve that is assumed before anything was seen.
    pub(super) fn new(prior: &Prior) -> Self {
        let (spread, left) = match prior.is_published {
            true => (PUBLISHED, LEFT_PUBLISHED),
            false => (ASSUMED, LEFT_ASSUMED),
        };
        let rate_spread = prior.mib_per_second.map_or(HARDLY_SPREAD, |_| spread);
        let at = [
            prior.fixed.max(1.0).ln(),
            prior.mib_per_second.unwrap_or(HARDLY).ln(),
        ];
        Self {
            at,
            prior: at,
            precision: [spread.powi(-2), rate_spread.powi(-2)],
            root: [spread, 0.0, rate_spread],
            left,
            left_prior: left,
            count: 0.0,
        }
    }

    /// The logarithm of the seconds for a size, and how it changes with both parts.
    fn expected(&self, size: f64) -> (f64, [f64; 2]) {
        let (fixed, moved) = (self.at[0].exp(), size * (-self.at[1]).exp());
        let whole = fixed + moved;
        (whole.ln(), [fixed / whole, -moved / whole])
    }

    /// Seconds for a size in MiB, in the middle.
    pub(super) fn typical(&self, size: f64) -> f64 {
        self.expected(size).0.exp()
    }

    /// Returns how far an observation is from what is expected, in logarithms; the caller takes off the day's share.
    pub(super) fn off(&self, seen: &SeenDuration) -> f64 {
        seen.log - self.expected(seen.size).0
    }

    /// Returns the weight of an observation that is so far off: outliers count less.
    pub(super) fn weight(&self, off: f64) -> f64 {
        (TAIL + 1.0) / (TAIL + (off / self.left).powi(2))
    }

    /// One step of fitting; `days` are what each run does to all of its durations.
    pub(super) fn step(&mut self, seen: &[SeenDuration], days: &[f64]) {
        let [mut p, mut q, mut r] = [self.precision[0], 0.0, self.precision[1]];
        let mut pull = [
            (self.prior[0] - self.at[0]) * self.precision[0],
            (self.prior[1] - self.at[1]) * self.precision[1],
        ];
        let mut squares = LEFT_WORTH * self.left_prior.powi(2);
        let scale = self.left.powi(-2);
        for one in seen {
            let (log, slope) = self.expected(one.size);
            let off = one.log - days[one.run] - log;
            let weight = self.weight(off);
            squares += weight * off * off;
            let counts = weight * scale;
            p += counts * slope[0] * slope[0];
            q += counts * slope[0] * slope[1];
            r += counts * slope[1] * slope[1];
            pull[0] += counts * slope[0] * off;
            pull[1] += counts * slope[1] * off;
        }
        let whole = p * r - q * q;
        let step = [
            (r * pull[0] - q * pull[1]) / whole,
            (p * pull[1] - q * pull[0]) / whole,
        ];
        for (at, step) in self.at.iter_mut().zip(step) {
            *at += step.clamp(-1.0, 1.0);
        }
        self.count = seen.len() as f64;
        self.left = (squares / (LEFT_WORTH + self.count)).sqrt().max(0.01);
        let (a, b, c) = (r / whole, -q / whole, p / whole);
        let first = a.max(0.0).sqrt();
        let second = if first > 0.0 { b / first } else { 0.0 };
        self.root = [first, second, (c - second * second).max(0.0).sqrt()];
    }

    /// Returns the residual of an observation, as a multiple of the scale. Few observations are fitted too well: the
    /// pull of each on the curve is given back.
    pub(super) fn standardised(&self, seen: &SeenDuration, days: &[f64]) -> f64 {
        let (log, slope) = self.expected(seen.size);
        let off = seen.log - days[seen.run] - log;
        let along = [
            slope[0] * self.root[0] + slope[1] * self.root[1],
            slope[1] * self.root[2],
        ];
        let variance = along[0] * along[0] + along[1] * along[1];
        let leverage = self.weight(off) * variance / self.left.powi(2);
        off / (self.left * (1.0 - leverage.min(0.8)).sqrt())
    }

    /// The curve as it may be.
    pub(super) fn draw(&self, chance: &mut RandomDraws) -> DrawnCurve {
        let degrees = LEFT_WORTH + self.count;
        let deviation = chance.deviation(degrees);
        let (x, y) = (chance.normal(), chance.normal());
        DrawnCurve {
            fixed: self.at[0].clamp(-2.0, 16.0).exp(),
            seconds_per_mib: (-self.at[1]).clamp(-20.0, 10.0).exp(),
            off: [self.root[0] * x, -(self.root[1] * x + self.root[2] * y)],
            left: self.left * deviation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assumed() -> Curve {
        Curve::new(&Prior {
            fixed: 600.0,
            mib_per_second: Some(100.0),
            is_published: false,
            source: String::new(),
        })
    }

    fn fitted(seen: &[SeenDuration]) -> Curve {
        let mut curve = assumed();
        for _ in 0..30 {
            curve.step(seen, &[0.0]);
        }
        curve
    }

    fn seen(size: f64, seconds: f64) -> SeenDuration {
        SeenDuration {
            size,
            log: seconds.ln(),
            run: 0,
        }
    }

    #[test]
    fn few_durations_pull_weakly_and_many_strongly() {
        let of = |count: usize| {
            let all: Vec<SeenDuration> = (0..count).map(|_| seen(0.0, 60.0)).collect();
            fitted(&all).at[0].exp()
        };
        assert!((of(0) - 600.0).abs() < 1e-6);
        assert!(of(1) < 400.0 && of(1) > 62.0, "{}", of(1));
        assert!((of(100) - 60.0).abs() < 2.0, "{}", of(100));
    }

    #[test]
    fn a_fixed_part_and_a_rate_are_told_apart() {
        let sizes = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];
        let all: Vec<SeenDuration> = sizes
            .iter()
            .cycle()
            .take(70)
            .map(|size| seen(*size, 120.0 + size / 40.0))
            .collect();
        let curve = fitted(&all);
        assert!((curve.at[0].exp() - 120.0).abs() < 5.0, "{:?}", curve.at);
        assert!((curve.at[1].exp() - 40.0).abs() < 2.0, "{:?}", curve.at);
    }

    #[test]
    fn an_outlier_counts_little() {
        let mut all: Vec<SeenDuration> = (0..20).map(|_| seen(0.0, 600.0)).collect();
        all.push(seen(0.0, 60_000.0));
        let curve = fitted(&all);
        assert!((curve.at[0].exp() - 600.0).abs() < 60.0, "{:?}", curve.at);
    }
}
