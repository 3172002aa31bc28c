//! Permissions that the caller and each restore role need for a plan, as simulations ask about them.

use std::collections::{BTreeMap, BTreeSet};

use super::roles::Needed;
use super::subject::PreflightSubject;
use crate::ids::TargetIndex;
use crate::permissions::{
    PolicySetting, PolicyStatement, Principal, PrincipalPolicy, Purpose, policies,
};
use crate::plan::Plan;

/// Returns what every principal with a part in a plan needs.
pub(super) fn of_plan(subject: &PreflightSubject<'_>) -> Vec<PrincipalPolicy> {
    let mut plan = Plan::clone(subject.plan);
    plan.steps = subject.steps().cloned().collect();
    let purposes = BTreeSet::from([Purpose::Run, Purpose::RestoreRole]);
    policies(&plan, subject.rules, &purposes, &PolicySetting::default())
}

/// Returns what a restore role needs for the restores that use it.
pub(super) fn of_role(subject: &PreflightSubject<'_>, role: &str) -> Vec<Needed> {
    let all = subject.needed().iter();
    let of = all.filter(
        |policy| matches!(&policy.principal, Principal::RestoreRole { arn } if arn == role),
    );
    let likely = made(subject, role);
    of.flat_map(|policy| &policy.statements)
        .filter_map(|statement| needed(statement, &likely, true))
        .collect()
}

/// Returns what the caller of a target needs, except for passing roles, which is a check of its own.
pub(super) fn of_caller(subject: &PreflightSubject<'_>, target: TargetIndex) -> Vec<Needed> {
    let assumed = subject.target(target).assume_role_arn.as_ref();
    let all = subject.needed().iter();
    let of = all.filter(|policy| match (&policy.principal, assumed) {
        (Principal::Caller, None) => true,
        (Principal::TargetRole { arn }, Some(role)) => arn == role,
        _ => false,
    });
    of.flat_map(|policy| &policy.statements)
        .filter_map(|statement| needed(statement, &[], false))
        .collect()
}

/// A statement as a question; none of what other checks ask about.
fn needed(statement: &PolicyStatement, likely: &[String], is_of_role: bool) -> Option<Needed> {
    let is_other = |action: &String| action.starts_with("kms:") || action == "sts:AssumeRole";
    if statement.actions.iter().all(is_other) || is_passing_to_backup(statement) {
        return None;
    }
    let (patterns, exact): (Vec<&String>, Vec<&String>) = statement
        .resources
        .iter()
        .partition(|resource| resource.contains('*'));
    // Whoever is allowed less than a pattern may be allowed enough: what is going to be made counts as well.
    let alternatives = match patterns.is_empty() {
        true => Vec::new(),
        false => patterns.into_iter().chain(likely).cloned().collect(),
    };
    let context = statement.conditions.iter();
    let context =
        context.filter_map(|((_, key), values)| Some(((*key).to_owned(), values.first()?.clone())));
    Some(Needed {
        actions: statement.actions.iter().cloned().collect(),
        resources: exact.into_iter().cloned().collect(),
        alternatives,
        context: context.collect::<BTreeMap<String, String>>(),
        why: statement.why.clone(),
        // Other reads only make a run better, and selectors have been resolved by now.
        is_vital: is_of_role
            || ["StartRestoreJobs", "FollowRestoreJobs"].contains(&statement.sid.as_str()),
    })
}

fn is_passing_to_backup(statement: &PolicyStatement) -> bool {
    statement.sid.starts_with("PassRestoreRole")
}

/// Returns what restores with a role make, and what that is made of.
fn made(subject: &PreflightSubject<'_>, role: &str) -> Vec<String> {
    /// One request of IAM's has so many.
    const MOST: usize = 50;
    let mut all: BTreeSet<String> = BTreeSet::new();
    for step in subject.steps() {
        if step.draft.request.iam_role_arn.as_deref() != Some(role) {
            continue;
        }
        let names = subject
            .review
            .names(&step.draft, subject.target(step.target));
        all.extend(
            names
                .map(|(_, arn)| arn)
                .filter(|arn| arn.starts_with("arn:")),
        );
        if all.len() > MOST {
            break;
        }
    }
    all.into_iter().take(MOST).collect()
}
