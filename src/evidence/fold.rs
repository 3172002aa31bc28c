//! A bundle held against its own journal, of which everything else in it is made.

use serde_json::Value;

use super::{
    ABOUT, About, BundleFiles, JOURNAL, LOCK, Mismatch, PLAN, REPORT_FILES, REPORTS, REQUESTS,
    STATEMENT, first_difference, mismatch, requests,
};
use crate::plan::sha256;
use crate::report::{Format, RunReport, run_report};
use crate::state::{Event, Recorded};

/// The directories of a bundle.
pub const DIRECTORIES: [&str; 2] = ["journal", "reports"];
/// Replacement of a secret.
const REDACTED: &str = "«redacted»";
/// Marks of pages that do something, or ask for something: no report of redrill has ever had any.
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

/// Files of a bundle that were compared with its journal, and those that could not be, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalComparison {
    /// Files that are what the journal makes of them.
    pub files: Vec<String>,
    /// Files that the journal says too little of, and why.
    pub not: Vec<(String, String)>,
}

impl JournalComparison {
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
pub fn hold(
    files: &BundleFiles,
    about: &About,
    events: &[Recorded],
) -> Result<JournalComparison, Mismatch> {
    only_what_belongs(files)?;
    let mut held = JournalComparison::default();
    let form = about.reports.unwrap_or(1);
    if form > REPORTS {
        return Err(mismatch(
            ABOUT,
            format!(
                "its reports have form {form}, and this redrill knows forms up to {REPORTS}: verify it with redrill {} or later",
                about.redrill
            ),
        ));
    }
    // Whoever gives an earlier number leaves the reports uncompared: the journal knows better.
    if form < earliest_form(events) {
        return Err(mismatch(
            ABOUT,
            format!(
                "its reports have form {form}, but a later version of redrill wrote its journal"
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
    match form {
        1 => same_requests(files)?,
        _ => same_bytes(files, REQUESTS, &requests(events))?,
    }
    held.add(REQUESTS);
    for (name, format) in REPORT_FILES {
        if form == REPORTS {
            same_bytes(files, name, &format.text(&report))?;
            held.add(name);
        } else {
            earlier_report(files, name, format, &report, form)?;
            held.pass_over(name, why_not(form, format));
        }
    }
    Ok(held)
}

/// The first form of reports that the versions have made which wrote a journal: each says its own since the third, and those
/// of the first did not record where they were.
fn earliest_form(events: &[Recorded]) -> u32 {
    let forms = events.iter().map(|recorded| match &recorded.event {
        Event::RunOpened { reports, world, .. } | Event::RunResumed { reports, world, .. } => {
            reports.unwrap_or(if world.is_some() { 2 } else { 1 })
        }
        _ => 1,
    });
    forms.max().unwrap_or(1)
}

/// Tells why a report of an earlier form is not compared, and what is instead.
fn why_not(form: u32, format: Format) -> &'static str {
    match (form, format) {
        (1, _) => "an earlier version of redrill wrote it; only its jobs were compared",
        (_, Format::Json) => {
            "an earlier version of redrill wrote it; everything except its sentences was compared"
        }
        _ => "an earlier version of redrill wrote it in other words; it contains nothing active",
    }
}

/// Nothing else, and the journal's segments one after the other.
fn only_what_belongs(files: &BundleFiles) -> Result<(), Mismatch> {
    let mut segments = 0u32;
    for name in files.keys() {
        if name.starts_with(JOURNAL) {
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

/// Checks that a bundle says of itself what the run was; who made it is not in the journal.
fn hold_about(about: &About, report: &RunReport) -> Result<(), Mismatch> {
    let mut made = About {
        redrill: about.redrill.clone(),
        reports: about.reports,
        ..About::of(report)
    };
    // Sentences were put in other words since.
    if about.reports.unwrap_or(1) < REPORTS && about.notices.len() == made.notices.len() {
        made.notices.clone_from(&about.notices);
    }
    if about.reports.is_none() {
        // The first form lacked some fields, and put the verdict in other words.
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
                "its `{key}` is {}, but by the journal it is {}",
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
                "it says that redrill {} made it, but redrill {latest} wrote the journal",
                about.redrill
            ),
        ));
    }
    if by > version(env!("CARGO_PKG_VERSION")) {
        return Err(mismatch(
            ABOUT,
            format!(
                "it says that redrill {} made it, which is newer than this one: verify it with that version",
                about.redrill
            ),
        ));
    }
    Ok(())
}

/// Tells whether a verdict says that everything is back.
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

fn hold_plan(
    files: &BundleFiles,
    about: &About,
    held: &mut JournalComparison,
) -> Result<(), Mismatch> {
    let plan = files.get(PLAN).map(Vec::as_slice).unwrap_or_default();
    let is = sha256(plan);
    match &about.plan_sha256 {
        None => held.pass_over(PLAN, "the journal has no digest of it"),
        Some(wanted) if *wanted == is => held.add(PLAN),
        Some(_) if String::from_utf8_lossy(plan).contains(REDACTED) => {
            held.pass_over(PLAN, "a secret was redacted in it, so its digest differs");
        }
        Some(wanted) => {
            return Err(mismatch(
                PLAN,
                format!(
                    "its SHA-256 is {is}, but the run was started with a plan whose SHA-256 is {wanted}"
                ),
            ));
        }
    }
    Ok(())
}

/// A file is what the journal makes of it, byte for byte.
fn same_bytes(files: &BundleFiles, name: &str, made: &str) -> Result<(), Mismatch> {
    let is = files.get(name).map(Vec::as_slice).unwrap_or_default();
    if is == made.as_bytes() {
        return Ok(());
    }
    let at = first_difference(is, made.as_bytes());
    let line = is[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    Err(mismatch(
        name,
        format!("it differs from what the journal yields, from line {line} on (byte {at})"),
    ))
}

/// The lines are those of the journal, whatever fields the version that wrote them knew.
fn same_requests(files: &BundleFiles) -> Result<(), Mismatch> {
    let parsed = |name: &str, line: &str| -> Result<Value, Mismatch> {
        serde_json::from_str(line).map_err(|err| mismatch(name, err.to_string()))
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut sent = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with(JOURNAL)) {
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
        format!("line {} differs from the request in the journal", same + 1),
    ))
}

/// A report of an earlier form: its layout is another, the jobs are the same, and it does nothing.
fn earlier_report(
    files: &BundleFiles,
    name: &str,
    format: Format,
    report: &RunReport,
    form: u32,
) -> Result<(), Mismatch> {
    let bytes = files.get(name).map(Vec::as_slice).unwrap_or_default();
    let text = String::from_utf8_lossy(bytes);
    let lower = text.to_lowercase();
    if let Some(active) = ACTIVE.iter().find(|active| lower.contains(*active)) {
        return Err(mismatch(
            name,
            format!("it contains `{active}`, which no report of redrill does"),
        ));
    }
    if format != Format::Json {
        return Ok(());
    }
    let said: Value = serde_json::from_str(&text).map_err(|err| mismatch(name, err.to_string()))?;
    let made: Value = serde_json::from_str(&Format::Json.text(report))
        .map_err(|err| mismatch(name, err.to_string()))?;
    if form > 1 {
        let (said, made) = (without_sentences(said), without_sentences(made));
        return match first_that_differs(&said, &made) {
            None => Ok(()),
            Some(key) => Err(mismatch(
                name,
                format!("`{key}` is not what the journal says"),
            )),
        };
    }
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

/// A report without what is only said to people, and has been put in other words since.
fn without_sentences(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for name in ["missed", "notices", "message", "definition", "validation"] {
                members.remove(name);
            }
            for (_, value) in members.iter_mut() {
                *value = without_sentences(value.take());
            }
        }
        Value::Array(values) => {
            for value in values {
                *value = without_sentences(value.take());
            }
        }
        _ => {}
    }
    value
}

/// Finds the first difference between two documents.
fn first_that_differs(a: &Value, b: &Value) -> Option<String> {
    let below = |key: String, a: &Value, b: &Value| {
        let inner = first_that_differs(a, b)?;
        Some(if inner.is_empty() {
            key
        } else {
            format!("{key}.{inner}")
        })
    };
    match (a, b) {
        (Value::Object(one), Value::Object(other)) => {
            let mut keys = one.keys().chain(other.keys());
            keys.find_map(|key| below(key.clone(), &a[key], &b[key]))
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(at, (a, b))| below(at.to_string(), a, b))
        }
        _ => (a != b).then(String::new),
    }
}
