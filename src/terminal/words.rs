//! Events in words.

use jiff::SignedDuration;

use crate::backup::Endpoint;
use crate::ids::RestoreName;
use crate::state::{Awaited, CheckVerdict, Event};

/// Message for somebody who wants to leave while nothing runs.
pub(super) const IDLE: &str =
    "stopping: no new restores, and none is running (Ctrl-C again to quit now)";

/// Message for somebody who wants to leave while somebody else starts the restores.
pub(super) const FOLLOWED: &str = "stopping to watch: the state machine continues and starts what is left (Ctrl-C again to quit now)";

/// Message for somebody who wants to leave a rehearsal while something runs: nothing of it is at AWS.
pub(super) const REHEARSED: &str = "stopping: no new restores (Ctrl-C again to quit now)";

/// Returns true if AWS documents this status of a restore job.
pub(super) fn is_known(status: &str) -> bool {
    ["PENDING", "RUNNING", "COMPLETED", "ABORTED", "FAILED"].contains(&status)
}

/// One line for an event; none for what matters to the journal alone.
pub(super) fn words(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::RunOpened {
            plan,
            run,
            target,
            others,
            world,
            ..
        } => {
            let places: Vec<String> = std::iter::once(target)
                .chain(others)
                .map(|target| format!("{} {}", target.account, target.region))
                .collect();
            let at = world.as_ref().map_or_else(String::new, |world| format!(", at {world}"));
            let simulated = match world {
                Some(Endpoint::Rehearsal) => ", in simulated time",
                _ => "",
            };
            format!("{plan} run {run}{at}, into {}{simulated}", places.join(", "))
        }
        Event::RunResumed { .. } => "continuing the run where it stopped".to_owned(),
        Event::Resolved { restore, point, .. } => {
            let made = match point.created_at {
                Some(at) => format!(", made {at}"),
                None => String::new(),
            };
            match point.by_lock() {
                Some(by) => format!("{restore}: {by}: {}{made}", point.recovery_point),
                None => format!("{restore}: {} is {}{made}", point.selector, point.recovery_point),
            }
        }
        Event::Intended {
            restore, attempt, ..
        } => {
            if *attempt > 1 {
                format!("{restore}: attempt {attempt}")
            } else if verbose {
                format!("{restore}: sending")
            } else {
                return None;
            }
        }
        Event::Accepted {
            restore,
            job_id,
            request_id,
        } => {
            let by = by(request_id.as_ref().filter(|_| verbose));
            format!("{restore}: started, job {job_id}{by}")
        }
        Event::Adopted {
            restore,
            job_id,
            because,
            ended_at,
            ..
        } => {
            let ended = ended_at.map_or_else(String::new, |at| {
                let at = at.strftime("%Y-%m-%d %H:%M UTC");
                format!("; it had ended {at}, and was not started now")
            });
            format!("{restore}: found its job {job_id}: {because}{ended}")
        }
        Event::Withdrawn { restore, message } => {
            format!("{restore}: not started: {message}")
        }
        Event::Refused {
            restore,
            message,
            request_id,
            ..
        } => format!("{restore}: refused by AWS: {message}{}", by(request_id.as_ref())),
        Event::Rejected {
            restore, message, ..
        } => format!("{restore}: not sent: {message}"),
        Event::StatusChanged { restore, status } if !is_known(status) => format!(
            "{restore}: AWS reports the status `{status}`, which redrill does not know; it keeps following the job"
        ),
        Event::StatusChanged { restore, status } if verbose => format!("{restore}: {status}"),
        Event::Nested { restore, jobs, .. } => {
            let made = jobs.iter().filter_map(|job| job.created_resource_arn.as_deref());
            let made: Vec<&str> = made.collect();
            if made.is_empty() {
                return None;
            }
            format!("{restore}: nested jobs made {}", made.join(", "))
        }
        Event::Completed {
            restore,
            created_resource_arn,
            message,
            mismatch,
            ..
        } => {
            if let Some(why) = mismatch {
                return Some(format!("{restore}: COMPLETED, but {why}"));
            }
            let made = created_resource_arn.as_deref().unwrap_or("AWS does not say what it made");
            match message {
                Some(message) => format!("{restore}: COMPLETED, {made} ({message})"),
                None => format!("{restore}: COMPLETED, {made}"),
            }
        }
        Event::SecondJob {
            restore,
            job_id,
            beside,
            because,
        } => format!(
            "{restore}: SECOND JOB {job_id} at AWS, next to {beside}: {because}"
        ),
        Event::Failed {
            restore,
            status,
            message,
            ..
        } => format!("{restore}: {status}: {message}"),
        Event::Overdue { restore } => format!(
            "{restore}: not finished within its timeout; its job continues at AWS and is no longer followed"
        ),
        Event::Skipped { restore, because } => format!("{restore}: skipped, because {because}"),
        Event::CheckStarted {
            restore,
            check,
            cutover,
            earlier: Some(earlier),
            ..
        } => format!("{}: {earlier}", subject(restore.as_ref().map(RestoreName::as_str), check, *cutover)),
        Event::CheckStarted {
            restore,
            check,
            cutover,
            ..
        } if verbose => format!("{}: running", subject(restore.as_ref().map(RestoreName::as_str), check, *cutover)),
        Event::CheckEnded {
            restore,
            check,
            cutover,
            verdict,
            message,
            ..
        } => {
            let subject = subject(restore.as_ref().map(RestoreName::as_str), check, *cutover);
            let why = message.as_deref().unwrap_or_default();
            match verdict {
                CheckVerdict::Passed => format!("{subject}: passed"),
                CheckVerdict::Again => format!("{subject}: {why}; retrying"),
                CheckVerdict::Failed => format!("{subject}: FAILED: {why}"),
            }
        }
        Event::Published { restore, status } => {
            format!("{restore}: validation result {status} published")
        }
        Event::NotPublished { restore, message } => {
            format!("{restore}: validation result not accepted: {message}")
        }
        Event::Deleting { restore, arn, .. } => format!("{restore}: deleting {arn}"),
        Event::Deleted { restore, arn } => format!("{restore}: {arn} is gone"),
        Event::DeletionFailed {
            restore,
            arn,
            message,
        } => format!("{restore}: could not delete {arn}: {message}"),
        Event::AwsUnavailable { message } => {
            format!("AWS call failed ({message}); retrying")
        }
        Event::Waiting { awaited } => waiting(awaited),
        Event::Recovered => "AWS answers again".to_owned(),
        Event::Draining => {
            "stopping: no new restores; running jobs continue at AWS and cannot be cancelled (Ctrl-C again to quit now)"
                .to_owned()
        }
        Event::Detached => "stopped; the same command continues from here".to_owned(),
        Event::StatusChanged { .. }
        | Event::CheckStarted { .. }
        | Event::Planned { .. }
        | Event::CallsMade { .. }
        | Event::RunEnded => return None,
    })
}

