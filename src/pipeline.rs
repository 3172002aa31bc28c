//! The program on one page: text → document → values → requests → changes → events → report.
//!
//! Each function is one arrow; commands call them in this order and print what comes out.

mod rehearsal;

pub use rehearsal::{not_rehearsed, rehearsed};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::diagnostic::{Finding, Findings, Source, Span, rule, suggest};
use crate::diff::{
    ApiError, Asked, Diff, Entry, Observed, Review, Shelves, Sources, Stage, Subject, Wanted, diff,
    same_names,
};
use crate::execute::{Event, Recorded};
use crate::parse::{Point, Restore, document};
use crate::plan::{Draft, Plan, Planner, Step};
use crate::render::{
    Created, Inputs, Known, Missing, RECOVERY_POINT, Renderer, Resolved, Selector, VaultName,
    split_instance,
};
use crate::validate::Rules;

/// What a plan file has come to so far, and everything found on the way.
pub struct Front {
    /// Absent where the file is no plan at all.
    pub planner: Option<Planner>,
    /// In the order they were found.
    pub findings: Findings,
}

/// Parses a plan and takes its inputs in.
#[must_use]
pub fn read(source: &Arc<Source>, run_id: &str, inputs: &Inputs, rules: &Arc<Rules>) -> Front {
    let mut findings = Findings::default();
    let planner = document(source, &mut findings).map(|document| {
        let renderer = Renderer::new(&Arc::new(document), run_id, inputs, &mut findings);
        Planner::new(renderer, Arc::clone(rules))
    });
    Front { planner, findings }
}

/// Renders and validates everything, with what is known by now.
#[must_use]
pub fn requests(planner: &Planner, known: &Known, findings: &mut Findings) -> Option<Plan> {
    let plan = planner.plan(known, findings)?;
    if plan.steps.len() > 1 {
        let review = Review::embedded(planner.rules());
        findings.extend(same_names(planner.document(), &plan, &review));
    }
    (!findings.has_errors()).then_some(plan)
}

/// A recovery point to look up: the index of the target, its ARN, and its vault where that is known.
pub type WantedPoint = (usize, String, Option<VaultName>);
/// Recovery points to look up.
pub type WantedPoints = BTreeSet<WantedPoint>;

/// Whether a template of a step asks about its recovery point.
fn asks(step: &Step) -> bool {
    asks_source(&step.draft)
}

fn asks_source(draft: &Draft) -> bool {
    draft.pending.iter().any(|name| name.starts_with("source."))
}

/// The recovery points that templates ask about, as far as it is known which they are.
#[must_use]
pub fn sources_wanted(plan: &Plan) -> WantedPoints {
    arns(plan, asks)
}

/// The recovery points that rules ask about as well.
#[must_use]
pub fn sources_useful(plan: &Plan) -> WantedPoints {
    arns(plan, |step| asks(step) || step.draft.lacks_recovery_point)
}

/// Where a restore says what it is made of.
fn place(restore: &Restore) -> Span {
    let point = restore.recovery_point.as_ref();
    point.map_or(restore.name.span, Point::span)
}

/// By the index of the target in which they are looked for.
fn arns(plan: &Plan, chosen: impl Fn(&Step) -> bool) -> WantedPoints {
    plan.steps
        .iter()
        .filter(|step| chosen(step) && !step.draft.pending.contains(RECOVERY_POINT))
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

/// What was not checked, because a recovery point is not at hand: one note a type.
#[must_use]
pub fn unchecked(planner: &Planner, plan: &Plan) -> Findings {
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
                "give an inventory that has it with --inventory; `redrill run` asks AWS where they are few",
            )
        })
        .collect()
}

/// The names of what is acted on: `files` stands for all its instances. Nothing where nothing was chosen.
///
/// # Errors
///
/// The first name that the plan does not have, and what it may have been meant to be.
pub fn chosen(planner: &Planner, only: &[String]) -> Result<Vec<String>, (String, String)> {
    let instances = planner.instances();
    let restores = &planner.document().restores;
    let mut names = Vec::new();
    for name in only {
        if instances.find(name).is_some() {
            names.push(name.clone());
            continue;
        }
        let Some(at) = restores.iter().position(|r| r.name.value == *name) else {
            let known: Vec<&str> = match split_instance(name) {
                Some(_) => instances.all().iter().map(|i| &*i.name).collect(),
                None => restores.iter().map(|r| r.name.value.as_str()).collect(),
            };
            return Err((name.clone(), suggest(name, known)));
        };
        let all = &instances.all()[instances.of(at)];
        names.extend(all.iter().map(|instance| instance.name.to_string()));
    }
    Ok(names)
}

/// The steps whose selectors have to be resolved first; of those that are acted on alone.
#[must_use]
pub fn unresolved<'p>(plan: &'p Plan, only: &[String]) -> Vec<(&'p Step, &'p Selector)> {
    let only: BTreeSet<&str> = only.iter().map(String::as_str).collect();
    plan.steps
        .iter()
        .filter(|step| only.is_empty() || only.contains(&*step.name))
        .filter_map(|step| Some((step, step.draft.selector.as_deref()?)))
        .collect()
}

