//! A job that AWS does not know, or answers about with another's data.

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Job, Operation, Reader, Writer};
use crate::execute::Observer;
use crate::execute::engine::Stopped;
use crate::execute::flight::{OpenRequest, Phase, Reconciliation, ReconciliationReason, is_of};
use crate::ids::StepIndex;
use crate::state::Append;

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// Explains why an answer about a job is not about the job of a restore; none if it may be.
    pub(super) fn is_another(&self, step: StepIndex, job: &Job) -> Option<ApiError> {
        let draft = self.complete(step).ok()?;
        let wanted = draft.request.recovery_point_arn.as_str();
        let account = &self.engine.plan.targets[self.target_of(step)].account;
        let message = match job.recovery_point_arn.as_deref() {
            Some(other) if other != wanted => format!(
                "the answer about job {} is about the recovery point {other}, and the job of `{}` is one of {wanted}",
                job.id,
                self.name(step)
            ),
            _ if !is_of(job, account) => format!(
                "the answer about job {} is about account {}, and `{}` runs in {account}",
                job.id,
                job.account.clone().unwrap_or_default(),
                self.name(step)
            ),
            _ => return None,
        };
        Some(ApiError {
            operation: Operation::DescribeRestoreJob,
            fault: Fault::Service,
            code: None,
            request_id: None,
            message,
        })
    }

    /// Explains why what a job of a restore has made is not what was asked for.
    pub(super) fn misfit(&self, step: StepIndex, job: &Job) -> Option<String> {
        let arn = job.created_resource_arn.as_deref()?;
        let draft = self.complete(step).ok()?;
        let target = &self.engine.plan.targets[self.target_of(step)];
        let source = job.source_resource_arn.as_deref();
        let why = crate::diff::misfit(arn, source, &draft.request, target)?;
        Some(format!(
            "AWS names {arn}, which this restore cannot have made: {why}"
        ))
    }

    /// AWS does not know the job of a restore: an answer in between was wrong, or this is another account, Region or
    /// endpoint. Its own job is looked for, and nothing is concluded where there is none.
    pub(super) fn not_known(&mut self, step: StepIndex, error: ApiError) -> Result<(), Stopped> {
        // An answer that is older than the end that another has told.
        if !matches!(self.flights[step].phase, Phase::Quiet) {
            return Ok(());
        }
        let target = self.target_of(step);
        self.targets[target].poller.forget(step);
        let restore = self.name(step);
        let found = self
            .complete(step)
            .ok()
            .zip(self.observed.restores.get(&restore));
        let Some((draft, past)) = found else {
            self.stop(Stopped::Aws(error));
            return Ok(());
        };
        let now = self.moment();
        let since = now.left(past).sent_since(self.calls.skew());
        let request = self.request_of(step, past.attempt, &draft);
        let open = OpenRequest::new(request).refused(error);
        let account = &self.engine.plan.targets[target].account;
        let query = open.query(account, since);
        self.flights.open(step, open);
        self.decide(step, |open, sight| {
            open.reconcile(
                Reconciliation::listing(ReconciliationReason::Lost, query, now),
                sight,
            )
        })
    }
}
