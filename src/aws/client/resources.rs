//! Cloud Control API: one call to delete a resource of whatever type.

use aws_sdk_cloudcontrol::types::{OperationStatus, ProgressEvent};

use crate::aws::Aws;
use crate::aws::bounds::message;
use crate::backup::{ApiError, Fault, Operation, deletion_remedy};
use crate::cleanup::{DeleteAnswer, DeletionProgress, ExistingResource, Named, Resources};
use crate::ids::ClientToken;

/// Error codes of Cloud Control API if it has no handler that reads a type
/// (<https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_GetResource.html>).
const UNREADABLE: [&str; 3] = [
    "TypeNotFoundException",
    "UnsupportedActionException",
    "PrivateTypeException",
];

impl<H> Aws<H> {
    /// Reads a resource; `None` if it is not there.
    async fn found(&self, named: &Named) -> Result<Option<ExistingResource>, ApiError> {
        let properties = self.properties(named).await?;
        Ok(properties.map(|properties| ExistingResource::of(&properties)))
    }

    /// The properties of a resource, a JSON object; none where there is no such resource.
    pub(in crate::aws) async fn properties(
        &self,
        named: &Named,
    ) -> Result<Option<String>, ApiError> {
        let operation = self.counted(Operation::GetResource);
        let answer = self
            .cloudcontrol
            .get_resource()
            .type_name(&named.type_name)
            .identifier(&named.identifier)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err));
        match answer {
            Ok(answer) => {
                let properties = answer.resource_description.and_then(|of| of.properties);
                Ok(Some(properties.unwrap_or_default()))
            }
            Err(error) if is_missing(&error, named) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns true if a resource is there; `None` if Cloud Control API does not read its type.
    pub(in crate::aws) async fn has(&self, named: &Named) -> Result<Option<bool>, ApiError> {
        match self.found(named).await {
            Ok(found) => Ok(Some(found.is_some())),
            Err(error)
                if UNREADABLE
                    .iter()
                    .any(|code| error.code.as_deref() == Some(code)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Resources for Aws {
    async fn find(&self, named: &Named) -> Result<Option<ExistingResource>, ApiError> {
        self.found(named).await
    }

    async fn delete(&self, named: &Named, token: &ClientToken) -> Result<DeleteAnswer, ApiError> {
        self.pass().await;
        let operation = self.counted(Operation::DeleteResource);
        let answer = self
            .cloudcontrol
            .delete_resource()
            .type_name(&named.type_name)
            .identifier(&named.identifier)
            .client_token(token.as_str())
            .send()
            .await
            .map_err(|err| self.failed(operation, &err));
        match answer {
            Ok(answer) => answer
                .progress_event
                .and_then(|event| event.request_token)
                .map(DeleteAnswer::Request)
                .ok_or_else(|| ApiError {
                    operation,
                    fault: Fault::Service,
                    code: None,
                    request_id: None,
                    message: "the answer names no request".to_owned(),
                }),
            Err(error) if is_missing(&error, named) => Ok(DeleteAnswer::Gone),
            // A later look tells whether it is gone.
            Err(error) if error.code.as_deref() == Some("ConcurrentOperationException") => {
                Ok(DeleteAnswer::UnderWay)
            }
            Err(error) => Err(error),
        }
    }

    async fn progress(&self, _: &Named, request: &str) -> Result<DeletionProgress, ApiError> {
        let operation = self.counted(Operation::GetResourceRequestStatus);
        let answer = self
            .cloudcontrol
            .get_resource_request_status()
            .request_token(request)
            .send()
            .await
            .map_err(|err| self.failed(operation, &err))?;
        Ok(answer
            .progress_event
            .map_or(DeletionProgress::UnderWay, progress))
    }
}

fn progress(event: ProgressEvent) -> DeletionProgress {
    match event.operation_status {
        Some(OperationStatus::Success) => DeletionProgress::Done,
        Some(OperationStatus::Failed | OperationStatus::CancelComplete) => {
            let code = event.error_code.map(|code| code.as_str().to_owned());
            let message = event.status_message.or(code).map(message);
            let message = message.unwrap_or_else(|| "AWS gives no reason".to_owned());
            let remedy = deletion_remedy(event.type_name.as_deref().unwrap_or_default(), &message);
            DeletionProgress::Failed(match remedy {
                Some(remedy) => format!("{message}; {remedy}"),
                None => message,
            })
        }
        _ => DeletionProgress::UnderWay,
    }
}

/// Returns true if AWS says that this very resource does not exist. Handlers say so by the code NotFound
/// (<https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2090>), under other exceptions too
/// (<https://github.com/pulumi/pulumi-aws-native/pull/682>). Anything else that is not found, such as a hook or a role,
/// does not count.
fn is_missing(error: &ApiError, named: &Named) -> bool {
    if error.fault != Fault::Refused {
        return false;
    }
    let code = "ResourceNotFoundException";
    let is_of_code = error.code.as_deref() == Some(code);
    let handler = said_by_handler(&error.message);
    let message = handler.unwrap_or(&error.message);
    if (handler.is_some() || is_of_code && message == code) && is_of_nothing(message) {
        return true;
    }
    let names_it = named
        .identifier
        .split('|')
        .all(|part| has_word(message, part));
    let is_about_others = ["hook", "role", "schema", "managed policy"]
        .iter()
        .any(|other| {
            has_word(&message.to_lowercase(), other) && !has_word(&named.identifier, other)
        });
    (handler.is_some() || is_of_code || message.contains(code)) && names_it && !is_about_others
}

/// A handler's reason, where its answer has the code NotFound.
fn said_by_handler(message: &str) -> Option<&str> {
    let (said, _) = message.split_once("(HandlerErrorCode: NotFound")?;
    let (_, said) = said.split_once("FAILED: ").unwrap_or(("", said));
    Some(said.trim())
}

/// Returns true if a text says that something is not found, and not a word of what: that is what was asked for.
fn is_of_nothing(said: &str) -> bool {
    const WORDS: [&str; 19] = [
        "a",
        "be",
        "cannot",
        "could",
        "does",
        "entity",
        "exist",
        "found",
        "it",
        "no",
        "not",
        "notfound",
        "null",
        "requested",
        "resource",
        "resourcenotfoundexception",
        "such",
        "the",
        "was",
    ];
    let words = said.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
    let mut words = words.filter(|word| !word.is_empty());
    words.all(|word| WORDS.contains(&word.to_lowercase().as_str()))
}

/// Returns true if a text has a word, with nothing of a name next to it.
fn has_word(text: &str, word: &str) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let mut after = text[at + word.len()..].chars();
        let next = after.next();
        // A sentence may end behind a name.
        let ends = next == Some('.') && after.next().is_none_or(char::is_whitespace);
        !before.is_some_and(is_of_name) && (ends || !next.is_some_and(is_of_name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(code: &str, message: &str, identifier: &str) -> bool {
        let error = ApiError {
            operation: Operation::GetResource,
            fault: Fault::Refused,
            code: Some(code.to_owned()),
            request_id: None,
            message: message.to_owned(),
        };
        let named = Named {
            type_name: "AWS::DynamoDB::Table".to_owned(),
            identifier: identifier.to_owned(),
            is_name: true,
            place: crate::ids::PlaceIndex::FIRST,
        };
        is_missing(&error, &named)
    }

    #[test]
    fn reliability_r3_13_only_the_resource_itself_is_gone() {
        let code = "ResourceNotFoundException";
        for (code, message) in [
            (code, "ResourceNotFoundException"),
            (
                code,
                "AWS::DynamoDB::Table Handler returned status FAILED: null (HandlerErrorCode: NotFound, RequestToken: 94c5) (ResourceNotFoundException)",
            ),
            (
                "GeneralServiceException",
                "AWS::Lambda::Permission Handler returned status FAILED: null (HandlerErrorCode: NotFound, RequestToken: 94c5)",
            ),
            (
                code,
                "AWS::DynamoDB::Table Handler returned status FAILED: Requested resource not found: Table: orders not found (HandlerErrorCode: NotFound, RequestToken: 94c5)",
            ),
            (
                "GeneralServiceException",
                "Handler returned status FAILED: The resource does not exist. (HandlerErrorCode: NotFound)",
            ),
            (
                code,
                "Resource of type 'AWS::DynamoDB::Table' with identifier 'orders' was not found. (ResourceNotFoundException)",
            ),
            (
                code,
                "Requested resource not found: Table: orders not found (ResourceNotFoundException)",
            ),
            (
                code,
                "There is no table orders. (ResourceNotFoundException)",
            ),
        ] {
            assert!(missing(code, message, "orders"), "{message}");
        }
        assert!(missing(code, "Table t of database d was not found", "d|t"));
        for (code, message) in [
            (
                code,
                "Hook 'Company::Guard' was not found (ResourceNotFoundException)",
            ),
            (
                code,
                "The hook for table orders was not found (ResourceNotFoundException)",
            ),
            (
                code,
                "Role arn:aws:iam::123456789012:role/cleanup not found (ResourceNotFoundException)",
            ),
            (code, "Role orders not found (ResourceNotFoundException)"),
            (
                code,
                "Table orders-2 was not found (ResourceNotFoundException)",
            ),
            ("GeneralServiceException", "The role cannot be assumed"),
            (
                code,
                "AWS::DynamoDB::Table Handler returned status FAILED: KMS key alias/x does not exist (HandlerErrorCode: NotFound, RequestToken: 94c5) (ResourceNotFoundException)",
            ),
            (
                code,
                "AWS::DynamoDB::Table Handler returned status FAILED: Table orders-2 not found (HandlerErrorCode: NotFound, RequestToken: 94c5)",
            ),
            (
                code,
                "AWS::DynamoDB::Table Handler returned status FAILED: Role for table orders not found (HandlerErrorCode: NotFound)",
            ),
            (
                "TypeNotFoundException",
                "The type 'AWS::DynamoDB::Table' cannot be found.",
            ),
        ] {
            assert!(!missing(code, message, "orders"), "{message}");
        }
    }
}
