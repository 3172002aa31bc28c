//! How long a run takes, before it begins: against the engine, against drills whose truth is known, and as a command.

mod coverage;
mod same_clock;
