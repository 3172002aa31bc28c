//! What a run has shown, as [assessment results](https://pages.nist.gov/OSCAL/concepts/layer/assessment/assessment-results/) of OSCAL, NIST's
//! format for such records, made of an evidence bundle.
//!
//! A run is an observation, not an assessment: nothing here says `satisfied`, which OSCAL defines as completely satisfied. A finding is made
//! only where the run contradicts an objective. Only NIST SP 800-53 has an official catalog to refer to.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::record::{EvidenceKey, RunRecord, can_have_looked, is_restored};
use super::{CATALOG, CatalogControl, Contradiction, answers_nothing};
use crate::diagnostic::duration;
use crate::evidence::{BundleFiles, STATEMENT};
use crate::plan::sha256;
use crate::report::{CheckReport, CheckStatus, Objective, RestoreReport, RunReport, RunStatus};
use crate::state::Recorded;

/// The version of OSCAL.
const VERSION: &str = "1.2.1";
/// Namespace of our properties and ids.
const NAMESPACE: &str = "urn:redrill:oscal:v1";
/// Byte between the parts of what an id is made from: no name has it.
const BETWEEN: &str = "\u{1f}";

/// A bundle, as the results refer to it.
#[derive(Clone, Copy)]
pub struct OscalBundle<'a> {
    /// Its files, which have been verified.
    pub files: &'a BundleFiles,
    /// Its name: that of a folder, or of a ZIP file.
    pub name: &'a str,
    /// SHA-256 of the ZIP file, where it is one.
    pub archive_sha256: Option<&'a str>,
}

/// Makes the assessment results of a run.
///
/// # Errors
///
/// The reason that the run shows nothing: it was not at AWS, or has not been opened.
pub fn oscal(
    bundle: OscalBundle<'_>,
    report: &RunReport,
    events: &[Recorded],
) -> Result<Value, String> {
    if let Some(why) = answers_nothing(report) {
        return Err(why);
    }
    let (Some(start), Some(last)) = (report.start, events.last()) else {
        return Err("the journal of this run is empty".to_owned());
    };
    let results = Results {
        bundle,
        report,
        record: RunRecord::of(report, events, &[]),
        start,
        written: last.at,
    };
    Ok(results.document())
}

/// One set of results.
struct Results<'a> {
    bundle: OscalBundle<'a>,
    report: &'a RunReport,
    record: RunRecord<'a>,
    start: Timestamp,
    /// When the last record was written: the same bundle makes the same bytes.
    written: Timestamp,
}

/// An observation that is still to be written.
struct Observation<'o> {
    key: EvidenceKey,
    /// The restore that it is of; none of the whole run.
    restore: Option<&'o RestoreReport>,
    title: String,
    description: String,
    collected: Timestamp,
}

