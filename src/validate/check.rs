//! One metadata map against the rules of its type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::coerce::{boolean, coerce};
use super::problem::Checker;
use super::rules::Schema;
use crate::diagnostic::{Finding, Severity};
use crate::parse::{Document, Entry, Restore, error, warning};
use crate::render::{Rendered, RenderedEntry};

/// Checks the metadata and gives it with AWS's spelling of the keys; `None` where a value is missing.
pub(super) fn metadata(
    document: &Document,
    written: &Restore,
    rendered: &Rendered,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) -> Option<BTreeMap<String, String>> {
    let mut checker = Checker {
        document,
        written,
        schema,
        entries: spelled(document, written, schema, findings),
        unknown: BTreeSet::new(),
    };
    let before = findings.len();
    let mut instance = Map::new();
    let mut sent = BTreeMap::new();
    let mut complete = true;
    for entry in &rendered.metadata {
        let typed = &written.metadata[entry.index].key.value;
        let Some((key, _)) = checker.entries.iter().find(|(_, e)| e.key.value == *typed) else {
            continue;
        };
        let key = key.clone();
        if entry.pending || entry.wire.is_none() {
            checker.unknown.insert(key.clone());
        }
        let value = match schema.text.pointer("/properties").and_then(|p| p.get(&key)) {
            Some(of) => coerce(of, entry.value.clone()),
            None => entry.value.clone(),
        };
        findings.extend(boolean_case(&checker, &key, entry, &value));
        instance.insert(key.clone(), value);
        match &entry.wire {
            Some(wire) => drop(sent.insert(key, wire.clone())),
            None => complete = false,
        }
    }
    let instance = Value::Object(instance);
    for problem in schema.metadata.iter_errors(&instance) {
        checker.report(&problem, "", findings);
    }
    if let Some(validator) = &schema.request {
        let mut request = Map::new();
        if let (Some(arn), false) = (
            &rendered.recovery_point,
            rendered.pending.contains("recovery_point"),
        ) {
            request.insert("RecoveryPointArn".to_owned(), arn.as_str().into());
        }
        if let Some(copy) = written.copy_source_tags {
            request.insert("CopySourceTagsToRestoredResource".to_owned(), copy.into());
        }
        request.insert("Metadata".to_owned(), instance);
        let request = Value::Object(request);
        for problem in validator.iter_errors(&request) {
            checker.report(&problem, "/$defs/request", findings);
        }
    }
    size(&checker, &sent, findings);
    once_a_value(findings, before);
    complete.then_some(sent)
}

/// A boolean that AWS's pages write in another case: it is sent as it is, and nobody has recorded what AWS makes of it.
fn boolean_case(
    checker: &Checker<'_>,
    key: &str,
    entry: &RenderedEntry,
    typed: &Value,
) -> Option<Finding> {
    let (Value::String(text), Value::Bool(value)) = (&entry.value, typed) else {
        return None;
    };
    let usual = text == "true" || text == "false";
    if usual || checker.schema.notes.upper_case_booleans || boolean(text).is_none() {
        return None;
    }
    let place = checker.entries.get(key)?;
    let finding = warning(
        &checker.document.source,
        place.value.span,
        "metadata/boolean-case",
        format!("AWS writes this value as `{value}`; whether it takes `{text}` is not known"),
        format!("write `{key}: {value}`"),
    );
    Some(
        finding
            .of_key(key)
            .documented_at(Some(&checker.schema.notes.url)),
    )
}

/// Of two findings about the value of a key, the one that names a rule says more than the one about its form.
fn once_a_value(findings: &mut Vec<Finding>, from: usize) {
    let told: Vec<_> = findings[from..]
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| (f.key.clone(), f.span))
        .collect();
    let mut at = 0;
    findings.retain(|finding| {
        at += 1;
        at <= from
            || finding.severity == Severity::Error
            || !told.contains(&(finding.key.clone(), finding.span))
    });
}

/// The metadata of a type without rules: as it is written.
pub(super) fn unchecked(
    document: &Document,
    written: &Restore,
    rendered: &Rendered,
    findings: &mut Vec<Finding>,
) -> Option<BTreeMap<String, String>> {
    let mut seen: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in &written.metadata {
        if let Some(first) = seen.insert(entry.key.value.to_lowercase(), entry) {
            findings.push(differs_by_case(document, first, entry));
        }
    }
    rendered
        .metadata
        .iter()
        .map(|entry| {
            let key = written.metadata[entry.index].key.value.clone();
            Some((key, entry.wire.clone()?))
        })
        .collect()
}

/// The plan's entries by AWS's spelling of their keys.
fn spelled<'a>(
    document: &Document,
    written: &'a Restore,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, &'a Entry> {
    let mut entries: BTreeMap<String, &Entry> = BTreeMap::new();
    let mut folded: BTreeMap<String, &Entry> = BTreeMap::new();
    for entry in &written.metadata {
        let typed = &entry.key.value;
        if let Some(first) = folded.insert(typed.to_lowercase(), entry) {
            findings.push(differs_by_case(document, first, entry));
            continue;
        }
        let key = schema.keys.get(&typed.to_lowercase()).unwrap_or(typed);
        if key != typed && !schema.also.contains(typed) {
            let (lenient, url) = match &schema.notes.lenient_case {
                Some(url) => (true, url),
                None => (false, &schema.notes.url),
            };
            let mut finding = warning(
                &document.source,
                entry.key.span,
                &format!("{}/key-case", schema.title),
                format!("AWS writes this key as `{key}`, and so does the request"),
                format!("write `{key}`"),
            )
            .of_key(key)
            .documented_at(Some(url));
            if lenient {
                finding.severity = Severity::Note;
            }
            findings.push(finding);
        }
        entries.insert(key.clone(), entry);
    }
    entries
}

fn differs_by_case(document: &Document, first: &Entry, second: &Entry) -> Finding {
    error(
        &document.source,
        second.key.span,
        "metadata/key-case",
        format!(
            "`{}` and `{}` in line {} differ by case only, and AWS takes them for one key",
            second.key.value, first.key.value, first.key.span.start.line
        ),
        "keep one of the two",
    )
    .of_key(&second.key.value)
}

fn size(checker: &Checker<'_>, sent: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
    let bytes: usize = sent
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let notes = &checker.schema.notes;
    if let Some(limit) = notes.max_bytes
        && bytes > limit
    {
        findings.push(
            error(
                &checker.document.source,
                checker.written.metadata_span,
                &format!("{}/size", checker.schema.title),
                format!("the metadata is {bytes} bytes long; AWS Backup takes {limit}"),
                "restore fewer items at once, or the directory that holds them",
            )
            .documented_at(Some(&notes.url)),
        );
    }
}
