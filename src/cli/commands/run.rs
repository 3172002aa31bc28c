//! `redrill run PLAN`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::before::{Before, Recorder, older_than_listings, owner};
use super::clients::{Client, connected, pace};
use super::conclude::{RunEnd, conclude};
use super::conflicts::{check_opened, conflict, refuse_cleaned_up, refuse_conflicts};
use super::consent::Consent;
use super::on_step_functions::Machines;
use super::preflight::PreflightLook;
use super::resume_hint::{CommandPlace, ON, ResumeHint, STATE_MACHINE, quoted, typed_again};
use super::saved::SavedPlan;
use super::screen::initial;
use super::store::Store;
use super::world::World;
use super::{
    Context, adopting, chosen, endpoint, forecast_line, lock, on_step_functions, programs, prove,
    saved, still_there, turn, unanswered,
};
use crate::backup::{Clock, Endpoint, Gate, SystemClock};
use crate::cli::arguments::{On, ReportOptions, RunArguments, RunOptions};
use crate::cli::confirm::can_ask;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::SAYS_AFTER;
use crate::cli::signals::Signals;
use crate::cli::writing::check_reports;
use crate::diff::Wanted;
use crate::execute::{DuplicatePolicy, Ended, Policy, Stopped, lower};
use crate::export::Subject;
use crate::ids::{JobId, RunId};
use crate::journal::{self, Fence, Journal, LEASE, Owner, RunKey, RunStore as _};
use crate::plan::Plan;
use crate::preflight::PreflightOptions;
use crate::process::Processes;
use crate::render::Lock;
use crate::report::{self, minute};
use crate::session::{self, Loaded, Lookups, NotOpened, Opened, Opening, Outcome, Preview, Works};
use crate::state::{History, JournalError, Outline, Recorded, due_after};
use crate::terminal::{InitialState, Screen, Style};

/// Runs a plan; with `--standby`, whenever nobody else works on the run, until it has ended.
pub(super) async fn run(typed: &RunArguments, context: &mut Context<'_>) -> Result<Exit, Failure> {
    loop {
        match once(typed, context).await {
            // Somebody else has ended it meanwhile.
            Err(Failure::Again) => {}
            // Somebody else was faster: it is waited for again.
            Err(
                Failure::Journal(journal::Error::Held { .. })
                | Failure::Stopped(Stopped::Journal(JournalError::TakenOver)),
            ) if typed.standby => {}
            Err(Failure::Journal(journal::Error::Held { owner })) => {
                let since = minute(owner.since);
                return Err(Failure::Held {
                    message: format!("{owner} holds this run since {since}"),
                    status: status_command(typed, context),
                });
            }
            Err(Failure::Stopped(Stopped::Journal(JournalError::TakenOver))) => {
                let by = match successor(typed, context).await {
                    Some(owner) => format!(": {owner}, since {}", minute(owner.since)),
                    None => String::new(),
                };
                return Err(Failure::TakenOver {
                    message: format!("another runner has taken this run over{by}"),
                    status: status_command(typed, context),
                });
            }
            ended => return proved(typed, ended, context).await,
        }
    }
}

/// With `--prove`, writes what the run has proven once it has ended. Its exit code stays: what it has come to is more.
async fn proved(
    typed: &RunArguments,
    ended: Result<Exit, Failure>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let exit = ended?;
    let is_over = matches!(exit, Exit::Done | Exit::Failed | Exit::ObjectiveMissed);
    if !typed.after.prove || typed.dry_run || !is_over {
        return Ok(exit);
    }
    let proven = prove_after(typed, context).await;
    match (exit, proven) {
        (_, Ok(())) => Ok(exit),
        (Exit::Done, Err(failure)) => Err(failure),
        (_, Err(failure)) => {
            let note = format!("the ledger was not written: {failure}");
            context.output.note(&note);
            Ok(exit)
        }
    }
}

