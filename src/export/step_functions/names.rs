//! Names of an export's resources at AWS.

use std::collections::BTreeSet;

use super::{REGION, StepFunctions};
use crate::ids::{AccountId, Arn, RegionName, RunId, StepIndex};
use crate::plan::{Plan, sha256};
use crate::render::Target;

/// Characters of a plan's name in that of a role, which has 64 with `redrill-`, the Region and `-machine`.
const PLAN: usize = 30;

/// The names of one Region's things.
pub(super) struct Names {
    pub(super) region: RegionName,
    /// The account of the machine: that of the Region's first restore.
    pub(super) home: AccountId,
    pub(super) partition: String,
    /// The state machine; its stack and its log group, too.
    pub(super) machine: String,
    pub(super) machine_role: String,
    /// The role that the machine assumes in each account, unless the target names one.
    pub(super) backup_role: String,
    /// In the machine's account and Region.
    pub(super) bucket: String,
    /// Prefix of the keys of the plan's items and results.
    pub(super) keys: String,
    run: RunId,
}

impl Names {
    pub(super) fn new(
        plan: &Plan,
        options: &StepFunctions,
        region: &RegionName,
        members: &[StepIndex],
    ) -> Self {
        let steps = members.iter().map(|at| &plan.steps[*at]);
        let first = steps.clone().next();
        let home = first.map(|step| plan.target_of(step).account.clone());
        let home = home.unwrap_or_default();
        let arn = first.map_or("", |step| &step.draft.request.recovery_point_arn);
        let short = short(&plan.name);
        Self {
            region: region.clone(),
            home,
            partition: Arn::partition_of(arn).to_owned(),
            machine: format!("redrill-{}", plan.name),
            machine_role: format!("redrill-{short}-{region}-machine"),
            backup_role: format!("redrill-{short}-{region}"),
            bucket: options.bucket.replace(REGION, region.as_str()),
            keys: format!("{}{}", options.prefix, plan.name),
            run: plan.run_id.clone(),
        }
    }

    /// The role that the machine assumes to call AWS Backup in a target.
    pub(super) fn role(&self, target: &Target) -> String {
        let own = || {
            self.arn(
                "iam",
                "",
                target.account.as_str(),
                &format!("role/{}", self.backup_role),
            )
        };
        target.assume_role_arn.clone().unwrap_or_else(own)
    }

    /// The accounts in which a role of ours is needed.
    pub(super) fn accounts<'p>(
        &self,
        plan: &'p Plan,
        members: &[StepIndex],
    ) -> BTreeSet<&'p AccountId> {
        let targets = members.iter().map(|at| plan.target_of(&plan.steps[*at]));
        let ours = targets.filter(|target| target.assume_role_arn.is_none());
        ours.map(|target| &target.account).collect()
    }

    pub(super) fn arn(&self, service: &str, region: &str, account: &str, rest: &str) -> String {
        format!("arn:{}:{service}:{region}:{account}:{rest}", self.partition)
    }

    /// An ARN of the Region, in the machine's account.
    pub(super) fn here(&self, service: &str, rest: &str) -> String {
        self.arn(service, self.region.as_str(), self.home.as_str(), rest)
    }

    pub(super) fn machine_arn(&self) -> String {
        self.here("states", &format!("stateMachine:{}", self.machine))
    }

    pub(super) fn machine_role_arn(&self) -> String {
        self.arn(
            "iam",
            "",
            self.home.as_str(),
            &format!("role/{}", self.machine_role),
        )
    }

    /// Returns the location of the results of all runs.
    pub(super) fn results(&self) -> String {
        format!("{}/results", self.keys)
    }

    /// The key of the items of a pool, by the name of its file.
    pub(super) fn items_key(&self, file: &str) -> String {
        format!("{}/runs/{}/{}/{file}", self.keys, self.run, self.region)
    }

    /// The stack's name, which may have no `_`.
    pub(super) fn stack(&self) -> String {
        self.machine.replace('_', "-")
    }
}

/// A plan's name, cut where it is long; what tells it from others is kept.
fn short(name: &str) -> String {
    if name.len() <= PLAN {
        return name.to_owned();
    }
    let hash = &sha256(name)[..6];
    let start: String = name.chars().take(PLAN - 7).collect();
    format!("{start}-{hash}")
}
