//! The dry run for machines: `redrill.plan/v1`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::words::age;
use super::{DryRun, Row, ShownToken, Totals};
use crate::backup::Endpoint;
use crate::diff::{Action, ChangeKind, Class, KeyChange, Restored};
use crate::forecast::{ObjectiveForecast, Quantiles, RunForecast};
use crate::ids::{IdempotencyToken, RestoreName, RunId, TargetIndex};
use crate::plan::Request;
use crate::render::{Fact, Target};

/// `schemas/output/plan.schema.json`.
#[derive(Serialize)]
struct PlanDocument<'a> {
    schema: &'static str,
    plan: &'a str,
    run_id: &'a RunId,
    /// State of the run, if it has ended or is elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<&'a str>,
    /// The endpoint that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'a Endpoint>,
    target: Target,
    /// Base that the restores are compared with, as it is typed.
    against: Option<&'a str>,
    totals: All,
    /// Forecast of a run, if it would start something.
    #[serde(skip_serializing_if = "Option::is_none")]
    forecast: Option<ForecastJson<'a>>,
    restores: Vec<RestoreJson<'a>>,
    /// In what it was held against, and not in the plan.
    removed: Vec<Removed<'a>>,
    /// Started by this run, still going on, and no longer in the plan.
    lost: &'a [RestoreName],
}

#[derive(Serialize)]
struct ForecastJson<'a> {
    #[serde(flatten)]
    of: ForecastFacts<'a>,
    /// Forecast of what the plan is compared with, where that is a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<ForecastFacts<'a>>,
}

#[derive(Serialize)]
struct ForecastFacts<'a> {
    makespan: &'a Quantiles,
    objectives: &'a [ObjectiveForecast],
    runs: u32,
    samples: u32,
    seed: u64,
}

impl<'a> ForecastFacts<'a> {
    fn of(forecast: &'a RunForecast) -> Self {
        Self {
            makespan: &forecast.makespan,
            objectives: &forecast.objectives,
            runs: forecast.runs,
            samples: forecast.samples,
            seed: forecast.seed,
        }
    }
}

#[derive(Serialize)]
struct All {
    actions: BTreeMap<&'static str, usize>,
    changes: Totals,
    classes: BTreeMap<&'static str, usize>,
}

#[derive(Serialize)]
struct RestoreJson<'a> {
    restore: &'a RestoreName,
    action: Action,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Target>,
    token: Option<&'a IdempotencyToken>,
    request: Request,
    pending: Vec<&'a str>,
    reason: Option<String>,
    recovery_point: Option<PointJson<'a>>,
    /// The lock file that names the recovery point, and when that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<LockedJson<'a>>,
    change: Option<&'static str>,
    renamed_from: Option<&'a str>,
    classes: BTreeSet<Class>,
    notes: Vec<MessageJson<'a>>,
    diff: Vec<Key<'a>>,
    unchanged: usize,
}

#[derive(Serialize)]
struct PointJson<'a> {
    arn: &'a str,
    resource_arn: &'a str,
    created_at: &'a str,
    age_seconds: Option<i64>,
    size_bytes: i64,
    expires_at: Option<&'a str>,
}

#[derive(Serialize)]
struct LockedJson<'a> {
    file: &'a str,
    at: Option<String>,
}

#[derive(Serialize)]
struct MessageJson<'a> {
    class: Class,
    message: &'a str,
}

#[derive(Serialize)]
struct Key<'a> {
    key: String,
    old: &'a Option<Value>,
    new: &'a Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pending: bool,
    classes: &'a BTreeSet<Class>,
}

#[derive(Serialize)]
struct Removed<'a> {
    restore: &'a RestoreName,
    resource_type: Option<&'a Value>,
    recovery_point_arn: Option<&'a Value>,
}

