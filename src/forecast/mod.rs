//! A plan, and what restores have taken before, to how long a run would take: as a distribution.
//!
//! [`RestoreModel`] says what may become of one restore, [`Sampling`] plays the engine's own scheduler
//! ([`crate::execute::RunSimulation`]) over samples of it, and the rest says what follows. There is neither clock nor chance in
//! here: the time is given, and all chance follows from a seed.

mod backtest;
mod chance;
mod changes;
mod cost;
mod curve;
mod group;
mod model;
mod outcome;
mod past;
mod samples;
mod subject;
mod what_if;

pub use backtest::{
    Backtest, BacktestedRun, CoveredPart, ForecastRecord, NEEDED, NamedRun, backtest,
};
pub use changes::apply;
pub use cost::{ForecastCost, PriceTable, PricedRestore, RegionPrices, cost};
pub use group::{DurationGroup, Prior};
pub use model::{Basis, Drawn, Forecasted, RestoreModel};
pub use outcome::{
    BasisForecast, ForecastOptions, LimitForecast, ObjectiveForecast, Quantiles, RestoreForecast,
    RunForecast, STAYS, WhatIfForecast, forecast,
};
pub use past::{PastRestore, PastRun, restores_of};
pub use samples::{HeldLimit, Samples, Sampling};
pub use subject::ForecastSubject;
pub use what_if::{TypedWhatIf, WhatIf};
