//! Meaning of the message of a failed job, if known.

use crate::backup::denied_action;
use crate::permissions::{key_statements, role_statements};
use crate::rules::RestoreFailure;

/// Explains in a line what is wrong and what to do; `None` for a message that nobody has recorded.
pub(super) fn meaning(message: &str, resource_type: &str) -> Option<String> {
    let action = denied_action(message);
    let mut known = RestoreFailure::of(resource_type);
    known.extend(RestoreFailure::common());
    // The script of a kit is not what runs here.
    let mut known = known
        .iter()
        .filter(|failure| !failure.r#do.contains("./restore.sh"));
    let found = known.find(|failure| says(&failure.says, message));
    let is_for_permission = action.is_some()
        || message.contains("not authorized")
        || found.is_some_and(|failure| failure.role);
    let statements = match found {
        Some(failure) if failure.keys => key_statements(),
        _ if is_for_permission => role_statements(resource_type, action),
        _ => Vec::new(),
    };
    let means = found.map(|failure| failure.means.as_str());
    match (means, statements.is_empty()) {
        (None, true) => None,
        (Some(means), true) => {
            let does = found.map_or("", |failure| failure.r#do.as_str());
            Some(format!("{means} {does}"))
        }
        (means, false) => {
            let means = means.unwrap_or("The restore role lacks a permission.");
            Some(format!(
                "{means} Add to the role, from `redrill iam PLAN --for restore-role`: {}",
                statements.join(" or ")
            ))
        }
    }
}

/// Returns true if a message has the parts of another, in order; `…` stands for anything.
fn says(form: &str, message: &str) -> bool {
    let mut rest = message;
    form.split('…')
        .map(str::trim)
        .all(|part| match rest.split_once(part) {
            Some((_, behind)) => {
                rest = behind;
                true
            }
            None => false,
        })
}
