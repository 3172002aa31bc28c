//! The body of StartRestoreJob.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::{ApiError, ErrorCode};
use super::query::is_resource_type;
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
    /// Null is absent, everywhere. Unknown members are ignored, as AWS's parsers do.
    pub(super) fn parse(body: &[u8]) -> Result<StartRequest, ApiError> {
        let members = members(body)?;
        let text = |name: &str| members.text(name);
        let recovery_point_arn =
            text("RecoveryPointArn")?.ok_or_else(|| ApiError::missing("RecoveryPointArn"))?;
        let metadata = match members.0.get("Metadata") {
            None | Some(Value::Null) => return Err(ApiError::missing("Metadata")),
            Some(Value::Object(entries)) => string_map(entries)?,
            Some(_) => return Err(serialization("Metadata is not a map.")),
        };
        let copy_tags = match members.0.get("CopySourceTagsToRestoredResource") {
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
        if let Some(name) = resource_type
            .as_deref()
            .filter(|name| !is_resource_type(name))
        {
            return Err(ApiError::invalid(
                "ResourceType",
                format!("ResourceType is {name:?}; that is no resource type."),
            ));
        }
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
            // It was UTF-8, or there would be no members.
            body: String::from_utf8_lossy(body).into_owned(),
        })
    }
}

/// The members of a body.
#[derive(Debug)]
pub(super) struct Members(Map<String, Value>);

pub(super) fn members(body: &[u8]) -> Result<Members, ApiError> {
    let body = std::str::from_utf8(body).map_err(|_| serialization("The body is not UTF-8."))?;
    let members = serde_json::from_str(body)
        .map_err(|error| serialization(&format!("The body is no JSON object: {error}")))?;
    Ok(Members(members))
}

impl Members {
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(serialization(&format!("{name} is not a string."))),
        }
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