impl<'a> Results<'a> {
    fn id(&self, parts: &[&str]) -> String {
        let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, NAMESPACE.as_bytes());
        let (plan, run) = (self.report.plan.as_str(), self.report.run_id.as_str());
        let all = [&[plan, run], parts].concat();
        Uuid::new_v5(&space, all.join(BETWEEN).as_bytes()).to_string()
    }

    fn document(&self) -> Value {
        let report = self.report;
        let statement = self
            .bundle
            .files
            .get(STATEMENT)
            .map(sha256)
            .unwrap_or_default();
        let observations = self.observations();
        let mut result = json!({
            "uuid": self.id(&["result"]),
            "title": line(&format!("Run {} of restore plan {}", report.run_id, report.plan)),
            "description": self.description(),
            "start": time(self.start),
            "props": self.properties(&statement),
            "reviewed-controls": reviewed_controls(),
            "observations": observations.iter().map(|one| self.observation(one)).collect::<Vec<_>>(),
        });
        if let Some(end) = report.end {
            result["end"] = json!(time(end));
        }
        let mut definitions = json!({ "assessment-assets": self.assets() });
        let items = self.items();
        if !items.is_empty() {
            definitions["inventory-items"] = json!(items);
        }
        result["local-definitions"] = definitions;
        let findings = self.findings(&observations);
        if !findings.is_empty() {
            result["findings"] = json!(findings);
        }
        json!({ "assessment-results": {
            "uuid": self.id(&["document", &statement]),
            "metadata": {
                "title": line(&format!("What run {} of restore plan {} has shown", report.run_id, report.plan)),
                "last-modified": time(self.written),
                "version": statement.get(..12).unwrap_or("0"),
                "oscal-version": VERSION,
                "props": [property("redrill", env!("CARGO_PKG_VERSION"))],
                "remarks": "Made by a program from the evidence of one run. No assessor has drawn a conclusion in it.",
            },
            "import-ap": {
                "href": format!("#{}", self.file("plan.yaml")),
                "remarks": "There is no OSCAL assessment plan. What governed this run is the restore plan, in back-matter, which is not OSCAL.",
            },
            "results": [result],
            "back-matter": { "resources": self.resources() },
        }})
    }

    fn description(&self) -> String {
        let (_, restored) = self.record.looked_up(EvidenceKey::Restored);
        let (_, checks) = self.record.looked_up(EvidenceKey::Checks);
        format!(
            "{}; {}; {}. This is what a run has shown, not an assessment of the controls.",
            restored,
            checks,
            self.record.failures()
        )
    }

    fn properties(&self, statement: &str) -> Vec<Value> {
        let report = self.report;
        let verdict = report.verdict_before_cleanup.unwrap_or(report.verdict);
        let mut all = vec![
            property("plan", &report.plan),
            property("run-id", report.run_id.as_str()),
            property("verdict", verdict.words()),
            property("endpoint", "aws"),
            property("evidence-sha256", statement),
        ];
        let origins = report
            .runners
            .iter()
            .filter_map(|runner| runner.origin.as_ref());
        let commits: BTreeSet<&str> = origins.filter_map(|of| of.commit.as_deref()).collect();
        let callers = report.callers().into_iter();
        all.extend(callers.map(|caller| property("caller", caller)));
        all.extend(
            commits
                .into_iter()
                .map(|commit| property("git-commit", commit)),
        );
        for target in &report.targets {
            let target = format!("{}/{}", target.account, target.region);
            all.push(property("target", &target));
        }
        all
    }

    /// Everything that was restored, each with what it was restored from.
    fn items(&self) -> Vec<Value> {
        let completed = self.record.completed().into_iter();
        completed
            .filter_map(|restore| {
                let arn = restore.created_resource_arn.as_deref()?;
                let mut props = vec![json!({ "name": "asset-id", "value": line(arn) })];
                if let Some(point) = &restore.recovery_point_arn {
                    props.push(property("recovery-point", point));
                }
                Some(json!({
                    "uuid": self.item(restore),
                    "description": line(&format!("What restore {} made.", restore.restore)),
                    "props": props,
                }))
            })
            .collect()
    }

    fn item(&self, restore: &RestoreReport) -> String {
        self.id(&["restored", restore.restore.as_str()])
    }

    fn tool(&self) -> String {
        self.id(&["tool", env!("CARGO_PKG_VERSION")])
    }

    fn assets(&self) -> Value {
        let hosts: BTreeSet<String> = (self.report.runners.iter())
            .map(|runner| match &runner.origin {
                Some(origin) => format!("{}, {}", origin.host, origin.system),
                None => "a machine that the record does not name".to_owned(),
            })
            .collect();
        let platforms = hosts.iter().map(|host| {
            json!({
                "uuid": self.id(&["platform", host]),
                "title": line(host),
                "uses-components": [{ "component-uuid": self.tool() }],
            })
        });
        json!({
            "components": [{
                "uuid": self.tool(),
                "type": "software",
                "title": "redrill",
                "description": "Runs restore plans against AWS Backup.",
                "props": [{ "name": "version", "value": env!("CARGO_PKG_VERSION") }],
                "status": { "state": "operational" },
            }],
            "assessment-platforms": platforms.collect::<Vec<_>>(),
        })
    }

    fn observations(&self) -> Vec<Observation<'a>> {
        let report = self.report;
        let end = report.end.unwrap_or(self.written);
        let (_, restored) = self.record.looked_up(EvidenceKey::Restored);
        let mut all = vec![Observation {
            key: EvidenceKey::Restored,
            restore: None,
            title: "The restore plan was carried out at AWS".to_owned(),
            description: format!(
                "{restored}. The plan is one part of a contingency plan; the record does not know the others."
            ),
            collected: end,
        }];
        if let Some(objective) = report.objectives.rto.as_deref() {
            all.extend(of_objective(EvidenceKey::Rto, None, objective, end));
        }
        if let Some(objective) = report.objectives.rpo.as_deref() {
            all.extend(of_objective(EvidenceKey::Rpo, None, objective, end));
        }
        if !report.checks.is_empty() {
            all.extend(of_checks(None, &report.checks, end));
        }
        for restore in &report.restores {
            self.of_restore(restore, &mut all);
        }
        all
    }

    fn of_restore(&self, restore: &'a RestoreReport, all: &mut Vec<Observation<'a>>) {
        let ended = restore.ended_at.or(self.report.end).unwrap_or(self.written);
        let status = restore.outcome();
        let job = match &restore.job_id {
            Some(job) => format!("Job {job}"),
            None => "No job".to_owned(),
        };
        let made = match &restore.created_resource_arn {
            Some(arn) => format!(", and made {arn}"),
            None => String::new(),
        };
        let message = restore
            .message
            .as_ref()
            .map_or_else(String::new, |text| format!(" {text}"));
        let outcome = match status {
            RunStatus::CheckFailed => "restored by AWS, and a check failed",
            _ if is_restored(restore) => "restored by AWS",
            _ => status.word(),
        };
        all.push(Observation {
            key: EvidenceKey::Restored,
            restore: Some(restore),
            title: format!("{}: {outcome}", restore.restore),
            description: format!("{job}: {}{made}.{message}", status.word()),
            collected: ended,
        });
        if !restore.checks.is_empty() {
            all.extend(of_checks(Some(restore), &restore.checks, ended));
        }
        for (key, objective) in [
            (EvidenceKey::Rto, &restore.objectives.rto),
            (EvidenceKey::Rpo, &restore.objectives.rpo),
        ] {
            if let Some(objective) = objective {
                all.extend(of_objective(key, Some(restore), objective, ended));
            }
        }
    }

    fn observation_id(&self, of: &Observation<'_>) -> String {
        let restore = of.restore.map_or("", |restore| restore.restore.as_str());
        self.id(&["observation", &of.key.id(), restore])
    }

    fn observation(&self, of: &Observation<'_>) -> Value {
        let objectives = objectives_of(of.key);
        let objectives = objectives
            .iter()
            .map(|objective| property("objective", objective));
        let evidence = ["reports/report.json"].into_iter().chain(self.journal());
        let mut value = json!({
            "uuid": self.observation_id(of),
            "title": line(&of.title),
            "description": of.description.trim(),
            "props": std::iter::once(property("evidence", &of.key.id())).chain(objectives).collect::<Vec<_>>(),
            "methods": ["TEST"],
            "types": ["control-objective"],
            "origins": [self.origin()],
            "relevant-evidence": evidence.map(|name| json!({
                "href": format!("#{}", self.file(name)),
                "description": format!("{name} of the evidence bundle."),
            })).collect::<Vec<_>>(),
            "collected": time(of.collected),
        });
        let subject = of
            .restore
            .filter(|restore| restore.created_resource_arn.is_some() && is_restored(restore));
        if let Some(restore) = subject {
            let subject = json!({ "subject-uuid": self.item(restore), "type": "inventory-item" });
            value["subjects"] = json!([subject]);
        }
        value
    }

    fn origin(&self) -> Value {
        json!({ "actors": [{ "type": "tool", "actor-uuid": self.tool() }] })
    }

    /// The names of the journal's files in the bundle.
    fn journal(&self) -> impl Iterator<Item = &'a str> {
        let names = self.bundle.files.keys().map(String::as_str);
        names.filter(|name| name.starts_with("journal/"))
    }

    fn findings(&self, observations: &[Observation<'_>]) -> Vec<Value> {
        let mut findings = Vec::new();
        for control in oscal_controls() {
            for of in &control.contradicted_by {
                let against: Vec<&Observation<'_>> = observations
                    .iter()
                    .filter(|one| self.contradicts(one, of.by))
                    .collect();
                let [first, ..] = against.as_slice() else {
                    continue;
                };
                let more = match against.len() - 1 {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let related = against
                    .iter()
                    .map(|one| json!({ "observation-uuid": self.observation_id(one) }));
                findings.push(json!({
                    "uuid": self.id(&["finding", &of.objective, &format!("{:?}", of.by)]),
                    "title": line(&format!("{}: {}{more}", control.id, first.title)),
                    "description": first.description.trim(),
                    "origins": [self.origin()],
                    "target": {
                        "type": "objective-id",
                        "target-id": of.objective,
                        "status": {
                            "state": "not-satisfied",
                            "reason": "fail",
                            "remarks": "The run contradicts the objective, as far as the objectives of the restore plan are those that the organization has defined. redrill never says `satisfied`.",
                        },
                    },
                    "related-observations": related.collect::<Vec<_>>(),
                }));
            }
        }
        findings
    }

    fn contradicts(&self, of: &Observation<'_>, by: Contradiction) -> bool {
        match (by, of.key, of.restore) {
            (Contradiction::NotRestored, EvidenceKey::Restored, Some(restore)) => {
                restore.outcome().is_bad()
            }
            (Contradiction::RtoOfRun, EvidenceKey::Rto, None) => {
                is_missed(self.report.objectives.rto.as_deref())
            }
            (Contradiction::RtoOfRestore, EvidenceKey::Rto, Some(restore)) => {
                is_missed(restore.objectives.rto.as_deref())
            }
            _ => false,
        }
    }

    fn file(&self, name: &str) -> String {
        self.id(&["file", name])
    }

    fn resources(&self) -> Vec<Value> {
        let OscalBundle {
            files,
            name: bundle,
            archive_sha256,
        } = self.bundle;
        let mut all: Vec<Value> = files
            .iter()
            .map(|(name, bytes)| {
                let mut resource = json!({ "uuid": self.file(name), "title": line(name) });
                match archive_sha256 {
                    // A file in an archive has no address of its own.
                    Some(_) => {
                        let words = format!("{name} in {bundle}, SHA-256 {}", sha256(bytes));
                        resource["description"] = json!(line(&words));
                    }
                    None => {
                        let place = format!("{bundle}/{name}");
                        resource["rlinks"] = json!([link(&place, &sha256(bytes))]);
                    }
                }
                resource
            })
            .collect();
        if let Some(digest) = archive_sha256 {
            all.push(json!({
                "uuid": self.file(""),
                "title": line(bundle),
                "description": "The evidence bundle: `redrill evidence verify` verifies it.",
                "rlinks": [link(bundle, digest)],
            }));
        }
        all
    }
}

fn is_missed(objective: Option<&Objective>) -> bool {
    objective.is_some_and(|objective| objective.met == Some(false))
}

/// Describes what became of an objective; nothing while that is not known.
fn of_objective<'a>(
    key: EvidenceKey,
    restore: Option<&'a RestoreReport>,
    objective: &Objective,
    collected: Timestamp,
) -> Option<Observation<'a>> {
    let name = if key == EvidenceKey::Rto {
        "RTO"
    } else {
        "RPO"
    };
    let met = if objective.met? { "met" } else { "missed" };
    let whose = restore.map_or_else(|| "the run".to_owned(), |of| of.restore.to_string());
    let wanted = duration(objective.wanted_seconds);
    let came = match objective.seconds {
        Some(seconds) => format!("It was {}", duration(seconds)),
        None => "It was not reached".to_owned(),
    };
    Some(Observation {
        key,
        restore,
        title: format!("{whose}: {name} of {wanted} {met}"),
        description: format!(
            "{came}, {}. The plan asks for {wanted}.",
            objective.definition
        ),
        collected,
    })
}

