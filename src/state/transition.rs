//! The one table of what may follow what in the life of a restore.

use std::sync::Arc;

use super::deletion::{next_deletion, of_others, remember};
use super::event::NOT_RUN;
use super::{CheckVerdict, Event, Recorded};
use crate::ids::{JobId, RestoreName};
use crate::plan::{MARK, mark};
use crate::render::Resolved;
use crate::state::{
    Begins, CheckProgress, CheckStage, RestoreStage, RestoreState, RunState, Sent, Told, incomplete,
};

/// An event that cannot have happened: the journal is not one that redrill wrote.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{restore}` is {was}, and the event says {event}")]
pub struct Illegal {
    restore: RestoreName,
    was: String,
    event: String,
}

/// Replays the events of a run to the state of every restore.
///
/// # Errors
///
/// The first event that cannot follow those before it.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Result<RunState, Illegal> {
    let mut observed = RunState::default();
    for recorded in events {
        apply(&mut observed, recorded)?;
    }
    Ok(observed)
}

/// Takes one event in.
///
/// # Errors
///
/// Where it cannot follow what was.
pub fn apply(observed: &mut RunState, recorded: &Recorded) -> Result<(), Illegal> {
    if let Event::Resolved { restore, point, .. } = &recorded.event {
        return resolve(observed, recorded, restore, point);
    }
    let Some(restore) = recorded.event.restore() else {
        of_the_whole(observed, &recorded.event)?;
        begin(observed, &recorded.event);
        return Ok(());
    };
    let (name, past) = match observed.restores.remove_entry(restore) {
        Some((name, past)) => (name, Some(past)),
        None => (restore.clone(), None),
    };
    observed.restores.insert(name, next(past, recorded)?);
    begin(observed, &recorded.event);
    Ok(())
}

/// Keeps how a check that begins is found again, until it has ended.
fn begin(observed: &mut RunState, event: &Event) {
    let key = |restore: &Option<RestoreName>, cutover: &bool, check: &str| -> Begins {
        (restore.clone(), *cutover, check.to_owned())
    };
    match event {
        Event::CheckStarted {
            restore,
            check,
            cutover,
            begun: Some(begun),
            ..
        } => {
            let begun = (**begun).clone();
            observed.begun.insert(key(restore, cutover, check), begun);
        }
        Event::CheckStarted {
            restore,
            check,
            cutover,
            ..
        }
        | Event::CheckEnded {
            restore,
            check,
            cutover,
            ..
        } if !observed.begun.is_empty() => {
            observed.begun.remove(&key(restore, cutover, check));
        }
        _ => {}
    }
}

/// A selector may be resolved anew as long as no job hangs on what it was: before the first request, or for another
/// attempt of one that has failed.
fn resolve(
    observed: &mut RunState,
    recorded: &Recorded,
    restore: &RestoreName,
    point: &Resolved,
) -> Result<(), Illegal> {
    let past = observed.restores.get(restore);
    if let Some(past) = past
        && past.stage.was_sent()
        && !matches!(past.stage, RestoreStage::Failed { .. })
    {
        return Err(Illegal {
            restore: restore.to_owned(),
            was: format!("{:?}", past.stage),
            event: format!("{:?}", recorded.event),
        });
    }
    let point = Arc::new(point.clone());
    observed.resolved.insert(restore.to_owned(), point);
    Ok(())
}

/// Takes in an event that belongs to no restore: the checks of the plan as a whole, and the cutover.
fn of_the_whole(observed: &mut RunState, event: &Event) -> Result<(), Illegal> {
    let (Event::CheckStarted { check, cutover, .. } | Event::CheckEnded { check, cutover, .. }) =
        event
    else {
        return Ok(());
    };
    let checks = if *cutover {
        &mut observed.cutover
    } else {
        &mut observed.checks
    };
    let was = checks.get(check);
    let is = next_check(was, event).ok_or_else(|| Illegal {
        restore: RestoreName::new(check.as_str()),
        was: format!("{was:?}"),
        event: format!("{event:?}"),
    })?;
    checks.insert(check.clone(), is);
    Ok(())
}

