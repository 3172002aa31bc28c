//! What the events of a run have come to, as far as going on with it needs to know.

use std::sync::Arc;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::state::{self, Illegal};
use super::{Event, Outline, Recorded};
use crate::diff::{Observed, Position};
use crate::plan::hex;

/// The events of a run so far. They are folded in one by one and not kept: a large run has hundreds of thousands.
#[derive(Debug, Default)]
pub struct History {
    /// How far each restore is.
    pub observed: Observed,
    /// When the run was opened, and which it is; none where it is new.
    pub opened: Option<Opened>,
    /// The plan as the last runner took it up.
    pub outline: Option<Arc<Outline>>,
}

/// The first event of a run.
#[derive(Debug)]
pub struct Opened {
    /// When.
    pub at: Timestamp,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run: String,
}

impl History {
    /// Takes one event in; they come in the journal's order.
    ///
    /// # Errors
    ///
    /// Where it cannot follow those before it.
    pub fn take(&mut self, recorded: &Recorded) -> Result<(), Illegal> {
        match &recorded.event {
            Event::RunOpened { plan, run, .. } if self.opened.is_none() => {
                self.opened = Some(Opened {
                    at: recorded.at,
                    plan: plan.clone(),
                    run: run.clone(),
                });
            }
            Event::Planned { outline } => self.outline = Some(Arc::clone(outline)),
            _ => {}
        }
        state::apply(&mut self.observed, recorded)
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

    /// Says what the plan is, unless the journal has it already.
    #[must_use]
    pub fn planned(&self, outline: &Arc<Outline>) -> Option<Event> {
        (self.outline.as_ref() != Some(outline)).then(|| Event::Planned {
            outline: Arc::clone(outline),
        })
    }

    /// When the run was opened, where it was.
    #[must_use]
    pub fn start(&self) -> Option<Timestamp> {
        self.opened.as_ref().map(|opened| opened.at)
    }
}

/// How far a run is, to be compared later.
#[derive(Debug, Default)]
pub struct Counter {
    records: usize,
    hash: Sha256,
}

impl Counter {
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

    /// How many events there were so far.
    #[must_use]
    pub fn records(&self) -> usize {
        self.records
    }

    /// What has been counted so far.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            records: self.records,
            sha256: hex(&self.hash.clone().finalize()),
        }
    }
}
