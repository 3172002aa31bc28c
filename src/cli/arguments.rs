//! The command line.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::against::{Against, against};
use super::authoring::{InitArguments, Inventory};
use super::complete;
use super::exporting::{self, ExportCommand};
use super::forecasting::{ForecastArguments, HistoryCommand};
use super::post_run::{CleanupArguments, Evidence, Report, Status};
use super::proving::{CoverageArguments, LedgerOption, ProveArguments, SignedEvidenceOptions};
use crate::diagnostic::did_you_mean;
use crate::execute::AtMost;
use crate::ids::RunId;
use crate::rules::Facts;

/// Runs version-controlled restore plans against AWS Backup. Each restore starts exactly once
#[derive(Debug, Parser)]
#[command(
    name = "redrill",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: RedrillCommand,
    #[command(flatten)]
    pub(super) display: DisplayOptions,
}

#[derive(Debug, Subcommand)]
pub(super) enum RedrillCommand {
    /// Check plans offline: structure, templates, and the rules of each resource type
    Validate(Validate),
    /// Print the exact requests that a run would send
    Render(Render),
    /// Show what a run would do, and what changed. Only reads
    ///
    /// The dry run: every request is rendered and validated, compared with the backup, another revision or a run, and
    /// shown restore by restore. Nothing is started.
    Plan(DryRunArguments),
    /// Check whether a run would succeed: roles, keys, network, names, quotas, recovery points. Only reads
    ///
    /// Asks AWS about everything that the plan names, at once, and says what would fail, and what to do. Exits with 8 where
    /// something would.
    Preflight(PreflightArguments),
    /// Forecast how long a run would take, and how likely its objectives are met. Only reads
    ///
    /// Plays the engine's scheduler over durations that follow from earlier runs, published figures and assumptions, and says
    /// which. `redrill forecast backtest` says how often such forecasts were right.
    Forecast(Box<ForecastArguments>),
    /// Export what restores took, without names, for forecasts elsewhere
    #[command(subcommand)]
    History(HistoryCommand),
    /// Pin the recovery points that a plan selects, in a lock file. Only reads
    ///
    /// `orders.yaml` is locked in `orders.lock.yaml`, next to it. Commit both.
    Lock(LockArguments),
    /// Start the restores of a plan and follow them to the end
    ///
    /// Shows the plan and asks first. Running the same command again continues where the last one stopped: no restore
    /// starts twice.
    Run(RunArguments),
    /// Show where every restore of a run stands
    Status(Status),
    /// Write reports of a run from its journal
    Report(Report),
    /// Delete what a run created, and only that, and verify that it is gone
    ///
    /// Shows what it would delete, and asks first.
    Cleanup(CleanupArguments),
    /// Bundle a run as evidence that can be verified offline
    Evidence(Evidence),
    /// Write what a run has proven into the ledger: which resources were restored, looked at and found good
    ///
    /// The evidence of the run is made and verified first. A rehearsal, a run at an emulator and a restore without a check
    /// prove nothing, and it says so. Exits with 8 where a restore is not proven.
    Prove(ProveArguments),
    /// Show what is protected, against what is proven: what is missing, expired, failed, due. Only reads
    ///
    /// Every resource with a recovery point, at AWS or in an inventory, against the ledger and a policy.
    Coverage(CoverageArguments),
    /// Export a plan, for when redrill's own runner is not where it should run
    #[command(subcommand)]
    Export(ExportCommand),
    /// Print the least policies that a plan needs: yours, and those of the roles that restore
    Iam(IamArguments),
    /// Run a plan against the embedded emulator, in simulated time
    ///
    /// The real engine over real HTTP: nothing is sent to AWS.
    Rehearse(Rehearse),
    /// Serve an AWS Backup emulator on loopback, for any client
    Emulator(redrill_emulator::command::Arguments),
    /// Record vaults, recovery points and restore metadata in a file. Only reads
    Inventory(Inventory),
    /// Write a first plan from your recovery points, each key explained. Only reads
    ///
    /// Takes the latest recovery point of each resource.
    Init(InitArguments),
    /// Explain a resource type, a metadata key or a rule
    Explain(Explain),
    /// Print the JSON Schema of the plan file, or of a type's metadata
    Schema(SchemaArguments),
    /// List the runs known here
    Runs(Runs),
    /// Check the state, or copy runs to another
    #[command(subcommand)]
    State(StateCommand),
    /// Show which settings hold, and where each comes from
    Config(Config),
    /// Print shell completions
    Completions {
        /// The shell
        #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
        shell: String,
    },
    /// Print the manual page of redrill, or of a command
    Man {
        /// A command, such as `run`
        #[arg(value_name = "COMMAND")]
        command: Option<String>,
    },
    /// Print the licences of the libraries that redrill is built with
    Licenses,
    /// Explain a command, a key of the plan, a resource type or a rule
    Help {
        /// `run`, `objectives`, `EFS`, `plan/type`
        #[arg(value_name = "TOPIC", add = complete::topics())]
        topic: Vec<String>,
    },
}

