//! Selection of what can be rehearsed of a plan.

use std::collections::BTreeSet;

use crate::diagnostic::{Finding, Findings, rule};
use crate::ids::DocumentIndex;
use crate::parse::Restore;
use crate::plan::Planner;
use crate::render::split_instance;

/// Selects what is rehearsed of a plan with unknown types: everything else, except what needs them. All restores if no
/// type is unknown, if nothing is left, or if a type is another one misspelt.
#[must_use]
pub fn rehearsed(planner: &Planner) -> Vec<String> {
    let document = planner.document();
    let instances = planner.instances().all();
    let is_known = |restore: DocumentIndex| {
        let of_type = document.restores[restore].resource_type.as_ref();
        of_type.is_none_or(|of_type| planner.rules().knows(&of_type.value))
    };
    let is_slip = |restore: &Restore| {
        let of_type = restore.resource_type.as_ref();
        of_type.is_some_and(|of_type| planner.rules().meant(&of_type.value).is_some())
    };
    if document.restores.iter().any(is_slip) {
        return Vec::new();
    }
    let mut left_out: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = left_out.len();
        for instance in instances {
            let restore = &document.restores[instance.restore];
            let needs = restore.needs.iter().map(|need| need.value.as_str());
            let base =
                |name: &str| split_instance(name).map_or(name.to_owned(), |(of, _)| of.to_owned());
            let mut lost = needs.filter(|need| {
                left_out
                    .iter()
                    .any(|out| *out == *need || base(out) == *need)
            });
            if !is_known(instance.restore) || lost.next().is_some() {
                left_out.insert(instance.name.as_str());
            }
        }
        if left_out.len() == before {
            break;
        }
    }
    if left_out.is_empty() {
        return Vec::new();
    }
    let kept = instances
        .iter()
        .filter(|it| !left_out.contains(it.name.as_str()));
    kept.map(|it| it.name.to_string()).collect()
}

/// Restores of types that redrill does not know, of those that are acted on alone: one error a type. A rehearsal of them
/// would show nothing, as nobody has told the emulator what AWS makes of them either.
#[must_use]
pub fn not_rehearsed(planner: &Planner, only: &[String]) -> Findings {
    let document = planner.document();
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    let mut seen = BTreeSet::new();
    let instances = planner.instances().all().iter();
    let acted_on = instances.filter(|it| only.is_empty() || only.contains(it.name.as_str()));
    acted_on
        .filter_map(|it| {
            let restore = &document.restores[it.restore];
            let of_type = restore.resource_type.as_ref()?;
            let name = of_type.value.as_str();
            if planner.rules().knows(name) || !seen.insert(name) {
                return None;
            }
            let help = match planner.rules().meant(name) {
                Some(meant) => format!("did you mean `{meant}`? Others are rehearsed with --only"),
                None => "rehearse the other restores with --only; `redrill run` sends it to AWS as it is".to_owned(),
            };
            let message = format!(
                "a rehearsal shows nothing of `{name}`: it is not a resource type that redrill knows, nor the emulator"
            );
            let finding = Finding::at(
                &document.source,
                of_type.span,
                rule::TYPE_NOT_REHEARSED,
                message,
                help,
            );
            Some(finding.of_restore(&restore.name.value))
        })
        .collect()
}
