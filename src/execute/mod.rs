//! Changes to events: sends what is to be sent, follows what was started, and says everything it does.
//!
//! [`Engine::run`] is the one task that decides; calls to AWS run beside it and report back. What happens is an
//! [`Event`](crate::state::Event), and every event takes the same way: through the transition table, into the journal,
//! then to the screen. A request leaves only after its intent is on disk. Starting and resuming are one thing: a
//! new run resumes an empty journal.

mod barriers;
mod calls;
mod checking;
mod command;
mod duplicate_watch;
mod elsewhere;
mod engine;
mod flight;
mod late;
mod listing_window;
mod outage;
mod poll;
mod poller;
mod recording;
mod run;
mod schedule;
mod silence;
mod simulation;
mod skew;
mod target;
mod whose;

pub use command::{Command, Commands, Exited, Left, Ran};
pub use engine::{
    Control, DuplicatePolicy, Ended, Engine, Observer, Policy, StartedElsewhere, Stopped,
};
pub use listing_window::listed_since;
pub use poll::describe_jobs;
pub use schedule::{AtMost, at_once, lower};
pub use simulation::{Course, HeldBy, PlanLimit, Played, PlayedStep, RunSimulation, expected};
pub use whose::{Whose, jobs_of, may_be_since, whose, whose_without_journal};
