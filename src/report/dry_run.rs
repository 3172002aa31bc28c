//! The dry run: what would happen.

use std::fmt::Write as _;

use serde::Serialize;

use super::columns::columns;
use crate::diff::{Action, Diff};
use crate::plan::{Plan, Request};
use crate::render::Secrets;

/// `redrill.plan/v1`.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    plan: &'a str,
    run_id: &'a str,
    target: &'a crate::render::Target,
    restores: Vec<Row<'a>>,
    /// Started by this run, still going on, and no longer in the plan.
    lost: &'a [String],
}

#[derive(Serialize)]
struct Row<'a> {
    restore: &'a str,
    action: Action,
    attempt: u32,
    token: Option<&'a str>,
    request: Request,
    pending: Vec<&'a str>,
    reason: Option<&'a str>,
}

/// For machines.
#[must_use]
pub fn dry_run_json(plan: &Plan, diff: &Diff, secrets: &Secrets) -> String {
    let restores = diff
        .changes
        .iter()
        .map(|change| {
            let step = &plan.steps[change.step];
            let request = match &change.token {
                Some(token) => step.draft.sent_with(token),
                None => step.draft.request.clone(),
            };
            Row {
                restore: &step.name,
                action: change.action,
                attempt: change.attempt,
                token: change.token.as_deref(),
                request: request.redacted(secrets),
                pending: step.draft.pending.iter().map(String::as_str).collect(),
                reason: change.reason.as_deref(),
            }
        })
        .collect();
    super::pretty(&Document {
        schema: "redrill.plan/v1",
        plan: &plan.name,
        run_id: &plan.run_id,
        target: &plan.targets[0],
        restores,
        lost: &diff.lost,
    })
}

/// For the eye: each restore with its action, recovery point and token, and the totals.
#[must_use]
pub fn dry_run_human(plan: &Plan, diff: &Diff) -> String {
    let mut text = format!(
        "{} run {}, into {}\n\n",
        plan.name,
        plan.run_id,
        plan.places()
    );
    let rows: Vec<Vec<String>> = diff
        .changes
        .iter()
        .map(|change| {
            let step = &plan.steps[change.step];
            let token = match &change.token {
                Some(token) => token.clone(),
                None => {
                    let waits: Vec<&str> = step.draft.pending.iter().map(String::as_str).collect();
                    format!("(waits for {})", waits.join(", "))
                }
            };
            vec![
                word(change.action).to_owned(),
                step.name.to_string(),
                step.draft.request.resource_type.clone(),
                step.draft.request.recovery_point_arn.clone(),
                token,
            ]
        })
        .collect();
    text.push_str(&columns(&rows, "  "));
    let reasons: Vec<_> = diff
        .changes
        .iter()
        .filter_map(|change| Some((&plan.steps[change.step].name, change.reason.as_ref()?)))
        .collect();
    if !reasons.is_empty() || !diff.lost.is_empty() {
        text.push('\n');
    }
    for (name, reason) in reasons {
        let _ = writeln!(text, "  {name}: {reason}");
    }
    for name in &diff.lost {
        let _ = writeln!(
            text,
            "  {name}: started by this run and still going on, but no longer in the plan: put it back"
        );
    }
    let totals: Vec<String> = [
        Action::Start,
        Action::Resume,
        Action::Done,
        Action::Conflict,
        Action::Blocked,
    ]
    .into_iter()
    .filter(|action| diff.count(*action) > 0)
    .map(|action| format!("{} {}", diff.count(action), word(action)))
    .collect();
    let _ = writeln!(text, "\n{}", totals.join(", "));
    if diff.count(Action::Start) > 0 {
        text.push_str("A restore job that has been started cannot be cancelled.\n");
    }
    text
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Start => "start",
        Action::Resume => "resume",
        Action::Done => "done",
        Action::Conflict => "conflict",
        Action::Blocked => "blocked",
    }
}
