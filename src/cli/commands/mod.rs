//! One file a command; what they share is here.

mod adopting;
mod base;
mod before;
mod begun_elsewhere;
mod cleanup;
mod clients;
mod conclude;
mod config;
mod conflicts;
mod consent;
mod coverage;
mod deletions;
mod emulator;
mod endpoint;
mod everywhere;
mod evidence;
mod explain;
mod export;
mod forecast;
mod forecast_line;
mod help;
mod iam;
mod init;
mod inventory;
mod lock;
mod on_step_functions;
mod origin;
mod pages;
mod plan;
mod plan_files;
mod preflight;
mod previewed;
mod programs;
mod prove;
mod question;
mod reading;
mod rehearse;
mod render;
mod report;
mod resume_hint;
mod run;
mod saved;
mod schema;
mod screen;
mod signing;
mod state;
mod status;
mod still_there;
mod store;
mod turn;
mod unanswered;
mod validate;
mod world;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::runtime::{Builder, Runtime};

use super::arguments::{
    AwsOptions, DisplayOptions, InputOptions, Progress, RedrillCommand, StateCommand, endpoint_url,
};
use super::environment::Environment;
use super::exit::{Exit, Failure};
use super::exporting::ExportCommand;
use super::files;
use super::forecasting::HistoryCommand;
use super::output::Output;
use super::settings::Settings;
use super::tree::Tree;
use crate::aws::ConnectionSettings;
use crate::backup::{CallerIdentity, Reader, Tell};
use crate::diagnostic::{Finding, Findings, LocalTime};
use crate::inventory::RecordedInventory;
use crate::journal::{RunKey, RunStore as _};
use crate::parse::given;
use crate::plan::{Plan, Planner};
use crate::render::{Inputs, Known, Missing, Target};
use crate::rules::Rules;
use crate::session::{self, Loaded, Lookups, Settled};
use crate::terminal::{Counter, Speaker, Style};
use store::Store;
use world::View;

/// The texts of the licences of what is linked in; a test makes them.
const LICENCES: &str = include_str!("../../../THIRD-PARTY-LICENSES.txt");

/// Context that every command is handed.
pub(super) struct Context<'a> {
    display: &'a DisplayOptions,
    environment: &'a Environment,
    output: &'a mut Output,
    /// Compiled when they are first asked, and once.
    rules: Arc<Rules>,
    /// Whoever says something while a run goes on.
    speaker: Speaker,
    /// Notes on an inventory that were shown, as each is shown once.
    told: BTreeSet<String>,
}

