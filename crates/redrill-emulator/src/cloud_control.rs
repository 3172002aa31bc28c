//! AWS Cloud Control API, for what the emulator's jobs have made and its inventory says exists: read it, list it, delete it.
//!
//! The operations, members and errors are those of the API's model
//! (<https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/Welcome.html>); which type a resource has, and what
//! identifies it, is in the CloudFormation reference of the type. The words of a missing resource were recorded in
//! <https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2090>.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answer::Answer;
use super::caller::Caller;
use super::catalog::Catalog;
use super::clock::{Speed, add};
use super::existing::{self, Description, Resource, UNSUPPORTED, cloud_type, is_type};
use super::files::Record;
use super::handle::Backend;
use super::job::Epoch;
use super::operation::{Api, Operation};
use super::permissions::{Ask, Refused, authorize};
use super::protocol;
use super::service::Service;

/// Duration of a deletion: an assumption. AWS says that it is done in the background, and no more.
const DELETION: SignedDuration = SignedDuration::from_secs(30);
/// Time for which a client token is remembered (the API's reference of DeleteResource).
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(36);
const PAGE: usize = 100;

/// Requests made to Cloud Control API.
#[derive(Debug, Default)]
pub(super) struct CloudControl {
    requests: Vec<Deletion>,
    by_client_token: HashMap<(String, String), usize>,
    /// Time at which a resource is gone, by ARN; a job that ends later makes it again.
    gone: BTreeMap<String, Timestamp>,
}

#[derive(Clone, Debug)]
struct Deletion {
    token: Uuid,
    account: String,
    type_name: String,
    identifier: String,
    arn: String,
    asked_at: Timestamp,
    done_at: Timestamp,
    /// Reason why it fails, if it does.
    refused: Option<String>,
}

struct Refusal {
    code: &'static str,
    message: String,
}

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    let message = message.into();
    Refusal { code, message }
}

impl Refusal {
    fn answer(&self) -> Answer {
        let status = match self.code {
            "ServiceInternalErrorException" => 500,
            _ => 400,
        };
        protocol::error(Api::CloudControl, status, self.code, &self.message, "")
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    type_name: Option<String>,
    identifier: Option<String>,
    client_token: Option<String>,
    request_token: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Progress<'a> {
    progress_event: Event<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    type_name: &'a str,
    identifier: &'a str,
    request_token: String,
    operation: &'static str,
    operation_status: &'static str,
    event_time: Epoch,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

/// Answers one call.
pub(super) fn answer(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    body: &[u8],
) -> Answer {
    let answer = allowed(backend, caller, operation).and_then(|()| {
        let asked = serde_json::from_slice::<Asked>(body)
            .map_err(|error| refuse("SerializationException", error.to_string()))?;
        match operation {
            Operation::DeleteResource => delete(backend, caller, &asked),
            Operation::GetResource => get(backend, caller, &asked),
            Operation::GetResourceRequestStatus => status(backend, caller, &asked),
            _ => list(backend, caller, &asked),
        }
    });
    let answer = answer.unwrap_or_else(|refusal| refusal.answer());
    Answer {
        content_type: protocol::json_type(Api::CloudControl),
        ..answer
    }
}

/// Checks that the caller may use Cloud Control API: its actions are those of CloudFormation, on a resource that was
/// captured in <https://github.com/aws/aws-sdk/issues/140>.
fn allowed(backend: &Backend, caller: &Caller, operation: Operation) -> Result<(), Refusal> {
    let region = caller.region.as_deref().unwrap_or(&backend.default_region);
    let resource = format!(
        "arn:aws:cloudformation:{region}:{}:resource/*",
        caller.account
    );
    let action = format!("{}:{operation}", Api::CloudControl.prefix());
    let asked = may(backend, caller, &action, &resource);
    asked.map_err(|refused| refuse("AccessDeniedException", refused.message()))
}

/// Checks that the caller may do what the handler of a type does: it «uses a temporary session created using your AWS
/// user credentials» (<https://docs.aws.amazon.com/cloudcontrolapi/latest/APIReference/API_GetResource.html>). The form
/// of the refusal was captured in
/// <https://github.com/aws-cloudformation/aws-cloudformation-resource-providers-cloudformation/issues/113>.
fn handled(
    backend: &Backend,
    caller: &Caller,
    type_name: &str,
    action: &str,
    resource: &str,
) -> Result<(), Refusal> {
    // Most reading actions are about no single resource.
    let single = ["kms:DescribeKey", "iam:GetRole", "dynamodb:DescribeTable"];
    let resource = match single.contains(&action) && resource.starts_with("arn:") {
        true => resource,
        false => "*",
    };
    may(backend, caller, action, resource).map_err(|refused| {
        let words = refused.message();
        let token = Uuid::new_v5(&Uuid::NAMESPACE_URL, words.as_bytes());
        refuse(
            "AccessDeniedException",
            format!("{type_name} Handler returned status FAILED: {words} (HandlerErrorCode: AccessDenied, RequestToken: {token})"),
        )
    })
}

fn may(backend: &Backend, caller: &Caller, action: &str, resource: &str) -> Result<(), Refused> {
    let region = caller.region.as_deref().unwrap_or(&backend.default_region);
    let ask = Ask {
        action,
        resource,
        side: None,
        region,
        keys: &[],
        now: backend.clock.now(),
    };
    authorize(&backend.catalog, caller, &ask)
}

fn required<'a>(value: Option<&'a String>, name: &str) -> Result<&'a str, Refusal> {
    let value = value.filter(|value| !value.is_empty());
    value.map(String::as_str).ok_or_else(|| {
        refuse(
            "ValidationException",
            format!("1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"),
        )
    })
}

