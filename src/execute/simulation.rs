//! Simulation of a run in which each restore takes so long: the engine's schedule, rates and polls, without waiting.
//!
//! Decisions are made as in a run: by [`Schedule`] which restore starts, by [`Rates`] when its request leaves, and by
//! the intervals of [`super::poller`] when its end is seen. Calls take no time here, and one page holds every job: a
//! run against the emulator on its own clock ends its jobs in the same millisecond (`tests/forecast/same_clock.rs`),
//! one against AWS a second later for each call that is waited for.

mod checks;
mod held;
mod place;
mod played;
mod watch;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

pub use played::{Course, HeldBy, PlanLimit, Played, PlayedStep};

use self::checks::CheckQueue;
use self::held::Freed;
use self::place::SimulatedPlace;
use super::schedule::Schedule;
use super::skew::TOKEN_IS_SAFE;
use crate::backup::{Operation, Rates};
use crate::diff::{Action, Diff};
use crate::ids::{Indexed, StepIndex, TargetIndex};
use crate::plan::Plan;

const START: Timestamp = Timestamp::UNIX_EPOCH;

/// A run that can be played as often as one likes.
#[derive(Debug)]
pub struct RunSimulation {
    schedule: Schedule,
    /// The index of the rates that each target shares: those of its account and Region.
    places: Indexed<TargetIndex, usize>,
    /// The target of each step.
    targets: Indexed<StepIndex, TargetIndex>,
    /// Time for which each step's job is followed.
    timeouts: Indexed<StepIndex, Option<SignedDuration>>,
    /// Listings that are made first, as target and type.
    types: Vec<(TargetIndex, usize)>,
    /// The index of its type, by step; none where its recovery point becomes known late.
    listed_as: Indexed<StepIndex, Option<usize>>,
    /// Steps that an earlier runner has started.
    resumed: Vec<StepIndex>,
    keeps_rates: bool,
    /// True if every call that a run makes is counted, not only those that start something and those that see an end.
    is_exact: bool,
}

impl RunSimulation {
    /// The run of a plan, at AWS's rates unless told otherwise.
    #[must_use]
    pub fn new(plan: &Plan, diff: &Diff, keeps_rates: bool) -> Self {
        let mut known = Vec::new();
        let places = plan.targets.iter().map(|target| {
            let place = target.place();
            known.iter().position(|of| *of == place).unwrap_or_else(|| {
                known.push(place);
                known.len() - 1
            })
        });
        let places = places.collect();
        let mut names: BTreeSet<(TargetIndex, &str)> = BTreeSet::new();
        for change in diff.changes.iter().filter(|c| c.action == Action::Start) {
            let step = &plan.steps[change.step];
            if !step.draft.waits_for_its_point() {
                names.insert((step.target, &step.draft.request.resource_type));
            }
        }
        let names: Vec<_> = names.into_iter().collect();
        let listed_as = plan.steps.iter().map(|step| {
            let name = (step.target, step.draft.request.resource_type.as_str());
            let is_known = !step.draft.waits_for_its_point();
            is_known.then(|| names.binary_search(&name).ok()).flatten()
        });
        let resumed = diff.changes.iter().filter(|c| c.action == Action::Resume);
        Self {
            schedule: Schedule::new(plan, |at| &plan.steps[at].draft, diff),
            places,
            targets: plan.steps.iter().map(|step| step.target).collect(),
            timeouts: plan.steps.iter().map(|step| step.timeout).collect(),
            listed_as: listed_as.collect(),
            types: names
                .iter()
                .enumerate()
                .map(|(at, of)| (of.0, at))
                .collect(),
            resumed: resumed.map(|change| change.step).collect(),
            keeps_rates,
            is_exact: false,
        }
    }

    /// The same to the millisecond: calls that see nothing new delay those behind them as well. It takes many times as long,
    /// and ends in the same second but for a look that is just missed.
    #[must_use]
    pub fn exactly(mut self) -> Self {
        self.is_exact = true;
        self
    }

