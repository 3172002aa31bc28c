//! One metadata map against the rules of its type.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::{Map, Value};

use super::coerce::coerce;
use super::rules::{Level, Note, Schema, note};
use crate::diagnostic::{Finding, Severity, Span, suggest};
use crate::parse::{Document, Entry, Kind, Node, Restore, error, warning};
use crate::render::{Rendered, wire};

/// Checks the metadata and gives it with AWS's spelling of the keys; `None` where a value is missing.
pub(super) fn metadata(
    document: &Document,
    written: &Restore,
    rendered: &Rendered,
    schema: &Schema,
    findings: &mut Vec<Finding>,
) -> Option<BTreeMap<String, String>> {
    let checker = Checker {
        document,
        written,
        schema,
        entries: spelled(document, written, schema, findings),
    };
    let mut instance = Map::new();
    let mut sent = BTreeMap::new();
    // Keys whose value is not known yet, or could not be rendered: they are there, and that is all one can say.
    let mut unknown = BTreeSet::new();
    let mut complete = true;
    for entry in &rendered.metadata {
        let typed = &written.metadata[entry.index].key.value;
        let Some((key, _)) = checker.entries.iter().find(|(_, e)| e.key.value == *typed) else {
            continue;
        };
        if entry.pending || entry.wire.is_none() {
            unknown.insert(key.clone());
        }
        let value = match schema.text.pointer("/properties").and_then(|p| p.get(key)) {
            Some(of) => coerce(of, entry.value.clone()),
            None => entry.value.clone(),
        };
        instance.insert(key.clone(), value);
        match &entry.wire {
            Some(wire) => drop(sent.insert(key.clone(), wire.clone())),
            None => complete = false,
        }
    }
    let instance = Value::Object(instance);
    for problem in schema.metadata.iter_errors(&instance) {
        checker.report(&problem, "", &unknown, findings);
    }
    if let Some(validator) = &schema.request {
        let mut request = Map::new();
        if let Some(copy) = written.copy_source_tags {
            request.insert("CopySourceTagsToRestoredResource".to_owned(), copy.into());
        }
        request.insert("Metadata".to_owned(), instance);
        let request = Value::Object(request);
        for problem in validator.iter_errors(&request) {
            checker.report(&problem, "/$defs/request", &unknown, findings);
        }
    }
    checker.size(&sent, findings);
    complete.then_some(sent)
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
        if key != typed {
            findings.push(
                warning(
                    &document.source,
                    entry.key.span,
                    &format!("{}/key-case", schema.title),
                    format!("AWS writes this key as `{key}`, and so does the request"),
                    format!("write `{key}`"),
                )
                .of_key(key)
                .documented_at(Some(&schema.notes.url)),
            );
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

struct Checker<'a> {
    document: &'a Document,
    written: &'a Restore,
    schema: &'a Schema,
    /// By AWS's spelling.
    entries: BTreeMap<String, &'a Entry>,
}

impl Checker<'_> {
    fn report(
        &self,
        problem: &ValidationError<'_>,
        root: &str,
        unknown: &BTreeSet<String>,
        findings: &mut Vec<Finding>,
    ) {
        if let ValidationErrorKind::AdditionalProperties { unexpected } = problem.kind() {
            findings.extend(unexpected.iter().map(|key| self.unknown_key(key)));
            return;
        }
        let path = problem.instance_path().as_str();
        let path = path.strip_prefix("/Metadata").unwrap_or(path);
        let mut segments = path.split('/').skip(1).map(unescaped);
        let top = segments.next();
        if top.as_ref().is_some_and(|top| unknown.contains(top)) {
            return;
        }
        let schema_path = format!("{root}{}", problem.schema_path().as_str());
        let note = note(&self.schema.text, &schema_path);
        let missing = match problem.kind() {
            ValidationErrorKind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        };
        let key = note
            .key
            .clone()
            .or(missing.clone())
            .or(top.clone())
            .or(note.at.clone());
        let span = self.span(&note, top.as_deref(), segments, missing.is_some());
        let rule = match (&note.rule, &key) {
            (Some(rule), _) => rule.clone(),
            (None, Some(key)) => format!("{}/{key}", self.schema.title),
            (None, None) => format!("{}/metadata", self.schema.title),
        };
        let mut finding = error(
            &self.document.source,
            span,
            &rule,
            note.message
                .clone()
                .unwrap_or_else(|| message(problem, &note, missing.as_deref())),
            self.help(&note, key.as_deref(), &schema_path),
        )
        .documented_at(Some(note.url.as_deref().unwrap_or(&self.schema.notes.url)));
        finding.severity = severity(note.severity);
        finding.key = key;
        findings.push(finding);
    }

    fn unknown_key(&self, key: &str) -> Finding {
        let note = self.schema.notes.unknown_key.clone().unwrap_or_default();
        let span = self
            .entries
            .get(key)
            .map_or(self.written.metadata_span, |e| e.key.span);
        let what = format!("`{key}` is no metadata key of {}", self.schema.title);
        let mut finding = error(
            &self.document.source,
            span,
            &note
                .rule
                .unwrap_or_else(|| format!("{}/unknown-key", self.schema.title)),
            match note.message {
                Some(why) => format!("{what}; {why}"),
                None => what,
            },
            suggest(key, self.schema.keys.values().map(String::as_str)),
        )
        .of_key(key)
        .documented_at(Some(note.url.as_deref().unwrap_or(&self.schema.notes.url)));
        finding.severity = severity(note.severity);
        finding
    }

    /// The key that a rule points at, the value that is wrong, or the map where something is missing.
    fn span(
        &self,
        note: &Note,
        top: Option<&str>,
        rest: impl Iterator<Item = String>,
        missing: bool,
    ) -> Span {
        let pointed = note.at.as_deref().and_then(|at| self.entries.get(at));
        if let Some(entry) = pointed {
            return entry.value.span.on_one_line(entry.key.span);
        }
        match top.and_then(|top| self.entries.get(top)) {
            Some(entry) if !missing => {
                let node = rest.fold(&entry.value, descend);
                node.span.on_one_line(entry.key.span)
            }
            _ => self.written.metadata_span,
        }
    }

    fn help(&self, note: &Note, key: Option<&str>, schema_path: &str) -> String {
        if let Some(help) = &note.help {
            return help.clone();
        }
        let example = nearest_example(&self.schema.text, schema_path).map(|e| wire(&e));
        match (key, example) {
            // A template wants quotes, or YAML takes its braces for a map.
            (Some(key), Some(example)) if example.contains("{{") => {
                format!("write it as in `{key}: \"{example}\"`")
            }
            (Some(key), Some(example)) => format!("write it as in `{key}: {example}`"),
            _ => format!("see {}", self.schema.notes.url),
        }
    }

    fn size(&self, sent: &BTreeMap<String, String>, findings: &mut Vec<Finding>) {
        let bytes: usize = sent
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum();
        if let Some(limit) = self.schema.notes.max_bytes
            && bytes > limit
        {
            findings.push(
                error(
                    &self.document.source,
                    self.written.metadata_span,
                    &format!("{}/size", self.schema.title),
                    format!("the metadata is {bytes} bytes long; AWS Backup takes {limit}"),
                    "restore fewer items at once, or the directory that holds them",
                )
                .documented_at(Some(&self.schema.notes.url)),
            );
        }
    }
}

