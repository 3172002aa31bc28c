//! A plan and what has been observed to changes: what a run would do, restore by restore.

mod base;
mod inside;
mod keys;
mod made;
mod review;
mod same_names;
mod saved;

pub use base::{BaseRestore, ChangeKind, Compared, Restored, compare, compare_sources};
pub use inside::{Part, Path, Sense, container};
pub use keys::{Comparing, KeyChange, KeyDiff, RestoreKeys};
pub use made::{misfit, misfit_of_part, writes_into_existing};
pub use review::{Class, Review, ReviewNote};
pub use same_names::same_names;
pub use saved::{Digested, Hole, Saved, SavedError, SavedInputs, SavedRestore};

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::ids::{IdempotencyToken, Indexed, RestoreName, StepIndex};
use crate::plan::{Plan, digest};
use crate::state::{Judged, RestoreStage, RestoreState, RunState, Told, judged, outdated};

/// Action of a run on a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A request is sent.
    Start,
    /// A job that was started, or may have been, is followed to its end.
    Resume,
    /// Nothing: it has completed.
    Done,
    /// The plan asks for something else than what this run has started; nothing is sent at all.
    Conflict,
    /// Nothing, because of something that failed or is left out.
    Blocked,
}

impl Action {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Start,
        Self::Resume,
        Self::Done,
        Self::Conflict,
        Self::Blocked,
    ];

    /// Returns the name that everybody reads.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Done => "done",
            Self::Conflict => "conflict",
            Self::Blocked => "blocked",
        }
    }
}

/// One restore and what a run would do with it.
#[derive(Clone, Debug)]
pub struct Change {
    /// The step of the plan.
    pub step: StepIndex,
    /// Action to take.
    pub action: Action,
    /// The attempt that it would be, or is.
    pub attempt: u32,
    /// The token that is sent, or was; none while a part of the request is pending.
    pub token: Option<IdempotencyToken>,
    /// Why, where that is not plain.
    pub reason: Option<String>,
}

/// Options of a run besides the plan.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The restores to act on; all where it is empty.
    pub only: Vec<String>,
    /// True if failed restores get another attempt.
    pub retry_failed: bool,
    /// The last attempt that each may get; any where it is absent.
    pub up_to: Option<BTreeMap<RestoreName, u32>>,
}

/// Work of a run: the changes in the plan's order, and the restores it started that the plan has lost.
#[derive(Clone, Debug)]
pub struct Diff {
    /// One a restore that is acted on.
    pub changes: Vec<Change>,
    /// Restores that this run has started and the plan does not name any more.
    pub lost: Vec<RestoreName>,
}

impl Wanted {
    fn retries(&self, restore: &RestoreName, attempt: u32) -> bool {
        let last = self.up_to.as_ref().map(|up_to| up_to.get(restore));
        self.retry_failed && last.is_none_or(|last| last.is_some_and(|last| attempt < *last))
    }
}

impl Diff {
    /// Returns true if what has been started contradicts the plan.
    #[must_use]
    pub fn has_conflict(&self) -> bool {
        !self.lost.is_empty() || self.changes.iter().any(|c| c.action == Action::Conflict)
    }

    /// Counts the restores with an action.
    #[must_use]
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|c| c.action == action).count()
    }
}

/// Action for each step; none if there is nothing to do.
type Actions = Indexed<StepIndex, Option<Action>>;

/// Compares a plan with what its run has done so far.
#[must_use]
pub fn diff(plan: &Plan, observed: &RunState, wanted: &Wanted) -> Diff {
    let only: BTreeSet<&str> = wanted.only.iter().map(String::as_str).collect();
    let chosen = |name: &str| only.is_empty() || only.contains(name);
    let renamed = renamed(plan, observed);
    let mut actions: Actions = vec![None; plan.steps.len()].into();
    let mut changes = Vec::with_capacity(plan.steps.len());
    for at in plan.order.iter().copied() {
        let step = &plan.steps[at];
        let past = observed.restores.get(&step.name);
        if !chosen(step.name.as_str()) {
            // Left out, and still able to satisfy those that need it.
            actions[at] = past
                .filter(|past| matches!(past.stage, RestoreStage::Completed { .. }))
                .map(|past| match judged(&step.checks, &past.checks) {
                    Judged::Good => Action::Done,
                    Judged::Open | Judged::Failed(_) => Action::Blocked,
                });
            continue;
        }
        let mut change = change(plan, at, past, wanted, &actions);
        if change.action == Action::Start && change.reason.is_none() && !renamed.is_empty() {
            let same = renamed.get(digest(&step.draft.request).as_str());
            change.reason = same.map(|(name, job_id)| {
                format!("asks for the same as `{name}`, which this run has restored already, with job {job_id}")
            });
        }
        actions[at] = Some(change.action);
        changes.push(change);
    }
    changes.sort_by_key(|change| change.step);
    let lost = observed
        .restores
        .iter()
        .filter(|(_, past)| past.stage.was_sent() && !past.stage.has_ended())
        .filter(|(name, _)| !plan.steps.iter().any(|step| step.name == **name))
        .map(|(name, _)| name.clone())
        .collect();
    Diff { changes, lost }
}

/// Finds what this run has restored under names that the plan no longer has, by its request: the name, and the job.
fn renamed<'a>(plan: &Plan, observed: &'a RunState) -> BTreeMap<&'a str, (&'a str, &'a str)> {
    let pasts =
        observed
            .restores
            .iter()
            .filter_map(|(name, past)| match (&past.stage, &past.sent) {
                (RestoreStage::Completed { job_id, .. }, Some(sent)) if past.deletion.is_none() => {
                    Some((name.as_str(), sent.digest.as_str(), job_id.as_str()))
                }
                _ => None,
            });
    let mut known: Option<BTreeSet<&str>> = None;
    pasts
        .filter(|(name, ..)| {
            let names = || plan.steps.iter().map(|step| step.name.as_str()).collect();
            !known.get_or_insert_with(names).contains(name)
        })
        .map(|(name, digest, job_id)| (digest, (name, job_id)))
        .collect()
}

