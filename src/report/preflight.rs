//! Obstacles to a plan: for people, for machines and for a pull request.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::markdown;
use super::pretty;
use crate::diagnostic::visible;
use crate::ids::{RunId, TargetIndex};
use crate::plan::Plan;
use crate::preflight::{ConcernedRestore, PreflightCheck, PreflightVerdict};
use crate::render::Secrets;

/// Restores that a line names.
const NAMED: usize = 3;
/// Lines of one check that are written out; the rest is a count.
const SHOWN: usize = 10;

/// Results of preflight, with what is needed to report them.
pub struct PreflightReport<'a> {
    /// The plan file, as it was typed.
    pub file: &'a str,
    /// The plan.
    pub plan: &'a Plan,
    /// The worst first.
    pub checks: &'a [PreflightCheck],
    /// Secrets that no report shows.
    pub secrets: &'a Secrets,
    /// True if passes are listed as well.
    pub verbose: bool,
}

impl PreflightReport<'_> {
    pub(super) fn count(&self, verdict: PreflightVerdict) -> usize {
        self.checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    }

    /// Returns the target that a check is about, if the plan has several.
    pub(super) fn place(&self, check: &PreflightCheck) -> Option<String> {
        let target = &self.plan.targets[check.target?];
        let place = match &target.name {
            Some(name) => format!("{name} ({} {})", target.account, target.region),
            None => format!("{} {}", target.account, target.region),
        };
        Some(place)
    }

    /// `3 failed, 1 warning, 2 unknown, 40 passed`.
    pub(super) fn totals(&self) -> String {
        let words = |verdict, one: &str, many: &str| {
            let count = self.count(verdict);
            let word = if count == 1 { one } else { many };
            format!("{count} {word}")
        };
        [
            words(PreflightVerdict::Fail, "failed", "failed"),
            words(PreflightVerdict::Warn, "warning", "warnings"),
            words(PreflightVerdict::Unknown, "unknown", "unknown"),
            words(PreflightVerdict::Pass, "passed", "passed"),
        ]
        .join(", ")
    }
}

/// Names the restores that are concerned, and the place in the plan.
fn concerned(file: &str, restores: &[ConcernedRestore]) -> Option<String> {
    let first = restores.first()?;
    let names: Vec<&str> = restores
        .iter()
        .take(NAMED)
        .map(|of| of.restore.as_str())
        .collect();
    let mut text = names.join(", ");
    if restores.len() > names.len() {
        let _ = write!(text, " and {} more", restores.len() - names.len());
    }
    let key = first
        .key
        .as_ref()
        .map_or_else(String::new, |key| format!(" `{key}`"));
    let at = first.at;
    Some(format!("{text}:{key} {file}:{}:{}", at.line, at.column))
}

/// For people: what is wrong first, what passed as a count.
#[must_use]
pub fn preflight_human(report: &PreflightReport<'_>) -> String {
    let mut text = String::new();
    let mut shown = 0;
    let mut last = None;
    let listed = report
        .checks
        .iter()
        .filter(|check| check.verdict != PreflightVerdict::Pass || report.verbose);
    for check in listed {
        let group = (check.verdict, check.id, check.target);
        shown = if last == Some(group) { shown + 1 } else { 0 };
        last = Some(group);
        if shown >= SHOWN && !report.verbose {
            continue;
        }
        one(report, check, &mut text);
        let more = report
            .checks
            .iter()
            .filter(|of| (of.verdict, of.id, of.target) == group)
            .count();
        if shown + 1 == SHOWN && more > SHOWN && !report.verbose {
            let _ = writeln!(
                text,
                "  and {} more of {}: --verbose lists them\n",
                more - SHOWN,
                check.id.id()
            );
        }
    }
    let _ = writeln!(text, "{}: {}", report.file, report.totals());
    if report.checks.is_empty() {
        let _ = writeln!(text, "the plan starts nothing: there is nothing to check");
    }
    text
}

fn one(report: &PreflightReport<'_>, check: &PreflightCheck, text: &mut String) {
    let colour = match check.verdict {
        PreflightVerdict::Fail => AnsiColor::BrightRed,
        PreflightVerdict::Warn => AnsiColor::BrightYellow,
        PreflightVerdict::Unknown => AnsiColor::BrightCyan,
        PreflightVerdict::Pass => AnsiColor::BrightGreen,
    };
    let style = Style::new().bold().fg_color(Some(colour.into()));
    let secrets = report.secrets;
    let message = secrets.redact_text(&check.message);
    let (word, id) = (check.verdict.name(), check.id.id());
    let _ = writeln!(text, "{style}{word}{style:#}[{id}]: {}", visible(&message));
    let mut about: Vec<String> = concerned(report.file, &check.restores)
        .into_iter()
        .collect();
    if report.plan.targets.len() > 1 {
        about.extend(report.place(check).map(|place| format!("in {place}")));
    }
    if !about.is_empty() {
        let _ = writeln!(text, "  at: {}", about.join(", "));
    }
    if check.verdict == PreflightVerdict::Pass {
        return;
    }
    if !check.help.is_empty() {
        let _ = writeln!(
            text,
            "  help: {}",
            visible(&secrets.redact_text(&check.help))
        );
    }
    text.push('\n');
}

