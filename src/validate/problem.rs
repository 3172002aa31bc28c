//! Problems that a JSON Schema validator finds, as findings that people can act on.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

use crate::diagnostic::{Finding, Findings, Severity, Span, rule, suggest};
use crate::parse::{Document, Kind, MappingEntry, Node, Point, Restore};
use crate::render::wire;
use crate::rules::{self, LISTS, Level, Schema, SchemaNote, Slip, example, expected, note};

/// One restore's metadata beside the rules of its type.
pub(super) struct Checker<'a> {
    pub(super) document: &'a Document,
    pub(super) written: &'a Restore,
    pub(super) schema: &'a Schema,
    /// By AWS's spelling.
    pub(super) entries: BTreeMap<&'a str, &'a MappingEntry>,
    /// Keys whose value is not known yet, or could not be rendered: they are there, and that is all one can say.
    pub(super) unknown: BTreeSet<String>,
}

impl Checker<'_> {
    /// Turns what the validator found into findings that say where and what to write.
    pub(super) fn report(
        &self,
        problem: &ValidationError<'_>,
        root: &str,
        findings: &mut Findings,
    ) {
        let path = problem.instance_path().as_str();
        let path = path.strip_prefix("/Metadata").unwrap_or(path);
        let segments: Vec<String> = path.split('/').skip(1).map(unescaped).collect();
        let top = segments.first().cloned();
        if top.as_ref().is_some_and(|top| self.unknown.contains(top)) {
            return;
        }
        let place = format!("{root}{}", problem.schema_path().as_str());
        if let ValidationErrorKind::AdditionalProperties { unexpected } = problem.kind() {
            let unknown = unexpected.iter().map(|key| match &top {
                None => self.unknown_key(key),
                Some(top) => self.unknown_member(key, top, &segments, &place),
            });
            findings.extend(unknown);
            return;
        }
        // An empty value says that there is none: no limit applies to it.
        let is_limit = !segments.is_empty() && !is_rule(problem.schema_path().as_str());
        if is_limit && is_nothing(problem.instance()) {
            findings.extend(self.empty_text(problem, &segments));
            return;
        }
        let note = note(&self.schema.text, &place);
        let named = [&note.at, &note.key];
        if named
            .into_iter()
            .flatten()
            .any(|key| self.unknown.contains(key))
        {
            return;
        }
        let missing = match problem.kind() {
            ValidationErrorKind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        };
        let key = note
            .key
            .clone()
            .or_else(|| missing.clone().filter(|_| top.is_none()))
            .or(top.clone().filter(|top| top != "RecoveryPoint"))
            .or(note.at.clone());
        // Findings about the recovery point itself stand where it is named.
        let about_arn = top.as_deref() == Some("RecoveryPointArn");
        let about_point =
            top.as_deref() == Some("RecoveryPoint") || (about_arn && note.at.is_none());
        let named_at = self.written.recovery_point.as_ref().filter(|_| about_point);
        let span = named_at.map_or_else(|| self.span(&note, &segments), Point::span);
        let url = note.url.as_deref().unwrap_or(&self.schema.notes.url);
        if let (Some(slip), None, Some(key)) = (self.slip(problem, &place), &note.rule, &key) {
            let finding = Finding::at(
                &self.document.source,
                span,
                slip.rule,
                slip.message,
                format!("write `{key}: {}`{}", slip.instead, slip.because),
            )
            .of_key(key)
            .documented_at(Some(note.url.as_deref().unwrap_or(LISTS)));
            findings.push(finding.weighing(note.severity()));
            return;
        }
        let rule = note.rule.clone().unwrap_or_else(|| {
            let key = key.as_deref().unwrap_or("metadata");
            format!("{}/{key}", self.schema.title)
        });
        let words = match &note.message {
            Some(words) => words.clone(),
            None => self.message(problem, &note, missing.as_deref(), top.as_deref(), &place),
        };
        // The author of a selector has not seen the ARN that it means.
        let words = match (named_at, problem.instance().as_ref()) {
            (Some(Point::Selector(_)), Value::String(arn)) if about_arn => {
                format!("{words}: the selector means {arn}")
            }
            _ => words,
        };
        let help = self.help(problem, (&note, key.as_deref(), missing.as_deref(), &place));
        let rule = (rule, note.severity());
        let mut finding =
            Finding::by(&self.document.source, span, rule, words, help).documented_at(Some(url));
        finding.key = key;
        findings.push(finding);
    }

    /// An empty text, where a list or a map would say that there is none: somebody may have meant a value.
    fn empty_text(&self, problem: &ValidationError<'_>, segments: &[String]) -> Option<Finding> {
        let key = segments.first()?;
        problem.instance().as_str()?;
        let help = match self.schema.text["properties"].get(key).and_then(example) {
            Some(example) => format!(
                "remove it, or write it as in `{key}: {}`",
                rules::written(&example)
            ),
            None => "remove it, or write a value".to_owned(),
        };
        let finding = Finding::at(
            &self.document.source,
            self.value_span(segments),
            rule::METADATA_EMPTY,
            "this is empty, which counts as not given",
            help,
        );
        Some(
            finding
                .of_key(key)
                .documented_at(Some(&self.schema.notes.url)),
        )
    }

    /// The slip of the pen that a value of the wrong type is, if it is a common one.
    fn slip(&self, problem: &ValidationError<'_>, place: &str) -> Option<Slip> {
        let ValidationErrorKind::Type { .. } = problem.kind() else {
            return None;
        };
        let Value::String(text) = problem.instance().as_ref() else {
            return None;
        };
        let of = place.rsplit_once('/').map(|(of, _)| of)?;
        let of = self.schema.text.pointer(of)?;
        rules::slip(of, text)
    }

    fn unknown_key(&self, key: &str) -> Finding {
        let note = self.schema.notes.unknown_key.clone().unwrap_or_default();
        let span = self
            .entries
            .get(key)
            .map_or(self.written.metadata_span, |e| e.key.span);
        let what = format!("`{key}` is not a metadata key of {}", self.schema.title);
        let folded = key.to_lowercase();
        let help = match (
            self.schema.instead.get(&folded),
            self.schema.mistaken.get(&folded),
        ) {
            (Some(instead), _) => instead.clone(),
            (None, Some(meant)) => format!("did you mean `{meant}`?"),
            (None, None) => suggest(key, self.sendable()),
        };
        let why = note
            .message
            .unwrap_or_else(|| "AWS's page does not list it".to_owned());
        let finding = Finding::of_type(
            &self.document.source,
            span,
            (rule::OF_TYPE_UNKNOWN_KEY, &self.schema.title),
            format!("{what}; {why}"),
            help,
        )
        .of_key(key)
        .documented_at(Some(note.url.as_deref().unwrap_or(&self.schema.notes.url)));
        match note.severity {
            Some(Level::Error) => finding.weighing(Severity::Error),
            _ => finding,
        }
    }

    /// The keys that a request may hold, to choose from.
    fn sendable(&self) -> impl Iterator<Item = &str> + Clone {
        let properties = &self.schema.text["properties"];
        self.schema
            .keys
            .values()
            .filter(|key| properties[key.as_str()]["x-redrill"]["send"] != false)
            .map(String::as_str)
    }

    /// A member that a map or an element of a list within a value does not have.
    fn unknown_member(&self, key: &str, top: &str, segments: &[String], place: &str) -> Finding {
        let of = place
            .rsplit_once('/')
            .and_then(|(of, _)| self.schema.text.pointer(of))
            .and_then(|of| of.get("properties"))
            .and_then(Value::as_object);
        let known: Vec<&str> = of
            .into_iter()
            .flat_map(|p| p.keys())
            .map(String::as_str)
            .collect();
        let note = note(&self.schema.text, place);
        Finding::of_type(
            &self.document.source,
            self.member(key, segments)
                .unwrap_or_else(|| self.span(&note, segments)),
            (rule::OF_TYPE_UNKNOWN_MEMBER, &self.schema.title),
            format!("`{key}` is not a member of `{top}`; no AWS page lists it"),
            suggest(key, known),
        )
        .of_key(top)
        .documented_at(Some(note.url.as_deref().unwrap_or(&self.schema.notes.url)))
    }

    /// The key that a rule points at, the value that is wrong, or the map where something is missing.
    fn span(&self, note: &SchemaNote, segments: &[String]) -> Span {
        let pointed = note.at.as_deref().and_then(|at| self.entries.get(at));
        if let Some(entry) = pointed {
            return entry.value.span.on_one_line(entry.key.span);
        }
        let Some((top, rest)) = segments.split_first() else {
            return self.written.metadata_span;
        };
        match self.entries.get(top.as_str()) {
            // A member that is missing is missing in a value; a key that is missing, in the map.
            Some(entry) => {
                let node = rest
                    .iter()
                    .fold(&entry.value, |node, segment| descend(node, segment));
                node.span.on_one_line(entry.key.span)
            }
            None => self.written.metadata_span,
        }
    }

    /// Finds where a value is written, by the keys and numbers that lead to it.
    pub(super) fn value_span(&self, segments: &[String]) -> Span {
        self.span(&SchemaNote::default(), segments)
    }

    /// Finds where a member of a value is written.
    fn member(&self, key: &str, segments: &[String]) -> Option<Span> {
        let (top, rest) = segments.split_first()?;
        let value = &self.entries.get(top.as_str())?.value;
        let map = rest.iter().fold(value, |node, step| descend(node, step));
        let entry = map.entries().iter().find(|entry| entry.key.value == key)?;
        Some(entry.key.span)
    }

    fn help(
        &self,
        problem: &ValidationError<'_>,
        (note, key, missing, place): (&SchemaNote, Option<&str>, Option<&str>, &str),
    ) -> String {
        if let Some(help) = &note.help {
            return help.clone();
        }
        // The example of a key that is missing stands with the key, not with the rule that misses it.
        let of_key = |key: &str| self.schema.text["properties"].get(key).and_then(example);
        let example = match missing {
            Some(missing) => of_key(missing),
            None => nearest_example(&self.schema.text, place),
        }
        .or_else(|| key.and_then(of_key))
        .map(|example| match (missing, &example) {
            (None, Value::Bool(_)) => meant(problem.instance()).map_or(example, Value::Bool),
            _ => example,
        })
        .map(|example| rules::written(&example));
        match (key, example) {
            // Whoever has written what the example says is not told to write it.
            (Some(key), Some(example)) if example.contains("run.id") && self.uses_run_id(key) => {
                format!(
                    "`{key}` is made of the run id: choose a --run-id without the characters that are refused here, or leave `run.id` out of it"
                )
            }
            (Some(key), Some(example)) => format!("write it as in `{key}: {example}`"),
            _ => format!("see {}", self.schema.notes.url),
        }
    }

    /// Returns true if the value of a key is a template of the run id.
    fn uses_run_id(&self, key: &str) -> bool {
        let written = self.entries.get(key).map(|entry| &entry.value.kind);
        matches!(written, Some(Kind::String(text)) if text.contains("run.id"))
    }

    fn message(
        &self,
        problem: &ValidationError<'_>,
        note: &SchemaNote,
        missing: Option<&str>,
        top: Option<&str>,
        place: &str,
    ) -> String {
        if let Some(missing) = missing {
            return match top {
                Some(top) => format!("`{top}` has no `{missing}`"),
                None => format!("`{missing}` is missing"),
            };
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
        let of = place
            .rsplit_once('/')
            .and_then(|(of, _)| self.schema.text.pointer(of));
        match note.expected.clone().or_else(|| of.and_then(expected)) {
            Some(expected) => format!("{shown} is not {expected}"),
            None => format!("{shown} is not what AWS takes here: {problem}"),
        }
    }
}

