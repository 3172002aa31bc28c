//! What a run finds of itself: its journal so far, and what that settles for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Context, saved};
use crate::cli::exit::Failure;
use crate::diff::{Action, Diff, Saved, Wanted};
use crate::execute::{Event, History, Journal as _, Recorded, Stopped};
use crate::journal::{Journal, Owner};
use crate::plan::Plan;
use crate::render::{Known, Resolved, Secrets};

/// From when on AWS lists restore jobs, where a recovery point is older, so that it may have been restored before that.
pub(super) fn older_than_listings(
    plan: &Plan,
    diff: &Diff,
    known: &Known,
    now: Timestamp,
) -> Option<Timestamp> {
    let since = crate::execute::listed_since(now);
    let starts = diff.changes.iter().filter(|c| c.action == Action::Start);
    let mut made = starts.filter_map(|change| {
        let step = &plan.steps[change.step];
        let resolved = known.resolved.get(&*step.name);
        resolved.and_then(|point| point.created_at).or_else(|| {
            let source = known.sources.get(&step.draft.request.recovery_point_arn)?;
            source.created_at.parse().ok()
        })
    });
    made.any(|made| made < since).then_some(since)
}

/// What the selectors of that which starts were resolved to, where the journal does not have it yet: the run keeps to it.
pub(super) fn resolved(
    plan: &Plan,
    diff: &Diff,
    fresh: &BTreeMap<String, Arc<Resolved>>,
    known: &mut Known,
    start: Timestamp,
) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    let starts = diff.changes.iter().filter(|c| c.action == Action::Start);
    for step in starts.map(|change| &plan.steps[change.step]) {
        let Some(point) = fresh.get(&*step.name) else {
            continue;
        };
        match known.resolved.get(&*step.name) {
            // Who else has begun this run may have it from a lock, and this one not.
            Some(recorded)
                if recorded.selector == point.selector
                    && recorded.recovery_point == point.recovery_point =>
            {
                continue;
            }
            // The selector has changed since, and nothing hangs on what it was.
            Some(recorded) if recorded.selector != point.selector => {}
            Some(_) => {
                return Err(Failure::Conflict(format!(
                    "another runner has begun this run meanwhile and resolved `{}` to another recovery point; \
                     run the same command again",
                    step.name
                )));
            }
            None => {}
        }
        events.push(Event::Resolved {
            restore: step.name.to_string(),
            measured_from: start,
            point: Resolved::clone(point),
        });
        let name = step.name.to_string();
        known.resolved.insert(name, Arc::clone(point));
    }
    Ok(events)
}

/// The first events of a run as they will be recorded: a run that ends before that is reported by them.
pub(super) fn header(opening: &[Event], secrets: &Secrets, at: Timestamp) -> Vec<Recorded> {
    let is_of_header =
        |event: &&Event| matches!(event, Event::RunOpened { .. } | Event::Planned { .. });
    let events = opening.iter().filter(is_of_header);
    events
        .map(|event| Recorded {
            at,
            aws_ahead: None,
            event: event.clone().redacted(secrets),
        })
        .collect()
}

/// Who works on the run now.
pub(super) fn owner(context: &Context<'_>, since: Timestamp) -> Owner {
    Owner {
        pid: std::process::id(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        user: context.environment.user.clone(),
        since,
    }
}

/// Records what was found out of a run before it goes on; whether there was anything.
pub(super) fn keep(
    events: &[Recorded],
    history: &mut History,
    directory: &Path,
    owner: &Owner,
    take_over: bool,
) -> Result<bool, Failure> {
    if events.is_empty() {
        return Ok(false);
    }
    // Another runner may have worked since the journal was read: what it has recorded stands.
    let mut now = History::default();
    let mut journal = Journal::open(directory, owner, take_over, |recorded| {
        now.take(&recorded).map_err(Stopped::from)?;
        Ok::<(), Failure>(())
    })?;
    for recorded in events {
        now.take(recorded).map_err(Stopped::from)?;
    }
    journal.append(events).map_err(Stopped::from)?;
    *history = now;
    Ok(true)
}

/// What was before, and whether that leaves a saved plan as it was approved.
pub(super) struct Before<'a> {
    pub(super) history: History,
    course: Option<saved::Course<'a>>,
}

impl<'a> Before<'a> {
    pub(super) fn new(saved: Option<&'a Saved>) -> Self {
        Self {
            history: History::default(),
            course: saved.map(saved::Course::of),
        }
    }

    pub(super) fn take(&mut self, recorded: &Recorded) -> Result<(), Failure> {
        if let Some(course) = &mut self.course {
            course.take(recorded);
        }
        self.history.take(recorded).map_err(Stopped::from)?;
        Ok(())
    }

    /// Whether the saved plan has been taken up before; it bounds what is wanted.
    pub(super) fn check(&self, wanted: &mut Wanted) -> Result<bool, Failure> {
        match &self.course {
            Some(course) => course.check(wanted),
            None => Ok(false),
        }
    }
}
