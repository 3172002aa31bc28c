//! The command line of what comes after a run: its status, reports, cleanup, evidence.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{AwsOptions, HumanOrJson, InputOptions, ReportOptions, StateOption, run_id};

#[derive(Args, Debug)]
pub(super) struct Status {
    /// The plan whose runs are shown; all where it is left out
    #[arg(value_name = "PLAN")]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[arg(long, default_value = "human")]
    pub(super) format: HumanOrJson,
}

#[derive(Args, Debug)]
pub(super) struct Report {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    /// The run
    #[arg(long, value_name = "ID", default_value = "main", value_parser = run_id)]
    pub(super) run_id: String,
    /// Compare it with this run
    #[arg(long, value_name = "RUN", value_parser = run_id)]
    pub(super) compare: Option<String>,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[command(flatten)]
    pub(super) report: ReportOptions,
}

#[derive(Args, Debug)]
pub(super) struct Cleanup {
    /// The plan file, for what it protects
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Delete without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Each account in which something is deleted, typed out: asked for, beside --yes, where something looks like production
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(super) confirm_account: Vec<String>,
    /// Delete with --yes what is known by its name alone as well, a day after its job has ended and later
    #[arg(long)]
    pub(super) known_by_name: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Evidence {
    #[command(subcommand)]
    pub(super) command: Option<EvidenceCommand>,
    /// The plan file
    #[arg(value_name = "PLAN", required = true)]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Where the bundle goes: a directory, or a file that ends with .zip
    #[arg(long, short, value_name = "DIR|ZIP", required = true)]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Check a bundle offline; names the first thing that does not match
    Verify {
        /// The directory, or the ZIP
        #[arg(value_name = "DIR|ZIP")]
        bundle: PathBuf,
    },
}
