//! A line of the ledger, in its one form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::backup::Endpoint;
use crate::ids::{AccountId, JobId, RegionName, RestoreName, RunId};
use crate::plan::sha256;

/// The name of a ledger, next to the plan.
pub const LEDGER: &str = "proven.jsonl";
/// Schema that every line names.
pub(super) const SCHEMA: &str = "redrill.proof/v1";
/// Meaning of `rto_seconds`.
pub const RTO_IS: &str = "start of the run to the last check passed";
/// Text before the digest, which ends a line.
const DIGEST: &str = ",\"sha256\":\"";
/// Hexadecimal digits of a digest.
const DIGITS: usize = 64;

/// Result of a restore, as far as proof is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofResult {
    /// Restored for real, looked at, and found good.
    Proven,
    /// Restored for real; nothing says that the data is good.
    Restored,
    /// Not restored, or not all of it, or not good.
    Failed,
}

impl ProofResult {
    /// Returns its written form.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Restored => "restored",
            Self::Failed => "failed",
        }
    }
}

/// A line of the ledger: what a run has shown of one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `redrill.proof/v1`.
    pub schema: String,
    /// The digests of the lines that nothing followed when this one was written.
    pub follows: Vec<String>,
    /// ARN of the backed-up resource.
    pub resource_arn: String,
    /// AWS's name of its type.
    #[serde(rename = "type")]
    pub resource_type: String,
    /// Result that was shown.
    pub result: ProofResult,
    /// Reason that it is not proven: an id of [`super::Doubt`]; none if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The recovery point.
    pub recovery_point_arn: Option<String>,
    /// Creation time of the recovery point, by AWS.
    pub recovery_point_created_at: Option<Timestamp>,
    /// Age of the recovery point when the run started, in seconds.
    pub recovery_point_age_seconds: Option<i64>,
    /// End of the last check; without checks, of the job.
    pub at: Timestamp,
    /// Time that it took, in seconds; none if it is not proven.
    pub rto_seconds: Option<i64>,
    /// Meaning of that number.
    pub rto_is: String,
    /// The names of the checks that have passed.
    pub checks: Vec<String>,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: RunId,
    /// The restore's name.
    pub restore: RestoreName,
    /// Its job.
    pub job_id: Option<JobId>,
    /// Number of times that it was sent on purpose.
    pub attempts: u32,
    /// SHA-256 of the statement of the evidence bundle that the run had when this was written.
    pub evidence_sha256: String,
    /// Those who had signed that statement by then, with commas between; none where nobody looked.
    pub signer: Option<String>,
    /// Endpoint of the run.
    pub endpoint: Endpoint,
    /// The account that it was restored in.
    pub account: AccountId,
    /// The Region that it was restored in.
    pub region: RegionName,
    /// The version of redrill that wrote the line.
    pub redrill: String,
}

impl Proof {
    /// The line without its end, and its digest.
    #[must_use]
    pub fn line(&self) -> (String, String) {
        // Texts, times and numbers: serde_json cannot fail on them.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.pop();
        let digest = sha256(&text);
        text.push_str(DIGEST);
        text.push_str(&digest);
        text.push_str("\"}");
        (text, digest)
    }
}

/// Splits a line into the part before its digest, and the digest; none if it does not end with one.
pub(super) fn parted(line: &[u8]) -> Option<(&[u8], &str)> {
    let body = line.strip_suffix(b"\"}")?;
    let (rest, digest) = body.split_at_checked(body.len().checked_sub(DIGITS)?)?;
    let rest = rest.strip_suffix(DIGEST.as_bytes())?;
    let is_digest = digest
        .iter()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let digest = std::str::from_utf8(digest).ok()?;
    is_digest.then_some((rest, digest))
}
