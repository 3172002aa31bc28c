//! Samples of a run: the same run again and again, each time with other durations.

use super::chance::RandomDraws;
use super::model::{Forecasted, RestoreModel};
use crate::execute::{Course, HeldBy, PlanLimit, Played, RunSimulation};
use crate::ids::{Indexed, StepIndex};

/// Subject of the sampling.
#[derive(Debug)]
pub struct Sampling<'a> {
    /// The run.
    pub simulation: &'a RunSimulation,
    /// Model of durations.
    pub model: &'a RestoreModel,
    /// By the index of the step.
    pub restores: &'a [Forecasted],
    /// True for each step that is carried out at all: the others have ended, or never start.
    pub acts: &'a [bool],
    /// Commands after everything is back, how many at a time: checks of the plan, steps of the cutover; and how long they may
    /// take, in seconds.
    pub after: &'a [(u32, f64)],
    /// From which all chance follows.
    pub seed: u64,
    /// Number of samples.
    pub samples: u32,
}

/// Results of all samples. Times are seconds from the beginning of the run.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Number of steps in the plan.
    pub steps: usize,
    /// The end of the run, by sample.
    pub ends: Vec<f32>,
    /// True if everything came back and was found good, by sample.
    pub good: Vec<bool>,
    /// Start of each step, and the time at which it was back and good, by sample and step; NaN if that never was.
    pub started: Vec<f32>,
    /// The same of the end.
    pub back: Vec<f32>,
    /// In how many samples each step was on the way that decided the end, by step.
    pub critical: Indexed<StepIndex, u32>,
    /// Limits that steps on that way waited for last, apart from other restores: in how many samples, and for how long
    /// in all.
    pub held: Vec<(HeldLimit, u32, f64)>,
}

/// Limit that holds up restores that could start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeldLimit {
    /// A limit of the plan, or one that AWS documents.
    Plan(PlanLimit),
    /// AWS's rate of requests.
    Rate,
}

/// A sample that was played.
struct Sample {
    end: f32,
    is_good: bool,
    started: Vec<f32>,
    back: Vec<f32>,
    critical: Vec<StepIndex>,
    held: Vec<(HeldLimit, f64)>,
}

/// Threads at most: more keep memory of their own, and a forecast is not worth a whole machine.
const THREADS: usize = 4;

