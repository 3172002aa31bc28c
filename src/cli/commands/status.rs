//! `redrill status [PLAN]`

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;

use super::Context;
use super::clients::keeping;
use super::resume_hint::{quoted, quoted_path, recorded_options, without_on};
use super::store::Store;
use crate::aws::{Aws, Paced, Reads};
use crate::backup::{Clock as _, Endpoint, Pace, SystemClock};
use crate::cli::arguments::{AwsOptions, HumanOrJson, Runs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::post_run::Status;
use crate::diagnostic::suggest;
use crate::execute::{Stopped, describe_jobs};
use crate::ids::{Indexed, JobId, PlaceIndex, RestoreName, RunId};
use crate::journal::{self, RunKey, RunStore as _};
use crate::render::{REDACTED, Target};
use crate::report::{
    RunReport, StatusDetail, StatusRow, Verdict, run_report, runs_human, status_human, status_json,
};
use crate::state::{Event, History, Places, Recorded, RestoreStage};

/// In place of AWS's words of a restore that was sent a secret: without the plan's variables nobody can take it out.
const NOT_SHOWN: &str =
    "AWS gives a reason, which is not shown: the request holds a secret; `redrill run` shows it";

/// Every run that is known, a line each.
pub(super) async fn runs(arguments: &Runs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = context.store(&arguments.state).await?;
    let mut rows = Vec::new();
    let mut damaged = Vec::new();
    for run in store.runs().await? {
        match KnownRun::read(&store, run).await {
            Ok(run) => rows.push(run.row),
            Err(error) => damaged.push(of_one_run(error)?),
        }
    }
    match arguments.format {
        HumanOrJson::Json => context.output.document(&status_json(&rows)),
        HumanOrJson::Human if rows.is_empty() && damaged.is_empty() => {
            context.output.result(&none_known(&store))
        }
        HumanOrJson::Human if rows.is_empty() => Ok(()),
        HumanOrJson::Human => {
            let clock = context.clock();
            context.output.result(&runs_human(&rows, &clock))
        }
    }?;
    Ok(said(&damaged, context))
}

/// A journal that cannot be read keeps nobody from looking at the other runs.
///
/// # Errors
///
/// Where the others cannot be read either.
fn of_one_run(error: Failure) -> Result<Failure, Failure> {
    use journal::Error::{Damaged, Newer, NotAFile};
    match error {
        Failure::Journal(Damaged { .. } | Newer { .. } | NotAFile { .. })
        | Failure::Stopped(Stopped::Illegal(_)) => Ok(error),
        error => Err(error),
    }
}

/// Reports which runs could not be read, and returns the exit code of the command.
fn said(damaged: &[Failure], context: &mut Context<'_>) -> Exit {
    for error in damaged {
        context.output.failure(error);
    }
    match damaged {
        [] => Exit::Done,
        _ => Exit::Unexpected,
    }
}

pub(super) async fn status(arguments: &Status, context: &mut Context<'_>) -> Result<Exit, Failure> {
    /// Interval between two looks.
    const EVERY: SignedDuration = SignedDuration::from_secs(5);
    loop {
        let (goes_on, exit) = show(arguments, context).await?;
        if !arguments.watch || !goes_on {
            return Ok(exit);
        }
        SystemClock.sleep_until(SystemClock.now() + EVERY).await;
        context.output.clear()?;
    }
}

fn none_known(store: &Store) -> String {
    format!("no runs are known in {}\n", store.place())
}

/// There are runs, of other plans only.
fn none_of_plan(runs: &[RunKey], store: &Store, plan: &str) -> String {
    let plans: BTreeSet<&str> = runs.iter().map(|run| run.plan.as_str()).collect();
    let plans: Vec<&str> = plans.into_iter().collect();
    format!(
        "no runs of {plan} are known in {}; it has runs of {}\n",
        store.place(),
        plans.join(", ")
    )
}

/// No plan has a run of an id.
fn no_run_of_id(runs: &[RunKey], store: &Store, id: &RunId) -> Failure {
    let known: BTreeSet<&str> = runs.iter().map(|run| run.run.as_str()).collect();
    Failure::Usage(format!(
        "{} has no run `{id}`; {}",
        store.place(),
        suggest(id.as_str(), known)
    ))
}

/// Shows what was asked for once; whether somebody works on it, and how the command ends.
async fn show(arguments: &Status, context: &mut Context<'_>) -> Result<(bool, Exit), Failure> {
    let store = context.store(&arguments.state).await?;
    let all = store.runs().await?;
    let wanted = match &arguments.plan {
        // A name that runs are known of needs no file.
        Some(name) if all.iter().any(|run| Path::new(&run.plan) == name.as_path()) => {
            Some(name.to_string_lossy().into_owned())
        }
        Some(path) => Some(super::plan_name(path)?),
        None => None,
    };
    let is_wanted = |run: &RunKey| {
        let is_of_plan = wanted.as_ref().is_none_or(|wanted| *wanted == run.plan);
        let is_run = arguments.run_id.as_ref().is_none_or(|id| *id == run.run);
        is_of_plan && is_run
    };
    let mut rows = Vec::new();
    // The run that somebody asks about is the latest, where none is named.
    let mut latest: Option<KnownRun> = None;
    let mut asks = true;
    let mut damaged = Vec::new();
    for run in all.iter().filter(|run| is_wanted(run)) {
        let mut of = match KnownRun::read(&store, run.clone()).await {
            Ok(of) => of,
            Err(error) => {
                damaged.push(of_one_run(error)?);
                continue;
            }
        };
        // Whoever works on it keeps the journal up to date; otherwise AWS knows more than the journal.
        if of.row.held_by.is_none() && asks {
            asks = refresh(&mut of, &arguments.aws, context).await?;
        }
        match &latest {
            Some(later) if later.row.opened_at > of.row.opened_at => rows.push(of.row),
            _ => rows.extend(latest.replace(of).map(|earlier| earlier.row)),
        }
    }
    let Some(latest) = latest else {
        if !damaged.is_empty() {
            return Ok((false, said(&damaged, context)));
        }
        if let Some(id) = &arguments.run_id {
            return Err(match &wanted {
                Some(plan) => super::not_among(&all, &store, &RunKey::new(plan, id)),
                None => no_run_of_id(&all, &store, id),
            });
        }
        match arguments.format {
            HumanOrJson::Json => context.output.document(&status_json(&rows)),
            HumanOrJson::Human => {
                context
                    .output
                    .result(&match wanted.filter(|_| !all.is_empty()) {
                        Some(plan) => none_of_plan(&all, &store, &plan),
                        None => none_known(&store),
                    })
            }
        }?;
        return Ok((false, Exit::Done));
    };
    let goes_on = rows
        .iter()
        .chain([&latest.row])
        .any(|row| row.held_by.is_some());
    if arguments.format == HumanOrJson::Json {
        rows.push(latest.row);
        rows.sort_by(|a, b| (&a.plan, &a.run_id).cmp(&(&b.plan, &b.run_id)));
        context.output.document(&status_json(&rows))?;
        return Ok((goes_on, said(&damaged, context)));
    }
    let clock = context.clock();
    let mut text = String::new();
    if !rows.is_empty() {
        text = runs_human(&rows, &clock);
        text.push('\n');
    }
    let KnownRun {
        row,
        events,
        history,
        ..
    } = &latest;
    let report = run_report(&row.plan, &row.run_id, events.iter().collect());
    let names = names(&report, arguments);
    let typed = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened { options, .. } => Some(&options[..]),
        _ => None,
    });
    let typed = typed.unwrap_or_default();
    // A state machine that was followed to its end starts nothing more.
    let is_followed = report.verdict == Verdict::Unfinished && history.ended.is_none();
    let typed = match is_followed {
        true => typed.to_vec(),
        false => without_on(typed),
    };
    let (options, secrets) = recorded_options(&typed);
    let detail = StatusDetail {
        row,
        report: &report,
        last: events.last().map(|recorded| recorded.at),
        names: &names,
        options: &options,
        secrets: &secrets,
    };
    text.push_str(&status_human(&detail, SystemClock.now(), &clock));
    context.output.result(&text)?;
    Ok((goes_on, said(&damaged, context)))
}

