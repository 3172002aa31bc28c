//! A job that AWS does not know, or answers about with another's data.

use std::sync::Arc;

use super::Observer;
use super::engine::{DuplicatePolicy, Stopped};
use super::reconciliation::{Match, Reason, Reconciliation, is_of};
use super::run::Run;
use crate::backup::{ApiError, Clock, Fault, Job, Reader, Writer};
use crate::state::{Event, Journal};

impl<A: Reader + Writer + 'static, J: Journal + 'static, C: Clock, O: Observer>
    Run<'_, A, J, C, O>
{
    /// Why an answer about a job is not about the job of a restore; none where it may be.
    pub(super) fn is_another(&self, step: usize, job: &Job) -> Option<ApiError> {
        let draft = self.complete(step).ok()?;
        let wanted = draft.request.recovery_point_arn.as_str();
        let account = self.engine.plan.targets[self.place(step)].account.as_str();
        let message = match job.recovery_point_arn.as_deref() {
            Some(other) if other != wanted => format!(
                "the answer about job {} is about the recovery point {other}, and the job of `{}` is one of {wanted}",
                job.id,
                self.name(step)
            ),
            _ if !is_of(job, account) => format!(
                "the answer about job {} is about account {}, and `{}` runs in {account}",
                job.id,
                job.account.as_deref().unwrap_or_default(),
                self.name(step)
            ),
            _ => return None,
        };
        Some(ApiError {
            operation: "DescribeRestoreJob",
            fault: Fault::Service,
            code: None,
            request_id: None,
            message,
        })
    }

    /// What a job of a restore has made is not what was asked for: why.
    pub(super) fn misfit(&self, step: usize, job: &Job) -> Option<String> {
        let arn = job.created_resource_arn.as_deref()?;
        let draft = self.complete(step).ok()?;
        let target = &self.engine.plan.targets[self.place(step)];
        let source = job.source_resource_arn.as_deref();
        let why = crate::diff::misfit(arn, source, &draft.request, target)?;
        Some(format!(
            "AWS names {arn}, which this restore cannot have made: {why}"
        ))
    }

    /// AWS does not know the job of a restore: an answer in between was wrong, or this is another account, Region or
    /// endpoint. Its own job is looked for, and nothing is concluded where there is none.
    pub(super) fn not_known(&mut self, step: usize, error: ApiError) -> Result<(), Stopped> {
        let place = self.place(step);
        self.pollers[place].forget(step);
        let restore = self.name(step);
        let found = self
            .complete(step)
            .ok()
            .zip(self.observed.restores.get(&restore));
        let Some((draft, past)) = found else {
            self.stop(Stopped::Aws(error));
            return Ok(());
        };
        let since = self.sent_since(past);
        let identity = self.engine.plan.identity(step, past.attempt);
        let token = crate::plan::token(&identity, &draft.request);
        let request = Arc::new(draft.sent_with(&token));
        let query = self.query(place, &request.resource_type, since);
        self.requests.insert(step, request);
        self.refused.insert(step, error);
        self.ask(
            step,
            Reconciliation::listing(Reason::Lost, query, self.moment()),
        )
    }

    /// The jobs that fit a restore whose job AWS does not know.
    pub(super) fn found_again(&mut self, step: usize, matches: Vec<Match>) -> Result<(), Stopped> {
        let error = self.refused.remove(&step);
        let restore = self.name(step);
        let own = self.job_of(&restore).unwrap_or_default();
        let others = matches.iter().filter(|found| found.job_id != own);
        let chosen = self.chosen(&matches).filter(|found| found.job_id != own);
        let mut marked = others.filter(|found| found.is_marked);
        let found = match (chosen, marked.next(), marked.next()) {
            (Some(chosen), ..) => Some((chosen, super::reconcile::CHOSEN)),
            (None, Some(one), None) => Some((one.clone(), super::reconcile::MARKED)),
            _ => None,
        };
        if let Some((found, because)) = found {
            return self.adopt(step, &found.job_id, because, found.is_marked);
        }
        self.finish_request(step);
        let message = error.map_or_else(String::new, |error| error.message);
        if self.engine.policy.twins == DuplicatePolicy::StartAnyway {
            // A person says that it is gone: another attempt has another token.
            self.emit(vec![Event::Failed {
                restore,
                status: "NOT FOUND".to_owned(),
                message: format!("AWS does not know job {own}: {message}"),
                started_at: None,
                ended_at: None,
                created_resource_arn: None,
            }])?;
            return self.fail(step, "failed");
        }
        self.stop(Stopped::NoSuchJob {
            restore,
            job: own,
            message,
        });
        Ok(())
    }

    fn job_of(&self, restore: &str) -> Option<String> {
        let past = self.observed.restores.get(restore)?;
        past.stage.job_id().map(str::to_owned)
    }
}
