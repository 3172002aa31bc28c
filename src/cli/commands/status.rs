//! `redrill status [PLAN]`

use super::Context;
use crate::aws::{Aws, Reads};
use crate::cli::arguments::{AwsOptions, HumanOrJson, Status};
use crate::cli::exit::{Exit, Failure};
use crate::diff::{ApiError, Fault, Job, Reader};
use crate::execute::{Event, Recorded, Stopped, replay};
use crate::journal;
use crate::report::{StatusRow, status_human, status_json};

pub(super) async fn status(arguments: &Status, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let state = &arguments.state.state;
    let wanted = match &arguments.plan {
        Some(path) => Some(super::plan_name(path)?),
        None => None,
    };
    let mut asks = true;
    let mut rows = Vec::new();
    for (plan, run) in journal::runs(state)? {
        if wanted.as_ref().is_some_and(|wanted| *wanted != plan) {
            continue;
        }
        let directory = journal::directory(state, &plan, &run);
        let events = journal::read(&directory)?;
        let observed = replay(&events).map_err(Stopped::from)?;
        let holder = journal::holder(&directory)?.map(|owner| owner.to_string());
        let mut row = StatusRow::new(plan, run, holder, &observed);
        // Whoever works on it keeps the journal up to date; otherwise AWS knows more than the journal.
        if row.held_by.is_none() && asks {
            asks = refresh(&mut row, &events, &arguments.aws, context).await?;
        }
        rows.push(row);
    }
    let text = match arguments.format {
        HumanOrJson::Human => status_human(&rows, &state.to_string_lossy()),
        HumanOrJson::Json => status_json(&rows),
    };
    context.output.result(&text)?;
    Ok(Exit::Done)
}

/// Asks AWS about the jobs of a run that have not ended; whether it answers.
async fn refresh(
    row: &mut StatusRow,
    events: &[Recorded],
    options: &AwsOptions,
    context: &mut Context<'_>,
) -> Result<bool, Failure> {
    let running = row.running();
    let targets = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened { target, others, .. } => Some(std::iter::once(target).chain(others)),
        _ => None,
    });
    let Some(targets) = targets.filter(|_| !running.is_empty()) else {
        return Ok(true);
    };
    let mut aws = Vec::new();
    for target in targets {
        aws.push(Aws::<Reads>::connect(&context.settings(options, target)?).await);
    }
    for (restore, job_id) in running {
        match find(&aws, &job_id).await {
            Ok(job) => row.see(&restore, job),
            Err(err) => {
                context.output.note(&format!(
                    "as of the journal, because AWS does not answer: {err}"
                ));
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// A job, in whichever target it is: the journal does not say.
async fn find(aws: &[Aws<Reads>], job_id: &str) -> Result<Job, ApiError> {
    let mut found = Err(ApiError {
        operation: "DescribeRestoreJob",
        fault: Fault::Refused,
        code: None,
        message: "the run has no target".to_owned(),
    });
    for aws in aws {
        found = aws.job(job_id).await;
        match &found {
            Err(error) if error.may_mean_absence() => {}
            _ => break,
        }
    }
    found
}
