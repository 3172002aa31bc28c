//! Course of a restore, as a distribution: how long it waits at AWS, how long it works, whether it fails, and how long
//! its checks take. Learned from the restores of earlier runs, of which few pull weakly and many strongly.

use std::collections::BTreeMap;

use super::chance::RandomDraws;
use super::curve::{Curve, DrawnCurve, SeenDuration, TAIL};
use super::group::{DurationGroup, Prior};
use super::past::PastRestore;
use super::samples::quantile;
use crate::execute::Course;
use crate::rules::{COLD, MIB};

/// Steps of fitting: curves and days in turn.
const STEPS: usize = 20;
/// By how much the day moves all of a run, as a deviation of the logarithm, where nothing was seen; and how many runs that is
/// worth.
const DAY: f64 = 0.12;
const DAY_WORTH: f64 = 2.0;
/// Observations that prior knowledge is worth: of the shape of the residuals, of waiting, of checks.
const SHAPE_WORTH: f64 = 15.0;
const WAIT_WORTH: f64 = 4.0;
const CHECK_WORTH: f64 = 2.0;
/// Time that a job is PENDING where nothing was seen: seconds, and the deviation of the logarithm. Nobody publishes it.
const PENDING: (f64, f64) = (15.0, 1.0);
/// Duration of a check where nothing was seen: seconds, and the deviation of the logarithm. A check is any program.
const CHECK: (f64, f64) = (20.0, 1.3);
/// Share of jobs that fail where nothing was seen, and how many jobs that is worth. Nobody publishes it.
const FAILS: f64 = 0.02;
const FAILS_WORTH: f64 = 20.0;
/// The same of the checks of a restore.
const CHECK_FAILS: f64 = 0.02;
/// Assumed size of a backup whose size is not known: MiB, and the deviation of the logarithm.
const SIZE: (f64, f64) = (20_480.0, 1.5);
/// By how much thawing varies that AWS says takes up to four hours.
const THAW: f64 = 0.35;
/// No job takes longer than a month: AWS lists none that is older.
const LONGEST: f64 = 30.0 * 24.0 * 3600.0;

/// A restore, as far as its duration goes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecasted {
    /// The number of its group, as the model has it.
    pub group: usize,
    /// The size of the backup, bytes; none where nobody knows it.
    pub size_bytes: Option<i64>,
    /// True if the recovery point is in cold storage.
    pub is_cold: bool,
    /// Number of its checks.
    pub checks: u32,
    /// Longest time that its checks may take together, tries and all, in seconds.
    pub checks_at_most: f64,
    /// For how long its job runs already, in seconds.
    pub elapsed: Option<f64>,
    /// True if its job has ended already, and only its checks are still to come.
    pub is_back: bool,
}

/// Origin of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Restores of earlier runs.
    History,
    /// Numbers that somebody has published.
    Published,
    /// An assumption.
    Prior,
}

/// All that was learned.
#[derive(Clone, Debug)]
pub struct RestoreModel {
    groups: Vec<LearnedGroup>,
    /// Residuals of the durations of all groups, as multiples of their scales.
    shape: Vec<f64>,
    /// Waiting at AWS, of all groups, seconds.
    waits: Vec<f64>,
    /// Waits grouped by run, since a queue at AWS may last for a whole run.
    waits_by_run: Vec<Vec<f64>>,
    /// How alike the waits of a run are, from 0 to 1.
    waits_alike: f64,
    /// Seconds a check, of all groups.
    checks: Vec<f64>,
    /// After which part of its time a job failed.
    broke_after: Vec<f64>,
    /// The deviation of what a day does, and its degrees of freedom.
    day: (f64, f64),
    /// Checks of a restore that have failed, and restores with checks.
    checks_failed: (f64, f64),
}

