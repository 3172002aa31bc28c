//! The command line of `export`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{AwsOptions, InputOptions};
use super::complete;

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Export the plan as a kit: a script for the AWS CLI, the requests, and a runbook to print
    Kit(ExportKit),
}

/// What every export takes.
#[derive(Args, Debug)]
pub(super) struct ExportOptions {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    /// Write to this directory; an earlier export in it is replaced
    #[arg(
        long,
        short,
        value_name = "DIR",
        required_unless_present = "check",
        help_heading = "Output"
    )]
    pub(super) output: Option<PathBuf>,
    /// Write nothing, and exit with 2 if the export in this directory is not what the plan means now
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "output",
        help_heading = "Output"
    )]
    pub(super) check: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ExportKit {
    #[command(flatten)]
    pub(super) of: ExportOptions,
}
