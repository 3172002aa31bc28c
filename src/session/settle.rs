//! A plan, and what is at hand of the world, to requests that nothing more can be said about.

use jiff::Timestamp;

use super::points::{
    NotAtHand, lacking, look_up, not_found, point_unchecked, resolve, source_unchecked,
    sources_useful, sources_wanted, unresolved, unresolved_note,
};
use super::{Loaded, WantedPoints};
use crate::backup::{ApiError, Sources};
use crate::diagnostic::Findings;
use crate::diff::{Review, same_names};
use crate::plan::Plan;
use crate::render::{Known, Lock};
use crate::resolve::lock;

/// Recovery points that AWS is asked about for the rules' sake: more would hold a run up.
pub const POINTS_FOR_RULES: usize = 50;

/// A plan with what is known by now.
pub struct Settled {
    /// Absent where an error stands in the way.
    pub plan: Option<Plan>,
    /// Everything found so far, in the order in which it was.
    pub findings: Findings,
}

impl Settled {
    /// The plan, and what is to be shown with it.
    ///
    /// # Errors
    ///
    /// The findings, where there is no plan.
    pub fn into_plan(self) -> Result<(Plan, Findings), Findings> {
        match self.plan {
            Some(plan) => Ok((plan, self.findings)),
            None => Err(self.findings),
        }
    }
}

/// Source of answers about recovery points: one reader for each target of the plan.
#[derive(Clone, Copy)]
pub enum Points<'a, R> {
    /// Nobody: what hangs on them is said to be unchecked.
    NotAtHand,
    /// An inventory, which costs nothing to ask.
    Recorded(&'a [R]),
    /// AWS, at two calls a recovery point.
    Aws {
        /// Readers that ask.
        readers: &'a [R],
        /// Otherwise AWS is connected to where a template needs it, and not for rules alone.
        is_connected: bool,
    },
}

impl<'a, R> Points<'a, R> {
    fn readers(&self) -> Option<&'a [R]> {
        match self {
            Self::NotAtHand => None,
            Self::Recorded(readers) | Self::Aws { readers, .. } => Some(readers),
        }
    }
}

/// Inputs that settle a plan.
pub struct Lookups<'a, R> {
    /// Source of answers about recovery points.
    pub points: Points<'a, R>,
    /// Recovery points that the plan's selectors were locked to.
    pub lock: Option<&'a Lock>,
    /// True if an inventory was given, even the one that a rehearsal's emulator serves.
    pub has_inventory: bool,
    /// True if AWS is asked whether what is locked is still there; an inventory is in any case.
    pub checks_lock: bool,
    /// The restores that are acted on; all where it is empty.
    pub only: &'a [String],
    /// Time when the run started, or would: ages of recovery points are measured from then.
    pub start: Timestamp,
}

impl<R> Lookups<'_, R> {
    /// Returns the recovery points to look up, and whether the plan cannot do without: a file is asked about
    /// everything, AWS about more than templates need if those are few.
    fn sources(&self, plan: &Plan) -> (WantedPoints, bool) {
        let (wanted, useful) = (sources_wanted(plan), sources_useful(plan));
        let is_needed = !wanted.is_empty();
        let points = match self.points {
            Points::NotAtHand => WantedPoints::new(),
            Points::Recorded(_) => useful,
            Points::Aws { is_connected, .. } if !is_needed && !is_connected => WantedPoints::new(),
            Points::Aws { .. } if useful.len() <= POINTS_FOR_RULES => useful,
            Points::Aws { .. } => wanted,
        };
        (points, is_needed)
    }
}

/// Whoever waits while others are asked.
pub trait Patience {
    /// Waits for an answer; `what` says whose, and for what.
    fn wait<T>(&mut self, what: &str, answer: impl Future<Output = T>) -> impl Future<Output = T>;
}

/// Waits without a word.
impl Patience for () {
    fn wait<T>(&mut self, _: &str, answer: impl Future<Output = T>) -> impl Future<Output = T> {
        answer
    }
}

