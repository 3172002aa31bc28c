//! From a routed request to its answer: the thin layer between HTTP and the state.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::answer::Answer;
use super::catalog::{Caller, Located};
use super::clock::{Clock, Speed};
use super::error::ApiError;
use super::inventory::StorageClass;
use super::job::{Epoch, JobId, JobStatus, JobView};
use super::operation::{Operation, Route};
use super::paging::Pager;
use super::query::Query;
use super::service::{JobFilter, Service};
use super::start_request::StartRequest;

/// What requests are answered from.
#[derive(Debug)]
pub(super) struct Backend {
    pub(super) clock: Clock,
    /// Somebody else moves a standing clock; looking at jobs does not.
    pub(super) driven: bool,
    pub(super) started: Timestamp,
    pub(super) default_region: String,
    pub(super) pager: Pager,
    pub(super) service: Mutex<Service>,
}

/// A request that has arrived whole.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) route: &'a Route,
    pub(super) query: &'a Query,
    pub(super) caller: &'a Caller,
    pub(super) body: &'a [u8],
}

impl Backend {
    pub(super) fn service(&self) -> MutexGuard<'_, Service> {
        // A panic elsewhere leaves no job half made: they are pushed whole.
        self.service.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs a call of AWS Backup. GetCallerIdentity is not one.
    pub(super) fn perform(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let label = |index: usize| {
            let labels = &call.route.labels;
            labels.get(index).map(String::as_str).unwrap_or_default()
        };
        match call.route.operation {
            Operation::StartRestoreJob => self.start_restore_job(call),
            Operation::DescribeRestoreJob => self.describe_restore_job(call, label(0)),
            Operation::ListRestoreJobs => self.list_restore_jobs(call),
            Operation::GetRestoreJobMetadata => self.get_restore_job_metadata(call, label(0)),
            Operation::DescribeRecoveryPoint => {
                let located = self.recovery_point(call, label(0), label(1))?;
                Ok(describe_recovery_point(&located))
            }
            Operation::GetRecoveryPointRestoreMetadata => {
                let located = self.recovery_point(call, label(0), label(1))?;
                Ok(restore_metadata(&located))
            }
            Operation::ListBackupVaults => self.list_backup_vaults(call),
            Operation::GetCallerIdentity => Err(ApiError::missing("Action")),
        }
    }

    fn start_restore_job(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Started {
            restore_job_id: JobId,
        }
        let request = StartRequest::parse(call.body)?;
        let restore_job_id = {
            // The time is read under the lock: jobs are created in its order.
            let mut service = self.service();
            JobId(service.start(call.caller, &request, self.clock.now())?)
        };
        Ok(Answer::json(&Started { restore_job_id }))
    }

    fn describe_restore_job(&self, call: &Call<'_>, id: &str) -> Result<Answer, ApiError> {
        let now = self.clock.now();
        let job = self.service().job(call.caller, id)?.clone();
        let answer = Answer::json(&job.view(now));
        self.looked_at(job.next_event(now));
        Ok(answer)
    }

    fn list_restore_jobs(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page<'a> {
            restore_jobs: Vec<JobView<'a>>,
            next_token: Option<String>,
        }
        let query = call.query;
        let max = query.max_results("maxResults")?;
        let filter = JobFilter {
            account: query.account("accountId", true)?,
            resource_type: query.text("resourceType").map(str::to_owned),
            created_before: query.time("createdBefore")?,
            created_after: query.time("createdAfter")?,
            status: query.one_of("status", JobStatus::parse)?,
            complete_before: query.time("completeBefore")?,
            complete_after: query.time("completeAfter")?,
            restore_testing_plan_arn: query.text("restoreTestingPlanArn").map(str::to_owned),
            parent_job_id: query.text("parentJobId").map(str::to_owned),
        };
        let listing = listing(call);
        let older_than = match query.text("nextToken") {
            Some(token) => Some(self.pager.position(&listing, token)?),
            None => None,
        };
        let now = self.clock.now();
        let page = self
            .service()
            .list(call.caller, &filter, older_than, max, now);
        let answer = Answer::json(&Page {
            restore_jobs: page.jobs.iter().map(|job| job.view(now)).collect(),
            next_token: page
                .next
                .map(|position| self.pager.token(&listing, position)),
        });
        self.looked_at(page.jobs.iter().filter_map(|job| job.next_event(now)).min());
        Ok(answer)
    }

    fn get_restore_job_metadata(&self, call: &Call<'_>, id: &str) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            restore_job_id: JobId,
            metadata: std::collections::BTreeMap<String, String>,
        }
        let job = self.service().job(call.caller, id)?.clone();
        Ok(Answer::json(&Found {
            restore_job_id: JobId(job.id),
            metadata: job.metadata(),
        }))
    }

    fn recovery_point(
        &self,
        call: &Call<'_>,
        vault: &str,
        arn: &str,
    ) -> Result<std::sync::Arc<Located>, ApiError> {
        let account = call.query.account("backupVaultAccountId", false)?;
        if account.is_some_and(|account| account != call.caller.account) {
            return Err(ApiError::insufficient_privileges());
        }
        self.service().catalog.find_in(call.caller, vault, arn)
    }

    fn list_backup_vaults(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            backup_vault_list: Vec<Listed>,
            next_token: Option<String>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Listed {
            backup_vault_name: String,
            backup_vault_arn: String,
            vault_type: &'static str,
            vault_state: &'static str,
            creation_date: Epoch,
            encryption_key_arn: Option<String>,
            creator_request_id: Option<String>,
            number_of_recovery_points: Option<usize>,
            locked: bool,
            min_retention_days: Option<u64>,
            max_retention_days: Option<u64>,
            lock_date: Option<Epoch>,
        }
        let max = call.query.max_results("maxResults")?;
        let listing = listing(call);
        let from = match call.query.text("nextToken") {
            Some(token) => self.pager.position(&listing, token)?,
            None => 0,
        };
        let kind = call.query.one_of("vaultType", |text| {
            matches!(
                text,
                "BACKUP_VAULT"
                    | "LOGICALLY_AIR_GAPPED_BACKUP_VAULT"
                    | "RESTORE_ACCESS_BACKUP_VAULT"
            )
            .then(|| text.to_owned())
        })?;
        let shared = call
            .query
            .one_of("shared", |text| text.parse::<bool>().ok())?;
        // All vaults here are ordinary ones of the caller's own.
        let none = kind.is_some_and(|kind| kind != "BACKUP_VAULT") || shared == Some(true);
        let vaults = match none {
            true => Vec::new(),
            false => {
                let service = self.service();
                service.catalog.vaults(call.caller, &self.default_region)
            }
        };
        let total = vaults.len();
        let page = vaults.into_iter().skip(from).take(max);
        let backup_vault_list = page
            .map(|vault| Listed {
                backup_vault_name: vault.name,
                backup_vault_arn: vault.arn,
                vault_type: "BACKUP_VAULT",
                vault_state: "AVAILABLE",
                creation_date: Epoch(self.started),
                encryption_key_arn: None,
                creator_request_id: None,
                number_of_recovery_points: vault.recovery_points,
                locked: false,
                min_retention_days: None,
                max_retention_days: None,
                lock_date: None,
            })
            .collect();
        let end = from.saturating_add(max);
        Ok(Answer::json(&Page {
            backup_vault_list,
            next_token: (end < total).then(|| self.pager.token(&listing, end)),
        }))
    }

    /// A client that has looked will wait: a clock that stands still jumps to what it waits for, after the answer.
    fn looked_at(&self, next_event: Option<Timestamp>) {
        if let (Speed::Max, false, Some(event)) = (self.clock.speed(), self.driven, next_event) {
            self.clock.advance_to(event);
        }
    }
}