    /// Returns the number of steps in the plan.
    #[must_use]
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Returns true if the plan has no steps.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Plays the run once: `course` says what becomes of each step, by its index, and `played` is filled with when.
    pub fn play(&self, course: &Indexed<StepIndex, Course>, played: &mut Played) {
        Playing::new(self, course, played).go();
    }
}

/// A run under way.
struct Playing<'s> {
    of: &'s RunSimulation,
    course: &'s Indexed<StepIndex, Course>,
    played: &'s mut Played,
    schedule: Schedule,
    rates: Vec<Rates>,
    places: Indexed<TargetIndex, SimulatedPlace>,
    checks: CheckQueue,
    now: Timestamp,
    /// Time at which the rates let the next call leave that was held back.
    held: Option<Timestamp>,
    listed_at: Timestamp,
    /// Reasons why the restores of each type that could start did not, by the schedule's number of the type.
    blocked: Vec<HeldBy>,
    /// The last to have left a place free: of each target, of each type.
    freed: Freed,
}

impl<'s> Playing<'s> {
    fn new(
        of: &'s RunSimulation,
        course: &'s Indexed<StepIndex, Course>,
        played: &'s mut Played,
    ) -> Self {
        played.clear(of.len());
        let count = of.places.iter().max().map_or(0, |most| most + 1);
        Self {
            of,
            course,
            played,
            schedule: of.schedule.clone(),
            rates: (0..count).map(|_| Rates::published(START)).collect(),
            places: of
                .places
                .iter()
                .map(|_| SimulatedPlace::default())
                .collect(),
            checks: CheckQueue::default(),
            now: START,
            held: None,
            listed_at: START,
            blocked: vec![HeldBy::Nothing; of.schedule.types()],
            freed: Freed::new(of.places.len(), of.schedule.types()),
        }
    }

    fn go(mut self) {
        if self.of.is_exact {
            self.list();
        }
        for at in 0..self.of.resumed.len() {
            let step = self.of.resumed[at];
            self.schedule.running(step);
            self.follow(step);
        }
        loop {
            self.held = None;
            while self.moment() {}
            match self.next() {
                Some(at) => self.wake(at),
                None => break,
            }
        }
    }

    /// Does what can be done now; whether something has come of it that lets more be done.
    fn moment(&mut self) -> bool {
        let is_old = self.now.duration_since(self.listed_at) >= TOKEN_IS_SAFE;
        if self.of.is_exact && is_old && self.has_next() {
            self.list();
        }
        self.start_ready();
        let mut goes_on = false;
        for target in self.places.positions() {
            goes_on |= self.watch(target);
        }
        for target in self.places.positions().filter(|_| self.of.is_exact) {
            self.look_around(target);
        }
        goes_on | self.check()
    }

    /// Waits: the engine's timers have milliseconds, and are one late.
    fn wake(&mut self, at: Timestamp) {
        let late = Timestamp::from_millisecond(at.as_millisecond() + 1).unwrap_or(at);
        self.now = late.max(self.now);
    }

    fn next(&mut self) -> Option<Timestamp> {
        let now = self.now;
        if !self.of.is_exact {
            self.places.iter_mut().for_each(SimulatedPlace::skip_looks);
        }
        let is_exact = self.of.is_exact;
        let places = self.places.iter();
        let times = places.flat_map(|place| place.next(is_exact));
        let times = times.filter(|at| *at > now);
        times.chain(self.checks.next()).chain(self.held).min()
    }

    fn has_next(&self) -> bool {
        self.places
            .positions()
            .any(|target| self.schedule.has_next(target))
    }

    /// Returns true if a call may leave now, which it then does; a no is remembered.
    fn may(&mut self, target: TargetIndex, operation: Operation) -> bool {
        let counts = self.of.is_exact || operation == Operation::StartRestoreJob;
        if !self.of.keeps_rates || !counts {
            return true;
        }
        let now = self.now;
        match self.rates[self.of.places[target]].take(operation, now) {
            Ok(()) => true,
            Err(at) => {
                self.held = Some(self.held.map_or(at, |held| held.min(at)));
                false
            }
        }
    }

