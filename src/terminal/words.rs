//! Events in words.

use crate::execute::Event;

/// One line for an event; none for what matters to the journal alone.
pub(super) fn words(event: &Event, verbose: bool) -> Option<String> {
    Some(match event {
        Event::RunOpened {
            plan,
            run,
            target,
            others,
            ..
        } => {
            let places: Vec<String> = std::iter::once(target)
                .chain(others)
                .map(|target| format!("{} {}", target.account, target.region))
                .collect();
            format!("{plan} run {run}, into {}", places.join(", "))
        }
        Event::RunResumed { .. } => "the run goes on where it stopped".to_owned(),
        Event::Resolved { restore, point, .. } => {
            let made = match point.created_at {
                Some(at) => format!(", made {at}"),
                None => String::new(),
            };
            format!("{restore}: {} is {}{made}", point.selector, point.recovery_point)
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
        Event::Accepted { restore, job_id } => format!("{restore}: started, job {job_id}"),
        Event::Adopted {
            restore,
            job_id,
            because,
        } => format!("{restore}: job {job_id} is this restore's: {because}"),
        Event::Withdrawn { restore, message } => {
            format!("{restore}: not started: {message}")
        }
        Event::Refused {
            restore, message, ..
        } => format!("{restore}: refused by AWS: {message}"),
        Event::Rejected {
            restore, message, ..
        } => format!("{restore}: not sent: {message}"),
        Event::Seen { restore, status } if verbose => format!("{restore}: {status}"),
        Event::Completed {
            restore,
            created_resource_arn,
            message,
            ..
        } => {
            let made = created_resource_arn.as_deref().unwrap_or("AWS does not say what it made");
            match message {
                Some(message) => format!("{restore}: COMPLETED, {made} ({message})"),
                None => format!("{restore}: COMPLETED, {made}"),
            }
        }
        Event::Failed {
            restore,
            status,
            message,
            ..
        } => format!("{restore}: {status}: {message}"),
        Event::Overdue { restore } => format!(
            "{restore}: not back within its timeout; it goes on at AWS and is not followed any more"
        ),
        Event::Skipped { restore, because } => format!("{restore}: skipped, because {because}"),
        Event::Trouble { message } => {
            format!("AWS does not answer as it should: {message}; trying again")
        }
        Event::Recovered => "AWS answers again".to_owned(),
        Event::Draining => {
            "leaving: nothing new is started; jobs go on at AWS and cannot be cancelled (again to leave at once)"
                .to_owned()
        }
        Event::Detached => "left; the same command goes on from here".to_owned(),
        Event::Seen { .. } | Event::RunEnded => return None,
    })
}