fn change(
    plan: &Plan,
    at: StepIndex,
    past: Option<&RestoreState>,
    wanted: &Wanted,
    actions: &Actions,
) -> Change {
    let step = &plan.steps[at];
    // Most restores of a new run have no past to be compared with.
    let is_same_request = |past: &RestoreState| {
        let sent = past.sent.as_ref();
        step.draft.pending.is_empty()
            && sent.is_some_and(|sent| digest(&step.draft.request) == sent.digest)
    };
    // The token says where it was sent to as well.
    let is_same = |past: &RestoreState| {
        let sent = past.sent.as_ref().map(|sent| &sent.token);
        is_same_request(past) && plan.token(at, past.attempt).as_ref() == sent
    };
    let started = past.filter(|past| past.stage.was_sent());
    let attempt = past.map_or(1, |past| past.attempt);
    let make = |action, attempt, reason: Option<String>| Change {
        step: at,
        action,
        attempt,
        token: match (action, started) {
            (Action::Start | Action::Blocked, _) | (_, None) => plan.token(at, attempt),
            (_, Some(past)) => past.sent.as_ref().map(|sent| sent.token.clone()),
        },
        reason,
    };
    if let Some(past) = past
        && let RestoreStage::Failed { message, .. } = &past.stage
        && !wanted.retries(&step.name, past.attempt)
    {
        // A rejected request was never sent: there is nothing that the plan could differ from.
        let same = past.sent.is_none() || is_same(past);
        let action = if same {
            Action::Blocked
        } else {
            Action::Conflict
        };
        let (failed, next) = (past.attempt, past.attempt + 1);
        // The reason says that it has failed.
        let message = message.strip_prefix("FAILED: ").unwrap_or(message);
        let reason = if same {
            format!(
                "attempt {failed} has failed ({message}): `--retry-failed` starts attempt {next}"
            )
        } else {
            format!(
                "attempt {failed} has failed ({message}), and the request has changed since: `--retry-failed` sends \
                 the new one as attempt {next}, `--run-id` gives it a run of its own"
            )
        };
        return make(action, attempt, Some(reason));
    }
    let cleaned = past.is_some_and(|past| past.deletion.is_some());
    match started {
        // The resource it made is gone, or about to be: nothing can be judged any more.
        Some(past) if cleaned && is_same(past) => {
            make(Action::Done, attempt, Some("cleaned up".to_owned()))
        }
        Some(past) if !matches!(past.stage, RestoreStage::Failed { .. }) => {
            if !is_same(past) {
                let what = if is_same_request(past) {
                    "the target"
                } else {
                    "the request"
                };
                let reason = if past.stage == RestoreStage::Intended {
                    format!(
                        "{what} has changed since this run sent it, and AWS has not answered: a job may exist. Undo the \
                         change and run again, which finds out; in a run of its own it may be a second one"
                    )
                } else {
                    format!(
                        "{what} has changed since this run sent it: \
                         undo the change, or give the new request a run of its own with `--run-id`"
                    )
                };
                return make(Action::Conflict, attempt, Some(reason));
            }
            if !matches!(past.stage, RestoreStage::Completed { .. }) {
                return make(Action::Resume, attempt, None);
            }
            match judged(&step.checks, &past.checks) {
                Judged::Failed(name) if !wanted.retry_failed => {
                    let reason =
                        format!("the check `{name}` has failed: `--retry-failed` runs it again");
                    make(Action::Blocked, attempt, Some(reason))
                }
                Judged::Failed(_) | Judged::Open => {
                    let why = match outdated(&step.checks, &past.checks) {
                        Some(name) => format!(
                            "it is back; the check `{name}` has changed since it passed, and is run again"
                        ),
                        None => "it is back; its checks are not over".to_owned(),
                    };
                    make(Action::Resume, attempt, Some(why))
                }
                Judged::Good
                    if step.publishes() && matches!(past.told, None | Some(Told::Failed)) =>
                {
                    make(
                        Action::Resume,
                        attempt,
                        Some(
                            "AWS Backup is still to be told what its checks have come to"
                                .to_owned(),
                        ),
                    )
                }
                Judged::Good if past.is_incomplete && wanted.retry_failed => {
                    let reason = "its job is COMPLETED and says that something is missing: another attempt would make a second \
                                  one, so `--retry-failed` makes none; a run of its own does, with `--run-id`";
                    make(Action::Done, attempt, Some(reason.to_owned()))
                }
                Judged::Good => make(Action::Done, attempt, None),
            }
        }
        _ => {
            let attempt = match past.map(|past| &past.stage) {
                Some(RestoreStage::Failed { .. }) => attempt + 1,
                _ => attempt,
            };
            let stands_in_the_way = step.needs.iter().copied().find(|need| {
                matches!(
                    actions[*need],
                    None | Some(Action::Blocked | Action::Conflict)
                )
            });
            match stands_in_the_way {
                Some(need) => {
                    let name = &plan.steps[need].name;
                    let reason = match actions[need] {
                        None => {
                            format!("needs `{name}`, which `--only` leaves out; add it to `--only`")
                        }
                        _ => format!("needs `{name}`"),
                    };
                    make(Action::Blocked, attempt, Some(reason))
                }
                None => make(Action::Start, attempt, None),
            }
        }
    }
}
