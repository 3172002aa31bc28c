//! `redrill run PLAN`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::world::World;
use super::{Asked, Context, Loaded, Shared, check_account, chosen, lock};
use crate::aws::Aws;
use crate::cli::arguments::{DryRun, HumanOrJson, Progress, ReportOptions, Run};
use crate::cli::confirm::{can_ask, confirm};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::diff::{Action, Diff, Wanted};
use crate::execute::{
    Clock, Ended, Engine, Event, Observer, Policy, Recorded, Stopped, SystemClock, Twins,
};
use crate::journal::{self, Journal, Owner};
use crate::pipeline;
use crate::plan::Plan;
use crate::render::{Known, Lock, Resolved, Secrets};
use crate::report::{Verdict, dry_run_human, run_human, run_report};
use crate::terminal::{Screen, Style};

pub(super) async fn run(arguments: &Run, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if arguments.dry_run {
        let dry = DryRun {
            plan: arguments.plan.clone(),
            inputs: arguments.inputs.clone(),
            only: arguments.only.clone(),
            aws: arguments.aws.clone(),
            state: arguments.state.clone(),
            retry_failed: arguments.retry_failed,
            format: arguments.report.format,
        };
        return super::plan::plan(&dry, context).await;
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let inventory = context.inventory(&arguments.inputs, loaded.planner.target())?;
    let settings = context.settings(&arguments.aws, loaded.planner.target())?;
    let aws = Arc::new(Aws::connect(&settings).await);
    let execution = Execution {
        file: &arguments.plan,
        run_id: &arguments.inputs.run_id,
        state: arguments.state.state.clone(),
        wanted: Wanted {
            only: chosen(&loaded.planner, &arguments.only.only)?,
            retry_failed: arguments.retry_failed,
        },
        report: &arguments.report,
        confirmed: arguments.yes,
        take_over: arguments.take_over,
        policy: Policy {
            no_rate_limit: arguments.no_rate_limit,
            twins: match (arguments.adopt, arguments.start_anyway) {
                (true, _) => Twins::Adopt,
                (_, true) => Twins::StartAnyway,
                _ => Twins::Ask,
            },
        },
        again: again(context, loaded.planner.secrets()),
        lock,
        checks_lock: true,
    };
    let world = match &inventory {
        Some(inventory) => World::Inventory(inventory),
        None => World::Aws(&aws),
    };
    execute(&loaded, &world, &aws, &SystemClock, execution, context).await
}

/// The command as it was typed, for the line that says how to go on.
fn again(context: &Context<'_>, secrets: &Secrets) -> String {
    let words: Vec<String> = std::iter::once(context.environment.program.clone())
        .chain(context.environment.typed())
        .filter(|word| {
            !["--retry-failed", "--adopt", "--start-anyway", "--take-over"].contains(&word.as_str())
        })
        .map(|word| secrets.redact(&word).into_owned())
        .map(|word| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                word
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        })
        .collect();
    words.join(" ")
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
    pub(super) policy: Policy,
    pub(super) again: String,
    pub(super) lock: Option<Lock>,
    pub(super) checks_lock: bool,
}

