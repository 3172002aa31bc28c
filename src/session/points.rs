//! The recovery points that a plan asks about: which they are, and what is said of those that are not at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::backup::{ApiError, Operation, RecoveryPoint, Sources, ask_all};
use crate::diagnostic::{Finding, Findings, Span, rule};
use crate::ids::{Indexed, TargetIndex};
use crate::parse::{Check, Kind, Node, Point, Restore};
use crate::plan::{Draft, Plan, Planner, Step};
use crate::render::{Fact, Known, Resolved, Selector, SourceFacts, VaultName};
use crate::resolve::{PointCache, Selection, Unselected};
use crate::rules::{Facts, Lacks};

/// A recovery point to look up: the index of the target, its ARN, and its vault where that is known.
pub type WantedPoint = (TargetIndex, String, Option<VaultName>);
/// Recovery points to look up.
pub type WantedPoints = BTreeSet<WantedPoint>;

/// Returns true if a template of a step asks about its recovery point.
fn asks(step: &Step) -> bool {
    asks_source(&step.draft)
}

pub(super) fn asks_source(draft: &Draft) -> bool {
    draft
        .pending
        .iter()
        .any(|fact| matches!(fact, Fact::Source(_)))
}

/// The recovery points that templates ask about, as far as it is known which they are.
pub(super) fn sources_wanted(plan: &Plan) -> WantedPoints {
    arns(plan, asks)
}

/// The recovery points that rules ask about as well.
pub(super) fn sources_useful(plan: &Plan) -> WantedPoints {
    arns(plan, |step| asks(step) || step.draft.lacks_recovery_point)
}

/// Returns the place where a restore says what it is made of.
fn place(restore: &Restore) -> Span {
    let point = restore.recovery_point.as_ref();
    point.map_or(restore.name.span, Point::span)
}

/// By the index of the target in which they are looked for.
fn arns(plan: &Plan, chosen: impl Fn(&Step) -> bool) -> WantedPoints {
    plan.steps
        .iter()
        .filter(|step| chosen(step) && !step.draft.pending.contains(&Fact::RecoveryPoint))
        .map(wanted_point)
        .collect()
}

/// The recovery point of a step, the target that it is looked for in, and its vault where that is known.
#[must_use]
pub fn wanted_point(step: &Step) -> WantedPoint {
    let draft = &step.draft;
    let arn = draft.request.recovery_point_arn.clone();
    (step.target, arn, draft.vault.as_deref().cloned())
}

/// Reason why a recovery point is not at hand.
#[derive(Clone, Copy)]
pub(super) enum NotAtHand<'e> {
    /// Nobody was asked.
    NotAsked,
    /// The inventory does not have it.
    NotRecorded,
    /// AWS did not answer, or refused to.
    Failed(&'e ApiError),
}

/// Lists what was not checked because a recovery point is not at hand: one note per type.
pub(super) fn point_unchecked(planner: &Planner, plan: &Plan, why: NotAtHand<'_>) -> Findings {
    let help = match why {
        NotAtHand::NotAsked => "add --inventory FILE to check them".to_owned(),
        NotAtHand::NotRecorded => {
            "the inventory does not have the recovery point: check its ARN, or record it with `redrill inventory`".to_owned()
        }
        NotAtHand::Failed(error) => format!("{error}; or add --inventory FILE to check them"),
    };
    let document = planner.document();
    let mut seen = BTreeSet::new();
    plan.steps
        .iter()
        .map(|step| (step, &document.restores[step.restore]))
        .filter(|(step, _)| step.draft.lacks_recovery_point)
        .filter(|(step, _)| seen.insert(step.draft.request.resource_type.clone()))
        .map(|(step, restore)| {
            let of_type = &step.draft.request.resource_type;
            Finding::of_type(
                &document.source,
                place(restore),
                (rule::OF_TYPE_RECOVERY_POINT_UNCHECKED, of_type),
                format!("rules of {of_type} that need the recovery point itself were not checked"),
                help.clone(),
            )
        })
        .collect()
}

