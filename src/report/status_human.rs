//! `status` for the eye: one run in full, or a line for each of several.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;

use super::columns::columns;
use super::run::{CheckStatus, RestoreReport, RunReport, RunStatus, Verdict};
use super::status::StatusRow;
use crate::backup::Endpoint;
use crate::diagnostic::{LocalTime, duration, visible};
use crate::ids::RestoreName;

/// One run, with all that its journal says.
#[derive(Debug)]
pub struct StatusDetail<'a> {
    /// Status of the run, also by what AWS says now.
    pub row: &'a StatusRow,
    /// Report from its journal.
    pub report: &'a RunReport,
    /// Time of the last record.
    pub last: Option<Timestamp>,
    /// Arguments that name the plan and the run in a command.
    pub names: &'a str,
    /// The options that say what the plan means, behind a space each.
    pub options: &'a str,
    /// The secrets that are to be given besides.
    pub secrets: &'a [&'a str],
}

/// A line for each run, the latest last.
#[must_use]
pub fn runs_human(rows: &[StatusRow], clock: &LocalTime) -> String {
    let mut sorted: Vec<&StatusRow> = rows.iter().collect();
    sorted.sort_by_key(|row| row.opened_at);
    let head = ["PLAN", "RUN", "OPENED", "ENDED", "COMPLETED", "AT"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for row in sorted {
        let ended = match (&row.held_by, row.ended_at) {
            (Some(owner), _) => format!("held by {owner}"),
            (None, Some(at)) => clock.minute(at),
            (None, None) => "not finished".to_owned(),
        };
        cells.push(vec![
            row.plan.clone(),
            row.run_id.to_string(),
            row.opened_at
                .map_or_else(String::new, |at| clock.minute(at)),
            ended,
            row.completed().to_string(),
            row.world
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        ]);
    }
    columns(&cells, "")
}

/// A run in full.
#[must_use]
pub fn status_human(detail: &StatusDetail<'_>, now: Timestamp, clock: &LocalTime) -> String {
    let StatusDetail { row, report, .. } = detail;
    let mut text = String::new();
    let held = match &row.held_by {
        Some(owner) => format!(" (worked on by {})", visible(owner)),
        None => String::new(),
    };
    let course = row.course(clock);
    let _ = writeln!(text, "{} run {}{course}{held}", row.plan, row.run_id);
    let _ = writeln!(text, "{}", totals(detail, clock));
    let all: BTreeMap<&str, &str> = report
        .restores
        .iter()
        .map(|of| (of.restore.as_str(), row.status_of(of)))
        .collect();
    let cells: Vec<Vec<String>> = report
        .restores
        .iter()
        .map(|of| line(of, detail, &all, now, clock))
        .collect();
    text.push_str(&columns(&cells, "  "));
    for (restore, check) in report.all_checks() {
        if check.status == CheckStatus::Failed {
            let of = restore.map_or_else(|| "the plan".to_owned(), |of| format!("`{of}`"));
            let _ = writeln!(
                text,
                "  check {} of {of}: {}",
                check.name,
                check.status.word()
            );
        }
    }
    if let Some(next) = next(detail) {
        let _ = writeln!(text, "{next}");
    }
    text
}

/// Summarizes how much is restored, and when something was last recorded.
fn totals(detail: &StatusDetail<'_>, clock: &LocalTime) -> String {
    let StatusDetail {
        row, report, last, ..
    } = detail;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for of in &report.restores {
        *counts.entry(row.status_of(of)).or_default() += 1;
    }
    let total = report.restores.len();
    let verdict = match (report.verdict, row.ended_at) {
        (Verdict::Unfinished, _) => "not finished",
        (verdict, _) => verdict.words(),
    };
    let mut text = format!(
        "{verdict}: {} of {total} completed",
        counts.remove("COMPLETED").unwrap_or(0)
    );
    for (status, count) in counts {
        let _ = write!(
            text,
            ", {count} {}",
            status.to_lowercase().replace('_', " ")
        );
    }
    if let Some(at) = last {
        let _ = write!(text, "; last recorded {}", clock.minute(*at));
    }
    text
}

fn line(
    of: &RestoreReport,
    detail: &StatusDetail<'_>,
    all: &BTreeMap<&str, &str>,
    now: Timestamp,
    clock: &LocalTime,
) -> Vec<String> {
    let row = detail.row;
    let status = row.status_of(of).to_owned();
    let started = of
        .started_at
        .map_or_else(|| "-".to_owned(), |at| clock.short(at, row.opened_at));
    let took = match (of.started_at, of.ended_at, of.status) {
        (Some(from), Some(to), _) => duration(to.duration_since(from).as_secs()),
        (Some(from), None, RunStatus::Running) if status == "RUNNING" => {
            format!(
                "{} so far",
                duration(now.duration_since(from).as_secs().max(0))
            )
        }
        _ => String::new(),
    };
    let made = row.made(&of.restore).or(of.created_resource_arn.as_deref());
    let what = match (of.status, made, of.message.as_deref()) {
        (RunStatus::NotStarted, ..) => waits_for(of, all),
        (_, Some(arn), _) => arn.to_owned(),
        (RunStatus::Running | RunStatus::Unanswered, ..) => of
            .job_id
            .as_ref()
            .map_or_else(String::new, |id| format!("job {id}")),
        (_, _, Some(message)) => message.to_owned(),
        _ => String::new(),
    };
    vec![status, of.restore.to_string(), started, took, what]
}

/// Tells why a restore has not started.
fn waits_for(of: &RestoreReport, all: &BTreeMap<&str, &str>) -> String {
    let open: Vec<&str> = of
        .needs
        .iter()
        .map(RestoreName::as_str)
        .filter(|needed| all.get(needed) != Some(&"COMPLETED"))
        .collect();
    match open.as_slice() {
        [] => "ready to start".to_owned(),
        some if some.len() > 3 => {
            format!("needs {} and {} more", some[..3].join(", "), some.len() - 3)
        }
        some => format!("needs {}", some.join(", ")),
    }
}

/// Suggests what to type next.
fn next(detail: &StatusDetail<'_>) -> Option<String> {
    let StatusDetail { names, options, .. } = detail;
    let is_rehearsal = detail.report.world == Some(Endpoint::Rehearsal);
    let run = if is_rehearsal { "rehearse" } else { "run" };
    let mut next = match (&detail.row.held_by, detail.report.verdict) {
        (Some(_), _) => return Some(format!("watch it with: redrill status {names} --watch")),
        (None, Verdict::Unfinished) => {
            format!("no process is working on it; continue with: redrill {run} {names}{options}")
        }
        (None, Verdict::Failed) => {
            format!("retry what failed with: redrill {run} {names}{options} --retry-failed")
        }
        // Nothing of a rehearsal is at AWS.
        (None, Verdict::Passed | Verdict::ObjectiveMissed) if is_rehearsal => return None,
        (None, Verdict::Passed | Verdict::ObjectiveMissed) => {
            format!("delete what it created with: redrill cleanup {names}{options}")
        }
        (None, Verdict::CleanedUp) => return None,
    };
    if !detail.secrets.is_empty() {
        next.push_str(&format!(
            "\ngive {} again, which is not recorded: with --var, in a --var-file, or as REDRILL_VAR_<NAME>",
            detail.secrets.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ")
        ));
    }
    Some(next)
}