/// Options that every command takes.
#[derive(Args, Debug)]
pub(super) struct DisplayOptions {
    /// Use colours
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Display"
    )]
    pub(super) color: When,
    /// Show progress as a bar, as lines, or as JSON lines for programs. `auto`: a bar on a terminal, lines elsewhere
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        help_heading = "Display"
    )]
    pub(super) progress: Progress,
    /// Show times in UTC instead of local time
    #[arg(long, global = true, help_heading = "Display")]
    pub(super) utc: bool,
    /// Print results only
    #[arg(short, long, global = true, help_heading = "Display")]
    pub(super) quiet: bool,
    /// Also print every job status change, and request ids of AWS
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
    Json,
    None,
}

/// Inputs that a plan is rendered with.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Inputs")]
pub(super) struct InputOptions {
    /// Set a variable of the plan; repeatable
    ///
    /// Overrides --var-file, which overrides `REDRILL_VAR_<NAME>`.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(super) vars: Vec<(String, String)>,
    /// Read variables from a YAML or JSON file; repeatable
    #[arg(long = "var-file", value_name = "FILE")]
    pub(super) var_files: Vec<PathBuf>,
    /// Name this execution of the plan. A new id restores everything again
    #[arg(long, value_name = "ID", default_value = "main", value_parser = run_id, add = complete::run_ids())]
    pub(super) run_id: RunId,
    /// Look up recovery points in this file instead of at AWS; repeatable
    #[arg(long, value_name = "FILE")]
    pub(super) inventory: Vec<PathBuf>,
    /// Ignore the lock file and look up recovery points again
    #[arg(long)]
    pub(super) no_lock: bool,
}

/// Selection of restores.
#[derive(Args, Clone, Debug)]
pub(super) struct OnlyOption {
    /// Only these restores, separated by commas
    #[arg(long, value_name = "NAME,…", num_args = 1.., value_delimiter = ',', add = complete::restores())]
    pub(super) only: Vec<String>,
}

/// Options for reaching AWS.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "AWS")]
pub(super) struct AwsOptions {
    /// Region; must be that of the plan's target
    #[arg(long)]
    pub(super) region: Option<String>,
    /// Profile in your AWS configuration
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Send all calls to this endpoint, such as an emulator's
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub(super) endpoint_url: Option<String>,
}

/// Options for reading AWS, without a plan that gives them.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "AWS")]
pub(super) struct ReadOptions {
    /// Profile in your AWS configuration
    #[arg(long)]
    pub(super) profile: Option<String>,
    /// Send all calls to this endpoint, such as an emulator's
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub(super) endpoint_url: Option<String>,
    /// Do not limit calls to AWS's published rates
    #[arg(long)]
    pub(super) no_rate_limit: bool,
}

