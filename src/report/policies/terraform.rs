//! Terraform: a policy document for each principal, and a policy of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{names, who};
use crate::permissions::{PolicyStatement, PrincipalPolicy, TrustedPrincipal};
use crate::plan::Plan;

/// All policies as Terraform.
#[must_use]
pub fn policies_terraform(plan: &Plan, policies: &[PrincipalPolicy]) -> String {
    let mut text = String::new();
    for (policy, name) in policies.iter().zip(names(policies)) {
        let _ = writeln!(text, "# {}", who(policy));
        let _ = writeln!(text, "data \"aws_iam_policy_document\" \"{name}\" {{");
        for of in &policy.statements {
            statement(&mut text, of);
        }
        text.push_str("}\n\n");
        let title = quoted(&format!("redrill-{}-{}", plan.name, name.replace('_', "-")));
        let _ = writeln!(
            text,
            "resource \"aws_iam_policy\" \"{name}\" {{\n  name   = {title}\n  policy = data.aws_iam_policy_document.{name}.json\n}}\n"
        );
        if let Some((kind, trusted)) = policy.trusts.as_ref().map(TrustedPrincipal::element) {
            let _ = writeln!(
                text,
                "# Who may assume it\ndata \"aws_iam_policy_document\" \"{name}_trust\" {{\n  statement {{\n    actions = [\"sts:AssumeRole\"]\n    principals {{\n      type        = {}\n      identifiers = [{}]\n    }}\n  }}\n}}\n",
                quoted(kind),
                quoted(trusted)
            );
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn statement(text: &mut String, of: &PolicyStatement) {
    let _ = writeln!(text, "  # {}\n  # {}\n  statement {{", of.why, of.source);
    let _ = writeln!(text, "    sid       = {}", quoted(&of.sid));
    let _ = writeln!(text, "    actions   = {}", list(&of.actions));
    let _ = writeln!(text, "    resources = {}", list(&of.resources));
    for ((operator, key), values) in &of.conditions {
        let _ = writeln!(
            text,
            "    condition {{\n      test     = {}\n      variable = {}\n      values   = {}\n    }}",
            quoted(operator),
            quoted(key),
            list(values)
        );
    }
    text.push_str("  }\n");
}

fn list(of: &BTreeSet<String>) -> String {
    let all: Vec<String> = of.iter().map(|text| quoted(text)).collect();
    format!("[{}]", all.join(", "))
}

/// A string of Terraform's: JSON's escapes, and no template.
fn quoted(text: &str) -> String {
    // serde_json does not fail on a string.
    let text = serde_json::to_string(text).unwrap_or_default();
    text.replace("${", "$${").replace("%{", "%%{")
}
