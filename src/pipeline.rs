//! The program on one page: text → document → values → requests → changes → events → report.
//!
//! Each function is one arrow; commands call them in this order and print what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::diagnostic::{Finding, Severity, Source};
use crate::diff::{ApiError, Diff, Observed, Sources, Stage, Wanted, diff};
use crate::execute::{Event, Illegal, Recorded, replay};
use crate::parse::{document, error};
use crate::plan::{Plan, Planner, Step};
use crate::render::{Created, Inputs, Known, Missing, Renderer};
use crate::validate::Rules;

/// What a plan file has come to so far, and everything found on the way.
pub struct Front {
    /// Absent where the file is no plan at all.
    pub planner: Option<Planner>,
    /// In the order they were found.
    pub findings: Vec<Finding>,
}

/// Parses a plan and takes its inputs in.
#[must_use]
pub fn read(source: &Arc<Source>, run_id: &str, inputs: &Inputs, rules: &Arc<Rules>) -> Front {
    let mut findings = Vec::new();
    let planner = document(source, &mut findings).map(|document| {
        let renderer = Renderer::new(&Arc::new(document), run_id, inputs, &mut findings);
        Planner::new(renderer, Arc::clone(rules))
    });
    Front { planner, findings }
}

/// Renders and validates everything, with what is known by now.
#[must_use]
pub fn requests(planner: &Planner, known: &Known, findings: &mut Vec<Finding>) -> Option<Plan> {
    let plan = planner.plan(known, findings)?;
    let failed = findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    (!failed).then_some(plan)
}

/// Whether a template of a step asks about its recovery point.
fn asks(step: &Step) -> bool {
    step.draft
        .pending
        .iter()
        .any(|name| name.starts_with("source."))
}

/// The recovery points that templates ask about.
#[must_use]
pub fn sources_wanted(plan: &Plan) -> BTreeSet<String> {
    arns(plan, asks)
}

/// The recovery points that rules ask about as well.
#[must_use]
pub fn sources_useful(plan: &Plan) -> BTreeSet<String> {
    arns(plan, |step| asks(step) || step.draft.lacks_recovery_point)
}

fn arns(plan: &Plan, chosen: impl Fn(&Step) -> bool) -> BTreeSet<String> {
    plan.steps
        .iter()
        .filter(|step| chosen(step))
        .map(|step| step.draft.request.recovery_point_arn.clone())
        .collect()
}

/// What was not checked, because a recovery point is not at hand: one note a type.
#[must_use]
pub fn unchecked(planner: &Planner, plan: &Plan) -> Vec<Finding> {
    let document = planner.document();
    let mut seen = BTreeSet::new();
    plan.steps
        .iter()
        .zip(&document.restores)
        .filter(|(step, _)| step.draft.lacks_recovery_point)
        .filter(|(step, _)| seen.insert(step.draft.request.resource_type.clone()))
        .map(|(step, restore)| {
            let of_type = &step.draft.request.resource_type;
            let mut finding = error(
                &document.source,
                restore.recovery_point.as_ref().map_or(restore.name.span, |node| node.span),
                &format!("{of_type}/recovery-point-unchecked"),
                format!("rules of {of_type} that need the recovery point itself were not checked"),
                "give an inventory that has it with --inventory; `redrill run` asks AWS where they are few",
            );
            finding.severity = Severity::Note;
            finding
        })
        .collect()
}

/// Looks recovery points up; those that a template asks about and no vault has become findings.
///
/// # Errors
///
/// Where AWS does not answer.
pub async fn sources<R: Sources>(
    reader: &R,
    planner: &Planner,
    plan: &Plan,
    wanted: &BTreeSet<String>,
    known: &mut Known,
    findings: &mut Vec<Finding>,
) -> Result<(), ApiError> {
    for arn in wanted {
        if let Some(facts) = reader.source(arn).await? {
            known.sources.insert(arn.clone(), facts);
            continue;
        }
        let document = planner.document();
        let asks = plan
            .steps
            .iter()
            .zip(&document.restores)
            .filter(|(step, _)| asks(step) && step.draft.request.recovery_point_arn == *arn);
        for (_, restore) in asks {
            let span = restore
                .recovery_point
                .as_ref()
                .map_or(restore.name.span, |n| n.span);
            findings.push(
                error(
                    &document.source,
                    span,
                    "source/not-found",
                    format!("no vault has the recovery point {arn}, and a template asks for its `source`"),
                    "check the ARN, the account and the Region; or give an inventory that has it",
                )
                .of_restore(&restore.name.value),
            );
        }
    }
    Ok(())
}

/// What the journal says has happened, and what templates may use of it.
///
/// # Errors
///
/// Where the events cannot have happened in this order.
pub fn history(events: &[Recorded]) -> Result<(Observed, Known), Illegal> {
    let observed = replay(events)?;
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
    let known = Known {
        created,
        ..Known::default()
    };
    Ok((observed, known))
}

/// Takes over how long restores took in an earlier run: a better estimate than one from type and size.
pub fn learn(plan: &mut Plan, earlier: &[Recorded]) {
    let took: BTreeMap<&str, SignedDuration> = earlier
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Completed {
                restore,
                started_at: Some(started),
                ended_at: Some(ended),
                ..
            } => Some((restore.as_str(), ended.duration_since(*started))),
            _ => None,
        })
        .collect();
    for step in &mut plan.steps {
        if let Some(took) = took.get(&*step.name) {
            step.draft.expected = *took;
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
