//! `kit.json`: what a kit is of, for `--check` and for other programs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use crate::export::Subject;
use crate::ids::{RestoreName, RunId};
use crate::render::Target;
use crate::report::pretty;

/// Its file.
pub(super) const FILE: &str = "kit.json";
const SCHEMA: &str = "redrill.kit/v1";

/// Plan, run and restores of a kit.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    pub(super) schema: String,
    pub(super) plan: String,
    pub(super) run: RunId,
    pub(super) restores: Vec<KitRestore>,
}

/// One restore of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(super) struct KitRestore {
    pub(super) name: RestoreName,
    /// The file of its request.
    pub(super) request: String,
    #[serde(rename = "type")]
    pub(super) resource_type: String,
    /// Absent where another restore makes it.
    pub(super) recovery_point: Option<String>,
    pub(super) target: Target,
    pub(super) needs: Vec<RestoreName>,
    pub(super) timeout_seconds: Option<i64>,
    /// The commands to run by hand, with what each judges.
    pub(super) checks: BTreeMap<String, String>,
}

/// The file of a plan.
pub(super) fn summary(subject: &Subject<'_>, entries: &[Entry<'_>]) -> String {
    pretty(&Summary {
        schema: SCHEMA.to_owned(),
        plan: subject.plan.name.clone(),
        run: subject.plan.run_id.clone(),
        restores: entries
            .iter()
            .map(|entry| KitRestore::of(entry, entries))
            .collect(),
    })
}

impl KitRestore {
    fn of(entry: &Entry<'_>, all: &[Entry<'_>]) -> Self {
        let step = entry.step;
        let point = &step.draft.request.recovery_point_arn;
        let checks = step.checks.iter();
        Self {
            name: step.name.clone(),
            request: entry.path(),
            resource_type: step.draft.request.resource_type.clone(),
            recovery_point: (!step.draft.waits_for_its_point()).then(|| point.clone()),
            target: entry.target.clone(),
            needs: entry
                .needs
                .iter()
                .map(|need| all[*need].step.name.clone())
                .collect(),
            timeout_seconds: step.timeout.map(|timeout| timeout.as_secs()),
            checks: checks
                .map(|check| (check.name.value.clone(), check.definition.clone()))
                .collect(),
        }
    }
}

impl Summary {
    /// Reads one; none where it is something else, or of a later version.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let summary: Self = serde_json::from_slice(bytes).ok()?;
        (summary.schema == SCHEMA).then_some(summary)
    }
}
