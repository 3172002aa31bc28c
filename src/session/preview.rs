//! A plan held against what has happened: what a run would do, before it does any of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Opened;
use crate::backup::{Clock as _, Endpoint, SystemClock};
use crate::diff::{Action, Diff, Wanted, diff};
use crate::ids::{RestoreName, TargetIndex};
use crate::plan::Plan;
use crate::render::{Known, Resolved};
use crate::state::{Append, Event, History, Origin, Outline, RecordedForecast};

/// A plan, what has happened to it so far, and what a run would do now.
#[derive(Debug)]
pub struct Preview {
    /// Plan of what is to come back.
    pub plan: Plan,
    /// History of what has happened.
    pub history: History,
    /// Facts known of the world.
    pub known: Known,
    /// Options that were asked for.
    pub wanted: Wanted,
    /// Changes that a run would make.
    pub diff: Diff,
}

/// Facts that a run states about itself when it is opened.
pub struct Opening {
    /// The plan file, as it was named.
    pub file: String,
    /// The options that say what it means, to be typed again.
    pub options: Vec<String>,
    /// The endpoint that it belongs to.
    pub endpoint: Endpoint,
    /// The saved plan that is carried out, where it is one.
    pub saved_plan: Option<String>,
    /// Summary of the plan.
    pub outline: Arc<Outline>,
    /// From when ages of recovery points were measured.
    pub start: Timestamp,
    /// Forecast of the run, if one was made.
    pub forecast: Option<RecordedForecast>,
}

impl Opening {
    /// The opening of a run now.
    #[must_use]
    pub fn new(file: &str, plan: &Plan, origin: Origin, endpoint: Endpoint) -> Self {
        Self {
            file: file.to_owned(),
            options: Vec::new(),
            endpoint,
            saved_plan: None,
            outline: Arc::new(Outline::of(plan, origin, false, std::iter::empty())),
            start: SystemClock.now(),
            forecast: None,
        }
    }
}

/// Reason why a run was not opened: another runner has worked on it since the preview.
#[derive(Debug, thiserror::Error)]
pub enum NotOpened {
    /// Conflict between what it has started and what the plan asks for, with the preview as of now.
    #[error("the plan asks for something else than what its run has started")]
    Conflict(Box<Preview>),
    /// Selector of this restore, which it has resolved to another recovery point.
    #[error("another runner has resolved `{restore}` to another recovery point")]
    ResolvedElsewhere {
        /// The restore.
        restore: RestoreName,
    },
}

impl Preview {
    /// Compares a plan with what has happened.
    #[must_use]
    pub fn new(plan: Plan, history: History, known: Known, wanted: Wanted) -> Self {
        Self {
            diff: diff(&plan, &history.observed, &wanted),
            plan,
            history,
            known,
            wanted,
        }
    }

    /// Compares again, after something was recorded.
    pub fn compare_again(&mut self) {
        self.diff = diff(&self.plan, &self.history.observed, &self.wanted);
    }

    /// Returns true if there is something to start or to follow.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.diff.count(Action::Start) + self.diff.count(Action::Resume) > 0
    }

    /// Opens the run. `history` is what its journal says under its lock, and `known` what has been made by that; another
    /// runner may have worked since this preview.
    ///
    /// # Errors
    ///
    /// Where that changes what this preview has shown. Nothing was recorded then.
    pub fn open<J: Append>(
        mut self,
        journal: J,
        history: History,
        known: Known,
        opening: Opening,
    ) -> Result<Opened<J>, NotOpened> {
        let settled = std::mem::replace(&mut self.known, known);
        self.known.sources = settled.sources;
        self.history = history;
        self.compare_again();
        if self.diff.has_conflict() {
            return Err(NotOpened::Conflict(Box::new(self)));
        }
        let resolved = self.resolved(&settled.resolved, opening.start)?;
        let Preview {
            plan,
            history,
            known,
            diff,
            ..
        } = self;
        let redrill = env!("CARGO_PKG_VERSION").to_owned();
        let mut events = vec![if history.opened.is_none() {
            Event::RunOpened {
                plan: plan.name.clone(),
                run: plan.run_id.clone(),
                redrill,
                target: plan.targets[TargetIndex::FIRST].clone(),
                others: plan.targets.as_slice()[1..].to_vec(),
                file: opening.file,
                options: opening.options,
                world: Some(opening.endpoint),
                saved_plan: opening.saved_plan,
                reports: Some(crate::evidence::REPORTS),
                forecast: opening.forecast.map(Box::new),
            }
        } else {
            Event::RunResumed {
                redrill,
                world: history.world().is_none().then_some(opening.endpoint),
                saved_plan: opening.saved_plan,
                reports: Some(crate::evidence::REPORTS),
            }
        }];
        events.extend(history.planned(&opening.outline));
        events.extend(resolved);
        Ok(Opened {
            plan,
            diff,
            history,
            known,
            journal,
            events,
        })
    }

    /// Records what the selectors of starting restores were resolved to, if the journal does not have it yet: the run
    /// keeps to it.
    fn resolved(
        &mut self,
        settled: &BTreeMap<RestoreName, Arc<Resolved>>,
        start: Timestamp,
    ) -> Result<Vec<Event>, NotOpened> {
        let mut events = Vec::new();
        let changes = self.diff.changes.iter();
        let starts = changes.filter(|change| change.action == Action::Start);
        for step in starts.map(|change| &self.plan.steps[change.step]) {
            let Some(point) = settled.get(&step.name) else {
                continue;
            };
            let name = step.name.clone();
            match self.known.resolved.get(&name) {
                // Another runner that began this run may have it from a lock, and this one not.
                Some(recorded)
                    if recorded.selector == point.selector
                        && recorded.recovery_point == point.recovery_point =>
                {
                    continue;
                }
                // The selector has changed since, and nothing was started by what it was.
                Some(recorded) if recorded.selector != point.selector => {}
                Some(_) => return Err(NotOpened::ResolvedElsewhere { restore: name }),
                None => {}
            }
            events.push(Event::Resolved {
                restore: name.clone(),
                measured_from: start,
                point: Resolved::clone(point),
            });
            self.known.resolved.insert(name, Arc::clone(point));
        }
        Ok(events)
    }
}
