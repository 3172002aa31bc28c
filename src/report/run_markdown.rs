//! A run as Markdown: the summary of a CI job, or a comment.

use std::fmt::Write as _;

use super::controls::controls_markdown;
use super::markdown::{block, code_in_cell as code, escaped};
use super::run::{CheckReport, CheckStatus, Cleanup, RestoreReport, RunReport, RunStatus, Verdict};
use super::signed;
use crate::diagnostic::{LocalTime, duration};

/// Rows of a table before it is cut. GitHub takes a megabyte of job summary, and 65,535 characters of comment.
const ROWS: usize = 200;
/// Lines of output that are shown of a check that has failed.
const LINES: usize = 20;

/// Renders the report as Markdown.
#[must_use]
pub fn run_markdown(report: &RunReport) -> String {
    let mut text = String::new();
    let mark = match report.verdict {
        Verdict::Passed => "✅",
        Verdict::ObjectiveMissed => "⏱️",
        Verdict::Failed => "❌",
        Verdict::Unfinished => "⏳",
        Verdict::CleanedUp => "🧹",
    };
    let took = report
        .took()
        .map_or_else(String::new, |took| format!(" in {}", duration(took)));
    let _ = writeln!(
        text,
        "## {mark} {} run {}: {}\n",
        escaped(&report.plan),
        escaped(report.run_id.as_str()),
        report.verdict.words(),
    );
    for notice in &report.notices {
        let _ = writeln!(text, "> **{}**\n", escaped(&notice.message));
    }
    let _ = if report.verdict == Verdict::CleanedUp {
        writeln!(text, "{}.", report.gone())
    } else {
        let (back, of) = (report.back(), report.restores.len());
        writeln!(text, "{back} of {of} restored{took}.")
    };
    if let Some(whereabouts) = report.whereabouts(&LocalTime::utc()) {
        let _ = writeln!(text, "\nRan {}.", escaped(&whereabouts));
    }
    if let Some(forecast) = &report.forecast {
        let _ = writeln!(text, "\nForecast before it: {}.", forecast.words());
    }
    if let Some(compared) = &report.compared {
        let _ = writeln!(text, "\nCompared with {}.", escaped(&compared.sentence()));
    }
    objectives(report, &mut text);
    restores(report, &mut text);
    checks(report, &mut text);
    let others = report.restores.iter();
    let others = others.flat_map(|restore| restore.also_made.iter().map(move |o| (restore, o)));
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        text.push_str("\n### Also created\n\n");
        for (restore, made) in others.iter().take(ROWS) {
            let gone = if made.cleanup == Some(Cleanup::Gone) {
                ", gone"
            } else {
                ""
            };
            let of = escaped(restore.restore.as_str());
            let by = escaped(&made.by());
            let _ = writeln!(text, "- {}, by {by} of {of}{gone}", code(&made.arn));
        }
        more(others.len(), &mut text);
    }
    let doubled = report.restores.iter().filter_map(|restore| {
        let doubled = restore.doubled()?;
        Some(format!(
            "- {}: {}\n",
            escaped(restore.restore.as_str()),
            escaped(&doubled)
        ))
    });
    let doubled: String = doubled.collect();
    if !doubled.is_empty() {
        let _ = write!(text, "\n### Second jobs\n\n{doubled}");
    }
    let into: Vec<&RestoreReport> = report
        .restores
        .iter()
        .filter(|restore| restore.into_existing && restore.created_resource_arn.is_some())
        .collect();
    if !into.is_empty() {
        text.push_str("\n### Existing resources that the run wrote into\n\n");
        for restore in into.iter().take(ROWS) {
            let arn = restore.created_resource_arn.as_deref().unwrap_or_default();
            let _ = writeln!(
                text,
                "- {}, by {}",
                code(arn),
                escaped(restore.restore.as_str())
            );
        }
        more(into.len(), &mut text);
    }
    let left: Vec<&str> = report
        .restores
        .iter()
        .flat_map(RestoreReport::left)
        .map(|(arn, _)| arn)
        .collect();
    if !left.is_empty() {
        text.push_str("\n### Not deleted\n\n");
        for arn in left {
            let _ = writeln!(text, "- {}", code(arn));
        }
    }
    if let Some(controls) = &report.controls {
        controls_markdown(controls, &mut text);
    }
    text
}