/// Returns true if a value says that there is none: `null`, `""`, `[]` and `{}`.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Returns true if a place of a schema is in a rule, and not in what a key may be.
fn is_rule(path: &str) -> bool {
    path.starts_with("/allOf/")
}

/// The first example on the way up from a place of the schema.
fn nearest_example(schema: &Value, place: &str) -> Option<Value> {
    let mut place = place;
    loop {
        if let Some(example) = schema.pointer(place).and_then(example) {
            return Some(example);
        }
        place = &place[..place.rfind('/')?];
    }
}

/// One step of a JSON pointer into what was written; where that is a template, the template.
pub(super) fn descend<'a>(node: &'a Node, segment: &str) -> &'a Node {
    let inner = match &node.kind {
        Kind::Sequence(items) => segment.parse::<usize>().ok().and_then(|at| items.get(at)),
        Kind::Mapping(entries) => {
            let named = |e: &&MappingEntry| e.key.value.eq_ignore_ascii_case(segment);
            match (
                entries.iter().find(named),
                segment.parse::<usize>(),
                &entries[..],
            ) {
                (Some(entry), _, _) => Some(&entry.value),
                // A list that stands in a map of its own name.
                (None, Ok(_), [only]) => return descend(&only.value, segment),
                (None, _, _) => None,
            }
        }
        _ => None,
    };
    inner.unwrap_or(node)
}

fn unescaped(segment: &str) -> String {
    segment.replace("~1", "/").replace("~0", "~")
}

/// Reads a boolean written in words of YAML 1.1 or of a form.
fn meant(written: &Value) -> Option<bool> {
    match written.as_str()?.to_ascii_lowercase().as_str() {
        "yes" | "y" | "on" | "1" | "true" | "enabled" => Some(true),
        "no" | "n" | "off" | "0" | "false" | "disabled" => Some(false),
        _ => None,
    }
}
