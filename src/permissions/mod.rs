//! The least that a plan needs: who has to be allowed which actions, on what, and why.
//!
//! Pure: nobody is asked. What the caller needs follows from the calls that a command makes (`caller`), what the role of a
//! restore needs from its type (`schemas/*.yaml`). Actions and resources are those of the service authorization reference,
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html>.

mod caller;
mod deletions;
mod keys;
mod looks;
mod resources;
mod restore_role;
mod statement;

use std::collections::BTreeSet;

pub use caller::BucketPlace;
pub use restore_role::{key_statements, role_statements};
pub(crate) use statement::pascal_case;
pub use statement::{PolicyConditions, PolicyStatement, PolicyStatements};

use crate::ids::AccountId;
use crate::plan::Plan;
use crate::rules::Rules;

/// Task that somebody carries out with a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// `redrill plan`, `render` and `export`: read the recovery points.
    Plan,
    /// `redrill lock`: find the recovery points that selectors mean.
    Lock,
    /// `redrill run`.
    Run,
    /// `redrill run --on step-functions`.
    StepFunctions,
    /// `redrill status`: ask how far jobs are.
    Status,
    /// `redrill cleanup`: delete what a run has made.
    Cleanup,
    /// `redrill preflight`: look at what a run needs.
    Preflight,
    /// The script of a kit.
    Kit,
    /// The role that AWS Backup assumes to carry out a restore.
    RestoreRole,
}

/// Identity that a policy allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// Whoever types the command.
    Caller,
    /// A role that the caller assumes in an account.
    TargetRole {
        /// Its ARN.
        arn: String,
    },
    /// The role that AWS Backup assumes.
    RestoreRole {
        /// Its ARN.
        arn: String,
    },
    /// The role of a state machine.
    MachineRole {
        /// Its ARN.
        arn: String,
    },
    /// A role that a state machine assumes to call AWS Backup.
    MachineTargetRole {
        /// Its ARN.
        arn: String,
    },
}

/// Principal that the trust policy of a role has to name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustedPrincipal {
    /// A service of AWS.
    Service(&'static str),
    /// A role, by its ARN.
    Role(String),
}

impl TrustedPrincipal {
    /// Returns the kind and the value for the element `Principal` of a policy.
    #[must_use]
    pub fn element(&self) -> (&'static str, &str) {
        match self {
            Self::Service(service) => ("Service", service),
            Self::Role(arn) => ("AWS", arn),
        }
    }
}

/// Permissions that one principal needs.
#[derive(Clone, Debug)]
pub struct PrincipalPolicy {
    /// Who.
    pub principal: Principal,
    /// The account that the policy belongs into; none where the caller's is not known.
    pub account: Option<AccountId>,
    /// Principal that has to be able to assume it, if known.
    pub trusts: Option<TrustedPrincipal>,
    /// What.
    pub statements: Vec<PolicyStatement>,
}

/// Facts that are known besides the plan.
#[derive(Clone, Debug, Default)]
pub struct PolicySetting {
    /// Location of the state, if it is in a bucket.
    pub state: Option<BucketPlace>,
    /// True if recovery points are looked up in an inventory, so that AWS is not asked for them.
    pub has_inventory: bool,
    /// The state machines that carry the plan out, by their ARNs.
    pub machines: Vec<String>,
}

/// The policies with which a plan can be carried out, for all these purposes together.
#[must_use]
pub fn policies(
    plan: &Plan,
    rules: &Rules,
    purposes: &BTreeSet<Purpose>,
    setting: &PolicySetting,
) -> Vec<PrincipalPolicy> {
    let mut all = caller::policies(plan, rules, purposes, setting);
    if purposes.contains(&Purpose::RestoreRole) {
        all.extend(restore_role::policies(plan, rules));
    }
    all.retain(|policy| !policy.statements.is_empty());
    all
}