#[derive(Clone, Debug)]
struct LearnedGroup {
    of: DurationGroup,
    prior: Prior,
    curve: Curve,
    sizes: Vec<f64>,
    waits: Vec<f64>,
    checks: Vec<f64>,
    seen: f64,
    failed: f64,
    /// The part of all jobs that fail that is expected of it.
    expected: f64,
}

/// Parameters drawn for a sample.
#[derive(Debug)]
pub struct Drawn {
    curves: Vec<DrawnCurve>,
    fails: Vec<f64>,
    check_fails: f64,
    day: f64,
    /// The run whose queue this sample has.
    queue: Option<usize>,
}

fn mib(size_bytes: i64) -> f64 {
    size_bytes.max(0) as f64 / MIB as f64
}

impl RestoreModel {
    /// Learns from what was. `groups` are those of the plan; they keep their numbers.
    #[must_use]
    pub fn learn(groups: &[DurationGroup], past: &[PastRestore]) -> Self {
        let mut numbers: BTreeMap<DurationGroup, usize> = BTreeMap::new();
        let mut learned: Vec<LearnedGroup> = Vec::new();
        for group in groups {
            numbers.entry(group.clone()).or_insert(learned.len());
            learned.push(LearnedGroup::new(group));
        }
        let mut observed: Vec<Vec<&PastRestore>> = learned.iter().map(|_| Vec::new()).collect();
        for restore in past {
            let group = DurationGroup {
                resource_type: restore.resource_type.clone(),
                variant: restore.variant.clone(),
            };
            let number = *numbers.entry(group).or_insert_with_key(|group| {
                learned.push(LearnedGroup::new(group));
                observed.push(Vec::new());
                learned.len() - 1
            });
            observed[number].push(restore);
        }
        let mut model = Self {
            groups: learned,
            shape: Vec::new(),
            waits: Vec::new(),
            waits_by_run: Vec::new(),
            waits_alike: 0.0,
            checks: Vec::new(),
            broke_after: Vec::new(),
            day: (DAY, DAY_WORTH),
            checks_failed: (0.0, 0.0),
        };
        model.fit(&observed);
        model.count(&observed);
        model
    }

    /// Fits the curves, and what each day did to all of its run.
    fn fit(&mut self, observed: &[Vec<&PastRestore>]) {
        let runs = observed
            .iter()
            .flatten()
            .map(|of| of.run as usize + 1)
            .max();
        let mut days = vec![0.0; runs.unwrap_or(0)];
        let seen: Vec<Vec<SeenDuration>> = observed.iter().map(|of| seen(of)).collect();
        let mut counts = vec![false; days.len()];
        seen.iter().flatten().for_each(|one| counts[one.run] = true);
        let runs = counts.iter().filter(|counts| **counts).count() as f64;
        for _ in 0..STEPS {
            for (group, seen) in self.groups.iter_mut().zip(&seen) {
                if !seen.is_empty() {
                    group.curve.step(seen, &days);
                }
            }
            let mut pull = vec![0.0; days.len()];
            let mut held = vec![self.day.0.powi(-2); days.len()];
            for (group, seen) in self.groups.iter().zip(&seen) {
                let scale = group.curve.left.powi(-2);
                for one in seen {
                    let off = group.curve.off(one);
                    let counts = group.curve.weight(off - days[one.run]) * scale;
                    pull[one.run] += counts * off;
                    held[one.run] += counts;
                }
            }
            let mut squares = DAY_WORTH * DAY * DAY;
            for (run, day) in days.iter_mut().enumerate().filter(|(run, _)| counts[*run]) {
                *day = pull[run] / held[run];
                squares += *day * *day + 1.0 / held[run];
            }
            self.day = ((squares / (DAY_WORTH + runs)).sqrt(), DAY_WORTH + runs);
        }
        for (group, seen) in self.groups.iter().zip(&seen) {
            let left = seen.iter().map(|one| group.curve.standardised(one, &days));
            self.shape.extend(left);
        }
    }

