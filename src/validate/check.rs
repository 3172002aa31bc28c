//! One metadata map against the rules of its type.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::place;
use super::problem::{Checker, is_nothing};
use crate::diagnostic::{Finding, Findings, Severity, rule};
use crate::parse::{Document, MappingEntry, Restore};
use crate::render::{Fact, Metadata, Rendered, SourceFacts, Target, wire};
use crate::rules::{Schema, boolean, coerce};

/// Checks the metadata and gives it with AWS's spelling of the keys; `None` where a value is missing.
pub(super) fn metadata(
    document: &Document,
    written: &Restore,
    rendered: &mut Rendered,
    target: &Target,
    source: Option<&SourceFacts>,
    schema: &Schema,
    findings: &mut Findings,
) -> Option<Metadata> {
    let (keys, entries) = spelled(document, written, schema, findings);
    let mut checker = Checker {
        document,
        written,
        schema,
        entries,
        unknown: BTreeSet::new(),
    };
    let mut own = Findings::default();
    let mut instance = Map::new();
    let mut sent = Metadata::with_capacity(rendered.metadata.len());
    let mut complete = true;
    for entry in &mut rendered.metadata {
        let Some(key) = keys[entry.index] else {
            continue;
        };
        if !entry.waits.is_empty() || entry.wire.is_none() {
            checker.unknown.insert(key.to_owned());
        }
        let property = schema.properties.get(key);
        // Nobody asks for the value and its wire form again.
        let given = std::mem::take(&mut entry.value);
        let wire = entry.wire.take().map(|wire| match &given {
            Value::Object(maps) if property.is_some_and(|of| of.holds_metadata) => {
                metadata_maps(maps)
            }
            _ => wire,
        });
        let boolean = given.as_str().filter(|text| boolean(text).is_some());
        let boolean = boolean.map(str::to_owned);
        let value = match property {
            Some(of) => coerce(&of.schema, given),
            None => given,
        };
        own.extend(boolean.and_then(|text| boolean_case(&checker, key, &text, &value)));
        instance.insert(key.to_owned(), value);
        match wire {
            Some(wire) => {
                sent.insert(key.to_owned(), wire);
            }
            None => complete = false,
        }
    }
    place::check(&checker, &instance, target, &mut own);
    let instance = Value::Object(instance);
    // Most plans are valid, and to say so costs less than to look for every problem.
    if !schema.metadata.is_valid(&instance) {
        for problem in schema.metadata.iter_errors(&instance) {
            checker.report(&problem, "", &mut own);
        }
    }
    let instance = match instance {
        Value::Object(metadata) => Value::Object(something(metadata, &checker.unknown)),
        other => other,
    };
    if !schema.between.is_valid(&instance) {
        for problem in schema.between.iter_errors(&instance) {
            checker.report(&problem, "", &mut own);
        }
    }
    if let Some(validator) = &schema.request {
        let mut request = Map::new();
        if let (Some(arn), false) = (
            &rendered.recovery_point,
            rendered.pending.contains(&Fact::RecoveryPoint),
        ) {
            request.insert("RecoveryPointArn".to_owned(), arn.as_str().into());
        }
        if let Some(copy) = written.copy_source_tags {
            request.insert("CopySourceTagsToRestoredResource".to_owned(), copy.into());
        }
        if let Some(source) = source {
            let mut point = Map::new();
            point.insert("IsParent".to_owned(), source.is_parent.into());
            if let Some(class) = &source.storage_class {
                point.insert("StorageClass".to_owned(), class.as_str().into());
            }
            // Two values cannot be compared in a schema; what came of comparing them can be asked about.
            let gibibytes = source.size_bytes.unsigned_abs().div_ceil(1 << 30);
            let below: Vec<&str> = sent
                .iter()
                .filter(|(key, _)| !checker.unknown.contains(*key))
                .filter(|(_, value)| value.parse::<u64>().is_ok_and(|value| value < gibibytes))
                .map(|(key, _)| key.as_str())
                .collect();
            point.insert("Exceeds".to_owned(), below.into());
            let differs: Vec<&str> = sent
                .iter()
                .filter(|(key, _)| !checker.unknown.contains(*key))
                .filter(|(key, value)| {
                    let of_source = source
                        .metadata
                        .iter()
                        .find(|(k, _)| k.eq_ignore_ascii_case(key));
                    of_source.is_some_and(|(_, of_source)| of_source != *value)
                })
                .map(|(key, _)| key.as_str())
                .collect();
            point.insert("Differs".to_owned(), differs.into());
            // A key that AWS did not return is unset at the source, if AWS returned anything.
            let returned = |key: &str| {
                let mut of_source = source.metadata.keys();
                source.metadata.is_empty() || of_source.any(|k| k.eq_ignore_ascii_case(key))
            };
            let added: Vec<&str> = sent
                .keys()
                .filter(|key| !checker.unknown.contains(*key) && !returned(key))
                .map(String::as_str)
                .collect();
            point.insert("Lacks".to_owned(), added.into());
            request.insert("RecoveryPoint".to_owned(), Value::Object(point));
        }
        request.insert("Metadata".to_owned(), instance);
        let request = Value::Object(request);
        if !validator.is_valid(&request) {
            for problem in validator.iter_errors(&request) {
                checker.report(&problem, "/$defs/request", &mut own);
            }
        }
    }
    size(&checker, &sent, &mut own);
    findings.extend(once_a_value(own));
    complete.then_some(sent)
}

