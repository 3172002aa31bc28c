//! Subject of a forecast: a plan, what of it would be done, and what is known of its recovery points.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::group::{DurationGroup, variant};
use super::model::Forecasted;
use crate::diff::{Action, Diff};
use crate::ids::{Indexed, StepIndex};
use crate::parse::Check;
use crate::plan::{Plan, Step};
use crate::render::Known;
use crate::state::{RestoreStage, RunState};

/// A run that has not begun, or goes on.
#[derive(Clone, Debug)]
pub struct ForecastSubject {
    /// The plan.
    pub plan: Plan,
    /// Changes that a run would make.
    pub diff: Diff,
    /// Groups of restores that take the same time but for their size; [`Forecasted::group`] is an index.
    pub groups: Vec<DurationGroup>,
    /// By step.
    pub restores: Indexed<StepIndex, Forecasted>,
    /// Time at which the recovery point of each step was made, if known.
    pub made: Indexed<StepIndex, Option<Timestamp>>,
    /// By which time it is asked.
    pub now: Timestamp,
    /// True if it switches over at its end.
    pub cutover: bool,
}

/// Returns the longest time that commands may take together, tries and all, in seconds.
fn at_most(checks: &[Check]) -> f64 {
    let of_one = |check: &Check| check.timeout.as_secs_f64() * f64::from(check.retries + 1);
    checks.iter().map(of_one).sum()
}

/// Returns the number of elements.
fn count<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}

impl ForecastSubject {
    /// Creates the subject: what a run of a plan would do now.
    #[must_use]
    pub fn new(plan: Plan, diff: Diff, known: &Known, observed: &RunState, now: Timestamp) -> Self {
        let mut numbers: BTreeMap<DurationGroup, usize> = BTreeMap::new();
        let mut groups = Vec::new();
        let mut restores = Vec::with_capacity(plan.steps.len());
        let mut made = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let request = &step.draft.request;
            let of = DurationGroup {
                resource_type: request.resource_type.clone(),
                variant: variant(&request.resource_type, &request.metadata),
            };
            let group = *numbers.entry(of).or_insert_with_key(|of| {
                groups.push(of.clone());
                groups.len() - 1
            });
            let source = known.sources.get(&request.recovery_point_arn);
            let resolved = known.resolved.get(&step.name);
            let size = source.map(|source| source.size_bytes);
            let made_at = source.and_then(|source| source.created_at.parse().ok());
            made.push(made_at.or_else(|| resolved.and_then(|point| point.created_at)));
            restores.push(Forecasted {
                group,
                size_bytes: size.or_else(|| resolved.and_then(|point| point.size_bytes)),
                is_cold: source
                    .is_some_and(|source| source.storage_class.as_deref() == Some("COLD")),
                checks: count(&step.checks),
                checks_at_most: at_most(&step.checks),
                ..Forecasted::default()
            });
        }
        let mut subject = Self {
            plan,
            diff,
            groups,
            restores: restores.into(),
            made: made.into(),
            now,
            cutover: false,
        };
        subject.take_up(observed);
        subject
    }

    /// Puts a step into another group.
    pub(super) fn regroup(&mut self, step: StepIndex, of: DurationGroup) {
        let known = self.groups.iter().position(|group| *group == of);
        self.restores[step].group = known.unwrap_or_else(|| {
            self.groups.push(of);
            self.groups.len() - 1
        });
    }

    /// Takes in how far a run is that goes on.
    fn take_up(&mut self, observed: &RunState) {
        let resumed = self.diff.changes.iter();
        let resumed = resumed.filter(|change| change.action == Action::Resume);
        for change in resumed {
            let name = self.plan.steps[change.step].name.as_str();
            let Some(past) = observed.restores.get(name) else {
                continue;
            };
            let of = &mut self.restores[change.step];
            match past.stage {
                RestoreStage::Completed { .. } => of.is_back = true,
                _ => {
                    let elapsed = self.now.duration_since(past.intended_at);
                    of.elapsed = Some(elapsed.as_secs_f64().max(0.0));
                }
            }
        }
    }

    /// Tells of each step whether it is carried out, by its index.
    #[must_use]
    pub fn acts(&self) -> Indexed<StepIndex, bool> {
        let mut acts = Indexed::from(vec![false; self.plan.steps.len()]);
        for change in &self.diff.changes {
            let is = matches!(change.action, Action::Start | Action::Resume);
            acts[change.step] = is;
        }
        acts
    }

    /// Commands after everything is back: how many, and how long they may take, in seconds.
    #[must_use]
    pub(super) fn after(&self) -> Vec<(u32, f64)> {
        let plan = &self.plan;
        let mut after = vec![(count(&plan.checks), at_most(&plan.checks))];
        if self.cutover {
            after.push((count(&plan.cutover), at_most(&plan.cutover)));
        }
        after
    }

    /// A seed that follows from what is asked for: the plan's name, the run id and every request.
    #[must_use]
    pub fn seed(&self) -> u64 {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        add(&self.plan.name);
        add(self.plan.run_id.as_str());
        for step in &self.plan.steps {
            add(step.name.as_str());
            add(&step.draft.request.resource_type);
            add(&step.draft.request.recovery_point_arn);
        }
        let digest = hash.finalize();
        let first: [u8; 8] = std::array::from_fn(|at| digest[at]);
        // JSON's readers have 53 bits.
        u64::from_be_bytes(first) >> 11
    }

    /// The step of a name.
    #[must_use]
    pub fn step(&self, name: &str) -> Option<StepIndex> {
        let named = |step: &Step| step.name.as_str() == name;
        self.plan.steps.position(named)
    }
}
