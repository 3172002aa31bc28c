//! `redrill run PLAN`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::again::Again;
use super::before::{Before, header, keep, older_than_listings, owner, resolved};
use super::conclude::{Course, conclude};
use super::conflicts::{Unsaid, check_opened, refuse_cleaned_up, refuse_conflicts};
use super::programs::{self, Due, Programs};
use super::question::{look_twice, question};
use super::world::World;
use super::{
    Asked, Context, Loaded, check_account, chosen, endpoint, lock, saved, settling, still_there,
    under_way,
};
use crate::aws::Aws;
use crate::cli::arguments::{ReportOptions, Run};
use crate::cli::confirm::{can_ask, confirm};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::SAYS_AFTER;
use crate::cli::signals::Signals;
use crate::cli::writing::check_reports;
use crate::diagnostic::Findings;
use crate::diff::{Action, Review, Saved, Stage, Wanted, due_after};
use crate::execute::{
    Clock, Ended, Endpoint, Engine, Event, History, Outline, Policy, Recorded, Stopped,
    SystemClock, Twins,
};
use crate::journal::{self, Journal};
use crate::pipeline;
use crate::process::Processes;
use crate::render::Lock;
use crate::report::minute;
use crate::terminal::{Screen, Standing};

pub(super) async fn run(typed: &Run, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let saved = saved::open(&typed.plan)?;
    let arguments = &match &saved {
        Some(saved) => {
            context.check_files(saved)?;
            saved::command(saved, typed)?
        }
        None => typed.clone(),
    };
    if arguments.dry_run {
        return super::plan::plan(&arguments.dry(), context).await;
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    if let Some(saved) = &saved {
        saved::check_variables(saved, &loaded.planner)?;
    }
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    // What is wrong whatever AWS says is said before AWS is asked.
    super::refuse(loaded.findings.clone())?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let mut aws = Vec::with_capacity(targets.len());
    for settings in context.all_settings(&arguments.aws, targets)? {
        let connected = Aws::connect(&settings).await.map_err(Failure::Aws)?;
        aws.push(Arc::new(connected));
    }
    let execution = Execution {
        file: &arguments.plan,
        run_id: &arguments.inputs.run_id,
        state: arguments.state.state.clone(),
        wanted: Wanted {
            only: chosen(&loaded.planner, &arguments.only.only)?,
            retry_failed: arguments.retry_failed,
            up_to: None,
        },
        report: &arguments.report,
        confirmed: arguments.yes,
        take_over: arguments.take_over,
        in_passing: false,
        policy: Policy {
            no_rate_limit: arguments.no_rate_limit,
            twins: match (!arguments.adopt.is_empty(), arguments.start_anyway) {
                (true, _) => Twins::Adopt,
                (_, true) => Twins::StartAnyway,
                _ => Twins::Ask,
            },
            chosen: arguments
                .adopt
                .iter()
                .filter(|job| !job.is_empty())
                .cloned()
                .collect(),
            retry_failed: arguments.retry_failed,
            cutover: arguments.cutover,
            says_after: Some(SAYS_AFTER),
            into_existing: arguments.into_existing,
        },
        environment: programs::environment(&arguments.aws),
        rehearsal: false,
        endpoint: super::endpoint::of_all(&aws).await?,
        profile: (arguments.aws.profile.clone()).or_else(|| context.environment.profile.clone()),
        again: Again::of(context, &loaded.planner),
        anew: Again::anew(context, &loaded.planner),
        saved: saved.as_ref(),
        lock,
        checks_lock: true,
    };
    if let Some(saved) = &saved {
        saved::check_endpoint(saved, &execution.endpoint)?;
    }
    let world = match inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Aws(aws.clone()),
    };
    execute(&mut loaded, &world, &aws, &SystemClock, execution, context).await
}

/// One run of the engine, whatever it works against.
pub(super) struct Execution<'a> {
    pub(super) file: &'a std::path::Path,
    pub(super) run_id: &'a str,
    pub(super) state: PathBuf,
    pub(super) wanted: Wanted,
    pub(super) report: &'a ReportOptions,
    pub(super) confirmed: bool,
    pub(super) take_over: bool,
    /// Whether nobody will take this run up again.
    pub(super) in_passing: bool,
    pub(super) policy: Policy,
    pub(super) again: Again,
    /// The same for a new run, but for its id.
    pub(super) anew: Again,
    /// What checks find in their environment of AWS.
    pub(super) environment: Vec<(String, Option<String>)>,
    pub(super) rehearsal: bool,
    /// What answers.
    pub(super) endpoint: Endpoint,
    /// The profile of AWS's configuration, where one was named.
    pub(super) profile: Option<String>,
    /// The saved plan that is carried out, where it is one.
    pub(super) saved: Option<&'a Saved>,
    pub(super) lock: Option<Lock>,
    pub(super) checks_lock: bool,
}

