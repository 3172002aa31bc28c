//! A run that is opened again: is what it made still there? Another copy of its journal does not know of a cleanup, and nothing
//! is built on what is gone, judged, or called restored.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Context;
use super::clients::Client;
use super::run::EngineRun;
use crate::backup::{ApiError, Clock, Endpoint, Reader, SystemClock, ask_all};
use crate::cli::exit::Failure;
use crate::diff::Action;
use crate::ids::StepIndex;
use crate::plan::Plan;
use crate::render::REDACTED;
use crate::session::Preview;
use crate::state::{Event, Recorded, RestoreStage};

/// Resource that a restore has made, by its step, and its name in the journal: there may be a secret in it.
type MadeByStep = (StepIndex, String, String);

/// Finds what of the run is gone, as events that its journal does not have yet; and the ARNs of the callers, where their
/// accounts were looked at and are the targets'. `judges` says whether the plan as a whole is judged now.
pub(super) async fn gone(
    preview: &Preview,
    judges: bool,
    aws: &[Arc<Client>],
    execution: &EngineRun<'_>,
    context: &mut Context<'_>,
) -> Result<(Vec<Recorded>, Option<Vec<String>>), Failure> {
    let plan = &preview.plan;
    let made = looked_for(preview, judges);
    if made.is_empty() || execution.rehearsal || !is_one_endpoint(aws, execution).await? {
        return Ok((Vec::new(), None));
    }
    // Credentials of another account do not see it.
    let callers = match super::callers(aws, &plan.targets).await {
        Ok(callers) => callers,
        Err(failure) => {
            let message =
                format!("whether what this run made is still there was not looked at: {failure}");
            context.output.note(&message);
            return Ok((Vec::new(), None));
        }
    };
    let what = "AWS to say whether what this run made is still there";
    let asked = ask(plan, made, aws);
    let asked = context.output.patiently(what, asked).await;
    let gone = match asked {
        Ok(gone) => gone,
        Err(error) => {
            let message = format!(
                "whether what this run made is still there could not be looked at: {error}"
            );
            context.output.note(&message);
            return Ok((Vec::new(), Some(callers)));
        }
    };
    for (step, _, arn) in &gone {
        let name = &plan.steps[*step].name;
        context.output.note(&format!(
            "{name}: {arn} no longer exists, and this run's journal here does not know who deleted it"
        ));
    }
    let at = SystemClock.now();
    let event = |(step, _, arn): MadeByStep| Recorded {
        at,
        aws_ahead: None,
        event: Event::Deleted {
            restore: plan.steps[step].name.clone(),
            arn,
        },
    };
    Ok((gone.into_iter().map(event).collect(), Some(callers)))
}

/// Returns true if resources are looked for at the endpoint that has made them: another knows none of them.
async fn is_one_endpoint(aws: &[Arc<Client>], execution: &EngineRun<'_>) -> Result<bool, Failure> {
    for aws in aws {
        let of_resources = aws
            .reader()
            .endpoint_of_resources()
            .await
            .map_err(Failure::Aws)?;
        if (of_resources == Endpoint::Aws) != (execution.reached.endpoint == Endpoint::Aws) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Lists all that a run made that had ended, or that is judged as a whole; else what is built on or judged now.
fn looked_for(preview: &Preview, judges: bool) -> Vec<MadeByStep> {
    let Preview {
        plan,
        history: before,
        known,
        diff,
        ..
    } = preview;
    let observed = &before.observed;
    // A resource that was switched over to may have another name since.
    if !observed.cutover.is_empty() {
        return Vec::new();
    }
    let is_all = before.ended.is_some() || judges;
    let of = |action| {
        let changes = diff.changes.iter();
        changes
            .filter(move |change| change.action == action)
            .map(|change| change.step)
    };
    let mut steps: BTreeSet<StepIndex> = of(Action::Resume).collect();
    for step in of(Action::Start) {
        steps.extend(plan.steps[step].needs.iter().copied());
    }
    let wanted = plan
        .steps
        .positions()
        .filter(|step| is_all || steps.contains(step));
    wanted
        .filter_map(|step| {
            let name = plan.steps[step].name.as_str();
            let past = observed.restores.get(name)?;
            let RestoreStage::Completed {
                created_resource_arn: Some(arn),
                ..
            } = &past.stage
            else {
                return None;
            };
            // One that does not fit what was asked for is nobody's to speak of.
            let is_own = past.deletion.is_none() && !past.others.contains_key(arn);
            let created = known.created.get(name).map(|created| &created.resource_arn);
            let asked = created.unwrap_or(arn);
            // AWS has not said what it is in clear.
            let is_clear = !asked.contains(REDACTED);
            (is_own && is_clear).then(|| (step, asked.clone(), arn.clone()))
        })
        .collect()
}

/// Asks for all of it, until an answer is none.
async fn ask(
    plan: &Plan,
    made: Vec<MadeByStep>,
    aws: &[Arc<Client>],
) -> Result<Vec<MadeByStep>, ApiError> {
    let questions = made.into_iter().map(async |made| {
        let (step, asked, _) = &made;
        let of = &plan.steps[*step];
        let is_there = aws[of.target.get()]
            .is_there(asked, &of.draft.request)
            .await?;
        Ok((made, is_there))
    });
    let mut gone = Vec::new();
    let take = |(made, is_there)| {
        if is_there == Some(false) {
            gone.push(made);
        }
    };
    ask_all(questions, take).await?;
    gone.sort();
    Ok(gone)
}
