//! Reasons that a restore does not count as proof.

use crate::backup::Endpoint;
use crate::ids::RestoreName;

/// Reason that keeps a restore from being proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// The run was a rehearsal, or at another endpoint than AWS.
    NotAws(Endpoint),
    /// The journal does not say where the run was.
    EndpointUnknown,
    /// A restore of the run was sent, and what became of it is not known.
    Unsettled(RestoreName),
    /// Nothing was sent for it.
    NotStarted,
    /// Its job or its checks have not ended.
    NotOver,
    /// The journal does not say what was backed up.
    ResourceUnknown,
    /// AWS has refused the request.
    Refused(String),
    /// Its job has failed.
    JobFailed(String),
    /// The resource that AWS names as made is not the one asked for.
    Mismatch(String),
    /// Its job is COMPLETED, and AWS says that something is missing.
    Lossy(&'static str),
    /// A check has failed.
    CheckFailed(String),
    /// A check of the plan as a whole has failed.
    PlanCheckFailed(String),
    /// A check could not be run, which says nothing of the data.
    CheckNotRun(String),
    /// The restore has no check.
    NoCheck,
    /// No command of its checks can have looked at the data.
    LooksAtNothing(String),
    /// The resource was deleted before its checks had ended.
    CleanedUpFirst,
    /// Its job was started by somebody else.
    Adopted,
    /// AWS has a second job of it: which of the two made what was checked is not known.
    SecondJob,
}

impl Doubt {
    /// Every id, as the ledger has them.
    pub const IDS: [&'static str; 18] = [
        "not_aws",
        "endpoint_unknown",
        "unsettled",
        "not_started",
        "not_over",
        "resource_unknown",
        "refused",
        "job_failed",
        "mismatch",
        "lossy",
        "check_failed",
        "plan_check_failed",
        "check_not_run",
        "no_check",
        "looks_at_nothing",
        "cleaned_up_first",
        "adopted",
        "second_job",
    ];

    /// Returns its machine-readable id.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::NotAws(_) => "not_aws",
            Self::EndpointUnknown => "endpoint_unknown",
            Self::Unsettled(_) => "unsettled",
            Self::NotStarted => "not_started",
            Self::NotOver => "not_over",
            Self::ResourceUnknown => "resource_unknown",
            Self::Refused(_) => "refused",
            Self::JobFailed(_) => "job_failed",
            Self::Mismatch(_) => "mismatch",
            Self::Lossy(_) => "lossy",
            Self::CheckFailed(_) => "check_failed",
            Self::PlanCheckFailed(_) => "plan_check_failed",
            Self::CheckNotRun(_) => "check_not_run",
            Self::NoCheck => "no_check",
            Self::LooksAtNothing(_) => "looks_at_nothing",
            Self::CleanedUpFirst => "cleaned_up_first",
            Self::Adopted => "adopted",
            Self::SecondJob => "second_job",
        }
    }

    /// Returns its text for people.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NotAws(Endpoint::Rehearsal) => "the run was a rehearsal, not at AWS".to_owned(),
            Self::NotAws(endpoint) => format!("the run was at {endpoint}"),
            Self::EndpointUnknown => {
                "the journal does not say whether the run was at AWS".to_owned()
            }
            Self::Unsettled(restore) => {
                format!("`{restore}` of this run was sent and not answered: run again to settle it")
            }
            Self::NotStarted => "it was not started".to_owned(),
            Self::NotOver => "its job or its checks have not ended".to_owned(),
            Self::ResourceUnknown => {
                "the journal does not say which resource the recovery point was made of".to_owned()
            }
            Self::Refused(why) => format!("AWS refused the request: {why}"),
            Self::JobFailed(why) => format!("its job failed: {why}"),
            Self::Mismatch(why) => why.clone(),
            Self::Lossy(what) => format!("its job is COMPLETED, but {what}"),
            Self::CheckFailed(check) => format!("check `{check}` failed"),
            Self::PlanCheckFailed(check) => format!("check `{check}` of the plan failed"),
            Self::CheckNotRun(check) => format!("check `{check}` could not be run"),
            Self::NoCheck => "it has no check, so nothing looked at the data".to_owned(),
            Self::LooksAtNothing(check) => {
                format!("its checks look at nothing: the command of `{check}` always passes")
            }
            Self::CleanedUpFirst => {
                "what it made was deleted before its checks had passed".to_owned()
            }
            Self::Adopted => "its job was not started by this run".to_owned(),
            Self::SecondJob => {
                "AWS has a second job of it, so which of the two was checked is not known"
                    .to_owned()
            }
        }
    }
}