fn objectives(report: &RunReport, text: &mut String) {
    let rows: Vec<_> = report.all_objectives().collect();
    if rows.is_empty() {
        return;
    }
    text.push_str(
        "\n### Objectives\n\n| of | objective | wanted | reached | result |\n|---|---|---|---|---|\n",
    );
    for (whose, name, is_open, objective) in rows.iter().take(ROWS) {
        let words = objective.words(*is_open);
        let _ = writeln!(
            text,
            "| {} | {name} | {} | {} | {} |",
            escaped(whose),
            duration(objective.wanted_seconds),
            objective.seconds.map_or_else(|| "-".to_owned(), duration),
            match objective.met {
                Some(false) => format!("**{words}**"),
                _ => words.to_owned(),
            },
        );
    }
    more(rows.len(), text);
    let _ = writeln!(
        text,
        "\nRTO: {}. RPO: {}.",
        super::run::RTO,
        super::run::RPO
    );
}

/// Something with its page, where it has one.
fn linked(text: String, page: Option<String>) -> String {
    match page {
        Some(page) => format!("[{text}]({page})"),
        None => text,
    }
}

fn restores(report: &RunReport, text: &mut String) {
    text.push_str(
        "\n### Restores\n\n| restore | status | took | created, or why not |\n|---|---|---|---|\n",
    );
    // Restores that need attention come first.
    let mut shown: Vec<&RestoreReport> = report.restores.iter().collect();
    shown.sort_by_key(|restore| !(restore.status.is_bad() || restore.status.is_open()));
    for restore in shown.iter().take(ROWS) {
        let took = restore.started_at.zip(restore.ended_at).map_or_else(
            || "-".to_owned(),
            |(from, to)| duration(to.duration_since(from).as_secs()),
        );
        let longer = report
            .compared
            .as_ref()
            .and_then(|compared| {
                let of = compared
                    .restores
                    .iter()
                    .find(|d| d.restore == restore.restore)?;
                of.longer_seconds
            })
            .map_or_else(String::new, |longer| format!(" ({})", signed(longer)));
        let what = match (&restore.created_resource_arn, &restore.message) {
            (Some(arn), Some(message)) if restore.status == RunStatus::Incomplete => {
                format!("{}: {}", code(arn), escaped(message))
            }
            (Some(arn), _) if restore.mismatch.is_none() => {
                linked(code(arn), report.resource_page(arn))
            }
            (_, Some(message)) => escaped(message),
            (_, None) => String::new(),
        };
        let what = match report.job_page(restore) {
            Some(page) => format!("{what} ([job]({page}))").trim_start().to_owned(),
            None => what,
        };
        let status = restore.status.word();
        let status = if restore.status.is_bad() {
            format!("**{status}**")
        } else {
            status.to_owned()
        };
        let place = restore.target.as_ref().map_or_else(String::new, |target| {
            format!(
                " ({} {})",
                escaped(target.account.as_str()),
                escaped(target.region.as_str())
            )
        });
        let _ = writeln!(
            text,
            "| {}{place} | {status} | {took}{longer} | {what} |",
            escaped(restore.restore.as_str())
        );
    }
    more(shown.len(), text);
}

fn checks(report: &RunReport, text: &mut String) {
    let all: Vec<(Option<&str>, &CheckReport)> = report.all_checks().collect();
    if all.is_empty() {
        return;
    }
    let passed = all
        .iter()
        .filter(|(_, check)| check.status == CheckStatus::Passed)
        .count();
    let _ = match report.verdict {
        Verdict::CleanedUp => writeln!(
            text,
            "\n### Checks\n\nBefore the cleanup, {passed} of {} were good.",
            all.len()
        ),
        _ => writeln!(text, "\n### Checks\n\n{passed} of {} passed.", all.len()),
    };
    let bad = all
        .iter()
        .filter(|(_, check)| check.status == CheckStatus::Failed);
    for (restore, check) in bad.take(ROWS) {
        let whose = restore.unwrap_or("the run");
        let _ = writeln!(
            text,
            "\n**{}: {}**: {}",
            escaped(whose),
            escaped(&check.name),
            escaped(check.message.as_deref().unwrap_or_default())
        );
        let lines: Vec<&str> = check.output.lines().collect();
        let from = lines.len().saturating_sub(LINES);
        if !lines.is_empty() {
            let _ = write!(text, "\n{}", block("text", &lines[from..].join("\n")));
        }
    }
}

fn more(rows: usize, text: &mut String) {
    if rows > ROWS {
        let _ = writeln!(text, "\n… and {} more.", rows - ROWS);
    }
}