/// Location of recorded runs.
#[derive(Args, Clone, Debug)]
pub(super) struct StateOption {
    /// Where runs are recorded: a directory, or a bucket that several machines share
    ///
    /// Unless given, the nearest .redrill from the plan's folder upward; a new one where there is none. Keep it.
    /// `redrill state check` says whether a bucket can be used.
    #[arg(
        long,
        value_name = "DIR|s3://BUCKET/PREFIX",
        default_value = ".redrill",
        help_heading = "State"
    )]
    pub(super) state: PathBuf,
    /// Profile in your AWS configuration for the bucket of --state, where it is not that of --profile
    #[arg(long, value_name = "PROFILE", help_heading = "State")]
    pub(super) state_profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Validate {
    /// Plans, or folders of plans
    #[arg(required = true, value_name = "PLAN", add = complete::plans())]
    pub(super) plans: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    /// Output format. `sarif`: SARIF 2.1.0. `github`: annotations on a pull request
    #[arg(long, default_value = "human", help_heading = "Output")]
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
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    /// Output format. `json`: one object a line. `cli-json`: for `aws backup start-restore-job --cli-input-json`
    #[arg(long, default_value = "json", help_heading = "Output")]
    pub(super) format: RenderFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RenderFormat {
    Json,
    CliJson,
}

#[derive(Args, Debug)]
pub(super) struct IamArguments {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// What the policies are for, separated by commas; the caller's is one for all of them
    #[arg(
        long = "for",
        value_name = "WHAT,…",
        value_delimiter = ',',
        default_value = "plan,run,status,cleanup,restore-role",
        help_heading = "Policies"
    )]
    pub(super) purposes: Vec<PolicyFor>,
    /// With `--for step-functions`: the state machine; one for each Region
    #[arg(
        long,
        value_name = "ARN",
        value_delimiter = ',',
        help_heading = "Policies"
    )]
    pub(super) state_machine: Vec<String>,
    /// With `--for state-machine`: the bucket of the export
    #[arg(long, value_name = "NAME", value_parser = exporting::bucket, help_heading = "Policies")]
    pub(super) bucket: Option<String>,
    /// The prefix of the export's keys in the bucket
    #[arg(
        long,
        value_name = "PREFIX",
        value_parser = exporting::prefix,
        requires = "bucket",
        help_heading = "Policies"
    )]
    pub(super) prefix: Option<String>,
    /// Output format
    #[arg(long, default_value = "json", help_heading = "Output")]
    pub(super) format: PolicyFormat,
}

/// Purpose of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyFor {
    /// `redrill plan`, `render` and `export`
    Plan,
    /// `redrill lock`
    Lock,
    /// `redrill run`
    Run,
    /// `redrill run --on step-functions`
    StepFunctions,
    /// `redrill status`
    Status,
    /// `redrill cleanup`
    Cleanup,
    /// `redrill preflight`, and `redrill run --preflight`
    Preflight,
    /// The script of a kit
    Kit,
    /// The roles that AWS Backup assumes to restore
    RestoreRole,
    /// The state machine of `redrill export step-functions`, and the roles that it assumes
    StateMachine,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PolicyFormat {
    /// Every policy as IAM takes it, with why for each statement
    Json,
    /// Policy documents and policies
    Terraform,
    /// A template with managed policies
    #[value(name = "cloudformation")]
    CloudFormation,
}

#[derive(Args, Clone, Debug)]
pub(super) struct DryRunArguments {
    /// Plan file, or a folder of plans
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Show what `run --retry-failed` would do
    #[arg(long, help_heading = "Comparison")]
    pub(super) retry_failed: bool,
    /// Compare with `source`, `run[:ID]`, `git:REV` or `file:PATH`
    ///
    /// `source`: what was backed up (the default where recovery points can be looked up). `run[:ID]`: what that run has
    /// sent. `git:REV`: this plan in that revision. `file:PATH`: another plan.
    #[arg(long, value_name = "BASE", value_parser = against, help_heading = "Comparison")]
    pub(super) against: Option<Against>,
    /// Also show what did not change
    #[arg(long, help_heading = "Comparison")]
    pub(super) full: bool,
    /// Save the plan: `redrill run FILE` then sends exactly these requests, or refuses
    #[arg(
        long,
        short,
        value_name = "FILE",
        alias = "out",
        help_heading = "Output"
    )]
    pub(super) output: Option<PathBuf>,
    /// Exit with 2 if something changed
    #[arg(long, help_heading = "Output")]
    pub(super) detailed_exitcode: bool,
    /// Output format. `markdown`: a comment on a pull request. `github`: annotations on a workflow run
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: DryRunFormat,
}

