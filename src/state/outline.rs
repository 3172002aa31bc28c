//! Input of a run, as far as a report needs it: so that one can be written from the journal alone.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::ids::RestoreName;
use crate::parse::{Check, ConcurrencyLimits, Objectives, OnFailure};
use crate::plan::{Plan, Step};
use crate::render::{Secrets, Target};

/// A plan as a runner took it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outline {
    /// Purpose of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Origin: where it was read, by whom, and in which version.
    #[serde(default)]
    pub origin: Origin,
    /// Objectives of the whole run.
    #[serde(default, skip_serializing_if = "Goals::is_empty")]
    pub objectives: Goals,
    /// The targets that the restores are planned for; those that the run was opened with, where earlier versions name
    /// none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// In the plan's order.
    pub restores: Vec<OutlinedRestore>,
    /// The names of the checks of the plan as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Definition of each of them in the plan; none in earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<String>,
    /// The names of the steps of the cutover, where it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cutover: Vec<String>,
    /// Limits on what could run at once, and whether a failure stopped the rest; earlier versions do not say.
    #[serde(default, skip_serializing_if = "OutlinedLimits::is_empty")]
    pub limits: OutlinedLimits,
    /// Entries of `protect`: they hold when the run is cleaned up, even if the plan has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protect: Vec<String>,
}

/// Limits on what could run at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlinedLimits {
    /// In all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent: Option<u32>,
    /// Of a type, in each target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_type: BTreeMap<String, u32>,
    /// In a target.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_target: BTreeMap<String, u32>,
    /// True if nothing new was started once something had failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stops: bool,
}

impl OutlinedLimits {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn of(limits: &ConcurrencyLimits, on_failure: OnFailure) -> Self {
        Self {
            concurrent: limits.concurrent,
            by_type: limits.by_type.clone(),
            by_target: limits.by_target.clone(),
            stops: on_failure == OnFailure::Stop,
        }
    }
}

/// Origin of a run: who runs it, where, and which version of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// SHA-256 of the plan file, in hexadecimal.
    pub plan_sha256: String,
    /// The commit that is checked out where the plan lies; with `-dirty` where the plan differs from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// ARNs of those whose credentials it uses, by AWS STS; earlier versions and rehearsals do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
    /// The account on that machine.
    pub user: String,
    /// The machine.
    pub host: String,
    /// Its operating system and processor.
    pub system: String,
    /// True for a rehearsal: nothing of it was asked of AWS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rehearsal: bool,
}

/// One restore of an outline.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlinedRestore {
    /// Its name.
    pub name: RestoreName,
    /// AWS's name of the resource type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// The restores that it waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<RestoreName>,
    /// The index of its target.
    #[serde(default, skip_serializing_if = "is_first")]
    pub target: usize,
    /// Objectives of the restore.
    #[serde(default, skip_serializing_if = "Goals::is_empty")]
    pub objectives: Goals,
    /// The names of its checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<String>,
    /// Definition of each of them in the plan; none in earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub definitions: Vec<String>,
}

/// Objectives in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goals {
    /// The recovery time objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<i64>,
    /// The recovery point objective.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpo_seconds: Option<i64>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands a reference over"
)]
fn is_first(target: &usize) -> bool {
    *target == 0
}

impl Goals {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl From<Objectives> for Goals {
    fn from(objectives: Objectives) -> Self {
        let seconds = |duration: SignedDuration| duration.as_secs();
        Self {
            rto_seconds: objectives.rto.map(seconds),
            rpo_seconds: objectives.rpo.map(seconds),
        }
    }
}

impl Outline {
    /// The outline as it may be kept. Names, types and numbers are in the plan as they stand.
    #[must_use]
    pub fn redacted(&self, secrets: &Secrets) -> Self {
        let Self {
            description,
            origin,
            objectives,
            targets,
            restores,
            checks,
            definitions,
            cutover,
            limits,
            // Cannot be made of a secret, and has to hold at a cleanup.
            protect,
        } = self.clone();
        Self {
            description: description.map(|text| secrets.redact_text(&text).into_owned()),
            origin,
            objectives,
            targets: targets.iter().map(|of| of.redacted(secrets)).collect(),
            restores,
            checks,
            definitions,
            cutover,
            limits,
            protect,
        }
    }

    /// The outline of a plan.
    #[must_use]
    pub fn of<'a>(
        plan: &Plan,
        origin: Origin,
        cutover: bool,
        protect: impl Iterator<Item = &'a str>,
    ) -> Self {
        let restore = |step: &Step| OutlinedRestore {
            name: step.name.clone(),
            resource_type: step.draft.request.resource_type.clone(),
            needs: step
                .needs
                .iter()
                .map(|need| plan.steps[*need].name.clone())
                .collect(),
            target: step.target.get(),
            objectives: step.objectives.into(),
            checks: names(&step.checks),
            definitions: definitions(&step.checks),
        };
        Self {
            description: plan.description.clone(),
            origin,
            objectives: plan.objectives.into(),
            targets: plan.targets.to_vec(),
            restores: plan.steps.iter().map(restore).collect(),
            checks: names(&plan.checks),
            definitions: definitions(&plan.checks),
            cutover: if cutover {
                names(&plan.cutover)
            } else {
                Vec::new()
            },
            limits: OutlinedLimits::of(&plan.limits, plan.on_failure),
            protect: protect.map(str::to_owned).collect(),
        }
    }
}

fn names(checks: &[Check]) -> Vec<String> {
    checks
        .iter()
        .map(|check| check.name.value.clone())
        .collect()
}

fn definitions(checks: &[Check]) -> Vec<String> {
    let definitions = checks.iter().map(|check| check.definition.clone());
    definitions.collect()
}
