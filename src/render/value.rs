//! A value of the plan, with the templates in it evaluated.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::fact::Fact;
use super::scope::Scope;
use super::{Renderer, template, wire};
use crate::diagnostic::{Finding, Findings, Spanned, rule};
use crate::parse::{Kind, Node};

impl Renderer {
    pub(super) fn value(
        &self,
        node: &Node,
        scope: &Scope,
        pending: &mut BTreeSet<Fact>,
        findings: &mut Findings,
    ) -> Option<Value> {
        match &node.kind {
            Kind::Null => Some(Value::Null),
            Kind::Bool(value) => Some(Value::Bool(*value)),
            Kind::Number(number) => Some(Value::Number(number.value.clone())),
            Kind::String(text) if !template::is_template(text) => Some(Value::String(text.clone())),
            Kind::String(text) => {
                let evaluated = self.templates.evaluate(
                    text,
                    node.span,
                    scope,
                    &self.document.source,
                    findings,
                )?;
                pending.extend(evaluated.pending);
                if evaluated.changes_secret {
                    self.changes_secret.store(true, Ordering::Relaxed);
                    self.secrets.made(&evaluated.value);
                }
                Some(evaluated.value)
            }
            Kind::Sequence(items) => {
                // Every item is tried, so that every finding is reported.
                let items: Vec<_> = items
                    .iter()
                    .map(|item| self.value(item, scope, pending, findings))
                    .collect();
                items
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Value::Array)
            }
            Kind::Mapping(entries) => {
                let entries: Vec<_> = entries
                    .iter()
                    .map(|entry| {
                        self.no_template_in(&entry.key, findings);
                        let value = self.value(&entry.value, scope, pending, findings);
                        value.map(|value| (entry.key.value.clone(), value))
                    })
                    .collect();
                entries
                    .into_iter()
                    .collect::<Option<_>>()
                    .map(Value::Object)
            }
        }
    }

    /// A scalar that has to become a text.
    pub(super) fn text(
        &self,
        node: &Node,
        scope: &Scope,
        what: &str,
        findings: &mut Findings,
    ) -> Option<(String, BTreeSet<Fact>)> {
        let mut pending = BTreeSet::new();
        let value = match &node.kind {
            Kind::Number(number) => Value::String(number.wire()),
            _ => self.value(node, scope, &mut pending, findings)?,
        };
        match value {
            Value::String(text) => Some((text, pending)),
            Value::Number(number) => Some((number.to_string(), pending)),
            other => {
                findings.push(Finding::at(
                    &self.document.source,
                    node.span,
                    rule::PLAN_TYPE,
                    format!(
                        "`{what}` comes out as {}, not a text",
                        wire::describe(&other)
                    ),
                    "write a text, or a template that makes one",
                ));
                None
            }
        }
    }

    pub(super) fn no_template_in(&self, key: &Spanned<String>, findings: &mut Findings) {
        if template::is_template(&key.value) {
            findings.push(Finding::at(
                &self.document.source,
                key.span,
                rule::TEMPLATE_KEY,
                "a key cannot hold a template: variables do not change a plan's structure",
                "write the key out, and put the template into its value",
            ));
        }
    }
}
