//! A plan, and what restores have taken before, to how long a run would take: as a distribution.
//!
//! [`RestoreModel`] says what may become of one restore, [`Sampling`] plays the engine's own scheduler
//! ([`crate::execute::RunSimulation`]) over samples of it, and the rest says what follows. There is neither clock nor chance in
//! here: the time is given, and all chance follows from a seed.

mod chance;
mod curve;
mod group;
mod model;
mod past;
mod samples;

pub use group::{DurationGroup, Prior};
pub use model::{Basis, Drawn, Forecasted, RestoreModel};
pub use past::{PastRestore, PastRun, restores_of};
pub use samples::{HeldLimit, Samples, Sampling};
