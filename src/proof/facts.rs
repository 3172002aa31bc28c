//! Facts of a restore that are in the journal, and not in a report.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::ids::RestoreName;
use crate::state::{CheckVerdict, Event, Recorded};

/// Of one restore.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RestoreFacts {
    /// Resource that was backed up: by AWS, or by the selector that chose the recovery point.
    pub(super) resource: Option<String>,
    /// Creation time of the recovery point.
    pub(super) created_at: Option<Timestamp>,
    /// True if this run has not started its job.
    pub(super) is_of_others: bool,
    /// True if a check has passed after what it looked at was to be deleted.
    pub(super) checked_too_late: bool,
    is_deleted: bool,
}

/// Of all restores, by name.
pub(super) fn facts<'a>(
    events: impl IntoIterator<Item = &'a Recorded>,
) -> HashMap<RestoreName, RestoreFacts> {
    let mut all: HashMap<RestoreName, RestoreFacts> = HashMap::new();
    for recorded in events {
        if let Event::Resolved { restore, point, .. } = &recorded.event {
            let of = all.entry(restore.clone()).or_default();
            of.resource = point.selector.resource.clone();
            of.created_at = point.created_at;
        } else if let Some(restore) = recorded.event.restore() {
            match all.get_mut(restore) {
                Some(of) => of.take(&recorded.event),
                None => {
                    let mut of = RestoreFacts::default();
                    of.take(&recorded.event);
                    all.insert(restore.clone(), of);
                }
            }
        }
    }
    all
}

impl RestoreFacts {
    fn take(&mut self, event: &Event) {
        match event {
            // Another attempt: what was so of the one before does not count.
            Event::Intended { .. } => {
                self.is_of_others = false;
                self.checked_too_late = false;
                self.is_deleted = false;
            }
            Event::Adopted { ours, .. } => self.is_of_others = *ours != Some(true),
            Event::Completed {
                source_resource_arn,
                recovery_point_created_at,
                ..
            } => {
                self.is_made_of(source_resource_arn.as_ref());
                self.created_at = recovery_point_created_at.or(self.created_at);
            }
            Event::Failed {
                source_resource_arn,
                ..
            } => self.is_made_of(source_resource_arn.as_ref()),
            Event::Deleting { .. } | Event::Deleted { .. } => self.is_deleted = true,
            Event::CheckEnded {
                verdict: CheckVerdict::Passed,
                cutover: false,
                ..
            } => self.checked_too_late |= self.is_deleted,
            _ => {}
        }
    }

    /// AWS says what was backed up, and knows better than a selector.
    fn is_made_of(&mut self, resource: Option<&String>) {
        if let Some(arn) = resource.filter(|arn| !arn.is_empty()) {
            self.resource = Some(arn.clone());
        }
    }
}
