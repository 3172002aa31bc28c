//! `redrill run PLAN`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::again::again;
use super::conflicts::{brief, check_opened, refuse_cleaned, refuse_conflicts};
use super::opening::{outline, planned};
use super::world::World;
use super::{Asked, Context, Loaded, check_account, chosen, lock, saved};
use crate::aws::Aws;
use crate::cli::arguments::{AwsOptions, DryRun, DryRunFormat, HumanOrJson, ReportOptions, Run};
use crate::cli::confirm::{can_ask, confirm};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::signals::Signals;
use crate::diff::{Action, Diff, Saved, Stage, Wanted, due_after};
use crate::execute::{
    Clock, Ended, Engine, Event, Observer, Policy, Recorded, Stopped, SystemClock, Twins,
};
use crate::journal::{self, Journal, Owner};
use crate::pipeline;
use crate::plan::Plan;
use crate::process::Processes;
use crate::render::{Known, Lock, Resolved};
use crate::report::{Record, Verdict, run_human, run_report};
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
        let dry = DryRun {
            plan: arguments.plan.clone(),
            inputs: arguments.inputs.clone(),
            only: arguments.only.clone(),
            aws: arguments.aws.clone(),
            state: arguments.state.clone(),
            retry_failed: arguments.retry_failed,
            against: None,
            full: false,
            out: None,
            detailed_exitcode: false,
            format: match arguments.report.format {
                HumanOrJson::Human => DryRunFormat::Human,
                HumanOrJson::Json => DryRunFormat::Json,
            },
        };
        return super::plan::plan(&dry, context).await;
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    if let Some(saved) = &saved {
        saved::check_variables(saved, &loaded.planner)?;
    }
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let mut aws = Vec::with_capacity(targets.len());
    for settings in context.all_settings(&arguments.aws, targets)? {
        aws.push(Arc::new(Aws::connect(&settings).await));
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
        },
        environment: check_environment(&arguments.aws),
        rehearsal: false,
        again: again(context, loaded.planner.secrets()),
        saved: saved.as_ref(),
        lock,
        checks_lock: true,
    };
    let world = match inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Aws(aws.clone()),
    };
    execute(&mut loaded, &world, &aws, &SystemClock, execution, context).await
}

/// What checks find of AWS: the same that the restores are asked of.
fn check_environment(options: &AwsOptions) -> Vec<(String, String)> {
    [
        ("AWS_PROFILE", &options.profile),
        ("AWS_ENDPOINT_URL", &options.endpoint_url),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)))
    .collect()
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
    pub(super) again: String,
    /// What checks find in their environment of AWS.
    pub(super) environment: Vec<(String, String)>,
    pub(super) rehearsal: bool,
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
    let directory = journal::directory(&execution.state, &name, execution.run_id);

    // What was before is read without the lock first: the question comes before anything is created.
    let before = journal::read(&directory)?;
    let mut is_resumed = false;
    if let Some(saved) = execution.saved {
        is_resumed = saved::check_position(saved, &before, &mut execution.wanted)?;
    }
    let (observed, mut known) = pipeline::history(&before).map_err(Stopped::from)?;
    let start = pipeline::start(&before).unwrap_or_else(|| clock.now());
    let asked = Asked {
        only: &execution.wanted.only,
        start,
        lock: execution.lock.as_ref(),
        checks_lock: execution.checks_lock,
    };
    let mut plan = context.requests(loaded, &mut known, world, &asked).await?;
    if let Some(earlier) = journal::latest_other(&execution.state, &name, execution.run_id) {
        // A damaged journal of another run is no reason not to start this one.
        pipeline::learn(&mut plan, &journal::read(&earlier).unwrap_or_default());
    }
    let planner = &loaded.planner;
    let diff = pipeline::changes(&plan, &observed, &execution.wanted);
    if let Some(saved) = execution.saved {
        saved::check_requests(saved, loaded, &plan, &diff)?;
    }
    refuse_conflicts(loaded, &plan, &diff, &execution)?;
    check_opened(&before, &name, execution.run_id)?;
    let starts = diff.count(Action::Start);
    let outline = outline(planner, &plan, &execution, context);
    let policy = &execution.policy;
    let after = due_after(&plan, &observed, policy.retry_failed, policy.cutover);
    if starts + diff.count(Action::Resume) == 0 && !after {
        if let Some(saved) = execution.saved.filter(|_| is_resumed) {
            return Err(saved::consumed(saved));
        }
        context
            .output
            .note("nothing to start and nothing to follow");
        let mut record: Record = before.iter().collect();
        // What was not started is told apart from what is not there.
        if let Some(event) = planned(&before, outline) {
            let at = clock.now();
            record.take(&Recorded { at, event });
        }
        return conclude(&plan, &diff, record, Ended::Finished, &execution, context);
    }
    refuse_cleaned(&observed, starts)?;
    if starts > 0 && !execution.confirmed {
        can_ask()?;
    }
    for (aws, target) in aws.iter().zip(&plan.targets) {
        check_account(&**aws, target).await?;
    }
    if starts > 0 && !execution.confirmed {
        let question = format!(
            "{}This starts {starts} restore{}.",
            brief(loaded, &plan, &diff, &execution),
            if starts == 1 { "" } else { "s" }
        );
        if !confirm(&question)? {
            context.output.note("nothing was started");
            return Ok(Exit::Unfinished);
        }
    }

    let owner = Owner {
        pid: std::process::id(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        user: context.environment.user.clone(),
        since: clock.now(),
    };
    let (journal, events) = Journal::open(&directory, &owner, execution.take_over)?;
    let journal = if execution.in_passing {
        journal.in_passing()
    } else {
        journal
    };
    let (observed, mut known_now) = pipeline::history(&events).map_err(Stopped::from)?;
    known_now.sources = known.sources;
    // Another runner may have worked between the question and the lock.
    if let Some(saved) = execution.saved {
        saved::check_position(saved, &events, &mut execution.wanted)?;
    }
    let mut diff = pipeline::changes(&plan, &observed, &execution.wanted);
    refuse_conflicts(loaded, &plan, &diff, &execution)?;
    let resolved = resolved(&plan, &diff, &known.resolved, &mut known_now, start)?;
    let mut opening = vec![if events.is_empty() {
        Event::RunOpened {
            plan: name,
            run: execution.run_id.to_owned(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            target: plan.targets[0].clone(),
            others: plan.targets[1..].to_vec(),
            file: execution.file.to_string_lossy().into_owned(),
            saved_plan: execution.saved.map(|saved| saved.id().to_owned()),
        }
    } else {
        Event::RunResumed {
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            saved_plan: execution.saved.map(|saved| saved.id().to_owned()),
        }
    }];
    opening.extend(planned(&events, outline));
    opening.extend(resolved);
    let signals = Signals::listen();
    let terminated = signals.terminated();
    let standing = Standing {
        total: plan.steps.len(),
        completed: diff.count(Action::Done),
        running: observed
            .restores
            .iter()
            .filter(|(_, past)| matches!(past.stage, Stage::Running { .. }))
            .map(|(name, _)| name.clone())
            .collect(),
    };
    let mut watch = Watch {
        screen: Screen::new(context.style(), context.display.verbose, &standing),
        record: events.iter().collect(),
    };
    drop(events);
    loaded.planner.let_go(&plan);
    let planner = &loaded.planner;
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
        observer: &mut watch,
        control: signals.control,
        policy: execution.policy.clone(),
    };
    let ended = engine.run(opening, observed, known_now, &diff).await;
    watch.screen.finish();

    let terminated = terminated.load(Ordering::Relaxed);
    let (ended, stopped) = match ended {
        Ok(ended) => (ended, None),
        Err(stopped) => (Ended::Detached, Some(stopped)),
    };
    let exit = conclude(&plan, &diff, watch.record, ended, &execution, context)?;
    match stopped {
        Some(stopped) => Err(stopped.into()),
        None if exit == Exit::Interrupted && terminated => Ok(Exit::Terminated),
        None => Ok(exit),
    }
}