/// The metadata without what says that there is none, at any depth: for rules that ask whether something is given. The items
/// of a list stay where they are, and so does a value that is not known yet.
fn something(metadata: Map<String, Value>, unknown: &BTreeSet<String>) -> Map<String, Value> {
    fn has_nothing(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().any(has_nothing),
            Value::Object(map) => map.values().any(|v| is_nothing(v) || has_nothing(v)),
            _ => false,
        }
    }
    fn filled(value: Value) -> Value {
        match value {
            Value::Array(items) => items.into_iter().map(filled).collect(),
            Value::Object(map) => map
                .into_iter()
                .filter(|(_, value)| !is_nothing(value))
                .map(|(key, value)| (key, filled(value)))
                .collect(),
            other => other,
        }
    }
    // Most metadata has nothing to leave out, and is not made anew.
    if !metadata.values().any(|v| is_nothing(v) || has_nothing(v)) {
        return metadata;
    }
    metadata
        .into_iter()
        .filter(|(key, value)| unknown.contains(key) || !is_nothing(value))
        .map(|(key, value)| match unknown.contains(&key) {
            true => (key, value),
            false => (key, filled(value)),
        })
        .collect()
}

/// Maps of metadata by the ARN of a recovery point: each a map of strings, as JSON in a string of its own.
fn metadata_maps(maps: &Map<String, Value>) -> String {
    let strings = |value: &Value| match value {
        Value::Object(map) => {
            let map: Map<String, Value> = map
                .iter()
                .map(|(key, value)| (key.clone(), wire(value).into()))
                .collect();
            Value::String(Value::Object(map).to_string())
        }
        other => other.clone(),
    };
    let maps: Map<String, Value> = maps
        .iter()
        .map(|(arn, metadata)| (arn.clone(), strings(metadata)))
        .collect();
    Value::Object(maps).to_string()
}

/// A boolean that AWS's pages write in another case: it is sent as it is, and nobody has recorded what AWS makes of it.
fn boolean_case(checker: &Checker<'_>, key: &str, text: &str, typed: &Value) -> Option<Finding> {
    let Value::Bool(value) = typed else {
        return None;
    };
    let usual = text == "true" || text == "false";
    if usual || checker.schema.notes.upper_case_booleans {
        return None;
    }
    let place = checker.entries.get(key)?;
    let finding = Finding::at(
        &checker.document.source,
        place.value.span,
        rule::METADATA_BOOLEAN_CASE,
        format!("AWS writes this value as `{value}`; whether it takes `{text}` is not known"),
        format!("write `{key}: {value}`"),
    );
    Some(
        finding
            .of_key(key)
            .documented_at(Some(&checker.schema.notes.url)),
    )
}

/// Of two findings about a key, an error about its value says more than a warning, a rule about it more than its limits,
/// and a rule that names the key more than that no page lists it.
fn once_a_value(mut findings: Findings) -> Findings {
    let told: Vec<_> = findings
        .iter()
        .filter(|f| f.is_error())
        .map(|f| (f.key.clone(), f.span))
        .collect();
    let is_unknown = |finding: &Finding| finding.rule.ends_with("/unknown-key");
    let is_limit = |finding: &Finding| {
        let key = finding.key.as_deref().unwrap_or_default();
        finding.rule.rsplit('/').next() == Some(key)
    };
    let ruled: Vec<_> = findings
        .iter()
        .filter(|f| !is_limit(f) && f.severity != Severity::Note)
        .map(|f| (f.key.clone(), f.span))
        .collect();
    let named: BTreeSet<_> = findings
        .iter()
        .filter(|f| !is_unknown(f))
        .filter_map(|f| f.key.clone())
        .collect();
    findings.retain(|finding| {
        let again = match is_unknown(finding) {
            true => finding.key.as_ref().is_some_and(|key| named.contains(key)),
            false => {
                let place = (finding.key.clone(), finding.span);
                told.contains(&place) || is_limit(finding) && ruled.contains(&place)
            }
        };
        finding.is_error() || !again
    });
    findings
}

