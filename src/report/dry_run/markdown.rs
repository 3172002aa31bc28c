//! The dry run as a comment on a pull request, which GitHub lets have 65,535 characters.

use std::fmt::Write as _;

use super::super::forecast::comparison_line;
use super::super::markdown::{block, code, escaped, html};
use super::words::{class, count, counted, diff_lines, kind, recovery_point};
use super::{DryRun, NOT_CANCELLED, Row, ShownToken};
use crate::diagnostic::{Finding, Severity, visible};
use crate::diff::{Action, Class};
use crate::render::has_placeholder;

/// Maximum length of a comment; bytes are counted, of which no text has fewer than characters.
pub const COMMENT_LIMIT: usize = 65_535;
/// Kept free for what is said at the end.
const RESERVED: usize = 600;
/// Characters of one value: more is for `redrill plan` in a terminal.
const VALUE: usize = 300;
/// Findings that are shown.
const FINDINGS: usize = 20;
/// Keys of one restore.
const KEYS: usize = 60;

/// Totals first, then a section for each restore that changed, as many as there is room for.
#[must_use]
pub fn dry_run_markdown(run: &DryRun<'_>) -> String {
    let plan = run.plan;
    // By the mark a bot finds its comment again.
    let mut text = format!(
        "<!-- redrill plan {} -->\n### redrill plan: {}, run {}\n\n",
        visible(run.file)
            .replace("--", "-\u{2010}")
            .replace('>', ""),
        escaped(&plan.name),
        escaped(plan.run_id.as_str())
    );
    text.push_str(&findings(run));
    if let Some(notice) = run.notice {
        let _ = writeln!(text, "> **{}**\n", visible(notice));
    }
    let at = run.endpoint.map_or_else(String::new, |at| {
        format!(" at {}", escaped(&at.to_string()))
    });
    let places = escaped(&plan.places());
    let _ = writeln!(text, "**{}** in {places}{at}.", run.actions());
    if let Some(forecast) = &run.forecast {
        let _ = writeln!(text, "Forecast: {}.", escaped(&comparison_line(forecast)));
    }
    if let Some((against, _)) = run.compared {
        let _ = writeln!(
            text,
            "Against {}: **{}**.",
            code(against),
            run.differences()
        );
    }
    // The note that a start cannot be cancelled is given once, at the end.
    let classes: Vec<_> = run
        .classes()
        .into_iter()
        .filter(|(of, _)| *of != Class::Irrevocable)
        .collect();
    if !classes.is_empty() {
        text.push_str("\n| review | restores |\n|---|---|\n");
        for (of, restores) in classes {
            let _ = writeln!(text, "| {} | {} |", class(of), count(restores));
        }
    }
    text.push('\n');
    let mut left_out = 0;
    let sections = run
        .shown()
        .map(|row| section(run, &row))
        .chain(removed(run))
        .chain(run.diff.lost.iter().map(|name| {
            format!(
                "**{}**: started by this run and still running, but no longer in the plan: put it back\n\n",
                escaped(name.as_str())
            )
        }));
    for section in sections {
        // Once one has no room, those behind it are left out as well: what is shown is the plan's beginning.
        if left_out > 0 || text.len() + section.len() + RESERVED > COMMENT_LIMIT {
            left_out += 1;
        } else {
            text.push_str(&section);
        }
    }
    if left_out > 0 {
        let _ = writeln!(
            text,
            "**{} more {} left out because the comment would be too long**; `redrill plan` shows all.\n",
            counted(left_out, "restore"),
            if left_out == 1 { "is" } else { "are" }
        );
    }
    if run.diff.count(Action::Start) > 0 {
        let _ = writeln!(text, "{NOT_CANCELLED}");
    }
    text
}

/// Lists the findings of validation, a line each: a reviewer of the plan has to see them.
fn findings(run: &DryRun<'_>) -> String {
    let mut text = String::new();
    let weighty = |finding: &&Finding| finding.severity != Severity::Note;
    let all: Vec<&Finding> = run.findings.iter().filter(weighty).collect();
    for finding in all.iter().take(FINDINGS) {
        let severity = match finding.severity {
            Severity::Error => "error",
            _ => "warning",
        };
        let line = format!(
            "> **{}[{}]** {}:{}: {}",
            severity,
            finding.rule,
            escaped(&finding.source.name),
            finding.span.start.line,
            escaped(&cut(&finding.message))
        );
        let _ = writeln!(text, "{line}\\");
    }
    if all.len() > FINDINGS {
        let more = all.len() - FINDINGS;
        let _ = writeln!(text, "> and {more} more; `redrill validate` shows all\\");
    }
    if !text.is_empty() {
        // The last line ends its paragraph.
        text.truncate(text.len() - 2);
        text.push_str("\n\n");
    }
    text
}

