//! `vars:` and the values given for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::fields::{FieldReader, Fields};
use super::{Kind, MappingEntry, Node, yaml};
use crate::diagnostic::{Finding, Findings, Position, Source, Span, Spanned, rule, suggest};

/// A declared input.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name under `vars`.
    pub name: Spanned<String>,
    /// Purpose of the variable.
    pub description: Option<String>,
    /// Kind of its values: as declared, or as its default is.
    pub kind: Option<VariableKind>,
    /// Its value where none is given.
    pub default: Option<Node>,
    /// Pattern that its text has to match.
    pub pattern: Option<Regex>,
    /// True if it is redacted wherever it would show.
    pub secret: bool,
}

/// Kind of a variable's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words of the plan")]
pub enum VariableKind {
    String,
    Number,
    Bool,
    List,
    Map,
}

impl VariableKind {
    /// Kinds by their words in a plan.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("bool", Self::Bool),
        ("list", Self::List),
        ("map", Self::Map),
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("", |(word, _)| word)
    }

    fn of(node: &Node) -> Option<Self> {
        Some(match node.kind {
            Kind::Null => return None,
            Kind::Bool(_) => Self::Bool,
            Kind::Number(_) => Self::Number,
            Kind::String(_) => Self::String,
            Kind::Sequence(_) => Self::List,
            Kind::Mapping(_) => Self::Map,
        })
    }
}

/// Values from `--var-file`: a map, with the place of each.
pub type FileValues = BTreeMap<String, Node>;

/// Reads a variables file, YAML or JSON.
pub fn given(source: &Arc<Source>, findings: &mut Findings) -> Option<FileValues> {
    let Some(node) = yaml(source, findings) else {
        // Text that is no YAML cannot be told apart into secrets and the rest.
        source.hide(vec![everything()]);
        return None;
    };
    let mut reader = FieldReader { source, findings };
    // The field list is open: which names are declared is checked against the plan.
    if Fields::of(&node, "a variables file", "name: value", &mut reader).is_none() {
        source.hide(vec![everything()]);
        return None;
    }
    let Kind::Mapping(entries) = node.kind else {
        return None;
    };
    Some(
        entries
            .iter()
            .map(|entry| (entry.key.value.clone(), entry.value.clone()))
            .collect(),
    )
}

fn everything() -> Span {
    let last = u32::MAX;
    Span {
        start: Position { line: 1, column: 1 },
        end: Position {
            line: last,
            column: last,
        },
    }
}

pub(super) fn declared(node: &Node, reader: &mut FieldReader<'_>) -> Vec<Variable> {
    if Fields::of(node, "`vars`", "vars: { subnet_group: dr-private }", reader).is_none() {
        return Vec::new();
    }
    node.entries()
        .iter()
        .map(|entry| {
            reader.name(&entry.key, "a variable");
            variable(entry, reader)
        })
        .collect()
}

fn variable(entry: &MappingEntry, reader: &mut FieldReader<'_>) -> Variable {
    let mut variable = Variable {
        name: entry.key.clone(),
        description: None,
        kind: None,
        default: None,
        pattern: None,
        secret: false,
    };
    // Short form: anything but a map of the long form's keys is the default itself.
    let long = ["default", "description", "pattern", "secret"];
    // `type` alone could be a key of the default as well: its value decides.
    let says_type = |e: &MappingEntry| {
        let words = VariableKind::WORDS.iter();
        e.key.value == "type"
            && words
                .clone()
                .any(|(word, _)| matches!(&e.value.kind, Kind::String(text) if text == word))
    };
    let is_long = matches!(&entry.value.kind, Kind::Mapping(entries)
        if entries.iter().any(|e| long.contains(&e.key.value.as_str()) || says_type(e))
            || entries.is_empty()
            || matches!(&entries[..], [only] if only.key.value == "type"));
    if !is_long {
        if !matches!(entry.value.kind, Kind::Null) {
            variable.default = Some(entry.value.clone());
            variable.kind = VariableKind::of(&entry.value);
        }
        return variable;
    }
    let Some(mut fields) = Fields::of(&entry.value, "a variable", "default: value", reader) else {
        return variable;
    };
    variable.description = fields
        .get("description")
        .and_then(|node| reader.text(node, "`description`", "description: what it is for"))
        .map(|text| text.value);
    variable.default = fields.get("default").cloned();
    let declared = fields
        .get("type")
        .and_then(|node| reader.text(node, "`type`", "type: list"));
    let declared = declared.and_then(|word| {
        let found = VariableKind::WORDS
            .iter()
            .find(|(known, _)| *known == word.value);
        if found.is_none() {
            reader.report(
                word.span,
                rule::VARS_TYPE,
                format!("a variable has no type `{}`", word.value),
                suggest(&word.value, VariableKind::WORDS.map(|(word, _)| word)),
            );
        }
        found.map(|(_, kind)| *kind)
    });
    let of_default = variable.default.as_ref().and_then(VariableKind::of);
    variable.kind = declared.or(of_default);
    variable.secret = fields
        .get("secret")
        .and_then(|node| reader.flag(node, "`secret`"))
        .unwrap_or(false);
    if let Some(node) = fields.get("pattern")
        && let Some(text) = reader.text(node, "`pattern`", "pattern: \"^sg-[0-9a-f]+$\"")
    {
        match Regex::new(&text.value) {
            Ok(regex) => variable.pattern = Some(regex),
            Err(err) => reader.report(
                text.span,
                rule::VARS_PATTERN,
                format!(
                    "this is not a regular expression: {}",
                    last_line(&err.to_string())
                ),
                "write it as in the `regex` crate, in single quotes: `'^sg-[0-9a-f]+$'`",
            ),
        }
    }
    if variable.secret
        && let Some(default) = &variable.default
    {
        let finding = Finding::at(
            reader.source,
            default.span,
            rule::VARS_SECRET_DEFAULT,
            format!("the secret `{}` has its value in the plan", entry.key.value),
            "remove the default, change the secret, and give it as REDRILL_VAR_… or in a --var-file outside git",
        );
        reader.findings.push(finding.concealing());
    }
    fields.finish(reader);
    variable
}

pub(super) fn last_line(text: &str) -> &str {
    text.lines()
        .last()
        .unwrap_or(text)
        .trim_start_matches("error: ")
}
