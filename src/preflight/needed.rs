//! What the caller and each restore role need for a plan, as simulations ask it.

use std::collections::BTreeSet;

use super::roles::Needed;
use super::subject::Subject;

/// What a restore role needs for what is restored with it in a target.
pub(super) fn of_role(_: &Subject<'_>, _: usize, _: &str) -> Vec<Needed> {
    Vec::new()
}

/// What the caller of a target needs, but for passing roles, which is a check of its own.
pub(super) fn of_caller(subject: &Subject<'_>, target: usize) -> Vec<Needed> {
    let steps = subject.steps().filter(|step| step.target == target);
    let points =
        steps.filter(|step| !step.draft.waits_for_its_point() && step.draft.selector.is_none());
    let points: BTreeSet<String> = points
        .map(|step| step.draft.request.recovery_point_arn.clone())
        .collect();
    if points.is_empty() {
        return Vec::new();
    }
    vec![Needed {
        actions: vec!["backup:StartRestoreJob".to_owned()],
        resources: points.into_iter().collect(),
        why: "starts the restore jobs".to_owned(),
        ..Needed::default()
    }]
}