async fn prove_after(typed: &RunArguments, context: &mut Context<'_>) -> Result<(), Failure> {
    // A saved plan names the plan that it was made of.
    let arguments = match saved::open(&typed.plan, context)? {
        Some(saved) => saved::command(&saved, typed)?.proved(),
        None => typed.proved(),
    };
    prove::after_run(&arguments, context).await
}

/// Returns the command that shows how far a run is, to be pasted.
fn status_command(typed: &RunArguments, context: &Context<'_>) -> String {
    let place = CommandPlace::of(context).words;
    let run = match typed.inputs.run_id.as_str() {
        "main" => String::new(),
        run => format!(" --run-id {run}"),
    };
    let plan = quoted(&typed.plan.to_string_lossy());
    format!("redrill status {plan}{run}{place}")
}

/// Returns the owner that holds the run by now.
async fn successor(typed: &RunArguments, context: &Context<'_>) -> Option<Owner> {
    let plan = super::plan_name(&typed.plan).ok()?;
    let store = context.store(&typed.state).await.ok()?;
    let run = RunKey::new(&plan, &typed.inputs.run_id);
    store.holder(&run).await.ok()?
}

async fn once(typed: &RunArguments, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let saved = saved::open(&typed.plan, context)?;
    let arguments = &match &saved {
        Some(saved) => {
            context.check_files(saved)?;
            saved::command(saved, typed)?
        }
        None => typed.clone(),
    };
    if arguments.dry_run {
        return super::plan::one(&arguments.dry(), context).await;
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    if let Some(saved) = &saved {
        saved::check_variables(saved, &loaded.planner)?;
    }
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    // Errors that do not depend on AWS are reported before AWS is asked.
    super::refuse(loaded.findings.clone())?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let settings = context.all_settings(&arguments.aws, targets)?;
    let pace = pace(&settings, arguments.how.no_rate_limit);
    let aws = connected(&settings, &pace).await?;
    let store = context
        .store_at(
            &arguments.state.state,
            arguments.state.state_profile.as_deref(),
            lease_of(arguments),
        )
        .await?;
    if let Store::Bucket(of) = &store {
        super::state::probed(of.objects()).await?;
    }
    let key = RunKey::new(
        &loaded.planner.document().plan.value,
        &arguments.inputs.run_id,
    );
    let myself = owner(context, SystemClock.now());
    match arguments.standby {
        true => turn::stand_by(&store, &key, &myself, context).await?,
        false => turn::wait_out(&store, &key, &myself, arguments.how.take_over, context).await?,
    }
    let machines = match arguments.on {
        Some(On::StepFunctions) => {
            check_on(arguments)?;
            let profile = arguments.aws.profile.as_deref();
            on_step_functions::check_places(&arguments.state_machine, loaded.planner.targets())?;
            Some(Machines::connect(&arguments.state_machine, profile, &key, context).await?)
        }
        None => None,
    };
    let execution = EngineRun {
        file: &arguments.plan,
        run_id: &arguments.inputs.run_id,
        // Leftovers of others in the store are no reason not to start.
        runs: store.runs().await.unwrap_or_default(),
        store,
        wanted: Wanted {
            only: chosen(&loaded.planner, &arguments.only.only)?,
            retry_failed: arguments.how.retry_failed,
            up_to: None,
        },
        report: &arguments.report,
        confirmed: arguments.how.yes,
        take_over: arguments.how.take_over,
        policy: Policy {
            cutover: arguments.cutover,
            says_after: Some(SAYS_AFTER),
            ..policy(&arguments.how)
        },
        environment: programs::environment(&arguments.aws),
        rehearsal: false,
        reached: Reached {
            endpoint: super::endpoint::of_all(&aws).await?,
            profile: (arguments.aws.profile.clone())
                .or_else(|| context.environment.profile.clone()),
            has_inventory: !arguments.inputs.inventory.is_empty(),
            preflight: arguments.before.preflight.then_some(PreflightOptions {
                allow_unscanned: arguments.before.allow_unscanned,
            }),
            machines,
        },
        hints: Hints {
            again: ResumeHint::of(context, &loaded.planner),
            once_ended: (arguments.on.is_some())
                .then(|| ResumeHint::without(&[ON, STATE_MACHINE], context, &loaded.planner)),
            new_run: ResumeHint::anew(context, &loaded.planner),
            options: recorded(arguments, saved.is_some(), &loaded),
        },
        saved: saved.as_ref(),
        lock: PlanLock {
            lock,
            is_checked: true,
        },
    };
    if let Some(saved) = &saved {
        saved::check_endpoint(saved, &execution.reached.endpoint)?;
    }
    let world = match inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Aws(aws.clone()),
    };
    execute(&mut loaded, &world, &aws, &SystemClock, execution, context).await
}

