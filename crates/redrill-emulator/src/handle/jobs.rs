//! Restore jobs: start, describe, list, metadata, validation result.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::clock::add;
use super::super::error::ApiError;
use super::super::faults::FaultKind;
use super::super::files::Record;
use super::super::job::{Job, JobId, JobStatus};
use super::super::json;
use super::super::listing::JobFilter;
use super::super::metadata::Metadata;
use super::super::pages::Page;
use super::super::service::{Prepared, Twist, no_job};
use super::super::start_request::StartRequest;
use super::super::validation::ValidationResult;
use super::super::view::USUAL_LENGTH;
use super::{Backend, Call, SMALL, listing};
use redrill_inventory::Arn;

impl Backend {
    pub(super) fn start_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let request = StartRequest::parse(call.body)?;
        let twist = match call.fault {
            Some(FaultKind::Job(fault)) => Twist {
                job: Some(fault),
                ..Twist::default()
            },
            Some(FaultKind::ForgetToken) => Twist {
                forget_token: true,
                ..Twist::default()
            },
            _ => Twist::default(),
        };
        let restore_job_id = {
            let asks = &request.asks;
            let role = asks.iam_role_arn.as_deref();
            self.may_restore(call.caller, &asks.recovery_point_arn, role)?;
            let prepared =
                Prepared::new(&self.catalog, &self.default_region, call.caller, &request)?;
            // The time is read under the lock: jobs are created, and recorded, in its order.
            let mut service = self.service();
            let at = self.clock.now();
            let started = service.start(prepared, at, twist)?;
            if let (Some(region), true) = (started.made_in, self.state.is_some()) {
                self.record(&Record::Started {
                    at,
                    account: call.caller.account.clone(),
                    region,
                    body: request.body.to_owned(),
                    fault: twist.job.cloned(),
                    forget_token: twist.forget_token,
                })?;
            }
            started.id
        };
        let mut body = Vec::with_capacity(64);
        body.extend_from_slice(b"{\"RestoreJobId\":");
        match call.fault {
            Some(FaultKind::NamesJob(id)) => json::text(&mut body, Some(id)),
            _ => json::uuid(&mut body, Some(restore_job_id)),
        }
        body.push(b'}');
        Ok(Answer::written(body))
    }

    pub(super) fn describe_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let now = self.clock.now();
        let mut body = Vec::with_capacity(USUAL_LENGTH);
        let mixed = match call.fault {
            Some(FaultKind::Mixed) => Some(self.service().another(call.caller, call.label(0))?),
            _ => None,
        };
        let next_event = self.known_job(call, |job| {
            let shown = mixed.as_ref().unwrap_or(job);
            shown.show(&mut body, now, call.fault);
            job.next_event(now)
        })?;
        self.looked_at(next_event);
        Ok(Answer::written(body))
    }

    pub(super) fn list_restore_jobs(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let query = call.query;
        let filter = JobFilter {
            account: query.account("accountId", true)?,
            resource_type: query.resource_type("resourceType")?,
            created_before: query.time("createdBefore")?,
            created_after: query.time("createdAfter")?,
            status: query.one_of("status", JobStatus::parse)?,
            complete_before: query.time("completeBefore")?,
            complete_after: query.time("completeAfter")?,
            restore_testing_plan_arn: query.text("restoreTestingPlanArn").map(str::to_owned),
            parent_job_id: query.text("parentJobId").map(str::to_owned),
            ..JobFilter::default()
        };
        self.jobs_page(call, &filter)
    }

    pub(super) fn list_restore_jobs_by_protected_resource(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let query = call.query;
        let arn = call.label(0);
        if Arn::parse(arn).is_none() {
            return Err(ApiError::invalid(
                "ResourceArn",
                format!("Invalid resource ARN: {arn}"),
            ));
        }
        let filter = JobFilter {
            resource_arn: Some(arn.to_owned()),
            status: query.one_of("status", JobStatus::parse)?,
            point_created_after: query.time("recoveryPointCreationDateAfter")?,
            point_created_before: query.time("recoveryPointCreationDateBefore")?,
            ..JobFilter::default()
        };
        self.jobs_page(call, &filter)
    }

    fn jobs_page(&self, call: &Call<'_>, filter: &JobFilter) -> Result<Answer, ApiError> {
        let max = call.query.max_results(SMALL.0)?;
        let older_than = self.position(call, SMALL.1)?;
        let now = self.clock.now();
        let name = format!("{} {max} {older_than:?}", listing(call));
        let mut service = self.service();
        let version = service.version();
        let kept = match call.fault {
            None => self.pages.get(&name, version, now),
            Some(_) => None,
        };
        if let Some(page) = kept {
            drop(service);
            self.looked_at(page.next_event);
            return Ok(Answer::written(page.body));
        }
        let until = service.timeline.next(now);
        let mixed: Vec<Job>;
        let mut found = service.list(call.caller, filter, older_than, max, now);
        if let Some(FaultKind::ListLag(lag)) = call.fault {
            let shown = add(now, -*lag);
            found.jobs.retain(|job| job.created_at <= shown);
        }
        if let Some(FaultKind::Mixed) = call.fault {
            let others = found.jobs.iter().cycle().skip(1);
            mixed = found
                .jobs
                .iter()
                .zip(others)
                .map(|(job, other)| other.as_if(job.id))
                .collect();
            found.jobs = mixed.iter().collect();
        }
        let mut body = Vec::with_capacity(found.jobs.len() * USUAL_LENGTH + 128);
        body.extend_from_slice(b"{\"RestoreJobs\":[");
        for (index, job) in found.jobs.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            job.show(&mut body, now, call.fault);
        }
        let next = found.next;
        let next_event = match next {
            // Later pages are looked at as the first one was, as far as that goes.
            Some(_) => found
                .jobs
                .iter()
                .filter_map(|job| job.next_event(now))
                .min(),
            None if self.is_moved_by_looks() => service.all_have_changed(call.caller, filter, now),
            None => None,
        };
        drop(service);
        body.extend_from_slice(b"],\"NextToken\":");
        let next = next.map(|position| self.token(call, position));
        json::text(&mut body, next.as_deref());
        body.push(b'}');
        let page = Page {
            body: body.into(),
            version,
            written_at: now,
            until,
            next_event,
        };
        let body = page.body.clone();
        if call.fault.is_none() {
            self.pages.keep(name, page);
        }
        self.looked_at(next_event);
        Ok(Answer::written(body))
    }

    pub(super) fn get_restore_job_metadata(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found<'a> {
            restore_job_id: JobId,
            metadata: &'a Metadata<'a>,
        }
        let (id, body) = self.known_job(call, |job| (job.id, job.body.clone()))?;
        let request = StartRequest::parse(body.as_bytes())?;
        if let Some(FaultKind::MetadataUpper | FaultKind::MetadataUnmarked) = call.fault {
            let metadata = mangled(&request.asks.metadata, call.fault);
            let found = serde_json::json!({ "RestoreJobId": JobId(id), "Metadata": metadata });
            return Ok(Answer::json(&found));
        }
        Ok(Answer::json(&Found {
            restore_job_id: JobId(id),
            metadata: &request.asks.metadata,
        }))
    }

    pub(super) fn put_restore_validation_result(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let result = ValidationResult::parse(call.body)?;
        let mut service = self.service();
        service.validate(call.caller, call.label(0), result.clone())?;
        self.record(&Record::Validated {
            at: self.clock.now(),
            account: call.caller.account.clone(),
            region: call.caller.region.clone(),
            job: call.label(0).to_owned(),
            result,
        })?;
        Ok(Answer::no_content())
    }

    /// Looks at the job that the path names.
    fn known_job<T>(&self, call: &Call<'_>, look: impl FnOnce(&Job) -> T) -> Result<T, ApiError> {
        let id = call.label(0);
        match call.fault {
            Some(FaultKind::NotYet) => Err(no_job(id)),
            _ => self.service().job(call.caller, id).map(look),
        }
    }
}

/// Metadata as no page says that AWS returns it, and as no page says that it does not.
fn mangled(metadata: &Metadata<'_>, fault: Option<&FaultKind>) -> BTreeMap<String, String> {
    const MARK: &str = "aws:backup:request-id";
    let mut mangled = BTreeMap::new();
    for (key, value) in metadata.iter() {
        match fault {
            Some(FaultKind::MetadataUnmarked) if key == MARK => {}
            Some(FaultKind::MetadataUpper) if key == MARK => {
                mangled.insert(key.to_uppercase(), value.to_uppercase());
            }
            Some(FaultKind::MetadataUpper) => {
                mangled.insert(key.to_uppercase(), value.to_owned());
            }
            _ => {
                mangled.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    if let Some(FaultKind::MetadataUpper) = fault {
        mangled.insert("aws:backup:another-key".to_owned(), "1".to_owned());
    }
    mangled
}
