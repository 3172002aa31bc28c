//! The dry run as annotations of a workflow run, at the lines of the plan.
//!
//! <https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#setting-a-notice-message>

use super::words::{class, counted, key_change, kind};
use super::{DryRun, Row};
use crate::diagnostic::workflow_command;
use crate::diff::{Action, Class};

/// Characters of one value: an annotation is a glance.
const VALUE: usize = 120;
/// Keys of one restore.
const KEYS: usize = 20;

/// One annotation for the totals, then one for each restore that changed, what weighs most first: GitHub shows ten of
/// each kind.
#[must_use]
pub fn dry_run_github(run: &DryRun<'_>) -> String {
    let plan = run.plan;
    let mut told: Vec<String> = run.notice.map(str::to_owned).into_iter().collect();
    told.push(run.actions());
    told.extend(run.endpoint.map(|at| format!("at {at}")));
    if let Some((against, _)) = run.compared {
        told.push(format!("against {against}: {}", run.differences()));
    }
    let classes = run.classes().into_iter();
    told.extend(
        classes.map(|(of, restores)| format!("{}: {}", class(of), counted(restores, "restore"))),
    );
    let title = format!("redrill plan: {}, run {}", plan.name, plan.run_id);
    let mut text = command("notice", run.file, 1, &title, &told.join("\n"));
    let mut rows: Vec<(AnnotationLevel, Row<'_>)> =
        run.shown().map(|row| (level(&row), row)).collect();
    rows.sort_by_key(|(level, _)| *level);
    for (level, row) in rows {
        let mut lines = Vec::new();
        lines.extend(
            row.change
                .reason
                .as_ref()
                .map(|reason| run.secrets.redact(reason).into_owned()),
        );
        if let Some(restored) = row.restored {
            let notes = restored
                .notes
                .iter()
                .filter(|note| note.class != Class::Irrevocable);
            lines.extend(notes.map(|note| note.message.clone()));
            let changes: Vec<_> = restored.telling().collect();
            lines.extend(
                changes
                    .iter()
                    .take(KEYS)
                    .map(|change| key_change(change, VALUE)),
            );
            if changes.len() > KEYS {
                lines.push(format!("{} more", counted(changes.len() - KEYS, "key")));
            }
        }
        let kind = row.restored.and_then(|restored| kind(&restored.kind));
        let kind = kind.map_or(String::new(), |words| format!(", {words}"));
        let title = format!("{}: {}{kind}", row.step.name, row.change.action.name());
        if lines.is_empty() {
            lines.push(
                row.step
                    .draft
                    .request
                    .redacted(run.secrets)
                    .recovery_point_arn,
            );
        }
        let line = row.step.span.start.line;
        text.push_str(&command(
            level.name(),
            run.file,
            line,
            &title,
            &lines.join("\n"),
        ));
    }
    let compared = run.compared.map(|(_, compared)| compared);
    for (name, _) in compared.into_iter().flat_map(|compared| &compared.removed) {
        let title = format!("{name}: removed");
        text.push_str(&command(
            "notice",
            run.file,
            1,
            &title,
            "the plan does not restore it any more",
        ));
    }
    for name in &run.diff.lost {
        let message =
            "started by this run and still going on, but no longer in the plan: put it back";
        text.push_str(&command("error", run.file, 1, name.as_str(), message));
    }
    text
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum AnnotationLevel {
    Error,
    Warning,
    Notice,
}

impl AnnotationLevel {
    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

fn level(row: &Row<'_>) -> AnnotationLevel {
    let classes = row
        .restored
        .filter(|restored| restored.is_changed())
        .map(|r| r.classes());
    let weighs = |class: &Class| *class != Class::Irrevocable;
    match row.change.action {
        Action::Conflict => AnnotationLevel::Error,
        _ if classes.is_some_and(|classes| classes.iter().any(weighs)) => AnnotationLevel::Warning,
        _ => AnnotationLevel::Notice,
    }
}

fn command(level: &str, file: &str, line: u32, title: &str, message: &str) -> String {
    let line = line.to_string();
    let properties = [("file", file), ("line", line.as_str()), ("title", title)];
    workflow_command(level, &properties, message)
}
