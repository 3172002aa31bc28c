//! The state of the service: recovery points, jobs, tokens. Pure and synchronous; time is handed in.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use uuid::Uuid;

use super::access_points::AccessPoints;
use super::caller::Caller;
use super::catalog::Catalog;
use super::cloud_control::CloudControl;
use super::concurrency::Places;
use super::course::{self, JobFault, Order};
use super::error::{ApiError, ErrorCode};
use super::job::{Job, Outcome};
use super::listing::sees;
use super::names::Names;
use super::nested;
use super::point::Point;
use super::refusals;
use super::resource_types;
use super::start_request::{Asks, StartRequest};
use super::timeline::Timeline;
use super::tokens::{Seen, TokenSemantics, Tokens, is_replay};
use super::validation::ValidationResult;
use super::world::{World, session_of};
use redrill_inventory::Arn;

#[derive(Debug)]
pub(super) struct Service {
    semantics: TokenSemantics,
    /// In the order of their creation.
    jobs: Vec<Job>,
    by_id: HashMap<Uuid, u32>,
    /// Names of accounts, regions, vaults and roles, once for all jobs.
    names: Names,
    tokens: Tokens,
    places: Places,
    /// Resources that jobs created under a name of the request's own choice, by ARN.
    created: HashMap<Box<str>, u32>,
    pub(super) access_points: AccessPoints,
    /// Requests made to Cloud Control API.
    pub(super) cloud: CloudControl,
    /// Time at which a recovery point of the inventory was last restored from, by ARN.
    restored: HashMap<Box<str>, Timestamp>,
    pub(super) timeline: Timeline,
    /// Jobs that fail or are aborted at their end, in the order of creation: few, as a rule.
    unsuccessful: Vec<u32>,
    /// Number of validation results that were set.
    validated: u64,
}

/// Effects of faults on one StartRestoreJob.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Twist<'a> {
    pub(super) job: Option<&'a JobFault>,
    pub(super) forget_token: bool,
    /// True if it was accepted before, by an emulator that has ended since.
    pub(super) again: bool,
}

/// A StartRestoreJob as far as it can be judged without the jobs, and so without their lock.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    catalog: &'a Catalog,
    caller: &'a Caller,
    request: &'a StartRequest<'a>,
    region: String,
    /// With the id of the first job that it starts.
    token: Option<(&'a str, Uuid)>,
    /// A replay does not ask for it.
    point: Result<Point, ApiError>,
}

impl<'a> Prepared<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        default_region: &str,
        caller: &'a Caller,
        request: &'a StartRequest<'a>,
    ) -> Result<Prepared<'a>, ApiError> {
        let asks = &request.asks;
        let arn = &*asks.recovery_point_arn;
        // The region whose endpoint was asked; an unsigned request does not say, its recovery point does.
        let of_arn = || {
            Arn::parse(arn)
                .map(|arn| arn.region)
                .filter(|region| !region.is_empty())
        };
        let region = caller.region.as_deref().or_else(of_arn);
        let region = region.unwrap_or(default_region).to_owned();
        // The same token gives the same id in every emulator, so that a test can name it.
        let first = |token| job_id(&[&caller.account, &region, token, "0"]);
        Ok(Prepared {
            token: request.token.as_deref().map(|token| (token, first(token))),
            point: catalog.find(caller, arn, asks.resource_type.as_deref()),
            catalog,
            caller,
            request,
            region,
        })
    }
}

/// The answer to a StartRestoreJob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) id: Uuid,
    /// The region it was asked of, if this request made the job.
    pub(super) made_in: Option<String>,
}

impl Service {
    pub(super) fn new(semantics: TokenSemantics) -> Service {
        Service {
            semantics,
            jobs: Vec::new(),
            by_id: HashMap::new(),
            names: Names::default(),
            tokens: Tokens::default(),
            places: Places::default(),
            created: HashMap::new(),
            access_points: AccessPoints::default(),
            cloud: CloudControl::default(),
            restored: HashMap::new(),
            timeline: Timeline::default(),
            unsuccessful: Vec::new(),
            validated: 0,
        }
    }

