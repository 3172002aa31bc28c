//! Forecast of a run, made just before the run was opened: reports compare it with the outcome.

use serde::{Deserialize, Serialize};

/// Forecast as the journal keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedForecast {
    /// Half of such runs end within so many seconds.
    pub p50_seconds: i64,
    /// Nine in ten.
    pub p90_seconds: i64,
    /// The recovery time objective of the whole run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_seconds: Option<i64>,
    /// In how many of a thousand such runs it is met: a whole number, so that a record is written again as it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rto_per_mille: Option<u32>,
    /// Number of restores that it is about: those that were to start.
    pub restores: u32,
    /// Number of samples.
    pub samples: u32,
    /// Number of types and variants.
    pub types: u32,
    /// Number of them with restores of earlier runs.
    pub types_with_history: u32,
    /// Number of earlier runs.
    pub runs: u32,
}
