//! What AWS asks of each resource type: `schemas/*.yaml`, embedded, compiled when first used.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use jsonschema::Validator;
use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

/// Every schema file: its stem and its text.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// The rules of all types.
#[derive(Default)]
pub struct Rules {
    types: BTreeMap<&'static str, (&'static str, OnceLock<Schema>)>,
}

/// A schema file that cannot be used: a mistake of ours, found by the tests.
#[derive(Debug, thiserror::Error)]
#[error("schemas/{file}.yaml: {message}")]
pub struct RulesError {
    file: String,
    message: String,
}

/// The rules of one type.
pub(super) struct Schema {
    /// AWS's name of the type.
    pub(super) title: String,
    /// The file as it is.
    pub(super) text: Value,
    pub(super) metadata: Validator,
    pub(super) request: Option<Validator>,
    pub(super) notes: TypeNotes,
    pub(super) recovery_point: Option<Regex>,
    /// AWS's spelling of each key, by the key in lower case.
    pub(super) keys: BTreeMap<String, String>,
}

/// `x-redrill` at the root of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TypeNotes {
    /// The type's page.
    pub(super) url: String,
    /// What the ARN of a recovery point looks like.
    recovery_point: Option<String>,
    /// Bytes of all metadata together.
    pub(super) max_bytes: Option<usize>,
    /// What a key that the file does not know means.
    pub(super) unknown_key: Option<Note>,
}

/// `x-redrill` beside a rule or a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Note {
    pub(super) rule: Option<String>,
    pub(super) severity: Option<Level>,
    pub(super) message: Option<String>,
    pub(super) help: Option<String>,
    pub(super) url: Option<String>,
    /// The key to point at.
    pub(super) at: Option<String>,
    /// The key that the finding is about, where it is another.
    pub(super) key: Option<String>,
    /// What the value should have been.
    pub(super) expected: Option<String>,
    /// Whether GetRecoveryPointRestoreMetadata returns the key.
    #[serde(default)]
    #[expect(
        dead_code,
        reason = "read by those who write a plan from recovery points"
    )]
    returned: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Error,
    Warning,
}

impl Rules {
    /// All embedded rules; none is compiled yet.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            types: FILES
                .iter()
                .map(|(stem, text)| (*stem, (*text, OnceLock::new())))
                .collect(),
        }
    }

    /// Compiles every file.
    ///
    /// # Errors
    ///
    /// The first file that is no YAML, no JSON Schema or has notes that mean nothing.
    pub fn compile_all(&self) -> Result<Vec<String>, RulesError> {
        FILES
            .iter()
            .map(|(stem, text)| {
                let schema = Schema::compile(stem, text)?;
                if slug(&schema.title) == *stem {
                    Ok(schema.title)
                } else {
                    Err(RulesError {
                        file: (*stem).to_owned(),
                        message: format!("is named after another type than `{}`", schema.title),
                    })
                }
            })
            .collect()
    }

    /// The rules of a type, by AWS's name.
    pub(super) fn of(&self, resource_type: &str) -> Option<&Schema> {
        let (stem, (text, cell)) = self.types.get_key_value(slug(resource_type).as_str())?;
        if cell.get().is_none() {
            // Embedded and compiled in tests, so it compiles here; were it not so, the type has no rules, which
            // is said to the user as such.
            let schema = Schema::compile(stem, text).ok()?;
            let _ = cell.set(schema);
        }
        cell.get().filter(|schema| schema.title == resource_type)
    }
}

/// The stem of a type's file: `Storage Gateway` is in `storage-gateway.yaml`.
fn slug(title: &str) -> String {
    title.to_lowercase().replace(' ', "-")
}

impl Schema {
    fn compile(file: &str, text: &str) -> Result<Self, RulesError> {
        let fail = |message: String| RulesError {
            file: file.to_owned(),
            message,
        };
        let text: Value = serde_yaml::from_str(text).map_err(|err| fail(err.to_string()))?;
        let notes: TypeNotes = match text.get("x-redrill") {
            Some(notes) => {
                serde_json::from_value(notes.clone()).map_err(|e| fail(e.to_string()))?
            }
            None => return Err(fail("has no x-redrill".to_owned())),
        };
        let metadata = compile(&text).map_err(fail)?;
        let request = match text.pointer("/$defs/request") {
            Some(request) => Some(compile(request).map_err(fail)?),
            None => None,
        };
        let recovery_point = match &notes.recovery_point {
            Some(pattern) => Some(Regex::new(pattern).map_err(|err| fail(err.to_string()))?),
            None => None,
        };
        let keys = text
            .get("properties")
            .and_then(Value::as_object)
            .map(|properties| {
                properties
                    .keys()
                    .map(|k| (k.to_lowercase(), k.clone()))
                    .collect()
            })
            .unwrap_or_default();
        Ok(Self {
            title: text["title"].as_str().unwrap_or_default().to_owned(),
            metadata,
            request,
            notes,
            recovery_point,
            keys,
            text,
        })
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::draft202012::options()
        .build(schema)
        .map_err(|err| err.to_string())
}

/// The notes that apply to the place `path` of `schema`: the nearest on the way up.
pub(super) fn note(schema: &Value, path: &str) -> Note {
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