fn section(run: &DryRun<'_>, row: &Row<'_>) -> String {
    let request = row.step.draft.request.redacted(run.secrets);
    let mut summary = vec![
        format!("<b>{}</b>", html(row.step.name.as_str())),
        html(&request.resource_type),
        row.change.action.name().to_owned(),
    ];
    summary.extend(row.target_name().map(|name| format!("in {}", html(name))));
    if let Some(restored) = row.restored {
        summary.extend(kind(&restored.kind).map(|words| html(&words)));
        let classes = restored.classes().into_iter();
        let told = classes.filter(|of| *of != Class::Irrevocable && restored.is_changed());
        summary.extend(told.map(|of| format!("⚠ {}", class(of))));
    }
    let mut text = format!("<details><summary>{}</summary>\n\n", summary.join(" · "));
    let point = match row.step.draft.waits_for_its_point() {
        true if has_placeholder(&request.recovery_point_arn) => "(recovery point known later)",
        _ => &request.recovery_point_arn,
    };
    let _ = writeln!(text, "{}", code(&cut(point)));
    if let Some(words) = recovery_point(row, run.now) {
        let _ = writeln!(text, "· {words}");
    }
    if let Some(words) = &row.by_lock {
        let _ = writeln!(text, "· {}", html(words));
    }
    match row.token(run.secrets) {
        ShownToken::Shown(token) => {
            let _ = writeln!(text, "· token {}", code(token.as_str()));
        }
        ShownToken::Secret => {
            text.push_str("· the token is not shown: the request holds a secret\n")
        }
        ShownToken::Pending => {
            let waits: Vec<String> = row
                .step
                .draft
                .pending
                .iter()
                .map(|name| code(name.as_str()))
                .collect();
            let _ = writeln!(text, "· waits for {}", cut(&waits.join(", ")));
        }
    }
    let mut lines = Vec::new();
    lines.extend(
        row.change
            .reason
            .as_ref()
            .map(|reason| format!("! {}", visible(&cut(&run.secrets.redact(reason))))),
    );
    if let Some(restored) = row.restored {
        let notes = restored
            .notes
            .iter()
            .filter(|note| note.class != Class::Irrevocable);
        lines.extend(notes.map(|note| format!("! {}", visible(&cut(&note.message)))));
        let changes: Vec<_> = restored.telling().collect();
        lines.extend(
            changes
                .iter()
                .take(KEYS)
                .flat_map(|change| diff_lines(change, VALUE)),
        );
        if changes.len() > KEYS {
            lines.push(format!("  {} more", counted(changes.len() - KEYS, "key")));
        }
        let unchanged = &restored.keys.unchanged;
        if run.full {
            let all = super::human::unchanged(run, row.step, unchanged);
            lines.extend(
                all.into_iter()
                    .take(KEYS)
                    .map(|(key, value)| format!("  {key}: {}", cut(&value))),
            );
        } else if !unchanged.is_empty() {
            lines.push(format!("  {} unchanged", counted(unchanged.len(), "key")));
        }
    }
    if !lines.is_empty() {
        let _ = write!(text, "\n{}", block("diff", &lines.join("\n")));
    }
    text.push_str("\n</details>\n\n");
    text
}

fn removed(run: &DryRun<'_>) -> impl Iterator<Item = String> {
    let compared = run.compared.map(|(_, compared)| compared);
    compared
        .into_iter()
        .flat_map(|compared| &compared.removed)
        .map(|(name, subject)| {
            let part = |key: &str| {
                let value = subject
                    .as_ref()
                    .and_then(|subject| subject.keys.get(key)?.as_str());
                cut(value.unwrap_or("?"))
            };
            format!(
                "<details><summary><b>{}</b> · {} · removed</summary>\n\n{}\n\n</details>\n\n",
                html(name.as_str()),
                html(&part("ResourceType")),
                code(&part("RecoveryPointArn"))
            )
        })
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
