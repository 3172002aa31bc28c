//! Meaning of an idempotency token. AWS documents little of it and has been seen to do more, so that every reading can
//! be switched on: a client that is right under all of them is right.

use std::collections::HashMap;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::error::{ApiError, ErrorCode};
use super::job::Job;
use super::start_request::Asks;

/// Treatment of a second StartRestoreJob with the same token.
///
/// The default is the documented meaning: "If you retry a successful request with the same idempotency token, the retry
/// succeeds with no action taken", <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSemantics {
    /// Answer to a replay once the job has ended.
    pub after_finish: AfterFinish,
    /// Time for which a token is remembered; forever, if none. An hour was documented until about 2020 (the page above,
    /// in its first form: tokens time out after one hour).
    pub lifetime: Option<SignedDuration>,
    /// Answer to the same token with another request.
    pub mismatch: Mismatch,
}

/// Answer to a replay once the job has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterFinish {
    /// The id of the job, as before its end.
    #[default]
    SameJob,
    /// InvalidParameterValueException `Restore job <ID> already finished`, as recorded in 2020.
    AlreadyFinished,
}

/// Answer to the same token with another request. AWS does not say; its model of this API has no error for it.
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

/// Reason why a text says nothing of tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TokenSemanticsError(String);

/// `documented`, `recorded`, and single choices after one of them or alone: `recorded,lifetime=10m`,
/// `mismatch=invalid-request`.
impl FromStr for TokenSemantics {
    type Err = TokenSemanticsError;

    fn from_str(text: &str) -> Result<TokenSemantics, TokenSemanticsError> {
        let mut semantics = TokenSemantics::default();
        for (place, word) in text.split(',').enumerate() {
            match (place, word) {
                (0, "documented") => {}
                (0, "recorded") => semantics = TokenSemantics::recorded(),
                (_, "after-finish=same-job") => semantics.after_finish = AfterFinish::SameJob,
                (_, "after-finish=already-finished") => {
                    semantics.after_finish = AfterFinish::AlreadyFinished;
                }
                (_, "mismatch=same-job") => semantics.mismatch = Mismatch::SameJob,
                (_, "mismatch=invalid-parameter-value") => {
                    semantics.mismatch = Mismatch::InvalidParameterValue;
                }
                (_, "mismatch=invalid-request") => semantics.mismatch = Mismatch::InvalidRequest,
                (_, "lifetime=forever") => semantics.lifetime = None,
                _ => match word.strip_prefix("lifetime=").map(str::parse) {
                    Some(Ok(lifetime)) if lifetime > SignedDuration::ZERO => {
                        semantics.lifetime = Some(lifetime);
                    }
                    Some(_) => {
                        let words = format!("{word:?} is not a lifetime: write 1h, 90m or forever");
                        return Err(TokenSemanticsError(words));
                    }
                    None => {
                        return Err(TokenSemanticsError(format!(
                            "{word:?} is none of documented, recorded (both first), \
                             after-finish=same-job|already-finished, lifetime=1h|forever, \
                             mismatch=same-job|invalid-parameter-value|invalid-request"
                        )));
                    }
                },
            }
        }
        Ok(semantics)
    }
}

/// Facts about tokens beyond the jobs themselves. The first job of a token is found by its id, which is made from the
/// token; this holds the few tokens for which that is not enough.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<Uuid, Seen>);

/// A token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The last job that it has started, in the order of creation.
    pub(super) job: usize,
    /// Number of jobs that it has started.
    pub(super) jobs: u32,
    /// A fault has made it unknown.
    pub(super) forgotten: bool,
}

impl Tokens {
    /// A token by its first job's id and place.
    pub(super) fn seen(&self, first: Uuid, place: usize) -> Seen {
        let once = Seen {
            job: place,
            jobs: 1,
            forgotten: false,
        };
        self.0.get(&first).copied().unwrap_or(once)
    }

    /// Forgets the token, except for the count that keeps job ids apart.
    pub(super) fn forget(&mut self, first: Uuid, seen: Seen) {
        let forgotten = true;
        self.0.insert(first, Seen { forgotten, ..seen });
    }

    /// Remembers that this token has started another job.
    pub(super) fn again(&mut self, first: Uuid, seen: Seen, job: usize) {
        let seen = Seen {
            job,
            jobs: seen.jobs + 1,
            forgotten: false,
        };
        self.0.insert(first, seen);
    }
}

/// Returns true if a request with a token that has started `job` is a replay, which starts none; otherwise the token
/// counts as new.
pub(super) fn is_replay(
    semantics: TokenSemantics,
    job: &Job,
    request: &Asks<'_>,
    now: Timestamp,
) -> Result<bool, ApiError> {
    let age = now.duration_since(job.created_at);
    if semantics.lifetime.is_some_and(|lifetime| age >= lifetime) {
        return Ok(false);
    }
    if semantics.mismatch != Mismatch::SameJob && !job.was_asked_for_by(request) {
        let message = "The idempotency token was used before with other parameters.";
        return Err(match semantics.mismatch {
            Mismatch::InvalidRequest => ApiError::new(ErrorCode::InvalidRequest, message),
            _ => ApiError::invalid("IdempotencyToken", message),
        });
    }
    if semantics.after_finish == AfterFinish::AlreadyFinished && job.status(now).is_terminal() {
        let id = job.id;
        return Err(ApiError::invalid(
            "IdempotencyToken",
            format!("Restore job {id} already finished"),
        ));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_words() {
        let parse = |text: &str| text.parse::<TokenSemantics>();
        assert_eq!(parse("documented"), Ok(TokenSemantics::default()));
        assert_eq!(parse("recorded"), Ok(TokenSemantics::recorded()));
        assert_eq!(
            parse("recorded,lifetime=forever,mismatch=invalid-request"),
            Ok(TokenSemantics {
                after_finish: AfterFinish::AlreadyFinished,
                lifetime: None,
                mismatch: Mismatch::InvalidRequest,
            })
        );
        let hour = Some(SignedDuration::from_mins(90));
        assert_eq!(parse("lifetime=1h 30m").unwrap().lifetime, hour);
        for bad in [
            "",
            "lifetime=1h,recorded",
            "lifetime=soon",
            "lifetime=-1h",
            "lifetime=0s",
            "x",
            "recorded,",
        ] {
            parse(bad).unwrap_err();
        }
    }
}
