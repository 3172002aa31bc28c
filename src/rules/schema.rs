//! What AWS asks of each resource type: `schemas/*.yaml`, embedded, compiled when first used.
//!
//! `schemas/common.yaml` is no type: it holds what several types share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use jsonschema::Validator;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::estimate::Estimate;
use super::include;
use super::place::{Kind, Place};

/// Every schema file: its stem and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// The rules of all types.
#[derive(Default)]
pub struct Rules {
    types: BTreeMap<&'static str, (&'static str, OnceLock<Schema>)>,
    /// Other names that AWS's own pages give a type, to its title.
    also: BTreeMap<&'static str, &'static str>,
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
    /// What each key may be: the values as they are written.
    pub(crate) metadata: Validator,
    /// What has to be there, and the rules between keys: an empty value is none.
    pub(crate) between: Validator,
    pub(crate) request: Option<Validator>,
    /// Where values belong to a Region, an account or a partition.
    pub(crate) places: Vec<Place>,
    pub(crate) notes: TypeNotes,
    pub(crate) recovery_point: Option<Regex>,
    pub(crate) resource_name: Option<Regex>,
    /// Whether a rule asks about the recovery point itself, beyond its ARN.
    pub(crate) asks_recovery_point: bool,
    /// What the file says of each key, by AWS's spelling.
    pub(crate) properties: BTreeMap<String, Property>,
    /// AWS's spelling of each key, by the key in lower case.
    pub(crate) keys: BTreeMap<String, String>,
    /// Other spellings that AWS's own pages use: nothing to say about.
    pub(crate) also: BTreeSet<String>,
    /// What a page calls another key's value, or AWS makes itself: in lower case, and what to know instead.
    pub(crate) instead: BTreeMap<String, String>,
    /// Keys that people write for another one, in lower case.
    pub(crate) mistaken: BTreeMap<String, String>,
}

/// What is asked for each value of a key: by pointer into the file it would be searched for again and again.
pub(crate) struct Property {
    /// The schema of the value.
    pub(crate) schema: Value,
    /// `holds_metadata` of its note.
    pub(crate) holds_metadata: bool,
}

/// `x-redrill` at the root of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypeNotes {
    /// The type's page.
    pub(crate) url: String,
    /// How long a restore takes.
    pub(crate) estimate: Estimate,
    /// What the ARN of a recovery point looks like.
    recovery_point: Option<String>,
    /// Bytes of all metadata together.
    pub(crate) max_bytes: Option<usize>,
    /// What a key that the file does not know means.
    pub(crate) unknown_key: Option<Note>,
    /// Where it is known that the case of keys does not matter to AWS.
    pub(crate) lenient_case: Option<String>,
    /// Whether AWS's page writes booleans in upper case too.
    #[serde(default)]
    pub(crate) upper_case_booleans: bool,
    /// What else there is to know before a restore; for those who ask.
    #[serde(default, rename = "notes")]
    _notes: Vec<String>,
    /// Other names that AWS's own pages give the type.
    #[serde(default, rename = "also")]
    _also: Vec<String>,
    /// Other names that people write for the type.
    #[serde(default, rename = "mistaken")]
    _mistaken: Vec<String>,
    /// Where AWS documents, or has answered, that the type takes the key of redrill's mark; it is not sent otherwise.
    pub(crate) mark: Option<String>,
    /// Where AWS documents that a request has no role, because the caller's own identity is used.
    pub(crate) no_role: Option<String>,
    /// Keys that are no metadata of the type, and what to know instead.
    #[serde(default)]
    instead: BTreeMap<String, String>,
    /// Why each key of `required` is, in the words of a page.
    #[serde(default, rename = "required")]
    _required: BTreeMap<String, String>,
    /// Of a composite recovery point, what is restored.
    pub(crate) composite: Option<Composite>,
    /// Where the ARN of a resource has the name that people give it, if that is not its end: the group `name`.
    resource_name: Option<String>,
}

/// What is restored of a recovery point that others belong to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Composite {
    /// It itself, and all that belongs to it in one go.
    Whole,
    /// What belongs to it, one by one.
    Nested,
}

/// `x-redrill` beside a rule or a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Note {
    pub(crate) rule: Option<String>,
    pub(crate) severity: Option<Level>,
    pub(crate) message: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) url: Option<String>,
    /// The key to point at.
    pub(crate) at: Option<String>,
    /// The key that the finding is about, where it is another.
    pub(crate) key: Option<String>,
    /// What the value should have been.
    pub(crate) expected: Option<String>,
    /// The sentence of a page, or the recorded refusal, that an error stands on; read by people and by a test.
    pub(crate) evidence: Option<String>,
    /// Whether the rule is about the key itself, so that an empty value does not count as none.
    #[serde(default, rename = "even_empty")]
    _even_empty: bool,
    /// The one key of a map that the list may stand in, as a page prints it.
    #[serde(default, rename = "wrapped_in")]
    _wrapped_in: Option<String>,
    /// What of the place of a restore the value has to fit.
    #[serde(default, rename = "place")]
    _place: Option<Kind>,
    /// The member beside it that names the Region it belongs to, where that is not the target's.
    #[serde(default, rename = "region_in")]
    _region_in: Option<String>,
    /// Whether GetRecoveryPointRestoreMetadata returns the key.
    #[serde(default, rename = "returned")]
    _returned: bool,
    /// False where a request must not hold the key, although AWS returns it.
    #[serde(default, rename = "send")]
    _send: Option<bool>,
    /// Whether each member is a metadata map of its own, which AWS wants as JSON in a string once more.
    #[serde(default)]
    pub(crate) holds_metadata: bool,
    /// What a new plan says of the key.
    #[serde(default, rename = "init")]
    _init: Option<super::init::Init>,
    /// Other spellings of the key in AWS's own pages.
    #[serde(default)]
    also: Vec<String>,
    /// Other keys that people write for this one.
    #[serde(default)]
    mistaken: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warning,
}

