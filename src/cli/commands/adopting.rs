//! `--adopt=JOB`: a job that is named has to be one that a restore of the plan can take, or the restore would start another.

use std::sync::Arc;

use super::clients::Client;
use super::run::EngineRun;
use crate::backup::{Fault, Job, Reader};
use crate::cli::exit::Failure;
use crate::execute::{Whose, whose_without_journal};
use crate::ids::{JobId, StepIndex, TargetIndex};
use crate::plan::Step;
use crate::session::Preview;

/// Refuses jobs that AWS does not know, or that are of no restore of the plan, before anything is sent.
pub(super) async fn check(
    preview: &Preview,
    aws: &[Arc<Client>],
    execution: &EngineRun<'_>,
) -> Result<(), Failure> {
    for id in &execution.policy.chosen {
        let mut restores = preview.history.observed.restores.values();
        let is_own = |own: &JobId| own.is_same(id);
        // Whoever repeats the command names what the run has already.
        if restores.any(|past| past.stage.job_id().is_some_and(is_own)) {
            continue;
        }
        if let Some(why) = stranger(id, preview, aws).await? {
            return Err(Failure::Usage(format!(
                "--adopt names job {id}, which {why}; nothing was started"
            )));
        }
    }
    Ok(())
}

/// Returns why no restore of the plan can take a job.
async fn stranger(
    id: &JobId,
    preview: &Preview,
    aws: &[Arc<Client>],
) -> Result<Option<String>, Failure> {
    let mut why = None;
    for (target, client) in aws.iter().enumerate() {
        let target = TargetIndex::new(target);
        let job = match client.job(id).await {
            Ok(job) => job,
            Err(error) if error.fault == Fault::Refused => continue,
            Err(error) => return Err(Failure::Aws(error)),
        };
        match misfit(&job, target, preview, client).await {
            None => return Ok(None),
            Some(misfit) => why = Some(misfit),
        }
    }
    Ok(Some(why.unwrap_or_else(|| {
        "AWS does not know in the accounts and Regions of the plan".to_owned()
    })))
}

/// Returns why a job of a target belongs to none of the target's restores.
async fn misfit(job: &Job, target: TargetIndex, preview: &Preview, aws: &Client) -> Option<String> {
    let plan = &preview.plan;
    let of_target = || {
        plan.steps
            .positions()
            .filter(|step| plan.steps[*step].target == target)
    };
    // Facts that are known only later are compared then.
    let is_open = |step: &Step| step.draft.waits_for_its_point() || step.draft.selector.is_some();
    let arn = job.recovery_point_arn.as_deref().unwrap_or_default();
    let is_of_point = |step: &StepIndex| plan.steps[*step].draft.request.recovery_point_arn == arn;
    let of_point: Vec<StepIndex> = of_target().filter(is_of_point).collect();
    if of_point.is_empty() {
        return match of_target().any(|step| is_open(&plan.steps[step])) {
            true => None,
            false => Some(format!("restores {arn}, as no restore of this plan does")),
        };
    }
    let whole = of_point
        .iter()
        .all(|step| plan.steps[*step].draft.pending.is_empty());
    // Without its metadata nobody can tell; the run asks for them again.
    let metadata = aws.job_metadata(&job.id).await.ok().filter(|_| whole)?;
    let is_other =
        |step: &StepIndex| whose_without_journal(&metadata, arn, plan, *step) == Whose::Other;
    of_point.iter().all(is_other).then(|| {
        let names: Vec<String> = of_point
            .iter()
            .take(3)
            .map(|step| format!("`{}`", plan.steps[*step].name))
            .collect();
        format!(
            "was started with other metadata than {} has",
            names.join(" or ")
        )
    })
}
