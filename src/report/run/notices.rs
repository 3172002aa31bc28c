//! What is said of a run before anything else: that it is over, that what it made is gone, that it was not at AWS.

use jiff::Timestamp;
use serde::Serialize;

use super::{Cleanup, RestoreReport, RunReport, RunStatus, Verdict};
use crate::backup::Endpoint;

/// Something that whoever reads a report has to know first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// What it is about.
    pub kind: NoticeKind,
    /// In words.
    pub message: String,
}

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The run had ended before the command that reports it, which has started nothing.
    EndedBefore,
    /// Something that it made is deleted, or about to be.
    CleanedUp,
    /// Jobs of it had ended before it found them.
    Adopted,
    /// It was at an endpoint that is not AWS's.
    NotAws,
    /// It was a rehearsal.
    Rehearsal,
    /// Its journal does not say where it was.
    EndpointUnknown,
}

/// A time to the minute, in UTC.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// What was deleted counts as deleted, whatever it came to before; then says what has to be known first.
pub(in crate::report) fn overlaid(
    mut report: RunReport,
    cleaned_up: Option<Timestamp>,
) -> RunReport {
    for restore in &mut report.restores {
        let status = match restore.cleanup {
            Some(Cleanup::Gone) => RunStatus::Deleted,
            Some(Cleanup::Asked) => RunStatus::Deleting,
            Some(Cleanup::Left(_)) | None => continue,
        };
        restore.status_before_cleanup = Some(restore.status);
        restore.status = status;
    }
    if report.count(RunStatus::Deleted) + report.count(RunStatus::Deleting) > 0 {
        report.verdict_before_cleanup = Some(report.verdict);
        report.verdict = Verdict::CleanedUp;
    }
    report.notices = notices(&report, cleaned_up);
    report
}

fn notices(report: &RunReport, cleaned_up: Option<Timestamp>) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut add = |kind, message| notices.push(Notice { kind, message });
    if let Some(before) = report.verdict_before_cleanup {
        add(NoticeKind::CleanedUp, cleaned(report, before, cleaned_up));
    }
    if let Some(message) = adopted(report) {
        add(NoticeKind::Adopted, message);
    }
    match &report.world {
        Some(world) => {
            let kind = match world {
                Endpoint::Rehearsal => NoticeKind::Rehearsal,
                Endpoint::Aws | Endpoint::Other { .. } => NoticeKind::NotAws,
            };
            if let Some(warning) = world.warning() {
                add(kind, warning);
            }
        }
        None if report.start.is_some() => add(
            NoticeKind::EndpointUnknown,
            "The journal is of an earlier redrill, and does not say whether this was at AWS or at an emulator.".to_owned(),
        ),
        None => {}
    }
    notices
}

/// What an earlier run of redrill had restored, perhaps on another machine.
fn adopted(report: &RunReport) -> Option<String> {
    let restores = report.restores.iter();
    let ended: Vec<Timestamp> = restores.filter_map(|of| of.ended_before).collect();
    let last = minute(ended.iter().max().copied()?);
    Some(format!(
        "{} of {} restores were not started by this run: their jobs had ended before it found them, the last {last}.",
        ended.len(),
        report.restores.len()
    ))
}

/// What has become of what the run made.
fn cleaned(report: &RunReport, before: Verdict, at: Option<Timestamp>) -> String {
    let at = at.map_or_else(String::new, |at| format!(" {}", minute(at)));
    let is_there = |restore: &&RestoreReport| {
        restore.status.is_back() && restore.created_resource_arn.is_some()
    };
    let still = report.restores.iter().filter(is_there).count();
    let parts: Vec<String> = [
        (report.count(RunStatus::Deleted), "deleted"),
        (
            report.count(RunStatus::Deleting),
            "being deleted as far as is known",
        ),
        (still, "still there"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    format!(
        "Cleaned up{at}: of what this run made, {}. Before the cleanup {}.",
        parts.join(", "),
        match before {
            Verdict::Passed => "everything was back and good",
            Verdict::ObjectiveMissed => "everything was back and good, and an objective was missed",
            Verdict::Failed => "something was not back, or not good",
            Verdict::Unfinished | Verdict::CleanedUp => "the run was not finished",
        }
    )
}

impl RunReport {
    /// Says first that the run had ended before this command, which has started nothing; `anew` is the command for a new run.
    pub fn ended_before(&mut self, at: Option<Timestamp>, anew: &str) {
        let at = at.map_or_else(|| "earlier".to_owned(), minute);
        self.notices.insert(
            0,
            Notice {
                kind: NoticeKind::EndedBefore,
                message: format!(
                    "Run {} ended {at}; nothing was started now. A new restore needs a new run id: {anew}",
                    self.run_id
                ),
            },
        );
    }

    /// The accounts and Regions that it ran in.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let targets = self.targets.iter();
        let mut places: Vec<String> = targets
            .map(|target| format!("{} {}", target.account, target.region))
            .collect();
        places.dedup();
        places
    }

    /// How much of what it made is gone.
    #[must_use]
    pub fn gone(&self) -> String {
        let of = self.restores.len();
        match (
            self.count(RunStatus::Deleted),
            self.count(RunStatus::Deleting),
        ) {
            (deleted, 0) => format!("{deleted} of {of} deleted"),
            (deleted, deleting) => format!("{deleted} of {of} deleted, {deleting} being deleted"),
        }
    }

    /// Where and when: for the head of a report.
    #[must_use]
    pub fn whereabouts(&self) -> Option<String> {
        let start = self.start?;
        let at = match &self.world {
            Some(world) => format!("at {world}, "),
            None => String::new(),
        };
        let end = match self.end {
            Some(end) => format!(", ended {}", minute(end)),
            None => String::new(),
        };
        Some(format!(
            "{at}into {}; opened {}{end}",
            self.places().join(", "),
            minute(start)
        ))
    }
}