impl Rules {
    /// All embedded rules; none is compiled yet.
    #[must_use]
    pub fn embedded() -> Self {
        let types = FILES
            .iter()
            .filter(|(stem, _)| *stem != include::COMMON)
            .map(|(_, text)| (title(text), (*text, OnceLock::new())))
            .collect();
        let named = |member| {
            let all = FILES.iter();
            all.flat_map(move |(_, text)| names(text, member).map(|name| (name, title(text))))
        };
        let mistaken = named("mistaken").map(|(name, title)| (name.to_lowercase(), title));
        Self {
            types,
            also: named("also").collect(),
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

    /// What is restored of a type's composite recovery points; `None` where it has none, or no rules.
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
        self.also
            .get(resource_type)
            .copied()
            .unwrap_or(resource_type)
    }

    /// The type that a name which is none is written for.
    #[must_use]
    pub fn meant(&self, resource_type: &str) -> Option<&'static str> {
        self.mistaken.get(&resource_type.to_lowercase()).copied()
    }

    /// Whether there are rules of a type: one that there are none of is not known to be a type of AWS Backup.
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

    /// Whether a request may hold a key that AWS returns of a recovery point.
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
        FILES
            .iter()
            .filter(|(stem, _)| *stem != include::COMMON)
            .map(|(stem, text)| {
                let schema = Schema::compile(stem, text)?;
                check_notes(&schema.text).map_err(|message| fail(stem, message))?;
                self.drafter(&schema.title)?;
                let named = schema.title.to_lowercase().replace(' ', "-");
                if schema.title != title(text) {
                    Err(fail(stem, "has its title in another line".to_owned()))
                } else if named != *stem {
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
        let name = self.also.get(resource_type).copied();
        let (text, cell) = self.types.get(name.unwrap_or(resource_type))?;
        if cell.get().is_none() {
            // Embedded and compiled in tests, so it compiles here; were it not so, the type has no rules, which
            // is said to the user as such.
            let schema = Schema::compile(resource_type, text).ok()?;
            let _ = cell.set(schema);
        }
        cell.get()
    }
}

/// The title of a file, without reading it as YAML: starting up has to be quick.
fn title(text: &'static str) -> &'static str {
    text.lines()
        .find_map(|line| line.strip_prefix("title: "))
        .unwrap_or_default()
}

/// The other names of a file's type, `also` or `mistaken`, likewise.
fn names(text: &'static str, member: &str) -> impl Iterator<Item = &'static str> {
    let listed = |line: &'static str| {
        let rest = line.strip_prefix("  ")?.strip_prefix(member)?;
        rest.strip_prefix(": [")?.strip_suffix(']')
    };
    text.lines()
        .take_while(|line| !line.starts_with("type: "))
        .find_map(listed)
        .into_iter()
        .flat_map(|names| names.split(", "))
}

/// Reads every note, so that one with a slip of the pen is found before it is needed.
fn check_notes(value: &Value) -> Result<(), String> {
    let Value::Object(map) = value else {
        return match value {
            Value::Array(items) => items.iter().try_for_each(check_notes),
            _ => Ok(()),
        };
    };
    let is_root = map.contains_key("$schema");
    if let (Some(note), false) = (map.get("x-redrill"), is_root) {
        serde_json::from_value::<Note>(note.clone()).map_err(|err| format!("{err}, in {note}"))?;
    }
    map.values().try_for_each(check_notes)
}

/// The text of a file, by its stem.
pub(crate) fn file(stem: &str) -> Option<&'static str> {
    FILES.iter().find(|(s, _)| *s == stem).map(|(_, t)| *t)
}

impl Schema {
    fn compile(file: &str, text: &str) -> Result<Self, RulesError> {
        let fail = |message: String| RulesError {
            file: file.to_owned(),
            message,
        };
        let mut text: Value = serde_yaml::from_str(text).map_err(|err| fail(err.to_string()))?;
        include::resolve(&mut text).map_err(fail)?;
        let text = text;
        let notes: TypeNotes = match text.get("x-redrill") {
            Some(notes) => {
                serde_json::from_value(notes.clone()).map_err(|e| fail(e.to_string()))?
            }
            None => return Err(fail("has no x-redrill".to_owned())),
        };
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
        let places = Place::all(&text);
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
    shape["allOf"] = kept(&of_key).into();
    let mut between = serde_json::json!({ "allOf": kept(&|rule| !of_key(rule)) });
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

/// The notes that apply to the place `path` of `schema`: the nearest on the way up.
pub(crate) fn note(schema: &Value, path: &str) -> Note {
    let mut path = path;
    loop {
        let found = schema
            .pointer(path)
            .and_then(|at| at.get("x-redrill"))
            .filter(|_| !path.is_empty())
            .and_then(|note| serde_json::from_value(note.clone()).ok());
        if let Some(note) = found {
            return note;
        }
        match path.rfind('/') {
            Some(at) => path = &path[..at],
            None => return Note::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn every_file_compiles() {
        let types = Rules::embedded().compile_all().unwrap();
        assert_eq!(types.len(), 19);
    }
}
