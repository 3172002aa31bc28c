//! The state of the service: recovery points, jobs, tokens. Pure and synchronous; time is handed in.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::arn::Arn;
use super::catalog::{Caller, Catalog, Located};
use super::clock::add;
use super::error::{ApiError, ErrorCode};
use super::job::{Job, JobStatus, Outcome};
use super::refusals;
use super::resource_types::{self, PENDING, Place};
use super::start_request::StartRequest;
use super::tokens::{TokenKey, TokenSemantics, Tokens, Verdict};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) catalog: Catalog,
    semantics: TokenSemantics,
    default_region: String,
    /// In the order of their creation.
    jobs: Vec<Arc<Job>>,
    by_id: HashMap<Uuid, usize>,
    /// Names of accounts and regions, once for all jobs.
    names: HashSet<Arc<str>>,
    tokens: Tokens,
    /// When jobs change; what has passed is dropped when somebody looks.
    events: BinaryHeap<Reverse<Timestamp>>,
}

/// The filters of ListRestoreJobs.
#[derive(Debug, Default)]
pub(super) struct JobFilter {
    pub(super) account: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) created_before: Option<Timestamp>,
    pub(super) created_after: Option<Timestamp>,
    pub(super) status: Option<JobStatus>,
    pub(super) complete_before: Option<Timestamp>,
    pub(super) complete_after: Option<Timestamp>,
    pub(super) restore_testing_plan_arn: Option<String>,
    pub(super) parent_job_id: Option<String>,
}

/// A page of jobs, the newest first.
#[derive(Debug)]
pub(super) struct JobPage {
    pub(super) jobs: Vec<Arc<Job>>,
    /// Go on with jobs older than this one.
    pub(super) next: Option<usize>,
}

impl Service {
    pub(super) fn new(
        catalog: Catalog,
        semantics: TokenSemantics,
        default_region: String,
    ) -> Service {
        Service {
            catalog,
            semantics,
            default_region,
            jobs: Vec::new(),
            by_id: HashMap::new(),
            names: HashSet::new(),
            tokens: Tokens::default(),
            events: BinaryHeap::new(),
        }
    }

    /// StartRestoreJob: the id of the job, new or not. Called under the lock that makes the token's check and use one.
    pub(super) fn start(
        &mut self,
        caller: &Caller,
        request: &StartRequest,
        now: Timestamp,
    ) -> Result<Uuid, ApiError> {
        let region = self.region_of(caller, &request.recovery_point_arn);
        let token = request.token.as_deref();
        let key = token.map(|token| TokenKey::new(&caller.account, &region, token));
        let nth = match key {
            None => 0,
            Some(key) => {
                let finished = |index: usize| {
                    let job = &self.jobs[index];
                    (job.status(now).is_terminal(), job.id.to_string())
                };
                let (semantics, digest) = (self.semantics, request.fingerprint);
                match self.tokens.judge(semantics, key, digest, now, finished)? {
                    Verdict::Replay(index) => return Ok(self.jobs[index].id),
                    Verdict::New(nth) => nth,
                }
            }
        };
        let point = self.catalog.find(
            caller,
            &request.recovery_point_arn,
            request.resource_type.as_deref(),
        )?;
        let judged = refusals::Request {
            resource_type: &point.point.resource_type,
            metadata: &request.metadata,
            copy_tags: request.copy_tags,
            point: &point.point,
        };
        refusals::refuse(judged)?;
        let failure = refusals::fail(judged);

        let index = self.jobs.len();
        let id = match token {
            // The same token gives the same id in every emulator, so that a test can name it.
            Some(token) => job_id(&[&caller.account, &region, token, &nth.to_string()]),
            None => job_id(&[&caller.account, &region, &index.to_string()]),
        };
        let home = (self.name(&caller.account), self.name(&region));
        let job = plan_job(id, home, point, request, failure, now);
        self.events.push(Reverse(job.starts_at));
        self.events.push(Reverse(job.ends_at));
        self.by_id.insert(id, index);
        self.jobs.push(Arc::new(job));
        if let Some(key) = key {
            self.tokens.remember(key, request.fingerprint, now, index);
        }
        Ok(id)
    }

    /// The job with that id, if the caller may see it.
    pub(super) fn job(&self, caller: &Caller, id: &str) -> Result<&Arc<Job>, ApiError> {
        // The id is opaque: other ways to write the same UUID are other ids.
        Uuid::try_parse(id)
            .ok()
            .filter(|uuid| uuid.to_string() == id)
            .and_then(|uuid| Some(&self.jobs[*self.by_id.get(&uuid)?]))
            .filter(|job| *job.account == *caller.account && sees(caller, &job.region))
            .ok_or_else(|| {
                ApiError::new(
                    ErrorCode::ResourceNotFound,
                    format!("Restore job {id} does not exist."),
                )
            })
    }

