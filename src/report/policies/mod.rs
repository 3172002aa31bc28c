//! Policies as they are pasted: JSON, Terraform, CloudFormation.

mod cloudformation;
mod json;
mod terraform;

pub use cloudformation::policies_cloudformation;
pub use json::policies_json;
pub use terraform::policies_terraform;

use crate::permissions::{Principal, PrincipalPolicy};

/// The version of IAM's policy language.
const VERSION: &str = "2012-10-17";

/// Names the kind of a principal: `caller`, `restore_role`.
fn kind(principal: &Principal) -> &'static str {
    match principal {
        Principal::Caller => "caller",
        Principal::TargetRole { .. } => "target_role",
        Principal::RestoreRole { .. } => "restore_role",
        Principal::MachineRole { .. } => "machine_role",
        Principal::MachineTargetRole { .. } => "machine_target_role",
    }
}

fn arn(principal: &Principal) -> Option<&str> {
    match principal {
        Principal::Caller => None,
        Principal::TargetRole { arn }
        | Principal::RestoreRole { arn }
        | Principal::MachineRole { arn }
        | Principal::MachineTargetRole { arn } => Some(arn),
    }
}

/// The principal in a sentence.
fn who(policy: &PrincipalPolicy) -> String {
    let place = policy.account.as_ref();
    let place = place.map_or_else(String::new, |account| format!(", in the account {account}"));
    match &policy.principal {
        Principal::Caller => format!("Whoever runs redrill{place}"),
        Principal::TargetRole { arn } => {
            format!("{arn}{place}: the role that redrill assumes there")
        }
        Principal::RestoreRole { arn } => {
            format!("{arn}{place}: the role that AWS Backup assumes to restore")
        }
        Principal::MachineRole { arn } => format!("{arn}{place}: the role of the state machine"),
        Principal::MachineTargetRole { arn } => {
            format!("{arn}{place}: the role that the state machine assumes to call AWS Backup")
        }
    }
}

/// A name for each policy, of letters, digits and `_`, unique in the list.
fn names(policies: &[PrincipalPolicy]) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(policies.len());
    for policy in policies {
        let end = arn(&policy.principal).and_then(|arn| arn.rsplit('/').next());
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let first = match end {
            Some(end) => format!("{}_{end}", kind(&policy.principal)),
            None => kind(&policy.principal).to_owned(),
        };
        let first: String = first.chars().map(plain).collect();
        // CloudFormation has no `_`, and IAM names that differ in case alone are one.
        let plain = |name: &str| name.replace('_', "").to_lowercase();
        let taken = |name: &String| names.iter().any(|of| plain(of) == plain(name));
        let mut name = first.clone();
        let mut count = 1;
        while taken(&name) {
            count += 1;
            name = format!("{first}_{count}");
        }
        names.push(name);
    }
    names
}
