//! Traces at AWS, and in other runs here, of a run that has no journal here: the same under another name, and jobs of
//! its recovery points. They are reported before anything starts.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::clients::Client;
use super::on_step_functions::refuse_begun;
use super::run::EngineRun;
use crate::backup::{ApiError, Clock, Fault, Job, Reader, SystemClock, ask_all};
use crate::cli::exit::Failure;
use crate::diff::{Action, Diff};
use crate::execute::{DuplicatePolicy, Whose, jobs_of, listed_since, whose_without_journal};
use crate::ids::{JobId, RestoreName, StepIndex, TargetIndex};
use crate::journal::{self, RunKey};
use crate::plan::{MARK, Plan};
use crate::report::minute;
use crate::session::Loaded;
use crate::state::{Event, Recorded};

/// Of so many jobs it is asked what they were asked for; the engine compares each restore with all of its own.
const COMPARED: usize = 100;

/// Restores that would start, by target, type and recovery point.
type Starting<'a> = BTreeMap<(TargetIndex, &'a str), BTreeMap<&'a str, StepIndex>>;

fn starting<'a>(plan: &'a Plan, diff: &Diff) -> Starting<'a> {
    let mut starting = Starting::new();
    let starts = diff.changes.iter().filter(|c| c.action == Action::Start);
    for change in starts {
        let step = &plan.steps[change.step];
        if step.draft.waits_for_its_point() {
            continue;
        }
        let request = &step.draft.request;
        starting
            .entry((step.target, &request.resource_type))
            .or_default()
            .entry(&request.recovery_point_arn)
            .or_insert(change.step);
    }
    starting
}

/// Names what was begun elsewhere, a line each, for whoever is asked; refuses where it was begun by this very run.
///
/// # Errors
///
/// A job of this run that asks for something else than the plan does.
pub(super) async fn begun_elsewhere(
    loaded: &Loaded,
    plan: &Plan,
    diff: &Diff,
    aws: &[Arc<Client>],
    execution: &EngineRun<'_>,
    context: &mut Context<'_>,
) -> Result<Vec<String>, Failure> {
    let starting = starting(plan, diff);
    if starting.is_empty() || execution.rehearsal {
        return Ok(Vec::new());
    }
    let mut lines: Vec<String> = other_names(plan, &starting, execution).await;
    let asked = ask(plan, &starting, aws);
    let found = match context
        .output
        .patiently("AWS to list restore jobs", asked)
        .await
    {
        Ok(found) => found,
        // A state machine looks at nothing before it starts.
        Err(error) if execution.reached.machines.is_some() => return Err(Failure::Aws(error)),
        // The engine asks again, and has the patience.
        Err(error) => {
            if !matches!(error.fault, Fault::Denied | Fault::Refused) {
                let message =
                    format!("whether others restore the same could not be looked at yet: {error}");
                context.output.note(&message);
            }
            Vec::new()
        }
    };
    if let Some(machines) = &execution.reached.machines {
        let own = found.iter().filter(|(step, _, whose)| {
            let region = &plan.target_of(&plan.steps[*step]).region;
            matches!(whose, Whose::Own | Whose::OtherAttempt | Whose::OfThisRun)
                && machines.is_to_start(region)
        });
        let own: Vec<&str> = own
            .map(|(step, ..)| plan.steps[*step].name.as_str())
            .collect();
        refuse_begun(execution.run_id, &own)?;
    }
    let shown = |text: &str| loaded.planner.secrets().redact(text).into_owned();
    let of_run = |(_, _, whose): &&(StepIndex, Job, Whose)| *whose == Whose::OfThisRun;
    let own: Vec<String> = found
        .iter()
        .filter(of_run)
        .map(|(step, job, _)| format!("  {}: {}", plan.steps[*step].name, described(job)))
        .collect();
    if !own.is_empty() && execution.policy.duplicates != DuplicatePolicy::StartAnyway {
        return Err(Failure::Conflict(shown(&format!(
            "run {} of {} has been begun elsewhere, with another request; its journal is not here. Nothing was started.\n{}\n\
             Each has the mark of this run and restore. Undo the change in the plan and run again, which takes the job up; or \
             give the new request a run of its own: {}",
            execution.run_id,
            plan.name,
            own.join("\n"),
            execution.again_anew(&plan.name)
        ))));
    }
    lines.extend(found.iter().filter_map(|(step, job, whose)| {
        let name = &plan.steps[*step].name;
        let is_named = match whose {
            Whose::OfThisRun => true,
            Whose::Other => !job.status.is_final(),
            // The engine takes it up, or asks about it.
            Whose::Own | Whose::OtherAttempt | Whose::Alike => false,
        };
        is_named.then(|| {
            format!(
                "{name}: its recovery point is being restored already, by {}",
                described(job)
            )
        })
    }));
    Ok(lines.iter().map(|line| shown(line)).collect())
}

fn described(job: &Job) -> String {
    let since = job
        .created_at
        .map_or_else(String::new, |at| format!(" since {}", minute(at)));
    format!("job {} ({}{since})", job.id, job.status)
}

