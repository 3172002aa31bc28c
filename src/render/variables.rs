//! Inputs: what was declared, what was given, and which of it wins.

mod hiding;

use std::collections::BTreeMap;
use std::sync::Arc;

use minijinja::Value;
use serde_json::Value as Json;

use super::scope::{Cell, Slot, Slots, data};
use super::{Secrets, template, usage, wire};
use crate::diagnostic::{Finding, Findings, Position, Severity, Source, Span, rule, suggest};
use crate::parse::{Document, FileValues, Kind, Node, OF_VARIABLE, Variable, VariableKind};
use hiding::{can_be_hidden, hide, is_no_mark};

/// Meaning of a declared input without a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// An error: a request is about to be shown or sent.
    #[default]
    Refused,
    /// Pending: anything that depends on it is said to be unchecked.
    Pending,
}

/// The values given from outside, weakest first: environment, files in their order, command line.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `REDRILL_VAR_<NAME>`, by `<NAME>`.
    pub environment: BTreeMap<String, String>,
    /// `--var-file`.
    pub files: Vec<(Arc<Source>, FileValues)>,
    /// `--var k=v`.
    pub command_line: Vec<(String, String)>,
    /// redrill's own credentials: no variables, and hidden wherever they would show.
    pub own_credentials: Vec<String>,
    /// Meaning of a missing value.
    pub missing: Missing,
    /// True if secrets are left out, whatever value they have: anything made of one is pending.
    pub withholds_secrets: bool,
}

/// Returns the placeholder of a secret that is left out. The quotes show how deep in JSON a value has it.
#[must_use]
pub fn withheld(name: &str) -> String {
    format!("\"@secret:{name}@\"")
}

impl Inputs {
    /// The same for a command that only checks: a value that is missing is said to be.
    #[must_use]
    pub fn for_checking(mut self) -> Self {
        self.missing = Missing::Pending;
        self
    }
}

