//! The dry run for the eye.

use std::fmt::Write as _;

use super::super::forecast::comparison_line;
use super::words::{class, count, counted, key_change, kind, later, recovery_point, value};
use super::{DryRun, NOT_CANCELLED, Row, ShownToken};
use crate::diagnostic::visible;
use crate::diff::{Action, Class};
use crate::ids::Arn;
use crate::plan::Step;
use crate::render::Fact;
use crate::render::has_placeholder;

/// A terminal shows whole values.
const LIMIT: usize = usize::MAX;

/// Totals, then each restore with its action, recovery point, token and what differs.
#[must_use]
pub fn dry_run_human(run: &DryRun<'_>) -> String {
    let plan = run.plan;
    let mut text = String::new();
    if let Some(notice) = run.notice {
        let _ = writeln!(text, "{notice}\n");
    }
    let at = run
        .endpoint
        .map_or_else(String::new, |at| format!(", at {at}"));
    let _ = writeln!(
        text,
        "{} run {}{at}, into {}",
        plan.name,
        plan.run_id,
        visible(&plan.places())
    );
    if let Some((against, _)) = run.compared {
        let _ = writeln!(text, "against {against}: {}", run.differences());
    }
    let classes: Vec<String> = run
        .classes()
        .into_iter()
        // The note that a start cannot be cancelled is given once, at the end.
        .filter(|(of, _)| *of != Class::Irrevocable)
        .map(|(of, restores)| format!("{} {}", count(restores), class(of)))
        .collect();
    if !classes.is_empty() {
        let _ = writeln!(text, "Review: {}", classes.join("; "));
    }
    text.push('\n');
    let rows: Vec<Row<'_>> = run.shown().collect();
    let widths = Widths::of(&rows);
    for row in &rows {
        restore(run, row, &widths, &mut text);
    }
    removed(run, &mut text);
    for name in &run.diff.lost {
        let _ = writeln!(
            text,
            "  {}: started by this run and still going on, but no longer in the plan: put it back",
            visible(name.as_str())
        );
    }
    let folded = run.diff.changes.len() - rows.len();
    if folded > 0 {
        let _ = writeln!(
            text,
            "  {} did not change; --full shows {}",
            counted(folded, "restore"),
            if folded == 1 { "it" } else { "them" }
        );
    }
    let _ = writeln!(text, "\n{}", run.actions());
    if let Some(forecast) = &run.forecast {
        let _ = writeln!(text, "forecast: {}", comparison_line(forecast));
    }
    if run.diff.count(Action::Start) > 0 {
        let _ = writeln!(text, "{NOT_CANCELLED}");
    }
    text
}

/// The columns of the lines that name restores.
struct Widths {
    action: usize,
    name: usize,
    of_type: usize,
    target: usize,
}

impl Widths {
    fn of(rows: &[Row<'_>]) -> Self {
        let widest = |text: for<'a> fn(&'a Row<'_>) -> &'a str| {
            rows.iter()
                .map(|row| text(row).chars().count())
                .max()
                .unwrap_or(0)
        };
        Self {
            action: widest(|row| row.change.action.name()),
            name: widest(|row| row.step.name.as_str()),
            of_type: widest(|row| &row.step.draft.request.resource_type),
            target: widest(|row| row.target_name().unwrap_or_default()),
        }
    }
}

fn restore(run: &DryRun<'_>, row: &Row<'_>, widths: &Widths, text: &mut String) {
    let request = &row.step.draft.request;
    let target = row.target_name().map_or_else(String::new, |name| {
        format!("{:<width$}  ", visible(name), width = widths.target)
    });
    let _ = writeln!(
        text,
        "  {:<action$}  {:<name$}  {:<of_type$}  {target}{}",
        row.change.action.name(),
        visible(row.step.name.as_str()),
        visible(&request.resource_type),
        visible(&run.secrets.redact(point(row, run))),
        action = widths.action,
        name = widths.name,
        of_type = widths.of_type,
    );
    let indent = " ".repeat(widths.action + 4);
    let mut line = |line: &str| {
        let _ = writeln!(text, "{indent}{line}");
    };
    if let Some(words) = row.restored.and_then(|restored| kind(&restored.kind)) {
        line(&words);
    }
    if run.compared.is_some()
        && let Some(words) = recovery_point(row, run.now)
    {
        line(&words);
    }
    if let Some(words) = &row.by_lock {
        line(&visible(words));
    }
    if let Some(reason) = &row.change.reason {
        line(&visible(&run.secrets.redact(reason)));
    }
    line(&token(row, run));
    let Some(restored) = row.restored else {
        return;
    };
    // The note that a start cannot be cancelled is given once, at the end.
    for note in restored
        .notes
        .iter()
        .filter(|note| note.class != Class::Irrevocable)
    {
        line(&format!("! {}", visible(&note.message)));
    }
    for change in restored.telling() {
        line(&key_change(change, LIMIT));
    }
    if run.full {
        for (key, of) in unchanged(run, row.step, &restored.keys.unchanged) {
            line(&format!("  {key}: {of}"));
        }
    } else if !restored.keys.unchanged.is_empty() {
        let keys = counted(restored.keys.unchanged.len(), "key");
        line(&format!("  {keys} unchanged"));
    }
}

/// The recovery point: its ARN, but for what it shares with the target, unless all is shown.
fn point<'a>(row: &'a Row<'_>, run: &'a DryRun<'_>) -> &'a str {
    if row.step.draft.waits_for_its_point()
        && has_placeholder(&row.step.draft.request.recovery_point_arn)
    {
        return "(recovery point known later)";
    }
    let arn = row.step.draft.request.recovery_point_arn.as_str();
    let target = run.plan.target_of(row.step);
    match Arn::parse(arn) {
        // Images and snapshots belong to no account.
        Some(parts)
            if !run.full
                && parts.region == target.region
                && (parts.account.is_empty() || parts.account == target.account) =>
        {
            parts.resource
        }
        _ => arn,
    }
}

fn token(row: &Row<'_>, run: &DryRun<'_>) -> String {
    match row.token(run.secrets) {
        ShownToken::Shown(token) => format!("token {token}"),
        ShownToken::Secret => "token not shown: the request holds a secret".to_owned(),
        ShownToken::Pending => {
            let waits: Vec<&str> = row.step.draft.pending.iter().map(Fact::as_str).collect();
            format!("waits for {}", visible(&waits.join(", ")))
        }
    }
}

/// The keys that did not change, with their values.
pub(super) fn unchanged(run: &DryRun<'_>, step: &Step, keys: &[String]) -> Vec<(String, String)> {
    let subject = crate::diff::RestoreKeys::of_draft(&step.draft, &run.plan.targets[step.target])
        .redacted(run.secrets);
    keys.iter()
        .filter_map(|key| {
            let of = subject.keys.get(key)?;
            let shown = match subject.pending.contains(key.as_str()) {
                true => later(of, LIMIT),
                false => value(of, LIMIT),
            };
            Some((visible(key).into_owned(), shown))
        })
        .collect()
}

fn removed(run: &DryRun<'_>, text: &mut String) {
    let Some((_, compared)) = run.compared else {
        return;
    };
    for (name, subject) in &compared.removed {
        let part = |key: &str| {
            let value = subject
                .as_ref()
                .and_then(|subject| subject.keys.get(key)?.as_str());
            visible(value.unwrap_or("?")).into_owned()
        };
        let _ = writeln!(
            text,
            "  - {}  {}  {}  removed",
            visible(name.as_str()),
            part("ResourceType"),
            part("RecoveryPointArn")
        );
    }
}