impl Sampling<'_> {
    /// Plays all samples, on as many threads as there are processors; what comes of it does not depend on how many.
    #[must_use]
    pub fn play(&self) -> Samples {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let threads = threads.min(THREADS).min(self.samples.max(1) as usize);
        let mut all = Samples::new(self.restores.len(), self.samples as usize);
        if self.samples < 32 || threads == 1 {
            self.some(0, 1, &mut |sample| all.take(sample));
            return all.settled();
        }
        let (sender, receiver) = std::sync::mpsc::sync_channel(threads * 4);
        std::thread::scope(|scope| {
            for first in 0..threads {
                let sender = sender.clone();
                scope.spawn(move || {
                    self.some(first, threads, &mut |sample| {
                        drop(sender.send((first, sample)))
                    });
                });
            }
            drop(sender);
            // Each thread's come in their order; they are taken in the order of samples.
            let mut waiting: Vec<std::collections::VecDeque<Sample>> = (0..threads)
                .map(|_| std::collections::VecDeque::new())
                .collect();
            let mut next = 0;
            while let Ok((thread, sample)) = receiver.recv() {
                waiting[thread].push_back(sample);
                while let Some(sample) = waiting[next].pop_front() {
                    all.take(sample);
                    next = (next + 1) % threads;
                }
            }
        });
        all.settled()
    }

    /// The samples of one thread: each of so many.
    fn some(&self, first: usize, every: usize, take: &mut dyn FnMut(Sample)) {
        let mut played = Played::default();
        let mut course = Indexed::default();
        for number in (first..self.samples as usize).step_by(every) {
            let mut chance = RandomDraws::of(self.seed, number as u64);
            let drawn = self.model.draw(&mut chance);
            course.refill(0, Course::default());
            for of in self.restores {
                course.push(self.model.course(of, &drawn, &mut chance));
            }
            self.simulation.play(&course, &mut played);
            take(self.sample(&played, &mut chance));
        }
    }

    fn sample(&self, played: &Played, chance: &mut RandomDraws) -> Sample {
        let seconds = |millis: i64| millis as f32 / 1000.0;
        let steps = &played.steps;
        let acting = steps.iter().zip(self.acts).filter(|(_, acts)| **acts);
        let is_good = acting.into_iter().all(|(step, _)| step.good.is_some());
        let mut end = played.end as f64 / 1000.0;
        if is_good {
            let after = self.after.iter().filter(|(count, _)| *count > 0);
            end += after
                .map(|(count, at_most)| self.model.commands(*count, *at_most, chance))
                .sum::<f64>();
        }
        let mut critical = Vec::new();
        let mut held: Vec<(HeldLimit, f64)> = Vec::new();
        for (at, by, works) in played.critical() {
            let limit = match by {
                HeldBy::Limit(limit, _) => Some(HeldLimit::Plan(limit)),
                HeldBy::Rate(_) => Some(HeldLimit::Rate),
                HeldBy::Nothing | HeldBy::Need(_) => None,
            };
            if let Some(limit) = limit {
                let step = &steps[at];
                let waited = step.started.unwrap_or(step.ready) - step.ready;
                let waited = waited as f64 / 1000.0;
                match held.iter_mut().find(|(of, _)| *of == limit) {
                    // The steps waited at the same time: the longest wait counts.
                    Some((_, longest)) => *longest = longest.max(waited),
                    None => held.push((limit, waited)),
                }
            }
            if works {
                critical.push(at);
            }
        }
        Sample {
            end: end as f32,
            is_good,
            started: steps
                .iter()
                .map(|of| of.started.map_or(f32::NAN, seconds))
                .collect(),
            back: steps
                .iter()
                .map(|of| of.good.map_or(f32::NAN, seconds))
                .collect(),
            critical,
            held,
        }
    }
}

impl Samples {
    fn new(steps: usize, samples: usize) -> Self {
        Self {
            steps,
            ends: Vec::with_capacity(samples),
            good: Vec::with_capacity(samples),
            started: Vec::with_capacity(samples * steps),
            back: Vec::with_capacity(samples * steps),
            critical: vec![0; steps].into(),
            held: Vec::new(),
        }
    }

    fn take(&mut self, sample: Sample) {
        self.ends.push(sample.end);
        self.good.push(sample.is_good);
        self.started.extend(&sample.started);
        self.back.extend(&sample.back);
        for at in sample.critical {
            self.critical[at] += 1;
        }
        for (limit, waited) in sample.held {
            match self.held.iter_mut().find(|(of, ..)| *of == limit) {
                Some((_, count, seconds)) => {
                    *count += 1;
                    *seconds += waited;
                }
                None => self.held.push((limit, 1, waited)),
            }
        }
    }

    /// Sorts what holds the run up most first.
    fn settled(mut self) -> Self {
        self.held
            .sort_by(|a, b| b.2.total_cmp(&a.2).then(a.0.cmp(&b.0)));
        self
    }

    /// A part of all samples ends its run by then, in seconds.
    #[must_use]
    pub fn end(&self, part: f64) -> f64 {
        quantile(&mut self.ends.clone(), part)
    }

    /// A part of those samples in which a step comes back has it back by then.
    #[must_use]
    pub fn back(&self, step: StepIndex, parts: &[f64]) -> Vec<f64> {
        quantiles(self.back.iter(), self.steps, step, parts)
    }

