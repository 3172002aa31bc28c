//! The command line of `export`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::arguments::{AwsOptions, InputOptions};
use super::complete;
use crate::export::{Omission, StepFunctions};

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Export the plan as a kit: a script for the AWS CLI, the requests, and a runbook to print
    Kit(ExportKit),
    /// Export the plan for AWS Step Functions: a state machine that restores with no machine of yours
    StepFunctions(ExportStepFunctions),
}

/// Options of every export.
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

#[derive(Args, Debug)]
pub(super) struct ExportStepFunctions {
    #[command(flatten)]
    of: ExportOptions,
    /// Bucket for the restores and the results of a run, in the machine's account and Region
    ///
    /// `{region}` in it is the Region: a plan with several Regions needs a bucket in each.
    #[arg(long, value_name = "NAME", value_parser = bucket, help_heading = "Step Functions")]
    bucket: String,
    /// What keys in the bucket begin with
    #[arg(long, value_name = "PREFIX", value_parser = prefix, help_heading = "Step Functions")]
    prefix: Option<String>,
    /// Leave out what a state machine cannot do, separated by commas
    ///
    /// Everything else that it cannot do is refused. The README of the export lists what was left out.
    #[arg(
        long,
        value_name = "WHAT,…",
        value_delimiter = ',',
        help_heading = "Step Functions"
    )]
    allow_without: Vec<Without>,
}

/// Parts that may be left out.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Without {
    /// Checks of restores and of the plan
    Checks,
    /// Commands that switch over
    Cutover,
    /// `on_failure: stop`: other restores continue
    Stop,
    /// Restores that cannot go, with all that need them
    Restores,
}

impl From<Without> for Omission {
    fn from(without: Without) -> Self {
        match without {
            Without::Checks => Self::Checks,
            Without::Cutover => Self::Cutover,
            Without::Stop => Self::Stop,
            Without::Restores => Self::Restores,
        }
    }
}

impl ExportStepFunctions {
    /// Returns the options of every export.
    pub(super) fn of(&self) -> &ExportOptions {
        &self.of
    }

    pub(super) fn options(&self) -> StepFunctions {
        StepFunctions {
            bucket: self.bucket.clone(),
            prefix: self.prefix.clone().unwrap_or_default(),
            without: self.allow_without.iter().copied().map(Into::into).collect(),
            is_followed: false,
        }
    }
}

/// The name of a bucket (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>): it goes into a
/// state machine and into commands that people paste.
pub(super) fn bucket(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let name = text.replace("{region}", "region");
    let ok = (3..=63).contains(&name.len())
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
        && name.chars().all(|c| is_plain(c) || "-.".contains(c));
    match ok {
        true => Ok(text.to_owned()),
        false => {
            Err("a bucket is named by 3 to 63 lower-case letters, digits, `-` and `.`; `{region}` in it is the Region".to_owned())
        }
    }
}

/// Parses a prefix of keys, with one `/` at its end.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let text = text.trim_matches('/');
    let ok = text.len() <= 256
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    match (ok, text.is_empty()) {
        (true, true) => Ok(String::new()),
        (true, false) => Ok(format!("{text}/")),
        (false, _) => {
            Err("a prefix has up to 256 letters, digits, `-`, `_`, `.` and `/`".to_owned())
        }
    }
}