/// For machines.
#[must_use]
pub fn dry_run_json(run: &DryRun<'_>) -> String {
    let actions = Action::ALL
        .into_iter()
        .map(|action| (action.name(), run.diff.count(action)))
        .collect();
    let counted: BTreeMap<Class, usize> = run.classes().into_iter().collect();
    let classes = Class::ALL
        .into_iter()
        .map(|class| (class.name(), counted.get(&class).copied().unwrap_or(0)))
        .collect();
    let rows: Vec<Row<'_>> = run.rows().collect();
    super::super::pretty(&PlanDocument {
        schema: "redrill.plan/v1",
        plan: &run.plan.name,
        run_id: &run.plan.run_id,
        notice: run.notice,
        endpoint: run.endpoint,
        target: run.plan.targets[TargetIndex::FIRST].redacted(run.secrets),
        against: run.compared.map(|(against, _)| against),
        totals: All {
            actions,
            changes: run.totals(),
            classes,
        },
        forecast: run.forecast.map(|of| ForecastJson {
            of: ForecastFacts::of(of.forecast),
            before: of.before.map(|(_, before)| ForecastFacts::of(before)),
        }),
        restores: rows.iter().map(|row| restore(run, row)).collect(),
        removed: removed(run),
        lost: &run.diff.lost,
    })
}

fn restore<'a>(run: &DryRun<'a>, row: &'a Row<'_>) -> RestoreJson<'a> {
    let draft = &row.step.draft;
    let token = match row.token(run.secrets) {
        ShownToken::Shown(token) => Some(token),
        ShownToken::Secret | ShownToken::Pending => None,
    };
    let request = match token {
        Some(token) => draft.sent_with(token).into_request(),
        None => draft.request.clone(),
    };
    let changes = row
        .restored
        .map_or(&[][..], |restored| &restored.keys.changes);
    RestoreJson {
        restore: &row.step.name,
        action: row.change.action,
        attempt: row.change.attempt,
        target: row.target.map(|target| target.redacted(run.secrets)),
        token,
        request: request.redacted(run.secrets),
        pending: draft.pending.iter().map(Fact::as_str).collect(),
        reason: row
            .change
            .reason
            .as_ref()
            .map(|reason| run.secrets.redact(reason).into_owned()),
        recovery_point: row.source.map(|source| PointJson {
            arn: &draft.request.recovery_point_arn,
            resource_arn: &source.resource_arn,
            created_at: &source.created_at,
            age_seconds: age(&source.created_at, run.now),
            size_bytes: source.size_bytes,
            expires_at: source.expires_at.as_deref(),
        }),
        locked: run
            .resolved
            .get(row.step.name.as_str())
            .and_then(|resolved| {
                Some(LockedJson {
                    file: resolved.lock.as_deref()?,
                    at: resolved.locked_at.map(|at| at.to_string()),
                })
            }),
        change: row.restored.map(|restored| change(&restored.kind)),
        renamed_from: row.restored.and_then(|restored| match &restored.kind {
            ChangeKind::Renamed { from } => Some(from.as_str()),
            _ => None,
        }),
        classes: row
            .restored
            .filter(|r| r.is_changed())
            .map(Restored::classes)
            .unwrap_or_default(),
        notes: row
            .restored
            .into_iter()
            .flat_map(|restored| &restored.notes)
            .map(|note| MessageJson {
                class: note.class,
                message: &note.message,
            })
            .collect(),
        diff: changes.iter().map(key).collect(),
        unchanged: row
            .restored
            .map_or(0, |restored| restored.keys.unchanged.len()),
    }
}

fn change(kind: &ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Same => "unchanged",
        ChangeKind::Changed => "changed",
        ChangeKind::Added => "added",
        ChangeKind::Renamed { .. } => "renamed",
        ChangeKind::Uncompared { .. } => "uncompared",
    }
}

fn key(change: &KeyChange) -> Key<'_> {
    Key {
        key: change.path.to_string(),
        old: &change.old,
        new: &change.new,
        pending: change.pending,
        classes: &change.classes,
    }
}

fn removed<'a>(run: &DryRun<'a>) -> Vec<Removed<'a>> {
    let compared = run.compared.map(|(_, compared)| compared);
    compared
        .into_iter()
        .flat_map(|compared| &compared.removed)
        .map(|(name, subject)| {
            let part = |key: &str| subject.as_ref()?.keys.get(key);
            Removed {
                restore: name,
                resource_type: part("ResourceType"),
                recovery_point_arn: part("RecoveryPointArn"),
            }
        })
        .collect()
}
