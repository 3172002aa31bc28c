//! Restores that somebody else starts in place of a run.

use std::collections::HashSet;

use jiff::Timestamp;
use tokio::sync::watch;

use super::engine::StartedElsewhere;
use crate::ids::StepIndex;

/// Progress of the search for what is started elsewhere.
#[derive(Debug)]
pub(super) struct Elsewhere {
    has_ended: watch::Receiver<bool>,
    /// Restores whose jobs were compared since the last look.
    pub(super) compared: HashSet<StepIndex>,
    /// Since when nothing more is started there.
    pub(super) ended_at: Option<Timestamp>,
}

impl Elsewhere {
    pub(super) fn of(started: &StartedElsewhere) -> Self {
        Self {
            has_ended: started.has_ended.clone(),
            compared: HashSet::new(),
            ended_at: None,
        }
    }
}

/// Done once it is known that nothing more is started there, and that was not known before.
pub(super) async fn ended(elsewhere: &mut Option<Elsewhere>) {
    if let Some(elsewhere) = elsewhere
        && elsewhere.ended_at.is_none()
        && elsewhere.has_ended.wait_for(|ended| *ended).await.is_ok()
    {
        return;
    }
    // Whoever would say it may be gone.
    std::future::pending().await
}
