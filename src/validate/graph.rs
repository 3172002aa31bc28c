//! `needs`: names that exist, and an order that has no cycle.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::diagnostic::{Finding, Findings, Rule, Span, rule, suggest};
use crate::ids::{DocumentIndex, Indexed, StepIndex};
use crate::parse::Document;
use crate::render::{Instances, instance_name, split_instance};

/// Meaning of a name in `needs`.
enum Need<'a> {
    /// A restore, with all its instances.
    Restore(DocumentIndex),
    /// One instance of a restore.
    Instance(DocumentIndex, &'a str),
}

impl Need<'_> {
    fn restore(&self) -> DocumentIndex {
        match self {
            Self::Restore(at) | Self::Instance(at, _) => *at,
        }
    }
}

type Index<'a> = HashMap<&'a str, DocumentIndex>;

fn need<'a>(name: &'a str, index: &Index<'_>) -> Option<Need<'a>> {
    if let Some(at) = index.get(name) {
        return Some(Need::Restore(*at));
    }
    let (base, key) = split_instance(name)?;
    Some(Need::Instance(*index.get(base)?, key))
}

/// Checks every name in `needs` and refuses cycles.
pub(super) fn needs(document: &Document, instances: &Instances, findings: &mut Findings) {
    let index = index(document);
    for (at, restore) in document.restores.enumerated() {
        for (nth, written) in restore.needs.iter().enumerate() {
            let wrong = wrong(document, instances, &index, at, nth);
            findings.extend(wrong.map(|(rule, message, help, first)| {
                let finding = Finding::at(&document.source, written.span, rule, message, help)
                    .of_restore(&restore.name.value);
                match first {
                    Some(first) => finding.also(first, "needed here already"),
                    None => finding,
                }
            }));
        }
    }
    cycles(document, &index, findings);
}

/// Steps of a cycle that are shown besides the one that closes it.
const SHOWN: usize = 8;

/// Finds what is wrong with one name in `needs`, and where it was needed first.
fn wrong(
    document: &Document,
    instances: &Instances,
    index: &Index<'_>,
    at: DocumentIndex,
    nth: usize,
) -> Option<(&'static Rule, String, String, Option<Span>)> {
    let restore = &document.restores[at];
    let name = restore.needs[nth].value.as_str();
    let remove = || "remove one of the two".to_owned();
    let found = need(name, index);
    let Some(found) = found else {
        let others: Vec<&str> = match split_instance(name) {
            Some(_) => instances
                .all()
                .iter()
                .map(|other| other.name.as_str())
                .collect(),
            None => index.keys().copied().collect(),
        };
        let is_other = |other: &&str| {
            split_instance(other).map_or(*other, |(base, _)| base) != restore.name.value
        };
        let others: Vec<&str> = others.into_iter().filter(is_other).collect();
        return Some((
            rule::NEEDS_UNKNOWN,
            format!("unknown restore `{name}`"),
            suggest(name, others),
            None,
        ));
    };
    if found.restore() == at {
        return Some((
            rule::NEEDS_ITSELF,
            "a restore cannot wait for itself".to_owned(),
            "remove it from `needs`".to_owned(),
            None,
        ));
    }
    if let Need::Instance(of, key) = found {
        let base = &document.restores[of].name.value;
        if document.restores[of].for_each.is_none() {
            return Some((
                rule::NEEDS_UNKNOWN,
                format!("`{base}` has no `for_each`, so there is one of it"),
                format!("write `{base}`"),
                None,
            ));
        }
        if !instances.is_unknown(of) && instances.find(name).is_none() {
            let keys: Vec<String> = instances
                .keys(of)
                .map(|key| instance_name(base.as_str(), key))
                .collect();
            return Some((
                rule::NEEDS_UNKNOWN,
                format!("`for_each` of `{base}` has no `{key}`"),
                suggest(name, keys.iter().map(String::as_str)),
                None,
            ));
        }
    }
    let first = restore.needs[..nth].iter().find(|other| {
        let all =
            |other| matches!(need(other, index), Some(Need::Restore(at)) if at == found.restore());
        other.value == name || all(&other.value)
    });
    first.map(|first| {
        (
            rule::NEEDS_TWICE,
            format!("`{name}` is needed twice"),
            remove(),
            Some(first.span),
        )
    })
}

