//! Permissions for what preflight reads.

use std::collections::BTreeSet;

use super::caller::{actions, anything};
use super::deletions::{CLOUD_CONTROL, read_resources, rows};
use super::keys::keys;
use super::resources::{filled, known};
use super::statement::{PolicyStatement, PolicyStatements};
use crate::backup::Operation;
use crate::plan::Step;
use crate::render::{Metadata, Target};
use crate::rules::{Facts, HandlerActions, Rules, TypeNotes, WallRead, title_by_letters, value};
use crate::validate::named_values;

const IAM: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html";
const QUOTAS: &str =
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_servicequotas.html";
const KMS: &str =
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html";

/// Adds what looking at a restore needs, beside its recovery point.
pub(super) fn add(statements: &mut PolicyStatements, step: &Step, target: &Target, rules: &Rules) {
    let request = &step.draft.request;
    // Whatever is restored without a role is not asked about.
    let has_none = TypeNotes::of(title_by_letters(&request.resource_type))
        .is_some_and(|notes| notes.no_role.is_some());
    let role = request.iam_role_arn.as_deref().filter(|_| !has_none);
    roles(statements, role, target);
    let facts = Facts::of(title_by_letters(&request.resource_type));
    let quotas = facts.into_iter().flat_map(|facts| &facts.quotas);
    let quotas = quotas.filter(|quota| quota.condition.holds(&request.metadata));
    let counted: BTreeSet<&str> = quotas.map(|quota| quota.counts.as_str()).collect();
    if !counted.is_empty() {
        read_resources(statements, &[Operation::ListResources]);
        statements.add(PolicyStatement::new(
            "ReadQuotas",
            actions(&[Operation::GetServiceQuota]),
            anything(),
            "reads the quotas of what the plan makes",
            QUOTAS,
        ));
    }
    let read = types(step, target, rules);
    if !read.is_empty() {
        read_resources(statements, &[Operation::GetResource]);
    }
    for name in read.union(&counted) {
        let Some(handler) = HandlerActions::of(name) else {
            continue;
        };
        let reads = handler.read.iter().filter(|_| read.contains(name));
        let lists = handler.list.iter().filter(|_| counted.contains(name));
        statements.add(PolicyStatement::new(
            &HandlerActions::statement("Read", name),
            reads.chain(lists).cloned(),
            anything(),
            &format!("{name}: what Cloud Control API's handlers ask of the caller"),
            CLOUD_CONTROL,
        ));
    }
    let keys = keys(rules, &step.draft, target);
    let on: BTreeSet<String> = keys.arns.into_iter().chain(keys.places).collect();
    if !on.is_empty() {
        statements.add(PolicyStatement::new(
            "ReadKeyGrants",
            actions(&[Operation::ListGrants]),
            on,
            "reads whom the grants of the keys are for",
            KMS,
        ));
    }
}

/// The role that restores, and what IAM says of it and of the caller.
fn roles(statements: &mut PolicyStatements, role: Option<&str>, target: &Target) {
    if let Some(role) = role {
        statements.add(PolicyStatement::new(
            "ReadRestoreRoles",
            actions(&[Operation::GetRole]),
            [role.to_owned()],
            "reads whom the restore roles trust",
            IAM,
        ));
    }
    let none = Metadata::default();
    // The caller is not in the plan, unless it is a role that redrill assumes.
    let caller = match &target.assume_role_arn {
        Some(assumed) => vec![assumed.clone()],
        None => vec![
            filled("iam::{account}:role/*", target, &none),
            filled("iam::{account}:user/*", target, &none),
        ],
    };
    statements.add(PolicyStatement::new(
        "SimulatePolicies",
        actions(&[Operation::SimulatePrincipalPolicy]),
        caller.into_iter().chain(role.map(str::to_owned)),
        "asks IAM what the caller and the restore roles may do",
        IAM,
    ));
}

/// The types that are read, by CloudFormation's names: of places and other things that the request names, and of names that have
/// to be free.
fn types(step: &Step, target: &Target, rules: &Rules) -> BTreeSet<&'static str> {
    let draft = &step.draft;
    let request = &draft.request;
    let title = title_by_letters(&request.resource_type);
    let is_known = |key: &str| !draft.holes.contains_key(key);
    let mut types = BTreeSet::new();
    for named in named_values(rules, &request.resource_type, &request.metadata, &is_known) {
        let Some(reads) = WallRead::of(named.kind) else {
            continue;
        };
        types.insert(reads.r#type.as_str());
        if named.text.contains("alias/") {
            types.extend(reads.alias.as_deref());
        }
        // A group of subnets is of the VPC of its first.
        if reads.subnets.is_some() {
            types.extend(WallRead::of("subnet").map(|reads| reads.r#type.as_str()));
        }
    }
    let facts = Facts::of(title).into_iter();
    for reads in facts.clone().flat_map(|facts| &facts.reads) {
        let given = value(&request.metadata, &reads.key).filter(|_| is_known(&reads.key));
        if given.is_some_and(|name| reads.names(name)) {
            types.insert(&reads.r#type);
        }
    }
    let names = facts.flat_map(|facts| &facts.new_names);
    let names = names.filter(|name| name.condition.holds(&request.metadata));
    let forms = names.filter_map(|name| name.is.strip_prefix("arn:{partition}:"));
    let arns: Vec<String> = forms
        .map(|form| filled(form, target, &known(draft)))
        .filter(|arn| !arn.contains('*'))
        .collect();
    types.extend(rows(title, &arns).map(|(row, _)| row.r#type.as_str()));
    types
}
