//! Coverage as a comment, or as a summary of a job.

use std::fmt::Write as _;

use super::human::{about, day, sentence};
use super::{Coverage, CoverageState, DrillState, Drills};
use crate::report::{COMMENT_LIMIT, markdown};

/// Room for what comes after a table that was cut.
const REST: usize = 400;

/// Renders what is missing, as far as it fits a comment.
#[must_use]
pub fn coverage_markdown(coverage: &Coverage, drills: &Drills) -> String {
    let mut text = format!(
        "### Proven: {:.1}%\n\n{}.\n\n",
        coverage.totals.percent(),
        sentence(coverage)
    );
    text.push_str("| state | resources |\n|---|---|\n");
    for state in CoverageState::ALL {
        let count = coverage.totals.of_state(state).count;
        if count > 0 {
            let _ = writeln!(text, "| {state} | {count} |");
        }
    }
    text.push('\n');
    text.push_str(&missed(drills));
    let missing = coverage
        .rows
        .iter()
        .filter(|row| row.state != CoverageState::Proven);
    let total = missing.clone().count();
    if total == 0 {
        return text;
    }
    text.push_str("| state | type | resource | what |\n|---|---|---|---|\n");
    let mut shown = 0;
    for row in missing {
        let line = format!(
            "| {} | {} | {} | {} |\n",
            row.state,
            markdown::escaped(&row.resource_type),
            markdown::code_in_cell(&row.arn),
            markdown::escaped(&about(row))
        );
        if text.len() + line.len() + REST > COMMENT_LIMIT {
            break;
        }
        text.push_str(&line);
        shown += 1;
    }
    if shown < total {
        let _ = writeln!(
            text,
            "\n{} more: `redrill coverage --all` lists them.",
            total - shown
        );
    }
    text
}

fn missed(drills: &Drills) -> String {
    let mut text = String::new();
    for (drill, window) in drills.missed() {
        let _ = writeln!(
            text,
            "- Drill missed: {}, {} to {}, {}",
            markdown::code(&drill.plan),
            window.from,
            window.to,
            markdown::escaped(&drill.owner)
        );
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// The calendar.
#[must_use]
pub fn drills_markdown(drills: &Drills) -> String {
    let count = drills.missed().count();
    let mut text = match count {
        0 => "### No drill was missed\n\n".to_owned(),
        1 => "### A drill was missed\n\n".to_owned(),
        _ => format!("### {count} drills were missed\n\n"),
    };
    text.push_str("| state | plan | window | owner | last held |\n|---|---|---|---|---|\n");
    for drill in &drills.drills {
        let windows = drill
            .windows
            .iter()
            .filter(|of| of.state == DrillState::Missed);
        for window in windows.chain(&drill.next) {
            let _ = writeln!(
                text,
                "| {} | {} | {} to {} | {} | {} |",
                window.state.word(),
                markdown::code_in_cell(&drill.plan),
                window.from,
                window.to,
                markdown::escaped(&drill.owner),
                drill.last.map_or_else(|| "never".to_owned(), day)
            );
        }
    }
    text
}