/// Describes the checks that have ended; nothing if none has.
fn of_checks<'a>(
    restore: Option<&'a RestoreReport>,
    checks: &[CheckReport],
    collected: Timestamp,
) -> Option<Observation<'a>> {
    let checks: Vec<&CheckReport> = (checks.iter())
        .filter(|check| can_have_looked(check))
        .collect();
    let has_ended =
        |check: &&CheckReport| matches!(check.status, CheckStatus::Passed | CheckStatus::Failed);
    let ended: Vec<&CheckReport> = checks.iter().copied().filter(has_ended).collect();
    let last = ended.iter().filter_map(|check| check.ended_at).max();
    let passed = ended
        .iter()
        .filter(|check| check.status == CheckStatus::Passed);
    let (passed, all) = (passed.count(), checks.len());
    let whose = restore.map_or_else(|| "the run".to_owned(), |of| of.restore.to_string());
    let words = ended.iter().map(|check| {
        let exit = check
            .exit
            .map_or_else(String::new, |exit| format!(", exit code {exit}"));
        format!("{}: {}{exit}.", check.name, check.status.word())
    });
    let words: Vec<String> = words.collect();
    (!ended.is_empty()).then(|| Observation {
        key: EvidenceKey::Checks,
        restore,
        title: format!("{whose}: {passed} of {all} checks passed"),
        description: format!("{} Their output is in the report.", words.join(" ")),
        collected: last.unwrap_or(collected),
    })
}