/// The jobs of the recovery points, each with the restore that it is seen from.
async fn ask(
    plan: &Plan,
    starting: &Starting<'_>,
    aws: &[Arc<Client>],
) -> Result<Vec<(StepIndex, Job, Whose)>, ApiError> {
    let since = listed_since(SystemClock.now());
    let mut found = Vec::new();
    for ((place, resource_type), points) in starting {
        let aws = &aws[place.get()];
        let account = &plan.targets[*place].account;
        let jobs = jobs_of(&**aws, account, resource_type, None, since).await?;
        let is_of_points = |job: &Job| {
            let arn = job.recovery_point_arn.as_deref();
            arn.is_some_and(|arn| points.contains_key(arn))
        };
        let (jobs, others): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(is_of_points);
        let steps: Vec<StepIndex> = points.values().copied().collect();
        found.extend(of_this_run(plan, &steps, others, aws).await?);
        let compared = jobs.into_iter().filter_map(|job| {
            let step = *points.get(job.recovery_point_arn.as_deref()?)?;
            let tells = plan.steps[step].draft.takes_mark || !job.status.is_final();
            tells.then_some((step, job))
        });
        let compared = compared.take(COMPARED.saturating_sub(found.len()));
        let questions = compared.map(async |(step, job)| {
            let metadata = match aws.job_metadata(&job.id).await {
                Ok(metadata) => Some(metadata),
                // A job that has just begun may not be known everywhere yet: it is named, and not judged.
                Err(error) if error.fault == Fault::Refused => None,
                Err(error) => return Err(error),
            };
            Ok((step, job, metadata))
        });
        let take = |(step, job, metadata): (StepIndex, Job, Option<_>)| {
            let Some(metadata) = metadata else {
                found.push((step, job, Whose::Other));
                return;
            };
            let arn = job.recovery_point_arn.as_deref().unwrap_or_default();
            let of_point = plan.steps.positions().filter(|at| {
                let of = &plan.steps[*at];
                of.target == *place && of.draft.request.recovery_point_arn == arn
            });
            let (step, whose) = of_point
                .map(|at| (at, whose_without_journal(&metadata, arn, plan, at)))
                .find(|(_, whose)| *whose != Whose::Other)
                .unwrap_or((step, Whose::Other));
            found.push((step, job, whose));
        };
        ask_all(questions, take).await?;
    }
    Ok(found)
}

/// Jobs of other recovery points that are this run's by their marks: a selector or a lock means another point by now, or the
/// plan names one. Of the latest it is asked what they were asked for.
async fn of_this_run(
    plan: &Plan,
    steps: &[StepIndex],
    mut others: Vec<Job>,
    aws: &Arc<Client>,
) -> Result<Vec<(StepIndex, Job, Whose)>, ApiError> {
    /// With so many restores each is tried; of more, those that ask for the very same metadata.
    const TRIED: usize = 200;
    if !steps.iter().any(|at| plan.steps[*at].draft.takes_mark) {
        return Ok(Vec::new());
    }
    others.sort_by_key(|job| Reverse(job.created_at));
    others.truncate(COMPARED);
    let mut found = Vec::new();
    let questions = others.into_iter().map(async |job| {
        match aws.job_metadata(&job.id).await {
            Ok(metadata) => Ok((job, metadata)),
            // A refusal says nothing of whose the job is, and the engine looks again while it starts things.
            Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => {
                Ok((job, BTreeMap::new()))
            }
            Err(error) => Err(error),
        }
    });
    let take = |(job, metadata): (Job, BTreeMap<String, String>)| {
        let arn = job.recovery_point_arn.as_deref().unwrap_or_default();
        if !metadata.keys().any(|key| key.eq_ignore_ascii_case(MARK)) {
            return;
        }
        let same = |at: &StepIndex| {
            let request = &plan.steps[*at].draft.request;
            let mut wanted = request.metadata.iter();
            steps.len() <= TRIED
                || wanted.all(|(key, value)| metadata.get(key).is_some_and(|has| *has == *value))
        };
        let own = steps.iter().copied().filter(same).find(|at| {
            let whose = whose_without_journal(&metadata, arn, plan, *at);
            whose == Whose::OfThisRun
        });
        if let Some(step) = own {
            found.push((step, job, Whose::OfThisRun));
        }
    };
    ask_all(questions, take).await?;
    Ok(found)
}

/// Runs of this id under the names of other plans that have restored the same recovery points at the same endpoint: the plan
/// may have been given another name since.
async fn other_names(
    plan: &Plan,
    starting: &Starting<'_>,
    execution: &EngineRun<'_>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let runs = execution.runs.iter();
    for other in runs.filter(|of| of.run == *execution.run_id && of.plan != plan.name) {
        let mut same: BTreeMap<RestoreName, StepIndex> = BTreeMap::new();
        let mut jobs: BTreeMap<RestoreName, JobId> = BTreeMap::new();
        let mut is_here = true;
        // A damaged journal of another run is no reason not to start this one.
        let take = |recorded: Recorded| {
            match recorded.event {
                Event::RunOpened {
                    world: Some(world), ..
                } => is_here &= !world.differs_from(&execution.reached.endpoint),
                Event::Intended {
                    restore, request, ..
                } => {
                    let mut points = starting.values();
                    let arn = request.recovery_point_arn.as_str();
                    if let Some(step) = points.find_map(|points| points.get(arn)) {
                        same.insert(restore, *step);
                    }
                }
                Event::Accepted {
                    restore, job_id, ..
                }
                | Event::Adopted {
                    restore, job_id, ..
                } => {
                    jobs.insert(restore, job_id);
                }
                _ => {}
            }
            Ok::<(), journal::Error>(())
        };
        let _ = journal::each(&execution.store, other, take).await;
        let Some((restore, step)) = same.iter().find(|_| is_here) else {
            continue;
        };
        let job = jobs.get(restore);
        let job = job.map_or_else(String::new, |job| format!(", with job {job}"));
        let more = match same.len() {
            1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        let RunKey { plan: other, run } = other;
        lines.push(format!(
            "{}: run {run} of the plan `{other}` has restored its recovery point{job}{more}; if this is that plan under another \
             name, write `plan: {other}` again: run {run} then continues from there",
            plan.steps[*step].name
        ));
    }
    lines
}