/// The options that say what the plan means, and who starts its restores, for the journal.
fn recorded(arguments: &RunArguments, is_saved: bool, loaded: &Loaded) -> Vec<String> {
    let profile = arguments.aws.profile.as_deref();
    let mut words = match is_saved {
        // The options are in the file.
        true => Vec::new(),
        false => typed_again(&arguments.inputs, profile, &loaded.planner),
    };
    if arguments.on.is_some() {
        let machines = arguments.state_machine.iter();
        let machines = machines.flat_map(|arn| [STATE_MACHINE, arn]);
        let on = [ON, "step-functions"].into_iter().chain(machines);
        words.extend(on.map(str::to_owned));
    }
    words
}

/// A machine starts every restore of the plan, each for the first time. The command line refuses other wishes by itself, but not
/// those of a file or of the environment.
fn check_on(arguments: &RunArguments) -> Result<(), Failure> {
    let how = &arguments.how;
    let other = match () {
        () if arguments.state_machine.is_empty() => {
            return Err(Failure::Usage(
                "--on step-functions needs --state-machine ARN".to_owned(),
            ));
        }
        () if !arguments.only.only.is_empty() => "--only",
        () if how.retry_failed => "--retry-failed",
        () if !how.adopt.is_empty() => "--adopt",
        () if how.start_anyway => "--start-anyway",
        () => return Ok(()),
    };
    Err(Failure::Usage(format!(
        "{other} cannot be used with --on step-functions: the machine starts every restore, each for the first time"
    )))
}

/// Returns the policy that the options of a run decide.
pub(super) fn policy(how: &RunOptions) -> Policy {
    Policy {
        no_rate_limit: how.no_rate_limit,
        duplicates: match (!how.adopt.is_empty(), how.start_anyway) {
            (true, _) => DuplicatePolicy::Adopt,
            (_, true) => DuplicatePolicy::StartAnyway,
            _ => DuplicatePolicy::Ask,
        },
        chosen: (how.adopt.iter())
            .filter(|job| !job.is_empty())
            .map(|job| JobId::new(job.as_str()))
            .collect(),
        retry_failed: how.retry_failed,
        into_existing: how.into_existing,
        at_most: how.limit.clone(),
        ..Policy::default()
    }
}

/// After how long without a sign of life another runner may take this run over.
fn lease_of(arguments: &RunArguments) -> Duration {
    Duration::try_from(arguments.lease).unwrap_or(LEASE)
}

/// One run of the engine, whatever it works against.
pub(super) struct EngineRun<'a> {
    pub(super) file: &'a Path,
    pub(super) run_id: &'a RunId,
    pub(super) store: Store,
    /// Runs that were there when this one began.
    pub(super) runs: Vec<RunKey>,
    pub(super) wanted: Wanted,
    pub(super) report: &'a ReportOptions,
    pub(super) confirmed: bool,
    pub(super) take_over: bool,
    pub(super) policy: Policy,
    pub(super) hints: Hints,
    /// AWS variables that checks find in their environment.
    pub(super) environment: Vec<(String, Option<String>)>,
    pub(super) rehearsal: bool,
    pub(super) reached: Reached,
    /// The saved plan that is carried out, where it is one.
    pub(super) saved: Option<&'a SavedPlan>,
    pub(super) lock: PlanLock,
}