    /// ListRestoreJobs. The order is not documented; the newest first, so that new jobs do not move later pages.
    pub(super) fn list(
        &self,
        caller: &Caller,
        filter: &JobFilter,
        older_than: Option<usize>,
        max: usize,
        now: Timestamp,
    ) -> JobPage {
        let end = older_than.unwrap_or(self.jobs.len()).min(self.jobs.len());
        let mut page = JobPage {
            jobs: Vec::new(),
            next: None,
        };
        let older = self.jobs[..end].iter().enumerate().rev();
        for (index, job) in older.filter(|(_, job)| filter.fits(caller, job, now)) {
            if page.jobs.len() == max {
                // One more is known to exist, so that no page is empty.
                page.next = Some(index + 1);
                break;
            }
            page.jobs.push(Arc::clone(job));
        }
        page
    }

    pub(super) fn all(&self) -> &[Arc<Job>] {
        &self.jobs
    }

    /// When any job changes next.
    pub(super) fn next_event(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some(Reverse(event)) = self.events.peek() {
            if *event > now {
                return Some(*event);
            }
            self.events.pop();
        }
        None
    }

    fn name(&mut self, text: &str) -> Arc<str> {
        match self.names.get(text) {
            Some(name) => Arc::clone(name),
            None => {
                let name: Arc<str> = text.into();
                self.names.insert(Arc::clone(&name));
                name
            }
        }
    }

    /// The region whose endpoint was asked; an unsigned request does not say, its recovery point does.
    fn region_of(&self, caller: &Caller, recovery_point_arn: &str) -> String {
        match &caller.region {
            Some(region) => region.clone(),
            None => match Arn::parse(recovery_point_arn) {
                Some(arn) if !arn.region.is_empty() => arn.region.to_owned(),
                _ => self.default_region.clone(),
            },
        }
    }
}

impl JobFilter {
    fn fits(&self, caller: &Caller, job: &Job, now: Timestamp) -> bool {
        let account = match self.account.as_deref() {
            Some("*") => true,
            Some(account) => *account == *job.account,
            None => *caller.account == *job.account,
        };
        let after = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at > b);
        let before = |bound: Option<Timestamp>, at: Timestamp| bound.is_none_or(|b| at < b);
        account
            && sees(caller, &job.region)
            && self
                .resource_type
                .as_ref()
                .is_none_or(|name| *name == job.point.point.resource_type)
            && after(self.created_after, job.created_at)
            && before(self.created_before, job.created_at)
            && self.status.is_none_or(|status| status == job.status(now))
            && (self.complete_after.is_none() && self.complete_before.is_none()
                || job.ended_at(now).is_some_and(|at| {
                    after(self.complete_after, at) && before(self.complete_before, at)
                }))
            && self.restore_testing_plan_arn.is_none() // none of these jobs is a restore test
            && self.parent_job_id.is_none() // and none is a child
    }
}

fn sees(caller: &Caller, region: &str) -> bool {
    caller.region.as_ref().is_none_or(|own| own == region)
}

fn plan_job(
    id: Uuid,
    (account, region): (Arc<str>, Arc<str>),
    point: Arc<Located>,
    request: &StartRequest,
    failure: Option<refusals::JobFailure>,
    now: Timestamp,
) -> Job {
    let recovery_point = &point.point;
    let row = resource_types::find(&recovery_point.resource_type);
    let behaviour = recovery_point.restore.clone().unwrap_or_default();
    let duration = behaviour.duration.unwrap_or_else(|| {
        resource_types::duration(row, recovery_point.size_bytes, recovery_point.storage_class)
    });
    let (outcome, duration) = match (behaviour.fails, failure) {
        (Some(message), _) => (Outcome::Failed(message), duration),
        (None, Some(failure)) => (
            Outcome::Failed(failure.message),
            failure.after.min(duration),
        ),
        (None, None) => (Outcome::Completed, duration),
    };
    let arn = Arn::parse(&recovery_point.arn);
    let place = Place {
        partition: arn.map_or("aws", |arn| arn.partition),
        region: arn
            .map(|arn| arn.region)
            .filter(|region| !region.is_empty())
            .unwrap_or(&region),
        account: &account,
    };
    let created_arn = resource_types::created_arn(row, place, &request.metadata, &id.to_string());
    let starts_at = add(now, PENDING);
    Job {
        id,
        account,
        body: request.body.as_str().into(),
        iam_role_arn: request.iam_role_arn.as_deref().map(Into::into),
        created_at: now,
        starts_at,
        ends_at: add(starts_at, duration),
        outcome,
        created_arn: created_arn.into(),
        created_arn_early: row.is_some_and(|row| row.early),
        region,
        point,
    }
}

/// Documentation shows restore job ids as UUIDs in upper case, captures of recent years in lower case.
fn job_id(parts: &[&str]) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"redrill emulator restore job");
    Uuid::new_v5(&namespace, parts.join("\n").as_bytes())
}