#[derive(Args, Debug)]
pub(super) struct PreflightArguments {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Check what `run --retry-failed` would start
    #[arg(long, help_heading = "Preflight")]
    pub(super) retry_failed: bool,
    /// Accept recovery points that were not scanned for malware
    #[arg(long, help_heading = "Preflight")]
    pub(super) allow_unscanned: bool,
    /// Output format. `markdown`: a comment on a pull request. `junit`: for CI systems
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: PreflightFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PreflightFormat {
    Human,
    Json,
    Markdown,
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRunFormat {
    Human,
    Json,
    Markdown,
    Github,
}

#[derive(Args, Debug)]
pub(super) struct LockArguments {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    /// Look up these restores again, or all of them. Without it, only those that are not locked yet
    #[arg(long, value_name = "NAME,…", num_args = 0.., value_delimiter = ',', add = complete::restores(), help_heading = "Lock file")]
    pub(super) update: Option<Vec<String>>,
}

/// Behaviour of a run; a rehearsal takes the same options, so that one word turns one command into the other.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Run")]
pub(super) struct RunOptions {
    /// Start without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Try failed restores and checks again
    #[arg(long)]
    pub(super) retry_failed: bool,
    /// Treat an existing job that made the same request as this restore's. =JOB: only that job; repeatable
    #[arg(
        long,
        value_name = "JOB",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        conflicts_with = "start_anyway"
    )]
    pub(super) adopt: Vec<String>,
    /// Start a restore even if another job already made the same request
    #[arg(long)]
    pub(super) start_anyway: bool,
    /// Allow every restore to write into resources that exist, as `into_existing: true` does
    #[arg(long)]
    pub(super) into_existing: bool,
    /// Take over the run from a stuck process, which is then locked out
    #[arg(long)]
    pub(super) take_over: bool,
    /// Run at most so many restores at once, or so many of a type: `--limit 20 --limit EKS=1`. The plan's own limits hold as
    /// well
    #[arg(long, value_name = "[TYPE=]COUNT", value_delimiter = ',', value_parser = limit)]
    pub(super) limit: Vec<AtMost>,
    /// Do not limit calls to AWS's published rates
    #[arg(long)]
    pub(super) no_rate_limit: bool,
}

/// Service that starts the restores of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    /// AWS Step Functions, with the machine of an export
    StepFunctions,
}

#[derive(Args, Clone, Debug)]
pub(super) struct RunArguments {
    /// Plan file, or a plan saved by `redrill plan -o`
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) aws: AwsOptions,
    #[command(flatten)]
    pub(super) state: StateOption,
    #[command(flatten)]
    pub(super) how: RunOptions,
    /// Let AWS Step Functions start the restores, and follow them from here: any machine may, and none has to
    #[arg(
        long,
        value_name = "ENGINE",
        requires = "state_machine",
        help_heading = "Run"
    )]
    pub(super) on: Option<On>,
    /// The state machine that `redrill export step-functions` made of this plan; one for each Region
    #[arg(
        long,
        value_name = "ARN",
        requires = "on",
        value_delimiter = ',',
        help_heading = "Run"
    )]
    pub(super) state_machine: Vec<String>,
    /// Same as `redrill plan`: show what would happen, and do nothing
    #[arg(long, help_heading = "Run")]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(super) before: BeforeRun,
    /// Wait while somebody else works on the run, and take over when they leave or fall silent
    #[arg(long, help_heading = "Run")]
    pub(super) standby: bool,
    /// With a bucket as --state: after how long without a sign of life another runner may take over
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = lease, help_heading = "Run")]
    pub(super) lease: jiff::SignedDuration,
    /// Run the plan's `cutover` steps once every restore and check has passed
    #[arg(long, help_heading = "Run")]
    pub(super) cutover: bool,
    #[command(flatten)]
    pub(super) after: AfterRun,
    #[command(flatten)]
    pub(super) report: ReportOptions,
}

/// Options of the checks before a run.
#[derive(Args, Clone, Debug)]
pub(super) struct BeforeRun {
    /// Check first what `redrill preflight` checks, and start nothing where something would fail
    #[arg(long, help_heading = "Run")]
    pub(super) preflight: bool,
    /// With --preflight: accept recovery points that were not scanned for malware
    #[arg(long, requires = "preflight", help_heading = "Run")]
    pub(super) allow_unscanned: bool,
}

/// Options of what follows the end of a run.
#[derive(Args, Clone, Debug)]
pub(super) struct AfterRun {
    /// Once the run has ended, write what it has proven into the ledger, as `redrill prove` does
    #[arg(long, help_heading = "Ledger")]
    pub(super) prove: bool,
    #[command(flatten)]
    pub(super) ledger: LedgerOption,
}

