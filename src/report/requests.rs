//! `render`: the requests themselves.

use serde::Serialize;

use crate::ids::RestoreName;
use crate::plan::{Plan, Request};
use crate::render::{Fact, Secrets, Target};

/// Format in which requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestFormat {
    /// One JSON object a line, with the restore's name, target, and what is pending.
    Lines,
    /// The body alone, for `aws backup start-restore-job --cli-input-json`.
    CliJson,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    restore: &'a RestoreName,
    target: Target,
    request: Request,
    pending: Vec<&'a str>,
}

/// The requests of all steps, or of those named, in the plan's order, as the first attempt sends them.
#[must_use]
pub fn requests(plan: &Plan, only: &[String], format: RequestFormat, secrets: &Secrets) -> String {
    let mut text = String::new();
    for (at, step) in plan.steps.enumerated() {
        if !only.is_empty() && !only.iter().any(|name| step.name == **name) {
            continue;
        }
        // A token, and the mark that is made of it, could tell a secret that can be guessed.
        let is_open = !step.draft.request.holds_secret(secrets);
        let request = match plan.token(at, 1).filter(|_| is_open) {
            Some(token) => step.draft.sent_with(&token).into_request(),
            None => step.draft.request.clone(),
        };
        let request = request.redacted(secrets);
        let line = match format {
            RequestFormat::CliJson => request.canonical(),
            RequestFormat::Lines => serde_json::to_string(&RequestLine {
                restore: &step.name,
                target: plan.target_of(step).redacted(secrets),
                request,
                pending: step.draft.pending.iter().map(Fact::as_str).collect(),
            })
            // Strings alone: serde_json cannot fail on them.
            .unwrap_or_default(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}