/// The commands that go on.
#[derive(Default)]
pub(super) struct Hints {
    /// With this run.
    pub(super) again: ResumeHint,
    /// With this run once it has ended, where that is another command: a state machine that has ended starts nothing more.
    pub(super) once_ended: Option<ResumeHint>,
    /// With a new one, but for its id.
    pub(super) new_run: ResumeHint,
    /// The options that say what the plan means, for the journal.
    pub(super) options: Vec<String>,
}

impl Hints {
    /// The command that goes on with the run after it has ended like this.
    pub(super) fn after(&self, ended: Ended) -> &ResumeHint {
        match &self.once_ended {
            Some(hint) if ended == Ended::Finished => hint,
            _ => &self.again,
        }
    }
}

/// Endpoint that answers, and the identity that asks it.
pub(super) struct Reached {
    pub(super) endpoint: Endpoint,
    /// The profile of AWS's configuration, where one was named.
    pub(super) profile: Option<String>,
    /// True if recovery points are those of an inventory.
    pub(super) has_inventory: bool,
    /// Options of the check for obstacles to the plan, if that is made first.
    pub(super) preflight: Option<PreflightOptions>,
    /// The state machines that start the restores in place of this run.
    pub(super) machines: Option<Machines>,
}

/// The lock file beside the plan.
pub(super) struct PlanLock {
    pub(super) lock: Option<Lock>,
    /// True if what the lock names is looked up.
    pub(super) is_checked: bool,
}

impl EngineRun<'_> {
    /// The command for a new run, to be pasted.
    pub(super) fn again_anew(&self, plan: &str) -> String {
        let free = endpoint::free_run_id(&self.runs, plan, self.run_id, SystemClock.now());
        match self.saved {
            // A saved plan is for the run that it names.
            Some(saved) => {
                let (file, place) = (quoted(&self.file.to_string_lossy()), saved.place());
                format!(
                    "redrill plan {file}{place} --run-id {free} -o FILE, then redrill run FILE{place}"
                )
            }
            None => {
                let besides = self.hints.new_run.besides().unwrap_or_default();
                format!("{} --run-id {free}\n{besides}", self.hints.new_run.command)
                    .trim_end()
                    .to_owned()
            }
        }
    }
}