/// For machines: a row for each restore that a check is about.
#[must_use]
pub fn preflight_json(report: &PreflightReport<'_>) -> String {
    #[derive(Serialize)]
    struct PreflightDocument<'a> {
        schema: &'static str,
        plan: &'a str,
        run_id: &'a RunId,
        verdict: PreflightVerdict,
        totals: PreflightTotals,
        targets: Vec<PreflightPlace<'a>>,
        checks: Vec<PreflightRow<'a>>,
    }
    #[derive(Serialize)]
    struct PreflightTotals {
        fail: usize,
        warn: usize,
        unknown: usize,
        pass: usize,
    }
    #[derive(Serialize)]
    struct PreflightPlace<'a> {
        name: Option<&'a str>,
        account: &'a str,
        region: &'a str,
    }
    #[derive(Serialize)]
    struct PreflightRow<'a> {
        id: &'static str,
        restore: Option<&'a str>,
        target: Option<usize>,
        verdict: PreflightVerdict,
        message: String,
        help: Option<String>,
        evidence: RowEvidence,
        file: Option<&'a str>,
        line: Option<u32>,
        column: Option<u32>,
        key: Option<&'a str>,
    }
    #[derive(Serialize)]
    struct RowEvidence {
        asked: String,
        seen: String,
    }
    let shown = |text: &str| report.secrets.redact_text(text).into_owned();
    let rows = report.checks.iter().flat_map(|check| {
        let row = move |of: Option<&'_ ConcernedRestore>| (check, of.cloned());
        let rows: Vec<(&PreflightCheck, Option<ConcernedRestore>)> = match check.restores.is_empty()
        {
            true => vec![row(None)],
            false => check.restores.iter().map(|of| row(Some(of))).collect(),
        };
        rows
    });
    let all: Vec<(&PreflightCheck, Option<ConcernedRestore>)> = rows.collect();
    let checks = all.iter().map(|(check, of)| PreflightRow {
        id: check.id.id(),
        restore: of.as_ref().map(|of| of.restore.as_str()),
        target: check.target.map(TargetIndex::get),
        verdict: check.verdict,
        message: shown(&check.message),
        help: Some(shown(&check.help)).filter(|help| !help.is_empty()),
        evidence: RowEvidence {
            asked: shown(&check.evidence.asked),
            seen: shown(&check.evidence.seen),
        },
        file: of.as_ref().map(|_| report.file),
        line: of.as_ref().map(|of| of.at.line),
        column: of.as_ref().map(|of| of.at.column),
        key: of.as_ref().and_then(|of| of.key.as_deref()),
    });
    let places = report.plan.targets.iter();
    pretty(&PreflightDocument {
        schema: "redrill.preflight/v1",
        plan: &report.plan.name,
        run_id: &report.plan.run_id,
        verdict: report
            .checks
            .first()
            .map_or(PreflightVerdict::Pass, |check| check.verdict),
        totals: PreflightTotals {
            fail: report.count(PreflightVerdict::Fail),
            warn: report.count(PreflightVerdict::Warn),
            unknown: report.count(PreflightVerdict::Unknown),
            pass: report.count(PreflightVerdict::Pass),
        },
        targets: places
            .map(|target| PreflightPlace {
                name: target.name.as_deref(),
                account: target.account.as_str(),
                region: target.region.as_str(),
            })
            .collect(),
        checks: checks.collect(),
    })
}

/// For a comment on a pull request.
#[must_use]
pub fn preflight_markdown(report: &PreflightReport<'_>) -> String {
    let mut text = String::new();
    let name = markdown::code(&report.plan.name);
    let _ = writeln!(text, "### Preflight of {name}: {}\n", report.totals());
    let problems: Vec<&PreflightCheck> = report
        .checks
        .iter()
        .filter(|check| check.verdict != PreflightVerdict::Pass)
        .collect();
    if problems.is_empty() {
        text.push_str("No problem was found, as far as can be seen.\n");
        return text;
    }
    text.push_str("| | check | what | where | what to do |\n|---|---|---|---|---|\n");
    let secrets = report.secrets;
    let cell = |of: &str| markdown::escaped(&secrets.redact_text(of));
    let mut left = problems.len();
    for check in problems {
        let about = concerned(report.file, &check.restores).or_else(|| report.place(check));
        let row = format!(
            "| {} | {} | {} | {} | {} |\n",
            check.verdict.name(),
            markdown::code(check.id.id()),
            cell(&check.message),
            cell(&about.unwrap_or_default()),
            cell(&check.help),
        );
        // Room for the line that says how many there are more.
        if text.len() + row.len() + 200 > super::COMMENT_LIMIT {
            break;
        }
        text.push_str(&row);
        left -= 1;
    }
    if left > 0 {
        let _ = writeln!(text, "\n{left} more: `redrill preflight` lists them.");
    }
    text
}
