//! `needs`: names that exist, and an order that has no cycle.

use std::collections::HashMap;

use crate::diagnostic::{Finding, suggest};
use crate::parse::{Document, error, warning};

/// Checks every name in `needs` and refuses cycles.
pub(super) fn needs(document: &Document, findings: &mut Vec<Finding>) {
    let index = index(document);
    for restore in &document.restores {
        let name = &restore.name.value;
        for (at, need) in restore.needs.iter().enumerate() {
            let finding = if need.value == *name {
                error(
                    &document.source,
                    need.span,
                    "needs/itself",
                    "a restore cannot wait for itself",
                    "remove it from `needs`",
                )
            } else if !index.contains_key(need.value.as_str()) {
                error(
                    &document.source,
                    need.span,
                    "needs/unknown",
                    format!("there is no restore `{}`", need.value),
                    suggest(
                        &need.value,
                        index
                            .keys()
                            .copied()
                            .filter(|k| *k != name)
                            .collect::<Vec<_>>(),
                    ),
                )
            } else if restore.needs[..at].iter().any(|n| n.value == need.value) {
                warning(
                    &document.source,
                    need.span,
                    "needs/twice",
                    format!("`{}` is needed twice", need.value),
                    "remove one of the two",
                )
            } else {
                continue;
            };
            findings.push(finding.of_restore(name));
        }
    }
    cycles(document, &index, findings);
}

fn index(document: &Document) -> HashMap<&str, usize> {
    document
        .restores
        .iter()
        .enumerate()
        .map(|(at, restore)| (restore.name.value.as_str(), at))
        .collect()
}

/// The restores so that each stands behind all it needs, in the plan's order otherwise; those on a cycle are left out.
#[must_use]
pub fn order(document: &Document) -> Vec<usize> {
    let index = index(document);
    let mut waits = vec![0_usize; document.restores.len()];
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); document.restores.len()];
    for (at, restore) in document.restores.iter().enumerate() {
        for need in &restore.needs {
            if let Some(needed) = index.get(need.value.as_str()) {
                waits[at] += 1;
                dependents[*needed].push(at);
            }
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..waits.len()).filter(|at| waits[*at] == 0).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for dependent in &dependents[at] {
            waits[*dependent] -= 1;
            if waits[*dependent] == 0 {
                ready.insert(*dependent);
            }
        }
    }
    order
}

/// Reports each cycle once, at the `needs` that closes it.
fn cycles(document: &Document, index: &HashMap<&str, usize>, findings: &mut Vec<Finding>) {
    let mut done = vec![false; document.restores.len()];
    for at in order(document) {
        done[at] = true;
    }
    for start in 0..done.len() {
        if done[start] {
            continue;
        }
        // Everything left is on a cycle or behind one: following any need that is left ends in a cycle.
        let mut path = vec![start];
        while let Some((need, next)) = document.restores[path[path.len() - 1]]
            .needs
            .iter()
            .filter_map(|need| Some((need, *index.get(need.value.as_str())?)))
            .find(|(_, next)| !done[*next])
        {
            let Some(from) = path.iter().position(|at| *at == next) else {
                path.push(next);
                continue;
            };
            let last = path[path.len() - 1];
            if last != next {
                let mut names: Vec<&str> = path[from..]
                    .iter()
                    .map(|at| document.restores[*at].name.value.as_str())
                    .collect();
                names.push(&document.restores[next].name.value);
                findings.push(
                    error(
                        &document.source,
                        need.span,
                        "needs/cycle",
                        format!("these restores wait for one another: {}", names.join(" → ")),
                        "remove one of the needs, so that one of them can start",
                    )
                    .of_restore(&document.restores[last].name.value),
                );
            }
            break;
        }
        for at in path {
            done[at] = true;
        }
    }
}