/// Compares, asks, executes and reports.
pub(super) async fn execute<C: Clock>(
    loaded: &mut Loaded,
    world: &World,
    aws: &[Arc<Client>],
    clock: &C,
    mut execution: EngineRun<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let name = loaded.planner.document().plan.value.clone();
    // Names become directories: a plan whose name was refused has no journal.
    super::refuse(loaded.findings.clone())?;
    check_reports(&execution.report.reports)?;
    let run = RunKey::new(&name, execution.run_id);

    // The history is read without the lock first: the question comes before anything is created.
    let mut before = Before::new(execution.saved);
    journal::each(&execution.store, &run, |recorded| before.take(&recorded)).await?;
    let is_resumed = before.check(&mut execution.wanted)?;
    let before = before.history;
    if execution.reached.machines.is_none() {
        let profile = execution.reached.profile.as_deref();
        on_step_functions::check_left(&before, profile, execution.take_over, context).await?;
    }
    endpoint::check(&before, aws, &name, &execution).await?;
    let mut known = session::known(&before.observed);
    let asked_again = World::Aws(aws.to_vec());
    asked_again
        .reveal(&mut known, loaded.planner.secrets())
        .await;
    let start = before.start().unwrap_or_else(|| clock.now());
    let readers = world.readers();
    let lookups = Lookups {
        points: world.points(&readers),
        lock: execution.lock.lock.as_ref(),
        has_inventory: execution.reached.has_inventory,
        checks_lock: execution.lock.is_checked,
        only: &execution.wanted.only,
        start,
    };
    let mut plan = context.settled(loaded, &mut known, &lookups).await?;
    lower(&mut plan, &execution.policy.at_most);
    let past = forecast_line::earlier(&execution.store, &run).await;
    forecast_line::expect(&mut plan, &known, &past, clock.now());
    learn(&mut plan, &run, &execution.store).await;
    let mut outline = outline(&plan, loaded, &execution, context);
    if execution.reached.preflight.is_none() {
        loaded.planner.release(&plan);
    }
    let mut preview = Preview::new(plan, before, known, execution.wanted.clone());
    if let Some(saved) = execution.saved {
        saved::check_requests(saved, loaded, &preview.plan, &preview.diff)?;
    }
    check_opened(&preview.history, &name, execution.run_id)?;

    // Facts about the run that the journal lacks are found out before anybody is asked.
    let owner = owner(context, clock.now());
    let recorder = Recorder {
        store: &execution.store,
        run: &run,
        owner: &owner,
        take_over: execution.take_over,
    };
    let settled = unanswered::settle(&preview, &execution.store, &run, aws, context).await?;
    recorder.keep(&settled.events, &mut preview).await?;
    refuse_conflicts(loaded, &preview, &execution, &settled.lines)?;
    let policy = &execution.policy;
    let is_after = |of: &Preview| {
        let observed = &of.history.observed;
        due_after(&of.plan, observed, policy.retry_failed, policy.cutover)
    };
    let judges = is_after(&preview);
    let (gone, callers) = still_there::gone(&preview, judges, aws, &execution, context).await?;
    recorder.keep(&gone, &mut preview).await?;
    if !preview.has_work() && !is_after(&preview) {
        if let Some(saved) = execution.saved.filter(|_| is_resumed) {
            return Err(saved::consumed(saved, &preview.history));
        }
        refuse_cleaned_up(&preview, &execution)?;
        // Restores that were not started are told apart from those that are not there.
        let at = clock.now();
        outline.origin.callers = recorded_callers(&preview.history);
        let outline = Arc::new(outline);
        let planned = preview.history.planned(&outline).map(|event| Recorded {
            at,
            aws_ahead: None,
            event,
        });
        let run_end = RunEnd {
            header: Vec::new(),
            more: planned,
            ended: Ended::Finished,
            before: Some(&preview.history),
        };
        let Preview { plan, diff, .. } = &preview;
        return conclude(plan, diff, run_end, &execution, context).await;
    }
    refuse_cleaned_up(&preview, &execution)?;
    adopting::check(&preview, aws, &execution).await?;
    if let Some(machines) = &execution.reached.machines {
        machines.check_run(&preview)?;
    }
    if let Some(options) = execution.reached.preflight {
        let looked = PreflightLook {
            file: execution.file,
            loaded,
            plan: &preview.plan,
            diff: &preview.diff,
            known: &preview.known,
            options,
        };
        if looked.stops(aws, context).await? {
            return Ok(Exit::NotReady);
        }
        loaded.planner.release(&preview.plan);
    }
    let is_read = execution.rehearsal || !execution.confirmed && can_ask().is_ok();
    let mut forecast = None;
    // An inventory is asked in no time, by a rehearsal as well; AWS would be asked once for each recovery point.
    let is_inventory = matches!(world, World::Inventory(_));
    if is_inventory || execution.rehearsal && execution.reached.has_inventory {
        super::forecast::sizes(&mut preview, world, context).await;
    }
    if is_read || preview.history.opened.is_none() {
        let policy = &execution.policy;
        forecast = forecast_line::of_preview(&preview, &past, clock.now(), policy, false);
    }
    if let Some(found) = forecast.as_ref().filter(|_| is_read) {
        let at = if execution.rehearsal { " at AWS" } else { "" };
        let line = report::forecast_line(found);
        context.output.note(&format!("forecast{at}: {line}"));
    }
    let mut consent = Consent {
        preview: &preview,
        world,
        aws,
        callers,
    };
    let Some(callers) = consent.ask(loaded, &mut execution, context).await? else {
        context.output.note("nothing was started");
        return Ok(Exit::Unfinished);
    };
    // The emulator of a rehearsal has been asked by nobody in particular.
    if !execution.rehearsal {
        outline.origin.callers = callers;
    }

    // Another runner may have worked between the question and the lock.
    let had_ended = preview.history.ended.is_some();
    preview.history = History::default();
    let mut now = Before::new(execution.saved);
    let take = |recorded: Recorded| now.take(&recorded);
    let (store, take_over) = (&execution.store, execution.take_over);
    let journal = Journal::open(store, &run, &owner, take_over, take).await?;
    if now.history.ended.is_some() && !had_ended {
        // The remaining work has changed by now.
        let held = journal.held();
        drop(journal);
        held.release().await;
        return Err(Failure::Again);
    }
    now.check(&mut execution.wanted)?;
    preview.wanted = execution.wanted.clone();
    let now = now.history;
    endpoint::check_recorded(&now, &name, &execution)?;
    let mut known = session::known(&now.observed);
    asked_again
        .reveal(&mut known, loaded.planner.secrets())
        .await;
    if let Some(machines) = execution.reached.machines.take() {
        let subject = Subject {
            file: &execution.file.to_string_lossy(),
            plan: &preview.plan,
            planner: &loaded.planner,
            known: &preview.known,
        };
        let started = machines.start(loaded, &subject, context).await?;
        execution.policy.started_elsewhere = Some(started);
    }
    let opening = Opening {
        file: execution.file.to_string_lossy().into_owned(),
        options: execution.hints.options.clone(),
        endpoint: execution.reached.endpoint.clone(),
        saved_plan: execution.saved.map(|saved| saved.id().to_owned()),
        outline: Arc::new(outline),
        start,
        forecast: forecast.map(|found| found.recorded()),
    };
    let opened = match preview.open(journal, now, known, opening) {
        Ok(opened) => opened,
        Err(not) => return Err(not_opened(not, loaded, &execution)),
    };
    carry_out(opened, loaded, aws, clock, &execution, context).await
}