/// Returns the progress of a check after an event; none if the event cannot follow. A check that has passed is run
/// again only if the plan wants something else of it since; a step of the cutover never is.
fn next_check(was: Option<&CheckProgress>, event: &Event) -> Option<CheckProgress> {
    let starts = was.map_or(0, |was| was.starts);
    match event {
        Event::CheckStarted {
            nth,
            cutover,
            definition,
            ..
        } if *nth == starts + 1 => {
            let is_other = |was: &CheckProgress| {
                let definition = definition.as_ref().filter(|_| !cutover);
                definition.is_some_and(|is| was.under(is).is_none())
            };
            let may_start = was.is_none_or(|was| was.is != CheckStage::Passed || is_other(was));
            may_start.then(|| CheckProgress {
                starts: *nth,
                is: CheckStage::Started,
                definition: definition.clone(),
            })
        }
        Event::CheckEnded {
            nth,
            verdict,
            message,
            ..
        } if *nth == starts && was.is_some_and(|was| was.is == CheckStage::Started) => {
            let definition = was.and_then(|was| was.definition.clone());
            let is_run = !message.as_ref().is_some_and(|why| why.starts_with(NOT_RUN));
            let is = match verdict {
                CheckVerdict::Passed => CheckStage::Passed,
                CheckVerdict::Again => CheckStage::Again,
                CheckVerdict::Failed if is_run => CheckStage::Failed,
                CheckVerdict::Failed => CheckStage::NotRun,
            };
            Some(CheckProgress {
                starts,
                is,
                definition,
            })
        }
        _ => None,
    }
}

/// Applies an event to a completed restore: it is checked, AWS Backup is told, what it made is deleted.
fn after_completion(past: &RestoreState, event: &Event) -> Option<RestoreState> {
    let mut past = past.clone();
    match (event, &past.deletion) {
        (
            Event::CheckStarted {
                check,
                cutover: false,
                ..
            }
            | Event::CheckEnded {
                check,
                cutover: false,
                ..
            },
            None,
        ) => {
            let is = next_check(past.checks.get(check), event)?;
            past.checks.insert(check.clone(), is);
            // The check leads to another verdict, which AWS Backup may take.
            past.told = past.told.filter(|told| *told != Told::Refused);
        }
        (Event::Published { status, .. }, None) if !past.checks.is_empty() => {
            past.told = Some(match status.as_str() {
                "SUCCESSFUL" => Told::Successful,
                _ => Told::Failed,
            });
        }
        (Event::NotPublished { .. }, None) if !past.checks.is_empty() => {
            past.told = Some(Told::Refused);
        }
        (
            Event::Deleting { .. } | Event::Deleted { .. } | Event::DeletionFailed { .. },
            deletion,
        ) => {
            past.deletion = Some(next_deletion(deletion.as_ref(), event)?);
        }
        (Event::Nested { .. }, _) => {}
        _ => return None,
    }
    Some(past)
}

/// Returns the state of a restore after an event.
///
/// # Errors
///
/// Where the event cannot follow what was.
pub fn next(past: Option<RestoreState>, recorded: &Recorded) -> Result<RestoreState, Illegal> {
    let event = &recorded.event;
    if let Some(is) = past.as_ref().and_then(|past| of_others(past, event)) {
        return is.ok_or_else(|| illegal(past.as_ref(), event));
    }
    let mut past = past;
    let others = past.as_mut().map(|past| std::mem::take(&mut past.others));
    let mut is = stage_after(past, recorded)?;
    is.others = others.unwrap_or_default();
    remember(&mut is, event);
    Ok(is)
}

fn illegal(past: Option<&RestoreState>, event: &Event) -> Illegal {
    Illegal {
        restore: event.restore().cloned().unwrap_or_default(),
        was: past.map_or_else(|| "untouched".to_owned(), |p| format!("{:?}", p.stage)),
        event: format!("{event:?}"),
    }
}

