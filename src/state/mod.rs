//! State of a run: its events, the one table of what may follow what (`transition.rs`), their outcome, and the trait of
//! their journal.

mod awaited;
mod deletion;
mod event;
mod history;
mod incomplete;
mod journal;
mod judged;
mod observed;
mod outline;
mod places;
mod recorded_forecast;
mod transition;

pub use awaited::Awaited;
pub use event::{CheckVerdict, Event, NOT_RUN, NestedJob, Recorded};
pub use history::{History, JournalPosition, OpeningEvent, PositionCounter, Witness};
pub use incomplete::incomplete;
pub use journal::{Append, JournalError, Redacting};
pub use judged::{Judged, due_after, judged, outdated};
pub use observed::{
    Begins, Begun, CheckProgress, CheckStage, Deletion, Machine, RestoreStage, RestoreState,
    RunState, Sent, Told,
};
pub use outline::{Goals, Origin, Outline, OutlinedLimits, OutlinedRestore};
pub use places::Places;
pub use recorded_forecast::RecordedForecast;
pub use transition::{Illegal, apply, next, replay};