impl Loaded {
    /// Renders and validates everything with what is known, and asks nobody.
    #[must_use]
    pub fn draft(&self, known: &Known) -> Settled {
        self.draft_after(known, &self.findings)
    }

    /// The same, after what has been found since the plan was read.
    #[must_use]
    pub fn draft_after(&self, known: &Known, before: &Findings) -> Settled {
        let mut findings = before.clone();
        let plan = self.planner.plan(known, &mut findings);
        if let Some(plan) = plan.as_ref().filter(|plan| plan.steps.len() > 1) {
            let review = Review::embedded(self.planner.rules());
            findings.extend(same_names(self.planner.document(), plan, &review));
        }
        let plan = plan.filter(|_| !findings.has_errors());
        Settled { plan, findings }
    }

    /// Looks up what selectors and templates ask about and rules can use, and renders again with each answer, until
    /// nothing more is to be had or an error stands in the way. What was learned is in `known` afterwards.
    ///
    /// # Errors
    ///
    /// Where somebody is asked whom the plan cannot do without, and does not answer.
    pub async fn settle<R: Sources>(
        &self,
        known: &mut Known,
        lookups: &Lookups<'_, R>,
        patience: &mut impl Patience,
    ) -> Result<Settled, ApiError> {
        let mut found = self.findings.clone();
        let mut settled = self.draft_after(known, &found);
        if let (Some(plan), Some(lock)) = (&settled.plan, lookups.lock) {
            let taken = lock::take(lock, plan, lookups.only, known, &mut found);
            let readers = match lookups.points {
                Points::Aws { readers, .. } if lookups.checks_lock => Some(readers),
                Points::Recorded(readers) => Some(readers),
                Points::NotAtHand | Points::Aws { .. } => None,
            };
            found.extend(lock::check(lock, plan, &taken, readers, lookups.start).await);
            settled = self.draft_after(known, &found);
        }
        let Some(readers) = lookups.points.readers() else {
            return Ok(self.unchecked(settled));
        };
        if let Some(plan) = &settled.plan
            && !unresolved(plan, lookups.only).is_empty()
        {
            let what = "AWS to list the recovery points that selectors choose from";
            let (only, start) = (lookups.only, lookups.start);
            let resolved = resolve(readers, &self.planner, plan, only, start, known);
            found.extend(patience.wait(what, resolved).await?);
            settled = self.draft_after(known, &found);
        }
        let mut failed = None;
        if let Some(plan) = &settled.plan {
            let (wanted, is_needed) = lookups.sources(plan);
            if !wanted.is_empty() {
                let what = "AWS to describe the recovery points of the plan";
                match patience.wait(what, look_up(readers, &wanted, known)).await {
                    // For the rules alone nothing is held up: they stay unchecked, and are said to be.
                    Err(err) if !is_needed => failed = Some(err),
                    answered => answered?,
                }
                found.extend(not_found(&self.planner, plan, &wanted, known));
                settled = self.draft_after(known, &found);
            }
        }
        if let Some(plan) = &settled.plan {
            let why = match &failed {
                Some(error) => NotAtHand::Failed(error),
                None if lookups.has_inventory => NotAtHand::NotRecorded,
                None => NotAtHand::NotAsked,
            };
            let unchecked = point_unchecked(&self.planner, plan, why);
            settled.findings.extend(unchecked);
            settled.findings.extend(lacking(&self.planner, plan));
        }
        Ok(settled)
    }

    /// Adds the findings for what depends on recovery points that are not at hand.
    fn unchecked(&self, mut settled: Settled) -> Settled {
        if let Some(plan) = &settled.plan {
            let (planner, findings) = (&self.planner, &mut settled.findings);
            if !sources_wanted(plan).is_empty() {
                findings.push(source_unchecked(planner));
            }
            findings.extend(unresolved_note(planner, plan));
            findings.extend(point_unchecked(planner, plan, NotAtHand::NotAsked));
            findings.extend(lacking(planner, plan));
        }
        settled
    }
}