    /// StartRestoreJob: the id of the job, new or not. Called under the lock that makes the token's check and use one.
    pub(super) fn start(
        &mut self,
        prepared: Prepared<'_>,
        now: Timestamp,
        twist: Twist<'_>,
    ) -> Result<Started, ApiError> {
        let (caller, region) = (prepared.caller, prepared.region.clone());
        let Some((token, first)) = prepared.token else {
            let id = job_id(&[&caller.account, &region, &self.jobs.len().to_string()]);
            self.create(prepared, id, now, twist)?;
            let made_in = Some(region);
            return Ok(Started { id, made_in });
        };
        let place = self.by_id.get(&first);
        let mut seen = place.map(|place| self.tokens.seen(first, *place as usize));
        if let (Some(seen), true) = (&mut seen, twist.forget_token) {
            self.tokens.forget(first, *seen);
            seen.forgotten = true;
        }
        if let Some(seen) = seen.filter(|seen| !seen.forgotten) {
            let job = &self.jobs[seen.job];
            if is_replay(self.semantics, job, &prepared.request.asks, now)? {
                let made_in = None;
                return Ok(Started {
                    id: job.id,
                    made_in,
                });
            }
        }
        let id = match seen {
            None => first,
            Some(Seen { jobs, .. }) => {
                job_id(&[&caller.account, &region, token, &jobs.to_string()])
            }
        };
        let place = self.create(prepared, id, now, twist)?;
        if let Some(seen) = seen {
            self.tokens.again(first, seen, place);
        }
        let made_in = Some(region);
        Ok(Started { id, made_in })
    }

    /// Judges the request and makes its job, and those of the recovery points nested in it.
    fn create(
        &mut self,
        prepared: Prepared<'_>,
        id: Uuid,
        now: Timestamp,
        twist: Twist<'_>,
    ) -> Result<usize, ApiError> {
        let Prepared {
            catalog,
            caller,
            request,
            region,
            point,
            ..
        } = prepared;
        let mut point = point?;
        let region = region.as_str();
        let Asks {
            metadata,
            iam_role_arn,
            copy_tags,
            ..
        } = &request.asks;
        if let Point::Free(free) = &mut point {
            free.vault_arn = self.names.get(&free.vault_arn);
        }
        let row = resource_types::find(point.resource_type());
        let home = (&*caller.account, region);
        let created_arn = course::created_arn(row, &point, home, metadata, id);
        let around = |thing: &str| catalog.surrounding(caller, thing);
        let made = |prefix: &str| {
            let begins = |arn: &str| {
                Arn::parse(arn).is_some_and(|arn| {
                    format!("{}:{}", arn.service, arn.resource).starts_with(prefix)
                })
            };
            let own = self.jobs.iter().filter(|job| {
                let fails = matches!(job.outcome, Outcome::Failed(_) | Outcome::Aborted(_));
                *job.account == *caller.account && *job.region == *region && !fails
            });
            own.filter_map(|job| Some((job, job.created_arn.as_deref()?)))
                .filter(|(job, arn)| begins(arn) && !self.cloud.is_gone(arn, job.ends_at, now))
                .count()
        };
        let world = catalog.is_known(caller).then(|| World {
            catalog,
            account: &caller.account,
            region,
            role: iam_role_arn.as_deref(),
            created_arn: created_arn.as_deref(),
            now,
            made: &made,
            lacks: OnceCell::new(),
        });
        let taken = || {
            let Some(created_arn) = created_arn.as_deref() else {
                return false;
            };
            let place = self.created.get(created_arn);
            let job = place.map(|place| &self.jobs[*place as usize]);
            let is_there = |job: &Job| !self.cloud.is_gone(created_arn, job.ends_at, now);
            job.is_some_and(|job| {
                matches!(job.outcome, Outcome::Completed | Outcome::Issues(_)) && is_there(job)
            }) || around(&format!("resource {created_arn}")) == Some("exists")
                || world.as_ref().is_some_and(|world| {
                    world.has_arn(created_arn)
                        && !self.cloud.is_gone(created_arn, Timestamp::MIN, now)
                })
        };
        let judged = refusals::Request {
            resource_type: row.map_or(point.resource_type(), |row| &row.name),
            asked_type: request.asks.resource_type.as_deref(),
            metadata,
            copy_tags: *copy_tags,
            role: iam_role_arn.as_deref(),
            account: &caller.account,
            region,
            point: &point,
            around: &around,
            surrounded: catalog.is_surrounded(caller),
            taken: &taken,
            session: world
                .as_ref()
                .and(iam_role_arn.as_deref())
                .and_then(session_of),
            world: world.as_ref(),
        };
        if !twist.again {
            refusals::refuse(&judged)?;
        }
        let end = refusals::end(&judged);
        let parent = nested::is_parent(&point);
        let parts = match parent {
            true => nested::parts(catalog, caller, &point, metadata)?,
            false => Vec::new(),
        };

        let turn = Places::turn(row, &caller.account, region, metadata);
        let order = Order {
            id,
            account: self.names.get(&caller.account),
            region: self.names.get(region),
            body: request.body.into(),
            iam_role_arn: iam_role_arn.as_ref().map(|role| self.names.get(role)),
            created_arn,
            end,
            fault: twist.job,
            parent: None,
            row,
            point,
        };
        let places = &mut self.places;
        let mut job = course::settle(order, now, |wanted| places.start(&turn, wanted));
        job.is_parent = parent;
        // A child begins with its parent, and follows the rules of its own type.
        let children = parts.into_iter().map(|part| part.job(&job));
        let children: Vec<Job> = children.collect();
        nested::end_with_children(&mut job, &children);
        self.places.take(&turn, job.ends_at);
        let place = self.push(job);
        for child in children {
            self.push(child);
        }
        Ok(place)
    }

