//! Subject of preflight: a plan, and what is known of it.

use std::cell::OnceCell;

use jiff::{SignedDuration, Timestamp};

use super::check::{CheckId, CheckPlace, RestorePlace};
use crate::diagnostic::{Findings, Span};
use crate::diff::Review;
use crate::ids::{StepIndex, TargetIndex};
use crate::parse::Document;
use crate::permissions::PrincipalPolicy;
use crate::plan::{Plan, Step};
use crate::render::{Known, Target};
use crate::rules::Rules;
use crate::validate::{NamedValue, named_values};

/// Options of a preflight.
#[derive(Clone, Copy, Debug, Default)]
pub struct PreflightOptions {
    /// Recovery points that were not scanned for malware pass.
    pub allow_unscanned: bool,
}

/// A plan that is looked at.
pub struct PreflightSubject<'a> {
    /// The plan as it is written.
    pub document: &'a Document,
    /// Plan that would be sent.
    pub plan: &'a Plan,
    /// The steps that would be started.
    pub steps: Vec<StepIndex>,
    /// Facts that are known of the world.
    pub known: &'a Known,
    /// The rules.
    pub rules: &'a Rules,
    /// Review that tells which names have to be new.
    pub review: &'a Review,
    /// Expected duration of the run.
    pub takes: SignedDuration,
    /// Now.
    pub now: Timestamp,
    /// Findings that stand in the way of commands.
    pub programs: &'a Findings,
    /// Options that are wanted.
    pub options: PreflightOptions,
    /// Permissions that everybody needs, computed on first use.
    pub policies: OnceCell<Vec<PrincipalPolicy>>,
}

impl<'a> PreflightSubject<'a> {
    /// The same, of these steps only.
    pub(super) fn of(&self, steps: Vec<StepIndex>) -> Self {
        Self {
            steps,
            policies: OnceCell::new(),
            ..*self
        }
    }

    /// The steps that would be started.
    pub(super) fn steps(&self) -> impl Iterator<Item = &'a Step> {
        let plan = self.plan;
        self.steps.iter().map(|at| &plan.steps[*at])
    }

    /// The targets that something would be started in.
    pub(super) fn targets(&self) -> Vec<TargetIndex> {
        let mut targets: Vec<TargetIndex> = self.steps().map(|step| step.target).collect();
        targets.sort_unstable();
        targets.dedup();
        targets
    }

    pub(super) fn target(&self, at: TargetIndex) -> &'a Target {
        &self.plan.targets[at]
    }

    /// The first target of the same account, Region and caller: what one of them answers holds for the others.
    pub(super) fn place(&self, target: TargetIndex) -> TargetIndex {
        let of = self.target(target);
        let is_same = |other: &Target| {
            other.place() == of.place() && other.assume_role_arn == of.assume_role_arn
        };
        let targets = &self.plan.targets;
        targets.position(is_same).unwrap_or(target)
    }

    /// The same where the Region makes no difference: for IAM.
    pub(super) fn account_place(&self, target: TargetIndex) -> TargetIndex {
        let of = self.target(target);
        let is_same = |other: &Target| {
            other.account == of.account && other.assume_role_arn == of.assume_role_arn
        };
        let targets = &self.plan.targets;
        targets.position(is_same).unwrap_or(target)
    }

    /// A check of the target as a whole.
    pub(super) fn on(&self, id: CheckId, target: TargetIndex) -> CheckPlace<'a> {
        CheckPlace {
            id,
            target,
            restore: None,
        }
    }

    /// A check of a restore.
    pub(super) fn on_step(&self, id: CheckId, step: &'a Step) -> CheckPlace<'a> {
        self.on_place(id, step, step.span, None)
    }

    /// A check of a recovery point.
    pub(super) fn on_point(&self, id: CheckId, step: &'a Step) -> CheckPlace<'a> {
        let written = self.document.restores[step.restore].recovery_point.as_ref();
        let span = written.map_or(step.span, crate::parse::Point::span);
        self.on_place(id, step, span, None)
    }

    /// A check of a metadata key.
    pub(super) fn on_key(&self, id: CheckId, step: &'a Step, key: &str) -> CheckPlace<'a> {
        let restore = &self.document.restores[step.restore];
        let mut entries = restore.metadata.iter();
        let entry = entries.find(|entry| entry.key.value.eq_ignore_ascii_case(key));
        let span = entry.map_or(step.span, |entry| entry.key.span);
        let key = entry.map(|entry| entry.key.value.as_str());
        self.on_place(id, step, span, key)
    }

    fn on_place(
        &self,
        id: CheckId,
        step: &'a Step,
        span: Span,
        key: Option<&'a str>,
    ) -> CheckPlace<'a> {
        let name = &step.name;
        CheckPlace {
            id,
            target: step.target,
            restore: Some(RestorePlace { name, span, key }),
        }
    }

    /// Returns what every principal with a part in the plan needs.
    pub(super) fn needed(&self) -> &[PrincipalPolicy] {
        self.policies.get_or_init(|| super::needed::of_plan(self))
    }

    /// Returns what the values of a request name, as far as they are known.
    pub(super) fn named(&self, step: &Step) -> Vec<NamedValue> {
        let draft = &step.draft;
        let is_known = |key: &str| !draft.holes.contains_key(key);
        let request = &draft.request;
        named_values(
            self.rules,
            &request.resource_type,
            &request.metadata,
            &is_known,
        )
    }
}
