//! The body of StartRestoreJob.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ApiError, ErrorCode};
use super::tokens::{Digest, digest};

/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>
#[derive(Debug)]
pub(super) struct StartRequest {
    pub(super) recovery_point_arn: String,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) iam_role_arn: Option<String>,
    pub(super) token: Option<String>,
    pub(super) resource_type: Option<String>,
    pub(super) copy_tags: bool,
    /// Of all of it but the token: what tells it from another request.
    pub(super) fingerprint: Digest,
    /// As it came.
    pub(super) body: String,
}

impl StartRequest {
    /// Null is absent, everywhere. The declared pattern of ResourceType is not enforced: AWS's own values break it
    /// (`Storage Gateway`). Unknown members are ignored, as AWS's parsers do.
    pub(super) fn parse(body: &[u8]) -> Result<StartRequest, ApiError> {
        let body =
            std::str::from_utf8(body).map_err(|_| serialization("The body is not UTF-8."))?;
        let members: Map<String, Value> = serde_json::from_str(body)
            .map_err(|error| serialization(&format!("The body is no JSON object: {error}")))?;
        let text = |name: &str| match members.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(serialization(&format!("{name} is not a string."))),
        };
        let recovery_point_arn =
            text("RecoveryPointArn")?.ok_or_else(|| ApiError::missing("RecoveryPointArn"))?;
        let metadata = match members.get("Metadata") {
            None | Some(Value::Null) => return Err(ApiError::missing("Metadata")),
            Some(Value::Object(entries)) => string_map(entries)?,
            Some(_) => return Err(serialization("Metadata is not a map.")),
        };
        let copy_tags = match members.get("CopySourceTagsToRestoredResource") {
            None | Some(Value::Null) => false,
            Some(Value::Bool(copy)) => *copy,
            Some(_) => {
                return Err(serialization(
                    "CopySourceTagsToRestoredResource is not a boolean.",
                ));
            }
        };
        let iam_role_arn = text("IamRoleArn")?;
        let resource_type = text("ResourceType")?;
        let others = [
            Some(&*recovery_point_arn),
            iam_role_arn.as_deref(),
            resource_type.as_deref(),
            copy_tags.then_some("true"),
        ];
        let entries = metadata
            .iter()
            .flat_map(|(key, value)| [Some(&**key), Some(&**value)]);
        let fingerprint = digest(others.into_iter().chain(entries));
        Ok(StartRequest {
            fingerprint,
            token: text("IdempotencyToken")?,
            recovery_point_arn,
            metadata,
            iam_role_arn,
            resource_type,
            copy_tags,
            body: body.to_owned(),
        })
    }
}

fn string_map(entries: &Map<String, Value>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        match value {
            Value::Null => {}
            Value::String(text) => {
                map.insert(key.clone(), text.clone());
            }
            _ => {
                return Err(serialization(&format!(
                    "The value of {key} in Metadata is not a string."
                )));
            }
        }
    }
    Ok(map)
}

fn serialization(message: &str) -> ApiError {
    ApiError::new(ErrorCode::Serialization, message)
}