    fn push(&mut self, job: Job) -> usize {
        let place = self.jobs.len();
        self.timeline.add(place, job.starts_at, job.ends_at);
        let short = u32::try_from(place).unwrap_or(u32::MAX);
        self.by_id.insert(job.id, short);
        if matches!(job.outcome, Outcome::Failed(_) | Outcome::Aborted(_)) {
            self.unsuccessful.push(short);
        }
        if let Some(arn) = &job.created_arn
            && resource_types::find(job.point.resource_type()).is_some_and(|row| row.named)
        {
            self.created.insert(arn.clone(), short);
        }
        if matches!(job.point, Point::Listed(_)) {
            match self.restored.get_mut(job.point.arn()) {
                Some(last) => *last = job.created_at,
                None => drop(self.restored.insert(job.point.arn().into(), job.created_at)),
            }
        }
        self.jobs.push(job);
        place
    }

    /// The job with that id, if the caller may see it.
    pub(super) fn job(&self, caller: &Caller, id: &str) -> Result<&Job, ApiError> {
        self.place(caller, id).map(|place| &self.jobs[place])
    }

    /// A job with the data of another one.
    pub(super) fn another(&self, caller: &Caller, id: &str) -> Result<Job, ApiError> {
        let place = self.place(caller, id)?;
        let other = &self.jobs[(place + 1) % self.jobs.len()];
        Ok(other.as_if(self.jobs[place].id))
    }

    fn place(&self, caller: &Caller, id: &str) -> Result<usize, ApiError> {
        // The id is opaque: other ways to write the same UUID are other ids.
        let written = |uuid: &Uuid| {
            let mut buffer = Uuid::encode_buffer();
            *uuid.hyphenated().encode_lower(&mut buffer) == *id
        };
        Uuid::try_parse(id)
            .ok()
            .filter(written)
            .and_then(|uuid| self.by_id.get(&uuid))
            .map(|place| *place as usize)
            .filter(|place| {
                let job = &self.jobs[*place];
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
        let place = self.place(caller, id)?;
        let job = &mut self.jobs[place];
        if let Some(before) = &job.validation {
            result.may_follow(before)?;
        }
        job.validation = Some(Box::new(result));
        self.validated += 1;
        Ok(())
    }

    /// Another one whenever a request has changed something.
    pub(super) fn version(&self) -> u64 {
        self.jobs.len() as u64 + self.validated
    }

    pub(super) fn all(&self) -> &[Job] {
        &self.jobs
    }

    /// The places of jobs that end in vain, or will, the youngest first.
    pub(super) fn unsuccessful(&self) -> Vec<usize> {
        let places = self.unsuccessful.iter().rev();
        places.map(|place| *place as usize).collect()
    }

    /// LastRestoreTime of a recovery point of the inventory.
    pub(super) fn last_restore(&self, arn: &str) -> Option<Timestamp> {
        self.restored.get(arn).copied()
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
    static NAMESPACE: LazyLock<Uuid> =
        LazyLock::new(|| Uuid::new_v5(&Uuid::NAMESPACE_URL, b"redrill emulator restore job"));
    Uuid::new_v5(&NAMESPACE, parts.join("\n").as_bytes())
}
