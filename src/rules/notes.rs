//! `x-redrill` in schema files: at the top what there is to know of a type, beside a key or a rule what there is to know of
//! that.
//!
//! The top of a file is read apart from its rules, and first: what has happened in a run is judged without them.

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::estimate::Estimate;
use super::facts::Facts;
use super::init::Init;
use super::place::ReferenceKind;
use super::walls::{self, WallName};
use super::{files, include};
use crate::diagnostic::Severity;

/// The top of every file, by AWS's name of the type; read when it is first asked for.
static TOPS: LazyLock<BTreeMap<&str, Top>> = LazyLock::new(|| {
    let top = |(_, text)| {
        (
            files::title(text),
            Top {
                text,
                notes: OnceLock::new(),
            },
        )
    };
    files::of_types().map(top).collect()
});

struct Top {
    text: &'static str,
    notes: OnceLock<Result<TypeNotes, String>>,
}

/// `x-redrill` at the top of a type's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TypeNotes {
    /// The type's page.
    pub(crate) url: String,
    /// Time that a restore takes.
    pub(crate) estimate: Estimate,
    /// Pattern of the ARN of a recovery point.
    pub(super) recovery_point: Option<String>,
    /// Bytes of all metadata together.
    pub(crate) max_bytes: Option<usize>,
    /// Meaning of a key that the file does not know.
    pub(crate) unknown_key: Option<SchemaNote>,
    /// Page that shows that the case of keys does not matter to AWS.
    pub(crate) lenient_case: Option<String>,
    /// True if AWS's page writes booleans in upper case too.
    #[serde(default)]
    pub(crate) upper_case_booleans: bool,
    /// Source in which AWS documents, or has answered, that the type takes the key of redrill's mark; not sent
    /// otherwise.
    pub(crate) mark: Option<String>,
    /// Page that documents that a request has no role, because the caller's own identity is used.
    pub(crate) no_role: Option<String>,
    /// Keys that are no metadata of the type, and what to know instead.
    #[serde(default)]
    pub(super) instead: BTreeMap<String, String>,
    /// Of a composite recovery point, what is restored.
    pub(crate) composite: Option<Composite>,
    /// Pattern for the name that people give a resource, if that is not the end of its ARN: the group `name`.
    pub(super) resource_name: Option<String>,
    /// Facts that the stages need besides the rules.
    pub(crate) facts: Facts,
}

/// Notes for those who read the file or ask for it in words.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderNotes {
    /// Other things to know before a restore.
    #[serde(default, rename = "notes")]
    _notes: Vec<String>,
    /// Other names that AWS's own pages give the type.
    #[serde(default, rename = "also")]
    _also: Vec<String>,
    /// Other names that people write for the type.
    #[serde(default, rename = "mistaken")]
    _mistaken: Vec<String>,
    /// Reason for each key of `required`, in the words of a page.
    #[serde(default, rename = "required")]
    _required: BTreeMap<String, String>,
    /// Messages from AWS when a restore of the type fails.
    #[serde(default, rename = "failures")]
    _failures: Vec<RestoreFailure>,
}

/// Message from AWS when a restore fails, and what to make of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RestoreFailure {
    /// The message, or what of it is always the same.
    pub says: String,
    /// Cause of the failure.
    pub means: String,
    /// Remedy for it.
    pub r#do: String,
    /// Place where that was said or recorded.
    pub source: String,
    /// True if the role may lack a permission, though the message does not say so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub role: bool,
    /// True if the role may lack the use of a KMS key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keys: bool,
}

impl RestoreFailure {
    /// Returns the failures of a type, by AWS's name.
    #[must_use]
    pub fn of(resource_type: &str) -> Vec<Self> {
        let own = TOPS.get(files::title_of(resource_type));
        own.map(|top| Self::read(top.text)).unwrap_or_default()
    }

    /// Returns the failures common to every type.
    #[must_use]
    pub fn common() -> Vec<Self> {
        Self::read(files::common())
    }

    fn read(text: &'static str) -> Vec<Self> {
        // Embedded, and read in a test.
        let failures = top(text).ok().and_then(|mut top| top.remove("failures"));
        failures
            .and_then(|failures| serde_json::from_value(failures).ok())
            .unwrap_or_default()
    }
}

/// Restored part of a recovery point that others belong to.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Composite {
    /// Recovery point and all that belongs to it, in one go.
    Whole,
    /// Recovery points that belong to it, one by one.
    Nested,
}

impl TypeNotes {
    /// Returns the notes of a type, by AWS's name; `None` if there is no such type.
    pub(crate) fn of(resource_type: &str) -> Option<&'static Self> {
        // Embedded and read in tests; were one not to be read, nothing would be known of its type.
        Self::tried(resource_type)?.as_ref().ok()
    }

    /// Returns the notes of all types, by AWS's name: every file is looked into.
    pub(super) fn all() -> impl Iterator<Item = (&'static str, &'static Self)> {
        TOPS.keys()
            .filter_map(|title| Some((*title, Self::of(title)?)))
    }

    /// The type in a sentence.
    pub(crate) fn called<'a>(&'a self, title: &'a str) -> &'a str {
        self.facts.called.as_deref().unwrap_or(title)
    }

    /// The same as of one type, or why they mean nothing.
    pub(super) fn tried(resource_type: &str) -> Option<&'static Result<Self, String>> {
        let top = TOPS.get(resource_type)?;
        Some(top.notes.get_or_init(|| Self::read(top.text)))
    }

    fn read(text: &'static str) -> Result<Self, String> {
        let mut notes = top(text)?;
        let words = ["notes", "also", "mistaken", "required", "failures"];
        let words = words
            .iter()
            .filter_map(|name| notes.shift_remove_entry(*name));
        let words: Map<String, Value> = words.collect();
        serde_json::from_value::<ReaderNotes>(words.into()).map_err(|err| err.to_string())?;
        serde_json::from_value(notes.into()).map_err(|err| err.to_string())
    }
}

