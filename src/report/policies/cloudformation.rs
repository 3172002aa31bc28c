//! CloudFormation: a managed policy for each principal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{VERSION, names, who};
use crate::permissions::{PolicyStatement, PrincipalPolicy, TrustedPrincipal, pascal_case};
use crate::plan::Plan;

/// All policies as a CloudFormation template.
#[must_use]
pub fn policies_cloudformation(plan: &Plan, policies: &[PrincipalPolicy]) -> String {
    let mut text = String::from("AWSTemplateFormatVersion: \"2010-09-09\"\n");
    let about = quoted(&format!("What the redrill plan {} needs", plan.name));
    let _ = writeln!(text, "Description: {about}\nResources:");
    for (policy, name) in policies.iter().zip(names(policies)) {
        let _ = writeln!(text, "  # {}", who(policy));
        if let Some((_, trusted)) = policy.trusts.as_ref().map(TrustedPrincipal::element) {
            let _ = writeln!(text, "  # {trusted} has to be able to assume it");
        }
        let _ = writeln!(
            text,
            "  {}:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      Description: {about}\n      PolicyDocument:\n        Version: \"{VERSION}\"\n        Statement:",
            pascal_case(&name)
        );
        for of in &policy.statements {
            statement(&mut text, of);
        }
    }
    text
}

fn statement(text: &mut String, of: &PolicyStatement) {
    const INDENT: &str = "            ";
    let _ = writeln!(text, "          # {}\n          # {}", of.why, of.source);
    let _ = writeln!(text, "          - Sid: {}", quoted(&of.sid));
    let _ = writeln!(text, "{INDENT}Effect: Allow");
    let _ = writeln!(text, "{INDENT}Action: {}", list(&of.actions));
    let _ = writeln!(text, "{INDENT}Resource: {}", list(&of.resources));
    if of.conditions.is_empty() {
        return;
    }
    let _ = writeln!(text, "{INDENT}Condition:");
    for ((operator, key), values) in &of.conditions {
        let _ = writeln!(
            text,
            "{INDENT}  {}: {{ {}: {} }}",
            quoted(operator),
            quoted(key),
            list(values)
        );
    }
}

fn list(of: &BTreeSet<String>) -> String {
    let all: Vec<String> = of.iter().map(|text| quoted(text)).collect();
    format!("[{}]", all.join(", "))
}

/// YAML in double quotes takes JSON's escapes.
fn quoted(text: &str) -> String {
    // serde_json does not fail on a string.
    serde_json::to_string(text).unwrap_or_default()
}