/// Lists what comes back and cannot be used as it is, if no command of the plan makes what it lacks: one note per type.
pub(super) fn lacking(planner: &Planner, plan: &Plan) -> Findings {
    let document = planner.document();
    let has = |commands: &[Check], what: &str| {
        let says = |node: &Node| matches!(&node.kind, Kind::String(text) if text.contains(what));
        commands
            .iter()
            .any(|of| of.name.value.contains(what) || of.run.iter().any(says))
    };
    let mut found: BTreeMap<&str, (&Step, &Lacks, usize)> = BTreeMap::new();
    for step in &plan.steps {
        let of_type = step.draft.request.resource_type.as_str();
        let facts = Facts::of(planner.rules().title(of_type));
        let Some(lacks) = facts.and_then(|facts| facts.lacks.as_ref()) else {
            continue;
        };
        let own = &document.restores[step.restore].checks;
        let all = [own, &document.checks, &document.cutover];
        if lacks.condition.holds(&step.draft.request.metadata)
            && !all.into_iter().any(|commands| has(commands, &lacks.what))
        {
            let (.., count) = found.entry(of_type).or_insert((step, lacks, 0));
            *count += 1;
        }
    }
    let note = |(of_type, (step, lacks, count)): (&str, (&Step, &Lacks, usize))| {
        let Lacks { what, so, make, .. } = lacks;
        let more = match count {
            1 => String::new(),
            many => format!(" (the same for all {many})"),
        };
        let finding = Finding::of_type(
            &document.source,
            place(&document.restores[step.restore]),
            (rule::OF_TYPE_LACKS, of_type),
            format!("{of_type} comes back without an {what}, so {so}{more}"),
            format!(
                "make one in a check: `{make}`, as docs/drills.md shows; delete it before `redrill cleanup`"
            ),
        );
        finding.of_restore(&step.name)
    };
    found.into_iter().map(note).collect()
}

/// The steps whose selectors have to be resolved first; of those that are acted on alone.
#[must_use]
pub fn unresolved<'p>(plan: &'p Plan, only: &[String]) -> Vec<(&'p Step, &'p Selector)> {
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    plan.steps
        .iter()
        .filter(|step| only.is_empty() || only.contains(step.name.as_str()))
        .filter_map(|step| Some((step, step.draft.selector.as_deref()?)))
        .collect()
}

/// Returns the note for selectors that were not resolved.
pub(super) fn unresolved_note(planner: &Planner, plan: &Plan) -> Option<Finding> {
    let wanted = unresolved(plan, &[]);
    let (first, _) = wanted.first()?;
    let count = match wanted.len() {
        1 => "a selector was".to_owned(),
        n => format!("{n} selectors were"),
    };
    let document = planner.document();
    Some(Finding::at(
        &document.source,
        place(&document.restores[first.restore]),
        rule::SELECTOR_UNRESOLVED,
        format!("{count} not resolved: the recovery points are not at hand"),
        "give an inventory with --inventory, or use `redrill plan`, which asks AWS",
    ))
}

/// Resolves selectors, by ages that are measured from `start`, with a reader for each target. Those that mean no recovery
/// point become findings.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn resolve<R: Sources>(
    readers: &[R],
    planner: &Planner,
    plan: &Plan,
    only: &[String],
    start: Timestamp,
    known: &mut Known,
) -> Result<Findings, ApiError> {
    let mut wanted = unresolved(plan, only);
    // A plan of another revision may have targets that nobody is asked in.
    wanted.retain(|(step, _)| step.target.get() < readers.len());
    let mut shelves: Indexed<TargetIndex, _> = Indexed::default();
    for (target, reader) in readers.iter().enumerate() {
        let target = TargetIndex::new(target);
        let selectors: Vec<&Selector> = wanted
            .iter()
            .filter(|(step, _)| step.target == target)
            .map(|(_, selector)| *selector)
            .collect();
        shelves.push(PointCache::prepare(reader, &selectors).await?);
    }
    let document = planner.document();
    let mut said = Findings::default();
    let shelves = &shelves;
    let questions = wanted.into_iter().map(async |(step, selector)| {
        let asked = Selection {
            selector,
            resource_type: &step.draft.request.resource_type,
            start,
            run: &plan.run_id,
            restore: &step.name,
        };
        let chosen = shelves[step.target].choose(&readers[step.target.get()], &asked);
        Ok((step, selector, chosen.await?))
    });
    let take = |(step, selector, chosen): (&Step, &Selector, Result<RecoveryPoint, Unselected>)| {
        match chosen {
            Ok(point) => {
                let resolved = Arc::new(Resolved {
                    selector: selector.clone(),
                    recovery_point: point.arn,
                    vault: point.vault,
                    created_at: point.created_at,
                    size_bytes: point.size_bytes,
                    expires_at: point.expires_at,
                    locked_at: None,
                    lock: None,
                });
                known.resolved.insert(step.name.clone(), resolved);
                said.extend(copies_unseen(planner, step, selector));
            }
            Err(unselected) => {
                let written = &document.restores[step.restore];
                let finding = Finding::at(
                    &document.source,
                    unselected.place(written),
                    unselected.rule(),
                    unselected.to_string(),
                    unselected.help(selector),
                );
                said.push(finding.of_restore(&step.name));
            }
        }
    };
    ask_all(questions, take).await?;
    Ok(planner.once(said))
}

