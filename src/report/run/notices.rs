//! Notices at the top of a report: that the run has ended, that what it made is gone, that it was not at AWS.

use jiff::Timestamp;
use serde::Serialize;

use super::{Cleanup, RestoreReport, RunReport, RunStatus, Verdict};
use crate::backup::Endpoint;
use crate::diagnostic::LocalTime;

/// Something that whoever reads a report has to know first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Subject of the notice.
    pub kind: NoticeKind,
    /// In words.
    pub message: String,
    /// The time in it, which a reader on a screen has in their own zone.
    #[serde(skip)]
    pub at: Option<Timestamp>,
}

impl Notice {
    /// In words, for a screen.
    #[must_use]
    pub fn local(&self, clock: &LocalTime) -> String {
        match self.at {
            Some(at) => self.message.replace(&minute(at), &clock.minute(at)),
            None => self.message.clone(),
        }
    }
}

/// Subject of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The run had ended before the command that reports it, which has started nothing.
    EndedBefore,
    /// Something that it made is deleted, or about to be.
    CleanedUp,
    /// Jobs of it had ended before it found them.
    Adopted,
    /// Run at an endpoint that is not AWS's.
    NotAws,
    /// Run that was a rehearsal.
    Rehearsal,
    /// Its journal does not say where it was.
    EndpointUnknown,
}

/// A time to the minute, in UTC.
#[must_use]
pub fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Marks what was deleted as deleted, whatever its outcome before; then adds the notices that come first.
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
    let mut add = |kind, message, at| notices.push(Notice { kind, message, at });
    if let Some(before) = report.verdict_before_cleanup {
        let message = cleaned(report, before, cleaned_up);
        add(NoticeKind::CleanedUp, message, cleaned_up);
    }
    if let Some((message, last)) = adopted(report) {
        add(NoticeKind::Adopted, message, Some(last));
    }
    match &report.world {
        Some(world) => {
            let kind = match world {
                Endpoint::Rehearsal => NoticeKind::Rehearsal,
                Endpoint::Aws | Endpoint::Other { .. } => NoticeKind::NotAws,
            };
            if let Some(warning) = world.warning() {
                add(kind, warning, None);
            }
        }
        None if report.start.is_some() => add(
            NoticeKind::EndpointUnknown,
            "An earlier redrill wrote this journal. It does not say whether the run was at AWS or at an emulator.".to_owned(),
            None,
        ),
        None => {}
    }
    notices
}

/// Describes what an earlier run of redrill had restored, perhaps on another machine.
fn adopted(report: &RunReport) -> Option<(String, Timestamp)> {
    let restores = report.restores.iter();
    let ended: Vec<Timestamp> = restores.filter_map(|of| of.ended_before).collect();
    let last = ended.iter().max().copied()?;
    let message = format!(
        "{} of {} restores were not started by this run: their jobs had ended before it found them, the last at {}.",
        ended.len(),
        report.restores.len(),
        minute(last)
    );
    Some((message, last))
}

/// Describes the outcome of cleaning up what the run made.
fn cleaned(report: &RunReport, before: Verdict, at: Option<Timestamp>) -> String {
    let at = at.map_or_else(String::new, |at| format!(" {}", minute(at)));
    let is_there = |restore: &&RestoreReport| {
        restore.status.is_back() && restore.created_resource_arn.is_some()
    };
    let still = report.restores.iter().filter(is_there).count();
    // Their jobs had ended before this run found them, and what those had made was gone by then: nobody has cleaned up this run.
    let was_gone = |of: &&RestoreReport| of.status == RunStatus::Deleted && of.was_gone;
    let gone = report.restores.iter().filter(was_gone).count();
    if gone > 0 && gone == report.count(RunStatus::Deleted) {
        return format!(
            "{gone} of {} restores had ended before this run found their jobs, and what they had created no longer exists.",
            report.restores.len()
        );
    }
    let parts: Vec<String> = [
        (report.count(RunStatus::Deleted), "deleted"),
        (report.count(RunStatus::Deleting), "being deleted"),
        (still, "still there"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect();
    format!(
        "Cleaned up{at}: of what this run created, {}. Before the cleanup, {}.",
        parts.join(", "),
        match before {
            Verdict::Passed => "everything was restored and good",
            Verdict::ObjectiveMissed =>
                "everything was restored and good, but an objective was missed",
            Verdict::Failed => "a restore or a check had failed",
            Verdict::Unfinished | Verdict::CleanedUp => "the run was not finished",
        }
    )
}

impl RunReport {
    /// Notes first that the run had ended before this command, which has started nothing; `new_run` is the command for a
    /// new run.
    pub fn ended_before(&mut self, at: Option<Timestamp>, new_run: &str) {
        let when = at.map_or_else(|| "earlier".to_owned(), minute);
        self.notices.insert(
            0,
            Notice {
                kind: NoticeKind::EndedBefore,
                message: format!(
                    "Run {} ended {when}; nothing was started now. To restore again, use a new run id: {new_run}",
                    self.run_id
                ),
                at,
            },
        );
    }

    /// The accounts and Regions that it ran in.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        let mut places: Vec<String> = Vec::new();
        for target in &self.targets {
            let place = format!("{} {}", target.account, target.region);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Tells how much of what it made is gone.
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

    /// Describes where and when it ran, by the clock of the reader.
    #[must_use]
    pub fn whereabouts(&self, clock: &LocalTime) -> Option<String> {
        let start = self.start?;
        let at = match &self.world {
            Some(world) => format!("at {world}, "),
            None => String::new(),
        };
        let end = match self.end {
            Some(end) => format!(", ended {}", clock.minute(end)),
            None => String::new(),
        };
        Some(format!(
            "{at}into {}; started {}{end}",
            self.places().join(", "),
            clock.minute(start)
        ))
    }
}
