//! From the events of one restore, and of one check, to their part of the report.

use jiff::{SignedDuration, Timestamp};

use super::{
    AlsoMade, CheckReport, CheckStatus, Cleanup, ObjectivesReport, RestoreReport, RunStatus, Try,
};
use crate::diff::writes_into_existing;
use crate::ids::{JobId, RestoreName};
use crate::state::{CheckVerdict, Event, Recorded};

/// Tolerance between two clocks that tell the same time.
const CLOCKS_AGREE: SignedDuration = SignedDuration::from_mins(1);

pub(in crate::report) fn not_run(name: &str) -> CheckReport {
    CheckReport {
        name: name.to_owned(),
        ..CheckReport::default()
    }
}

pub(in crate::report) fn take_check(checks: &mut Vec<CheckReport>, recorded: &Recorded) {
    let (Event::CheckStarted { check: name, .. } | Event::CheckEnded { check: name, .. }) =
        &recorded.event
    else {
        return;
    };
    let at = match checks.iter().position(|check| check.name == *name) {
        Some(at) => at,
        None => {
            checks.push(not_run(name));
            checks.len() - 1
        }
    };
    let check = &mut checks[at];
    match &recorded.event {
        Event::CheckStarted {
            run,
            nth,
            definition,
            ..
        } => {
            if check.status == CheckStatus::Passed {
                // The check has passed with another definition.
                *check = not_run(name);
            }
            check.definition.clone_from(definition);
            if check.ended_at.is_some() || check.status == CheckStatus::Running {
                check.earlier.push(Try {
                    ended_at: check.ended_at.take(),
                    exit: check.exit.take(),
                    message: check.message.take(),
                    output: std::mem::take(&mut check.output),
                });
            }
            check.status = CheckStatus::Running;
            check.tries = *nth;
            check.run.clone_from(run);
            check.started_at.get_or_insert(recorded.at);
        }
        Event::CheckEnded {
            verdict,
            exit,
            message,
            output,
            ..
        } => {
            check.status = match verdict {
                CheckVerdict::Passed => CheckStatus::Passed,
                CheckVerdict::Again => CheckStatus::Running,
                CheckVerdict::Failed => CheckStatus::Failed,
            };
            check.ended_at = Some(recorded.at);
            check.exit = *exit;
            check.message.clone_from(message);
            check.output.clone_from(output);
        }
        _ => {}
    }
}

impl CheckReport {
    /// The same as the plan has it now: a pass of something else is none.
    pub(in crate::report) fn under(self, definition: Option<&String>) -> Self {
        let both = self.definition.as_ref().zip(definition);
        let is_other = both.is_some_and(|(was, is)| was != is);
        if self.status != CheckStatus::Passed || !is_other {
            return self;
        }
        Self {
            tries: self.tries,
            message: Some(
                "it passed for an earlier version of the plan; it has to run again".to_owned(),
            ),
            ..not_run(&self.name)
        }
    }
}

impl RestoreReport {
    /// One that nothing is known of.
    pub(in crate::report) fn new(name: &RestoreName) -> Self {
        Self {
            restore: name.clone(),
            resource_type: String::new(),
            needs: Vec::new(),
            target: None,
            status: RunStatus::NotStarted,
            status_before_cleanup: None,
            job_id: None,
            token: None,
            request_sha256: None,
            recovery_point_arn: None,
            attempts: 0,
            adopted: false,
            ended_before: None,
            was_gone: false,
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            mismatch: None,
            second_jobs: Vec::new(),
            message: None,
            checks: Vec::new(),
            validation: None,
            cleanup: None,
            into_existing: false,
            also_made: Vec::new(),
            objectives: ObjectivesReport::default(),
            rto_seconds: None,
            rpo_seconds: None,
        }
    }

    /// Resets it to the state before anything was sent, for another attempt.
    fn afresh(&mut self, attempt: u32) {
        if let Some(arn) = self.created_resource_arn.take() {
            self.also_made.push(AlsoMade {
                arn,
                resource_type: Some(self.resource_type.clone()),
                job_id: self.job_id.take(),
                nested: false,
                cleanup: self.cleanup.take(),
            });
        }
        *self = Self {
            status: RunStatus::Unanswered,
            attempts: attempt,
            adopted: false,
            ended_before: None,
            was_gone: false,
            job_id: None,
            token: None,
            request_sha256: None,
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            mismatch: None,
            message: None,
            checks: Vec::new(),
            validation: None,
            cleanup: None,
            rpo_seconds: None,
            ..self.clone()
        };
    }

    /// The times of a job, as AWS has them.
    fn timed(
        &mut self,
        recorded: &Recorded,
        started_at: Option<Timestamp>,
        ended_at: Option<Timestamp>,
    ) {
        // No job ends before it begins: such times say nothing, and what was seen here does.
        let is_sound = started_at.zip(ended_at).is_none_or(|(from, to)| from <= to);
        let (started_at, ended_at) = match is_sound {
            true => (started_at, ended_at),
            false => (None, None),
        };
        // Nothing is heard of before it happens: the clock of AWS was ahead, and earlier versions did not write by how much.
        let ahead = ended_at
            .map(|ended| ended.duration_since(recorded.at))
            .filter(|ahead| *ahead > CLOCKS_AGREE)
            .unwrap_or_default();
        let here = |at: Timestamp| at.saturating_sub(ahead).unwrap_or(at);
        self.started_at = started_at.map(here).or(self.started_at);
        self.ended_at = Some(ended_at.map_or(recorded.at, here));
    }

