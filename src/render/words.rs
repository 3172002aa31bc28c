//! The words of a command, evaluated.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fact::Fact;
use super::scope::PointArn;
use super::{Instance, Known, Renderer, wire};
use crate::diagnostic::{Finding, Findings, rule};
use crate::ids::StepIndex;
use crate::parse::{Check, Kind, Point};

/// A program and its arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// In their order.
    pub words: Vec<String>,
    /// Facts that are known only later.
    pub pending: BTreeSet<Fact>,
}

impl Renderer {
    /// Evaluates the words of a command, of a restore or of the plan as a whole; `None` where a finding says why not.
    pub fn words(
        &self,
        restore: Option<StepIndex>,
        check: &Check,
        known: &Known,
        findings: &mut Findings,
    ) -> Option<Words> {
        let mut own = Findings::default();
        let instance = restore.map(|index| &self.instances.all()[index]);
        let scope = match instance {
            Some(instance) => {
                let arn = self.recovery_point_of(instance, known);
                let point = match &arn {
                    Some(arn) => PointArn::Known(arn),
                    None => PointArn::Pending,
                };
                let target = self.target_of(instance.restore);
                self.shared.judging(instance, target, Some(point), known)
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
                    _ => self.value(node, &scope, &mut pending, &mut own)?,
                };
                if matches!(value, Value::Array(_) | Value::Object(_) | Value::Null) {
                    own.push(Finding::at(
                        &self.document.source,
                        node.span,
                        rule::PLAN_TYPE,
                        format!("a word of `run` comes out as {}", wire::describe(&value)),
                        "write a text, or a template that makes one; `| tojson` writes lists and maps",
                    ));
                    return None;
                }
                let word = wire(&value);
                self.is_no_mark(node.span, rule::CHECK_REDACTED, &word, &mut own)
                    .then_some(word)
            })
            .collect();
        findings.extend(match instance {
            Some(instance) => own.of(&instance.name),
            None => own,
        });
        Some(Words {
            words: words.into_iter().collect::<Option<_>>()?,
            pending,
        })
    }

    /// The recovery point of a restore, as far as it is known. What is wrong with it is said where the restore itself is
    /// rendered.
    fn recovery_point_of(&self, instance: &Instance, known: &Known) -> Option<String> {
        let arn = match self.document.restores[instance.restore]
            .recovery_point
            .as_ref()?
        {
            Point::Arn(node) => node,
            Point::Placed(placed) => &placed.arn,
            Point::Selector(_) => {
                let resolved = known.resolved.get(&instance.name);
                return resolved.map(|resolved| resolved.recovery_point.clone());
            }
        };
        let target = self.target_of(instance.restore);
        let scope = self.shared.restore(instance, target, None, known);
        let text = self.text(arn, &scope, "recovery_point", &mut Findings::default());
        text.map(|(arn, _)| arn)
    }
}