pub(super) fn run(
    command: RedrillCommand,
    display: &DisplayOptions,
    environment: &Environment,
    settings: &Settings,
    output: &mut Output,
) -> Result<Exit, Failure> {
    let mut context = Context {
        display,
        environment,
        output,
        rules: Arc::new(Rules::embedded()),
        speaker: Speaker::default(),
        told: BTreeSet::new(),
    };
    context.speaker = Speaker::new(context.style());
    match command {
        RedrillCommand::Validate(arguments) => {
            runtime()?.block_on(validate::validate(&arguments, &mut context))
        }
        RedrillCommand::Render(arguments) => {
            runtime()?.block_on(render::render(&arguments, &mut context))
        }
        RedrillCommand::Iam(arguments) => runtime()?.block_on(iam::iam(&arguments, &mut context)),
        RedrillCommand::Plan(arguments) => {
            runtime()?.block_on(plan::plan(&arguments, &mut context))
        }
        RedrillCommand::Preflight(arguments) => {
            runtime()?.block_on(preflight::preflight(&arguments, &mut context))
        }
        RedrillCommand::Forecast(arguments) => {
            runtime()?.block_on(forecast::run(&arguments, &mut context))
        }
        RedrillCommand::History(HistoryCommand::Export(arguments)) => {
            runtime()?.block_on(forecast::export(&arguments, &mut context))
        }
        RedrillCommand::Lock(arguments) => {
            runtime()?.block_on(lock::lock(&arguments, &mut context))
        }
        RedrillCommand::Run(arguments) => runtime()?.block_on(run::run(&arguments, &mut context)),
        RedrillCommand::Status(arguments) => {
            runtime()?.block_on(status::status(&arguments, &mut context))
        }
        RedrillCommand::Report(arguments) => {
            runtime()?.block_on(report::report(&arguments, &mut context))
        }
        RedrillCommand::Cleanup(arguments) => {
            runtime()?.block_on(cleanup::cleanup(&arguments, &mut context))
        }
        RedrillCommand::Evidence(arguments) => {
            runtime()?.block_on(evidence::evidence(&arguments, &mut context))
        }
        RedrillCommand::Rehearse(arguments) => {
            server()?.block_on(rehearse::rehearse(&arguments, &mut context))
        }
        RedrillCommand::Emulator(arguments) => {
            server()?.block_on(emulator::emulator(&arguments, &mut context))
        }
        RedrillCommand::Inventory(arguments) => {
            runtime()?.block_on(inventory::inventory(&arguments, &mut context))
        }
        RedrillCommand::Init(arguments) if arguments.example => {
            init::example(&arguments, &mut context)
        }
        RedrillCommand::Init(arguments) => {
            runtime()?.block_on(init::init(&arguments, &mut context))
        }
        RedrillCommand::Coverage(arguments) => {
            runtime()?.block_on(coverage::coverage(&arguments, &mut context))
        }
        RedrillCommand::Prove(arguments) => {
            runtime()?.block_on(prove::prove(&arguments, &mut context))
        }
        RedrillCommand::Export(ExportCommand::Kit(arguments)) => {
            runtime()?.block_on(export::kit(&arguments, &mut context))
        }
        RedrillCommand::Export(ExportCommand::StepFunctions(arguments)) => {
            runtime()?.block_on(export::step_functions(&arguments, &mut context))
        }
        RedrillCommand::Explain(arguments) => explain::explain(&arguments, &mut context),
        RedrillCommand::Schema(arguments) => schema::schema(&arguments, &mut context),
        RedrillCommand::Runs(arguments) => {
            runtime()?.block_on(status::runs(&arguments, &mut context))
        }
        RedrillCommand::State(StateCommand::Check(arguments)) => {
            runtime()?.block_on(state::check(&arguments, &mut context))
        }
        RedrillCommand::State(StateCommand::Copy(arguments)) => {
            runtime()?.block_on(state::copy(&arguments, &mut context))
        }
        RedrillCommand::Config(arguments) => config::config(&arguments, settings, &mut context),
        RedrillCommand::Help { topic } => help::help(&topic, &mut context),
        RedrillCommand::Completions { shell } => {
            let script = super::complete::script(&shell)?;
            context.output.exact(&String::from_utf8_lossy(&script))?;
            Ok(Exit::Done)
        }
        RedrillCommand::Licenses => {
            context.output.result(LICENCES)?;
            Ok(Exit::Done)
        }
        RedrillCommand::Man { command } => {
            let page = super::manual::page(&super::command(), command.as_deref())
                .map_err(|err| Failure::Usage(err.to_string()))?;
            context.output.exact(&String::from_utf8_lossy(&page))?;
            Ok(Exit::Done)
        }
    }
}

/// Builds the runtime that waits for AWS: one thread decides and two send, as the SDK's work on a call is three times
/// ours. Each further thread, up to one per core, would keep memory of its own.
fn runtime() -> Result<Runtime, Failure> {
    built(Builder::new_multi_thread().worker_threads(2))
}

/// Builds the runtime that also serves, on every core.
fn server() -> Result<Runtime, Failure> {
    built(&mut Builder::new_multi_thread())
}

fn built(builder: &mut Builder) -> Result<Runtime, Failure> {
    let runtime = builder.enable_all().build();
    runtime.map_err(|err| Failure::System(format!("no runtime: {err}")))
}

