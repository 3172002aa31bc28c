//! State of a run after its events, as far as going on with it needs to know.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::transition::{self, Illegal};
use super::{Deletion, Event, Outline, Recorded, RestoreStage, RunState};
use crate::backup::Endpoint;
use crate::ids::{JobId, RestoreName, RunId};
use crate::plan::hex;

/// The events of a run so far. They are folded in one by one and not kept: a large run has hundreds of thousands.
#[derive(Debug, Default)]
pub struct History {
    /// State of each restore.
    pub observed: RunState,
    /// Opening of the run: when, and which run it is; none if it is new.
    pub opened: Option<OpeningEvent>,
    /// The plan as the last runner took it up.
    pub outline: Option<Arc<Outline>>,
    /// End of the run, if no runner has taken it up since.
    pub ended: Option<Timestamp>,
    /// Time when something that it had made was last found to be gone.
    pub cleaned_up: Option<Timestamp>,
    /// The last job, where the journal does not say at which endpoint it was started: whether that is the one at hand is asked
    /// there.
    pub witness: Option<Witness>,
    /// The recovery points of requests without a job, where one may be a witness.
    points: HashMap<RestoreName, String>,
}

/// A job that tells one endpoint from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its id.
    pub job_id: JobId,
    /// ARN of the recovery point that it restores.
    pub recovery_point_arn: String,
}

/// The first event of a run.
#[derive(Debug)]
pub struct OpeningEvent {
    /// When.
    pub at: Timestamp,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: RunId,
    /// The endpoint that it belongs to, where the journal says it.
    pub world: Option<Endpoint>,
    /// The options that say what the plan means, and who starts its restores.
    pub options: Vec<String>,
}

impl History {
    /// Takes one event in; they come in the journal's order.
    ///
    /// # Errors
    ///
    /// Where it cannot follow those before it.
    pub fn take(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        match &recorded.event {
            Event::RunOpened {
                plan,
                run,
                world,
                options,
                ..
            } if self.opened.is_none() => {
                self.opened = Some(OpeningEvent {
                    at: recorded.at,
                    plan: plan.clone(),
                    run: run.clone(),
                    world: world.clone(),
                    options: options.clone(),
                });
            }
            Event::RunResumed { world, .. } => {
                self.ended = None;
                if let Some(opened) = &mut self.opened
                    && opened.world.is_none()
                {
                    opened.world.clone_from(world);
                }
            }
            Event::Planned { outline } => self.outline = Some(Arc::clone(outline)),
            Event::RunEnded => self.ended = Some(recorded.at),
            Event::Deleted { .. } => self.cleaned_up = Some(recorded.at),
            event if self.world().is_none() => self.take_witness(event),
            _ => {}
        }
        transition::apply(&mut self.observed, recorded)
    }

    fn take_witness(&mut self, event: &Event) {
        match event {
            Event::Intended {
                restore, request, ..
            } => {
                let point = request.recovery_point_arn.clone();
                self.points.insert(restore.clone(), point);
            }
            Event::Accepted {
                restore, job_id, ..
            }
            | Event::Adopted {
                restore, job_id, ..
            } => {
                if let Some(point) = self.points.remove(restore) {
                    self.witness = Some(Witness {
                        job_id: job_id.clone(),
                        recovery_point_arn: point,
                    });
                }
            }
            _ => {}
        }
    }

    /// The endpoint that the run belongs to, where the journal says it.
    #[must_use]
    pub fn world(&self) -> Option<&Endpoint> {
        self.opened.as_ref()?.world.as_ref()
    }

    /// Counts the restores whose resource is gone since, or is about to be.
    #[must_use]
    pub fn deleted(&self) -> usize {
        let pasts = self.observed.restores.values();
        let is_gone = |of: &Option<Deletion>| matches!(of, Some(Deletion::Gone | Deletion::Asked));
        pasts.filter(|past| is_gone(&past.deletion)).count()
    }

    /// Describes the deletions of what the run made: how much is gone, and what was asked to be deleted by somebody who
    /// has not seen the end of it.
    #[must_use]
    pub fn deletions(&self) -> String {
        let pasts = self.observed.restores.values();
        let asked = pasts.filter(|past| past.deletion == Some(Deletion::Asked));
        let asked = asked.count();
        let gone = self.deleted() - asked;
        let of = (self.observed.restores.values())
            .filter(|past| matches!(past.stage, RestoreStage::Completed { .. }))
            .count();
        let mut words = format!("{gone} of the {of} resources that it made are deleted");
        if asked > 0 {
            words.push_str(&format!(
                ", and {asked} were asked to be: `redrill cleanup` looks what became of that"
            ));
        }
        words
    }

    /// The events of a journal that was read as a whole.
    ///
    /// # Errors
    ///
    /// The first event that cannot follow those before it.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Result<Self, Illegal> {
        let mut history = Self::default();
        for recorded in events {
            history.take(recorded)?;
        }
        Ok(history)
    }

    /// Returns the event that tells the plan, unless the journal has it already.
    #[must_use]
    pub fn planned(&self, outline: &Arc<Outline>) -> Option<Event> {
        (self.outline.as_ref() != Some(outline)).then(|| Event::Planned {
            outline: Arc::clone(outline),
        })
    }

    /// Returns the time when the run was opened, if it was.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        self.opened.as_ref().map(|opened| opened.at)
    }
}

/// Position of a run in its journal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Position")] // as messages about damaged files call it
pub struct JournalPosition {
    /// Number of records.
    pub records: usize,
    /// SHA-256 of them.
    pub sha256: String,
}

/// Counter of a run's position, to be compared later.
#[derive(Debug, Default)]
pub struct PositionCounter {
    records: usize,
    hash: Sha256,
}

impl PositionCounter {
    /// Counts one event.
    pub fn take(&mut self, recorded: &Recorded) {
        if self.records > 0 {
            self.hash.update("\n");
        }
        // Records were read from JSON, or will be written as such.
        self.hash
            .update(serde_json::to_string(recorded).unwrap_or_default());
        self.records += 1;
    }

    /// Returns the number of events so far.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// Returns the position so far.
    #[must_use]
    pub fn position(&self) -> JournalPosition {
        JournalPosition {
            records: self.records,
            sha256: hex(&self.hash.clone().finalize()),
        }
    }
}