/// Returns the gate to pass before anything is sent or started, if another machine may have the run.
fn gate(fence: &Fence) -> Option<Gate> {
    let fence = fence.is_watched().then(|| fence.clone())?;
    Some(Gate::new(move || fence.clone().pass()))
}

/// Nothing is sent once the run may be another's.
pub(super) fn guard(aws: &[Arc<Client>], fence: &Fence) {
    if let Some(gate) = gate(fence) {
        aws.iter().for_each(|aws| aws.reader().guard(gate.clone()));
    }
}

/// Takes over how long restores took in the run before.
async fn learn(plan: &mut Plan, run: &RunKey, store: &Store) {
    let Some(earlier) = store.latest_other(run).await else {
        return;
    };
    // A damaged journal of another run is no reason not to start this one.
    let mut took = BTreeMap::new();
    let take = |recorded| {
        took.extend(session::took(&recorded));
        Ok::<(), journal::Error>(())
    };
    let _ = journal::each(store, &earlier, take).await;
    session::learn(plan, &took);
}

/// Returns what the journal keeps of the plan.
fn outline(
    plan: &Plan,
    loaded: &Loaded,
    execution: &EngineRun<'_>,
    context: &Context<'_>,
) -> Outline {
    let source = &loaded.planner.document().source;
    let origin = super::origin::origin(execution.file, source, execution.rehearsal, context);
    let protect = loaded.planner.protect();
    Outline::of(plan, origin, execution.policy.cutover, protect)
}

/// Returns the callers of whoever worked on the run last.
fn recorded_callers(history: &History) -> Vec<String> {
    let outline = history.outline.as_ref();
    outline.map_or_else(Vec::new, |outline| outline.origin.callers.clone())
}

