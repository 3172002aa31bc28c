//! The command line of proof: `prove` and `coverage`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::{HumanOrJson, InputOptions, ReadOptions, StateOption};
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
    #[command(flatten)]
    pub(super) signed: SignedEvidenceOptions,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

/// Signatures of the evidence that a ledger names.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct SignedEvidenceOptions {
    /// Signatures of the run's evidence, by `redrill evidence sign` or cosign: the ledger says who signed; repeatable
    #[arg(
        long,
        value_name = "FILE",
        requires = "keys",
        help_heading = "Signatures"
    )]
    pub(super) signatures: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) trust: TrustOptions,
}

/// Signers that somebody trusts.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct TrustOptions {
    /// Public keys that you trust: each `NAME.pem` of this folder is the key of NAME
    #[arg(long, value_name = "DIR", help_heading = "Signatures")]
    pub(super) keys: Option<PathBuf>,
    /// Number of them that must have signed
    #[arg(
        long,
        value_name = "COUNT",
        default_value = "1",
        requires = "keys",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Signatures"
    )]
    pub(super) threshold: u16,
}

#[derive(Args, Debug)]
pub(super) struct CoverageArguments {
    /// How often proof is wanted, exceptions and drills. Default: `coverage.yaml` here, where there is one
    #[arg(long, value_name = "FILE")]
    pub(super) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(super) ledger: LedgerOption,
    /// The ledger has to have a line with this digest; repeatable. Finds lines that were removed from its end
    #[arg(
        long,
        value_name = "SHA256",
        value_delimiter = ',',
        value_parser = digest,
        help_heading = "Ledger"
    )]
    pub(super) pin: Vec<String>,
    /// Exit with 8 where less than this is proven, such as `95%`
    #[arg(long, value_name = "PERCENT", value_parser = percent)]
    pub(super) min: Option<f64>,
    /// As of this date, to its end in UTC, or of this time. Default: now
    #[arg(long, value_name = "DATE", value_parser = date_or_time)]
    pub(super) at: Option<jiff::Timestamp>,
    /// Only the drills: which are missed, due and next. Exits with 8 where one is missed. Asks nobody
    #[arg(long)]
    pub(super) due: bool,
    /// List every resource
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,
    /// Look up recovery points in this file instead of at AWS; repeatable
    #[arg(long, value_name = "FILE", help_heading = "Inputs")]
    pub(super) inventory: Vec<PathBuf>,
    /// Region; repeatable. Default: from your AWS configuration
    #[arg(long = "region", value_name = "REGION", help_heading = "AWS")]
    pub(super) regions: Vec<String>,
    #[command(flatten)]
    pub(super) aws: ReadOptions,
    /// Output format. `html`: one page. `markdown`: a comment or a summary. `junit`: for CI systems
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: CoverageFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CoverageFormat {
    Human,
    Json,
    Markdown,
    Html,
    Junit,
}

/// A digest of a line.
fn digest(text: &str) -> Result<String, String> {
    let is_digest = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_digest {
        true => Ok(text.to_lowercase()),
        false => Err(
            "write the 64 hexadecimal digits of a SHA-256, as `redrill prove` prints them"
                .to_owned(),
        ),
    }
}

/// `95%`, `95` or `99.9`.
fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    match number.trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err("write a percentage from 0% to 100%, such as 95%".to_owned()),
    }
}

/// A date, which is its end in UTC, or a time.
fn date_or_time(text: &str) -> Result<jiff::Timestamp, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let day: jiff::civil::Date = text.parse().map_err(|_| {
        "write a date, such as 2026-12-31, or a time, such as 2026-12-31T12:00:00Z".to_owned()
    })?;
    let end = day
        .at(23, 59, 59, 0)
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|err| err.to_string())?;
    Ok(end.timestamp())
}

/// Option that names the ledger.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct LedgerOption {
    /// The ledger. Default: `proven.jsonl` next to the plan, or to the policy
    #[arg(long, value_name = "FILE", help_heading = "Ledger")]
    pub(super) ledger: Option<PathBuf>,
}