/// The type of a call, which has to be one that there is.
fn known_type<'a>(
    catalog: &Catalog,
    caller: &Caller,
    asked: &'a Asked,
) -> Result<&'a str, Refusal> {
    let name = required(asked.type_name.as_ref(), "typeName")?;
    if UNSUPPORTED.contains(&name) {
        return Err(refuse(
            "UnsupportedActionException",
            format!("Resource type {name} does not support this action"),
        ));
    }
    if !is_type(catalog, caller, name) {
        return Err(refuse(
            "TypeNotFoundException",
            format!("The type '{name}' cannot be found."),
        ));
    }
    Ok(name)
}

fn found(
    service: &Service,
    catalog: &Catalog,
    caller: &Caller,
    asked: &Asked,
    now: Timestamp,
) -> Result<Resource, Refusal> {
    let type_name = known_type(catalog, caller, asked)?;
    let identifier = required(asked.identifier.as_ref(), "identifier")?;
    let identifier = &existing::identifier(type_name, identifier);
    service
        .resources(catalog, caller, now)
        .into_iter()
        .find(|resource| resource.type_name == type_name && resource.identifier == *identifier)
        .ok_or_else(|| {
            let token = Uuid::new_v5(&Uuid::NAMESPACE_URL, identifier.as_bytes());
            refuse(
                "ResourceNotFoundException",
                format!("{type_name} Handler returned status FAILED: null (HandlerErrorCode: NotFound, RequestToken: {token})"),
            )
        })
}

fn get(backend: &Backend, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Found<'a> {
        type_name: &'a str,
        resource_description: Description,
    }
    let type_name = known_type(&backend.catalog, caller, asked)?;
    let now = backend.clock.now();
    let found = { found(&backend.service(), &backend.catalog, caller, asked, now) };
    // A caller that may not look does not learn that nothing is there.
    let arn = found.as_ref().map_or("*", |resource| &resource.arn);
    if let Some(row) = cloud_type(type_name) {
        handled(backend, caller, type_name, &row.read, arn)?;
    }
    Ok(Answer::json(&Found {
        type_name,
        resource_description: found?.described(),
    }))
}

fn list(backend: &Backend, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Page<'a> {
        type_name: &'a str,
        resource_descriptions: Vec<Description>,
        next_token: Option<String>,
    }
    let type_name = known_type(&backend.catalog, caller, asked)?;
    if let Some(row) = cloud_type(type_name) {
        let action = row.list.as_ref().unwrap_or(&row.read);
        handled(backend, caller, type_name, action, "*")?;
    }
    let from = match &asked.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| refuse("InvalidRequestException", "Invalid NextToken."))?,
    };
    let now = backend.clock.now();
    let mut all = backend.service().resources(&backend.catalog, caller, now);
    all.retain(|resource| resource.type_name == type_name);
    let max = asked.max_results.unwrap_or(PAGE).clamp(1, PAGE);
    let end = usize::saturating_add(from, max);
    let next_token = (end < all.len()).then(|| end.to_string());
    let page = all.into_iter().skip(from).take(max);
    Ok(Answer::json(&Page {
        type_name,
        resource_descriptions: page.map(Resource::described).collect(),
        next_token,
    }))
}

