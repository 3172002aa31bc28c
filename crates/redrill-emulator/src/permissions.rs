//! Who may do what: the inventory's `deny` lines stand for policies.
//!
//! The words are those that IAM documents,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>; for StartRestoreJob they were
//! recorded in <https://github.com/ministryofjustice/modernisation-platform/issues/4798>.

use super::catalog::{Caller, Catalog};
use super::error::{ApiError, ErrorCode};
use redrill_inventory::{DeniedBy, Deny};

/// Refuses an action on a resource that the inventory denies.
pub(super) fn allowed(
    catalog: &Catalog,
    caller: &Caller,
    action: &str,
    resource: &str,
) -> Result<(), ApiError> {
    let mut denials = catalog.denials(caller);
    match denials.find(|deny| fits(&deny.action, action) && fits(&deny.resource, resource)) {
        None => Ok(()),
        Some(deny) => Err(denied(deny, caller, action, resource)),
    }
}

/// `*` at the end stands for the rest. IAM compares actions without regard to case.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text
            .get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start)),
        None => pattern.eq_ignore_ascii_case(text),
    }
}

fn denied(deny: &Deny, caller: &Caller, action: &str, resource: &str) -> ApiError {
    let because = match deny.by {
        DeniedBy::Vault => return ApiError::insufficient_privileges(),
        DeniedBy::Identity => {
            format!("because no identity-based policy allows the {action} action")
        }
        DeniedBy::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        DeniedBy::Organization => "with an explicit deny in a service control policy".to_owned(),
    };
    ApiError::new(
        ErrorCode::AccessDenied,
        format!(
            "User: arn:aws:iam::{}:user/emulated is not authorized to perform: {action} on resource: {resource} {because}",
            caller.account
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(fits("backup:*", "backup:StartRestoreJob"));
        assert!(fits("backup:List*", "backup:listRestoreJobs"));
        assert!(!fits("backup:List*", "backup:DescribeRestoreJob"));
        assert!(fits("*", ""));
        assert!(!fits("ab*", "é"));
        assert!(!fits("backup:List", "backup:ListTags"));
    }
}
