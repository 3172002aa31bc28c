//! A run to a bundle that can be checked without it: its plan, requests, journal and reports, and a statement of digests.
//!
//! The statement is an [in-toto](https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) one, and a pure
//! function of the other files: to check it is to make it again. And all but the plan and its lock file are functions of
//! the journal, so they are made from it again as well. That shows that the files belong together, not who made them: a
//! signature over the statement, in a file next to the bundle, does.

mod archive;
mod fold;
mod signing;
mod sigstore;

pub use archive::{is_packed, pack, unpack};
pub use fold::{DIRECTORIES, JournalComparison, hold};
pub use signing::{
    SignatureFile, SignatureProblem, SignedEnvelope, SigningKey, TrustedKeys, counted,
};
pub use sigstore::SigstoreBundle;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::backup::Endpoint;
use crate::ids::RunId;
use crate::plan::sha256;
use crate::render::Target;
use crate::report::{Format, RunReport};
use crate::state::{Event, Recorded};

/// The file with the digests.
pub const STATEMENT: &str = "statement.json";
/// The file that says what the bundle is of.
const ABOUT: &str = "about.json";
/// The plan, its lock file and the requests that left.
const PLAN: &str = "plan.yaml";
const LOCK: &str = "plan.lock.yaml";
const REQUESTS: &str = "requests.jsonl";
/// Directory of the journal.
const JOURNAL: &str = "journal/";
/// The reports.
const REPORT_FILES: [(&str, Format); 4] = [
    ("reports/report.json", Format::Json),
    ("reports/report.xml", Format::Junit),
    ("reports/report.html", Format::Html),
    ("reports/report.md", Format::Markdown),
];
/// The form of the reports: one more whenever the same journal makes other bytes of them, so that bundles of earlier forms
/// are told apart. The first has no number.
pub(crate) const REPORTS: u32 = 3;
/// Type of the statement.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// Type of what it states.
const PREDICATE_TYPE: &str = "urn:redrill:evidence:v1";

/// Files by their path in the bundle, with `/` between.
pub type BundleFiles = BTreeMap<String, Vec<u8>>;

/// Inputs of a bundle.
pub struct Parts<'a> {
    /// The text of the plan.
    pub plan: &'a str,
    /// The text of its lock file.
    pub lock: Option<&'a str>,
    /// The events of the run.
    pub events: &'a [Recorded],
    /// The journal as it lies on the disk, by the names of its segments.
    pub journal: BundleFiles,
    /// Outcome of the run.
    pub report: &'a RunReport,
}

/// Description of the run that a bundle is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// `redrill.evidence/v1`.
    pub schema: String,
    /// The plan's name.
    pub plan: String,
    /// The run id.
    pub run_id: RunId,
    /// Outcome of the run.
    pub verdict: String,
    /// Outcome before what the run made was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict_before_cleanup: Option<String>,
    /// The endpoint that it belongs to; absent where an earlier version did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<Endpoint>,
    /// The accounts and Regions that it ran in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Target>,
    /// Notices to read before anything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// The version of redrill that made the bundle.
    pub redrill: String,
    /// The versions of redrill that worked on the run.
    pub run_by: Vec<String>,
    /// ARNs of those whose credentials were used, by AWS STS; earlier versions and rehearsals do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
    /// The commit that was checked out where the plan lay when the run was last taken up.
    pub git_commit: Option<String>,
    /// SHA-256 of the plan file that the run was last taken up with.
    pub plan_sha256: Option<String>,
    /// The form of the reports; none of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<u32>,
}

