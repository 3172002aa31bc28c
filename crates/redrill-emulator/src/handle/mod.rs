//! From a routed request to its answer: the thin layer between HTTP and the state.

mod access_points;
mod jobs;
mod permissions;
mod recovery_points;
mod resources;
mod restore_testing;
mod summaries;
mod vaults;

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::answer::Answer;
use super::caller::Caller;
use super::catalog::Catalog;
use super::clock::{Clock, Speed};
use super::error::{ApiError, ErrorCode};
use super::faults::FaultKind;
use super::files::{Lines, Record};
use super::operation::{Operation, Route};
use super::pages::Pages;
use super::paging::Pager;
use super::query::Query;
use super::resource_types;
use super::service::{Prepared, Service, Twist};
use super::start_request::StartRequest;

pub(super) use vaults::no_vault;

/// State that requests are answered from.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) clock: Clock,
    /// Somebody else moves a standing clock; looking at jobs does not.
    pub(super) driven: bool,
    pub(super) started: Timestamp,
    pub(super) default_region: String,
    pub(super) pager: Pager,
    pub(super) pages: Pages,
    pub(super) catalog: Catalog,
    pub(super) service: Mutex<Service>,
    /// File in which jobs are remembered.
    pub(super) state: Option<Lines>,
}

/// A request that has arrived whole.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) route: &'a Route,
    pub(super) query: &'a Query,
    pub(super) caller: &'a Caller,
    pub(super) body: &'a [u8],
    /// Fault that a script applies to it.
    pub(super) fault: Option<&'a FaultKind>,
}

impl Call<'_> {
    /// A label of the path.
    fn label(&self, index: usize) -> &str {
        let labels = &self.route.labels;
        labels.get(index).map(String::as_str).unwrap_or_default()
    }
}

/// The names of the paging parameters: operations of 2019 write them small, later ones do not.
const SMALL: (&str, &str) = ("maxResults", "nextToken");
const LARGE: (&str, &str) = ("MaxResults", "NextToken");

impl Backend {
    pub(super) fn service(&self) -> MutexGuard<'_, Service> {
        // A panic elsewhere leaves no job half made: they are pushed whole.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs a call of AWS Backup. GetCallerIdentity is not one.
    pub(super) fn perform(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        self.allowed(call)?;
        match call.route.operation {
            Operation::StartRestoreJob => self.start_restore_job(call),
            Operation::DescribeRestoreJob => self.describe_restore_job(call),
            Operation::ListRestoreJobs => self.list_restore_jobs(call),
            Operation::ListRestoreJobsByProtectedResource => {
                self.list_restore_jobs_by_protected_resource(call)
            }
            Operation::ListRestoreJobSummaries => self.list_restore_job_summaries(call),
            Operation::GetRestoreJobMetadata => self.get_restore_job_metadata(call),
            Operation::PutRestoreValidationResult => self.put_restore_validation_result(call),
            Operation::DescribeRecoveryPoint => self.describe_recovery_point(call),
            Operation::GetRecoveryPointRestoreMetadata => {
                self.get_recovery_point_restore_metadata(call)
            }
            Operation::ListRecoveryPointsByBackupVault => {
                self.list_recovery_points_by_backup_vault(call)
            }
            Operation::ListRecoveryPointsByResource => self.list_recovery_points_by_resource(call),
            Operation::DescribeBackupVault => self.describe_backup_vault(call),
            Operation::ListBackupVaults => self.list_backup_vaults(call),
            Operation::DescribeProtectedResource => self.describe_protected_resource(call),
            Operation::ListProtectedResources => self.list_protected_resources(call),
            Operation::ListProtectedResourcesByBackupVault => {
                self.list_protected_resources_by_backup_vault(call)
            }
            Operation::GetRestoreTestingInferredMetadata => {
                self.get_restore_testing_inferred_metadata(call)
            }
            Operation::ListRestoreTestingPlans => self.list_restore_testing_plans(call),
            Operation::GetRestoreTestingPlan
            | Operation::ListRestoreTestingSelections
            | Operation::GetRestoreTestingSelection => self.no_restore_testing_plan(call),
            Operation::GetSupportedResourceTypes => Ok(supported_resource_types()),
            Operation::ListTags => self.list_tags(call),
            Operation::CreateBackupAccessPoint => self.create_backup_access_point(call),
            Operation::DeleteBackupAccessPoint => self.delete_backup_access_point(call),
            Operation::DescribeBackupAccessPoint => self.describe_backup_access_point(call),
            Operation::ListBackupAccessPoints => self.list_backup_access_points(call),
            Operation::ListBackupAccessPointsByRecoveryPoint => {
                self.list_backup_access_points_by_recovery_point(call)
            }
            Operation::ListBackupAccessPointsByResource => {
                self.list_backup_access_points_by_resource(call)
            }
            Operation::GetPITRMalwareScanResults => self.get_pitr_malware_scan_results(call),
            Operation::DeleteRecoveryPoint => self.delete_recovery_point(call),
            other => Err(ApiError::new(
                ErrorCode::UnknownOperation,
                format!("AWS Backup has no {other}."),
            )),
        }
    }

    /// One page of a whole list, and the token of the next one.
    fn page<T>(
        &self,
        call: &Call<'_>,
        names: (&str, &str),
        items: Vec<T>,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        self.page_of(call, names, 1000, items)
    }

