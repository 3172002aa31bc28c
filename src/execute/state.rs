//! The one table of what may follow what in the life of a restore.

use std::sync::Arc;

use super::{Event, Recorded};
use crate::diff::{Observed, Past, Stage};
use crate::render::Resolved;

/// An event that cannot have happened: the journal is not one that redrill wrote.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{restore}` is {was}, and the event says {event}")]
pub struct Illegal {
    restore: String,
    was: String,
    event: String,
}

/// What has become of every restore, from the events of a run.
///
/// # Errors
///
/// The first event that cannot follow those before it.
pub fn replay<'a>(events: impl IntoIterator<Item = &'a Recorded>) -> Result<Observed, Illegal> {
    let mut observed = Observed::default();
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
pub(super) fn apply(observed: &mut Observed, recorded: &Recorded) -> Result<(), Illegal> {
    if let Event::Resolved { restore, point, .. } = &recorded.event {
        return resolve(observed, recorded, restore, point);
    }
    let Some(restore) = recorded.event.restore() else {
        return Ok(());
    };
    let (name, past) = match observed.restores.remove_entry(restore) {
        Some((name, past)) => (name, Some(past)),
        None => (restore.to_owned(), None),
    };
    observed.restores.insert(name, next(past, recorded)?);
    Ok(())
}

/// A selector may be resolved anew as long as no job hangs on what it was: before the first request, or for another
/// attempt of one that has failed.
fn resolve(
    observed: &mut Observed,
    recorded: &Recorded,
    restore: &str,
    point: &Resolved,
) -> Result<(), Illegal> {
    let past = observed.restores.get(restore);
    if let Some(past) = past
        && past.stage.was_sent()
        && !matches!(past.stage, Stage::Failed { .. })
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

/// What a restore is after an event.
///
/// # Errors
///
/// Where the event cannot follow what was.
pub fn next(past: Option<Past>, recorded: &Recorded) -> Result<Past, Illegal> {
    use Stage::{Completed, Failed, Intended, Running, Skipped, Withdrawn};
    let event = &recorded.event;
    let attempt = past.as_ref().map_or(1, |past| past.attempt);
    let stage = past.as_ref().map(|past| &past.stage);
    let stage = match (stage, event) {
        // Sent for the first time, after a refusal of the caller, or as the next attempt of what has failed.
        (None | Some(Skipped | Withdrawn), Event::Intended { attempt: n, .. }) if *n == attempt => {
            return Ok(intended(recorded));
        }
        (Some(Failed { .. }), Event::Intended { attempt: n, .. }) if *n == attempt + 1 => {
            return Ok(intended(recorded));
        }
        (
            None | Some(Skipped | Withdrawn),
            Event::Rejected {
                attempt: n,
                message,
                ..
            },
        ) if *n == attempt => {
            return Ok(rejected(recorded, *n, message));
        }
        (
            Some(Failed { .. }),
            Event::Rejected {
                attempt: n,
                message,
                ..
            },
        ) if *n == attempt + 1 => {
            return Ok(rejected(recorded, *n, message));
        }
        (Some(Intended), Event::Accepted { job_id, .. } | Event::Adopted { job_id, .. }) => {
            Running {
                job_id: job_id.clone(),
            }
        }
        (Some(Intended), Event::Withdrawn { .. }) => Withdrawn,
        (Some(Intended), Event::Refused { message, .. }) => Failed {
            job_id: None,
            message: message.clone(),
        },
        (Some(running @ Running { .. }), Event::Seen { .. } | Event::Overdue { .. }) => {
            running.clone()
        }
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
            return Err(Illegal {
                restore: event.restore().unwrap_or_default().to_owned(),
                was: past.map_or_else(|| "untouched".to_owned(), |p| format!("{:?}", p.stage)),
                event: format!("{event:?}"),
            });
        }
    };
    Ok(match past {
        Some(past) => Past { stage, ..past },
        None => Past {
            attempt: 1,
            token: String::new(),
            digest: String::new(),
            intended_at: recorded.at,
            stage,
        },
    })
}

fn intended(recorded: &Recorded) -> Past {
    let (attempt, token, digest) = match &recorded.event {
        Event::Intended {
            attempt,
            token,
            digest,
            ..
        } => (*attempt, token.clone(), digest.clone()),
        _ => (1, String::new(), String::new()),
    };
    Past {
        attempt,
        token,
        digest,
        intended_at: recorded.at,
        stage: Stage::Intended,
    }
}

fn rejected(recorded: &Recorded, attempt: u32, message: &str) -> Past {
    Past {
        attempt,
        token: String::new(),
        digest: String::new(),
        intended_at: recorded.at,
        stage: Stage::Failed {
            job_id: None,
            message: message.to_owned(),
        },
    }
}