    /// Counts what fails, what waits and what is checked.
    fn count(&mut self, observed: &[Vec<&PastRestore>]) {
        let mut by_run: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for (group, observed) in self.groups.iter_mut().zip(observed) {
            for past in observed {
                group.seen += 1.0;
                // Of those whose waiting was not seen it is part of the work.
                let wait = past.pending_seconds.unwrap_or(0.0);
                group.waits.push(wait);
                by_run.entry(past.run).or_default().push(wait);
                group.sizes.extend(past.size_bytes.map(mib));
                if !past.completed {
                    group.failed += 1.0;
                    let size = past.size_bytes.map_or(0.0, mib);
                    let log = past.seconds.max(0.5).ln();
                    let off = group.curve.off(&SeenDuration { size, log, run: 0 });
                    self.broke_after.push(off.exp().min(1.0));
                }
                if past.checks > 0 {
                    self.checks_failed.0 += f64::from(u8::from(past.check_failed));
                    self.checks_failed.1 += 1.0;
                    let took = past.checks_seconds.unwrap_or(0.0) / f64::from(past.checks);
                    group.checks.push(took);
                }
            }
            self.waits.extend(&group.waits);
            self.checks.extend(&group.checks);
        }
        self.waits_by_run = by_run.into_values().collect();
        let runs = self.waits_by_run.len() as f64;
        self.waits_alike = alike(&self.waits_by_run) * runs / (runs + WAIT_WORTH);
        let (seen, failed) = self
            .groups
            .iter()
            .fold((0.0, 0.0), |sum, of| (sum.0 + of.seen, sum.1 + of.failed));
        let all = (FAILS * FAILS_WORTH + failed) / (FAILS_WORTH + seen);
        for group in &mut self.groups {
            group.expected = all;
        }
    }

    /// Draws what a sample has in common: how the curves are, how the day is, how much fails.
    #[must_use]
    pub(super) fn draw(&self, chance: &mut RandomDraws) -> Drawn {
        let groups = self.groups.iter();
        let curves = groups
            .clone()
            .map(|group| group.curve.draw(chance))
            .collect();
        let fails = groups.map(|group| {
            let failed = group.expected * FAILS_WORTH + group.failed;
            chance.beta(failed, FAILS_WORTH + group.seen - group.failed)
        });
        let fails = fails.collect();
        let (failed, checked) = self.checks_failed;
        let check_fails = chance.beta(
            CHECK_FAILS * FAILS_WORTH + failed,
            (1.0 - CHECK_FAILS) * FAILS_WORTH + checked - failed,
        );
        Drawn {
            curves,
            fails,
            check_fails,
            day: self.day.0 * chance.student(self.day.1),
            queue: match self.waits_by_run.len() {
                0 | 1 => None,
                runs => Some((chance.unit() * runs as f64) as usize),
            },
        }
    }

    /// Draws the course of one restore in a sample.
    pub(super) fn course(
        &self,
        of: &Forecasted,
        drawn: &Drawn,
        chance: &mut RandomDraws,
    ) -> Course {
        let mut course = Course::default();
        if !of.is_back {
            let mut seconds = self.seconds(of, drawn, chance);
            if let Some(elapsed) = of.elapsed {
                // A running job takes longer than it has taken by now.
                for _ in 0..12 {
                    if seconds > elapsed {
                        break;
                    }
                    seconds = self.seconds(of, drawn, chance);
                }
                seconds = match seconds > elapsed {
                    true => seconds - elapsed,
                    false => elapsed.max(10.0) * 0.25 * -(1.0 - chance.unit()).ln(),
                };
            }
            if chance.happens(drawn.fails[of.group]) {
                course.fails = true;
                seconds *= self.breaks_after(chance);
            }
            course.job = (seconds.min(LONGEST) * 1000.0) as i64;
        }
        if of.checks > 0 {
            let group = &self.groups[of.group];
            let one = self.check(group, chance);
            let took = (one * f64::from(of.checks)).min(of.checks_at_most.max(1.0));
            course.checks = (took * 1000.0) as i64;
            course.check_fails = chance.happens(drawn.check_fails);
        }
        course
    }

