//! Denials by AWS, and what to do about them.
//!
//! The words are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>; AWS Backup writes those of a
//! failed job in its own way (<https://docs.aws.amazon.com/aws-backup/latest/devguide/troubleshooting.html>).

use super::Operation;
use crate::rules::HandlerActions;

/// The statement with which the caller may pass a role.
const PASS_ROLE: &str = "PassRestoreRoles";
/// The statement with which the caller may assume a role.
const ASSUME_ROLE: &str = "AssumeTargetRoles";

/// The action that a message names: `backup:StartRestoreJob` in `… is not authorized to perform: backup:StartRestoreJob on …`.
#[must_use]
pub fn denied_action(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("not authorized to perform")?;
    let rest = rest.trim_start_matches([':', ' ']);
    let action = rest.split([' ', ',', ';']).next()?;
    let (service, verb) = action.split_once(':')?;
    (!service.is_empty() && !verb.is_empty()).then_some(action)
}

/// Returns what the caller can do about a refusal: which statement of `redrill iam` is missing, or which other policy
/// stands in the way.
pub(crate) fn remedy(operation: Operation, message: &str) -> Option<String> {
    let action = denied_action(message);
    // AWS Backup says this of a vault that is not there, or whose access policy denies it.
    if message.starts_with("Insufficient privileges") {
        return None;
    }
    let has = |words: &str| message.contains(words);
    if has("with an explicit deny in a service control policy")
        || has("no service control policy allows")
    {
        return Some("a service control policy of the organization decides this, and no policy of the account can allow it".to_owned());
    }
    if has("with an explicit deny") {
        return Some(
            "a policy denies it, so that allowing it elsewhere does not help: change that policy"
                .to_owned(),
        );
    }
    if has("no permissions boundary allows") {
        return Some("the permissions boundary of the caller has to allow it as well".to_owned());
    }
    if has("no session policy allows") {
        return Some("the session was begun with a policy that does not allow it".to_owned());
    }
    if has("no resource-based policy allows") {
        return Some("the policy of the resource has to allow it".to_owned());
    }
    let statement = match action {
        Some("iam:PassRole") => PASS_ROLE,
        Some("sts:AssumeRole") => ASSUME_ROLE,
        // Cloud Control API calls the service with the caller's permissions: the statement is that of the type.
        Some(action)
            if operation.service() == Some(super::Service::CloudControl)
                && !action.starts_with("cloudformation:") =>
        {
            let (before, _) = message.split_once(" Handler returned")?;
            return of_handler(before.rsplit(' ').next()?, action);
        }
        _ => operation.statement()?,
    };
    let is_of_preflight = matches!(
        operation,
        Operation::GetRole
            | Operation::GetServiceQuota
            | Operation::ListGrants
            | Operation::ListResources
            | Operation::SimulatePrincipalPolicy
    );
    Some(add(statement, is_of_preflight))
}

/// Names the missing statement where a deletion failed for want of a permission; `message` is the `StatusMessage` of its request.
pub(crate) fn deletion_remedy(type_name: &str, message: &str) -> Option<String> {
    of_handler(type_name, denied_action(message)?)
}

/// The statement with which a handler may do what it was refused.
fn of_handler(type_name: &str, action: &str) -> Option<String> {
    let handler = HandlerActions::of(type_name);
    let is = |of: &String| of.eq_ignore_ascii_case(action);
    Some(match handler {
        Some(handler) if handler.deletes.as_ref().is_some_and(is) => {
            add(&HandlerActions::statement("Delete", type_name), false)
        }
        Some(handler) if handler.delete.is_empty() => {
            add(&HandlerActions::statement("Read", type_name), true)
        }
        Some(_) => add(&HandlerActions::statement("Read", type_name), false),
        None => format!("the caller needs {action}"),
    })
}

fn add(statement: &str, is_of_preflight: bool) -> String {
    let more = if is_of_preflight {
        " --for preflight"
    } else {
        ""
    };
    format!("add the statement {statement} of `redrill iam PLAN{more}` to the caller's policy")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_its_action() {
        for (message, action) in [
            (
                "User: arn:aws:iam::1:user/a is not authorized to perform: backup:StartRestoreJob on resource: x because no identity-based policy allows the backup:StartRestoreJob action",
                Some("backup:StartRestoreJob"),
            ),
            (
                "User arn:aws:sts::1:assumed-role/r/s is not authorized to perform dynamodb:DeleteItem on resource x because no identity based policy allows the action.",
                Some("dynamodb:DeleteItem"),
            ),
            ("Insufficient privileges to perform this action.", None),
            ("You are not authorized to perform this operation.", None),
        ] {
            assert_eq!(denied_action(message), action, "{message}");
        }
    }

    #[test]
    fn the_remedy_is_that_of_the_policy_that_refused() {
        let start = |because: &str| {
            let message = format!(
                "User: u is not authorized to perform: backup:StartRestoreJob on resource: r {because}"
            );
            remedy(Operation::StartRestoreJob, &message).unwrap()
        };
        assert!(
            start("because no identity-based policy allows the backup:StartRestoreJob action")
                .contains("StartRestoreJobs")
        );
        assert!(
            start("with an explicit deny in a service control policy").contains("organization")
        );
        assert!(
            start("with an explicit deny in an identity-based policy").contains("does not help")
        );
        assert!(
            start("because no permissions boundary allows the backup:StartRestoreJob action")
                .contains("boundary")
        );
        let pass = "User: u is not authorized to perform: iam:PassRole on resource: r because no identity-based policy allows the iam:PassRole action";
        assert!(
            remedy(Operation::StartRestoreJob, pass)
                .unwrap()
                .contains("PassRestoreRoles")
        );
    }
}
