//! A bundle held against its own journal, of which everything else in it is made.

use serde_json::Value;

use super::{
    ABOUT, About, Files, LOCK, Mismatch, PLAN, REPORT_FILES, REPORTS, REQUESTS, STATEMENT,
    first_difference, mismatch, requests,
};
use crate::plan::sha256;
use crate::report::{Format, RunReport, run_report};
use crate::state::{Event, Recorded};

/// The directories of a bundle.
pub const DIRECTORIES: [&str; 2] = ["journal", "reports"];
/// What stands where a secret was.
const REDACTED: &str = "«redacted»";
/// What no report of redrill has ever had in it: pages that do something, or ask for something.
const ACTIVE: [&str; 9] = [
    "<script",
    "<iframe",
    "<object",
    "<embed",
    "<link",
    "<base",
    "<form",
    "http-equiv=\"refresh",
    "javascript:",
];

/// What a bundle was held against its journal in, and what could not be, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Files that are what the journal makes of them.
    pub files: Vec<String>,
    /// Files that the journal says too little of, and why.
    pub not: Vec<(String, String)>,
}

impl Held {
    fn add(&mut self, name: &str) {
        self.files.push(name.to_owned());
    }

    fn pass_over(&mut self, name: &str, why: impl Into<String>) {
        self.not.push((name.to_owned(), why.into()));
    }
}

/// Holds the files of a bundle against the events of its journal.
///
/// # Errors
///
/// The first file that is not what the journal makes of it.
pub fn hold(files: &Files, about: &About, events: &[Recorded]) -> Result<Held, Mismatch> {
    only_what_belongs(files)?;
    let mut held = Held::default();
    let form = about.reports.unwrap_or(1);
    if form > REPORTS {
        return Err(mismatch(
            ABOUT,
            format!(
                "its reports have form {form}, and this redrill knows forms up to {REPORTS}: verify it with redrill {} or a later one",
                about.redrill
            ),
        ));
    }
    // Whoever leaves the number out leaves the reports uncompared: the first form is that of runs that did not record where
    // they were.
    let says_where = |recorded: &Recorded| {
        matches!(
            &recorded.event,
            Event::RunOpened { world: Some(_), .. } | Event::RunResumed { world: Some(_), .. }
        )
    };
    if form < REPORTS && events.iter().any(says_where) {
        return Err(mismatch(
            ABOUT,
            format!(
                "its reports have form {form}, and its journal is of a later version of redrill"
            ),
        ));
    }
    let Some(Event::RunOpened { plan, run, .. }) = events.first().map(|first| &first.event) else {
        return Err(mismatch(
            "journal/00000001.jsonl",
            "it does not begin with a run",
        ));
    };
    let report = run_report(plan, run, events.iter().collect());
    hold_about(about, &report)?;
    held.add(ABOUT);
    hold_plan(files, about, &mut held)?;
    if files.contains_key(LOCK) {
        held.pass_over(LOCK, "the journal has no digest of it");
    }
    if form == REPORTS {
        same_bytes(files, REQUESTS, &requests(events))?;
    } else {
        same_requests(files)?;
    }
    held.add(REQUESTS);
    for (name, format) in REPORT_FILES {
        if form == REPORTS {
            same_bytes(files, name, &format.text(&report))?;
            held.add(name);
        } else {
            earlier_report(files, name, format, &report)?;
            held.pass_over(
                name,
                "an earlier version of redrill laid it out; only what its jobs are was compared",
            );
        }
    }
    Ok(held)
}

/// Nothing else, and the journal's segments one after the other.
fn only_what_belongs(files: &Files) -> Result<(), Mismatch> {
    let mut segments = 0u32;
    for name in files.keys() {
        if name.starts_with("journal/") {
            segments += 1;
            if *name != format!("journal/{segments:08}.jsonl") {
                return Err(mismatch(
                    name,
                    format!("it is not segment {segments} of the journal"),
                ));
            }
            continue;
        }
        let is_report = REPORT_FILES.iter().any(|(report, _)| report == name);
        if !is_report && ![ABOUT, LOCK, PLAN, REQUESTS, STATEMENT].contains(&name.as_str()) {
            return Err(mismatch(name, "it is not part of a bundle"));
        }
    }
    let reports = REPORT_FILES.iter().map(|(report, _)| *report);
    for name in reports.chain([ABOUT, PLAN, REQUESTS, STATEMENT]) {
        if !files.contains_key(name) {
            return Err(mismatch(name, "it is missing"));
        }
    }
    Ok(())
}

/// What it says of itself is what the run was; who made it is not in the journal.
fn hold_about(about: &About, report: &RunReport) -> Result<(), Mismatch> {
    let mut made = About {
        redrill: about.redrill.clone(),
        reports: about.reports,
        ..About::of(report)
    };
    if about.reports.is_none() {
        // What the first form did not have, and a verdict that was put in other words.
        let before = made.verdict_before_cleanup.unwrap_or(made.verdict);
        let is_same = is_back(&about.verdict) == is_back(&before);
        made = About {
            verdict: if is_same {
                about.verdict.clone()
            } else {
                before
            },
            verdict_before_cleanup: None,
            world: None,
            targets: Vec::new(),
            notices: Vec::new(),
            ..made
        };
    }
    let fields = |about: &About| match serde_json::to_value(about) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let (said, made) = (fields(about), fields(&made));
    let show = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut keys = said.keys().chain(made.keys());
    if let Some(key) = keys.find(|key| said.get(*key) != made.get(*key)) {
        return Err(mismatch(
            ABOUT,
            format!(
                "its `{key}` is {}, and by the journal it is {}",
                show(said.get(key)),
                show(made.get(key))
            ),
        ));
    }
    let by = version(&about.redrill);
    let latest = about.run_by.iter().max_by_key(|by| version(by));
    if let Some(latest) = latest.filter(|latest| version(latest) > by) {
        return Err(mismatch(
            ABOUT,
            format!(
                "it says that redrill {} has made it, and the journal is of {latest}",
                about.redrill
            ),
        ));
    }
    if by > version(env!("CARGO_PKG_VERSION")) {
        return Err(mismatch(
            ABOUT,
            format!(
                "it says that redrill {} has made it, which is later than this one: verify it with that",
                about.redrill
            ),
        ));
    }
    Ok(())
}

