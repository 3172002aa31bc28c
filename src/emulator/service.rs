//! The state of the service: recovery points, jobs, tokens. Pure and synchronous; time is handed in.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::arn::Arn;
use super::catalog::{Caller, Catalog, Located};
use super::cloud_control::CloudControl;
use super::concurrency::Places;
use super::course::{self, JobFault, Order};
use super::error::{ApiError, ErrorCode};
use super::job::{Job, Outcome};
use super::listing::sees;
use super::nested;
use super::permissions::allowed;
use super::refusals;
use super::resource_types;
use super::start_request::StartRequest;
use super::tokens::{TokenKey, TokenSemantics, Tokens, Verdict};
use super::validation::ValidationResult;

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
    places: Places,
    /// What jobs created under a name of the request's own choice, by ARN.
    created: HashMap<Box<str>, usize>,
    /// What was asked of Cloud Control API.
    pub(super) cloud: CloudControl,
    /// When a recovery point was last restored from.
    restored: BTreeMap<Arc<str>, Timestamp>,
    /// When jobs change; what has passed is dropped when somebody looks.
    events: BinaryHeap<Reverse<Timestamp>>,
}

/// What faults do to one StartRestoreJob.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twist<'a> {
    pub(super) job: Option<&'a JobFault>,
    pub(super) forget_token: bool,
}

