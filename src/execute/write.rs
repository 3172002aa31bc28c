//! What execution asks of the outside: the one writing call to AWS, and a journal.

use super::Recorded;
use crate::diff::ApiError;
use crate::plan::Request;

/// The half of AWS that writes.
pub trait Writer: Send + Sync {
    /// StartRestoreJob: the id of the job.
    fn start(&self, request: &Request) -> impl Future<Output = Result<String, ApiError>> + Send;
}

/// The durable record of a run.
pub trait Journal {
    /// Appends all events and returns once they are on disk.
    ///
    /// # Errors
    ///
    /// Where they may not be: nothing that follows from them may be done.
    fn append(&mut self, events: &[Recorded]) -> Result<(), JournalError>;
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
