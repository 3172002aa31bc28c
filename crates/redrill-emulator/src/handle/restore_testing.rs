//! Restore testing: the emulator has no plans of it, and infers metadata as AWS documents.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::answer::Answer;
use super::super::error::{ApiError, ErrorCode};
use super::super::resource_types;
use super::{Backend, Call, LARGE};

impl Backend {
    pub(super) fn get_restore_testing_inferred_metadata(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            inferred_metadata: BTreeMap<String, String>,
        }
        let required = |name: &str| call.query.text(name).ok_or_else(|| ApiError::missing(name));
        let vault = required("BackupVaultName")?;
        let arn = required("RecoveryPointArn")?;
        self.own_vault(call, "BackupVaultAccountId")?;
        let located = self.catalog.find_in(call.caller, vault, arn)?;
        let point = &located.point;
        let inferred = resource_types::find(&point.resource_type)
            .and_then(|row| resource_types::inferred_metadata(row, point));
        let inferred_metadata = inferred.ok_or_else(|| {
            // AWS's answer for types that restore testing leaves out was not recorded.
            ApiError::invalid(
                "RecoveryPointArn",
                format!("Restore testing does not support {}.", point.resource_type),
            )
        })?;
        Ok(Answer::json(&Found { inferred_metadata }))
    }

    pub(super) fn list_restore_testing_plans(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            next_token: Option<String>,
            restore_testing_plans: Vec<()>,
        }
        let (restore_testing_plans, next_token) = self.page(call, LARGE, Vec::new())?;
        Ok(Answer::json(&Page {
            next_token,
            restore_testing_plans,
        }))
    }

    pub(super) fn no_restore_testing_plan(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        self.page::<()>(call, LARGE, Vec::new())?;
        Err(ApiError::new(
            ErrorCode::ResourceNotFound,
            format!("Restore testing plan {} does not exist.", call.label(0)),
        ))
    }
}
