//! One document with every policy and its reasons.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{VERSION, arn, kind};
use crate::ids::AccountId;
use crate::ids::RunId;
use crate::permissions::{PolicyStatement, PrincipalPolicy, TrustedPrincipal};
use crate::plan::Plan;

/// The form of this document.
const SCHEMA: &str = "redrill.iam/v1";

#[derive(Serialize)]
struct PoliciesDocument<'a> {
    schema: &'static str,
    plan: &'a str,
    run_id: &'a RunId,
    #[serde(rename = "for")]
    purposes: &'a [&'a str],
    policies: Vec<PolicyEntry<'a>>,
}

#[derive(Serialize)]
struct PolicyEntry<'a> {
    principal: &'static str,
    arn: Option<&'a str>,
    account: Option<&'a AccountId>,
    trust: Option<PolicyText<'a>>,
    policy: PolicyText<'a>,
    why: Vec<StatementReason<'a>>,
}

/// A policy in IAM's own words.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyText<'a> {
    version: &'static str,
    statement: Vec<StatementText<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StatementText<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<BTreeMap<&'static str, &'a str>>,
    action: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    resource: BTreeSet<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    condition: BTreeMap<&'static str, BTreeMap<&'static str, &'a BTreeSet<String>>>,
}

/// Reason that a statement is needed.
#[derive(Serialize)]
struct StatementReason<'a> {
    sid: &'a str,
    why: &'a str,
    source: &'static str,
}

/// All policies as one JSON document.
#[must_use]
pub fn policies_json(plan: &Plan, purposes: &[&str], policies: &[PrincipalPolicy]) -> String {
    let document = PoliciesDocument {
        schema: SCHEMA,
        plan: &plan.name,
        run_id: &plan.run_id,
        purposes,
        policies: policies.iter().map(entry).collect(),
    };
    // Strings alone: serde_json cannot fail on it.
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    text
}

fn entry(policy: &PrincipalPolicy) -> PolicyEntry<'_> {
    PolicyEntry {
        principal: kind(&policy.principal),
        arn: arn(&policy.principal),
        account: policy.account.as_ref(),
        trust: policy.trusts.as_ref().map(trust),
        policy: PolicyText {
            version: VERSION,
            statement: policy.statements.iter().map(statement).collect(),
        },
        why: policy
            .statements
            .iter()
            .map(|of| StatementReason {
                sid: &of.sid,
                why: &of.why,
                source: of.source,
            })
            .collect(),
    }
}

fn trust(trusted: &TrustedPrincipal) -> PolicyText<'_> {
    PolicyText {
        version: VERSION,
        statement: vec![StatementText {
            sid: None,
            effect: "Allow",
            principal: Some(BTreeMap::from([trusted.element()])),
            action: BTreeSet::from(["sts:AssumeRole"]),
            resource: BTreeSet::new(),
            condition: BTreeMap::new(),
        }],
    }
}

fn statement(of: &PolicyStatement) -> StatementText<'_> {
    let mut condition: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for ((operator, key), values) in &of.conditions {
        condition.entry(*operator).or_default().insert(*key, values);
    }
    StatementText {
        sid: Some(&of.sid),
        effect: "Allow",
        principal: None,
        action: of.actions.iter().map(String::as_str).collect(),
        resource: of.resources.iter().map(String::as_str).collect(),
        condition,
    }
}
