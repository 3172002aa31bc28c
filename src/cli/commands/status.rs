//! `redrill status [PLAN]`

use std::collections::{BTreeMap, HashMap, HashSet};

use super::Context;
use crate::aws::{Aws, Reads};
use crate::backup::{Clock as _, SystemClock};
use crate::cli::arguments::{AwsOptions, HumanOrJson, Runs};
use crate::cli::exit::{Exit, Failure};
use crate::cli::post_run::Status;
use crate::execute::{Stopped, describe_jobs};
use crate::journal::{self, LocalStore, RunStore as _};
use crate::render::REDACTED;
use crate::report::{StatusRow, status_human, status_json};
use crate::state::{Event, History, Places, Recorded, RestoreStage};

/// In place of AWS's words of a restore that was sent a secret: without the plan's variables nobody can take it out.
const NOT_SHOWN: &str =
    "AWS gives a reason, which is not shown: the request holds a secret; `redrill run` shows it";

/// Every run that is known, as its journal has it.
pub(super) async fn runs(arguments: &Runs, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let all = Status {
        plan: None,
        aws: AwsOptions::default(),
        state: arguments.state.clone(),
        format: arguments.format,
    };
    status(&all, context).await
}

pub(super) async fn status(arguments: &Status, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let store = LocalStore::new(&arguments.state.state);
    let wanted = match &arguments.plan {
        Some(path) => Some(super::plan_name(path)?),
        None => None,
    };
    let mut asks = true;
    let mut rows = Vec::new();
    for run in store.runs().await? {
        if wanted.as_ref().is_some_and(|wanted| *wanted != run.plan) {
            continue;
        }
        let mut history = History::default();
        let mut places = Places::default();
        let mut secretive = HashSet::new();
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
            Ok::<(), Failure>(())
        };
        journal::each(&store, &run, take).await?;
        let holder = store.holder(&run).await?.map(|owner| owner.to_string());
        let mut row = StatusRow::new(run.plan, run.run, holder, &history, &places.targets);
        row.conceal(&secretive);
        // Whoever works on it keeps the journal up to date; otherwise AWS knows more than the journal.
        if row.held_by.is_none() && asks {
            asks = refresh(
                &mut row,
                &history,
                &places,
                &secretive,
                &arguments.aws,
                context,
            )
            .await?;
        }
        rows.push(row);
    }
    match arguments.format {
        HumanOrJson::Human => {
            let text = status_human(&rows, &store.state().to_string_lossy());
            context.output.result(&text)
        }
        HumanOrJson::Json => context.output.document(&status_json(&rows)),
    }?;
    Ok(Exit::Done)
}

/// Asks AWS about the jobs of a run that have not ended; whether it answers.
async fn refresh(
    row: &mut StatusRow,
    history: &History,
    places: &Places,
    secretive: &HashSet<String>,
    options: &AwsOptions,
    context: &mut Context<'_>,
) -> Result<bool, Failure> {
    let mut restores: HashMap<&str, &str> = HashMap::new();
    let mut running = vec![BTreeMap::new(); places.targets.len()];
    for (restore, past) in &history.observed.restores {
        let place = places.place(restore);
        if let (RestoreStage::Running { job_id }, Some(jobs)) =
            (&past.stage, running.get_mut(place))
        {
            jobs.insert(job_id.clone(), past.intended_at);
            restores.insert(job_id, restore);
        }
    }
    for (target, jobs) in places.targets.iter().zip(running) {
        if jobs.is_empty() {
            continue;
        }
        let role = target.assume_role_arn.as_deref();
        if role.is_some_and(|role| role.contains(REDACTED)) {
            context.output.note(
                "as of the journal, because the role that is assumed to ask AWS is a secret of the plan",
            );
            continue;
        }
        let settings = context.settings(options, target)?;
        let aws = Aws::<Reads>::connect(&settings)
            .await
            .map_err(Failure::Aws)?;
        let here = aws.endpoint().await.map_err(Failure::Aws)?;
        if let Some(there) = history.world().filter(|there| there.differs_from(&here)) {
            context.output.note(&format!(
                "{} run {}: as of the journal, because the run is at {there}, and this command asks {here}",
                row.plan, row.run_id
            ));
            return Ok(true);
        }
        let describe_jobs = describe_jobs(&aws, &target.account, jobs, SystemClock.now());
        let what = "AWS to say how far the jobs are";
        match context.output.patiently(what, describe_jobs).await {
            Ok(jobs) => {
                for mut job in jobs {
                    if let Some(restore) = restores.get(&*job.id) {
                        // It may repeat the secret, which is not known here.
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
                    "as of the journal, because AWS does not answer: {error}"
                ));
                return Ok(false);
            }
        }
    }
    Ok(true)
}
