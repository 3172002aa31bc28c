//! How long a run takes, before it begins: against the engine, against drills whose truth is known, and as a command.

mod command;
mod confidence;
mod costs;
mod coverage;
mod limits;
mod other_truth;
mod outcome;
mod same_clock;