/// Compares, asks, executes and reports.
pub(super) async fn execute<C: Clock>(
    loaded: &Loaded,
    world: &World<'_>,
    aws: &Shared,
    clock: &C,
    execution: Execution<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let planner = &loaded.planner;
    let name = planner.document().plan.value.clone();
    // Names become directories: a plan whose name was refused has no journal.
    super::refuse(loaded.findings.clone())?;
    let directory = journal::directory(&execution.state, &name, execution.run_id);

    // What was before is read without the lock first: the question comes before anything is created.
    let before = journal::read(&directory)?;
    let (observed, mut known) = pipeline::history(&before).map_err(Stopped::from)?;
    let start = pipeline::start(&before).unwrap_or_else(|| clock.now());
    let asked = Asked {
        only: &execution.wanted.only,
        start,
        lock: execution.lock.as_ref(),
        checks_lock: execution.checks_lock,
    };
    let plan = context.requests(loaded, &mut known, world, &asked).await?;
    let diff = pipeline::changes(&plan, &observed, &execution.wanted);
    refuse_conflicts(&plan, &diff)?;
    check_opened(&before, &name, execution.run_id)?;
    let starts = diff.count(Action::Start);
    if starts + diff.count(Action::Resume) == 0 {
        context
            .output
            .note("nothing to start and nothing to follow");
        return conclude(
            &plan,
            &diff,
            &before,
            Ended::Finished,
            aws,
            &execution,
            context,
        );
    }
    if starts > 0 && !execution.confirmed {
        can_ask()?;
    }
    check_account(&**aws, planner.target()).await?;
    if starts > 0 && !execution.confirmed {
        let question = format!(
            "{}This starts {starts} restore{}.",
            dry_run_human(&plan, &diff),
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
    let (journal, mut events) = Journal::open(&directory, &owner, execution.take_over)?;
    let (observed, mut known_now) = pipeline::history(&events).map_err(Stopped::from)?;
    known_now.sources = known.sources;
    // Another runner may have worked between the question and the lock.
    let diff = pipeline::changes(&plan, &observed, &execution.wanted);
    refuse_conflicts(&plan, &diff)?;
    let resolved = resolved(&plan, &diff, &known.resolved, &mut known_now, start)?;
    let mut opening = vec![if events.is_empty() {
        Event::RunOpened {
            plan: name,
            run: execution.run_id.to_owned(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            target: plan.target.clone(),
            file: execution.file.to_string_lossy().into_owned(),
        }
    } else {
        Event::RunResumed {
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }];
    opening.extend(resolved);
    let signals = Signals::listen();
    let terminated = signals.terminated();
    let done = diff.count(Action::Done);
    let mut watch = Watch {
        screen: Screen::new(
            style(context),
            context.display.verbose,
            plan.steps.len(),
            done,
        ),
        events: &mut events,
    };
    let engine = Engine {
        planner,
        plan: &plan,
        api: Arc::clone(aws),
        journal,
        clock,
        observer: &mut watch,
        control: signals.control,
        policy: execution.policy,
    };
    let ended = engine.run(opening, observed, known_now, &diff).await;
    watch.screen.finish();

    let terminated = terminated.load(Ordering::Relaxed);
    let (ended, stopped) = match ended {
        Ok(ended) => (ended, None),
        Err(stopped) => (Ended::Detached, Some(stopped)),
    };
    let exit = conclude(&plan, &diff, &events, ended, aws, &execution, context)?;
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
    events: &[Recorded],
    ended: Ended,
    aws: &Shared,
    execution: &Execution<'_>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let report = run_report(plan, events, aws.calls());
    for file in &execution.report.reports {
        files::write(file, &report.json())?;
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
    use crate::report::RunStatus::{Failed, Skipped};
    if diff.changes.len() < report.restores.len()
        && diff.count(Action::Blocked) == 0
        && report.count(Failed) + report.count(Skipped) == 0
    {
        Exit::Done
    } else if report.count(Failed) > 0 {
        Exit::Failed
    } else {
        Exit::Unfinished
    }
}

fn check_opened(events: &[Recorded], plan: &str, run: &str) -> Result<(), Failure> {
    match events.first().map(|recorded| &recorded.event) {
        None => Ok(()),
        Some(Event::RunOpened {
            plan: p, run: r, ..
        }) if p == plan && r == run => Ok(()),
        // A file system that does not tell `Main` from `main`.
        Some(_) => Err(Failure::Conflict(format!(
            "the journal of {plan} run {run} belongs to another plan or run; give another --run-id or --state"
        ))),
    }
}

fn refuse_conflicts(plan: &Plan, diff: &Diff) -> Result<(), Failure> {
    if !diff.has_conflict() {
        return Ok(());
    }
    Err(Failure::Conflict(format!(
        "the plan asks for something else than what this run has started; nothing was sent\n\n{}",
        dry_run_human(plan, diff)
    )))
}

fn style(context: &Context<'_>) -> Style {
    match context.display.progress {
        _ if context.display.quiet => Style::None,
        Progress::None => Style::None,
        Progress::Bar => Style::Bar,
        Progress::Lines => Style::Lines,
        Progress::Auto if Output::is_terminal() => Style::Bar,
        Progress::Auto => Style::Lines,
    }
}

/// The screen, and the events for the report.
struct Watch<'a> {
    screen: Screen,
    events: &'a mut Vec<Recorded>,
}

impl Observer for &mut Watch<'_> {
    fn observe(&mut self, recorded: &Recorded) {
        self.screen.observe(recorded);
        if recorded.event.is_durable() {
            self.events.push(recorded.clone());
        }
    }
}