/// The instances that a restore waits for, each once.
#[must_use]
pub fn needed(
    document: &Document,
    instances: &Instances,
) -> Indexed<DocumentIndex, Arc<[StepIndex]>> {
    let index = index(document);
    let of = |name: &str| match need(name, &index) {
        Some(Need::Restore(at)) => instances.positions_of(at).collect(),
        Some(Need::Instance(..)) => Vec::from_iter(instances.find(name)),
        None => Vec::new(),
    };
    document
        .restores
        .iter()
        .map(|restore| {
            let needed: BTreeSet<StepIndex> = restore
                .needs
                .iter()
                .flat_map(|need| of(&need.value))
                .collect();
            needed.into_iter().collect()
        })
        .collect()
}

fn index(document: &Document) -> Index<'_> {
    document
        .restores
        .enumerated()
        .map(|(at, restore)| (restore.name.value.as_str(), at))
        .collect()
}

/// The restores that each one waits for. The instances of a restore all need the same, so that restores on a cycle are
/// the cycle of their instances.
fn edges<'a>(
    document: &'a Document,
    index: &'a Index<'a>,
) -> impl Iterator<Item = (DocumentIndex, DocumentIndex)> + 'a {
    document
        .restores
        .enumerated()
        .flat_map(move |(at, restore)| {
            let needs = restore.needs.iter();
            let needs = needs.filter_map(|written| need(&written.value, index));
            needs.map(move |need| (at, need.restore()))
        })
}

/// The restores so that each stands behind all it needs, in the plan's order otherwise; those on a cycle are left out.
#[must_use]
pub fn order(document: &Document) -> Vec<DocumentIndex> {
    let index = index(document);
    let all = document.restores.len();
    let mut waits: Indexed<DocumentIndex, usize> = vec![0; all].into();
    let mut dependents: Indexed<DocumentIndex, Vec<DocumentIndex>> = vec![Vec::new(); all].into();
    for (at, needed) in edges(document, &index) {
        waits[at] += 1;
        dependents[needed].push(at);
    }
    let mut ready: BTreeSet<DocumentIndex> =
        waits.positions().filter(|at| waits[*at] == 0).collect();
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
fn cycles(document: &Document, index: &Index<'_>, findings: &mut Findings) {
    let mut done: Indexed<DocumentIndex, bool> = vec![false; document.restores.len()].into();
    for at in order(document) {
        done[at] = true;
    }
    for start in done.positions() {
        if done[start] {
            continue;
        }
        // Everything left is on a cycle or behind one: following any need that is left ends in a cycle.
        let mut path = vec![start];
        // The `needs` that leads from each restore of the path to the next.
        let mut steps = Vec::new();
        while let Some((closing, next)) = document.restores[path[path.len() - 1]]
            .needs
            .iter()
            .filter_map(|written| Some((written, need(&written.value, index)?.restore())))
            .find(|(_, next)| !done[*next])
        {
            let Some(from) = path.iter().position(|at| *at == next) else {
                path.push(next);
                steps.push(closing.span);
                continue;
            };
            let last = path[path.len() - 1];
            if last != next {
                let mut names: Vec<&str> = path[from..]
                    .iter()
                    .map(|at| document.restores[*at].name.value.as_str())
                    .collect();
                names.push(document.restores[next].name.value.as_str());
                let mut finding = Finding::at(
                    &document.source,
                    closing.span,
                    rule::NEEDS_CYCLE,
                    format!("these restores wait for one another: {}", names.join(" → ")),
                    "remove one of the needs, so that one of them can start",
                )
                .of_restore(&document.restores[last].name.value);
                for (at, span) in steps[from..].iter().enumerate().take(SHOWN) {
                    finding = finding.also(*span, format!("`{}` waits here", names[at]));
                }
                findings.push(finding);
            }
            break;
        }
        for at in path {
            done[at] = true;
        }
    }
}
