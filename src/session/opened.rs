//! A run that this process holds, and how it ended.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::backup::{Clock, Reader, Writer};
use crate::diff::Diff;
use crate::execute::{Commands, Control, Ended, Engine, Observer, Policy, Stopped};
use crate::ids::Indexed;
use crate::plan::{Plan, Planner};
use crate::render::{Known, Secrets};
use crate::state::{Append, Event, History, Recorded};

/// A run under its lock, with its journal read to the end.
pub struct Opened<J> {
    /// Plan of what is to come back.
    pub plan: Plan,
    /// Changes that the run will make.
    pub diff: Diff,
    /// History of what has happened.
    pub history: History,
    /// Facts known of the world.
    pub known: Known,
    pub(super) journal: J,
    /// The first events, which are recorded when it runs.
    pub(super) events: Vec<Event>,
}

/// Dependencies of a run.
pub struct Works<'a, A, C, O> {
    /// Completes requests while it goes on.
    pub planner: &'a Planner,
    /// AWS: a client for each target of the plan.
    pub api: Vec<Arc<A>>,
    /// Whoever runs the checks.
    pub commands: Arc<dyn Commands>,
    /// Time.
    pub clock: &'a C,
    /// The screen, and whoever else watches.
    pub observer: O,
    /// Requests of a person.
    pub control: UnboundedReceiver<Control>,
    /// Behaviour of the run where there is a choice.
    pub policy: Policy,
}

/// A run that has ended, or that its runner has left.
pub struct Outcome {
    /// Plan of what was to come back, without its steps: their outcome is in the journal.
    pub plan: Plan,
    /// Changes that the run was to make.
    pub diff: Diff,
    /// Exit of the runner, or the reason why it could not go on.
    pub ended: Result<Ended, Stopped>,
}

impl<J: Append + 'static> Opened<J> {
    /// Returns the journal that will be written to.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// The first events of the run as they will be recorded: a run that ends before that is reported by them.
    #[must_use]
    pub fn header(&self, secrets: &Secrets, at: Timestamp) -> Vec<Recorded> {
        let is_of_header =
            |event: &&Event| matches!(event, Event::RunOpened { .. } | Event::Planned { .. });
        let events = self.events.iter().filter(is_of_header);
        events
            .map(|event| Recorded {
                at,
                aws_ahead: None,
                event: event.clone().redacted(secrets),
            })
            .collect()
    }

    /// Starts what is to be started and follows what was, to the end or until the runner leaves.
    pub async fn run<A, C, O>(mut self, works: Works<'_, A, C, O>) -> Outcome
    where
        A: Reader + Writer + 'static,
        C: Clock,
        O: Observer,
    {
        let drafts = self.plan.take_drafts();
        for change in &mut self.diff.changes {
            // The tokens have been shown; the engine makes each when it sends it.
            change.token = None;
        }
        let engine = Engine {
            planner: works.planner,
            plan: &self.plan,
            drafts,
            api: works.api,
            commands: works.commands,
            journal: self.journal,
            clock: works.clock,
            observer: works.observer,
            control: works.control,
            policy: works.policy,
        };
        let observed = self.history.observed;
        let run = engine.run(self.events, observed, self.known, &self.diff);
        let ended = run.await;
        self.plan.steps = Indexed::default();
        Outcome {
            plan: self.plan,
            diff: self.diff,
            ended,
        }
    }
}
