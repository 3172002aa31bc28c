//! History that a run finds of itself: its journal so far, and what that settles for it.

use jiff::Timestamp;

use super::Context;
use super::saved::{self, SavedPlan};
use super::store::Store;
use crate::cli::exit::Failure;
use crate::diff::{Action, Diff, Wanted};
use crate::execute::Stopped;
use crate::journal::{Journal, Owner, RunKey};
use crate::plan::Plan;
use crate::render::Known;
use crate::session::Preview;
use crate::state::{Append as _, History, Recorded};

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
        let resolved = known.resolved.get(&step.name);
        resolved.and_then(|point| point.created_at).or_else(|| {
            let source = known.sources.get(&step.draft.request.recovery_point_arn)?;
            source.created_at.parse().ok()
        })
    });
    made.any(|made| made < since).then_some(since)
}

/// Returns the owner that works on the run now.
pub(super) fn owner(context: &Context<'_>, since: Timestamp) -> Owner {
    Owner {
        pid: std::process::id(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        user: context.environment.user.clone(),
        since,
        beat_at: None,
    }
}

/// Records what is found out of a run before it goes on.
pub(super) struct Recorder<'a> {
    pub(super) store: &'a Store,
    pub(super) run: &'a RunKey,
    pub(super) owner: &'a Owner,
    pub(super) take_over: bool,
}

impl Recorder<'_> {
    pub(super) async fn keep(
        &self,
        events: &[Recorded],
        preview: &mut Preview,
    ) -> Result<(), Failure> {
        if events.is_empty() {
            return Ok(());
        }
        // Another runner may have worked since the journal was read: what it has recorded stands.
        let mut now = History::default();
        let take = |recorded: Recorded| -> Result<(), Failure> {
            now.take(&recorded).map_err(Stopped::from)?;
            Ok(())
        };
        let mut journal =
            Journal::open(self.store, self.run, self.owner, self.take_over, take).await?;
        // Events of a restore in the meantime, such as its deletion by a cleanup, are recorded already.
        let fresh: Vec<Recorded> = events
            .iter()
            .filter(|recorded| now.take(recorded).is_ok())
            .cloned()
            .collect();
        let held = journal.held();
        let appended = match fresh.is_empty() {
            true => Ok(()),
            false => journal.append(&fresh).await,
        };
        drop(journal);
        held.release().await;
        appended.map_err(Stopped::from)?;
        preview.history = now;
        preview.compare_again();
        Ok(())
    }
}

/// History before this command, and whether it leaves a saved plan as it was approved.
pub(super) struct Before<'a> {
    pub(super) history: History,
    replay: Option<saved::SavedPlanReplay<'a>>,
}

impl<'a> Before<'a> {
    pub(super) fn new(saved: Option<&'a SavedPlan>) -> Self {
        Self {
            history: History::default(),
            replay: saved.map(saved::SavedPlanReplay::of),
        }
    }

    pub(super) fn take(&mut self, recorded: &Recorded) -> Result<(), Failure> {
        if let Some(replay) = &mut self.replay {
            replay.take(recorded);
        }
        self.history.take(recorded).map_err(Stopped::from)?;
        Ok(())
    }

    /// Returns true if the saved plan has been taken up before; bounds what is wanted.
    pub(super) fn check(&self, wanted: &mut Wanted) -> Result<bool, Failure> {
        match &self.replay {
            Some(replay) => replay.check(wanted),
            None => Ok(false),
        }
    }
}
