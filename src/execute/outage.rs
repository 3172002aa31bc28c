//! Calls that get no good answer: when they are made again, and for how long.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{StepIndex, TargetIndex};

/// Time that AWS may be silent while jobs are followed.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// Time that it may be silent while nothing runs that would be worth waiting for.
pub(super) const PATIENCE_WITHOUT_JOBS: SignedDuration = SignedDuration::from_mins(1);
/// Time that a person has to log in again.
pub(super) const PATIENCE_FOR_LOGIN: SignedDuration = SignedDuration::from_hours(1);
/// Longer than any call takes with the wait before it.
pub(super) const LONGEST_TRY: SignedDuration = SignedDuration::from_mins(2);

/// An operation that fails.
#[derive(Debug)]
pub(super) struct Outage {
    /// Since when, without what the machine slept through.
    pub(super) since: Timestamp,
    /// Time of the last failure.
    pub(super) last: Timestamp,
    /// AWS's last answer, or why there was none.
    pub(super) message: String,
}

/// Owner of a call that got no good answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Caller {
    /// A restore's, by its step.
    Restore(StepIndex),
    /// A listing of a target.
    Target(TargetIndex),
}

/// Record of how long AWS has been silent.
#[derive(Debug)]
pub(super) struct OutagePatience {
    /// The last good answer.
    pub(super) last_success: Timestamp,
    /// Set once AWS has been silent for longer than anybody wants to wait.
    pub(super) is_over: bool,
}