/// What is said where selectors were not resolved.
#[must_use]
pub fn unresolved_note(planner: &Planner, plan: &Plan) -> Option<Finding> {
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

/// Resolves selectors, by ages that are measured from `start`; those that mean no recovery point become findings. There
/// is a reader for each target.
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
    findings: &mut Findings,
) -> Result<(), ApiError> {
    let wanted = unresolved(plan, only);
    let mut shelves = Vec::with_capacity(readers.len());
    for (target, reader) in readers.iter().enumerate() {
        let selectors: Vec<&Selector> = wanted
            .iter()
            .filter(|(step, _)| step.target == target)
            .map(|(_, selector)| *selector)
            .collect();
        shelves.push(Shelves::prepare(reader, &selectors).await?);
    }
    let document = planner.document();
    let mut said = Findings::default();
    for (step, selector) in wanted {
        let (reader, shelves) = (&readers[step.target], &mut shelves[step.target]);
        let asked = Asked {
            selector,
            resource_type: &step.draft.request.resource_type,
            start,
            run: &plan.run_id,
            restore: &step.name,
        };
        match shelves.choose(reader, &asked).await? {
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
                known.resolved.insert(step.name.to_string(), resolved);
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
    }
    findings.extend(planner.once(said));
    Ok(())
}

/// ListRecoveryPointsByResource leaves out EBS snapshots that were copied within their account and Region: by resource alone,
/// a vault that has nothing but such copies is not found
/// (<https://docs.aws.amazon.com/aws-backup/latest/devguide/API_ListRecoveryPointsByResource.html>, `ManagedByAWSBackupOnly`).
fn copies_unseen(planner: &Planner, step: &Step, selector: &Selector) -> Option<Finding> {
    if selector.vault.is_some() || step.draft.request.resource_type != "EBS" {
        return None;
    }
    let document = planner.document();
    let finding = Finding::at(
        &document.source,
        place(&document.restores[step.restore]),
        rule::SELECTOR_EBS_COPIES,
        "the selector names no vault, and AWS does not list EBS snapshots that were copied within their account and Region by resource alone: a later copy is not seen",
        "name the vault that is meant: `vault: dr-vault`",
    );
    Some(finding.of_restore(&step.name))
}

/// Looks recovery points up, each by the reader of its target; those that a template asks about and no vault has become findings.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn sources<R: Sources>(
    readers: &[R],
    wanted: &WantedPoints,
    known: &mut Known,
) -> Result<(), ApiError> {
    for (target, arn, vault) in wanted {
        if let Some(facts) = readers[*target].source(arn, vault.as_ref()).await? {
            known.sources.insert(arn.clone(), facts);
        }
    }
    Ok(())
}

/// Recovery points that were asked about and that no vault has, where a template needs them.
#[must_use]
pub fn not_found(planner: &Planner, plan: &Plan, wanted: &WantedPoints, known: &Known) -> Findings {
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
                    "check the ARN, the account and the Region; name the vault of another account as `recovery_point: { arn: …, vault: …, vault_account: … }`; or give an inventory that has it",
                )
                .of_restore(&step.name),
            );
        }
    }
    findings
}

/// The restores of a plan that others are held against, those that are invalid without their request; and the recovery
/// points that templates ask about and that are not known.
#[must_use]
pub fn entries(
    planner: &Planner,
    known: &Known,
    findings: &mut Findings,
) -> (Vec<Entry>, WantedPoints) {
    let mut asked = BTreeSet::new();
    let instances = planner.instances().all().iter().enumerate();
    let entries = instances
        .map(|(at, instance)| {
            let draft = planner.draft(at, known, findings);
            let target = planner.target_of(instance.restore);
            if let Some(draft) = draft.as_ref().filter(|draft| asks_source(draft)) {
                let arn = draft.request.recovery_point_arn.clone();
                asked.insert((target, arn, draft.vault.as_deref().cloned()));
            }
            Entry {
                name: instance.name.to_string(),
                subject: draft.map(|draft| Subject::of_draft(&draft, &planner.targets()[target])),
                digest: None,
            }
        })
        .collect();
    (entries, asked)
}

/// What templates may use of what has happened.
#[must_use]
pub fn known(observed: &Observed) -> Known {
    let created: BTreeMap<String, Created> = observed
        .restores
        .iter()
        .filter_map(|(name, past)| match &past.stage {
            Stage::Completed {
                job_id,
                created_resource_arn: Some(resource_arn),
            } => Some((
                name.clone(),
                Created {
                    job_id: job_id.clone(),
                    resource_arn: resource_arn.clone(),
                },
            )),
            _ => None,
        })
        .collect();
    Known {
        resolved: observed.resolved.clone(),
        created: Arc::new(created),
        ..Known::default()
    }
}

/// How long a restore took, where an event says it: by its name.
#[must_use]
pub fn took(recorded: &Recorded) -> Option<(String, SignedDuration)> {
    match &recorded.event {
        Event::Completed {
            restore,
            started_at: Some(started),
            ended_at: Some(ended),
            ..
        } => Some((restore.clone(), ended.duration_since(*started))),
        _ => None,
    }
}

/// Takes over how long restores took in an earlier run: a better estimate than one from type and size.
pub fn learn(plan: &mut Plan, took: &BTreeMap<String, SignedDuration>) {
    for step in &mut plan.steps {
        if let Some(took) = took.get(&*step.name) {
            Arc::make_mut(&mut step.draft).expected = *took;
        }
    }
}

/// What a run would do.
#[must_use]
pub fn changes(plan: &Plan, observed: &Observed, wanted: &Wanted) -> Diff {
    diff(plan, observed, wanted)
}

/// Inputs for a command that only checks: a value that is missing is said to be.
#[must_use]
pub fn for_checking(mut inputs: Inputs) -> Inputs {
    inputs.missing = Missing::Pending;
    inputs
}
