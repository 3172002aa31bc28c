//! The state of the service: recovery points, jobs, tokens. Pure and synchronous; time is handed in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::arn::Arn;
use super::catalog::{Caller, Catalog, Located};
use super::clock::add;
use super::error::{ApiError, ErrorCode};
use super::job::{Job, JobStatus, Outcome};
use super::refusals;
use super::resource_types::{self, PENDING, Place};
use super::start_request::StartRequest;
use super::tokens::{TokenSemantics, Tokens, Verdict};

#[derive(Debug)]
pub(super) struct Service {
    pub(super) catalog: Catalog,
    semantics: TokenSemantics,
    default_region: String,
    /// In the order of their creation.
    jobs: Vec<Arc<Job>>,
    by_id: HashMap<String, usize>,
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
    ) -> Result<String, ApiError> {
        let region = self.region_of(caller, &request.recovery_point_arn);
        let key = request
            .token
            .clone()
            .map(|token| ((caller.account.clone(), region.clone()), token));
        let nth = match &key {
            None => 0,
            Some(key) => {
                let finished = |index: usize| {
                    let job = &self.jobs[index];
                    (job.status(now).is_terminal(), job.id.clone())
                };
                let verdict =
                    self.tokens
                        .judge(self.semantics, key, &request.fingerprint, now, finished)?;
                match verdict {
                    Verdict::Replay(index) => return Ok(self.jobs[index].id.clone()),
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
        let id = match &key {
            // The same token gives the same id in every emulator, so that a test can name it.
            Some(((account, region), token)) => job_id(&[account, region, token, &nth.to_string()]),
            None => job_id(&[&caller.account, &region, "", &index.to_string()]),
        };
        let job = plan_job(id, caller, region, point, request, failure, now);
        self.events.push(Reverse(job.starts_at));
        self.events.push(Reverse(job.ends_at));
        let id = job.id.clone();
        self.by_id.insert(id.clone(), index);
        self.jobs.push(Arc::new(job));
        if let Some(key) = key {
            self.tokens.remember(key, request.fingerprint, now, index);
        }
        Ok(id)
    }

    /// The job with that id, if the caller may see it.
    pub(super) fn job(&self, caller: &Caller, id: &str) -> Result<&Arc<Job>, ApiError> {
        self.by_id
            .get(id)
            .map(|index| &self.jobs[*index])
            .filter(|job| job.account == caller.account && sees(caller, &job.region))
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
            Some(account) => account == job.account,
            None => caller.account == job.account,
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
    id: String,
    caller: &Caller,
    region: String,
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
        account: &caller.account,
    };
    let created_arn = resource_types::created_arn(row, place, &request.metadata, &id);
    let starts_at = add(now, PENDING);
    Job {
        id,
        account: caller.account.clone(),
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
fn job_id(parts: &[&str]) -> String {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"redrill emulator restore job");
    Uuid::new_v5(&namespace, parts.join("\n").as_bytes()).to_string()
}

/// What tells a request from another one: all of it but the token.
pub(super) fn fingerprint(
    recovery_point_arn: &str,
    metadata: &BTreeMap<String, String>,
    others: &[Option<&str>],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    // Lengths keep neighbours apart.
    let mut add = |text: &str| {
        hash.update(text.len().to_be_bytes());
        hash.update(text);
    };
    add(recovery_point_arn);
    for (key, value) in metadata {
        add(key);
        add(value);
    }
    for other in others {
        match other {
            Some(text) => add(text),
            None => add("\0"),
        }
    }
    hash.finalize().into()
}