/// The controls that an official catalog has, and that a run bears on.
fn oscal_controls() -> impl Iterator<Item = &'static CatalogControl> {
    let frameworks = CATALOG.frameworks.values();
    let controls = frameworks.flat_map(|framework| &framework.controls);
    controls.filter(|control| control.oscal.is_some())
}

/// The objectives that a kind of evidence bears on.
fn objectives_of(key: EvidenceKey) -> BTreeSet<&'static str> {
    let answers = oscal_controls().flat_map(|control| &control.answers);
    let of_key = answers.filter(|answer| answer.evidence == key);
    of_key
        .flat_map(|answer| &answer.objectives)
        .map(String::as_str)
        .collect()
}

fn reviewed_controls() -> Value {
    let catalogs = CATALOG.frameworks.values().filter_map(|framework| {
        let catalog = framework.oscal_catalog.as_ref()?;
        let text = format!("OSCAL catalog of {}", framework.title);
        Some(json!({ "href": catalog, "rel": "reference", "text": text }))
    });
    let controls = oscal_controls().filter_map(|control| control.oscal.as_ref());
    let controls =
        controls.map(|of| json!({ "control-id": of.control, "statement-ids": of.statements }));
    let objectives: BTreeSet<&str> = oscal_controls()
        .flat_map(|control| &control.answers)
        .flat_map(|answer| &answer.objectives)
        .map(String::as_str)
        .collect();
    let objectives = objectives
        .iter()
        .map(|objective| json!({ "objective-id": objective }));
    json!({
        "description": "The controls that this record bears on. It is the whole answer to none of them.",
        "links": catalogs.collect::<Vec<_>>(),
        "control-selections": [{ "include-controls": controls.collect::<Vec<_>>() }],
        "control-objective-selections": [{ "include-objectives": objectives.collect::<Vec<_>>() }],
    })
}

fn property(name: &str, value: &str) -> Value {
    json!({ "name": name, "ns": NAMESPACE, "value": line(value) })
}

fn link(href: &str, digest: &str) -> Value {
    json!({ "href": href, "hashes": [{ "algorithm": "SHA-256", "value": digest }] })
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

/// A text on one line without space around it, which is what OSCAL takes; never empty.
fn line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.is_empty() {
        true => "-".to_owned(),
        false => words.join(" "),
    }
}
