//! Controls of frameworks (DORA, SOC 2, ISO, NIST), and which part of each the record of a run answers. What they ask is data with its
//! sources, `controls.yaml`; what the record has is looked up in `record.rs`; [`oscal()`] says it in NIST's format.

mod oscal;
mod record;

pub use oscal::{OscalBundle, oscal};

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

use crate::backup::Endpoint;
use crate::diagnostic::suggest;
use crate::proof::Assessed;
use crate::report::{
    AnswerState, CONTROLS_ARE, ControlAnswer, ControlReport, ControlsReport, FrameworkReport,
    RunReport,
};
use crate::state::Recorded;
use record::{EvidenceKey, RunRecord};

const TEXT: &str = include_str!("controls.yaml");

/// `controls.yaml`, which a test reads.
static CATALOG: LazyLock<Catalog> =
    LazyLock::new(|| serde_yaml::from_str(TEXT).unwrap_or_default());

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalog {
    evidence: BTreeMap<EvidenceKey, EvidenceKind>,
    frameworks: BTreeMap<String, Framework>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvidenceKind {
    title: String,
    /// Place to look instead, if the record of one run cannot have it.
    elsewhere: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Framework {
    title: String,
    url: String,
    /// Its catalog in OSCAL, where there is an official one.
    oscal_catalog: Option<String>,
    notes: Vec<String>,
    controls: Vec<CatalogControl>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogControl {
    id: String,
    title: String,
    asks: String,
    #[serde(default)]
    answers: Vec<CatalogAnswer>,
    #[serde(default)]
    contradicted_by: Vec<ContradictedBy>,
    leaves: Vec<String>,
    source: String,
    #[expect(dead_code, reason = "for whoever reads the file")]
    copy: Option<String>,
    #[expect(dead_code, reason = "for whoever reads the file")]
    read: Date,
    oscal: Option<OscalControl>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OscalControl {
    control: String,
    statements: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogAnswer {
    evidence: EvidenceKey,
    says: String,
    /// Assessment objectives of the OSCAL catalog that it bears on.
    #[serde(default)]
    objectives: Vec<String>,
}

/// An objective that a run can contradict.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContradictedBy {
    by: Contradiction,
    objective: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Contradiction {
    /// A restore that was not restored, or not all of it, or not good.
    NotRestored,
    /// The recovery time objective of the run, missed.
    RtoOfRun,
    /// That of a restore.
    RtoOfRestore,
}

/// A framework that `--controls` names and nobody knows.
#[derive(Debug, thiserror::Error)]
#[error("--controls names `{name}`, which is not a framework that it knows; {known}")]
pub struct UnknownFramework {
    name: String,
    known: String,
}

/// The ids of the frameworks.
#[must_use]
pub fn frameworks() -> Vec<&'static str> {
    CATALOG.frameworks.keys().map(String::as_str).collect()
}

/// Looks up what a run answers of the controls of some frameworks.
///
/// # Errors
///
/// A name that is no framework's.
pub fn controls(
    names: &[String],
    report: &RunReport,
    events: &[Recorded],
    assessed: &[Assessed],
) -> Result<ControlsReport, UnknownFramework> {
    let mut asked: Vec<(&String, &Framework)> = Vec::new();
    for name in names {
        let found = CATALOG.frameworks.get_key_value(&name.to_lowercase());
        let (id, framework) = found.ok_or_else(|| UnknownFramework {
            name: name.clone(),
            known: suggest(name, frameworks()),
        })?;
        if !asked.iter().any(|(other, _)| *other == id) {
            asked.push((id, framework));
        }
    }
    let answers_nothing = answers_nothing(report);
    let record = RunRecord::of(report, events, assessed);
    let frameworks = match answers_nothing {
        Some(_) => Vec::new(),
        None => (asked.into_iter())
            .map(|(id, framework)| framework_report(id, framework, &record))
            .collect(),
    };
    Ok(ControlsReport {
        about: CONTROLS_ARE,
        answers_nothing,
        frameworks,
    })
}

/// Tells why a run answers nothing of any control; none if it was at AWS.
fn answers_nothing(report: &RunReport) -> Option<String> {
    let was = match &report.world {
        Some(Endpoint::Aws) => return None,
        Some(Endpoint::Rehearsal) => "This run was a rehearsal".to_owned(),
        Some(Endpoint::Other { url }) => format!("This run was at {url}, not at AWS"),
        None => "The journal of this run does not say whether it was at AWS".to_owned(),
    };
    Some(format!("{was}: it answers nothing of any control."))
}

fn framework_report(id: &str, framework: &Framework, record: &RunRecord<'_>) -> FrameworkReport {
    let controls = framework.controls.iter();
    FrameworkReport {
        framework: id.to_owned(),
        title: framework.title.clone(),
        url: framework.url.clone(),
        notes: framework.notes.clone(),
        controls: controls
            .map(|control| ControlReport {
                control: control.id.clone(),
                title: control.title.clone(),
                asks: control.asks.clone(),
                answers: (control.answers.iter())
                    .map(|answer| control_answer(answer, record))
                    .collect(),
                leaves: control.leaves.clone(),
                source: control.source.clone(),
            })
            .collect(),
    }
}

fn control_answer(answer: &CatalogAnswer, record: &RunRecord<'_>) -> ControlAnswer {
    let kind = CATALOG.evidence.get(&answer.evidence);
    let (state, record) = match kind.and_then(|kind| kind.elsewhere.clone()) {
        Some(elsewhere) => (AnswerState::Elsewhere, elsewhere),
        None => record.looked_up(answer.evidence),
    };
    ControlAnswer {
        evidence: answer.evidence.id(),
        title: kind.map(|kind| kind.title.clone()).unwrap_or_default(),
        state,
        record: sentence(&record),
        says: answer.says.clone(),
    }
}

/// Begins with a capital letter.
fn sentence(words: &str) -> String {
    let mut rest = words.chars();
    rest.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(rest).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_whole() {
        let catalog: Catalog = serde_yaml::from_str(TEXT).unwrap();
        for key in EvidenceKey::ALL {
            assert!(catalog.evidence.contains_key(&key), "{key:?}");
        }
        for framework in catalog.frameworks.values() {
            assert!(framework.url.starts_with("https://"));
            assert!(!framework.controls.is_empty());
            for control in &framework.controls {
                assert!(
                    !control.leaves.is_empty(),
                    "{}: a drill is never all",
                    control.id
                );
                let objectives = control.answers.iter().flat_map(|of| &of.objectives);
                let objectives = objectives.count() + control.contradicted_by.len();
                assert_eq!(objectives > 0, control.oscal.is_some(), "{}", control.id);
                assert!(framework.oscal_catalog.is_some() || control.oscal.is_none());
            }
        }
    }
}
