//! Window in which AWS Backup lists restore jobs.

use jiff::{SignedDuration, Timestamp};

/// AWS Backup's own summaries of jobs reach as far
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRestoreJobSummaries.html>).
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(30 * 24);

/// From when on AWS Backup lists restore jobs.
#[must_use]
pub fn listed_since(now: Timestamp) -> Timestamp {
    now.saturating_sub(LOOK_BACK).unwrap_or(now)
}
