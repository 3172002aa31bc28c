//! Rules of AWS for each resource type: `schemas/*.yaml`, embedded, compiled when first used.
//!
//! `schemas/common.yaml` is no type: it holds what several types share.

mod described;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jsonschema::Validator;
use regex::Regex;
use serde_json::Value;

use super::notes::{self, Composite, TypeNotes, note};
use super::place::ReferencePlace;
use super::walls::kinds_in;
use super::{facts, files, include};

/// The rules of all types.
#[derive(Default)]
pub struct Rules {
    types: BTreeMap<&'static str, (&'static str, OnceLock<Schema>)>,
    /// Other names that people write for a type, without case, to its title.
    mistaken: BTreeMap<String, &'static str>,
}

/// A schema file that cannot be used: a mistake of ours, found by the tests.
#[derive(Debug, thiserror::Error)]
#[error("schemas/{file}.yaml: {message}")]
pub struct RulesError {
    file: String,
    message: String,
}

impl RulesError {
    pub(crate) fn of(file: &str, message: String) -> Self {
        Self {
            file: file.to_owned(),
            message,
        }
    }
}

/// The rules of one type.
pub(crate) struct Schema {
    /// AWS's name of the type.
    pub(crate) title: String,
    /// The file as it is.
    pub(crate) text: Value,
    /// Validator of each key: the values as they are written.
    pub(crate) metadata: Validator,
    /// Validator of required keys and the rules between keys: an empty value counts as missing.
    pub(crate) between: Validator,
    pub(crate) request: Option<Validator>,
    /// Positions of values that belong to a Region, an account or a partition.
    pub(crate) places: Vec<ReferencePlace>,
    pub(crate) notes: &'static TypeNotes,
    pub(crate) recovery_point: Option<Regex>,
    pub(crate) resource_name: Option<Regex>,
    /// True if a rule asks about the recovery point itself, beyond its ARN.
    pub(crate) asks_recovery_point: bool,
    /// Properties of each key in the file, by AWS's spelling.
    pub(crate) properties: BTreeMap<String, Property>,
    /// AWS's spelling of each key, by the key in lower case.
    pub(crate) keys: BTreeMap<String, String>,
    /// Other spellings that AWS's own pages use: nothing to say about.
    pub(crate) also: BTreeSet<String>,
    /// Names that a page uses for another key's value, or for what AWS makes itself: in lower case, with what to know
    /// instead.
    pub(crate) instead: BTreeMap<String, String>,
    /// Keys that people write for another one, in lower case.
    pub(crate) mistaken: BTreeMap<String, String>,
}

/// Parts of the schema asked for each value of a key, so that they are not searched for by pointer again and again.
pub(crate) struct Property {
    /// The schema of the value.
    pub(crate) schema: Value,
    /// `holds_metadata` of its note.
    pub(crate) holds_metadata: bool,
}

impl Rules {
    /// All embedded rules; none is compiled yet.
    #[must_use]
    pub fn embedded() -> Self {
        let types = files::of_types();
        let types = types.map(|(_, text)| (files::title(text), (text, OnceLock::new())));
        let mistaken = files::named("mistaken").map(|(name, title)| (name.to_lowercase(), title));
        Self {
            types: types.collect(),
            mistaken: mistaken.collect(),
        }
    }

    /// AWS's names of the types that have rules.
    pub fn types(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.types.keys().copied()
    }

    /// The JSON Schema of a type's metadata, with everything included that it shares with others.
    #[must_use]
    pub fn schema(&self, resource_type: &str) -> Option<&Value> {
        self.of(resource_type).map(|schema| &schema.text)
    }

    /// Returns what is restored of a type's composite recovery points; `None` if it has none, or no rules.
    #[must_use]
    pub fn composite(&self, resource_type: &str) -> Option<Composite> {
        self.of(resource_type)?.notes.composite
    }

