//! Obstacles between a plan and its run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Context;
use super::run::EngineRun;
use crate::backup::{Clock, SystemClock};
use crate::cli::confirm::typed;
use crate::cli::exit::Failure;
use crate::diff::{Action, Diff, Review};
use crate::execute::Policy;
use crate::ids::{RestoreName, RunId};
use crate::plan::Plan;
use crate::render::{Resolved, Secrets};
use crate::report::{self, dry_run_human, minute};
use crate::rules::Rules;
use crate::session::{Loaded, Preview};
use crate::state::History;

pub(super) fn check_opened(history: &History, plan: &str, run: &RunId) -> Result<(), Failure> {
    match &history.opened {
        None => Ok(()),
        Some(opened) if opened.plan == plan && opened.run == *run => Ok(()),
        // A file system that does not tell `Main` from `main`.
        Some(_) => Err(Failure::Conflict(format!(
            "the journal of {plan} run {run} belongs to another plan or run; give another --run-id or --state"
        ))),
    }
}

/// Describes what would happen, without comparing it with anything.
pub(super) fn brief(
    loaded: &Loaded,
    preview: &Preview,
    execution: &EngineRun<'_>,
    resolved: &BTreeMap<RestoreName, Arc<Resolved>>,
) -> String {
    dry_run_human(&report::DryRun {
        forecast: None,
        file: &execution.file.to_string_lossy(),
        plan: &preview.plan,
        diff: &preview.diff,
        compared: None,
        sources: &BTreeMap::new(),
        resolved,
        secrets: loaded.planner.secrets(),
        now: SystemClock.now(),
        full: false,
        endpoint: Some(&execution.reached.endpoint),
        findings: &[],
        notice: None,
    })
}

pub(super) fn refuse_conflicts(
    loaded: &Loaded,
    preview: &Preview,
    execution: &EngineRun<'_>,
    found: &[String],
) -> Result<(), Failure> {
    if preview.diff.has_conflict() {
        return Err(conflict(loaded, preview, execution, found));
    }
    Ok(())
}

/// `found` is what the jobs of the requests were found to be.
pub(super) fn conflict(
    loaded: &Loaded,
    preview: &Preview,
    execution: &EngineRun<'_>,
    found: &[String],
) -> Failure {
    Failure::Conflict(format!(
        "the plan differs from what this run has already started; nothing was sent\n\n{}{}",
        brief(loaded, preview, execution, &BTreeMap::new()),
        found
            .iter()
            .map(|line| format!("\n{line}"))
            .collect::<String>()
    ))
}

/// Refuses a run whose resources are gone: nothing more can be built on them, and none is reported as if it were there.
/// A job that still runs is followed, so that what it makes can be deleted as well.
pub(super) fn refuse_cleaned_up(
    preview: &Preview,
    execution: &EngineRun<'_>,
) -> Result<(), Failure> {
    let Preview {
        history: before,
        diff,
        ..
    } = preview;
    let starts = diff.count(Action::Start) > 0;
    let follows = diff.count(Action::Resume) > 0;
    let mut pasts = before.observed.restores.values();
    let is_begun = pasts.any(|past| past.deletion.is_some());
    let deleted = before.deleted();
    let is_over = deleted > 0 && !follows;
    let Some(opened) = before
        .opened
        .as_ref()
        .filter(|_| is_over || is_begun && starts)
    else {
        return Ok(());
    };
    let ended = before
        .ended
        .map_or_else(String::new, |at| format!("ended {} and ", minute(at)));
    let cleaned = before
        .cleaned_up
        .map_or_else(String::new, |at| format!(", last {}", minute(at)));
    Err(Failure::Conflict(format!(
        "run {} of {} {ended}was cleaned up{cleaned}: {}. Nothing was started.\nA new restore needs a new run id: {}",
        opened.run,
        opened.plan,
        before.deletions(),
        execution.again_anew(&opened.plan)
    )))
}

/// Restores that would start and write into something that exists, of which the plan does not say that they may.
pub(super) struct Unsaid(Vec<String>);

impl Unsaid {
    pub(super) fn of(plan: &Plan, diff: &Diff, rules: &Arc<Rules>, secrets: &Secrets) -> Self {
        let unsaid = Review::embedded(rules).unsaid(plan, diff);
        let line = |(name, into): (&str, String)| {
            secrets
                .redact(&format!("{name} writes into {into}"))
                .into_owned()
        };
        Self(unsaid.into_iter().map(line).collect())
    }

    /// Refuses where nobody is asked, before anything is sent; says it where somebody has allowed it, and in a rehearsal.
    pub(super) fn refuse_or_say(
        &self,
        execution: &EngineRun<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        if self.0.is_empty() {
            return Ok(());
        }
        if execution.rehearsal {
            let text = format!(
                "{}\n`redrill run` starts this only with `into_existing: true` in the restore, or with --into-existing",
                self.lines("")
            );
            context.output.note(&text);
        } else if execution.policy.into_existing {
            context.output.note(&self.lines(""));
        } else if execution.confirmed {
            let count = match self.0.len() {
                1 => "a restore writes into something that exists, and the plan does not say that it may".to_owned(),
                n => format!("{n} restores write into something that exists, and the plan does not say that they may"),
            };
            return Err(Failure::Usage(format!(
                "{count}; nothing was sent\n\n{}\n\n--yes does not answer for this: add `into_existing: true` to the restore, or run again with --into-existing",
                self.lines("  ")
            )));
        }
        Ok(())
    }

    /// Asks about them apart, where nobody has allowed them before.
    pub(super) fn ask(&self, policy: &mut Policy) -> Result<bool, Failure> {
        if self.0.is_empty() || policy.into_existing {
            return Ok(true);
        }
        let question = format!(
            "{}\nWhat is there already may be overwritten.",
            self.lines("")
        );
        policy.into_existing = typed(&question, "existing", "write into what exists")?;
        Ok(policy.into_existing)
    }

    fn lines(&self, indent: &str) -> String {
        super::listed(&self.0, 20, indent).join("\n")
    }
}
