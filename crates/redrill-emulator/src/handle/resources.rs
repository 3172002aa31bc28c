//! Protected resources: what recovery points were made from, whatever their status is
//! (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListProtectedResources.html>).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::catalog::Located;
use super::super::error::{ApiError, ErrorCode};
use super::super::job::Epoch;
use super::recovery_points::source_resource;
use super::{Backend, Call, SMALL};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Protected<'a> {
    resource_arn: &'a str,
    resource_type: &'a str,
    last_backup_time: Epoch,
    resource_name: Option<&'a str>,
    last_backup_vault_arn: &'a str,
    last_recovery_point_arn: &'a str,
}

fn protected(last: &Located) -> Protected<'_> {
    Protected {
        resource_arn: &last.point.resource_arn,
        resource_type: &last.point.resource_type,
        last_backup_time: Epoch(last.point.created_at),
        resource_name: None,
        last_backup_vault_arn: &last.vault_arn,
        last_recovery_point_arn: &last.point.arn,
    }
}

/// Each resource with its last recovery point, by ARN.
fn by_resource<'a>(points: impl IntoIterator<Item = &'a Arc<Located>>) -> Vec<&'a Located> {
    let mut last: BTreeMap<&str, &Located> = BTreeMap::new();
    for located in points {
        let known = last.get(&*located.point.resource_arn);
        if known.is_none_or(|known| known.point.created_at <= located.point.created_at) {
            last.insert(&located.point.resource_arn, located);
        }
    }
    last.into_values().collect()
}

impl Backend {
    pub(super) fn list_protected_resources(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let points = self.catalog.points(call.caller);
        self.resources_page(call, points)
    }

    pub(super) fn list_protected_resources_by_backup_vault(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        self.own_vault(call, "backupVaultAccountId")?;
        let points = self.catalog.points_in(call.caller, call.label(0))?;
        self.resources_page(call, points)
    }

    fn resources_page<'a>(
        &self,
        call: &Call<'_>,
        points: impl IntoIterator<Item = &'a Arc<Located>>,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page<'a> {
            results: Vec<Protected<'a>>,
            next_token: Option<String>,
        }
        let (page, next_token) = self.page(call, SMALL, by_resource(points))?;
        Ok(Answer::json(&Page {
            results: page.iter().map(|last| protected(last)).collect(),
            next_token,
        }))
    }

    pub(super) fn describe_protected_resource(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Described<'a> {
            #[serde(flatten)]
            protected: Protected<'a>,
            latest_restore_execution_time_minutes: Option<i64>,
            latest_restore_job_creation_date: Option<Epoch>,
            latest_restore_recovery_point_creation_date: Option<Epoch>,
        }
        let arn = call.label(0);
        source_resource(arn)?;
        let now = self.clock.now();
        let last = by_resource(self.catalog.points_of(call.caller, arn))
            .pop()
            .ok_or_else(|| {
                ApiError::new(
                    ErrorCode::ResourceNotFound,
                    format!("Resource {arn} is not protected."),
                )
            })?;
        let service = self.service();
        let latest = service.latest_restore_of(call.caller, arn, now);
        let minutes = latest.as_ref().and_then(|job| {
            let took = job.ended_at(now)?.duration_since(job.created_at);
            // A restore of seconds took a minute too.
            Some(took.as_mins().max(1))
        });
        Ok(Answer::json(&Described {
            protected: protected(last),
            latest_restore_execution_time_minutes: minutes,
            latest_restore_job_creation_date: latest.as_ref().map(|job| Epoch(job.created_at)),
            latest_restore_recovery_point_creation_date: latest
                .as_ref()
                .map(|job| Epoch(job.point.created_at())),
        }))
    }
}