/// What a page token belongs to.
fn listing(call: &Call<'_>) -> String {
    let Caller { account, region } = call.caller;
    format!(
        "{} {account} {} {}",
        call.route.operation,
        region.as_deref().unwrap_or_default(),
        call.query.without_page()
    )
}

fn describe_recovery_point(located: &Located) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Described<'a> {
        recovery_point_arn: &'a str,
        backup_vault_name: &'a str,
        backup_vault_arn: &'a str,
        source_backup_vault_arn: Option<&'a str>,
        resource_arn: &'a str,
        resource_type: &'a str,
        created_by: Option<()>,
        iam_role_arn: Option<&'a str>,
        status: super::inventory::RecoveryPointStatus,
        status_message: Option<&'a str>,
        creation_date: Epoch,
        initiation_date: Epoch,
        completion_date: Epoch,
        backup_size_in_bytes: u64,
        calculated_lifecycle: Option<CalculatedLifecycle>,
        lifecycle: Option<()>,
        encryption_key_arn: Option<&'a str>,
        is_encrypted: bool,
        storage_class: StorageClass,
        last_restore_time: Option<Epoch>,
        parent_recovery_point_arn: Option<&'a str>,
        composite_member_identifier: Option<&'a str>,
        is_parent: bool,
        vault_type: &'static str,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct CalculatedLifecycle {
        move_to_cold_storage_at: Option<Epoch>,
        delete_at: Epoch,
    }
    let point = &located.point;
    Answer::json(&Described {
        recovery_point_arn: &point.arn,
        backup_vault_name: &located.vault,
        backup_vault_arn: &located.vault_arn,
        source_backup_vault_arn: None,
        resource_arn: &point.resource_arn,
        resource_type: &point.resource_type,
        created_by: None,
        iam_role_arn: None,
        status: point.status,
        status_message: None,
        creation_date: Epoch(point.created_at),
        initiation_date: Epoch(point.created_at),
        completion_date: Epoch(point.created_at),
        backup_size_in_bytes: point.size_bytes,
        calculated_lifecycle: point.expires_at.map(|at| CalculatedLifecycle {
            move_to_cold_storage_at: None,
            delete_at: Epoch(at),
        }),
        lifecycle: None,
        encryption_key_arn: point.encryption_key_arn.as_deref(),
        is_encrypted: point.encryption_key_arn.is_some(),
        storage_class: point.storage_class,
        last_restore_time: None,
        parent_recovery_point_arn: point.parent.as_deref(),
        composite_member_identifier: None,
        is_parent: point.arn.contains(":recovery-point:composite:"),
        vault_type: "BACKUP_VAULT",
    })
}

fn restore_metadata(located: &Located) -> Answer {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found<'a> {
        backup_vault_arn: &'a str,
        recovery_point_arn: &'a str,
        restore_metadata: &'a std::collections::BTreeMap<String, String>,
        resource_type: &'a str,
    }
    Answer::json(&Found {
        backup_vault_arn: &located.vault_arn,
        recovery_point_arn: &located.point.arn,
        restore_metadata: &located.point.restore_metadata,
        resource_type: &located.point.resource_type,
    })
}