/// What the selectors of that which starts were resolved to, where the journal does not have it yet: the run keeps to it.
fn resolved(
    plan: &Plan,
    diff: &Diff,
    fresh: &BTreeMap<String, Arc<Resolved>>,
    known: &mut Known,
    start: Timestamp,
) -> Result<Vec<Event>, Failure> {
    let mut events = Vec::new();
    let starts = diff.changes.iter().filter(|c| c.action == Action::Start);
    for step in starts.map(|change| &plan.steps[change.step]) {
        let Some(point) = fresh.get(&*step.name) else {
            continue;
        };
        match known.resolved.get(&*step.name) {
            Some(recorded) if recorded == point => continue,
            // The selector has changed since, and nothing hangs on what it was.
            Some(recorded) if recorded.selector != point.selector => {}
            Some(_) => {
                return Err(Failure::Conflict(format!(
                    "another runner has begun this run meanwhile and resolved `{}` to another recovery point; \
                     run the same command again",
                    step.name
                )));
            }
            None => {}
        }
        events.push(Event::Resolved {
            restore: step.name.to_string(),
            measured_from: start,
            point: Resolved::clone(point),
        });
        let name = step.name.to_string();
        known.resolved.insert(name, Arc::clone(point));
    }
    Ok(events)
}

/// Reports, and says by the exit code what it has come to.
fn conclude(
    plan: &Plan,
    diff: &Diff,
    record: Record,
    ended: Ended,
    execution: &Execution<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let report = run_report(&plan.name, &plan.run_id, record);
    for (format, file) in &execution.report.reports {
        files::write(file, format.write(&report))?;
    }
    let text = match execution.report.format {
        HumanOrJson::Json => report.json(),
        HumanOrJson::Human => run_human(&report, &execution.again),
    };
    context.output.result(&text)?;
    Ok(match ended {
        Ended::Interrupted => Exit::Interrupted,
        Ended::Detached => Exit::Unfinished,
        Ended::Finished => match report.verdict {
            Verdict::Passed => Exit::Done,
            Verdict::ObjectiveMissed => Exit::ObjectiveMissed,
            Verdict::Failed => Exit::Failed,
            // `--only` has left something out, and all that was asked for is done; or a failure blocks the rest.
            Verdict::Unfinished => unfinished(diff, &report),
        },
    })
}

fn unfinished(diff: &Diff, report: &crate::report::RunReport) -> Exit {
    use crate::report::RunStatus::{CheckFailed, Failed, Skipped};
    let failed = report.count(Failed) + report.count(CheckFailed);
    if diff.changes.len() < report.restores.len()
        && diff.count(Action::Blocked) == 0
        && failed + report.count(Skipped) == 0
    {
        Exit::Done
    } else if failed > 0 {
        Exit::Failed
    } else {
        Exit::Unfinished
    }
}

/// The screen, and the record for the report.
struct Watch {
    screen: Screen,
    record: Record,
}

impl Observer for &mut Watch {
    fn observe(&mut self, recorded: &Recorded) {
        self.screen.observe(recorded);
        self.record.take(recorded);
    }
}
