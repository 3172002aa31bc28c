//! Outcome of a run, for people.

use std::fmt::{self, Write as _};

use super::columns::columns;
use super::failure::meaning;
use super::run::{CheckReport, CheckStatus, RestoreReport, RunReport, RunStatus, Verdict};
use crate::backup::Endpoint;
use crate::diagnostic::{LocalTime, duration, visible};

/// Restores in a table before it is cut; the JSON report has them all.
const ROWS: usize = 200;

/// A difference: `+3m 20s`, `-12s`, `0s`.
#[must_use]
pub fn signed(seconds: i64) -> String {
    let plus = if seconds > 0 { "+" } else { "" };
    format!("{plus}{}", duration(seconds))
}

impl fmt::Display for RunReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&run_human(self, "", &LocalTime::utc()))
    }
}

/// The table, what was missed, and what to do next.
#[must_use]
pub fn run_human(report: &RunReport, again: &str, clock: &LocalTime) -> String {
    let mut text = String::new();
    for notice in &report.notices {
        let _ = writeln!(text, "{}", notice.local(clock));
    }
    if !report.notices.is_empty() {
        text.push('\n');
    }
    let order = |status| match status {
        RunStatus::Failed => 0,
        RunStatus::Incomplete => 1,
        RunStatus::CheckFailed => 2,
        RunStatus::Unanswered => 3,
        RunStatus::Running => 4,
        RunStatus::Checking => 5,
        RunStatus::Skipped => 6,
        RunStatus::NotStarted => 7,
        RunStatus::Deleting => 8,
        RunStatus::Deleted => 9,
        RunStatus::Completed => 10,
    };
    // Restores that need attention come first if the table is cut.
    let mut shown: Vec<&RestoreReport> = report.restores.iter().collect();
    if shown.len() > ROWS {
        shown.sort_by_key(|restore| order(restore.status));
    }
    let rows: Vec<Vec<String>> = shown.iter().take(ROWS).map(|r| row(r)).collect();
    text.push_str(&columns(&rows, ""));
    if shown.len() > ROWS {
        let _ = writeln!(text, "… and {} more", shown.len() - ROWS);
    }
    text.push('\n');
    meanings(report, &mut text);
    incomplete(report, &mut text);
    checks(report, &mut text);
    for restore in &report.restores {
        if let Some(doubled) = restore.doubled() {
            let _ = writeln!(text, "{}: {doubled}", restore.restore);
        }
        for made in restore.also_made.iter().take(ROWS) {
            let (arn, by) = (&made.arn, made.by());
            let _ = writeln!(text, "also created: {arn}, by {by} of {}", restore.restore);
        }
    }
    for missed in &report.missed {
        let _ = writeln!(text, "objective: {}", visible(missed));
    }
    if let Some(rto) = &report.objectives.rto
        && rto.met.is_none()
    {
        let _ = writeln!(
            text,
            "objective: the run: RTO of {}: {}",
            duration(rto.wanted_seconds),
            rto.words(report.is_open(None))
        );
    }
    // A rehearsal has shown it when it began, and has nothing to hold it against.
    if let Some(forecast) = report.forecast.as_ref().filter(|of| !of.is_emulated) {
        let _ = writeln!(text, "forecast before it: {}", forecast.words());
    }
    if let Some(seconds) = report.cutover_seconds {
        let _ = writeln!(text, "the cutover took {}", duration(seconds));
    }
    if let Some(compared) = &report.compared {
        text.push_str(&compared.human());
    }
    let took = report
        .took()
        .map_or_else(String::new, |took| format!(" in {}", duration(took)));
    let total = report.restores.len();
    let completed = report.back();
    let verdict = report.verdict.words();
    let whose = format!("{} run {}", report.plan, report.run_id);
    if report.verdict == Verdict::CleanedUp {
        let _ = writeln!(text, "{whose}: {verdict}; {}", report.gone());
    } else {
        let _ = writeln!(
            text,
            "{whose}: {verdict}; {completed} of {total} restored{took}"
        );
    }
    if let Some(whereabouts) = report.whereabouts(clock) {
        let _ = writeln!(text, "{whereabouts}");
    }
    match report.count(RunStatus::Running) {
        0 => {}
        n if report.world == Some(Endpoint::Rehearsal) => {
            let (jobs, were) = if n == 1 {
                ("job", "was")
            } else {
                ("jobs", "were")
            };
            let _ = writeln!(
                text,
                "{n} restore {jobs} of the rehearsal {were} still running."
            );
        }
        1 => text.push_str("1 restore job continues at AWS, which cannot cancel a restore job.\n"),
        n => {
            let _ = writeln!(
                text,
                "{n} restore jobs continue at AWS, which cannot cancel a restore job."
            );
        }
    }
    match report.count(RunStatus::Unanswered) {
        0 => {}
        n => {
            let _ = writeln!(
                text,
                "{n} {} sent, but AWS did not answer: a job may exist. The next run checks before it sends again.",
                if n == 1 {
                    "request was"
                } else {
                    "requests were"
                }
            );
        }
    }
    match report.verdict {
        _ if again.is_empty() => {}
        Verdict::Unfinished => {
            let _ = writeln!(text, "continue with: {again}");
        }
        // Restores that AWS has completed are not started again in this run.
        Verdict::Failed if report.count(RunStatus::Incomplete) == report.bad() => {}
        Verdict::Failed => failed(report, again, &mut text),
        Verdict::Passed | Verdict::ObjectiveMissed | Verdict::CleanedUp => {}
    }
    text
}