    /// Gives the times of each step in all samples in which there is one, step after step; `of` is [`Samples::started`] or
    /// [`Samples::back`]. A block of steps is read at a time, as samples lie one behind the other.
    pub(super) fn by_step(&self, of: &[f32], mut take: impl FnMut(StepIndex, &mut Vec<f32>)) {
        const BLOCK: usize = 64;
        let column = || Vec::with_capacity(self.ends.len());
        let mut columns: Vec<Vec<f32>> = std::iter::repeat_with(column).take(BLOCK).collect();
        for first in (0..self.steps).step_by(BLOCK) {
            let last = (first + BLOCK).min(self.steps);
            columns.iter_mut().for_each(Vec::clear);
            for sample in of.chunks_exact(self.steps) {
                for (column, at) in columns.iter_mut().zip(&sample[first..last]) {
                    if !at.is_nan() {
                        column.push(*at);
                    }
                }
            }
            for (step, column) in (first..last).zip(&mut columns) {
                take(StepIndex::new(step), column);
            }
        }
    }

    /// Counts the restores that are back by each of so many times, evenly spread up to the latest, in seconds: the
    /// time, and how many there are in the given parts of all samples.
    #[must_use]
    pub fn back_over_time(&self, times: usize, latest: f64, parts: &[f64]) -> Vec<(f64, Vec<f64>)> {
        let wide = (latest / times.max(1) as f64).max(1e-9);
        let mut counts = vec![vec![0.0_f32; self.ends.len()]; times + 1];
        for (sample, back) in self.back.chunks(self.steps.max(1)).enumerate() {
            for at in back.iter().filter(|at| !at.is_nan()) {
                let place = (f64::from(*at) / wide).ceil() as usize;
                if let Some(counts) = counts.get_mut(place) {
                    counts[sample] += 1.0;
                }
            }
        }
        let mut so_far = vec![0.0_f32; self.ends.len()];
        let over_time = counts.into_iter().enumerate().map(|(time, counts)| {
            for (all, more) in so_far.iter_mut().zip(counts) {
                *all += more;
            }
            let mut sorted = so_far.clone();
            let of = parts.iter().map(|part| quantile(&mut sorted, *part));
            (time as f64 * wide, of.collect())
        });
        over_time.collect()
    }

    /// In which part of all samples everything is back and good by then.
    #[must_use]
    pub fn all_back_by(&self, seconds: f64) -> f64 {
        let both = self.ends.iter().zip(&self.good);
        let good = both.filter(|(end, good)| **good && f64::from(**end) <= seconds);
        part(good.count(), self.ends.len())
    }

    /// In which part of all samples a step is back and good by then.
    #[must_use]
    pub fn back_by(&self, step: StepIndex, seconds: f64) -> f64 {
        let of_step = self.back.iter().skip(step.get()).step_by(self.steps.max(1));
        let good = of_step.filter(|back| f64::from(**back) <= seconds);
        part(good.count(), self.ends.len())
    }

    /// In which part of all samples everything is back and good.
    #[must_use]
    pub fn all_good(&self) -> f64 {
        part(
            self.good.iter().filter(|good| **good).count(),
            self.good.len(),
        )
    }
}

fn part(count: usize, of: usize) -> f64 {
    if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    }
}

fn quantiles<'a>(
    of: impl Iterator<Item = &'a f32>,
    steps: usize,
    step: StepIndex,
    parts: &[f64],
) -> Vec<f64> {
    let of_step = of.skip(step.get()).step_by(steps.max(1)).copied();
    let mut sorted: Vec<f32> = of_step.filter(|at| !at.is_nan()).collect();
    parts
        .iter()
        .map(|part| quantile(&mut sorted, *part))
        .collect()
}

/// A quantile, between two neighbours by distance; 0 of nothing. Sorts what it is given.
pub(super) fn quantile(of: &mut [f32], part: f64) -> f64 {
    of.sort_unstable_by(f32::total_cmp);
    if of.is_empty() {
        return 0.0;
    }
    let place = part.clamp(0.0, 1.0) * (of.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(of.len() - 1);
    let (below_at, above_at) = (f64::from(of[below]), f64::from(of[above]));
    below_at + (above_at - below_at) * (place - below as f64)
}
