//! Interface of a journal.

use super::Recorded;
use crate::render::Secrets;

/// The durable record of a run.
pub trait Append: Send {
    /// Appends all events, and is done once they are on disk.
    ///
    /// # Errors
    ///
    /// Where they may not be: nothing that follows from them may be done.
    fn append(
        &mut self,
        events: &[Recorded],
    ) -> impl Future<Output = Result<(), JournalError>> + Send;
}

/// A journal that is written by somebody who does not know the secrets of the plan: none gets into it.
pub struct Redacting<'a, J> {
    journal: J,
    secrets: &'a Secrets,
}

impl<'a, J> Redacting<'a, J> {
    /// Keeps these out of a journal.
    pub fn new(journal: J, secrets: &'a Secrets) -> Self {
        Self { journal, secrets }
    }
}

impl<J: Append> Append for Redacting<'_, J> {
    async fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError> {
        let events = events
            .iter()
            .map(|recorded| recorded.redacted(self.secrets));
        self.journal.append(&events.collect::<Vec<_>>()).await
    }
}

/// The journal could not be written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk, or whoever filled it.
    #[error("the journal cannot be written: {0}")]
    Disk(String),
    /// Another runner, on purpose: it works on this run now.
    #[error("another runner has taken this run over")]
    TakenOver,
}