impl Context<'_> {
    /// Returns the style in which progress is shown.
    fn style(&self) -> Style {
        match self.display.progress {
            _ if self.display.quiet => Style::None,
            Progress::None => Style::None,
            Progress::Bar => Style::Bar,
            Progress::Lines => Style::Lines,
            Progress::Json => Style::Json,
            Progress::Auto if Output::is_terminal() && !self.environment.terminal.is_lines => {
                Style::Bar
            }
            Progress::Auto => Style::Lines,
        }
    }

    /// Whoever says that something takes longer than it should; nobody with `-q`.
    fn tell(&self) -> Option<Tell> {
        let speaker = self.speaker.clone();
        let tell = move |text: &str| speaker.say(text);
        (!self.display.quiet).then(|| Arc::new(tell) as Tell)
    }

    /// Times as they are shown to people.
    fn clock(&self) -> LocalTime {
        LocalTime::new(match self.display.utc {
            true => TimeZone::UTC,
            false => TimeZone::system(),
        })
    }

    /// Progress of what is counted.
    fn counter(&self, what: &'static str) -> Counter {
        Counter::new(self.style(), what)
    }

    /// The variables that are given; a file that a revision did not have gives none.
    fn inputs(&self, tree: Tree<'_>, options: &InputOptions) -> Result<Inputs, Failure> {
        let mut findings = Findings::default();
        let mut inputs = Inputs {
            environment: self.environment.vars.clone(),
            command_line: options.vars.clone(),
            own_credentials: self.environment.credentials.clone(),
            ..Inputs::default()
        };
        for path in &options.var_files {
            if let Some(source) = tree.source(path)?
                && let Some(values) = given(&source, &mut findings)
            {
                inputs.files.push((source, values));
            }
        }
        refuse(findings)?;
        Ok(inputs)
    }

    /// Reads a plan; its errors end the command.
    fn load(&mut self, path: &Path, options: &InputOptions) -> Result<Loaded, Failure> {
        self.loaded(path, options, false)
    }

    /// The same without its secrets, for what is kept where others read it.
    fn load_without_secrets(
        &mut self,
        path: &Path,
        options: &InputOptions,
    ) -> Result<Loaded, Failure> {
        self.loaded(path, options, true)
    }

    fn loaded(
        &mut self,
        path: &Path,
        options: &InputOptions,
        withholds_secrets: bool,
    ) -> Result<Loaded, Failure> {
        let source = files::plan(path)?;
        let mut inputs = self.inputs(Tree::Working, options)?;
        inputs.missing = Missing::Refused;
        inputs.withholds_secrets = withholds_secrets;
        let loaded = session::read(&source, &options.run_id, &inputs, &self.rules)?;
        self.output.hide(loaded.planner.secrets());
        Ok(loaded)
    }

    /// Settles a plan by what is at hand; warnings are shown, errors end the command.
    async fn settled(
        &mut self,
        loaded: &Loaded,
        known: &mut Known,
        lookups: &Lookups<'_, View<'_>>,
    ) -> Result<Plan, Failure> {
        let settled = loaded.settle(known, lookups, self.output).await;
        let (plan, findings) = self.drafted(settled.map_err(Failure::Aws)?, loaded)?;
        self.show(loaded, findings);
        Ok(plan)
    }

    /// The plan, and what was found on the way; errors end the command.
    fn drafted(&self, settled: Settled, loaded: &Loaded) -> Result<(Plan, Findings), Failure> {
        settled
            .into_plan()
            .map_err(|findings| Failure::Findings(self.shown(loaded, findings)))
    }

    /// Shows findings that are no errors, beside the result.
    fn show(&mut self, loaded: &Loaded, findings: Findings) {
        if !findings.is_empty() {
            let findings = self.shown(loaded, findings);
            self.output.findings(&findings);
        }
    }

    /// Findings in order, without secrets.
    fn shown(&self, loaded: &Loaded, findings: Findings) -> Vec<Finding> {
        let mut findings = findings.into_sorted();
        redact(&loaded.planner, &mut findings);
        findings
    }

    /// Returns the AWS settings of each target.
    fn all_settings(
        &self,
        options: &AwsOptions,
        targets: &[Target],
    ) -> Result<Vec<ConnectionSettings>, Failure> {
        targets
            .iter()
            .map(|target| self.settings(options, target))
            .collect()
    }

    /// Refuses endpoints in the environment that are not URLs, which the SDK would not say. AWS_ENDPOINT_URL without a value is
    /// not set.
    fn check_endpoints(&self) -> Result<(), Failure> {
        for (name, url) in &self.environment.endpoints {
            if url.is_empty() && *name == "AWS_ENDPOINT_URL" {
                continue;
            }
            if let Err(why) = endpoint_url(url) {
                return Err(Failure::Usage(match url.is_empty() {
                    true => format!("{name} is set to nothing: unset it, or give it a URL"),
                    false => format!("{name} is `{url}`: {why}"),
                }));
            }
        }
        Ok(())
    }

    /// Refuses AWS_PROFILE without a value: the SDK would look for a profile of no name.
    fn check_profile(&self, profile: Option<&str>) -> Result<(), Failure> {
        match self.environment.has_empty_profile && profile.is_none() {
            true => Err(Failure::Usage(
                "AWS_PROFILE is set to nothing: unset it, or give it the name of a profile"
                    .to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Refuses a Region without a value, where no other is given.
    fn check_region_set(&self) -> Result<(), Failure> {
        match self.environment.empty_region {
            Some(name) => Err(Failure::Usage(format!(
                "{name} is set to nothing: unset it, or give it a Region, such as us-west-2"
            ))),
            None => Ok(()),
        }
    }

    /// Returns a target's AWS settings; made-up credentials for an emulator on this machine if there are no others.
    fn settings(
        &self,
        options: &AwsOptions,
        target: &Target,
    ) -> Result<ConnectionSettings, Failure> {
        if let Some(region) = &options.region {
            check_region(region, target)?;
        }
        if options.endpoint_url.is_none() {
            self.check_endpoints()?;
        }
        self.check_profile(options.profile.as_deref())?;
        let local = options.endpoint_url.as_deref().is_some_and(is_loopback);
        Ok(ConnectionSettings {
            account: target.account.clone(),
            region: target.region.clone(),
            // An emulator takes the account's own name for its credentials.
            assume_role_arn: target.assume_role_arn.clone(),
            profile: options.profile.clone(),
            endpoint_url: options.endpoint_url.clone(),
            empty_endpoint: self.environment.has_empty_endpoint(),
            without_credentials: local
                && options.profile.is_none()
                && !self.environment.names_credentials,
        })
    }

    /// The inventory that was given, as a caller of each target sees it.
    fn inventory(
        &mut self,
        options: &InputOptions,
        targets: &[Target],
    ) -> Result<Option<Vec<RecordedInventory>>, Failure> {
        let Some(inventory) = emulator::inventory(&options.inventory)? else {
            return Ok(None);
        };
        let recorded = RecordedInventory::new(inventory);
        let views = targets
            .iter()
            .map(|target| recorded.clone().seen_from(&target.account, &target.region));
        let views: Vec<RecordedInventory> = views.collect();
        for view in &views {
            if let Some(lacks) = view.lacks_target()
                && self.told.insert(lacks.clone())
            {
                self.output.note(&format!(
                    "note: {lacks}: only recovery points that a plan names by ARN are looked up in it"
                ));
            }
        }
        Ok(Some(views))
    }
}

/// Refuses a Region that is not the target's.
fn check_region(region: &str, target: &Target) -> Result<(), Failure> {
    if *region == target.region {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--region says {region}, and the plan's target is {}: \
         write `region: \"{{{{ vars.region }}}}\"` in the plan to choose it with --var",
        target.region
    )))
}

fn is_loopback(url: &str) -> bool {
    let host = url
        .split_once("://")
        .map_or(url, |(_, rest)| rest)
        .split(['/', '?', '#'])
        .next()
        .unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// The first of many lines, each behind an indent, and how many more there are.
fn listed(lines: &[String], most: usize, indent: &str) -> Vec<String> {
    let first = lines.iter().take(most);
    let mut listed: Vec<String> = first.map(|line| format!("{indent}{line}")).collect();
    if lines.len() > most {
        listed.push(format!("{indent}and {} more", lines.len() - most));
    }
    listed
}

/// Takes the secrets of a plan out of what is said of it.
fn redact<'f>(planner: &Planner, findings: impl IntoIterator<Item = &'f mut Finding>) {
    for finding in findings {
        planner.secrets().redact_sentence(&mut finding.message);
        planner.secrets().redact_sentence(&mut finding.help);
        for place in &mut finding.also {
            planner.secrets().redact_sentence(&mut place.label);
        }
    }
}

/// Ends the command where there are errors.
fn refuse(findings: Findings) -> Result<(), Failure> {
    if findings.has_errors() {
        return Err(Failure::Findings(findings.into_sorted()));
    }
    Ok(())
}

/// The name in a plan file, whatever else is wrong with it.
fn plan_name(path: &Path) -> Result<String, Failure> {
    let source = files::source(path)?;
    let mut findings = Findings::default();
    match crate::parse::document(&source, &mut findings) {
        Some(document) if !document.plan.value.is_empty() => Ok(document.plan.value),
        _ => Err(Failure::Findings(findings.into_sorted())),
    }
}

/// There is no journal of a run.
async fn no_such_run(store: &Store, run: &RunKey) -> Failure {
    match store.runs().await {
        Ok(runs) => not_among(&runs, store, run),
        Err(error) => error.into(),
    }
}

/// A run is none of those that are known.
fn not_among(runs: &[RunKey], store: &Store, run: &RunKey) -> Failure {
    let known: Vec<&str> = runs
        .iter()
        .filter(|of| of.plan == run.plan)
        .map(|of| of.run.as_str())
        .collect();
    Failure::Usage(format!(
        "{} has no run `{}` of {}; {}",
        store.place(),
        run.run,
        run.plan,
        crate::diagnostic::suggest(run.run.as_str(), known),
    ))
}

/// The names that `--only` means.
fn chosen(planner: &Planner, only: &[String]) -> Result<Vec<String>, Failure> {
    session::chosen(planner, only).map_err(|(name, known)| unknown("--only", &name, &known))
}

/// A name that an option gives and the plan does not have.
fn unknown(option: &str, name: &str, known: &str) -> Failure {
    Failure::Usage(format!(
        "{option} names `{name}`, and the plan has no such restore; {known}"
    ))
}

/// Returns the ARNs of the callers, whose accounts have to be the targets' before anything is written.
async fn callers(aws: &[Arc<clients::Client>], targets: &[Target]) -> Result<Vec<String>, Failure> {
    let mut callers = Vec::new();
    for (aws, target) in aws.iter().zip(targets) {
        let caller = check_account(&**aws, target).await?;
        if !callers.contains(&caller) {
            callers.push(caller);
        }
    }
    Ok(callers)
}

/// Returns the ARN of the caller, whose account has to be the plan's before anything is written.
async fn check_account<R: Reader>(reader: &R, target: &Target) -> Result<String, Failure> {
    let CallerIdentity { account, arn } = reader.caller().await.map_err(Failure::Aws)?;
    if account == target.account {
        return Ok(arn);
    }
    Err(Failure::Account(format!(
        "the credentials belong to account {account}, and the plan's target is {}",
        target.account
    )))
}