    /// The same, of at most so many.
    fn page_of<T>(
        &self,
        call: &Call<'_>,
        (max_results, next_token): (&str, &str),
        most: usize,
        items: Vec<T>,
    ) -> Result<(Vec<T>, Option<String>), ApiError> {
        let max = call.query.max_results_of(max_results, most)?;
        let from = self.position(call, next_token)?.unwrap_or(0);
        let end = from.saturating_add(max);
        let more = (end < items.len()).then(|| self.token(call, end));
        Ok((items.into_iter().skip(from).take(max).collect(), more))
    }

    /// A token that goes on there.
    fn token(&self, call: &Call<'_>, position: usize) -> String {
        self.pager.token(&listing(call), position)
    }

    /// Finds where the page begins that a token asks for.
    fn position(&self, call: &Call<'_>, next_token: &str) -> Result<Option<usize>, ApiError> {
        match (call.query.text(next_token), call.fault) {
            (None, _) => Ok(None),
            (Some(_), Some(FaultKind::LostPage)) => {
                Err(ApiError::invalid("NextToken", "Invalid NextToken."))
            }
            (Some(token), _) => self.pager.position(&listing(call), token).map(Some),
        }
    }

    /// Remembers what has been done, if it is to be.
    fn record(&self, record: &Record) -> Result<(), ApiError> {
        let Some(state) = &self.state else {
            return Ok(());
        };
        state.add(record).map_err(|error| {
            let words = format!("The emulator cannot write its state: {error}");
            ApiError::new(ErrorCode::InternalFailure, words)
        })
    }

    /// Does again what an earlier emulator recorded; or says of which line that cannot be done, and why.
    pub(super) fn replay(&self, records: Vec<Record>) -> Result<(), String> {
        let mut service = self.service();
        for (index, record) in records.into_iter().enumerate() {
            // The first line is the format.
            let line = index + 2;
            match record {
                Record::Format(_) | Record::Stopped { .. } => {}
                Record::Started {
                    at,
                    account,
                    region,
                    body,
                    fault,
                    forget_token,
                } => {
                    let again = || {
                        let region = Some(region);
                        let caller = Caller {
                            account,
                            region,
                            ..Caller::default()
                        };
                        let request = StartRequest::parse(body.as_bytes())?;
                        let region = &self.default_region;
                        let prepared = Prepared::new(&self.catalog, region, &caller, &request)?;
                        let job = fault.as_ref();
                        let twist = Twist {
                            job,
                            forget_token,
                            again: true,
                        };
                        service.start(prepared, at, twist)
                    };
                    let started = again().map_err(|error| other_world(line, &error.message))?;
                    if started.made_in.is_none() {
                        return Err(other_world(line, "its token starts no job any more"));
                    }
                }
                Record::Validated {
                    account,
                    region,
                    job,
                    result,
                    ..
                } => {
                    let caller = Caller {
                        account,
                        region,
                        ..Caller::default()
                    };
                    let again = service.validate(&caller, &job, result);
                    again.map_err(|error| other_world(line, &error.message))?;
                }
                Record::Deleted { at, arn, .. } => service.cloud.replay(arn, at),
                Record::RecoveryPointDeleted {
                    account,
                    region,
                    arn,
                    ..
                } => {
                    let caller = Caller {
                        account,
                        region,
                        ..Caller::default()
                    };
                    self.catalog.delete(&caller, &arn);
                }
                Record::AccessPointCreated {
                    at,
                    account,
                    region,
                    body,
                } => {
                    let region = Some(region);
                    let caller = Caller {
                        account,
                        region,
                        ..Caller::default()
                    };
                    let points = &mut service.access_points;
                    let again = self.create_access_point_again(points, &caller, &body, at);
                    again.map_err(|error| other_world(line, &error.message))?;
                }
                Record::AccessPointDeleted { at, account, arn } => {
                    let again = service.access_points.delete(&account, &arn, at);
                    again.map_err(|error| other_world(line, &error.message))?;
                }
            }
        }
        Ok(())
    }

    /// A client that has looked will wait: a clock that stands still jumps to what it waits for, after the answer.
    fn looked_at(&self, next_event: Option<Timestamp>) {
        if let (true, Some(event)) = (self.is_moved_by_looks(), next_event) {
            self.clock.advance_to(event);
        }
    }

    /// Returns true if the clock stands still, and nobody else moves it.
    fn is_moved_by_looks(&self) -> bool {
        self.clock.speed() == Speed::Max && !self.driven
    }
}

fn other_world(line: usize, why: &str) -> String {
    let why = why.trim_end_matches('.');
    format!(
        "line {line}: {why}; start it with the inventory and the tokens that it was made with, or with another file"
    )
}

/// Identifies the listing that a page token belongs to.
fn listing(call: &Call<'_>) -> String {
    let Caller {
        account, region, ..
    } = call.caller;
    format!(
        "{} {:?} {account} {} {}",
        call.route.operation,
        call.route.labels,
        region.as_deref().unwrap_or_default(),
        call.query.without_page()
    )
}

fn supported_resource_types() -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found {
        resource_types: Vec<&'static str>,
    }
    Answer::json(&Found {
        resource_types: resource_types::names().collect(),
    })
}
