//! Permissions that the role of each restore needs, by its type.

use std::collections::BTreeMap;

use super::keys::keys;
use super::resources::{created, filled, known, points};
use super::statement::{PolicyStatement, PolicyStatements, pascal_case};
use super::{Principal, PrincipalPolicy, TrustedPrincipal};
use crate::ids::{AccountId, Arn};
use crate::plan::{Plan, Step};
use crate::render::Target;
use crate::rules::{Facts, RoleNeed, Rules, title_by_letters};

/// AWS's own policy for restores, of which a plan needs a part.
const MANAGED: &str = "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AWSBackupServiceRolePolicyForRestores.html";
const KMS: &str = "https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html";
const USE_KEYS: &str = "UseKeys";
const USE_KEYS_BY_ALIAS: &str = "UseKeysByAlias";
/// The service that assumes it.
const BACKUP: &str = "backup.amazonaws.com";
/// Actions of a service on the key that encrypts what it makes.
const KEY_ACTIONS: [&str; 8] = [
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
];

/// A policy for each role that the plan names.
pub(super) fn policies(plan: &Plan, rules: &Rules) -> Vec<PrincipalPolicy> {
    let mut roles: BTreeMap<(&str, &AccountId), PolicyStatements> = BTreeMap::new();
    for step in &plan.steps {
        let target = plan.target_of(step);
        let Some(role) = step.draft.request.iam_role_arn.as_deref() else {
            continue;
        };
        let statements = roles.entry((role, &target.account)).or_default();
        add(statements, step, target, rules);
    }
    roles
        .into_iter()
        .map(|((arn, account), statements)| PrincipalPolicy {
            principal: Principal::RestoreRole {
                arn: arn.to_owned(),
            },
            account: Some(account.clone()),
            trusts: Some(TrustedPrincipal::Service(BACKUP)),
            statements: statements.into_list(),
        })
        .collect()
}

fn add(statements: &mut PolicyStatements, step: &Step, target: &Target, rules: &Rules) {
    let request = &step.draft.request;
    let title = title_by_letters(&request.resource_type);
    let Some(facts) = Facts::of(title) else {
        return;
    };
    let points = points(step, target);
    for need in &facts.role {
        let is_of_points = need.of_points.as_ref().is_none_or(|service| {
            let mut points = points.iter().filter_map(|arn| Arn::parse(arn));
            points.any(|of| of.service == service)
        });
        if is_of_points && need.condition.holds(&request.metadata) {
            statements.add(of_need(need, title, step, target, &points));
        }
    }
    let keys = keys(rules, &step.draft, target);
    let why = "uses the keys that the plan names";
    if !keys.arns.is_empty() {
        statements.add(PolicyStatement::new(
            USE_KEYS,
            KEY_ACTIONS,
            keys.arns,
            why,
            KMS,
        ));
    }
    if !keys.places.is_empty() {
        let of_aliases =
            PolicyStatement::new(USE_KEYS_BY_ALIAS, KEY_ACTIONS, keys.places, why, KMS);
        statements.add(of_aliases.only_if(
            "ForAnyValue:StringEquals",
            "kms:ResourceAliases",
            keys.aliases,
        ));
    }
}

/// The statements that allow a role the use of the keys that requests name.
#[must_use]
pub fn key_statements() -> Vec<String> {
    vec![USE_KEYS.to_owned(), USE_KEYS_BY_ALIAS.to_owned()]
}

/// The statements that allow the role of a type an action; all of the type's where the action is not known.
#[must_use]
pub fn role_statements(resource_type: &str, action: Option<&str>) -> Vec<String> {
    let title = title_by_letters(resource_type);
    let needs = Facts::of(title).map_or(&[][..], |facts| facts.role.as_slice());
    let allows = |need: &&RoleNeed| {
        action.is_none_or(|action| {
            need.actions
                .iter()
                .any(|of| of.eq_ignore_ascii_case(action))
        })
    };
    if action.is_some_and(|action| KEY_ACTIONS.iter().any(|of| of.eq_ignore_ascii_case(action))) {
        return key_statements();
    }
    needs
        .iter()
        .filter(allows)
        .map(|need| name(need, title))
        .collect()
}

fn name(need: &RoleNeed, title: &str) -> String {
    let does = need.does.split([',', ';']).next().unwrap_or_default();
    pascal_case(&format!("{title} {does}"))
}

fn of_need(
    need: &'static RoleNeed,
    title: &str,
    step: &Step,
    target: &Target,
    points: &[String],
) -> PolicyStatement {
    let on = need.on.iter().flat_map(|on| match on.as_str() {
        "*" => vec!["*".to_owned()],
        "created" => created(&step.draft, target),
        "point" => {
            let of = need.of_points.as_deref();
            let is_of = |arn: &&String| {
                of.is_none_or(|of| Arn::parse(arn).is_some_and(|arn| arn.service == of))
            };
            points.iter().filter(is_of).cloned().collect()
        }
        form => vec![filled(form, target, &known(&step.draft))],
    });
    let source = need.source.as_deref().unwrap_or(MANAGED);
    let why = format!("{title}: {}", need.does);
    let name = name(need, title);
    let statement = PolicyStatement::new(&name, need.actions.clone(), on, &why, source);
    match need.passed_to.is_empty() {
        true => statement,
        false => statement.only_if(
            "StringEquals",
            "iam:PassedToService",
            need.passed_to.iter().cloned(),
        ),
    }
}