fn severity(level: Option<Level>) -> Severity {
    match level {
        Some(Level::Warning) => Severity::Warning,
        Some(Level::Error) | None => Severity::Error,
    }
}

fn message(problem: &ValidationError<'_>, note: &Note, missing: Option<&str>) -> String {
    if let Some(missing) = missing {
        return format!("`{missing}` is missing");
    }
    let shown = match problem.instance().as_ref() {
        Value::Array(items) => format!("a list of {}", items.len()),
        other => {
            let text = wire(other);
            let cut: String = text.chars().take(60).collect();
            let dots = if cut.len() < text.len() { "…" } else { "" };
            format!("`{cut}{dots}`")
        }
    };
    match &note.expected {
        Some(expected) => format!("{shown} is not {expected}"),
        None => format!("{shown} is not what AWS takes here: {problem}"),
    }
}

/// The first example on the way up from a place of the schema.
fn nearest_example(schema: &Value, path: &str) -> Option<Value> {
    let mut path = path;
    loop {
        if let Some(example) = schema
            .pointer(path)
            .and_then(|at| at.pointer("/examples/0"))
        {
            return Some(example.clone());
        }
        path = &path[..path.rfind('/')?];
    }
}

/// One step of a JSON pointer into what was written; where that is a template, the template.
fn descend(node: &Node, segment: String) -> &Node {
    let inner = match &node.kind {
        Kind::Sequence(items) => segment.parse::<usize>().ok().and_then(|at| items.get(at)),
        Kind::Mapping(entries) => entries
            .iter()
            .find(|e| e.key.value == segment)
            .map(|e| &e.value),
        _ => None,
    };
    inner.unwrap_or(node)
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

impl Span {
    /// Itself where it fits a line, else the key that it belongs to.
    fn on_one_line(self, key: Self) -> Self {
        if self.start.line == self.end.line {
            self
        } else {
            key
        }
    }
}
