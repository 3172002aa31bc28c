//! Permissions that deleting needs: Cloud Control API calls each service with the permissions of its caller.

use super::caller::{actions, anything};
use super::resources::{created, filled};
use super::statement::{PolicyStatement, PolicyStatements};
use crate::backup::Operation;
use crate::ids::Arn;
use crate::plan::Step;
use crate::render::{Metadata, Target};
use crate::rules::{Deletes, Facts, HandlerActions, title_by_letters};

pub(super) const CLOUD_CONTROL: &str =
    "https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/security.html";

/// Adds what a cleanup of a restore needs.
pub(super) fn add(statements: &mut PolicyStatements, step: &Step, target: &Target) {
    let made = made(step, target);
    for (deletes, made) in rows(&step.draft.request.resource_type, &made) {
        of_row(statements, &deletes.r#type, made);
    }
}

/// Finds how each of these ARNs is deleted, as far as anything makes one of its kind.
pub(super) fn rows(
    resource_type: &str,
    arns: &[String],
) -> impl Iterator<Item = (&'static Deletes, Vec<String>)> {
    Deletes::of(title_by_letters(resource_type)).filter_map(|row| {
        let (service, kind) = row.arn.split_once(':').unwrap_or((&row.arn, ""));
        let is_of = |arn: &&String| {
            Arn::parse(arn).is_some_and(|arn| {
                arn.service == service && (arn.resource.starts_with(kind) || arn.resource == "*")
            })
        };
        let of: Vec<String> = arns.iter().filter(is_of).cloned().collect();
        (!of.is_empty()).then_some((row, of))
    })
}

fn of_row(statements: &mut PolicyStatements, type_name: &str, made: Vec<String>) {
    let Some(handler) = HandlerActions::of(type_name) else {
        return;
    };
    read_resources(statements, &[Operation::GetResource]);
    let operations = [
        Operation::DeleteResource,
        Operation::GetResourceRequestStatus,
    ];
    statements.add(PolicyStatement::new(
        "DeleteResources",
        actions(&operations),
        anything(),
        "deletes what the run has made, through Cloud Control API",
        CLOUD_CONTROL,
    ));
    let is_own = |action: &&String| handler.deletes.as_ref() == Some(action);
    let all = handler.read.iter().chain(&handler.delete);
    statements.add(PolicyStatement::new(
        &HandlerActions::statement("Read", type_name),
        all.filter(|action| !is_own(action)).cloned(),
        anything(),
        &format!("{type_name}: what Cloud Control API's handlers ask of the caller"),
        CLOUD_CONTROL,
    ));
    statements.add(PolicyStatement::new(
        &HandlerActions::statement("Delete", type_name),
        handler.deletes.clone(),
        made,
        &format!("{type_name}: deletes what the run has made, with the caller's permissions"),
        CLOUD_CONTROL,
    ));
}

/// Adds the calls that read resources.
pub(super) fn read_resources(statements: &mut PolicyStatements, operations: &[Operation]) {
    statements.add(PolicyStatement::new(
        "ReadResources",
        actions(operations),
        anything(),
        "reads resources through Cloud Control API",
        CLOUD_CONTROL,
    ));
}

/// The ARNs of what a restore makes and a cleanup deletes.
fn made(step: &Step, target: &Target) -> Vec<String> {
    let request = &step.draft.request;
    let facts = Facts::of(title_by_letters(&request.resource_type));
    let mut existing = facts.into_iter().flat_map(|facts| &facts.existing);
    // A resource that was there before stays.
    let stays = existing.any(|of| !of.makes && of.condition.holds(&request.metadata));
    let mut made = match stays {
        true => Vec::new(),
        false => created(&step.draft, target),
    };
    // Resources that nested jobs make are deleted, too: for a snapshot, a volume.
    let parts = facts.and_then(|facts| facts.parts.as_deref());
    let parts = parts.and_then(|key| request.metadata.get(key));
    if parts.is_some_and(|parts| parts.contains(":snapshot/")) {
        let none = Metadata::default();
        made.push(filled("ec2:{region}:{account}:volume/*", target, &none));
    }
    made
}
