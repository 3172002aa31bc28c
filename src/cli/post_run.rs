//! The command line of what comes after a run: its status, reports, cleanup, evidence.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::arguments::{AwsOptions, HumanOrJson, InputOptions, ReportOptions, StateOption, run_id};
use super::complete;
use super::proving::TrustOptions;
use crate::ids::RunId;

#[derive(Args, Debug)]
pub(super) struct Status {
    /// Only this run. Without it, the latest is shown in full
    #[arg(long, value_name = "ID", value_parser = run_id, add = complete::run_ids())]
    pub(super) run_id: Option<RunId>,
    /// Show it again every 5 seconds, until nobody works on it
    #[arg(long)]
    pub(super) watch: bool,
    /// Plan, by its file or its name. Without it: every run known here
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

#[derive(Args, Debug)]
pub(super) struct Report {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    /// Run to report on
    #[arg(long, value_name = "ID", default_value = "main", value_parser = run_id, add = complete::run_ids())]
    pub(super) run_id: RunId,
    /// Compare with another run
    #[arg(long, value_name = "ID", value_parser = run_id, add = complete::run_ids())]
    pub(super) compare: Option<RunId>,
    /// Add what the record answers of the controls of these frameworks to HTML, Markdown and JSON reports; such as `dora,soc2`
    #[arg(long, value_name = "FRAMEWORK", value_delimiter = ',', add = complete::frameworks())]
    pub(super) controls: Vec<String>,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[command(flatten)]
    pub(super) report: ReportOptions,
}

#[derive(Args, Debug)]
pub(super) struct CleanupArguments {
    /// Plan file; whatever it protects is kept
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Show what would be deleted, and delete nothing
    #[arg(long, help_heading = "Cleanup")]
    pub(super) dry_run: bool,
    /// Delete without asking
    #[arg(long, short, help_heading = "Cleanup")]
    pub(super) yes: bool,
    /// Confirm each account to delete in by its id. Required with --yes if anything looks like production
    #[arg(
        long,
        value_name = "ID,…",
        value_delimiter = ',',
        help_heading = "Cleanup"
    )]
    pub(super) confirm_account: Vec<String>,
    /// With --yes, also delete resources that only their name identifies, from a day after their job ended
    #[arg(long, help_heading = "Cleanup")]
    pub(super) known_by_name: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Evidence {
    #[command(subcommand)]
    pub(super) command: Option<EvidenceCommand>,
    /// Plan file
    #[arg(value_name = "PLAN", required = true, add = complete::plans())]
    pub(super) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Path to write the bundle to: a directory, or a file that ends in .zip
    #[arg(
        long,
        short,
        value_name = "DIR|ZIP",
        required = true,
        help_heading = "Output"
    )]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum EvidenceCommand {
    /// Verify a bundle offline; names the first thing that does not match
    ///
    /// With --keys, also who has signed it.
    Verify {
        /// The bundle
        #[arg(value_name = "DIR|ZIP")]
        bundle: PathBuf,
        #[command(flatten)]
        trust: TrustOptions,
        /// A file with signatures, by `redrill evidence sign` or cosign; repeatable. Default: BUNDLE.dsse.json
        #[arg(long, value_name = "FILE", help_heading = "Signatures")]
        signatures: Vec<PathBuf>,
    },
    /// Write what a bundle shows as OSCAL assessment results, offline
    ///
    /// The bundle is verified first. Only a run at AWS shows something.
    Oscal {
        /// The bundle
        #[arg(value_name = "DIR|ZIP")]
        bundle: PathBuf,
        /// Write it to this file. Default: standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Sign a bundle, offline; adds to the signatures that it has
    ///
    /// The bundle is verified first. Its signatures are in a file next to it, BUNDLE.dsse.json.
    Sign {
        /// The bundle
        #[arg(value_name = "DIR|ZIP")]
        bundle: PathBuf,
        /// Your private key, in PEM: `openssl genpkey -algorithm ed25519` makes one
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The file with the signatures. Default: BUNDLE.dsse.json
        #[arg(long, value_name = "FILE")]
        signatures: Option<PathBuf>,
    },
}
