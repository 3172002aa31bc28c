//! The metadata that a new plan begins with: what AWS returned of a recovery point, and what `x-redrill.init` says.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::init::{Compiled, PointFacts, Start};
use super::mapped::{Variables, declared};
use crate::ids::{AccountId, Arn, RegionName};
use crate::render::SourceFacts;
use crate::rules::{Init, Rules, RulesError, Schema, coerce, expected};

/// A recovery point that a plan is written from.
#[derive(Clone, Copy, Debug)]
pub(super) struct DraftSource<'a> {
    /// Its ARN.
    pub arn: &'a str,
    /// Facts that AWS tells of it.
    pub facts: &'a SourceFacts,
    /// The recovery points that belong to it.
    pub children: &'a [String],
    /// The account that it lies in.
    pub account: &'a AccountId,
    /// The Region that it lies in.
    pub region: &'a RegionName,
    /// Keys that are left out, with the reason.
    pub dropped: &'a BTreeMap<String, String>,
}

/// Proposed start of a restore.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposal {
    /// In the order of AWS's page.
    pub entries: Vec<Proposed>,
    /// Keys that AWS returned and are not sent, each with the reason.
    pub left_out: Vec<(String, String)>,
}

/// One metadata key of a new plan.
#[derive(Clone, Debug)]
pub(super) struct Proposed {
    /// Key as AWS writes it.
    pub key: String,
    /// Value as a plan writes it, with templates.
    pub value: Value,
    /// Meaning of the key, and what it may be.
    pub meaning: Option<String>,
    /// Note on this value.
    pub why: Option<String>,
    /// True if it can as well be left out: AWS returned it, and nothing says that it is needed.
    pub expendable: bool,
}

/// The proposals of one type: its `init` notes, compiled once.
pub(super) struct Drafter<'a> {
    schema: Option<&'a Schema>,
    /// By the path of the key.
    ways: BTreeMap<String, Vec<Compiled>>,
}

impl<'a> Drafter<'a> {
    /// Creates the drafter of the metadata of a type's restores; of a type without rules, as AWS returned it.
    ///
    /// # Errors
    ///
    /// Where a note means nothing: a mistake of ours, found by the tests.
    pub(super) fn new(rules: &'a Rules, resource_type: &str) -> Result<Self, RulesError> {
        let schema = rules.of(resource_type);
        let mut ways = BTreeMap::new();
        if let Some(schema) = schema {
            compile(&schema.text, "", &mut ways)
                .map_err(|message| RulesError::of(resource_type, message))?;
        }
        Ok(Self { schema, ways })
    }
}

fn compile(
    of: &Value,
    path: &str,
    ways: &mut BTreeMap<String, Vec<Compiled>>,
) -> Result<(), String> {
    for (key, of) in properties(of) {
        let path = format!("{path}/{key}");
        if let Some(init) = of.pointer("/x-redrill/init") {
            let init: Init =
                serde_json::from_value(init.clone()).map_err(|err| format!("{path}: {err}"))?;
            let compiled: Result<Vec<Compiled>, String> =
                init.ways().iter().map(Compiled::new).collect();
            ways.insert(
                path.clone(),
                compiled.map_err(|err| format!("{path}: {err}"))?,
            );
        }
        compile(of, &path, ways)?;
    }
    Ok(())
}

