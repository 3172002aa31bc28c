//! Permissions: the inventory's policies, and its `deny` lines, which stand for policies.
//!
//! The words are those that IAM documents,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>; for StartRestoreJob they were
//! recorded in <https://github.com/ministryofjustice/modernisation-platform/issues/4798>.

use std::sync::Arc;

use jiff::Timestamp;
use redrill_inventory::{DeniedBy, Deny, PolicyDocument};

use super::caller::{Caller, Who};
use super::catalog::Catalog;
use super::error::{ApiError, ErrorCode};
use super::policy::{By, Context, Inquiry, ResourceSide, decide};
use super::protocol;

/// Permission that a caller asks for.
pub(super) struct Ask<'a> {
    /// `backup:StartRestoreJob`.
    pub(super) action: &'a str,
    /// An ARN, or `*`.
    pub(super) resource: &'a str,
    /// The other side, where it is not a resource of the caller without a policy.
    pub(super) side: Option<ResourceSide<'a>>,
    /// The Region that is asked.
    pub(super) region: &'a str,
    /// Condition keys besides those that every request has.
    pub(super) keys: &'a [(&'a str, &'a str)],
    pub(super) now: Timestamp,
}

/// Reason for a refusal.
#[derive(Debug)]
pub(super) enum Refused {
    /// In IAM's words.
    Denied(String),
    /// Answered as the access policy of a vault does.
    ByVault,
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        match refused {
            Refused::Denied(words) => ApiError::new(ErrorCode::AccessDenied, words),
            Refused::ByVault => ApiError::insufficient_privileges(),
        }
    }
}

impl Refused {
    pub(super) fn message(&self) -> &str {
        match self {
            Refused::Denied(words) => words,
            Refused::ByVault => "Insufficient privileges to perform this action.",
        }
    }
}

/// Refuses what a `deny` line of the inventory names.
pub(super) fn not_denied(
    catalog: &Catalog,
    caller: &Caller,
    action: &str,
    resource: &str,
) -> Result<(), Refused> {
    let mut denials = catalog.denials(caller);
    match denials.find(|deny| fits(&deny.action, action) && fits(&deny.resource, resource)) {
        None => Ok(()),
        Some(deny) => Err(denied(catalog, deny, caller, action, resource)),
    }
}

/// Refuses what the inventory's policies do not allow.
pub(super) fn authorize(catalog: &Catalog, caller: &Caller, ask: &Ask<'_>) -> Result<(), Refused> {
    let Ask {
        action, resource, ..
    } = ask;
    not_denied(catalog, caller, action, resource)?;
    let directory = catalog.directory();
    // Of a role that is to be assumed the role's own side decides too.
    if directory.is_silent(caller) && ask.side.is_none_or(|side| side.policy.is_none()) {
        return Ok(());
    }
    let principal = directory.principal(caller);
    let mut context = directory.context(&principal, ask.region, ask.now);
    for (key, value) in ask.keys {
        context.set(key, vec![(*value).to_owned()]);
    }
    let side = ask
        .side
        .unwrap_or_else(|| ResourceSide::plain(&caller.account));
    let context: Context = context.with("aws:ResourceAccount", side.account);
    let rules = directory.rules(&principal, session_policy(caller), side);
    let asked = Inquiry {
        action,
        resource,
        context: &context,
    };
    decide(&rules, &asked).map_err(|denial| match denial.by {
        // The access policy of a vault; those of keys and roles are asked by the services.
        By::Resource if action.starts_with("backup:") => Refused::ByVault,
        _ => Refused::Denied(protocol::words(&denial, principal.arn(), action, resource)),
    })
}

fn session_policy(caller: &Caller) -> Option<&PolicyDocument> {
    match &caller.who {
        Who::Session { policy, .. } => policy.as_ref().map(Arc::as_ref),
        Who::Default | Who::User(_) => None,
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

fn denied(
    catalog: &Catalog,
    deny: &Deny,
    caller: &Caller,
    action: &str,
    resource: &str,
) -> Refused {
    let because = match deny.by {
        DeniedBy::Vault => return Refused::ByVault,
        DeniedBy::Identity => {
            format!("because no identity-based policy allows the {action} action")
        }
        DeniedBy::Explicit => "with an explicit deny in an identity-based policy".to_owned(),
        DeniedBy::Organization => "with an explicit deny in a service control policy".to_owned(),
    };
    let principal = catalog.directory().principal(caller);
    Refused::Denied(format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} {because}",
        principal.arn()
    ))
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