/// The name of a variable as the environment spells it.
#[must_use]
pub fn variable_name(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// A value and where it came from.
struct InputValue {
    value: serde_json::Value,
    source: Arc<Source>,
    span: Span,
}

/// Result of resolving the inputs.
pub(super) struct ResolvedInputs {
    pub(super) slots: Slots,
    pub(super) secrets: Secrets,
    /// None of a secret.
    pub(super) values: BTreeMap<String, Option<serde_json::Value>>,
}

pub(super) fn resolve(
    document: &Document,
    inputs: &Inputs,
    cell: &Cell,
    findings: &mut Findings,
) -> ResolvedInputs {
    hide_values(document, inputs);
    undeclared(document, inputs, findings);
    usage::unused(document, findings);
    let mut slots = Slots::new();
    let mut secrets = Vec::new();
    let mut values = BTreeMap::new();
    for variable in &document.vars {
        let name = variable.name.value.as_str();
        let mut own = Findings::default();
        let slot = match chosen(document, variable, inputs, &mut own) {
            _ if variable.secret && inputs.withholds_secrets => {
                own = Findings::default();
                values.insert(name.to_owned(), None);
                Slot::Pending(Value::from(withheld(name)))
            }
            Some(mut chosen) => {
                if variable.secret {
                    hide(&chosen.value, &mut secrets);
                }
                has_type(variable, &mut chosen, &mut own);
                if variable.secret {
                    hide(&chosen.value, &mut secrets);
                }
                matches_pattern(variable, &chosen, &mut own);
                is_no_mark(variable, &chosen, &mut own);
                can_be_hidden(variable, &chosen, &mut own);
                let shown = (!variable.secret).then(|| chosen.value.clone());
                values.insert(name.to_owned(), shown);
                let value = data(&chosen.value, cell);
                match variable.secret {
                    true => Slot::Secret(value),
                    false => Slot::Known(value),
                }
            }
            None => {
                // One that is refused is not missing.
                if own.is_empty() {
                    own.push(missing(document, variable, inputs.missing));
                }
                Slot::Pending(Value::from(format!("the-value-of-{name}")))
            }
        };
        findings.extend(own.into_iter().map(|finding| {
            // A value from elsewhere is held against what the plan declares.
            match Arc::ptr_eq(&finding.source, &document.source) {
                true => finding,
                false => finding.also_in(&document.source, variable.name.span, "declared here"),
            }
        }));
        slots.insert(name.to_owned().into(), slot);
    }
    ResolvedInputs {
        slots,
        secrets: Secrets::new(secrets).with_own(inputs.own_credentials.iter().cloned()),
        values,
    }
}

fn chosen(
    document: &Document,
    variable: &Variable,
    inputs: &Inputs,
    findings: &mut Findings,
) -> Option<InputValue> {
    let name = &variable.name.value;
    if let Some((_, value)) = inputs.command_line.iter().rev().find(|(k, _)| k == name) {
        return Some(given_as("--var", name, value));
    }
    for (source, given) in inputs.files.iter().rev() {
        if let Some(node) = given.get(name) {
            is_bounded(name, node, source, findings)?;
            let value = plain(node, source, findings)?;
            return Some(InputValue {
                value,
                source: Arc::clone(source),
                span: node.span,
            });
        }
    }
    if let Some(value) = inputs.environment.get(&variable_name(name)) {
        let variable = format!("REDRILL_VAR_{}", variable_name(name));
        return Some(given_as(&variable, name, value));
    }
    let node = variable.default.as_ref()?;
    is_bounded(name, node, &document.source, findings)?;
    Some(InputValue {
        value: plain(node, &document.source, findings)?,
        source: Arc::clone(&document.source),
        span: node.span,
    })
}

/// Everything that is made of a variable is kept as long as the plan is.
fn is_bounded(
    name: &str,
    node: &Node,
    source: &Arc<Source>,
    findings: &mut Findings,
) -> Option<()> {
    if node.size() <= OF_VARIABLE {
        return Some(());
    }
    findings.push(Finding::at(
        source,
        node.span,
        rule::VARS_SIZE,
        format!("`{name}` holds more than {OF_VARIABLE} values"),
        "split it into several variables, and the plan into several plans",
    ));
    None
}

/// A value that came without a file: its place is the option or variable it came by.
fn given_as(by: &str, name: &str, value: &str) -> InputValue {
    let source = Source::new(by, name);
    let span = whole(&source);
    InputValue {
        value: serde_json::Value::String(value.to_owned()),
        source,
        span,
    }
}

fn whole(source: &Source) -> Span {
    let columns = u32::try_from(source.text.chars().count()).unwrap_or(u32::MAX - 1);
    Span {
        start: Position { line: 1, column: 1 },
        end: Position {
            line: 1,
            column: columns + 1,
        },
    }
}

/// A value of an input: data, no template.
fn plain(node: &Node, source: &Arc<Source>, findings: &mut Findings) -> Option<serde_json::Value> {
    Some(match &node.kind {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Number(number) => {
            // `5.10` would silently become `5.1` in a template.
            if number.wire() != number.value.to_string() {
                findings.push(Finding::at(
                    source,
                    node.span,
                    rule::VARS_NUMBER,
                    format!(
                        "the number `{}` would come out as `{}`",
                        number.text, number.value
                    ),
                    format!(
                        "put it in quotes to keep it as written: `\"{}\"`",
                        number.text
                    ),
                ));
            }
            number.value.clone().into()
        }
        Kind::String(text) => {
            if template::is_template(text) {
                findings.push(Finding::at(
                    source,
                    node.span,
                    rule::VARS_TEMPLATE,
                    "a variable's value cannot hold a template",
                    "use the template where the variable is used",
                ));
            }
            text.clone().into()
        }
        Kind::Sequence(items) => items
            .iter()
            .map(|item| plain(item, source, findings))
            .collect::<Option<Vec<_>>>()?
            .into(),
        Kind::Mapping(entries) => serde_json::Value::Object(
            entries
                .iter()
                .map(|entry| {
                    plain(&entry.value, source, findings).map(|v| (entry.key.value.clone(), v))
                })
                .collect::<Option<_>>()?,
        ),
    })
}

/// Hides what a file gives for secrets, and for names that are not declared: a misspelt secret is one.
fn hide_values(document: &Document, inputs: &Inputs) {
    let is_open = |name: &str| {
        let mut declared = document.vars.iter();
        declared.any(|variable| variable.name.value == name && !variable.secret)
    };
    for (source, given) in &inputs.files {
        let hidden = given.iter().filter(|(name, _)| !is_open(name));
        source.hide(hidden.map(|(_, node)| node.span).collect());
    }
}

/// Reads the value as what the variable is: what is typed or in the environment is a text at first.
fn has_type(variable: &Variable, chosen: &mut InputValue, findings: &mut Findings) {
    let Some(kind) = variable.kind else {
        return;
    };
    let value = match (kind, &chosen.value) {
        (VariableKind::String, value @ (Json::Number(_) | Json::Bool(_))) => {
            Some(wire(value).into())
        }
        (VariableKind::String, Json::String(_))
        | (VariableKind::Number, Json::Number(_))
        | (VariableKind::Bool, Json::Bool(_))
        | (VariableKind::List, Json::Array(_))
        | (VariableKind::Map, Json::Object(_)) => return,
        (VariableKind::String, _) => None,
        (_, Json::String(text)) => read_as(kind, text),
        _ => None,
    };
    if let Some(value) = value {
        chosen.value = value;
        return;
    }
    let example = match kind {
        VariableKind::String => "dr-private",
        VariableKind::Number => "5432",
        VariableKind::Bool => "true",
        VariableKind::List => "[a, b]",
        VariableKind::Map => "{a: 1, b: 2}",
    };
    let finding = Finding::at(
        &chosen.source,
        chosen.span,
        rule::VARS_TYPE,
        format!(
            "`{}` is a {}, and the value given is {}",
            variable.name.value,
            kind.word(),
            match &chosen.value {
                Json::String(_) => "a text that is not one",
                other => wire::describe(other),
            }
        ),
        format!("write it as in `{example}`"),
    );
    findings.push(if variable.secret {
        finding.concealing()
    } else {
        finding
    });
}

/// A text as a number, a boolean, a list or a map, written as in YAML.
fn read_as(kind: VariableKind, text: &str) -> Option<Json> {
    let mut findings = Findings::default();
    let source = Source::new("", text);
    let node = crate::parse::yaml(&source, &mut findings)?;
    let value = plain(&node, &source, &mut findings)?;
    let fits = matches!(
        (kind, &value),
        (VariableKind::Number, Json::Number(_))
            | (VariableKind::Bool, Json::Bool(_))
            | (VariableKind::List, Json::Array(_))
            | (VariableKind::Map, Json::Object(_))
    );
    (fits && findings.is_empty()).then_some(value)
}

fn undeclared(document: &Document, inputs: &Inputs, findings: &mut Findings) {
    let declared = || document.vars.iter().map(|v| v.name.value.as_str());
    let mut report = |source: &Arc<Source>, span: Span, name: &str| {
        findings.push(Finding::at(
            source,
            span,
            rule::VARS_UNDECLARED,
            format!(
                "`{name}` is given, but {} declares no such variable",
                document.source.name
            ),
            suggest(name, declared().collect::<Vec<_>>()),
        ));
    };
    for (name, _) in &inputs.command_line {
        if !declared().any(|d| d == name) {
            let source = Source::new("--var", name);
            report(&source, whole(&source), name);
        }
    }
    for (source, given) in &inputs.files {
        for (name, node) in given {
            if !declared().any(|d| d == name) {
                report(source, node.span, name);
            }
        }
    }
    for name in inputs.environment.keys() {
        if !declared().any(|d| variable_name(d) == *name) {
            let source = Source::new(format!("REDRILL_VAR_{name}"), name);
            report(&source, whole(&source), &name.to_lowercase());
        }
    }
}

fn missing(document: &Document, variable: &Variable, missing: Missing) -> Finding {
    let name = &variable.name.value;
    let what = variable
        .description
        .as_deref()
        .map_or(String::new(), |d| format!(" ({d})"));
    let (severity, unchecked) = match missing {
        Missing::Pending => (Severity::Note, "; what depends on it is not checked"),
        _ => (Severity::Error, ""),
    };
    Finding::at(
        &document.source,
        variable.name.span,
        rule::VARS_MISSING,
        format!("`{name}`{what} has no value{unchecked}"),
        format!(
            "give it with `--var {name}=…`, in a --var-file, as REDRILL_VAR_{}, or as its default",
            variable_name(name)
        ),
    )
    .weighing(severity)
}

fn matches_pattern(variable: &Variable, chosen: &InputValue, findings: &mut Findings) {
    let Some(pattern) = &variable.pattern else {
        return;
    };
    let text = wire(&chosen.value);
    if !pattern.is_match(&text) {
        let shown = if variable.secret {
            "the value given".to_owned()
        } else {
            format!("`{text}`")
        };
        let finding = Finding::at(
            &chosen.source,
            chosen.span,
            rule::VARS_PATTERN,
            format!(
                "{shown} is not a valid `{}`: it does not match `{pattern}`",
                variable.name.value
            ),
            "give a value that matches, or correct the pattern in the plan",
        );
        findings.push(if variable.secret {
            finding.concealing()
        } else {
            finding
        });
    }
}