/// ListRecoveryPointsByResource leaves out some copies of some types: by resource alone, a vault that has nothing but such
/// copies is not found.
fn copies_unseen(planner: &Planner, step: &Step, selector: &Selector) -> Option<Finding> {
    if selector.vault.is_some() {
        return None;
    }
    let facts = Facts::of(&step.draft.request.resource_type)?;
    let copies = facts.unlisted_copies.as_ref()?;
    let document = planner.document();
    let finding = Finding::at(
        &document.source,
        place(&document.restores[step.restore]),
        rule::SELECTOR_EBS_COPIES,
        format!(
            "the selector names no vault, and AWS does not list {} by resource: a later copy is not seen",
            copies.what
        ),
        "name the vault that is meant: `vault: dr-vault`",
    );
    Some(finding.of_restore(&step.name))
}

/// Looks recovery points up, each by the reader of its target. Those that the caller may not read keep no other from being
/// read.
///
/// # Errors
///
/// Where AWS does not answer, or the caller may not read a recovery point: the first refusal.
pub async fn look_up<R: Sources>(
    readers: &[R],
    wanted: &WantedPoints,
    known: &mut Known,
) -> Result<(), ApiError> {
    let questions = wanted.iter().map(async |(target, arn, vault)| {
        match readers[target.get()].source(arn, vault.as_ref()).await {
            Ok(facts) => Ok(Ok(facts.map(|facts| (arn.clone(), facts)))),
            // Without the list of vaults no other is found, either.
            Err(err) if err.lacks_permission() && err.operation != Operation::ListBackupVaults => {
                Ok(Err(err))
            }
            Err(err) => Err(err),
        }
    });
    let mut refused = None;
    let take = |answer: Result<Option<(String, SourceFacts)>, ApiError>| match answer {
        Ok(facts) => known.sources.extend(facts),
        Err(err) => {
            refused.get_or_insert(err);
        }
    };
    ask_all(questions, take).await?;
    refused.map_or(Ok(()), Err)
}

/// Recovery points that were asked about and that no vault has, where a template needs them.
pub(super) fn not_found(
    planner: &Planner,
    plan: &Plan,
    wanted: &WantedPoints,
    known: &Known,
) -> Findings {
    let mut findings = Findings::default();
    for (_, arn, vault) in wanted
        .iter()
        .filter(|(_, arn, _)| !known.sources.contains_key(arn))
    {
        let document = planner.document();
        let asks = plan
            .steps
            .iter()
            .filter(|step| asks(step) && step.draft.request.recovery_point_arn == *arn);
        for step in asks {
            let where_ = match vault {
                None => "no vault has".to_owned(),
                Some(vault) => format!("the vault `{}` does not have", vault.name),
            };
            findings.push(
                Finding::at(
                    &document.source,
                    place(&document.restores[step.restore]),
                    rule::SOURCE_NOT_FOUND,
                    format!("{where_} the recovery point {arn}, and a template asks for its `source`"),
                    "check the ARN, the account and the Region; name the vault of another account as `recovery_point: { arn: …, vault: …, vault_account: … }`; or record it with `redrill inventory`",
                )
                .of_restore(&step.name),
            );
        }
    }
    findings
}

/// Returns the finding for templates that ask about recovery points when nobody is asked.
pub(super) fn source_unchecked(planner: &Planner) -> Finding {
    let document = planner.document();
    Finding::at(
        &document.source,
        document.plan.span,
        rule::SOURCE_UNCHECKED,
        "what templates make of `source` was not checked: the recovery points are not at hand",
        "give an inventory with --inventory, or use `redrill plan`, which asks AWS",
    )
}