    /// Lists what exists already: a call for each type that is still to start, one after the other.
    fn list(&mut self) {
        let began = self.now;
        let mut is_wanted = vec![false; self.of.types.len()];
        for step in self.schedule.waiting() {
            if let Some(at) = self.of.listed_as[step] {
                is_wanted[at] = true;
            }
        }
        for (target, at) in self.of.types.clone() {
            while is_wanted[at] && !self.may(target, Operation::ListRestoreJobs) {
                let held = self.held.take().unwrap_or(self.now);
                self.wake(held);
            }
        }
        self.listed_at = began;
    }

    fn start_ready(&mut self) {
        let mut may_start = Vec::with_capacity(self.places.len());
        loop {
            may_start.clear();
            for target in self.places.positions() {
                if self.schedule.has_next(target) && self.could_start(target) {
                    may_start.push(target);
                }
            }
            let Some(step) = self.schedule.start_next(&may_start) else {
                break;
            };
            self.may(self.of.targets[step], Operation::StartRestoreJob);
            self.note_start(step);
            self.follow(step);
        }
        self.note_blocked();
    }

    fn could_start(&mut self, target: TargetIndex) -> bool {
        if !self.of.keeps_rates {
            return true;
        }
        let rates = &self.rates[self.of.places[target]];
        let at = rates.free_at(Operation::StartRestoreJob, self.now);
        if at > self.now {
            self.held = Some(self.held.map_or(at, |held| held.min(at)));
        }
        at <= self.now
    }

    /// A job is followed from now on.
    fn follow(&mut self, step: StepIndex) {
        let course = &self.course[step];
        let now = self.now;
        let end = now + SignedDuration::from_millis(course.job.max(0));
        let timeout = self.of.timeouts[step];
        let deadline = timeout.and_then(|timeout| now.checked_add(timeout).ok());
        let deadline = deadline.filter(|deadline| *deadline < end);
        let of = &mut self.played.steps[step];
        of.started = Some(now.as_millisecond());
        of.job_ended = end.as_millisecond();
        let place = &mut self.places[self.of.targets[step]];
        place.follow(step, now, end, deadline);
    }

    /// A job's end was seen.
    fn seen(&mut self, step: StepIndex, is_overdue: bool) {
        let course = self.course[step];
        let now = self.now.as_millisecond();
        self.played.end = now;
        let of = &mut self.played.steps[step];
        of.seen = now;
        of.has_failed = course.fails || is_overdue;
        self.freed
            .by(step, self.of.targets[step], self.schedule.type_of(step));
        if course.fails || is_overdue {
            self.schedule.failed(step);
            return;
        }
        self.schedule.ended(step);
        match course.checks {
            0 if !course.check_fails => self.good(step),
            checks => self.checks.add(step, checks),
        }
    }

    fn good(&mut self, step: StepIndex) {
        let now = self.now.as_millisecond();
        self.played.steps[step].good = Some(now);
        for freed in self.schedule.found_good(step) {
            let of = &mut self.played.steps[freed];
            of.ready = now;
            of.held = HeldBy::Need(step);
        }
    }

    /// Runs checks, as far as there is room; whether some have ended.
    fn check(&mut self) -> bool {
        let mut has_ended = false;
        while let Some(step) = self.checks.ended(self.now) {
            has_ended = true;
            self.played.end = self.now.as_millisecond();
            if self.course[step].check_fails {
                self.played.steps[step].has_failed = true;
                self.schedule.found_bad(step);
            } else {
                self.good(step);
            }
        }
        self.checks.start(self.now);
        has_ended
    }
}

/// Returns the time from a run's beginning until everything that it starts has ended, where each restore takes as long
/// as its plan expects.
#[must_use]
pub fn expected(plan: &Plan, diff: &Diff) -> SignedDuration {
    let course = |step: &crate::plan::Step| Course {
        job: i64::try_from(step.draft.expected.as_millis()).unwrap_or(i64::MAX / 4),
        ..Course::default()
    };
    let course: Indexed<StepIndex, Course> = plan.steps.iter().map(course).collect();
    let mut played = Played::default();
    RunSimulation::new(plan, diff, true)
        .exactly()
        .play(&course, &mut played);
    SignedDuration::from_millis(played.end)
}
