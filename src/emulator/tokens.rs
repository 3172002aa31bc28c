//! What an idempotency token means. AWS documents little of it and has been seen to do more, so that every reading can be
//! switched on: a client that is right under all of them is right.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::error::{ApiError, ErrorCode};

/// How the emulator treats a second StartRestoreJob with the same token.
///
/// The default is the documented meaning: "If you retry a successful request with the same idempotency token, the retry
/// succeeds with no action taken", <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSemantics {
    /// What a replay answers once the job has ended.
    pub after_finish: AfterFinish,
    /// How long a token is remembered; forever, if none. An hour was documented until about 2020 (the page above, in its
    /// first form: tokens time out after one hour).
    pub lifetime: Option<SignedDuration>,
    /// What the same token with another request answers.
    pub mismatch: Mismatch,
}

/// What a replay answers once the job has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterFinish {
    /// The id of the job, as before its end.
    #[default]
    SameJob,
    /// InvalidParameterValueException `Restore job <ID> already finished`, as recorded in 2020.
    AlreadyFinished,
}

/// What the same token with another request answers. AWS does not say; its model of this API has no error for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mismatch {
    /// The id of the earlier job: the request is silently not done.
    #[default]
    SameJob,
    /// InvalidParameterValueException.
    InvalidParameterValue,
    /// InvalidRequestException.
    InvalidRequest,
}

impl TokenSemantics {
    /// Everything that was ever recorded of AWS at once: forgotten after an hour, and an error once the job has ended.
    pub fn recorded() -> TokenSemantics {
        TokenSemantics {
            after_finish: AfterFinish::AlreadyFinished,
            lifetime: Some(SignedDuration::from_hours(1)),
            mismatch: Mismatch::InvalidParameterValue,
        }
    }
}

/// A token and whose it is, hashed: there may be a hundred thousand of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct TokenKey(Digest);

impl TokenKey {
    /// The scope of a token is not documented; account and region are those of every other name in AWS Backup.
    pub(super) fn new(account: &str, region: &str, token: &str) -> TokenKey {
        TokenKey(digest([account, region, token].map(Some)))
    }
}

/// The first half of a SHA-256: no two requests have the same one.
pub(super) type Digest = [u8; 16];

/// A digest of texts, some of them absent.
pub(super) fn digest<'a>(texts: impl IntoIterator<Item = Option<&'a str>>) -> Digest {
    let mut hash = Sha256::new();
    for text in texts {
        // Lengths keep neighbours apart.
        hash.update(
            text.map_or(u64::MAX, |text| text.len() as u64)
                .to_be_bytes(),
        );
        hash.update(text.unwrap_or_default());
    }
    let mut half = Digest::default();
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

/// Tokens in use.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    seen: HashMap<TokenKey, Seen>,
}

#[derive(Debug)]
struct Seen {
    job: usize,
    fingerprint: Digest,
    since: Timestamp,
    /// How many jobs this token has started.
    jobs: u32,
    /// A fault has made it unknown.
    forgotten: bool,
}

/// What a token says about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Start a job; how many jobs the token has started before.
    New(u32),
    /// Start none; answer with this one.
    Replay(usize),
}

impl Tokens {
    /// Judges a request. `finished` says whether a job has ended, and its id.
    pub(super) fn judge(
        &self,
        semantics: TokenSemantics,
        key: TokenKey,
        fingerprint: Digest,
        now: Timestamp,
        finished: impl FnOnce(usize) -> (bool, String),
    ) -> Result<Verdict, ApiError> {
        let Some(seen) = self.seen.get(&key) else {
            return Ok(Verdict::New(0));
        };
        let age = now.duration_since(seen.since);
        if seen.forgotten || semantics.lifetime.is_some_and(|lifetime| age >= lifetime) {
            return Ok(Verdict::New(seen.jobs));
        }
        if seen.fingerprint != fingerprint {
            let message = "The idempotency token was used before with other parameters.";
            match semantics.mismatch {
                Mismatch::SameJob => {}
                Mismatch::InvalidParameterValue => {
                    return Err(ApiError::invalid("IdempotencyToken", message));
                }
                Mismatch::InvalidRequest => {
                    return Err(ApiError::new(ErrorCode::InvalidRequest, message));
                }
            }
        }
        if semantics.after_finish == AfterFinish::AlreadyFinished {
            let (ended, id) = finished(seen.job);
            if ended {
                return Err(ApiError::invalid(
                    "IdempotencyToken",
                    format!("Restore job {id} already finished"),
                ));
            }
        }
        Ok(Verdict::Replay(seen.job))
    }

    /// As if the token had never been seen, but for the count that keeps job ids apart.
    pub(super) fn forget(&mut self, key: TokenKey) {
        if let Some(seen) = self.seen.get_mut(&key) {
            seen.forgotten = true;
        }
    }

    /// Remembers that this token started that job.
    pub(super) fn remember(
        &mut self,
        key: TokenKey,
        fingerprint: Digest,
        now: Timestamp,
        job: usize,
    ) {
        let jobs = self.seen.get(&key).map_or(0, |seen| seen.jobs) + 1;
        let seen = Seen {
            job,
            fingerprint,
            since: now,
            jobs,
            forgotten: false,
        };
        self.seen.insert(key, seen);
    }
}
