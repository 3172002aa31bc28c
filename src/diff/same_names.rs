//! Restores of one plan that would make the same new thing: AWS makes it once, and which of them that is nobody decides.

use std::collections::BTreeMap;

use super::Review;
use crate::diagnostic::{Finding, Findings, Span, rule};
use crate::ids::StepIndex;
use crate::parse::Document;
use crate::plan::{Plan, Step};
use crate::render::split_instance;

/// Restores that a message names.
const SHOWN: usize = 3;

/// One finding for each new name that several restores of a plan have, as far as names are known.
#[must_use]
pub fn same_names(document: &Document, plan: &Plan, review: &Review) -> Findings {
    let mut by_name: BTreeMap<String, Vec<(StepIndex, &str)>> = BTreeMap::new();
    for (at, step) in plan.steps.enumerated() {
        for (key, name) in review.names(&step.draft, plan.target_of(step)) {
            by_name.entry(name).or_default().push((at, key));
        }
    }
    let mut shared: Vec<Vec<(StepIndex, &str)>> = by_name
        .into_values()
        .map(|mut restores| {
            // Two entries of one name are a finding of their own.
            restores.dedup_by_key(|(at, _)| &plan.steps[*at].name);
            restores
        })
        .filter(|restores| restores.len() > 1)
        .collect();
    shared.sort();
    shared.dedup();
    let said = |restores: Vec<(StepIndex, &str)>| {
        let (first, second) = (restores[0], restores[1]);
        let (one, other) = (&plan.steps[first.0], &plan.steps[second.0]);
        let key = second.1;
        let value = |step: &Step, key: &str| {
            let value = step.draft.request.metadata.get(key);
            value.map_or("", String::as_str).to_owned()
        };
        let (theirs, own) = (value(one, first.1), value(other, key));
        let written = match theirs == own {
            true => String::new(),
            false => format!(", written `{theirs}` there"),
        };
        let of_first = place(document, one, first.1);
        let line = of_first.start.line;
        let also: Vec<String> = restores[2..]
            .iter()
            .take(SHOWN)
            .map(|(at, _)| format!(", `{}`", plan.steps[*at].name))
            .collect();
        let more = match restores.len() - 2 - also.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let of_second = place(document, other, key);
        let finding = Finding::at(
            &document.source,
            of_second,
            rule::PLAN_SAME_NAME,
            format!(
                "`{own}` is the new name of `{}` in line {line} as well{written}{}{more}: AWS makes it once, and fails the rest",
                one.name,
                also.concat(),
            ),
            match split_instance(other.name.as_str()) {
                Some(_) => "give each item a name of its own; `slug` and `truncate` can make one name of two".to_owned(),
                None => format!("give each a name of its own, such as `{key}: \"{{{{ restore }}}}-{{{{ run.id }}}}\"`"),
            },
        )
        .of_restore(&other.name)
        .of_key(key);
        match of_first == of_second {
            // Two items of one `for_each` are written in one place.
            true => finding,
            false => finding.also(of_first, format!("`{}` has the name here", one.name)),
        }
    };
    shared.into_iter().map(said).collect()
}

/// Finds the place where a restore sets a key.
fn place(document: &Document, step: &Step, key: &str) -> Span {
    let restore = &document.restores[step.restore];
    let entry = restore
        .metadata
        .iter()
        .find(|entry| entry.key.value.eq_ignore_ascii_case(key));
    entry.map_or(restore.name.span, |entry| entry.key.span)
}
