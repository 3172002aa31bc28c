//! Looking for what others have started meanwhile: its calls, and what follows.

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Run;
use crate::backup::{ApiError, Clock, Fault, Job, JobQuery, Operation, Pages, Reader, Writer};
use crate::execute::Observer;
use crate::execute::calls::backoff;
use crate::execute::duplicate_watch::{AFTERWARDS, EVERY, Other, StartedRestore, TRIES};
use crate::execute::engine::Stopped;
use crate::execute::flight::{Kin, OpenRequest, is_of};
use crate::execute::target::TargetState;
use crate::ids::{JobId, StepIndex, TargetIndex};
use crate::plan::TokenedRequest;
use crate::state::{Append, Event, RestoreStage};

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    /// A restore has a job: whether there is a second one is looked at for a while.
    pub(super) fn look_after(
        &mut self,
        step: StepIndex,
        job_id: &JobId,
        request: Option<Arc<TokenedRequest>>,
    ) {
        self.lookout.note_job(job_id);
        let Some(request) = request else {
            return;
        };
        let now = self.engine.clock.now();
        let target = self.target_of(step);
        let look = &mut self.targets[target].look;
        look.due.get_or_insert(now + EVERY);
        look.since.get_or_insert(self.lookout.listed_at);
        self.lookout.note(StartedRestore {
            step,
            target,
            job_id: job_id.to_owned(),
            request,
            at: now,
            marks: OnceCell::new(),
        });
    }

    /// Returns true if a look is still to come before the run may end: something was started after the last one. It
    /// becomes due now.
    pub(super) fn look_last(&mut self) -> bool {
        if self.patience.is_over {
            return false;
        }
        let now = self.engine.clock.now();
        let mut is_to_look = false;
        for (at, target) in self.targets.enumerated_mut() {
            let look = &mut target.look;
            let is_new = |started: &StartedRestore| {
                started.target == at && look.looked.is_none_or(|looked| started.at > looked)
            };
            if look.began.is_some() {
                is_to_look = true;
            } else if self.lookout.started.iter().any(is_new) {
                look.due = Some(now);
                is_to_look = true;
            }
        }
        is_to_look
    }

    /// Makes the calls of looks that are due, as far as the rates let it.
    pub(super) fn look_around(&mut self) {
        let now = self.moment();
        for target in self.targets.positions() {
            while let Some((job_id, point)) = self.targets[target].look.to_ask.pop() {
                if !self
                    .calls
                    .may(target, Operation::GetRestoreJobMetadata, now.here)
                {
                    self.targets[target].look.to_ask.push((job_id, point));
                    break;
                }
                self.calls.other(target, job_id, point);
            }
            let account = &self.engine.plan.targets[target].account;
            let look = &mut self.targets[target].look;
            if look.began.is_none() && look.due.is_some_and(|due| due <= now.here) {
                let since = look.since.unwrap_or(now);
                let since = since.before(AFTERWARDS, self.calls.skew());
                look.began = Some(now);
                look.listing = Some((JobQuery::since(account, since), Pages::default()));
            }
            if let Some((query, pages)) = &look.listing
                && !look.is_asked
                && self.calls.may(target, Operation::ListRestoreJobs, now.here)
            {
                let (query, token) = (query.clone(), pages.token());
                self.targets[target].look.is_asked = true;
                self.calls.around(target, query, token);
            }
        }
    }

    /// A page of a look has come.
    pub(super) fn looked(
        &mut self,
        target: TargetIndex,
        jobs: Vec<Job>,
        next: Option<String>,
    ) -> Result<(), Stopped> {
        let look = &mut self.targets[target].look;
        look.is_asked = false;
        let goes_on = match &mut look.listing {
            Some((_, pages)) => pages.turn(Operation::ListRestoreJobs, next, &jobs),
            None => Ok(false),
        };
        let account = self.engine.plan.targets[target].account.clone();
        let of_others = |job: &Job| !job.id.as_str().is_empty() && is_of(job, &account);
        let jobs: Vec<Job> = jobs
            .into_iter()
            .filter(|job| of_others(job) && !self.lookout.is_own(&job.id))
            .collect();
        if !jobs.is_empty() {
            self.found(target, jobs);
        }
        match goes_on {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.end_look(target, true);
                Ok(())
            }
            Err(endless) => self.not_looked(target, &endless),
        }
    }

    /// Jobs that are not this run's: those of its recovery points are of interest.
    fn found(&mut self, target: TargetIndex, jobs: Vec<Job>) {
        let lookout = &mut self.lookout;
        let started = lookout
            .started
            .iter()
            .filter(|started| started.target == target);
        let points: HashSet<&str> = started
            .map(|started| started.request.recovery_point_arn.as_str())
            .collect();
        let flights = &self.flights;
        let steps = &self.engine.plan.steps;
        let waiting = self
            .schedule
            .waiting()
            .filter(|step| steps[*step].target == target);
        let waiting: HashSet<&str> = waiting
            .filter_map(|step| flights[step].draft.as_ref())
            .map(|draft| draft.request.recovery_point_arn.as_str())
            .collect();
        let TargetState { existing, look, .. } = &mut self.targets[target];
        for job in jobs {
            let Some(arn) = job.recovery_point_arn.as_deref() else {
                continue;
            };
            let before = existing.get(arn);
            let is_known = before.is_some_and(|jobs| jobs.iter().any(|known| known.id == job.id));
            if is_known {
                // The job existed already when the restores that have started were compared with it.
                continue;
            }
            if points.contains(arn) && !lookout.others.contains_key(&job.id) {
                lookout.others.insert(job.id.clone(), None);
                look.to_ask.push((job.id.clone(), arn.to_owned()));
            }
            if waiting.contains(arn) {
                let arn = arn.to_owned();
                existing.entry(arn).or_default().push(job);
            }
        }
    }

    /// A look is over.
    fn end_look(&mut self, target: TargetIndex, is_whole: bool) {
        let now = self.engine.clock.now();
        let waits = match self.lookout.elsewhere {
            Some(_) => self.schedule.waiting().next().is_some(),
            None => self.schedule.has_next(target),
        };
        let lookout = &mut self.lookout;
        let look = &mut self.targets[target].look;
        let Some(began) = look.began.take() else {
            return;
        };
        look.listing = None;
        look.tries = 0;
        look.looked = Some(began.here);
        if is_whole {
            look.since = Some(began);
        }
        lookout.started.retain(|started| {
            started.target != target || began.here.duration_since(started.at) < AFTERWARDS
        });
        let goes_on = waits || lookout.started.iter().any(|of| of.target == target);
        look.due = goes_on.then(|| now + EVERY);
        if lookout.started.is_empty() {
            lookout.others.clear();
        }
        self.looked_elsewhere();
    }

    /// A look got no good answer. Nothing hangs on it: it is tried a few times, and the next one goes back as far.
    pub(super) fn not_looked(
        &mut self,
        target: TargetIndex,
        error: &ApiError,
    ) -> Result<(), Stopped> {
        let now = self.engine.clock.now();
        if error.fault == Fault::Throttled {
            self.calls.throttled(target, error.operation, now);
        }
        let look = &mut self.targets[target].look;
        look.is_asked = false;
        look.tries += 1;
        if look.tries < TRIES && !matches!(error.fault, Fault::Denied | Fault::Refused) {
            look.listing = None;
            look.began = None;
            look.due = Some(now + backoff(look.tries));
            return Ok(());
        }
        self.end_look(target, false);
        Ok(())
    }

    /// Takes in what another job was asked for.
    pub(super) fn told_of_other(
        &mut self,
        job_id: JobId,
        point: String,
        metadata: Result<BTreeMap<String, String>, ApiError>,
    ) -> Result<(), Stopped> {
        let Ok(metadata) = metadata else {
            // The job is asked about again when it shows again.
            self.lookout.others.remove(&job_id);
            return Ok(());
        };
        if self.lookout.is_own(&job_id) {
            return Ok(());
        }
        let is_of_point = |open: &OpenRequest| open.request.recovery_point_arn == point;
        if self.flights.open_requests().any(is_of_point) {
            // Perhaps it is the answer that is on its way; if not, it shows again.
            self.lookout.others.remove(&job_id);
            return Ok(());
        }
        let of_point = |started: &&StartedRestore| started.request.recovery_point_arn == point;
        let found = self
            .lookout
            .started
            .iter()
            .filter(of_point)
            .find_map(|started| {
                let kin = started.kin(&metadata, self.engine.plan)?;
                Some((
                    started.step,
                    started.job_id.clone(),
                    kin,
                    started.request.has_mark(),
                ))
            });
        self.lookout
            .others
            .insert(job_id.clone(), Some(Other { point, metadata }));
        match found {
            Some((step, beside, kin, has_mark)) => self.second(step, job_id, beside, kin, has_mark),
            None => Ok(()),
        }
    }

    /// Compares what was started last with what others have started meanwhile.
    pub(super) fn compare_with_others(&mut self, step: StepIndex) -> Result<(), Stopped> {
        let Some(started) = self.lookout.started.iter().rfind(|of| of.step == step) else {
            return Ok(());
        };
        let others = self.lookout.others.iter();
        let found = others.filter_map(|(job_id, other)| Some((job_id, other.as_ref()?)));
        let found = found
            .filter(|(_, other)| other.point == started.request.recovery_point_arn)
            .find_map(|(job_id, other)| {
                Some((
                    job_id.clone(),
                    started.kin(&other.metadata, self.engine.plan)?,
                ))
            });
        let (beside, has_mark) = (started.job_id.clone(), started.request.has_mark());
        match found {
            Some((job_id, kin)) if job_id != beside => {
                self.second(step, job_id, beside, kin, has_mark)
            }
            _ => Ok(()),
        }
    }

    /// There is a second job: it is said, and unless it may be somebody's who asked by hand nothing more is started.
    fn second(
        &mut self,
        step: StepIndex,
        job_id: JobId,
        beside: JobId,
        kin: Kin,
        has_mark: bool,
    ) -> Result<(), Stopped> {
        if !self.targets[self.target_of(step)].poller.is_seen(step) {
            // Perhaps AWS does not know the job that it has named, and this is the one. It shows again.
            self.lookout.others.remove(&job_id);
            return Ok(());
        }
        self.lookout.note_job(&job_id);
        let restore = self.name(step);
        let past = self.observed.restores.get(&restore);
        let Some(past) = past.filter(|past| past.stage.job_id().is_some()) else {
            return Ok(());
        };
        let has_failed = matches!(past.stage, RestoreStage::Failed { .. });
        if has_failed && matches!(kin, Kin::Attempt(attempt) if attempt > past.attempt) {
            // Somebody retries it, as one may.
            return Ok(());
        }
        let because = match kin {
            Kin::Attempt(attempt) => format!(
                "it has the idempotency mark of attempt {attempt} of this restore: another runner of this run started it"
            ),
            Kin::Marked | Kin::Changed => {
                "it has this restore's idempotency mark: another runner of this run started it, or a request of this one whose answer was lost".to_owned()
            }
            Kin::Alike if has_mark => {
                "it makes the same request, and does not have the mark of another run".to_owned()
            }
            Kin::Alike => "it makes the same request, and no mark shows whose it is".to_owned(),
        };
        self.emit(vec![Event::SecondJob {
            restore: restore.clone(),
            job_id: job_id.clone(),
            beside: beside.clone(),
            because,
        }])?;
        // A job without a mark, where one would tell it apart, may have been requested by hand: it is only reported.
        if kin != Kin::Alike || !has_mark {
            self.stop(Stopped::SecondJob {
                restore,
                job: job_id,
                beside,
            });
        }
        Ok(())
    }
}
