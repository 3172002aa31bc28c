//! The command line of proof: `prove`.

use std::path::PathBuf;

use clap::Args;

use super::arguments::{HumanOrJson, InputOptions, StateOption};
use super::complete;

#[derive(Args, Debug)]
pub(super) struct ProveArguments {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[command(flatten)]
    pub(super) ledger: LedgerOption,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

/// Which ledger.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LedgerOption {
    /// The ledger. Default: `proven.jsonl` next to the plan
    #[arg(long, value_name = "FILE", help_heading = "Ledger")]
    pub(super) ledger: Option<PathBuf>,
}
