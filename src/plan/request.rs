//! The exact body of StartRestoreJob.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::ids::{IdempotencyToken, RequestDigest};
use crate::render::{Metadata, REDACTED, Secrets};
use crate::validate::MARK;

/// The body as it is sent (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>).
///
/// The fields stand in the order of their names, and metadata is sorted by key, so that serialising it compactly
/// gives its one canonical form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Request {
    /// Sent only where the plan says it; AWS's default is false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_source_tags_to_restored_resource: Option<bool>,
    /// The role that AWS Backup assumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iam_role_arn: Option<String>,
    /// Absent until the attempt is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_token: Option<IdempotencyToken>,
    /// Strings to strings, as AWS wants them.
    #[serde(serialize_with = "as_object")]
    pub metadata: Metadata,
    /// The recovery point.
    pub recovery_point_arn: String,
    /// AWS's name of the resource type.
    pub resource_type: String,
}

/// An object even where it is empty, which the map by itself would write as a list: tokens hang on these bytes.
fn as_object<S: Serializer>(metadata: &Metadata, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(metadata.iter())
}

impl Request {
    /// Compact JSON, keys sorted.
    #[must_use]
    pub fn canonical(&self) -> String {
        // A struct of strings: serde_json cannot fail on it.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same request with its token.
    #[must_use]
    pub fn with_token(mut self, token: &IdempotencyToken) -> Self {
        self.idempotency_token = Some(token.clone());
        self
    }

    /// The same request with redrill's mark, made from the token, unless the plan has a value of its own there.
    #[must_use]
    pub fn with_mark(mut self, token: &IdempotencyToken) -> Self {
        self.metadata
            .entry(MARK.to_owned())
            .or_insert_with(|| mark(token));
        self
    }
}

impl Request {
    /// The request as it may be shown.
    #[must_use]
    pub fn redacted(&self, secrets: &Secrets) -> Self {
        let mut request = self.clone();
        if secrets.is_empty() {
            return request;
        }
        let Self {
            copy_source_tags_to_restored_resource: _,
            iam_role_arn,
            idempotency_token: _,
            metadata: _,
            recovery_point_arn,
            resource_type,
        } = &mut request;
        if let Some(role) = iam_role_arn {
            secrets.redact_in(role);
        }
        secrets.redact_in(recovery_point_arn);
        secrets.redact_in(resource_type);
        for (_, value) in &mut request.metadata {
            secrets.redact_in(value);
        }
        request
    }
}

impl Request {
    /// Returns true if a record leaves out a secret: its token and digest could then give away one that can be guessed.
    #[must_use]
    pub fn hides_secret(&self) -> bool {
        let Self {
            copy_source_tags_to_restored_resource: _,
            iam_role_arn,
            idempotency_token: _,
            metadata,
            recovery_point_arn,
            resource_type,
        } = self;
        let values = metadata.iter().map(|(_, value)| value);
        values
            .chain(iam_role_arn)
            .chain([recovery_point_arn, resource_type])
            .any(|text| text.contains(REDACTED))
    }

    /// Returns true if it holds a secret, which is not shown, and neither is what it could be guessed from.
    #[must_use]
    pub fn holds_secret(&self, secrets: &Secrets) -> bool {
        !secrets.is_empty() && self.redacted(secrets) != *self
    }
}

/// A request with its idempotency token: only this is sent. The SDK would fill in a random token where there is none, and a
/// request sent twice would then be two jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenedRequest {
    request: Request,
    token: IdempotencyToken,
}

impl TokenedRequest {
    /// A request with a token.
    #[must_use]
    pub fn new(request: Request, token: &IdempotencyToken) -> Self {
        Self {
            request: request.with_token(token),
            token: token.clone(),
        }
    }

    /// The token.
    #[must_use]
    pub fn token(&self) -> &IdempotencyToken {
        &self.token
    }

    /// Returns true if it has redrill's mark, by which its job is known.
    #[must_use]
    pub fn has_mark(&self) -> bool {
        self.request.metadata.get(MARK) == Some(&mark(self.token()))
    }

    /// The request as it is written down.
    #[must_use]
    pub fn into_request(self) -> Request {
        self.request
    }
}

impl std::ops::Deref for TokenedRequest {
    type Target = Request;

    fn deref(&self) -> &Request {
        &self.request
    }
}

/// The UUID that marks the job of a token: version 5, of the name `urn:redrill:token:<token>` in the URL namespace.
#[must_use]
pub fn mark(token: &IdempotencyToken) -> String {
    uuid::Uuid::new_v5(
        &uuid::Uuid::NAMESPACE_URL,
        format!("urn:redrill:token:{token}").as_bytes(),
    )
    .to_string()
}

/// Returns what tells one request from another: SHA-256 of its canonical form without the token, in hexadecimal.
#[must_use]
pub fn digest(request: &Request) -> RequestDigest {
    RequestDigest::new(sha256(without_token(request).canonical()))
}

/// SHA-256 in hexadecimal.
#[must_use]
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn without_token(request: &Request) -> Cow<'_, Request> {
    let mut request = Cow::Borrowed(request);
    if request.idempotency_token.is_some() {
        request.to_mut().idempotency_token = None;
    }
    request
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