/// The answer to a StartRestoreJob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) id: Uuid,
    /// The region it was asked of, if this request made the job.
    pub(super) made_in: Option<String>,
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
            places: Places::default(),
            created: HashMap::new(),
            cloud: CloudControl::default(),
            restored: BTreeMap::new(),
            events: BinaryHeap::new(),
        }
    }

    /// StartRestoreJob: the id of the job, new or not. Called under the lock that makes the token's check and use one.
    pub(super) fn start(
        &mut self,
        caller: &Caller,
        request: &StartRequest,
        now: Timestamp,
        twist: Twist<'_>,
    ) -> Result<Started, ApiError> {
        let arn = request.recovery_point_arn.as_str();
        allowed(&self.catalog, caller, "backup:StartRestoreJob", arn)?;
        if let Some(role) = &request.iam_role_arn {
            allowed(&self.catalog, caller, "iam:PassRole", role)?;
        }
        let region = self.region_of(caller, arn);
        let token = request.token.as_deref();
        let key = token.map(|token| TokenKey::new(&caller.account, &region, token));
        if let (Some(key), true) = (key, twist.forget_token) {
            self.tokens.forget(key);
        }
        let nth = match key {
            None => 0,
            Some(key) => {
                let finished = |index: usize| {
                    let job = &self.jobs[index];
                    (job.status(now).is_terminal(), job.id.to_string())
                };
                let (semantics, digest) = (self.semantics, request.fingerprint);
                match self.tokens.judge(semantics, key, digest, now, finished)? {
                    Verdict::Replay(index) => {
                        return Ok(Started {
                            id: self.jobs[index].id,
                            made_in: None,
                        });
                    }
                    Verdict::New(nth) => nth,
                }
            }
        };
        let point = self
            .catalog
            .find(caller, arn, request.resource_type.as_deref())?;
        let id = match token {
            // The same token gives the same id in every emulator, so that a test can name it.
            Some(token) => job_id(&[&caller.account, &region, token, &nth.to_string()]),
            None => {
                let index = self.jobs.len().to_string();
                job_id(&[&caller.account, &region, &index])
            }
        };
        let index = self.create(caller, &region, request, point, id, now, twist.job)?;
        if let Some(key) = key {
            self.tokens.remember(key, request.fingerprint, now, index);
        }
        Ok(Started {
            id,
            made_in: Some(region),
        })
    }

    /// Judges the request and makes its job, and those of the recovery points nested in it.
    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, and each is another thing"
    )]
    fn create(
        &mut self,
        caller: &Caller,
        region: &str,
        request: &StartRequest,
        point: Arc<Located>,
        id: Uuid,
        now: Timestamp,
        fault: Option<&JobFault>,
    ) -> Result<usize, ApiError> {
        let metadata = &request.metadata;
        let row = resource_types::find(&point.point.resource_type);
        let home = (&*caller.account, region);
        let created_arn = course::created_arn(row, &point, home, metadata, id);
        let around = |thing: &str| self.catalog.surrounding(caller, thing);
        let taken = || {
            let jobs = &self.jobs;
            let job = self.created.get(&*created_arn).map(|index| &jobs[*index]);
            let is_there = |job: &Arc<Job>| !self.cloud.is_gone(&created_arn, job.ends_at, now);
            job.is_some_and(|job| {
                matches!(job.outcome, Outcome::Completed | Outcome::Issues(_)) && is_there(job)
            }) || around(&format!("resource {created_arn}")) == Some("exists")
        };
        let judged = refusals::Request {
            resource_type: &point.point.resource_type,
            metadata,
            copy_tags: request.copy_tags,
            role: request.iam_role_arn.as_deref(),
            account: &caller.account,
            point: &point.point,
            around: &around,
            surrounded: self.catalog.is_surrounded(caller),
            taken: &taken,
        };
        refusals::refuse(&judged)?;
        let failure = refusals::fail(&judged);
        let parts = match nested::is_parent(&point.point) {
            true => nested::parts(&self.catalog, caller, &point.point, metadata)?,
            false => Vec::new(),
        };

        let turn = Places::turn(row, &caller.account, region, metadata);
        let order = Order {
            id,
            account: self.name(&caller.account),
            region: self.name(region),
            body: request.body.as_str().into(),
            iam_role_arn: request.iam_role_arn.as_deref().map(Into::into),
            created_arn,
            failure,
            fault,
            parent: None,
            point,
        };
        let places = &mut self.places;
        let mut job = course::settle(order, now, |wanted| places.start(&turn, wanted));
        job.is_parent = nested::is_parent(&job.point.point);
        let mut children = Vec::new();
        for part in parts {
            // A child begins with its parent, and follows the rules of its own type.
            let child = part.job(&job);
            children.push(child);
        }
        nested::end_with_children(&mut job, &children);
        self.places.take(&turn, job.ends_at);
        let index = self.push(job);
        for child in children {
            self.push(child);
        }
        Ok(index)
    }

    fn push(&mut self, job: Job) -> usize {
        let index = self.jobs.len();
        self.events.push(Reverse(job.starts_at));
        self.events.push(Reverse(job.ends_at));
        self.by_id.insert(job.id, index);
        if let Some(arn) = &job.created_arn
            && resource_types::find(&job.point.point.resource_type).is_some_and(|row| row.named)
        {
            self.created.insert(arn.clone(), index);
        }
        if matches!(self.catalog, Catalog::Listed(_)) {
            let arn: Arc<str> = job.point.point.arn.as_str().into();
            self.restored.insert(arn, job.created_at);
        }
        self.jobs.push(Arc::new(job));
        index
    }

    /// The job with that id, if the caller may see it.
    pub(super) fn job(&self, caller: &Caller, id: &str) -> Result<&Arc<Job>, ApiError> {
        self.index(caller, id).map(|index| &self.jobs[index])
    }

    fn index(&self, caller: &Caller, id: &str) -> Result<usize, ApiError> {
        // The id is opaque: other ways to write the same UUID are other ids.
        Uuid::try_parse(id)
            .ok()
            .filter(|uuid| uuid.to_string() == id)
            .and_then(|uuid| self.by_id.get(&uuid).copied())
            .filter(|index| {
                let job = &self.jobs[*index];
                *job.account == *caller.account && sees(caller, &job.region)
            })
            .ok_or_else(|| no_job(id))
    }

    /// PutRestoreValidationResult. Whether AWS takes it for jobs that no restore testing plan started, or that have not
    /// ended, is not documented; it is taken here.
    pub(super) fn validate(
        &mut self,
        caller: &Caller,
        id: &str,
        result: ValidationResult,
    ) -> Result<(), ApiError> {
        let index = self.index(caller, id)?;
        let job = &mut self.jobs[index];
        if let Some(before) = &job.validation {
            result.may_follow(before)?;
        }
        Arc::make_mut(job).validation = Some(Box::new(result));
        Ok(())
    }

    pub(super) fn all(&self) -> &[Arc<Job>] {
        &self.jobs
    }

    /// LastRestoreTime of a recovery point of the inventory.
    pub(super) fn last_restore(&self, arn: &str) -> Option<Timestamp> {
        self.restored.get(arn).copied()
    }

    /// When any job changes next.
    pub(super) fn next_event(&mut self, now: Timestamp) -> Option<Timestamp> {
        while let Some(Reverse(event)) = self.events.peek() {
            if *event > now {
                // What happens at the end of time does not happen.
                return Some(*event).filter(|event| *event < Timestamp::MAX);
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

pub(super) fn no_job(id: &str) -> ApiError {
    ApiError::new(
        ErrorCode::ResourceNotFound,
        format!("Restore job {id} does not exist."),
    )
}

/// Documentation shows restore job ids as UUIDs in upper case, captures of recent years in lower case.
pub(super) fn job_id(parts: &[&str]) -> Uuid {
    let namespace = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"redrill emulator restore job");
    Uuid::new_v5(&namespace, parts.join("\n").as_bytes())
}