/// Returns the path of the plan file from here: as typed now, else as the run was given it, perhaps elsewhere.
fn file(report: &RunReport, arguments: &Status) -> PathBuf {
    let typed = arguments.plan.as_ref().filter(|plan| plan.is_file());
    let recorded = PathBuf::from(report.file.as_deref().unwrap_or(&report.plan));
    match typed {
        Some(typed) => typed.clone(),
        None if recorded.exists() => recorded,
        None => {
            // The state is next to the plan, or above it.
            let next_to = arguments.state.state.parent().map(|of| of.join(&recorded));
            next_to.filter(|path| path.exists()).unwrap_or(recorded)
        }
    }
}

/// Returns the words by which a command names a plan, a run of it, and the place of its journal.
fn names(report: &RunReport, arguments: &Status) -> String {
    let mut names = quoted_path(&file(report, arguments).to_string_lossy());
    if report.run_id != "main" {
        names.push_str(&format!(" --run-id {}", report.run_id));
    }
    if let Some(Endpoint::Other { url }) = &report.world {
        names.push_str(&format!(" --endpoint-url {}", quoted(url)));
    }
    let state = arguments.state.state.to_string_lossy();
    // A rehearsal is kept where `--state` says so, and nowhere else.
    if state != ".redrill" || report.world == Some(Endpoint::Rehearsal) {
        names.push_str(&format!(" --state {}", quoted(&state)));
    }
    if let Some(profile) = &arguments.state.state_profile {
        names.push_str(&format!(" --state-profile {}", quoted(profile)));
    }
    names
}