fn delete(backend: &Backend, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    // The time is read under the lock: what is recorded is in its order.
    let mut service = backend.service();
    let now = backend.clock.now();
    let type_name = known_type(&backend.catalog, caller, asked)?.to_owned();
    let identifier = required(asked.identifier.as_ref(), "identifier")?;
    let identifier = existing::identifier(&type_name, identifier);
    let key = asked
        .client_token
        .as_ref()
        .map(|token| (caller.account.clone(), token.clone()));
    let known = key
        .as_ref()
        .and_then(|key| service.cloud.by_client_token.get(key));
    if let Some(known) = known.map(|index| service.cloud.requests[*index].clone())
        && now.duration_since(known.asked_at) < TOKEN_LIFETIME
    {
        if known.type_name != type_name || known.identifier != identifier {
            return Err(refuse(
                "ClientTokenConflictException",
                "The specified client token has already been used in another resource request.",
            ));
        }
        return Ok(progress(&known, now));
    }
    let resource = found(&service, &backend.catalog, caller, asked, now)?;
    let is_under_way = |deletion: &Deletion| deletion.arn == resource.arn && now < deletion.done_at;
    if service.cloud.requests.iter().any(is_under_way) {
        return Err(refuse(
            "ConcurrentOperationException",
            format!("A deletion of {identifier} is currently in progress."),
        ));
    }
    let refused = deletion_refused(backend, caller, &resource);
    if let Some(state) = backend.state.as_ref().filter(|_| refused.is_none()) {
        let record = Record::Deleted {
            at: now,
            account: caller.account.clone(),
            arn: resource.arn.clone(),
        };
        if let Err(error) = state.add(&record) {
            return Err(refuse(
                "ServiceInternalErrorException",
                format!("The emulator cannot write its state: {error}"),
            ));
        }
    }
    let cloud = &mut service.cloud;
    let index = cloud.requests.len();
    let deletion = Deletion {
        token: Uuid::new_v5(
            &Uuid::NAMESPACE_URL,
            format!("{index} {}", resource.arn).as_bytes(),
        ),
        account: caller.account.clone(),
        type_name,
        identifier,
        arn: resource.arn,
        asked_at: now,
        done_at: match &refused {
            Some(_) => now,
            None => add(now, DELETION),
        },
        refused,
    };
    if deletion.refused.is_none() {
        cloud.gone.insert(deletion.arn.clone(), deletion.done_at);
    }
    if let Some(key) = key {
        cloud.by_client_token.insert(key, index);
    }
    let answer = progress(&deletion, now);
    cloud.requests.push(deletion);
    Ok(answer)
}

/// Tells why the handler of a deletion fails: it runs in the background, with the permissions of the caller. The form
/// of the message was captured in <https://github.com/hashicorp/terraform-provider-awscc/issues/338>.
fn deletion_refused(backend: &Backend, caller: &Caller, resource: &Resource) -> Option<String> {
    let action = cloud_type(&resource.type_name)?.delete.as_deref()?;
    let refused = may(backend, caller, action, &resource.arn).err()?;
    let words = refused.message();
    let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, words.as_bytes());
    let prefix = action.split(':').next().unwrap_or_default();
    let (first, rest) = prefix.split_at(prefix.len().min(1));
    Some(format!(
        "{words} (Service: {}{rest}, Status Code: 403, Request ID: {id})",
        first.to_uppercase()
    ))
}

fn status(backend: &Backend, caller: &Caller, asked: &Asked) -> Result<Answer, Refusal> {
    let token = required(asked.request_token.as_ref(), "requestToken")?;
    let now = backend.clock.now();
    let deletion = {
        let service = backend.service();
        let mut all = service.cloud.requests.iter();
        all.find(|deletion| {
            deletion.account == caller.account && deletion.token.to_string() == token
        })
        .cloned()
    };
    let deletion = deletion.ok_or_else(|| {
        refuse(
            "RequestTokenNotFoundException",
            format!("Request with token {token} was not found"),
        )
    })?;
    let answer = progress(&deletion, now);
    // A client that has looked will wait: a clock that stands still jumps to the end.
    if backend.clock.speed() == Speed::Max && !backend.driven && now < deletion.done_at {
        backend.clock.advance_to(deletion.done_at);
    }
    Ok(answer)
}

fn progress(deletion: &Deletion, now: Timestamp) -> Answer {
    let is_done = now >= deletion.done_at;
    Answer::json(&Progress {
        progress_event: Event {
            type_name: &deletion.type_name,
            identifier: &deletion.identifier,
            request_token: deletion.token.to_string(),
            operation: "DELETE",
            operation_status: match &deletion.refused {
                Some(_) => "FAILED",
                None if is_done => "SUCCESS",
                None => "IN_PROGRESS",
            },
            status_message: deletion.refused.as_deref(),
            error_code: deletion.refused.is_some().then_some("AccessDenied"),
            event_time: Epoch(if is_done {
                deletion.done_at
            } else {
                deletion.asked_at
            }),
        },
    })
}

impl CloudControl {
    /// Returns true if what existed since a time is gone by now.
    pub(super) fn is_gone(&self, arn: &str, since: Timestamp, now: Timestamp) -> bool {
        let gone = self.gone.get(arn);
        gone.is_some_and(|at| since <= *at && *at <= now)
    }

    /// Does again what an earlier emulator recorded.
    pub(super) fn replay(&mut self, arn: String, at: Timestamp) {
        self.gone.insert(arn, add(at, DELETION));
    }
}
