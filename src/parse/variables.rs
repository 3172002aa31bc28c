//! `vars:` and the values given for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;

use super::fields::{Fields, Reader};
use super::{Entry, Kind, Node, error, yaml};
use crate::diagnostic::{Finding, Source, Spanned};

/// A declared input.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name under `vars`.
    pub name: Spanned<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its value where none is given.
    pub default: Option<Node>,
    /// What its text has to match.
    pub pattern: Option<Regex>,
    /// Whether it is redacted wherever it would show.
    pub secret: bool,
}

/// Values from `--var-file`: a map, with the place of each.
pub type Given = BTreeMap<String, Node>;

/// Reads a variables file, YAML or JSON.
pub fn given(source: &Arc<Source>, findings: &mut Vec<Finding>) -> Option<Given> {
    let node = yaml(source, findings)?;
    let mut reader = Reader { source, findings };
    // The field list is open: which names are declared is checked against the plan.
    Fields::of(&node, "a variables file", "name: value", &mut reader)?;
    let Kind::Mapping(entries) = node.kind else {
        return None;
    };
    Some(
        entries
            .into_iter()
            .map(|entry| (entry.key.value, entry.value))
            .collect(),
    )
}

pub(super) fn declared(node: &Node, reader: &mut Reader<'_>) -> Vec<Variable> {
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

fn variable(entry: &Entry, reader: &mut Reader<'_>) -> Variable {
    let mut variable = Variable {
        name: entry.key.clone(),
        description: None,
        default: None,
        pattern: None,
        secret: false,
    };
    // Short form: anything but a map of the long form's keys is the default itself.
    let long = ["default", "description", "pattern", "secret"];
    let is_long = matches!(&entry.value.kind, Kind::Mapping(entries)
        if entries.iter().any(|e| long.contains(&e.key.value.as_str())) || entries.is_empty());
    if !is_long {
        if !matches!(entry.value.kind, Kind::Null) {
            variable.default = Some(entry.value.clone());
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
    variable.secret = fields
        .get("secret")
        .and_then(|node| reader.flag(node, "`secret`"))
        .unwrap_or(false);
    if let Some(node) = fields.get("pattern")
        && let Some(text) = reader.text(node, "`pattern`", "pattern: \"^sg-[0-9a-f]+$\"")
    {
        match Regex::new(&text.value) {
            Ok(regex) => variable.pattern = Some(regex),
            Err(err) => reader.error(
                text.span,
                "vars/pattern",
                format!(
                    "this is no regular expression: {}",
                    last_line(&err.to_string())
                ),
                "write it as in the `regex` crate, in single quotes: `'^sg-[0-9a-f]+$'`",
            ),
        }
    }
    if variable.secret
        && let Some(default) = &variable.default
    {
        let finding = error(
            reader.source,
            default.span,
            "vars/secret-default",
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
