//! Events without secrets, as they are shown, kept and handed over.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Event, NestedJob, Recorded};
use crate::ids::{ClientToken, IdempotencyToken, JobId, RequestDigest};
use crate::plan::{MARK, mark};
use crate::render::{REDACTED, Secrets, Target};

impl Recorded {
    /// The same as it may be shown and kept.
    #[must_use]
    pub fn redacted(&self, secrets: &Secrets) -> Self {
        Self {
            event: self.event.clone().redacted(secrets),
            ..self.clone()
        }
    }

    /// The same for whoever is given a bundle: without tokens and digests from which a secret could be guessed that was
    /// left out of what they were made of.
    #[must_use]
    pub fn unguessable(mut self) -> Self {
        let hide = |text: &mut String| REDACTED.clone_into(text);
        match &mut self.event {
            Event::Intended {
                token,
                digest,
                request,
                ..
            } if request.hides_secret() => {
                if let Some(of_mark) = request.metadata.get_mut(MARK)
                    && *of_mark == mark(token)
                {
                    hide(of_mark);
                }
                if let Some(token) = &mut request.idempotency_token {
                    *token = IdempotencyToken::new(REDACTED);
                }
                *token = IdempotencyToken::new(REDACTED);
                *digest = RequestDigest::new(REDACTED);
            }
            Event::Deleting { arn, token, .. } if arn.contains(REDACTED) => {
                *token = ClientToken::new(REDACTED);
            }
            _ => {}
        }
        self
    }
}

impl Event {
    /// The event as it may be shown and kept: every text that a plan, AWS or a command can put a secret into is cleaned.
    ///
    /// Every field is named here, so that one that is added has to be thought of. Left as they are: names that are in the
    /// plan as they stand and cannot be made of a secret, digests, tokens, times and numbers.
    #[must_use]
    pub fn redacted(mut self, secrets: &Secrets) -> Self {
        let sentence = |text: &mut String| secrets.redact_sentence(text);
        let name = |text: &mut String| secrets.redact_name_in(text);
        let job = |id: &mut JobId| {
            if let Cow::Owned(redacted) = secrets.redact_name(id.as_str()) {
                *id = JobId::new(redacted);
            }
        };
        let at = |target: &mut Target| {
            if !secrets.is_empty() {
                *target = target.redacted(secrets);
            }
        };
        match &mut self {
            Self::RunOpened {
                plan: _,
                run: _,
                redrill: _,
                world: _,
                target,
                others,
                file,
                options,
                saved_plan: _,
                reports: _,
                // Numbers.
                forecast: _,
            } => {
                at(target);
                others.iter_mut().for_each(at);
                options.iter_mut().for_each(name);
                name(file);
            }
            Self::RunResumed {
                redrill: _,
                world: _,
                saved_plan: _,
                reports: _,
            } => {}
            Self::Planned { outline } => {
                if !secrets.is_empty() {
                    *outline = Arc::new(outline.redacted(secrets));
                }
            }
            Self::Resolved {
                restore: _,
                measured_from: _,
                // A selector cannot hold a secret, and what it means is looked up again by it.
                point: _,
            } => {}
            Self::Intended {
                restore: _,
                attempt: _,
                token: _,
                digest: _,
                request,
                aws_at: _,
                adopts,
            } => {
                adopts.iter_mut().for_each(job);
                if !secrets.is_empty() {
                    *request = request.redacted(secrets);
                }
            }
            Self::Accepted {
                restore: _,
                job_id,
                request_id,
            } => {
                job(job_id);
                request_id.iter_mut().for_each(name);
            }
            Self::Adopted {
                restore: _,
                job_id,
                because,
                ours: _,
                ended_at: _,
                former,
            } => {
                job(job_id);
                former.iter_mut().for_each(job);
                sentence(because);
            }
            Self::SecondJob {
                restore: _,
                job_id,
                beside,
                because,
            } => {
                job(job_id);
                job(beside);
                sentence(because);
            }
            Self::Refused {
                restore: _,
                code,
                request_id,
                message,
            } => {
                request_id.iter_mut().for_each(name);
                code.iter_mut().for_each(sentence);
                sentence(message);
            }
            Self::Rejected {
                restore: _,
                attempt: _,
                message,
            }
            | Self::Withdrawn {
                restore: _,
                message,
            }
            | Self::NotPublished {
                restore: _,
                message,
            }
            | Self::AwsUnavailable { message } => sentence(message),
            Self::Waiting { awaited } => awaited.redact(secrets),
            Self::StatusChanged { restore: _, status } | Self::Published { restore: _, status } => {
                sentence(status);
            }
            Self::Nested {
                restore: _,
                job_id,
                jobs,
            } => {
                job(job_id);
                for NestedJob {
                    job_id,
                    status,
                    resource_type: _,
                    recovery_point_arn,
                    created_resource_arn,
                } in jobs
                {
                    job(job_id);
                    sentence(status);
                    recovery_point_arn.iter_mut().for_each(name);
                    created_resource_arn.iter_mut().for_each(name);
                }
            }
            Self::Completed {
                restore: _,
                created_resource_arn,
                started_at: _,
                ended_at: _,
                recovery_point_created_at: _,
                message,
                mismatch,
                size_bytes: _,
                source_resource_arn,
            } => {
                mismatch.iter_mut().for_each(sentence);
                created_resource_arn.iter_mut().for_each(name);
                source_resource_arn.iter_mut().for_each(name);
                message.iter_mut().for_each(sentence);
            }
            Self::Failed {
                restore: _,
                status,
                message,
                started_at: _,
                ended_at: _,
                created_resource_arn,
                source_resource_arn,
            } => {
                created_resource_arn.iter_mut().for_each(name);
                source_resource_arn.iter_mut().for_each(name);
                sentence(status);
                sentence(message);
            }
            Self::Skipped {
                restore: _,
                because,
            } => sentence(because),
            Self::CheckStarted {
                restore: _,
                check: _,
                cutover: _,
                nth: _,
                run,
                definition: _,
                begun: _,
                earlier,
            } => {
                for word in run {
                    secrets.redact_in(word);
                    name(word);
                }
                earlier.iter_mut().for_each(sentence);
            }
            Self::CheckEnded {
                restore: _,
                check: _,
                cutover: _,
                nth: _,
                verdict: _,
                exit: _,
                message,
                output,
            } => {
                sentence(output);
                message.iter_mut().for_each(sentence);
            }
            Self::Deleting {
                restore: _,
                arn,
                token: _,
            }
            | Self::Deleted { restore: _, arn } => name(arn),
            Self::DeletionFailed {
                restore: _,
                arn,
                message,
            } => {
                name(arn);
                sentence(message);
            }
            Self::CallsMade { calls: _ }
            | Self::Overdue { restore: _ }
            | Self::Recovered
            | Self::Draining
            | Self::Detached
            | Self::RunEnded => {}
        }
        self
    }
}