impl About {
    /// Describes the outcome of a run, for a bundle that is made now.
    fn of(report: &RunReport) -> Self {
        let mut origins = report.runners.iter().rev();
        let last = origins.find_map(|runner| runner.origin.as_ref());
        Self {
            schema: "redrill.evidence/v1".to_owned(),
            plan: report.plan.clone(),
            run_id: report.run_id.clone(),
            verdict: report.verdict.words().to_owned(),
            verdict_before_cleanup: (report.verdict_before_cleanup)
                .map(|verdict| verdict.words().to_owned()),
            world: report.world.clone(),
            targets: report.targets.clone(),
            notices: (report.notices.iter())
                .map(|notice| notice.message.clone())
                .collect(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            run_by: report
                .runners
                .iter()
                .map(|runner| runner.redrill.clone())
                .collect(),
            callers: report.callers().into_iter().map(str::to_owned).collect(),
            git_commit: last.and_then(|origin| origin.commit.clone()),
            plan_sha256: last.map(|origin| origin.plan_sha256.clone()),
            reports: Some(REPORTS),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Statement {
    #[serde(rename = "_type")]
    type_: String,
    subject: Vec<StatementSubject>,
    predicate_type: String,
    predicate: About,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename = "Subject")] // as messages about damaged files call it
struct StatementSubject {
    name: String,
    digest: BTreeMap<String, String>,
}

/// Reason why a bundle is not what it says it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {why}")]
pub struct Mismatch {
    /// The first file that does not match.
    pub file: String,
    /// In which way.
    pub why: String,
}

fn mismatch(file: &str, why: impl Into<String>) -> Mismatch {
    Mismatch {
        file: file.to_owned(),
        why: why.into(),
    }
}

/// The files of a bundle, statement included.
#[must_use]
pub fn bundle(parts: Parts<'_>) -> BundleFiles {
    let mut files = parts.journal;
    let mut add = |name: &str, text: String| {
        files.insert(name.to_owned(), text.into_bytes());
    };
    add(PLAN, parts.plan.to_owned());
    if let Some(lock) = parts.lock {
        add(LOCK, lock.to_owned());
    }
    add(REQUESTS, requests(parts.events));
    for (name, format) in REPORT_FILES {
        add(name, format.text(parts.report));
    }
    let about = About::of(parts.report);
    add(ABOUT, pretty(&about));
    let statement = statement(&files, about);
    files.insert(STATEMENT.to_owned(), statement);
    files
}

/// Every request that was about to leave, in order, as the journal has it.
fn requests(events: &[Recorded]) -> String {
    let mut text = String::new();
    for recorded in events {
        if let Event::Intended { .. } = recorded.event {
            // Strings and numbers: serde_json cannot fail on them.
            text.push_str(&serde_json::to_string(recorded).unwrap_or_default());
            text.push('\n');
        }
    }
    text
}

fn pretty(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// The statement of some files, in its one form.
fn statement(files: &BundleFiles, predicate: About) -> Vec<u8> {
    let subject = files
        .iter()
        .filter(|(name, _)| *name != STATEMENT)
        .map(|(name, bytes)| StatementSubject {
            name: name.clone(),
            digest: [("sha256".to_owned(), sha256(bytes))].into(),
        })
        .collect();
    pretty(&Statement {
        type_: STATEMENT_TYPE.to_owned(),
        subject,
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate,
    })
    .into_bytes()
}

/// Checks the files of a bundle against its statement, and that against them.
///
/// # Errors
///
/// The first thing that does not match.
pub fn check(files: &BundleFiles) -> Result<About, Mismatch> {
    let written = files.get(STATEMENT).ok_or_else(|| {
        mismatch(
            STATEMENT,
            "it is missing: this is not evidence written by redrill",
        )
    })?;
    let said: Statement = serde_json::from_slice(written)
        .map_err(|err| mismatch(STATEMENT, format!("it is not a statement: {err}")))?;
    if said.type_ != STATEMENT_TYPE || said.predicate_type != PREDICATE_TYPE {
        return Err(mismatch(
            STATEMENT,
            "it is a statement of something other than evidence written by redrill",
        ));
    }
    for subject in &said.subject {
        let bytes = files
            .get(&subject.name)
            .ok_or_else(|| mismatch(&subject.name, "it is missing"))?;
        let is = sha256(bytes);
        let wanted = subject.digest.get("sha256").map_or("", String::as_str);
        if is != wanted {
            let why = format!("its SHA-256 is {is}, and the statement says {wanted}");
            return Err(mismatch(&subject.name, why));
        }
    }
    let is_stated = |name: &str| name == STATEMENT || said.subject.iter().any(|s| s.name == name);
    if let Some(name) = files.keys().find(|name| !is_stated(name)) {
        return Err(mismatch(name, "the statement does not name it"));
    }
    let about = files.get(ABOUT).map(Vec::as_slice).unwrap_or_default();
    let about: About = serde_json::from_slice(about)
        .map_err(|err| mismatch(ABOUT, format!("it cannot be read: {err}")))?;
    if said.predicate != about {
        return Err(mismatch(
            STATEMENT,
            format!("it does not agree with {ABOUT}"),
        ));
    }
    let again = statement(files, about.clone());
    if again != *written {
        let at = first_difference(&again, written);
        return Err(mismatch(
            STATEMENT,
            format!("redrill would have written it differently, from byte {at} on"),
        ));
    }
    Ok(about)
}

/// Finds where two byte strings part.
#[must_use]
pub fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b);
    same.count()
}