    /// The name that people give a resource of a type, by its ARN.
    #[must_use]
    pub fn resource_name<'a>(&self, resource_type: &str, arn: &'a str) -> &'a str {
        let pattern = self
            .of(resource_type)
            .and_then(|of| of.resource_name.as_ref());
        let named = pattern.and_then(|pattern| Some(pattern.captures(arn)?.name("name")?.as_str()));
        let last = arn.rsplit([':', '/']).find(|part| !part.is_empty());
        named.or(last).unwrap_or(arn)
    }

    /// AWS's own name of a type, where its pages have several.
    #[must_use]
    pub fn title<'a>(&self, resource_type: &'a str) -> &'a str {
        files::title_of(resource_type)
    }

    /// The type that a name which is none is written for.
    #[must_use]
    pub fn meant(&self, resource_type: &str) -> Option<&'static str> {
        self.mistaken.get(&resource_type.to_lowercase()).copied()
    }

    /// Returns true if there are rules for a type: one without any is not known to be a type of AWS Backup.
    #[must_use]
    pub fn knows(&self, resource_type: &str) -> bool {
        self.of(resource_type).is_some()
    }

    /// AWS's spelling of a metadata key that is written in some case.
    #[must_use]
    pub fn spelling<'a>(&'a self, resource_type: &str, key: &'a str) -> &'a str {
        let schema = self.of(resource_type);
        let spelled = schema.and_then(|schema| schema.keys.get(&key.to_lowercase()));
        spelled.map_or(key, String::as_str)
    }

    /// Returns true if the value of a key names a place, or may: an unknown one may name anything.
    #[must_use]
    pub fn names_place(&self, resource_type: &str, key: &str) -> bool {
        let schema = self.of(resource_type);
        let of = schema.and_then(|schema| schema.properties.get(self.spelling(resource_type, key)));
        of.is_none_or(|of| kinds_in(&of.schema).iter().any(|kind| *kind != "none"))
    }

    /// Returns true if a request may hold a key that AWS returns of a recovery point.
    #[must_use]
    pub fn is_sent(&self, resource_type: &str, key: &str) -> bool {
        let key = self.spelling(resource_type, key);
        self.of(resource_type)
            .is_none_or(|schema| schema.text["properties"][key]["x-redrill"]["send"] != false)
    }

    /// Compiles every file.
    ///
    /// # Errors
    ///
    /// The first file that is no YAML, no JSON Schema or has notes that mean nothing.
    pub fn compile_all(&self) -> Result<Vec<String>, RulesError> {
        let fail = |file: &str, message: String| RulesError {
            file: file.to_owned(),
            message,
        };
        facts::read_common().map_err(|message| fail("common", message))?;
        files::of_types()
            .map(|(stem, text)| {
                let schema = Schema::compile(stem, text)?;
                notes::check(&schema.text).map_err(|message| fail(stem, message))?;
                let named = schema.title.to_lowercase().replace(' ', "-");
                if schema.title != files::title(text) {
                    Err(fail(stem, "has its title in another line".to_owned()))
                } else if named != stem {
                    let message = format!("is named after another type than `{}`", schema.title);
                    Err(fail(stem, message))
                } else {
                    Ok(schema.title)
                }
            })
            .collect()
    }

    /// The rules of a type, by AWS's name.
    pub(crate) fn of(&self, resource_type: &str) -> Option<&Schema> {
        let (text, cell) = self.types.get(files::title_of(resource_type))?;
        if cell.get().is_none() {
            // Embedded and compiled in tests, so it compiles here; were it not so, the type has no rules, which
            // is said to the user as such.
            let schema = Schema::compile(resource_type, text).ok()?;
            let _ = cell.set(schema);
        }
        cell.get()
    }
}