/// Describes what a run waits for: obstacles first, then what goes on.
fn waiting(awaited: &Awaited) -> String {
    let duration = |seconds: i64| format!("{:#}", SignedDuration::from_secs(seconds));
    let count = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    };
    let mut parts = Vec::new();
    for (message, seconds) in &awaited.trouble {
        let since = duration(*seconds);
        parts.push(format!("a good answer from AWS, for {since} ({message})"));
    }
    if awaited.pages > 0 {
        let pages = awaited.pages as usize;
        parts.push(format!(
            "the end of a list of restore jobs ({} read)",
            count(pages, "page")
        ));
    }
    if awaited.requests > 0 {
        parts.push(format!(
            "AWS's answer to {}",
            count(awaited.requests, "request")
        ));
    }
    if awaited.elsewhere > 0 {
        parts.push(format!(
            "the state machine to start {}",
            count(awaited.elsewhere, "restore")
        ));
    }
    if awaited.jobs > 0 {
        let longest = awaited.longest.iter();
        let longest: Vec<String> = longest
            .map(|(restore, seconds)| format!("{restore} for {}", duration(*seconds)))
            .collect();
        let more = if awaited.jobs > longest.len() {
            ", …"
        } else {
            ""
        };
        parts.push(format!(
            "{} at AWS ({}{more})",
            count(awaited.jobs, "restore job"),
            longest.join(", ")
        ));
    }
    for (restore, check) in &awaited.checks {
        parts.push(match restore {
            Some(restore) => format!("check {check} of {restore}"),
            None => format!("check {check}"),
        });
    }
    match parts.is_empty() {
        true => "still waiting".to_owned(),
        false => format!("waiting for {}", parts.join(", and for ")),
    }
}

/// Names a check on a line.
fn subject(restore: Option<&str>, check: &str, cutover: bool) -> String {
    match restore {
        Some(restore) => format!("{restore}: check {check}"),
        None if cutover => format!("cutover {check}"),
        None => format!("check {check}"),
    }
}

/// AWS's name of an answer, behind what it says.
fn by(request_id: Option<&String>) -> String {
    request_id.map_or_else(String::new, |id| format!(" (request id {id})"))
}
