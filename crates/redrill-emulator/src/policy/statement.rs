//! Statements of a policy that are about a request.

use redrill_inventory::{PolicyDocument, PolicyEffect, PolicyPatterns, PolicyStatement};

use super::condition;
use super::context::Context;
use super::evaluate::Inquiry;
use super::pattern::Pattern;
use super::principal::{Named, Principal};

/// Returns true if the policy has a statement of that effect about the request, whoever asks.
pub(super) fn says(policy: &PolicyDocument, effect: PolicyEffect, asked: &Inquiry<'_>) -> bool {
    let mut statements = policy.statements.iter();
    statements.any(|one| one.effect == effect && is_about(one, policy.variables, asked))
}

/// The same of a policy of a resource, for a principal: how the statement names it, at its narrowest.
pub(super) fn names(
    policy: &PolicyDocument,
    effect: PolicyEffect,
    asked: &Inquiry<'_>,
    principal: &Principal,
) -> Option<Named> {
    let statements = policy.statements.iter();
    statements
        .filter(|one| one.effect == effect && is_about(one, policy.variables, asked))
        .filter_map(|one| principal.named_by(one.principal.as_ref()?))
        .max()
}

fn is_about(statement: &PolicyStatement, variables: bool, asked: &Inquiry<'_>) -> bool {
    let context = variables.then_some(asked.context);
    let action = fits(&statement.action, |pattern| {
        // «The prefix and the action name are case insensitive.»
        let lower = pattern.to_ascii_lowercase();
        Pattern::new(&lower, None)
            .is_some_and(|pattern| pattern.fits(&asked.action.to_ascii_lowercase()))
    });
    let resource = statement
        .resource
        .as_ref()
        .is_none_or(|resource| fits(resource, |pattern| is_of(pattern, asked.resource, context)));
    let conditions = &statement.conditions;
    action
        && resource
        && conditions
            .iter()
            .all(|one| condition::holds(one, asked.context, variables))
}

fn fits(patterns: &PolicyPatterns, is: impl Fn(&str) -> bool) -> bool {
    patterns.patterns.iter().any(|pattern| is(pattern)) != patterns.all_but
}

/// An operation that is about no single resource asks for `*`, which only `*` allows.
fn is_of(pattern: &str, resource: &str, variables: Option<&Context>) -> bool {
    pattern == "*"
        || Pattern::new(pattern, variables).is_some_and(|pattern| pattern.fits_arn(resource))
}

/// The condition keys that the statements ask for which are about an action, and which the context lacks: those of variables too.
pub(super) fn missing(policy: &PolicyDocument, asked: &Inquiry<'_>) -> Vec<String> {
    let about = policy.statements.iter().filter(|one| {
        let bare = PolicyStatement {
            conditions: Vec::new(),
            resource: None,
            ..(*one).clone()
        };
        is_about(&bare, policy.variables, asked)
    });
    let keys = about.flat_map(|one| one.conditions.iter().map(|condition| condition.key.clone()));
    keys.filter(|key| asked.context.get(key).is_none())
        .collect()
}