/// Returns the state of a restore after an event that is a step in its life.
fn stage_after(past: Option<RestoreState>, recorded: &Recorded) -> Result<RestoreState, Illegal> {
    use RestoreStage::{Completed, Failed, Intended, Running, Skipped, Withdrawn};
    let event = &recorded.event;
    let past = match past {
        // A second job says nothing of the restore's own.
        Some(past) if matches!(event, Event::SecondJob { .. }) && past.stage.job_id().is_some() => {
            return Ok(past);
        }
        past => past,
    };
    let attempt = past.as_ref().map_or(1, |past| past.attempt);
    let stage = past.as_ref().map(|past| &past.stage);
    let stage = match (stage, event) {
        // Sent for the first time, after a refusal of the caller, or as the next attempt of what has failed.
        (None | Some(Skipped | Withdrawn), Event::Intended { attempt: n, .. }) if *n == attempt => {
            return Ok(intended(past, recorded));
        }
        (Some(Failed { .. }), Event::Intended { attempt: n, .. }) if *n == attempt + 1 => {
            return Ok(intended(past, recorded));
        }
        // A later attempt, which somebody has made elsewhere, is adopted.
        (
            None | Some(Skipped | Withdrawn | Failed { .. }),
            Event::Intended {
                attempt: n,
                adopts: Some(_),
                ..
            },
        ) if *n > attempt => {
            return Ok(intended(past, recorded));
        }
        (
            None | Some(Skipped | Withdrawn),
            Event::Rejected {
                attempt: n,
                message,
                ..
            },
        ) if *n == attempt => {
            return Ok(rejected(past, recorded, *n, message));
        }
        (
            Some(Failed { .. }),
            Event::Rejected {
                attempt: n,
                message,
                ..
            },
        ) if *n == attempt + 1 => {
            return Ok(rejected(past, recorded, *n, message));
        }
        (Some(Intended), Event::Accepted { job_id, .. } | Event::Adopted { job_id, .. }) => {
            Running {
                job_id: job_id.clone(),
            }
        }
        // Of the job that it had AWS knows nothing, and another was found or chosen in its place.
        (Some(Running { job_id: was }), Event::Adopted { job_id, .. }) if was != job_id => {
            Running {
                job_id: job_id.clone(),
            }
        }
        // The resource that AWS names is not the one asked for: nothing is back that could be built on.
        (
            Some(Running { job_id }),
            Event::Completed {
                mismatch: Some(why),
                ..
            },
        ) => Failed {
            job_id: Some(job_id.clone()),
            message: format!("COMPLETED, but {why}"),
        },
        (Some(Intended), Event::Withdrawn { .. }) => Withdrawn,
        (Some(Intended), Event::Refused { message, .. }) => Failed {
            job_id: None,
            message: message.clone(),
        },
        (
            Some(running @ Running { .. }),
            Event::StatusChanged { .. } | Event::Overdue { .. } | Event::Nested { .. },
        ) => running.clone(),
        // Whoever cleans up asks for the nested jobs of one that has failed, too.
        (Some(failed @ Failed { .. }), Event::Nested { .. }) => failed.clone(),
        (
            Some(Running { job_id }),
            Event::Completed {
                created_resource_arn,
                ..
            },
        ) => Completed {
            job_id: job_id.clone(),
            created_resource_arn: created_resource_arn.clone(),
        },
        (
            Some(Running { job_id }),
            Event::Failed {
                status, message, ..
            },
        ) => Failed {
            job_id: Some(job_id.clone()),
            message: format!("{status}: {message}"),
        },
        (None | Some(Skipped | Withdrawn), Event::Skipped { .. }) => Skipped,
        _ => {
            let completed = past
                .as_ref()
                .filter(|past| matches!(past.stage, Completed { .. }));
            if let Some(past) = completed.and_then(|past| after_completion(past, event)) {
                return Ok(past);
            }
            return Err(illegal(past.as_ref(), event));
        }
    };
    let is_incomplete = match event {
        Event::Completed { message, .. } => incomplete(message.as_deref()).is_some(),
        _ => false,
    };
    Ok(match past {
        Some(mut past) => {
            if let Event::Adopted { former, .. } = event {
                past.adopted = true;
                past.former.extend_from_slice(former);
            }
            RestoreState {
                stage,
                is_incomplete,
                ..past
            }
        }
        None => RestoreState::new(recorded.at, stage),
    })
}

/// The jobs of what were attempts before this one.
fn former(past: Option<RestoreState>) -> Vec<JobId> {
    past.map_or_else(Vec::new, |past| {
        let mut former = past.former;
        former.extend(past.stage.job_id().cloned());
        former
    })
}

fn intended(before: Option<RestoreState>, recorded: &Recorded) -> RestoreState {
    let past = RestoreState {
        former: former(before),
        ..RestoreState::new(recorded.at, RestoreStage::Intended)
    };
    let Event::Intended {
        attempt,
        token,
        digest,
        request,
        aws_at,
        adopts,
        ..
    } = &recorded.event
    else {
        return past;
    };
    RestoreState {
        attempt: *attempt,
        sent: Some(Sent {
            token: token.clone(),
            digest: digest.clone(),
        }),
        is_marked: request.metadata.get(MARK) == Some(&mark(token)),
        aws_at: *aws_at,
        adopts: adopts.clone(),
        ..past
    }
}

fn rejected(
    before: Option<RestoreState>,
    recorded: &Recorded,
    attempt: u32,
    message: &str,
) -> RestoreState {
    let stage = RestoreStage::Failed {
        job_id: None,
        message: message.to_owned(),
    };
    RestoreState {
        attempt,
        former: former(before),
        ..RestoreState::new(recorded.at, stage)
    }
}