/// Explains the messages of failed jobs, each once.
fn meanings(report: &RunReport, text: &mut String) {
    let restores = report.restores.iter();
    let failed = restores.filter(|of| of.status == RunStatus::Failed && of.mismatch.is_none());
    let mut found: Vec<(String, Vec<&str>)> = Vec::new();
    for restore in failed {
        let message = restore.message.as_deref().unwrap_or_default();
        let resource_type = restore.resource_type.as_str();
        let Some(means) = meaning(message, resource_type) else {
            continue;
        };
        match found.iter_mut().find(|(of, _)| *of == means) {
            Some((_, names)) => names.push(restore.restore.as_str()),
            None => found.push((means, vec![restore.restore.as_str()])),
        }
    }
    for (means, names) in found.iter().take(ROWS) {
        let more = match names.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let _ = writeln!(text, "{}{more}: {means}", names[0]);
    }
}

/// Tells how to retry what failed, if that can help.
fn failed(report: &RunReport, again: &str, text: &mut String) {
    let failed = || {
        report
            .restores
            .iter()
            .filter(|of| of.status == RunStatus::Failed)
    };
    let is_refused = |of: &RestoreReport| of.job_id.is_none();
    let is_other = |of: &RestoreReport| of.mismatch.is_some();
    if failed().any(is_other) {
        text.push_str(
            "AWS created something other than what was asked for: look at it at AWS before you start it again\n",
        );
    }
    let mut checks = report.all_checks();
    let can_help = checks.any(|(_, check)| check.status == CheckStatus::Failed)
        || failed().any(|of| !is_refused(of) && !is_other(of));
    let _ = if can_help {
        writeln!(text, "retry what failed with: {again} --retry-failed")
    } else if failed().any(is_refused) {
        writeln!(
            text,
            "AWS would refuse the same request again: fix what the message says, then run: {again} --retry-failed"
        )
    } else {
        Ok(())
    };
}

/// Lists what AWS says is missing of restores whose jobs it has completed.
fn incomplete(report: &RunReport, text: &mut String) {
    let restores = report.restores.iter();
    let found: Vec<&RestoreReport> = restores
        .filter(|restore| restore.status == RunStatus::Incomplete)
        .collect();
    for restore in found.iter().take(ROWS) {
        let said = restore.message.as_deref().unwrap_or_default();
        let _ = writeln!(text, "{}: AWS says: {said}", restore.restore);
    }
    if !found.is_empty() {
        text.push_str(
            "this run does not restore what is missing: fix the cause, then restore it under another run id\n",
        );
    }
}

/// Counts the checks that have passed, and lists those that have not.
fn checks(report: &RunReport, text: &mut String) {
    let all: Vec<(Option<&str>, &CheckReport)> = report.all_checks().collect();
    if all.is_empty() {
        return;
    }
    for (restore, check) in &all {
        let whose = visible(restore.unwrap_or("the run"));
        match check.status {
            CheckStatus::Failed => {
                let why = visible(check.message.as_deref().unwrap_or_default());
                let name = visible(&check.name);
                let _ = writeln!(text, "{whose}: check {name} failed: {why}");
                if let Some(last) = check
                    .output
                    .lines()
                    .rev()
                    .find(|line| !line.trim().is_empty())
                {
                    let _ = writeln!(text, "  last output: {}", visible(last.trim()));
                }
            }
            CheckStatus::Running => {
                let _ = writeln!(
                    text,
                    "{whose}: check {} has not ended",
                    visible(&check.name)
                );
            }
            CheckStatus::NotRun => {
                if let Some(why) = &check.message {
                    let name = visible(&check.name);
                    let _ = writeln!(
                        text,
                        "{whose}: check {name} no longer counts: {}",
                        visible(why)
                    );
                }
            }
            CheckStatus::Passed => {}
        }
    }
    let count = |status| {
        all.iter()
            .filter(|(_, check)| check.status == status)
            .count()
    };
    // Resources that are gone are not said to have passed.
    let (when, good) = match report.verdict {
        Verdict::CleanedUp => ("before the cleanup: ", "were good"),
        _ => ("", "passed"),
    };
    let passed = count(CheckStatus::Passed);
    let _ = write!(text, "{when}{passed} of {} checks {good}", all.len());
    for (status, words) in [
        (CheckStatus::Failed, "failed"),
        (CheckStatus::Running, "not ended"),
        (CheckStatus::NotRun, "not run"),
    ] {
        match count(status) {
            0 => {}
            n => {
                let _ = write!(text, ", {n} {words}");
            }
        }
    }
    text.push('\n');
}

fn row(restore: &RestoreReport) -> Vec<String> {
    let took = match (restore.started_at, restore.ended_at) {
        (Some(start), Some(end)) => duration(end.duration_since(start).as_secs()),
        _ => "-".to_owned(),
    };
    let what = match (
        restore.status,
        &restore.created_resource_arn,
        &restore.message,
    ) {
        (status, Some(arn), _) if status.is_back() || status.is_gone() => arn.clone(),
        (_, _, Some(message)) => message.clone(),
        _ => restore
            .job_id
            .as_ref()
            .map_or_else(String::new, |job| format!("job {job}")),
    };
    let mut cells = vec![
        restore.status.word().to_owned(),
        restore.restore.to_string(),
    ];
    // The target is set only if the plan has several.
    if let Some(target) = &restore.target {
        cells.push(format!("{} {}", target.account, target.region));
    }
    cells.extend([took, what]);
    cells
}
