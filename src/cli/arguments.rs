//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::against::{Against, against};
use super::authoring::{Init, Inventory};
use super::post_run::{Cleanup, Evidence, Report, Status};

/// Runs version-controlled restore plans against AWS Backup, each restore exactly once.
#[derive(Debug, Parser)]
#[command(
    name = "redrill",
    version,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) display: Display,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check plans: structure, templates, and the metadata rules of each resource type. Touches nothing.
    Validate(Validate),
    /// Print the exact requests, one JSON object a line
    Render(Render),
    /// The dry run: what a run would do, restore by restore. Only reads
    Plan(DryRun),
    /// Write what the selectors of a plan mean into a lock file beside it. Only reads
    Lock(Lock),
    /// Start the restores of a plan, follow them to the end, report; a re-run goes on where the last one stopped
    Run(Run),
    /// Show the runs known here and where each restore stands
    Status(Status),
    /// Write reports of a run, finished or not, from its journal alone
    Report(Report),
    /// Delete what a run has created, and nothing else, and prove it gone; shows first what it would do
    Cleanup(Cleanup),
    /// Bundle a run so that it can be checked offline, or check such a bundle
    Evidence(Evidence),
    /// Run a plan against the embedded emulator: the real engine over real HTTP, in fast time
    Rehearse(Rehearse),
    /// Serve a local AWS Backup for any client, on loopback
    Emulator(redrill_emulator::command::Arguments),
    /// Record vaults, recovery points and their restore metadata into a file. Only reads
    Inventory(Inventory),
    /// Write a plan from recovery points: the latest of each resource, each key explained. Only reads
    Init(Init),
    /// Tell what AWS asks of a resource type or of one of its metadata keys, or what a rule means
    Explain(Explain),
    /// Print the JSON Schema of the plan file for editors, or of a type's metadata
    Schema(Schema),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the licences of what this program is built from
    Licenses,
}

