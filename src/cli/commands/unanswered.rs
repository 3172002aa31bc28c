//! A request without an answer that the plan does not ask for any more: whether it has made a job is found out and recorded,
//! before anybody is told of the conflict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Context;
use super::clients::Client;
use super::store::Store;
use crate::backup::{ApiError, Clock, Job, Reader, SystemClock};
use crate::cli::exit::Failure;
use crate::diff::Action;
use crate::execute::{Whose, jobs_of, may_be_since, whose};
use crate::ids::RestoreName;
use crate::journal::{self, RunKey};
use crate::plan::{Identity, Plan, TokenedRequest};
use crate::render::Target;
use crate::report::minute;
use crate::session::Preview;
use crate::state::{Event, Recorded, RestoreStage, RestoreState};

/// Results of settling unanswered requests.
#[derive(Default)]
pub(super) struct SettledRequests {
    /// For the journal.
    pub(super) events: Vec<Recorded>,
    /// For whoever reads of the conflict.
    pub(super) lines: Vec<String>,
}

/// A request that was sent, perhaps.
struct UnansweredRequest<'a> {
    restore: RestoreName,
    past: &'a RestoreState,
    request: TokenedRequest,
}

/// Looks for the jobs of requests that stand against the plan and have no answer.
pub(super) async fn settle(
    preview: &Preview,
    store: &Store,
    run: &RunKey,
    aws: &[Arc<Client>],
    context: &mut Context<'_>,
) -> Result<SettledRequests, Failure> {
    let Preview { plan, diff, .. } = preview;
    let conflicts = diff.changes.iter().filter(|c| c.action == Action::Conflict);
    let names = conflicts.map(|change| plan.steps[change.step].name.as_str());
    let (open, known): (BTreeMap<&str, &RestoreState>, BTreeMap<&str, &RestoreState>) = names
        .chain(diff.lost.iter().map(RestoreName::as_str))
        .filter_map(|name| Some((name, preview.history.observed.restores.get(name)?)))
        .partition(|(_, past)| past.stage == RestoreStage::Intended);
    let mut settled = SettledRequests::default();
    for (name, past) in known {
        if let Some(job) = past.stage.job_id() {
            let line = format!("`{name}`: the request that this run sent has made job {job}");
            settled.lines.push(line);
        }
    }
    if open.is_empty() {
        return Ok(settled);
    }
    let (sent, targets) = sent(store, run, &open).await?;
    for sent in sent {
        let asked = look(plan, &sent, &targets, aws);
        let what = "AWS to say whether a request has made a job";
        let line = match context.output.patiently(what, asked).await {
            Ok(None) => "the target it was sent to is no longer in the plan, so whether it has made a job was not looked \
                         at"
                .to_owned(),
            Ok(Some(found)) => say(&sent, found, &mut settled.events),
            Err(error) => format!("whether it has made a job could not be looked at: {error}"),
        };
        settled.lines.push(format!("`{}`: {line}", sent.restore));
    }
    Ok(settled)
}

/// The latest requests of some restores, and the targets that the run was opened for.
async fn sent<'a>(
    store: &Store,
    run: &RunKey,
    open: &BTreeMap<&str, &'a RestoreState>,
) -> Result<(Vec<UnansweredRequest<'a>>, Vec<Target>), Failure> {
    let mut requests: BTreeMap<RestoreName, TokenedRequest> = BTreeMap::new();
    let mut targets = Vec::new();
    let take = |recorded: Recorded| {
        match recorded.event {
            Event::RunOpened { target, others, .. } => {
                targets = others;
                targets.push(target);
            }
            Event::Intended {
                restore,
                request,
                token,
                ..
            } if open.contains_key(restore.as_str()) => {
                requests.insert(restore, TokenedRequest::new(request, &token));
            }
            _ => {}
        }
        Ok::<(), Failure>(())
    };
    journal::each(store, run, take).await?;
    let sent = requests.into_iter().filter_map(|(restore, request)| {
        let past = *open.get(restore.as_str())?;
        Some(UnansweredRequest {
            restore,
            past,
            request,
        })
    });
    Ok((sent.collect(), targets))
}

/// The jobs that may be a request's; none where nobody can be asked.
async fn look(
    plan: &Plan,
    sent: &UnansweredRequest<'_>,
    targets: &[Target],
    aws: &[Arc<Client>],
) -> Result<Option<Vec<(Job, Whose)>>, ApiError> {
    let UnansweredRequest { past, request, .. } = sent;
    let points = BTreeSet::from([request.recovery_point_arn.as_str()]);
    let since = may_be_since(past, SystemClock.now());
    let mut asked = BTreeSet::new();
    let mut found = Vec::new();
    for (target, aws) in plan.targets.iter().zip(aws) {
        let place = target.place();
        let mut then = targets.iter();
        let was_sent_there = then.any(|of| of.place() == place);
        if !was_sent_there || !asked.insert(place) {
            continue;
        }
        let jobs = jobs_of(
            &**aws,
            &target.account,
            &request.resource_type,
            Some(&points),
            since,
        )
        .await?;
        for job in jobs {
            let identity = Identity {
                plan: &plan.name,
                run: &plan.run_id,
                restore: &sent.restore,
                attempt: past.attempt,
                target,
            };
            match whose(&aws.job_metadata(&job.id).await?, request, &identity) {
                Whose::Other | Whose::OfThisRun => {}
                whose => found.push((job, whose)),
            }
        }
    }
    Ok((!asked.is_empty()).then_some(found))
}

/// Tells the result for a request: a job with the mark is the request's, and the journal gets it.
fn say(
    sent: &UnansweredRequest<'_>,
    found: Vec<(Job, Whose)>,
    events: &mut Vec<Recorded>,
) -> String {
    let at = SystemClock.now();
    let described = |job: &Job| format!("{} ({})", job.id, job.status);
    let (own, alike): (Vec<_>, Vec<_>) = found
        .into_iter()
        .partition(|(_, whose)| *whose == Whose::Own);
    if let [(job, _)] = own.as_slice() {
        events.push(Recorded {
            at,
            aws_ahead: None,
            event: Event::Adopted {
                restore: sent.restore.clone(),
                job_id: job.id.clone(),
                because: "found again by its idempotency mark".to_owned(),
                ours: Some(true),
                ended_at: None,
                former: Vec::new(),
            },
        });
        return format!(
            "the request that this run sent has made job {}; the journal has it now",
            described(job)
        );
    }
    let jobs: Vec<String> = own
        .iter()
        .chain(&alike)
        .map(|(job, _)| described(job))
        .collect();
    if jobs.is_empty() {
        format!(
            "AWS lists no job of the request that this run sent, by {}",
            minute(at)
        )
    } else {
        format!(
            "what asks for the same as the request that this run sent, and may be its job: {}",
            jobs.join(", ")
        )
    }
}