/// A run as its journal has it.
struct KnownRun {
    row: StatusRow,
    history: History,
    places: Places,
    /// Restores whose requests hold a secret.
    secretive: HashSet<RestoreName>,
    events: Vec<Recorded>,
}

impl KnownRun {
    async fn read(store: &Store, run: RunKey) -> Result<Self, Failure> {
        let mut history = History::default();
        let mut places = Places::default();
        let mut secretive = HashSet::new();
        let mut events = Vec::new();
        let take = |recorded: Recorded| {
            if let Event::Intended {
                restore, request, ..
            } = &recorded.event
                && request.hides_secret()
            {
                secretive.insert(restore.clone());
            }
            history.take(&recorded).map_err(Stopped::from)?;
            places.take(&recorded.event);
            events.push(recorded);
            Ok::<(), Failure>(())
        };
        journal::each(store, &run, take).await?;
        let holder = store.holder(&run).await?;
        // Of whoever is not heard of any more somebody has to take the run up.
        let holder = holder.filter(|owner| !owner.is_silent(SystemClock.now()));
        let holder = holder.map(|owner| owner.to_string());
        let mut row = StatusRow::new(run.plan, run.run, holder, &history, &places.targets);
        row.conceal(&secretive);
        Ok(Self {
            row,
            history,
            places,
            secretive,
            events,
        })
    }
}

/// Asks AWS about the jobs of a run that have not ended; whether it answers.
async fn refresh(
    known: &mut KnownRun,
    options: &AwsOptions,
    context: &mut Context<'_>,
) -> Result<bool, Failure> {
    let KnownRun {
        row,
        history,
        places,
        secretive,
        ..
    } = known;
    let mut restores: HashMap<&JobId, &RestoreName> = HashMap::new();
    let mut running: Indexed<PlaceIndex, _> = vec![BTreeMap::new(); places.targets.len()].into();
    for (restore, past) in &history.observed.restores {
        let place = places.place(restore);
        if let (RestoreStage::Running { job_id }, Some(jobs)) =
            (&past.stage, running.get_mut(place))
        {
            jobs.insert(job_id.clone(), past.intended_at);
            restores.insert(job_id, restore);
        }
    }
    let pace = Pace::of(
        places.targets.iter().map(Target::place),
        keeping(options.endpoint_url.as_deref(), false),
        SystemClock.now(),
    );
    for (place, (target, jobs)) in places.targets.iter().zip(running).enumerate() {
        if jobs.is_empty() {
            continue;
        }
        let role = target.assume_role_arn.as_deref();
        if role.is_some_and(|role| role.contains(REDACTED)) {
            context.output.note(
                "this is what the journal says; AWS is not asked, because the role to ask it with is a secret of the plan",
            );
            continue;
        }
        let settings = context.settings(options, target)?;
        let aws = Aws::<Reads>::connect(&settings)
            .await
            .map_err(Failure::Aws)?;
        let here = aws.endpoint().await.map_err(Failure::Aws)?;
        let aws = Paced::new(Arc::new(aws), SystemClock, pace.clone(), place);
        if let Some(there) = history.world().filter(|there| there.differs_from(&here)) {
            context.output.note(&format!(
                "{} run {}: this is what the journal says; the run is at {there}, and this command asks {here}",
                row.plan, row.run_id
            ));
            return Ok(true);
        }
        let describe_jobs = describe_jobs(&aws, &target.account, jobs, SystemClock.now());
        let what = "AWS to say how far the jobs are";
        match context.output.patiently(what, describe_jobs).await {
            Ok(jobs) => {
                for mut job in jobs {
                    if let Some(restore) = restores.get(&job.id) {
                        // The job may repeat the secret, which is not known here.
                        if secretive.contains(*restore) {
                            job.created_resource_arn = None;
                            job.message = job.message.map(|_| NOT_SHOWN.to_owned());
                        }
                        row.see(restore, job);
                    }
                }
            }
            Err(error) => {
                context.output.note(&format!(
                    "this is what the journal says; AWS does not answer: {error}"
                ));
                return Ok(false);
            }
        }
    }
    Ok(true)
}