/// `x-redrill` at the top of a file, with what it includes.
pub(super) fn top(text: &'static str) -> Result<Map<String, Value>, String> {
    let block: Value = serde_yaml::from_str(files::block(text)).map_err(|err| err.to_string())?;
    let mut top = block["x-redrill"].clone();
    include::resolve(&mut top)?;
    match top {
        Value::Object(map) => Ok(map),
        _ => Err("has no x-redrill".to_owned()),
    }
}

/// `x-redrill` beside a rule or a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SchemaNote {
    pub(crate) rule: Option<String>,
    pub(crate) severity: Option<Level>,
    pub(crate) message: Option<String>,
    pub(crate) help: Option<String>,
    pub(crate) url: Option<String>,
    /// The key to point at.
    pub(crate) at: Option<String>,
    /// The key that the finding is about, where it is another.
    pub(crate) key: Option<String>,
    /// Description of the value as it should have been.
    pub(crate) expected: Option<String>,
    /// The sentence of a page, or the recorded refusal, that an error stands on; read by people and by a test.
    pub(crate) evidence: Option<String>,
    /// True if the rule is about the key itself, so that an empty value does not count as missing.
    #[serde(default, rename = "even_empty")]
    _even_empty: bool,
    /// The one key of a map that the list may stand in, as a page prints it.
    #[serde(default, rename = "wrapped_in")]
    _wrapped_in: Option<String>,
    /// Part of the place of a restore that the value has to fit.
    #[serde(default, rename = "place")]
    _place: Option<ReferenceKind>,
    /// Kind of place that the value names.
    #[serde(default, rename = "wall")]
    _wall: Option<WallName>,
    /// With which values of keys beside it the value names something new, or nothing; `""` where the key is not given.
    #[serde(default, rename = "new_where")]
    _new_where: BTreeMap<String, Vec<String>>,
    #[serde(default, rename = "ignored_where")]
    _ignored_where: BTreeMap<String, Vec<String>>,
    /// The member beside it that names the Region it belongs to, where that is not the target's.
    #[serde(default, rename = "region_in")]
    _region_in: Option<String>,
    /// True if GetRecoveryPointRestoreMetadata returns the key.
    #[serde(default, rename = "returned")]
    _returned: bool,
    /// False where a request must not hold the key, although AWS returns it.
    #[serde(default, rename = "send")]
    _send: Option<bool>,
    /// True if each member is a metadata map of its own, which AWS wants as JSON in a string once more.
    #[serde(default)]
    pub(crate) holds_metadata: bool,
    /// Entry of the key in a new plan.
    #[serde(default, rename = "init")]
    _init: Option<Init>,
    /// Other spellings of the key in AWS's own pages.
    #[serde(default)]
    pub(super) also: Vec<String>,
    /// Other keys that people write for this one.
    #[serde(default)]
    pub(super) mistaken: Vec<String>,
}

impl SchemaNote {
    /// Returns the severity when the rule fires.
    pub(crate) fn severity(&self) -> Severity {
        match self.severity {
            Some(Level::Warning) => Severity::Warning,
            Some(Level::Error) | None => Severity::Error,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    Error,
    Warning,
}

/// The notes that apply to the place `path` of `schema`: the nearest on the way up.
pub(crate) fn note(schema: &Value, path: &str) -> SchemaNote {
    let mut path = path;
    loop {
        let found = schema
            .pointer(path)
            .and_then(|at| at.get("x-redrill"))
            .filter(|note| !path.is_empty() && !walls::is_only_wall(note))
            .and_then(|note| serde_json::from_value(note.clone()).ok());
        if let Some(note) = found {
            return note;
        }
        match path.rfind('/') {
            Some(at) => path = &path[..at],
            None => return SchemaNote::default(),
        }
    }
}

/// Reads every note, so that one with a slip of the pen is found before it is needed.
pub(super) fn check(value: &Value) -> Result<(), String> {
    let Value::Object(map) = value else {
        return match value {
            Value::Array(items) => items.iter().try_for_each(check),
            _ => Ok(()),
        };
    };
    let is_root = map.contains_key("$schema");
    if let (Some(note), false) = (map.get("x-redrill"), is_root) {
        serde_json::from_value::<SchemaNote>(note.clone())
            .map_err(|err| format!("{err}, in {note}"))?;
    }
    map.values().try_for_each(check)
}

#[cfg(test)]
mod tests {
    use super::TypeNotes;

    const TOP: &str = "title: A\nx-redrill:\n  url: u\n  estimate: { fixed: 1m, source: s }\n";

    /// Reads a top with these lines added to it.
    fn read(lines: &str) -> Result<TypeNotes, String> {
        TypeNotes::read(format!("{TOP}{lines}").leak())
    }

    #[test]
    fn what_the_top_of_a_file_says_is_known_to_the_last_word() {
        let facts = "  facts:\n    services: [a]\n    makes: ['a:b']\n";
        read(facts).unwrap();
        read(&format!("  notes: [n]\n{facts}")).unwrap();
        for lines in [
            "",
            "  facts: {}\n",
            &format!("  note: [n]\n{facts}"),
            &format!("  notes: n\n{facts}"),
            &format!("{facts}    service: [a]\n"),
            &format!("{facts}    source_keys: [{{ key: k, of: v }}]\n"),
            &format!("{facts}    existing: [{{ into: i, where: {{ a: [b] }} }}]\n"),
            &format!("{facts}    new_names: [{{ key: k, is: i, was: w }}]\n"),
        ] {
            assert!(read(lines).is_err(), "{lines}");
        }
    }
}
