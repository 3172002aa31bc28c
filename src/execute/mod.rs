//! Changes to events: sends what is to be sent, follows what was started, and says everything it does.
//!
//! [`Engine::run`] is the one task that decides; calls to AWS run beside it and report back. What happens is an
//! [`Event`], and every event takes the same way: into the journal, through the transition table in `state.rs`,
//! then to the screen. A request leaves only after its intent is on disk. Starting and resuming are one thing: a
//! new run resumes an empty journal.

mod asking;
mod begun;
mod calls;
mod checking;
mod clock;
mod command;
mod deletion;
mod due;
mod elsewhere;
mod ending;
mod endpoint;
mod engine;
mod event;
mod following;
mod forecast;
mod gates;
mod glance;
mod history;
mod late;
mod lookout;
mod lost;
mod nested;
mod outline;
mod places;
mod presence;
mod publishing;
mod rates;
mod recording;
mod redacting;
mod run;
mod schedule;
mod settle;
mod skew;
mod starting;
mod state;
mod trouble;
mod under_way;
mod waiting;
mod watching;
mod write;

pub use crate::diff::{Begun, Machine};
pub use clock::{Clock, SystemClock};
pub use command::{Command, Commands, Exited, Left, Ran};
pub use elsewhere::listed_since;
pub use endpoint::Endpoint;
pub use engine::{Control, Ended, Engine, Observer, Policy, Stopped, Twins};
pub use event::{CheckVerdict, Event, NestedJob, Recorded};
pub use forecast::forecast;
pub use glance::glance;
pub use history::{Counter, History, Opened, Witness};
pub use outline::{Goals, Origin, Outline, OutlinedRestore};
pub use places::Places;
pub use rates::Rates;
pub use state::{Illegal, next, replay};
pub use under_way::{Whose, jobs_of, may_be_since, whose, whose_without_journal};
pub use waiting::Awaited;
pub use write::{Journal, JournalError, Redacting, Writer};