    /// Returns the typical duration of a job, in seconds; none if no restore of its group has been seen.
    #[must_use]
    pub fn typical(&self, of: &Forecasted) -> Option<f64> {
        let group = &self.groups[of.group];
        if group.curve.count < 1.0 {
            return None;
        }
        let mut sizes: Vec<f32> = group.sizes.iter().map(|size| *size as f32).collect();
        let size = match of.size_bytes {
            Some(size) => mib(size),
            None => quantile(&mut sizes, 0.5),
        };
        let mut waits: Vec<f32> = group.waits.iter().map(|wait| *wait as f32).collect();
        let thaw = if of.is_cold { COLD.as_secs_f64() } else { 0.0 };
        Some(group.curve.typical(size) + quantile(&mut waits, 0.5) + thaw)
    }

    /// Draws so many durations of a job that completes, in seconds.
    pub(super) fn durations(&self, of: &Forecasted, seed: u64, samples: u32) -> Vec<f32> {
        let draws = (0..u64::from(samples)).map(|number| {
            let mut chance = RandomDraws::of(seed, number);
            let drawn = self.draw(&mut chance);
            self.seconds(of, &drawn, &mut chance) as f32
        });
        draws.collect()
    }

    /// From a job's creation to its end.
    fn seconds(&self, of: &Forecasted, drawn: &Drawn, chance: &mut RandomDraws) -> f64 {
        let group = &self.groups[of.group];
        let curve = &drawn.curves[of.group];
        let size = match (of.size_bytes, chance.one_of(&group.sizes)) {
            (Some(size), _) => mib(size),
            (None, Some(size)) => *size,
            // The fixed part has learned what restores take if no size is known of any.
            (None, None) if group.seen > 0.0 => 0.0,
            (None, None) => SIZE.0 * (SIZE.1 * chance.normal()).exp(),
        };
        let seen = self.shape.len() as f64;
        let left = match self.shape.is_empty() || !chance.happens(seen / (seen + SHAPE_WORTH)) {
            true => chance.student(TAIL),
            false => chance.one_of(&self.shape).copied().unwrap_or(0.0),
        };
        let work = curve.seconds(size) * (drawn.day + curve.left * left.clamp(-8.0, 8.0)).exp();
        let thaw = match of.is_cold {
            true => COLD.as_secs_f64() * (THAW * chance.normal()).exp(),
            false => 0.0,
        };
        self.wait(group, drawn, chance) + work + thaw
    }

    /// Draws the wait of a job at AWS: as one of the run did whose queue it is, as far as the waits of a run are alike; as one
    /// of its group did, else as one of any group, else as is assumed.
    fn wait(&self, group: &LearnedGroup, drawn: &Drawn, chance: &mut RandomDraws) -> f64 {
        let queue = drawn.queue.and_then(|run| self.waits_by_run.get(run));
        if let Some(waits) = queue.filter(|_| chance.happens(self.waits_alike))
            && let Some(wait) = chance.one_of(waits)
        {
            return *wait;
        }
        picked(&group.waits, WAIT_WORTH, chance)
            .or_else(|| picked(&self.waits, WAIT_WORTH * 2.0, chance))
            .unwrap_or_else(|| PENDING.0 * (PENDING.1 * chance.normal()).exp())
    }

    fn check(&self, group: &LearnedGroup, chance: &mut RandomDraws) -> f64 {
        picked(&group.checks, CHECK_WORTH, chance)
            .or_else(|| picked(&self.checks, CHECK_WORTH * 2.0, chance))
            .unwrap_or_else(|| CHECK.0 * (CHECK.1 * chance.normal()).exp())
    }

