//! Conflicts that show only once a request is complete: it makes what another restore makes, or writes into something
//! that exists without anybody having said so. Conflicts that are known before are refused before anything starts.

use std::collections::HashMap;
use std::sync::Arc;

use crate::diff::Review;
use crate::ids::{Indexed, StepIndex};
use crate::plan::{Draft, Plan, Planner};

/// The new names of a plan's restores, and what tells them.
pub(super) struct Late {
    review: Review,
    /// By the name, the step whose it is.
    names: HashMap<String, StepIndex>,
}

impl Late {
    /// The names that are known at the start; nothing at all where no request waits for anything.
    pub(super) fn of(
        planner: &Planner,
        plan: &Plan,
        drafts: &Indexed<StepIndex, Arc<Draft>>,
    ) -> Option<Self> {
        drafts.iter().find(|draft| !draft.pending.is_empty())?;
        let mut late = Self {
            review: Review::embedded(planner.rules()),
            names: HashMap::new(),
        };
        for (at, draft) in drafts.enumerated() {
            late.claim(plan, at, draft);
        }
        Some(late)
    }

    /// Explains why a request that has become complete is not sent.
    pub(super) fn refuses(
        &mut self,
        plan: &Plan,
        step: StepIndex,
        draft: &Draft,
        into_existing: bool,
    ) -> Option<String> {
        let of = &plan.steps[step];
        if !into_existing
            && !of.into_existing
            && let Some(into) = self.review.writes_into(draft, plan.target_of(of))
        {
            return Some(format!(
                "it would write into {into}, which exists; add `into_existing: true` to the restore, or give --into-existing"
            ));
        }
        let (other, key) = self.claim(plan, step, draft)?;
        let value = draft.request.metadata.get(&key);
        Some(format!(
            "`{key}: {}` is the new name of `{}` as well (plan/same-name)",
            value.map_or("", String::as_str),
            plan.steps[other].name
        ))
    }

    /// Takes the names of a request; the restore that has one of them already, and the key.
    fn claim(
        &mut self,
        plan: &Plan,
        step: StepIndex,
        draft: &Draft,
    ) -> Option<(StepIndex, String)> {
        let target = plan.target_of(&plan.steps[step]);
        let names: Vec<(String, String)> = self
            .review
            .names(draft, target)
            .map(|(key, name)| (key.to_owned(), name))
            .collect();
        let taken = names.iter().find_map(|(key, name)| {
            let other = self.names.get(name).filter(|other| **other != step)?;
            Some((*other, key.clone()))
        });
        for (_, name) in names {
            self.names.entry(name).or_insert(step);
        }
        taken
    }
}
