//! The dry run: what would happen, and what is other than before. One record, one file a format.

mod github;
mod human;
mod json;
mod markdown;
mod words;

pub use github::dry_run_github;
pub use human::dry_run_human;
pub use json::dry_run_json;
pub use markdown::{COMMENT_LIMIT, dry_run_markdown};
pub(crate) use words::size;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::ForecastComparison;
use crate::backup::Endpoint;
use crate::diagnostic::Finding;
use crate::diff::{Action, Change, ChangeKind, Class, Compared, Diff, Restored};
use crate::ids::{IdempotencyToken, RestoreName};
use crate::plan::{Plan, Step};
use crate::render::{Resolved, Secrets, SourceFacts, Target};

/// Warning for everybody who starts something; given once.
pub const NOT_CANCELLED: &str = "A restore job that has been started cannot be cancelled.";

/// Everything that a dry run has come to.
#[derive(Clone, Copy)]
pub struct DryRun<'a> {
    /// The plan file as it was typed.
    pub file: &'a str,
    /// Plan that says what to restore.
    pub plan: &'a Plan,
    /// Changes that a run would make.
    pub diff: &'a Diff,
    /// Base that it was compared with, as it is typed: `source`, `git:main`; and what differs.
    pub compared: Option<(&'a str, &'a Compared)>,
    /// Recovery points that are at hand.
    pub sources: &'a BTreeMap<String, SourceFacts>,
    /// Resolution of each selector, by the restore's name.
    pub resolved: &'a BTreeMap<RestoreName, Arc<Resolved>>,
    /// Secrets that must not show.
    pub secrets: &'a Secrets,
    /// Current time.
    pub now: Timestamp,
    /// True if what did not change is shown as well.
    pub full: bool,
    /// The endpoint that is asked, where one is.
    pub endpoint: Option<&'a Endpoint>,
    /// Findings of validation, worst first.
    pub findings: &'a [Finding],
    /// State of the run, if it has ended or is elsewhere: shown first.
    pub notice: Option<&'a str>,
    /// Forecast of a run, if it would start something.
    pub forecast: Option<ForecastComparison<'a>>,
}

/// Number of restores for each kind of change.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
struct Totals {
    added: usize,
    removed: usize,
    renamed: usize,
    changed: usize,
    unchanged: usize,
    uncompared: usize,
}

/// A restore with everything that is known of it.
struct Row<'a> {
    step: &'a Step,
    /// Target that it runs in, if the plan has several.
    target: Option<&'a Target>,
    change: &'a Change,
    restored: Option<&'a Restored>,
    source: Option<&'a SourceFacts>,
    /// `by orders.lock.yaml, locked 2026-11-20`, where a lock file names the recovery point.
    by_lock: Option<String>,
}

/// Token as a reader of the dry run sees it.
enum ShownToken<'a> {
    Shown(&'a IdempotencyToken),
    /// The request holds a secret, which could be guessed from it.
    Secret,
    /// A part of the request is known later only.
    Pending,
}

impl Row<'_> {
    fn token(&self, secrets: &Secrets) -> ShownToken<'_> {
        match &self.change.token {
            None => ShownToken::Pending,
            Some(_) if self.step.draft.request.holds_secret(secrets) => ShownToken::Secret,
            Some(token) => ShownToken::Shown(token),
        }
    }

    /// Returns the plan's name for its target, if it has several.
    fn target_name(&self) -> Option<&str> {
        self.target?.name.as_deref()
    }
}

impl<'a> DryRun<'a> {
    fn rows(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let (plan, sources, compared) = (self.plan, self.sources, self.compared);
        let resolved = self.resolved;
        self.diff
            .changes
            .iter()
            .enumerate()
            .map(move |(at, change)| {
                let step = &plan.steps[change.step];
                Row {
                    step,
                    target: (plan.targets.len() > 1).then(|| plan.target_of(step)),
                    change,
                    restored: compared.and_then(|(_, compared)| compared.restores.get(at)),
                    source: sources.get(&step.draft.request.recovery_point_arn),
                    by_lock: resolved
                        .get(step.name.as_str())
                        .and_then(|point| point.by_lock()),
                }
            })
    }

    /// The rows that say something: what did not change and is not in the way is folded.
    fn shown(&self) -> impl Iterator<Item = Row<'a>> + use<'a> {
        let (full, against_source) = (self.full, self.is_against_source());
        self.rows().filter(move |row| {
            full || against_source
                || row.restored.is_none_or(Restored::is_changed)
                || matches!(row.change.action, Action::Conflict)
        })
    }

    /// Against what was backed up every restore is of interest, against another plan only what has changed.
    fn is_against_source(&self) -> bool {
        self.compared
            .is_some_and(|(against, _)| against == "source")
    }

    fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let Some((_, compared)) = self.compared else {
            return totals;
        };
        totals.removed = compared.removed.len();
        for restored in &compared.restores {
            *match restored.kind {
                ChangeKind::Same => &mut totals.unchanged,
                ChangeKind::Changed => &mut totals.changed,
                ChangeKind::Added => &mut totals.added,
                ChangeKind::Renamed { .. } => &mut totals.renamed,
                ChangeKind::Uncompared { .. } => &mut totals.uncompared,
            } += 1;
        }
        totals
    }

    /// `2 start, 1 done`.
    fn actions(&self) -> String {
        let totals: Vec<String> = Action::ALL
            .into_iter()
            .map(|action| (self.diff.count(action), action.name()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, name)| format!("{} {name}", words::count(count)))
            .collect();
        match totals.as_slice() {
            [] => "nothing to do".to_owned(),
            totals => totals.join(", "),
        }
    }

    /// `1 added, 2 changed`; what the comparison has come to.
    fn differences(&self) -> String {
        let totals = self.totals();
        let parts: Vec<String> = [
            (totals.added, "added"),
            (totals.removed, "removed"),
            (totals.renamed, "renamed"),
            (totals.changed, "changed"),
            (totals.uncompared, "not compared"),
            (totals.unchanged, "unchanged"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", words::count(count)))
        .collect();
        match parts.as_slice() {
            [] => "no restores".to_owned(),
            parts => parts.join(", "),
        }
    }

    /// Counts the restores that a reviewer looks at twice, by reason.
    fn classes(&self) -> Vec<(Class, usize)> {
        let Some((_, compared)) = self.compared else {
            return Vec::new();
        };
        Class::ALL
            .into_iter()
            .map(|class| (class, compared.count(class)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}