    pub(in crate::report) fn take(&mut self, recorded: &Recorded, run_start: Option<Timestamp>) {
        match &recorded.event {
            Event::Intended {
                attempt,
                token,
                digest,
                request,
                ..
            } => {
                self.afresh(*attempt);
                // Both could tell a secret that can be guessed.
                let is_open = !request.hides_secret();
                self.token = is_open.then(|| token.clone());
                self.request_sha256 = is_open.then(|| digest.clone());
                self.recovery_point_arn = Some(request.recovery_point_arn.clone());
                self.resource_type.clone_from(&request.resource_type);
                self.into_existing =
                    writes_into_existing(&request.resource_type, &request.metadata);
            }
            Event::Accepted { job_id, .. } => {
                self.status = RunStatus::Running;
                self.job_id = Some(job_id.clone());
                self.started_at = Some(recorded.at);
            }
            Event::Adopted {
                job_id,
                because,
                ended_at,
                ..
            } => {
                self.status = RunStatus::Running;
                self.job_id = Some(job_id.clone());
                self.started_at = Some(recorded.at);
                self.adopted = true;
                self.ended_before = *ended_at;
                self.message = Some(format!("adopted: {because}"));
            }
            Event::Withdrawn { message, .. } => {
                self.status = RunStatus::NotStarted;
                self.message = Some(message.clone());
            }
            Event::Refused { message, .. } => {
                self.status = RunStatus::Failed;
                self.message = Some(message.clone());
            }
            Event::Rejected {
                attempt, message, ..
            } => {
                self.afresh(*attempt);
                self.status = RunStatus::Failed;
                self.message = Some(message.clone());
            }
            Event::Completed {
                created_resource_arn,
                started_at,
                ended_at,
                recovery_point_created_at,
                message,
                mismatch,
                ..
            } => {
                self.status = RunStatus::Completed;
                self.has_made(created_resource_arn.as_ref());
                self.timed(recorded, *started_at, *ended_at);
                self.mismatch.clone_from(mismatch);
                // The message about how it got its job is worth keeping if AWS says nothing.
                if message.is_some() || !self.adopted {
                    self.message.clone_from(message);
                }
                if let Some(why) = mismatch {
                    self.status = RunStatus::Failed;
                    self.message = Some(format!("COMPLETED, but {why}"));
                }
                self.rpo_seconds = run_start
                    .zip(*recovery_point_created_at)
                    .map(|(start, created)| start.duration_since(created).as_secs());
            }
            Event::Failed {
                status,
                message,
                started_at,
                ended_at,
                created_resource_arn,
                ..
            } => {
                self.status = RunStatus::Failed;
                self.timed(recorded, *started_at, *ended_at);
                // The message does not repeat what is in its status already.
                self.message = Some(match status.as_str() {
                    "FAILED" => message.clone(),
                    _ => format!("{status}: {message}"),
                });
                self.has_made(created_resource_arn.as_ref());
            }
            Event::Nested { jobs, .. } => {
                for job in jobs {
                    let Some(arn) = &job.created_resource_arn else {
                        continue;
                    };
                    if self.made(arn).is_none() {
                        self.also_made.push(AlsoMade {
                            arn: arn.clone(),
                            resource_type: job.resource_type.clone(),
                            job_id: Some(job.job_id.clone()),
                            nested: true,
                            cleanup: None,
                        });
                    }
                }
            }
            Event::SecondJob { job_id, .. } if !self.second_jobs.contains(job_id) => {
                self.second_jobs.push(job_id.clone());
            }
            Event::Skipped { because, .. } => {
                self.status = RunStatus::Skipped;
                self.message = Some(because.clone());
            }
            Event::CheckStarted { .. } | Event::CheckEnded { .. } => {
                take_check(&mut self.checks, recorded);
            }
            Event::Published { status, .. } => self.validation = Some(status.clone()),
            Event::NotPublished { message, .. } => {
                self.validation = Some(match &self.validation {
                    // AWS keeps what it was told first.
                    Some(told) if !told.contains(':') => {
                        format!("{told}; the later verdict was not published: {message}")
                    }
                    _ => format!("not published: {message}"),
                });
            }
            Event::Deleting { arn, .. } => self.is_cleaned_up(arn, Cleanup::Asked),
            Event::Deleted { arn, .. } => {
                self.was_gone = self.ended_before.is_some() && self.cleanup.is_none();
                self.is_cleaned_up(arn, Cleanup::Gone);
            }
            Event::DeletionFailed { arn, message, .. } => {
                self.is_cleaned_up(arn, Cleanup::Left(message.clone()));
            }
            _ => {}
        }
    }

    /// Its job has ended, and AWS says what it made.
    fn has_made(&mut self, arn: Option<&String>) {
        self.created_resource_arn = arn.cloned();
        self.also_made.retain(|made| Some(&made.arn) != arn);
    }

    fn made(&mut self, arn: &str) -> Option<&mut AlsoMade> {
        self.also_made.iter_mut().find(|made| made.arn == arn)
    }

    fn is_cleaned_up(&mut self, arn: &str, cleanup: Cleanup) {
        match self.made(arn) {
            Some(made) => made.cleanup = Some(cleanup),
            None => self.cleanup = Some(cleanup),
        }
    }

    /// Reports that AWS has more than one job for it.
    pub(in crate::report) fn doubled(&self) -> Option<String> {
        if self.second_jobs.is_empty() {
            return None;
        }
        let own = self.job_id.as_ref().map(JobId::as_str).unwrap_or("its own");
        let others = self.second_jobs.join(", ");
        Some(format!(
            "AWS has a second job for it: {others}, in addition to {own}"
        ))
    }
}