/// Whether a verdict says that everything is back.
fn is_back(verdict: &str) -> Option<bool> {
    match verdict {
        "passed" | "objective missed" => Some(true),
        "failed" => Some(false),
        _ => None,
    }
}

/// A version, to be compared.
fn version(text: &str) -> Option<[u32; 3]> {
    let numbers = text.split('-').next()?.split('.').map(str::parse);
    let numbers: Vec<u32> = numbers.collect::<Result<_, _>>().ok()?;
    numbers.try_into().ok()
}

fn hold_plan(files: &Files, about: &About, held: &mut Held) -> Result<(), Mismatch> {
    let plan = files.get(PLAN).map(Vec::as_slice).unwrap_or_default();
    let is = sha256(plan);
    match &about.plan_sha256 {
        None => held.pass_over(PLAN, "the journal has no digest of it"),
        Some(wanted) if *wanted == is => held.add(PLAN),
        Some(_) if String::from_utf8_lossy(plan).contains(REDACTED) => {
            held.pass_over(
                PLAN,
                "a secret was taken out of it, so that it has another digest",
            );
        }
        Some(wanted) => {
            return Err(mismatch(
                PLAN,
                format!("its SHA-256 is {is}, and the run was taken up with a plan of {wanted}"),
            ));
        }
    }
    Ok(())
}

/// A file is what the journal makes of it, byte for byte.
fn same_bytes(files: &Files, name: &str, made: &str) -> Result<(), Mismatch> {
    let is = files.get(name).map(Vec::as_slice).unwrap_or_default();
    if is == made.as_bytes() {
        return Ok(());
    }
    let at = first_difference(is, made.as_bytes());
    let line = is[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(mismatch(
        name,
        format!("it is not what the journal makes of it, from line {line} on (byte {at})"),
    ))
}

/// The lines are those of the journal, whatever fields the version that wrote them knew.
fn same_requests(files: &Files) -> Result<(), Mismatch> {
    let parsed = |name: &str, line: &str| -> Result<Value, Mismatch> {
        serde_json::from_str(line).map_err(|err| mismatch(name, err.to_string()))
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut sent = Vec::new();
    for (name, bytes) in files
        .iter()
        .filter(|(name, _)| name.starts_with("journal/"))
    {
        for line in text(bytes).lines() {
            let mut record = parsed(name, line)?;
            if record["event"] == "intended"
                && let Some(record) = record.as_object_mut()
            {
                for of_journal in ["v", "seq", "sum"] {
                    record.remove(of_journal);
                }
                sent.push(Value::Object(record.clone()));
            }
        }
    }
    let said = text(files.get(REQUESTS).map(Vec::as_slice).unwrap_or_default());
    let said: Vec<Value> = said
        .lines()
        .map(|line| parsed(REQUESTS, line))
        .collect::<Result<_, _>>()?;
    if said == sent {
        return Ok(());
    }
    let same = said.iter().zip(&sent).take_while(|(a, b)| a == b).count();
    Err(mismatch(
        REQUESTS,
        format!("line {} is not the request that the journal has", same + 1),
    ))
}

/// A report of an earlier form: its layout is another, the jobs are the same, and it does nothing.
fn earlier_report(
    files: &Files,
    name: &str,
    format: Format,
    report: &RunReport,
) -> Result<(), Mismatch> {
    let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_lowercase();
    if let Some(active) = ACTIVE.iter().find(|active| lower.contains(*active)) {
        return Err(mismatch(
            name,
            format!("it contains `{active}`, and no report of redrill does"),
        ));
    }
    if format != Format::Json {
        return Ok(());
    }
    let said: Value = serde_json::from_str(&text).map_err(|err| mismatch(name, err.to_string()))?;
    let made: Value = serde_json::from_str(&Format::Json.text(report))
        .map_err(|err| mismatch(name, err.to_string()))?;
    let of_run = ["plan", "run_id"];
    let of_restore = ["restore", "job_id", "attempts", "created_resource_arn"];
    let differs = |path: String| {
        Err(mismatch(
            name,
            format!("`{path}` is not what the journal says"),
        ))
    };
    for key in of_run {
        if said[key] != made[key] {
            return differs(key.to_owned());
        }
    }
    let restores = |of: &Value| of["restores"].as_array().cloned().unwrap_or_default();
    let (said, made) = (restores(&said), restores(&made));
    if said.len() != made.len() {
        return differs("restores".to_owned());
    }
    for (said, made) in said.iter().zip(&made) {
        for key in of_restore {
            if said[key] != made[key] {
                return differs(format!("restores[{}].{key}", made["restore"]));
            }
        }
    }
    Ok(())
}