/// The metadata of a type without rules: as it is written.
pub(super) fn unchecked(
    document: &Document,
    written: &Restore,
    rendered: &Rendered,
    findings: &mut Findings,
) -> Option<Metadata> {
    let mut seen: BTreeMap<String, &MappingEntry> = BTreeMap::new();
    for entry in written.metadata.iter() {
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

/// Entries of a plan by AWS's spelling of their keys.
type Entries<'a> = BTreeMap<&'a str, &'a MappingEntry>;

/// AWS's spelling of the keys of a plan, in the plan's order, none of one that is there twice; and the entries by it.
fn spelled<'a>(
    document: &Document,
    written: &'a Restore,
    schema: &'a Schema,
    findings: &mut Findings,
) -> (Vec<Option<&'a str>>, Entries<'a>) {
    // Keys that are all spelled as AWS does are compared as they are: no two of AWS's own differ by case only.
    let exact = |entry: &'a MappingEntry| {
        let (key, _) = schema.properties.get_key_value(&entry.key.value)?;
        Some((key.as_str(), entry))
    };
    if let Some(entries) = written
        .metadata
        .iter()
        .map(exact)
        .collect::<Option<Entries<'_>>>()
        && entries.len() == written.metadata.len()
        && schema.keys.len() == schema.properties.len()
    {
        let keys = written.metadata.iter();
        return (keys.map(|e| Some(e.key.value.as_str())).collect(), entries);
    }
    let mut keys = Vec::with_capacity(written.metadata.len());
    let mut entries = Entries::new();
    let mut folded: BTreeMap<String, &MappingEntry> = BTreeMap::new();
    for entry in written.metadata.iter() {
        let typed = &entry.key.value;
        if let Some(first) = folded.insert(typed.to_lowercase(), entry) {
            findings.push(differs_by_case(document, first, entry));
            keys.push(None);
            continue;
        }
        let key = schema.keys.get(&typed.to_lowercase()).unwrap_or(typed);
        keys.push(Some(key.as_str()));
        if key != typed && !schema.also.contains(typed) {
            let (lenient, url) = match &schema.notes.lenient_case {
                Some(url) => (true, url),
                None => (false, &schema.notes.url),
            };
            let finding = Finding::of_type(
                &document.source,
                entry.key.span,
                (rule::OF_TYPE_KEY_CASE, &schema.title),
                format!("AWS writes this key as `{key}`, and so does the request"),
                format!("write `{key}`"),
            )
            .of_key(key)
            .documented_at(Some(url));
            findings.push(match lenient {
                true => finding.weighing(Severity::Note),
                false => finding,
            });
        }
        entries.insert(key, entry);
    }
    (keys, entries)
}

fn differs_by_case(document: &Document, first: &MappingEntry, second: &MappingEntry) -> Finding {
    Finding::at(
        &document.source,
        second.key.span,
        rule::METADATA_KEY_CASE,
        format!(
            "`{}` and `{}` in line {} differ by case only, and AWS takes them for one key",
            second.key.value, first.key.value, first.key.span.start.line
        ),
        "keep one of the two",
    )
    .also(first.key.span, "written here first")
    .of_key(&second.key.value)
}

fn size(checker: &Checker<'_>, sent: &Metadata, findings: &mut Findings) {
    let bytes: usize = sent
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    let notes = &checker.schema.notes;
    if let Some(limit) = notes.max_bytes
        && bytes > limit
    {
        findings.push(
            Finding::of_type(
                &checker.document.source,
                checker.written.metadata_span,
                (rule::OF_TYPE_SIZE, &checker.schema.title),
                format!("the metadata is {bytes} bytes long; AWS Backup takes {limit}"),
                "restore fewer items at once, or the directory that holds them",
            )
            .documented_at(Some(&notes.url)),
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::metadata_maps;

    #[test]
    fn metadata_within_metadata_is_a_string_of_strings() {
        let maps = json!({"arn:a": {"volumeSize": 8, "encrypted": true}, "arn:b": "{\"x\":\"y\"}"});
        assert_eq!(
            metadata_maps(maps.as_object().unwrap()),
            r#"{"arn:a":"{\"volumeSize\":\"8\",\"encrypted\":\"true\"}","arn:b":"{\"x\":\"y\"}"}"#
        );
    }
}