fn not_opened(why: NotOpened, loaded: &Loaded, execution: &EngineRun<'_>) -> Failure {
    match why {
        NotOpened::Conflict(preview) => conflict(loaded, &preview, execution, &[]),
        NotOpened::ResolvedElsewhere { restore } => Failure::Conflict(format!(
            "another runner has begun this run meanwhile and resolved `{restore}` to another recovery point; \
             run the same command again"
        )),
    }
}

/// Runs what was opened, before the eyes of a person and under their signals.
async fn carry_out<C: Clock>(
    opened: Opened<Journal<Store>>,
    loaded: &Loaded,
    aws: &[Arc<Client>],
    clock: &C,
    execution: &EngineRun<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if opened.history.opened.is_none()
        && !execution.rehearsal
        && let Some(since) =
            older_than_listings(&opened.plan, &opened.diff, &opened.known, clock.now())
    {
        context.output.note(&format!(
            "there is not a record of run {} here: restore jobs since {} are looked at first. AWS Backup lists none from before, \
             so what a run of this id may have started earlier, elsewhere, is not found",
            execution.run_id,
            since.strftime("%Y-%m-%d"),
        ));
    }
    if let Some(run) = &opened.history.opened {
        context.output.note(&format!(
            "{} run {}, at {}, into {}, opened {}",
            run.plan,
            run.run,
            execution.reached.endpoint,
            opened.plan.places(),
            minute(run.at)
        ));
    }
    let signals = Signals::listen();
    let terminated = signals.terminated();
    let look = context.look(&execution.reached.endpoint);
    // Rows and links need each restore; lines need how many there are.
    let is_shown = look.style == Style::Bar || look.is_linked;
    let initial = InitialState {
        is_started_elsewhere: execution.policy.started_elsewhere.is_some(),
        ..initial(
            &opened.plan,
            &opened.diff,
            &opened.history,
            clock.now(),
            is_shown,
        )
    };
    let mut screen = Screen::new(look, initial);
    let planner = &loaded.planner;
    let header = opened.header(planner.secrets(), clock.now());
    if let (Some(first), None) = (header.first(), &opened.history.opened) {
        screen.head(first);
    }
    let (fence, held) = (opened.journal().fence(), opened.journal().held());
    guard(aws, &fence);
    let commands = Processes::new(
        execution.file.parent().unwrap_or(Path::new("")),
        execution.environment.clone(),
    );
    let works = Works {
        planner,
        api: aws.iter().map(|aws| Arc::clone(aws.reader())).collect(),
        commands: Arc::new(commands.behind(gate(&fence))),
        clock,
        observer: &mut screen,
        control: signals.control,
        policy: execution.policy.clone(),
    };
    let outcome = tokio::select! {
        outcome = opened.run(works) => Some(outcome),
        () = fence.lost() => None,
    };
    screen.finish();
    held.release().await;
    let Some(Outcome { plan, diff, ended }) = outcome else {
        return Err(Stopped::Journal(JournalError::TakenOver).into());
    };
    let goes_on = screen.goes_on();
    let terminated = terminated.load(Ordering::Relaxed);
    let (ended, stopped) = match ended {
        Ok(ended) => (ended, None),
        Err(stopped) => (Ended::Detached, Some(stopped)),
    };
    if ended == Ended::Finished {
        let run = RunKey::new(&plan.name, &plan.run_id);
        execution.store.compact(&run).await;
    }
    let run_end = RunEnd {
        header,
        more: None,
        ended,
        before: None,
    };
    let exit = conclude(&plan, &diff, run_end, execution, context).await;
    match stopped {
        // The reason for the stop says more than that for the missing report.
        Some(Stopped::Aws(error)) if !goes_on => Err(Failure::Idle(error)),
        Some(stopped) => Err(stopped.into()),
        None if matches!(exit, Ok(Exit::Interrupted)) && terminated => Ok(Exit::Terminated),
        None => exit,
    }
}
