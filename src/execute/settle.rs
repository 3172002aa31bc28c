//! A request left and no answer came, too long ago for its token to be trusted: does the job exist?
//!
//! AWS documents a token without a lifetime today and said «one hour» in 2019
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>), so an old intent is looked
//! for before it is sent again. `ListRestoreJobs` has no filter by recovery point or token: the window is listed,
//! and the metadata of what is left is compared.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::diff::{ApiError, JobWindow, Reader};
use crate::plan::Request;

/// How long a token is trusted to be remembered: under the hour that AWS once documented.
pub(super) const TOKEN_IS_SAFE: SignedDuration = SignedDuration::from_mins(45);
/// How far the clocks of this machine and AWS may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(15);

/// The jobs that this request may have started.
pub(super) async fn candidates<R: Reader>(
    reader: &R,
    account: &str,
    request: &Request,
    intended_at: Timestamp,
) -> Result<Vec<String>, ApiError> {
    let window = JobWindow {
        account: account.to_owned(),
        resource_type: request.resource_type.clone(),
        created_after: intended_at
            .saturating_sub(CLOCK_SKEW)
            .unwrap_or(intended_at),
    };
    let mut found = Vec::new();
    for job in reader.jobs(&window).await? {
        if job.recovery_point_arn.as_deref() != Some(request.recovery_point_arn.as_str()) {
            continue;
        }
        let metadata = reader.job_metadata(&job.id).await?;
        if folded(&metadata) == folded(&request.metadata) {
            found.push(job.id);
        }
    }
    Ok(found)
}

/// Keys without case, which AWS does not keep for every type, and without the id that a client may add.
fn folded(metadata: &BTreeMap<String, String>) -> BTreeMap<String, &str> {
    metadata
        .iter()
        .map(|(key, value)| (key.to_lowercase(), value.as_str()))
        .filter(|(key, _)| key != "aws:backup:request-id")
        .collect()
}