fn properties(of: &Value) -> impl Iterator<Item = (&String, &Value)> {
    of.get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

impl Drafter<'_> {
    /// The metadata that a restore of `origin` begins with.
    pub(super) fn propose(&self, origin: &DraftSource<'_>, variables: &mut Variables) -> Proposal {
        let mut proposal = Proposal::default();
        let mut returned = self.typed(origin.facts);
        let instance = json!({
            "RecoveryPointArn": origin.arn,
            "ResourceArn": origin.facts.resource_arn,
            "StorageClass": origin.facts.storage_class,
            "IsParent": origin.facts.is_parent,
            "Metadata": returned,
        });
        let facts = PointFacts {
            instance: &instance,
            resource_arn: &origin.facts.resource_arn,
            children: origin.children,
            names: names(origin),
            region: origin.region,
            account: origin.account,
        };
        let dropped: Vec<(String, String)> = origin
            .dropped
            .iter()
            .filter(|(key, _)| returned.shift_remove(*key).is_some())
            .map(|(key, reason)| (key.clone(), reason.clone()))
            .collect();
        proposal.left_out = dropped;
        let Some(schema) = self.schema else {
            for (key, value) in returned {
                proposal.entries.push(Proposed {
                    key,
                    value: escaped(value),
                    meaning: None,
                    why: None,
                    expendable: true,
                });
            }
            return proposal;
        };
        let mut left_out = Vec::new();
        let entries = self.members(&schema.text, "", returned, &facts, variables, &mut left_out);
        for member in entries {
            let Member {
                key,
                value,
                why,
                expendable,
            } = member;
            let meaning = schema.text["properties"].get(&key).and_then(meaning);
            proposal.entries.push(Proposed {
                key,
                value,
                meaning,
                why,
                expendable,
            });
        }
        proposal.left_out.extend(left_out);
        proposal
    }

    /// Returns AWS's metadata, with its spelling of keys and with types.
    fn typed(&self, facts: &SourceFacts) -> Map<String, Value> {
        let mut typed = Map::new();
        for (key, text) in &facts.metadata {
            let spelled = self
                .schema
                .and_then(|schema| schema.keys.get(&key.to_lowercase()))
                .unwrap_or(key);
            let value = Value::String(text.clone());
            let value = match self
                .schema
                .and_then(|s| s.text["properties"].get(spelled.as_str()))
            {
                Some(of) => coerce(of, value),
                None => value,
            };
            typed.insert(spelled.clone(), value);
        }
        typed
    }

    /// The members of a map: those that the schema knows, in its order, then the rest.
    fn members(
        &self,
        of: &Value,
        path: &str,
        mut returned: Map<String, Value>,
        facts: &PointFacts<'_>,
        variables: &mut Variables,
        left_out: &mut Vec<(String, String)>,
    ) -> Vec<Member> {
        let mut entries = Vec::new();
        for (key, of) in properties(of) {
            let path = format!("{path}/{key}");
            let name = path[1..].replace('/', ".");
            let value = returned.shift_remove(key);
            if value.is_some() && of["x-redrill"]["send"] == false {
                left_out.push((name, sentence(of)));
                continue;
            }
            let value = value.filter(|value| {
                let empty = is_empty(value);
                if empty {
                    left_out.push((name.clone(), "empty at the source".to_owned()));
                }
                !empty
            });
            let mut start = self.start(&path, facts, value);
            if let Start::Value {
                value,
                var: Some(_),
                returned: true,
                ..
            } = &start
                && let Some(reason) = facts.elsewhere(value)
            {
                left_out.push((name.clone(), reason));
                start = self.start(&path, facts, None);
            }
            let (value, var, why, is_returned, keep) = match start {
                Start::Value {
                    value,
                    var,
                    why,
                    returned,
                    keep,
                } => (value, var, why, returned, keep),
                Start::LeftOut(reason) => {
                    left_out.push((name, reason));
                    continue;
                }
                Start::Nothing => continue,
            };
            let description = sentence(of);
            let value = match value {
                Value::Object(map) if is_returned || properties(of).next().is_some() => {
                    let inner = self.members(of, &path, map, facts, variables, left_out);
                    if inner.is_empty() {
                        continue;
                    }
                    inner.into_iter().map(|m| (m.key, m.value)).collect()
                }
                value if is_returned => escaped(value),
                value => declared(value, &description, variables),
            };
            // A text that was filled in is of the key's type as well.
            let value = match value {
                Value::Object(map) => Value::Object(map),
                other => coerce(of, other),
            };
            let value = match var {
                Some(var) => {
                    let description = match &why {
                        Some(why) => format!("{description} {}.", capital(why)),
                        None => description,
                    };
                    variables.stand_in(&var, value, &description)
                }
                None => value,
            };
            entries.push(Member {
                key: key.clone(),
                value,
                why: why.as_deref().map(capital),
                expendable: is_returned && !keep,
            });
        }
        for (key, value) in returned {
            if is_empty(&value) {
                left_out.push((key, "empty at the source".to_owned()));
            } else {
                entries.push(Member {
                    key,
                    value: escaped(value),
                    why: None,
                    expendable: true,
                });
            }
        }
        entries
    }

    fn start(&self, path: &str, facts: &PointFacts<'_>, returned: Option<Value>) -> Start {
        let ways = self.ways.get(path).map_or(&[][..], Vec::as_slice);
        let found = ways
            .iter()
            .find_map(|way| way.start(facts, returned.clone()));
        match (found, returned) {
            (Some(start), _) => start,
            (None, Some(value)) => Start::Value {
                value,
                var: None,
                why: None,
                returned: true,
                keep: false,
            },
            (None, None) => Start::Nothing,
        }
    }
}

/// A member of a map.
struct Member {
    key: String,
    value: Value,
    why: Option<String>,
    expendable: bool,
}

/// Returns the placeholders of `write` and `otherwise`, each with its text.
fn names(origin: &DraftSource<'_>) -> Vec<(String, String)> {
    let bytes = origin.facts.size_bytes.max(1).unsigned_abs();
    let partition = Arn::partition_of(origin.arn);
    [
        ("account", origin.account.to_string()),
        ("region", origin.region.to_string()),
        ("partition", partition.to_owned()),
        ("resource_arn", origin.facts.resource_arn.clone()),
        ("created_at", origin.facts.created_at.clone()),
        ("size_bytes", bytes.to_string()),
        ("size_mib", bytes.div_ceil(1 << 20).to_string()),
    ]
    .into_iter()
    .map(|(name, is)| (format!("<{name}>"), is))
    .collect()
}

/// A value of the source as a plan writes it: what looks like a template in it is none.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) if ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark)) => {
            // A template that is one text; JSON's escapes are its own.
            Value::String(format!("{{{{ {} }}}}", Value::String(text)))
        }
        Value::Array(items) => items
            .into_iter()
            .filter(|item| !item.is_null())
            .map(escaped)
            .collect(),
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, escaped(value)))
            .collect(),
        other => other,
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => matches!(text.trim(), "" | "null" | "[]" | "{}"),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn sentence(of: &Value) -> String {
    of["description"].as_str().unwrap_or_default().to_owned()
}

/// Describes what a key means, and what it may be if the meaning does not say so.
fn meaning(of: &Value) -> Option<String> {
    let meaning = of["description"].as_str()?;
    let limited = [
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "maxLength",
        "maxItems",
    ]
    .iter()
    .any(|limit| of.get(*limit).is_some());
    Some(match expected(of).filter(|_| limited) {
        Some(allowed) => format!("{meaning} Allowed: {allowed}."),
        None => meaning.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note of `x-redrill.init` that means nothing is found here, and not by whoever drafts a plan.
    #[test]
    fn every_type_has_what_drafts_it() {
        let rules = Rules::embedded();
        for title in rules.compile_all().unwrap() {
            Drafter::new(&rules, &title).unwrap();
        }
    }
}
