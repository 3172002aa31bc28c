//! The command line of forecasts, and of the history that they learn from.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use jiff::{SignedDuration, Timestamp};

use super::arguments::{AwsOptions, HumanOrJson, InputOptions, On, OnlyOption, StateOption};
use super::complete;
use crate::forecast::TypedWhatIf;

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct ForecastArguments {
    #[command(subcommand)]
    pub(super) command: Option<ForecastCommand>,
    /// Plan file
    #[arg(value_name = "PLAN", required = true, add = complete::plans())]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[command(flatten)]
    pub(super) history: HistoryOptions,
    /// Forecast with one thing changed as well: `limits.concurrent=100`, `limits.by_type.EFS=4`, `restores.db.size=2x`,
    /// `without=db`, `history=1y`; repeatable
    #[arg(long, value_name = "CHANGE", help_heading = "Forecast")]
    pub(super) what_if: Vec<TypedWhatIf>,
    /// When the run would begin, for the age of recovery points. Default: now
    #[arg(long, value_name = "TIME", help_heading = "Forecast")]
    pub(super) at: Option<Timestamp>,
    /// With the steps of the cutover
    #[arg(long, help_heading = "Forecast")]
    pub(super) cutover: bool,
    /// How many samples
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        value_parser = clap::value_parser!(u32).range(1..=100_000),
        help_heading = "Forecast"
    )]
    pub(super) samples: u32,
    /// Repeat a forecast that named this seed. Default: one that follows from the plan
    #[arg(long, value_name = "N", help_heading = "Forecast")]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) cost: CostOptions,
    /// Output format. `markdown`: a comment on a pull request. `html`: a page in one file
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: ForecastFormat,
}

/// Inputs of the cost.
#[derive(Args, Debug)]
pub(super) struct CostOptions {
    /// Prices in place of those that are built in
    #[arg(long, value_name = "FILE", help_heading = "Forecast")]
    pub(super) prices: Option<PathBuf>,
    /// For how long what is created stays before it is cleaned up, for its cost
    #[arg(
        long,
        value_name = "TIME",
        default_value = "8h",
        help_heading = "Forecast"
    )]
    pub(super) stays: SignedDuration,
    /// With the cost of the state machines that start the restores, as `run --on` has them do
    #[arg(long, value_name = "SERVICE", help_heading = "Forecast")]
    pub(super) on: Option<On>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ForecastCommand {
    /// Say how often such forecasts were right: each past run, from what was known before it
    Backtest(BacktestArguments),
}

#[derive(Args, Debug)]
pub(super) struct BacktestArguments {
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Also learn from runs against emulators
    #[arg(long, help_heading = "History")]
    pub(super) rehearsals: bool,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

/// Sources that a forecast learns from, apart from the state.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "History")]
pub(super) struct HistoryOptions {
    /// Also learn from what `redrill history export` has written; repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) history: Vec<PathBuf>,
    /// Also learn from runs against emulators
    #[arg(long)]
    pub(super) rehearsals: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ForecastFormat {
    Human,
    Json,
    Markdown,
    Html,
}

#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// Write what restores took, without names or ids, for `forecast --history` anywhere else
    Export(HistoryExport),
}

#[derive(Args, Debug)]
pub(super) struct HistoryExport {
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Also export runs against emulators
    #[arg(long, help_heading = "History")]
    pub(super) rehearsals: bool,
}