impl Schema {
    fn compile(file: &str, text: &'static str) -> Result<Self, RulesError> {
        let fail = |message: String| RulesError {
            file: file.to_owned(),
            message,
        };
        let notes = match TypeNotes::tried(files::title(text)) {
            Some(Ok(notes)) => notes,
            Some(Err(message)) => return Err(fail(message.clone())),
            None => return Err(fail("has no title".to_owned())),
        };
        let mut text: Value = serde_yaml::from_str(text).map_err(|err| fail(err.to_string()))?;
        // Readers of the schema ask what may be written; the rest is read separately.
        if let Some(top) = text["x-redrill"].as_object_mut() {
            top.shift_remove("facts");
        }
        include::resolve(&mut text).map_err(fail)?;
        let text = text;
        let (shape, between) = parted(&text);
        let metadata = compile(&shape).map_err(fail)?;
        let between = compile(&between).map_err(fail)?;
        let request = match text.pointer("/$defs/request") {
            Some(request) => Some(compile(request).map_err(fail)?),
            None => None,
        };
        let regex = |pattern: &Option<String>| {
            let compiled = pattern.as_ref().map(|pattern| Regex::new(pattern));
            compiled.transpose().map_err(|err| fail(err.to_string()))
        };
        let recovery_point = regex(&notes.recovery_point)?;
        let resource_name = regex(&notes.resource_name)?;
        let (mut keys, mut known) = (BTreeMap::new(), BTreeMap::new());
        let (mut also, mut mistaken) = (BTreeSet::new(), BTreeMap::new());
        for key in properties(&text) {
            let note = note(&text, &format!("/properties/{}", escaped(key)));
            keys.insert(key.to_lowercase(), key.clone());
            let property = Property {
                schema: text["properties"][key].clone(),
                holds_metadata: note.holds_metadata,
            };
            known.insert(key.clone(), property);
            for other in note.mistaken {
                mistaken.insert(other.to_lowercase(), key.clone());
            }
            also.extend(note.also);
        }
        let places = ReferencePlace::all(&text);
        let lower = |(key, text): (&String, &String)| (key.to_lowercase(), text.clone());
        let instead = notes.instead.iter().map(lower).collect();
        let asks_recovery_point = text
            .pointer("/$defs/request")
            .is_some_and(|request| request.to_string().contains("\"RecoveryPoint\""));
        Ok(Self {
            title: text["title"].as_str().unwrap_or_default().to_owned(),
            metadata,
            between,
            request,
            places,
            instead,
            notes,
            recovery_point,
            resource_name,
            asks_recovery_point,
            properties: known,
            keys,
            also,
            mistaken,
            text,
        })
    }
}

/// A schema in two: what each key may be, and the rules between keys with what has to be there. Each place of both is
/// that of the whole.
fn parted(whole: &Value) -> (Value, Value) {
    let mut shape = whole.clone();
    let rules = whole["allOf"].as_array().cloned().unwrap_or_default();
    let of_key = |rule: &Value| rule["x-redrill"]["even_empty"] == true;
    let kept = |keep: &dyn Fn(&Value) -> bool| -> Vec<Value> {
        let rules = rules.iter();
        rules
            .map(|rule| {
                if keep(rule) {
                    rule.clone()
                } else {
                    true.into()
                }
            })
            .collect()
    };
    let mut between = serde_json::json!({});
    // A list of none is no JSON Schema.
    if !rules.is_empty() {
        shape["allOf"] = kept(&of_key).into();
        between["allOf"] = kept(&|rule| !of_key(rule)).into();
    }
    if let Some(required) = shape
        .as_object_mut()
        .and_then(|map| map.shift_remove("required"))
    {
        between["required"] = required;
    }
    (shape, between)
}

fn properties(schema: &Value) -> impl Iterator<Item = &String> {
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|properties| properties.keys())
}

/// A key as a step of a JSON pointer.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::options()
        .build(schema)
        .map_err(|err| err.to_string())
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn every_file_compiles() {
        let rules = Rules::embedded();
        let types = rules.compile_all().unwrap();
        assert_eq!(types.len(), rules.types().count());
    }
}
