//! The words of a command, evaluated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Known, Renderer, wire};
use crate::diagnostic::Finding;
use crate::parse::{Check, Kind, error};

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// In their order.
    pub words: Vec<String>,
    /// What is known later only.
    pub pending: BTreeSet<String>,
}

impl Renderer {
    /// Evaluates the words of a command, of a restore or of the plan as a whole; `None` where a finding says why not.
    pub fn words(
        &self,
        restore: Option<usize>,
        check: &Check,
        known: &Known,
        findings: &mut Vec<Finding>,
    ) -> Option<Words> {
        let before = findings.len();
        let restore = restore.map(|index| &self.document.restores[index]);
        let scope = match restore {
            Some(restore) => {
                // What is wrong with it is said where the restore itself is rendered.
                let scope = self.shared.restore(restore, None, known);
                let point = restore
                    .recovery_point
                    .as_ref()
                    .and_then(|node| self.text(node, &scope, "recovery_point", &mut Vec::new()))
                    .map(|(arn, _)| arn);
                self.shared.judging(restore, point.as_deref(), known)
            }
            None => self.shared.whole(known),
        };
        let mut pending = BTreeSet::new();
        let words: Vec<Option<String>> = check
            .run
            .iter()
            .map(|node| {
                let value = match &node.kind {
                    Kind::Number(number) => Value::String(number.wire()),
                    _ => self.value(node, &scope, &mut pending, findings)?,
                };
                if matches!(value, Value::Array(_) | Value::Object(_) | Value::Null) {
                    findings.push(error(
                        &self.document.source,
                        node.span,
                        "plan/type",
                        format!("a word of `run` comes out as {}", wire::describe(&value)),
                        "write a text, or a template that makes one; `| tojson` writes lists and maps",
                    ));
                    return None;
                }
                Some(wire(&value))
            })
            .collect();
        if let Some(restore) = restore {
            for finding in &mut findings[before..] {
                finding.restore = Some(restore.name.value.clone());
            }
        }
        Some(Words {
            words: words.into_iter().collect::<Option<_>>()?,
            pending,
        })
    }
}