    /// After which part of its time a job fails.
    fn breaks_after(&self, chance: &mut RandomDraws) -> f64 {
        picked(&self.broke_after, CHECK_WORTH, chance).unwrap_or_else(|| chance.unit())
    }

    /// Draws the duration of the checks of the plan as a whole, or of the steps of a cutover, in seconds.
    pub(super) fn commands(&self, count: u32, at_most: f64, chance: &mut RandomDraws) -> f64 {
        let one = picked(&self.checks, CHECK_WORTH, chance)
            .unwrap_or_else(|| CHECK.0 * (CHECK.1 * chance.normal()).exp());
        (one * f64::from(count)).min(at_most)
    }

    /// Returns the basis of each of the plan's groups: so many restores of earlier runs, else prior knowledge.
    pub fn basis(&self) -> impl Iterator<Item = (&DurationGroup, Basis, u32, &str)> {
        self.groups.iter().map(|group| {
            let from = match (group.curve.count > 0.0, group.prior.is_published) {
                (true, _) => Basis::History,
                (false, true) => Basis::Published,
                (false, false) => Basis::Prior,
            };
            (
                &group.of,
                from,
                group.seen as u32,
                group.prior.source.as_str(),
            )
        })
    }
}

impl LearnedGroup {
    fn new(of: &DurationGroup) -> Self {
        let prior = Prior::of(&of.resource_type);
        Self {
            curve: Curve::new(&prior),
            of: of.clone(),
            prior,
            sizes: Vec::new(),
            waits: Vec::new(),
            checks: Vec::new(),
            seen: 0.0,
            failed: 0.0,
            expected: FAILS,
        }
    }
}

/// One of those that were seen, more likely the more there are.
fn picked(of: &[f64], worth: f64, chance: &mut RandomDraws) -> Option<f64> {
    let count = of.len() as f64;
    match chance.happens(count / (count + worth)) {
        true => chance.one_of(of).copied(),
        false => None,
    }
}

/// How alike the values of a group are next to those of all groups: the intraclass correlation of their logarithms, by
/// analysis of variance (Fisher, «Statistical Methods for Research Workers», 1925, chapter 7).
fn alike(groups: &[Vec<f64>]) -> f64 {
    let logs: Vec<Vec<f64>> = (groups.iter())
        .map(|of| of.iter().map(|value| value.max(0.0).ln_1p()).collect())
        .collect();
    let (count, groups) = (
        logs.iter().map(Vec::len).sum::<usize>() as f64,
        logs.len() as f64,
    );
    if groups < 2.0 || count <= groups {
        return 0.0;
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
    let of_all = logs.iter().flatten().sum::<f64>() / count;
    let (mut between, mut within, mut squares) = (0.0, 0.0, 0.0);
    for of in &logs {
        let (size, own) = (of.len() as f64, mean(of));
        between += size * (own - of_all).powi(2);
        within += of.iter().map(|value| (value - own).powi(2)).sum::<f64>();
        squares += size * size;
    }
    let (between, within) = (between / (groups - 1.0), within / (count - groups));
    let size = (count - squares / count) / (groups - 1.0);
    let all = between + (size - 1.0) * within;
    match all > 0.0 {
        true => ((between - within) / all).clamp(0.0, 1.0),
        false => 0.0,
    }
}

/// The durations of jobs that completed. Where the size of some is known, the others say nothing.
fn seen(observed: &[&PastRestore]) -> Vec<SeenDuration> {
    let completed = observed.iter().filter(|past| past.completed);
    let has_sizes = completed.clone().any(|past| past.size_bytes.is_some());
    let counted = completed.filter(|past| past.size_bytes.is_some() || !has_sizes);
    counted
        .map(|past| {
            let work = past.seconds - past.pending_seconds.unwrap_or(0.0);
            SeenDuration {
                size: past.size_bytes.map_or(0.0, mib),
                log: work.max(0.5).ln(),
                run: past.run as usize,
            }
        })
        .collect()
}
