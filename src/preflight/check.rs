//! Results of checks, and how many restores they concern.

use std::collections::BTreeMap;

use crate::diagnostic::{Position, Span};
use crate::ids::{RestoreName, TargetIndex};

/// Verdict of a check, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PreflightVerdict {
    /// The restore would fail.
    Fail,
    /// The restore may fail, or do something other than is meant.
    Warn,
    /// The check could not be made.
    Unknown,
    /// Nothing stands in the way.
    Pass,
}

impl PreflightVerdict {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Fail, Self::Warn, Self::Unknown, Self::Pass];

    /// Returns the name that machines read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Pass => "pass",
        }
    }
}

macro_rules! checks {
    ($($name:ident $id:literal $says:literal,)*) => {
        /// Check that preflight makes. The id is for machines, and never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "each says what it checks")]
        pub enum CheckId { $($name,)* }

        impl CheckId {
            /// All of them, in the order of reports.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the id that machines read.
            #[must_use]
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// Describes what it checks.
            #[must_use]
            pub fn says(self) -> &'static str {
                match self { $(Self::$name => $says,)* }
            }
        }
    };
}

checks! {
    CallerAccount "caller/account" "the credentials belong to the account and partition of the target",
    CallerSession "caller/session" "the session of the caller lasts as long as the run",
    CallerActions "caller/actions" "the caller may do what this plan needs",
    RegionEnabled "region/enabled" "the Region is enabled in the account",
    RegionValue "region/value" "no value names an ARN or a zone of another Region or account than the target's",
    RoleAccount "role/account" "the restore role is of the account and partition of the target",
    RoleExists "role/exists" "the restore role exists",
    RoleTrust "role/trust" "the restore role trusts backup.amazonaws.com",
    RolePass "role/pass" "the caller may pass the restore role to AWS Backup",
    RoleActions "role/actions" "the restore role may do what the resource types need",
    PointExists "point/exists" "the recovery point exists, in the vault that is named",
    PointStatus "point/status" "the recovery point can be restored",
    PointStorage "point/storage" "the storage class of the recovery point, and what it asks for",
    PointExpiry "point/expiry" "the recovery point is not deleted before the run has ended",
    PointVault "point/vault" "the access policy and the owner of the vault let the caller restore from it",
    PointScan "point/scan" "scans for malware found nothing in the recovery point",
    KeyExists "key/exists" "the KMS key exists",
    KeyRegion "key/region" "the KMS key is of the target's Region",
    KeyEnabled "key/enabled" "the KMS key is enabled",
    KeyAllowed "key/allowed" "the restore role may use the KMS key",
    NetworkExists "network/exists" "what the request names of the network exists in the target",
    NetworkVpc "network/vpc" "what has to be of one VPC is of one VPC",
    NetworkAddresses "network/addresses" "the subnets have room for what the plan puts into them",
    ReferenceExists "reference/exists" "what else the request names by a name exists in the target",
    NameFree "name/free" "a name that has to be new is free",
    ExistingThere "existing/there" "what the restore writes into exists",
    QuotaService "quota/service" "the quota of the service has room for what the plan makes",
    QuotaConcurrent "quota/concurrent" "how many restores of a type AWS runs at once",
    CommandReady "command/ready" "the program of a check or a cutover step can be started",
}

/// A restore that a check is about, and where the plan says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcernedRestore {
    /// Its name.
    pub restore: RestoreName,
    /// Position in the plan of what was checked.
    pub at: Position,
    /// The metadata key, where it is one.
    pub key: Option<String>,
}

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreflightCheck {
    /// Check that was made.
    pub id: CheckId,
    /// The index of the target; none of what belongs to no target.
    pub target: Option<TargetIndex>,
    /// Verdict of the check.
    pub verdict: PreflightVerdict,
    /// Finding, and what follows from it.
    pub message: String,
    /// Advice on what to do; empty where there is nothing to do.
    pub help: String,
    /// Question that was asked, and what was seen.
    pub evidence: CheckEvidence,
    /// The restores that it is about; none where it is about the target as a whole.
    pub restores: Vec<ConcernedRestore>,
}

/// Evidence that a verdict is based on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckEvidence {
    /// The call, and what it was about.
    pub asked: String,
    /// The answer.
    pub seen: String,
}

impl CheckEvidence {
    /// Records what was asked, and what was seen.
    pub(super) fn new(asked: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            asked: asked.into(),
            seen: seen.into(),
        }
    }
}

/// Check, and what it is made of.
#[derive(Clone, Copy)]
pub(super) struct CheckPlace<'s> {
    pub(super) id: CheckId,
    pub(super) target: TargetIndex,
    pub(super) restore: Option<RestorePlace<'s>>,
}

/// Place where the plan mentions something.
#[derive(Clone, Copy)]
pub(super) struct RestorePlace<'s> {
    pub(super) name: &'s RestoreName,
    pub(super) span: Span,
    pub(super) key: Option<&'s str>,
}

/// All checks, each once: restores that have the same mistake are in one.
#[derive(Debug, Default)]
pub(super) struct CheckList {
    all: Vec<PreflightCheck>,
    by_words: BTreeMap<(CheckId, Option<TargetIndex>, PreflightVerdict, String), usize>,
}

impl CheckList {
    pub(super) fn add(
        &mut self,
        on: CheckPlace<'_>,
        verdict: PreflightVerdict,
        (message, help): (String, String),
        evidence: CheckEvidence,
    ) {
        let all = &mut self.all;
        let key = (on.id, Some(on.target), verdict, message);
        let at = match self.by_words.get(&key) {
            Some(at) => *at,
            None => {
                let at = all.len();
                all.push(PreflightCheck {
                    id: on.id,
                    target: Some(on.target),
                    verdict,
                    message: key.3.clone(),
                    help,
                    evidence,
                    restores: Vec::new(),
                });
                self.by_words.insert(key, at);
                at
            }
        };
        if let Some(place) = on.restore {
            let concerned = ConcernedRestore {
                restore: place.name.clone(),
                at: place.span.start,
                key: place.key.map(str::to_owned),
            };
            let restores = &mut all[at].restores;
            if restores.last() != Some(&concerned) {
                restores.push(concerned);
            }
        }
    }

    /// Nothing stands in the way.
    pub(super) fn pass(
        &mut self,
        on: CheckPlace<'_>,
        message: impl Into<String>,
        evidence: CheckEvidence,
    ) {
        self.add(
            on,
            PreflightVerdict::Pass,
            (message.into(), String::new()),
            evidence,
        );
    }

    pub(super) fn push(&mut self, check: PreflightCheck) {
        self.all.push(check);
    }

    /// The worst first, then in the order of ids and the plan.
    pub(super) fn into_sorted(mut self) -> Vec<PreflightCheck> {
        self.all
            .sort_by_key(|check| (check.verdict, check.id, check.target));
        self.all
    }
}