impl RunArguments {
    /// The arguments of `prove` that `run --prove` stands for.
    pub(super) fn proved(&self) -> ProveArguments {
        ProveArguments {
            plan: self.plan.clone(),
            inputs: self.inputs.clone(),
            state: self.state.clone(),
            ledger: self.after.ledger.clone(),
            signed: SignedEvidenceOptions::default(),
            format: HumanOrJson::Human,
        }
    }

    /// Returns what `run --dry-run` asks of `plan`.
    pub(super) fn dry(&self) -> DryRunArguments {
        DryRunArguments {
            plan: self.plan.clone(),
            inputs: self.inputs.clone(),
            only: self.only.clone(),
            aws: self.aws.clone(),
            state: self.state.clone(),
            retry_failed: self.how.retry_failed,
            against: None,
            full: false,
            output: None,
            detailed_exitcode: false,
            format: match self.report.format {
                HumanOrJson::Human => DryRunFormat::Human,
                HumanOrJson::Json => DryRunFormat::Json,
            },
        }
    }
}

/// Output about a run.
#[derive(Args, Clone, Debug)]
pub(super) struct ReportOptions {
    /// Write a report: html=FILE, markdown=FILE, junit=FILE or json=FILE; repeatable
    #[arg(long = "report", value_name = "FORMAT=FILE", value_parser = report, help_heading = "Output")]
    pub(super) reports: Vec<(crate::report::Format, PathBuf)>,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

/// Options of `run` about AWS and other runners: a rehearsal has no use for them.
#[derive(Args, Clone, Debug)]
pub(super) struct UnusedAws {
    #[arg(long, hide = true)]
    pub(super) standby: bool,
    #[arg(long, hide = true, value_parser = lease)]
    pub(super) lease: Option<jiff::SignedDuration>,
    #[arg(long, hide = true)]
    pub(super) state_profile: Option<String>,
    #[arg(long, hide = true)]
    pub(super) region: Option<String>,
    #[arg(long, hide = true)]
    pub(super) profile: Option<String>,
    #[arg(long, hide = true, value_parser = endpoint_url)]
    pub(super) endpoint_url: Option<String>,
    #[arg(long, hide = true)]
    pub(super) prove: bool,
    #[arg(long, hide = true)]
    pub(super) ledger: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Rehearse {
    /// Plan file
    #[arg(value_name = "PLAN", add = complete::plans())]
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) inputs: InputOptions,
    #[command(flatten)]
    pub(super) only: OnlyOption,
    #[command(flatten)]
    pub(super) unused: UnusedAws,
    /// Keep the rehearsal in this directory, so that the same command continues it; without it, nothing is kept
    ///
    /// The journal of the run is kept, and what the emulator knows: its jobs, its tokens and its time.
    #[arg(long, value_name = "DIR", help_heading = "State")]
    pub(super) state: Option<PathBuf>,
    #[command(flatten)]
    pub(super) how: RunOptions,
    #[command(flatten)]
    pub(super) report: ReportOptions,
    /// Also run the plan's `cutover` steps. Careful: what they do is real
    #[arg(long, help_heading = "Run")]
    pub(super) cutover: bool,
    /// How many times faster than real time. `max`: skip from event to event
    #[arg(
        long,
        value_name = "N|max",
        default_value = "max",
        help_heading = "Rehearsal"
    )]
    pub(super) speed: redrill_emulator::Speed,
    #[command(flatten)]
    pub(super) trouble: redrill_emulator::command::Trouble,
}

/// The time that a lease lasts.
/// `20` or `EKS=1`.
fn limit(text: &str) -> Result<AtMost, String> {
    let (resource_type, count) = match text.split_once('=') {
        Some((resource_type, count)) => (Some(resource_type), count),
        None => (None, text),
    };
    if let Some(name) = resource_type.filter(|name| Facts::of(name).is_none()) {
        let meant = did_you_mean(name, Facts::types());
        let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
        return Err(format!("`{name}` is not a resource type{meant}"));
    }
    match count.parse() {
        Ok(restores) if restores > 0 => Ok(AtMost {
            resource_type: resource_type.map(str::to_owned),
            restores,
        }),
        _ => Err("write a count from 1 on, or a type and a count: TYPE=1".to_owned()),
    }
}

