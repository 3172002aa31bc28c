//! The part of the table that is about deletions: of what a restore has made, and of what else its jobs have.

use super::Event;
use crate::state::{Deletion, RestoreStage, RestoreState};

/// Returns the state of a deletion after an event; none if the event cannot follow.
pub(super) fn next_deletion(was: Option<&Deletion>, event: &Event) -> Option<Deletion> {
    match (event, was) {
        (Event::Deleting { .. }, None | Some(Deletion::Asked | Deletion::Left)) => {
            Some(Deletion::Asked)
        }
        // Nobody of this run has asked for it where it was found to be gone.
        (Event::Deleted { .. }, None | Some(Deletion::Asked)) => Some(Deletion::Gone),
        (Event::DeletionFailed { .. }, None | Some(Deletion::Asked | Deletion::Left)) => {
            Some(Deletion::Left)
        }
        _ => None,
    }
}

/// The deletion of what a nested job, a failed one or that of an earlier attempt has made: in any stage, as it is no step in
/// the life of the restore. None where the event is none of it.
pub(super) fn of_others(past: &RestoreState, event: &Event) -> Option<Option<RestoreState>> {
    let (Event::Deleting { arn, .. }
    | Event::Deleted { arn, .. }
    | Event::DeletionFailed { arn, .. }) = event
    else {
        return None;
    };
    let is_own = matches!(&past.stage, RestoreStage::Completed { created_resource_arn: Some(own), .. } if own == arn);
    let was = past.others.get(arn).filter(|_| !is_own)?;
    Some(next_deletion(was.as_ref(), event).map(|is| {
        let mut past = past.clone();
        past.others.insert(arn.clone(), Some(is));
        past
    }))
}

/// Remembers what else the jobs of a restore have made. A job that has failed made it just now, whatever became of what had
/// its name; nested jobs may be listed again.
pub(super) fn remember(past: &mut RestoreState, event: &Event) {
    match event {
        Event::Nested { jobs, .. } => {
            for arn in jobs
                .iter()
                .filter_map(|job| job.created_resource_arn.as_ref())
            {
                past.others.entry(arn.clone()).or_default();
            }
        }
        Event::Failed {
            created_resource_arn: Some(arn),
            ..
        }
        | Event::Completed {
            created_resource_arn: Some(arn),
            mismatch: Some(_),
            ..
        } => {
            past.others.insert(arn.clone(), None);
        }
        _ => {}
    }
}