/// Options that every command takes.
#[derive(Args, Debug)]
pub(super) struct Display {
    /// Colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Display"
    )]
    pub(super) color: When,
    /// How progress is shown: `auto` is a bar on a terminal, lines elsewhere
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Display"
    )]
    pub(super) progress: Progress,
    /// Say nothing that is no result
    #[arg(short, long, global = true, help_heading = "Display")]
    pub(super) quiet: bool,
    /// Say more: every change of a job's status
    #[arg(short, long, global = true, help_heading = "Display")]
    pub(super) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum When {
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Progress {
    Auto,
    Bar,
    Lines,
    None,
}

/// What a plan is rendered with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Inputs")]
pub(super) struct InputOptions {
    /// Give a variable; stronger than --var-file, which is stronger than `REDRILL_VAR_<NAME>`
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(super) vars: Vec<(String, String)>,
    /// Read variables from a YAML or JSON file
    #[arg(long = "var-file", value_name = "FILE")]
    pub(super) var_files: Vec<PathBuf>,
    /// The run: one execution of the plan; a new id restores again
    #[arg(long, value_name = "ID", default_value = "main", value_parser = run_id)]
    pub(super) run_id: String,
    /// Look recovery points up in this file instead of asking AWS
    #[arg(long, value_name = "FILE")]
    pub(super) inventory: Option<PathBuf>,
    /// Ignore the lock file next to the plan, and look recovery points up again
    #[arg(long)]
    pub(super) no_lock: bool,
}

/// Which restores.
#[derive(Args, Clone, Debug)]
pub(super) struct OnlyOption {
    /// Act on these restores alone
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    pub(super) only: Vec<String>,
}

/// Where AWS is.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "AWS")]
pub(super) struct AwsOptions {
    /// The Region; has to be the one in the plan's target
    #[arg(long)]
    pub(super) region: Option<String>,
    /// The profile in AWS's own configuration
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Another endpoint for all of AWS, such as an emulator's
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
}

/// Where AWS is read, without a plan that says so.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "AWS")]
pub(super) struct ReadOptions {
    /// The profile in AWS's own configuration
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Another endpoint for all of AWS, such as an emulator's
    #[arg(long, value_name = "URL")]
    pub(super) endpoint_url: Option<String>,
    /// Ask AWS as fast as it answers, not as fast as it publishes
    #[arg(long)]
    pub(super) no_rate_limit: bool,
}

/// Where runs are recorded.
#[derive(Args, Clone, Debug)]
pub(super) struct StateOption {
    /// The directory of journals; keep it
    #[arg(long, value_name = "DIR", default_value = ".redrill")]
    pub(super) state: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct Validate {
    /// Plan files
    #[arg(required = true, value_name = "PLAN")]
    pub(super) plans: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    /// `sarif` is SARIF 2.1.0, `github` annotations of a pull request
    #[arg(long, default_value = "human")]
    pub(super) format: FindingsFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FindingsFormat {
    Human,
    Json,
    Sarif,
    Github,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HumanOrJson {
    Human,
    Json,
}

#[derive(Args, Debug)]
pub(super) struct Render {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    /// `json`: one object a line; `cli-json`: the body for `aws backup start-restore-job --cli-input-json`
    #[arg(long, default_value = "json")]
    pub(super) format: RenderFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RenderFormat {
    Json,
    CliJson,
}

#[derive(Args, Debug)]
pub(super) struct DryRun {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Show what a run with --retry-failed would do
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// What the restores are held against: `source`, what was backed up; `run[:ID]`, what that run has sent; `git:REV`,
    /// this plan as it was; `file:PATH`, another plan. `source` unless given, where recovery points are at hand
    #[arg(long, value_name = "BASE", value_parser = against)]
    pub(super) against: Option<Against>,
    /// Show what did not change as well
    #[arg(long)]
    pub(super) full: bool,
    /// Save it: `redrill run FILE` then sends exactly these requests, or refuses
    #[arg(long, short, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Exit with 2 where something differs from the base
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
    /// `markdown` is a comment on a pull request, `github` annotations of a workflow run
    #[arg(long, default_value = "human")]
    pub(super) format: DryRunFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRunFormat {
    Human,
    Json,
    Markdown,
    Github,
}

#[derive(Args, Debug)]
pub(super) struct Lock {
    /// The plan file; `orders.yaml` is locked in `orders.lock.yaml`
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    /// Look these restores up again, or all; without it only what is not locked yet is looked up
    #[arg(long, value_name = "NAME", num_args = 0.., value_delimiter = ',')]
    pub(super) update: Option<Vec<String>>,
}

#[derive(Args, Clone, Debug)]
pub(super) struct Run {
    /// The plan file, or a plan that `redrill plan -o` has saved
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Start without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Show what would happen, and do nothing: the same as `redrill plan`
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Give every failed restore another attempt
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// Take over jobs that ask for the same and were not started by this run; with =JOB, that job alone. May be
    /// given again
    #[arg(
        long,
        value_name = "JOB",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "start_anyway"
    )]
    pub(super) adopt: Vec<String>,
    /// Start a restore although a job asks for the same that was not started by this run
    #[arg(long)]
    pub(super) start_anyway: bool,
    /// Write into resources that exist, also where a restore does not say `into_existing: true`
    #[arg(long)]
    pub(super) into_existing: bool,
    /// Take the run from a runner that is stuck: it sends and writes nothing more
    #[arg(long)]
    pub(super) take_over: bool,
    /// Ask AWS as fast as it answers, not as fast as it publishes
    #[arg(long)]
    pub(super) no_rate_limit: bool,
    /// Run the steps of the plan's `cutover` once everything is back and good
    #[arg(long)]
    pub(super) cutover: bool,
    #[command(flatten)]
    pub(super) report: ReportOptions,
}

impl Run {
    /// What `run --dry-run` asks of `plan`.
    pub(super) fn dry(&self) -> DryRun {
        DryRun {
            plan: self.plan.clone(),
            inputs: self.inputs.clone(),
            only: self.only.clone(),
            aws: self.aws.clone(),
            state: self.state.clone(),
            retry_failed: self.retry_failed,
            against: None,
            full: false,
            out: None,
            detailed_exitcode: false,
            format: match self.report.format {
                HumanOrJson::Human => DryRunFormat::Human,
                HumanOrJson::Json => DryRunFormat::Json,
            },
        }
    }
}

/// What is written about a run.
#[derive(Args, Clone, Debug)]
pub(super) struct ReportOptions {
    /// Write a report, such as `html=drill.html`: json, junit, html or markdown; may be given again
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = report)]
    pub(super) reports: Vec<(crate::report::Format, PathBuf)>,
    /// The report on standard output
    #[arg(long, default_value = "human")]
    pub(super) format: HumanOrJson,
}

#[derive(Args, Debug)]
pub(super) struct Rehearse {
    /// The plan file
    #[arg(value_name = "PLAN")]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) report: ReportOptions,
    /// Run the steps of the plan's `cutover` too; what they do is real
    #[arg(long)]
    pub(super) cutover: bool,
    /// How many times faster than the clock, or `max`: from one event to the next
    #[arg(long, value_name = "N|max", default_value = "max")]
    pub(super) speed: redrill_emulator::Speed,
    #[command(flatten)]
    pub(super) trouble: redrill_emulator::command::Trouble,
}

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// A type, such as `EFS`, a key of it, such as `EFS.KmsKeyId`, or the id of a rule, such as `plan/type`
    #[arg(value_name = "TYPE[.KEY]|RULE")]
    pub(super) topic: String,
}

#[derive(Args, Debug)]
pub(super) struct Schema {
    /// `plan`, or a type, such as `EFS`
    #[arg(value_name = "plan|TYPE", default_value = "plan")]
    pub(super) of: String,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

pub(super) fn run_id(text: &str) -> Result<String, String> {
    let ok = !text.is_empty()
        && text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if ok {
        Ok(text.to_owned())
    } else {
        Err("a run id has up to 64 letters, digits, `-`, `_` and `.`, and begins with a letter or digit".to_owned())
    }
}

fn report(text: &str) -> Result<(crate::report::Format, PathBuf), String> {
    match text.split_once('=') {
        Some((format, file)) if !file.is_empty() => Ok((format.parse()?, file.into())),
        _ => Err(format!(
            "write it as FORMAT=FILE, with one of {}",
            crate::report::Format::names()
                .collect::<Vec<_>>()
                .join(", ")
        )),
    }
}