fn lease(text: &str) -> Result<jiff::SignedDuration, String> {
    let lease: jiff::SignedDuration = text
        .parse()
        .map_err(|_| "write a time, such as 60s or 2m".to_owned())?;
    match (1..=3600).contains(&lease.as_secs()) {
        true => Ok(lease),
        false => Err("a lease lasts from 1s to 1h".to_owned()),
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum StateCommand {
    /// Say whether a state can be used, and whether every run in it can be read
    ///
    /// Of a bucket it tries whether conditional writes hold, which is what keeps two runners from working on one run, and
    /// says whether versioning, encryption and the block of public access are on, as far as it may look.
    Check(StateCheck),
    /// Copy runs from one state to another, verified
    ///
    /// What the other side has already is left alone. A run that somebody works on is refused.
    Copy(StateCopy),
}

#[derive(Args, Debug)]
pub(super) struct StateCheck {
    /// The state. Default: as for every command
    #[arg(value_name = "DIR|s3://BUCKET/PREFIX")]
    pub(super) place: Option<PathBuf>,
    #[command(flatten)]
    pub(super) state: StateOption,
}

#[derive(Args, Debug)]
pub(super) struct StateCopy {
    /// Where the runs are
    #[arg(value_name = "FROM")]
    pub(super) from: PathBuf,
    /// Where they are copied to
    #[arg(value_name = "TO")]
    pub(super) to: PathBuf,
    /// Only the runs of this plan, by its file or its name
    #[arg(value_name = "PLAN")]
    pub(super) plan: Option<PathBuf>,
    /// Only this run
    #[arg(long, value_name = "ID", value_parser = any_run_id)]
    pub(super) run_id: Option<RunId>,
    /// Profile for the bucket to read
    #[arg(long, value_name = "PROFILE")]
    pub(super) from_profile: Option<String>,
    /// Profile for the bucket to write
    #[arg(long, value_name = "PROFILE")]
    pub(super) to_profile: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Explain {
    /// `EFS`, `EFS.KmsKeyId`, `plan/type`
    #[arg(value_name = "TYPE[.KEY]|RULE", required_unless_present = "all", add = complete::topics())]
    pub(super) topic: Option<String>,
    /// Every page of the documentation, as Markdown: for where there is no network
    #[arg(long, conflicts_with = "topic")]
    pub(super) all: bool,
}

#[derive(Args, Debug)]
pub(super) struct SchemaArguments {
    /// `plan`, or a type such as `EFS`
    #[arg(value_name = "plan|TYPE", default_value = "plan", add = complete::schemas())]
    pub(super) of: String,
}

#[derive(Args, Debug)]
pub(super) struct Runs {
    #[command(flatten)]
    pub(super) state: StateOption,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

#[derive(Args, Debug)]
pub(super) struct Config {
    /// Plan file: settings are looked for from its folder upward
    #[arg(value_name = "PLAN")]
    pub(super) plan: Option<PathBuf>,
    /// Also list every flag that can be set
    #[arg(long)]
    pub(super) all: bool,
    /// Output format
    #[arg(long, default_value = "human", help_heading = "Output")]
    pub(super) format: HumanOrJson,
}

/// A URL as the SDK wants it: with a scheme and a host.
pub(super) fn endpoint_url(text: &str) -> Result<String, String> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(match text.is_empty() {
            true => "it is empty; leave it out to use AWS".to_owned(),
            false => format!("it has no scheme; write http://{text}, or https://{text}"),
        });
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" if !host.is_empty() && !host.contains(char::is_whitespace) => {
            Ok(text.to_owned())
        }
        "http" | "https" => Err("it names no host".to_owned()),
        other => Err(format!("`{other}://` is not http:// or https://")),
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write it as NAME=VALUE".to_owned())
}

/// A run that is there, whatever it is called.
fn any_run_id(text: &str) -> Result<RunId, Infallible> {
    Ok(RunId::new(text))
}

pub(super) fn run_id(text: &str) -> Result<RunId, String> {
    let ok = !text.is_empty()
        && text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if ok {
        Ok(RunId::new(text))
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