/// Compares, asks, executes and reports.
pub(super) async fn execute<C: Clock>(
    loaded: &mut Loaded,
    world: &World,
    aws: &[Arc<Aws>],
    clock: &C,
    mut execution: Execution<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let name = loaded.planner.document().plan.value.clone();
    // Names become directories: a plan whose name was refused has no journal.
    super::refuse(loaded.findings.clone())?;
    check_reports(&execution.report.reports)?;
    let directory = journal::directory(&execution.state, &name, execution.run_id);

    // What was before is read without the lock first: the question comes before anything is created.
    let mut before = Before::new(execution.saved);
    journal::each(&directory, |recorded| before.take(&recorded))?;
    let is_resumed = before.check(&mut execution.wanted)?;
    let mut before = before.history;
    endpoint::check(&before, aws, &name, &execution).await?;
    let mut known = pipeline::known(&before.observed);
    let asked_again = World::Aws(aws.to_vec());
    asked_again.reveal(&mut known).await;
    let start = before.start().unwrap_or_else(|| clock.now());
    let asked = Asked {
        only: &execution.wanted.only,
        start,
        lock: execution.lock.as_ref(),
        checks_lock: execution.checks_lock,
    };
    let mut plan = context.requests(loaded, &mut known, world, &asked).await?;
    if let Some(earlier) = journal::latest_other(&execution.state, &name, execution.run_id) {
        // A damaged journal of another run is no reason not to start this one.
        let mut took = BTreeMap::new();
        let _ = journal::each(&earlier, |recorded| {
            took.extend(pipeline::took(&recorded));
            Ok::<(), journal::Error>(())
        });
        pipeline::learn(&mut plan, &took);
    }
    let source = &loaded.planner.document().source;
    let origin = super::origin::origin(execution.file, source, execution.rehearsal, context);
    let outline = Arc::new(Outline::of(
        &plan,
        origin,
        execution.policy.cutover,
        loaded.planner.protect(),
    ));
    loaded.planner.let_go(&plan);
    let mut diff = pipeline::changes(&plan, &before.observed, &execution.wanted);
    if let Some(saved) = execution.saved {
        saved::check_requests(saved, loaded, &plan, &diff)?;
    }
    check_opened(&before, &name, execution.run_id)?;
    let owner = owner(context, clock.now());
    let take_over = execution.take_over;
    let settled = settling::settle(&plan, &diff, &before, &directory, aws, context).await?;
    if keep(&settled.events, &mut before, &directory, &owner, take_over)? {
        diff = pipeline::changes(&plan, &before.observed, &execution.wanted);
    }
    refuse_conflicts(loaded, &plan, &diff, &execution, &settled.lines)?;
    let policy = &execution.policy;
    let is_after =
        |of: &History| due_after(&plan, &of.observed, policy.retry_failed, policy.cutover);
    let again = still_there::Again {
        plan: &plan,
        diff: &diff,
        before: &before,
        known: &known,
        judges: is_after(&before),
    };
    let (gone, is_checked) = still_there::gone(&again, aws, &execution, context).await?;
    if keep(&gone, &mut before, &directory, &owner, take_over)? {
        diff = pipeline::changes(&plan, &before.observed, &execution.wanted);
    }
    let after = is_after(&before);
    let starts = diff.count(Action::Start);
    if starts + diff.count(Action::Resume) == 0 && !after {
        if let Some(saved) = execution.saved.filter(|_| is_resumed) {
            return Err(saved::consumed(saved, &before));
        }
        refuse_cleaned_up(&before, &diff, &execution)?;
        // What was not started is told apart from what is not there.
        let at = clock.now();
        let planned = before.planned(&outline).map(|event| Recorded {
            at,
            aws_ahead: None,
            event,
        });
        let course = Course {
            header: Vec::new(),
            more: planned,
            ended: Ended::Finished,
            before: Some(&before),
        };
        return conclude(&plan, &diff, &directory, course, &execution, context);
    }
    refuse_cleaned_up(&before, &diff, &execution)?;
    let due = Due {
        retry_failed: policy.retry_failed,
        cutover: policy.cutover,
        whole: execution.wanted.only.is_empty(),
    };
    let found = Programs::beside(execution.file, context.environment.path.as_deref()).of_run(
        loaded,
        &plan,
        &diff,
        &before.observed,
        &due,
    );
    let found: Findings = context.shown(loaded, found).into_iter().collect();
    super::refuse(found.clone())?;
    context.show(loaded, found);
    let unsaid = Unsaid::of(&plan, &diff, &context.rules, loaded.planner.secrets());
    unsaid.refuse_or_say(&execution, context)?;
    if starts > 0 && !execution.confirmed {
        can_ask()?;
    }
    let unchecked = aws.iter().zip(&plan.targets).filter(|_| !is_checked);
    for (aws, target) in unchecked {
        let asked = check_account(&**aws, target);
        context
            .output
            .patiently("STS to say whose credentials these are", asked)
            .await?;
    }
    let begun = match before.opened {
        None => under_way::begun_elsewhere(loaded, &plan, &diff, aws, &execution, context).await?,
        Some(_) => Vec::new(),
    };
    if execution.confirmed {
        begun.iter().for_each(|line| context.output.note(line));
    }
    if starts > 0 && !execution.confirmed {
        let review = Review::embedded(&context.rules);
        let resources = super::base::resources(&known, world);
        let mut twice = begun;
        twice.extend(look_twice(&plan, &diff, &review, &resources, loaded));
        let question = question(loaded, &plan, &diff, &execution, &twice, &known.resolved);
        if !confirm(&question)? || !unsaid.ask(&mut execution.policy)? {
            context.output.note("nothing was started");
            return Ok(Exit::Unfinished);
        }
    }

    // Another runner may have worked between the question and the lock.
    drop(before);
    let mut now = Before::new(execution.saved);
    let take = |recorded: Recorded| now.take(&recorded);
    let journal = Journal::open(&directory, &owner, take_over, take)?;
    let journal = if execution.in_passing {
        journal.in_passing()
    } else {
        journal
    };
    now.check(&mut execution.wanted)?;
    let now = now.history;
    endpoint::check_recorded(&now, &name, &execution)?;
    let mut known_now = pipeline::known(&now.observed);
    asked_again.reveal(&mut known_now).await;
    known_now.sources = known.sources;
    let mut diff = pipeline::changes(&plan, &now.observed, &execution.wanted);
    refuse_conflicts(loaded, &plan, &diff, &execution, &[])?;
    let resolved = resolved(&plan, &diff, &known.resolved, &mut known_now, start)?;
    if now.opened.is_none()
        && !execution.rehearsal
        && let Some(since) = older_than_listings(&plan, &diff, &known_now, clock.now())
    {
        context.output.note(&format!(
            "there is no record of run {} here: restore jobs since {} are looked at first. AWS Backup lists none from before, \
             so what a run of this id may have started earlier, elsewhere, is not found",
            execution.run_id,
            since.strftime("%Y-%m-%d"),
        ));
    }
    let mut opening = vec![if now.opened.is_none() {
        Event::RunOpened {
            plan: name,
            run: execution.run_id.to_owned(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            target: plan.targets[0].clone(),
            others: plan.targets[1..].to_vec(),
            file: execution.file.to_string_lossy().into_owned(),
            world: Some(execution.endpoint.clone()),
            saved_plan: execution.saved.map(|saved| saved.id().to_owned()),
        }
    } else {
        Event::RunResumed {
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            world: now.world().is_none().then(|| execution.endpoint.clone()),
            saved_plan: execution.saved.map(|saved| saved.id().to_owned()),
        }
    }];
    if let Some(opened) = &now.opened {
        context.output.note(&format!(
            "{} run {}, at {}, into {}, opened {}",
            opened.plan,
            opened.run,
            execution.endpoint,
            plan.places(),
            minute(opened.at)
        ));
    }
    opening.extend(now.planned(&outline));
    drop(outline);
    opening.extend(resolved);
    let signals = Signals::listen();
    let terminated = signals.terminated();
    let standing = Standing {
        total: plan.steps.len(),
        completed: diff.count(Action::Done),
        running: now
            .observed
            .restores
            .iter()
            .filter(|(_, past)| matches!(past.stage, Stage::Running { .. }))
            .map(|(name, _)| name.clone())
            .collect(),
        unanswered: (now.observed.restores.values())
            .filter(|past| past.stage == Stage::Intended)
            .count(),
    };
    let mut screen = Screen::new(context.style(), context.display.verbose, &standing);
    let planner = &loaded.planner;
    let header = header(&opening, planner.secrets(), clock.now());
    if let (Some(opened), None) = (header.first(), &now.opened) {
        screen.head(opened);
    }
    let drafts = plan.take_drafts();
    for change in &mut diff.changes {
        // They have been shown; the engine makes each when it sends it.
        change.token = None;
    }
    let engine = Engine {
        planner,
        plan: &plan,
        drafts,
        api: aws.to_vec(),
        commands: Arc::new(Processes::new(
            execution.file.parent().unwrap_or(std::path::Path::new("")),
            execution.environment.clone(),
        )),
        journal,
        clock,
        observer: &mut screen,
        control: signals.control,
        policy: execution.policy.clone(),
    };
    let ended = engine.run(opening, now.observed, known_now, &diff).await;
    screen.finish();
    let goes_on = screen.goes_on();

    let terminated = terminated.load(Ordering::Relaxed);
    let (ended, stopped) = match ended {
        Ok(ended) => (ended, None),
        Err(stopped) => (Ended::Detached, Some(stopped)),
    };
    // What it has come to is in the journal.
    plan.steps = Vec::new();
    let course = Course {
        header,
        more: None,
        ended,
        before: None,
    };
    let exit = conclude(&plan, &diff, &directory, course, &execution, context);
    match stopped {
        // Why it has stopped says more than why there is no report.
        Some(Stopped::Aws(error)) if !goes_on => Err(Failure::Idle(error)),
        Some(stopped) => Err(stopped.into()),
        None if matches!(exit, Ok(Exit::Interrupted)) && terminated => Ok(Exit::Terminated),
        None => exit,
    }
}
