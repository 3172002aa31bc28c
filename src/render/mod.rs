//! Document and inputs to values: templates evaluated inside scalars, secrets known, the rest marked as pending.
//!
//! The same inputs render the same bytes: a template sees no clock, no randomness and no environment. What is
//! known only after another restore, or only from AWS, is *pending*: the template is tried with a placeholder and
//! the value is marked, so that nothing made of a placeholder is ever sent.

mod builtins;
mod fact;
mod filters;
mod instances;
mod known;
mod language;
mod lock;
mod meter;
mod plain;
mod restores;
mod scope;
mod secret;
mod selector;
mod sensitive;
mod shapes;
mod target;
mod template;
mod usage;
mod value;
mod variables;
mod wire;
mod words;

pub use builtins::filter_names;
pub use fact::{Fact, RequestField};
pub use instances::{Each, Instance, Instances, composed, instance_name, split_instance};
pub use known::{Created, Known, SourceFacts};
pub use lock::{Lock, Locked, locked};
pub use secret::{REDACTED, Secrets};
pub use selector::{Pick, Resolved, Selector, VaultName, written};
pub use sensitive::{is_sensitive, without_secrets};
pub use target::Target;
pub use variables::{Inputs, Missing, variable_name, withheld};
pub use wire::{Metadata, wire};
pub use words::Words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::diagnostic::{Finding, Findings, Spanned, rule};
use crate::ids::{DocumentIndex, Indexed, RestoreName, RunId, StepIndex, TargetIndex};
use crate::parse::{Document, Kind, MappingEntry, Point};
pub(crate) use scope::has_placeholder;
use scope::{Cell, PLACEHOLDER_ARN, PointArn, Scope, Shared};
use template::Templates;

/// One restore with its templates evaluated.
#[derive(Debug)]
pub struct Rendered {
    /// Index of its restore in the document.
    pub index: DocumentIndex,
    /// Its name: with the key, where there is a `for_each`.
    pub name: RestoreName,
    /// The ARN of the recovery point, or a placeholder for it; absent where a finding says why.
    pub recovery_point: Option<String>,
    /// The selector that has to be resolved first.
    pub selector: Option<Selector>,
    /// The vault that the recovery point lies in, where that is known.
    pub vault: Option<Box<VaultName>>,
    /// Facts that the recovery point waits for.
    pub recovery_point_waits: BTreeSet<Fact>,
    /// The metadata in the plan's order.
    pub metadata: Vec<RenderedEntry>,
    /// Facts that are known only later, such as `restores.db.created.resource_arn` or `source.metadata`.
    pub pending: BTreeSet<Fact>,
}

/// One metadata key with its value.
#[derive(Debug)]
pub struct RenderedEntry {
    /// Index of this entry in the restore's metadata.
    pub index: usize,
    /// The value with its type.
    pub value: Value,
    /// The string that AWS is sent; absent where a finding says why.
    pub wire: Option<String>,
    /// Facts that `value` was made without, with placeholders in their stead.
    pub waits: BTreeSet<Fact>,
}

/// Evaluates the templates of one document with one set of inputs.
pub struct Renderer {
    document: Arc<Document>,
    templates: Templates,
    shared: Shared,
    run_id: RunId,
    /// Targets, as in the document.
    targets: Indexed<TargetIndex, Target>,
    /// True for each target of which a part depends on an input that has no value.
    targets_pending: Vec<bool>,
    protect: Vec<Spanned<String>>,
    allow: Vec<Spanned<String>>,
    secrets: Secrets,
    /// Set once something was made of a secret in what is being rendered.
    changes_secret: AtomicBool,
    instances: Arc<Instances>,
    values: BTreeMap<String, Option<Value>>,
}

impl Renderer {
    /// Takes the inputs in and renders the target.
    pub fn new(
        document: &Arc<Document>,
        run_id: &RunId,
        inputs: &Inputs,
        findings: &mut Findings,
    ) -> Self {
        let cell = Cell::default();
        let variables::ResolvedInputs {
            slots,
            secrets,
            values,
        } = variables::resolve(document, inputs, &cell, findings);
        let shared = Shared::new(document, run_id, slots, &cell);
        let mut renderer = Self {
            document: Arc::clone(document),
            templates: Templates::new(cell),
            shared,
            run_id: run_id.to_owned(),
            targets: Indexed::default(),
            targets_pending: Vec::new(),
            protect: Vec::new(),
            allow: Vec::new(),
            secrets,
            changes_secret: AtomicBool::new(false),
            instances: Arc::default(),
            values,
        };
        renderer.render_targets(findings);
        renderer.render_protect(findings);
        let instances = Arc::new(renderer.expand(document, findings));
        renderer.shared.set_instances(document, &instances);
        renderer.instances = instances;
        renderer
    }

    /// Returns what is restored, one by one.
    #[must_use]
    pub fn instances(&self) -> &Instances {
        &self.instances
    }

    /// The document that is rendered.
    #[must_use]
    pub fn document(&self) -> &Arc<Document> {
        &self.document
    }

    /// Lets go of the metadata of the document's restores that are chosen; of all text, where all are.
    pub(crate) fn release(&mut self, chosen: impl Fn(DocumentIndex) -> bool) {
        // Whoever shares the document goes on with it as it is.
        let Some(document) = Arc::get_mut(&mut self.document) else {
            return;
        };
        if document.restores.positions().all(&chosen) {
            // Nothing is left to render, and so to say anything about.
            document.restores = Indexed::default();
            document.source = crate::diagnostic::Source::new(document.source.name.clone(), "");
        }
        for (at, restore) in document.restores.enumerated_mut() {
            if chosen(at) {
                restore.metadata = Arc::default();
            }
        }
    }

    /// The id of the run that is rendered for.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run_id
    }

    /// Returns the targets, as in the document; parts that could not be rendered are empty. There is at least one.
    #[must_use]
    pub fn targets(&self) -> &Indexed<TargetIndex, Target> {
        &self.targets
    }

    /// Tells for each target whether a part of it depends on an input that has no value.
    #[must_use]
    pub fn targets_pending(&self) -> &[bool] {
        &self.targets_pending
    }

    /// The target of one of the document's restores; the first where it names none that there is.
    #[must_use]
    pub fn target_of(&self, restore: DocumentIndex) -> TargetIndex {
        let document = &self.document;
        let target = document.target_of(&document.restores[restore]);
        target.map_or(TargetIndex::FIRST, TargetIndex::new)
    }

    /// Returns what no request may write to and nothing may delete, without what depends on an input that has no value.
    #[must_use]
    pub fn protect(&self) -> &[Spanned<String>] {
        &self.protect
    }

    /// Returns what requests may name, without what depends on an input that has no value.
    #[must_use]
    pub fn allow(&self) -> &[Spanned<String>] {
        &self.allow
    }

    /// The variables with their values; none of a secret.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, Option<Value>> {
        &self.values
    }

    /// The values that must not show.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Renders one instance with what is known by now.
    pub fn restore(&self, instance: StepIndex, known: &Known, findings: &mut Findings) -> Rendered {
        let instance = &self.instances.all()[instance];
        let restore = &self.document.restores[instance.restore];
        let mut own = Findings::default();
        let mut pending = BTreeSet::new();
        let mut selector = None;
        let mut vault = None;
        let mut recovery_point_waits = BTreeSet::new();
        let target = self.target_of(instance.restore);
        // Templates that choose the recovery point cannot ask about it.
        let scope = || self.shared.restore(instance, target, None, known);
        let recovery_point = match &restore.recovery_point {
            None => None,
            Some(Point::Arn(node)) => match &node.kind {
                Kind::String(text) if !template::is_template(text) => Some(text.clone()),
                _ => self
                    .text(node, &scope(), "recovery_point", &mut own)
                    .map(|(arn, of_arn)| {
                        recovery_point_waits = of_arn;
                        arn
                    }),
            },
            Some(Point::Placed(written)) => {
                let scope = scope();
                vault = self.placed(written, &scope, &mut own).map(Box::new);
                self.text(&written.arn, &scope, "recovery_point", &mut own)
                    .map(|(arn, of_arn)| {
                        recovery_point_waits = of_arn;
                        arn
                    })
            }
            Some(Point::Selector(written)) => {
                let scope = scope();
                self.selector(written, &scope, &mut own).map(|rendered| {
                    let resolved = known.resolved.get(&instance.name);
                    match resolved.filter(|resolved| resolved.selector == rendered.selector) {
                        Some(resolved) => {
                            vault = Some(Box::new(VaultName {
                                name: resolved.vault.clone(),
                                account: resolved.selector.vault_account.clone(),
                            }));
                            resolved.recovery_point.clone()
                        }
                        None => {
                            recovery_point_waits.insert(Fact::RecoveryPoint);
                            selector = rendered.pending.is_empty().then_some(rendered.selector);
                            recovery_point_waits.extend(rendered.pending);
                            PLACEHOLDER_ARN.to_owned()
                        }
                    }
                })
            }
        };
        if let Some(arn) = &recovery_point {
            let span = restore.name.span;
            self.is_no_mark(span, rule::RECOVERY_POINT_REDACTED, arn, &mut own);
        }
        pending.extend(recovery_point_waits.iter().cloned());
        let point =
            recovery_point
                .as_deref()
                .map(|arn| match pending.contains(&Fact::RecoveryPoint) {
                    true => PointArn::Pending,
                    false => PointArn::Known(arn),
                });
        let scope = self.shared.restore(instance, target, point, known);
        let metadata = restore
            .metadata
            .iter()
            .enumerate()
            .map(|(at, entry)| self.entry(at, entry, &scope, &mut pending, &mut own))
            .collect();
        findings.extend(own.of(&instance.name));
        Rendered {
            index: instance.restore,
            name: instance.name.clone(),
            recovery_point,
            vault,
            selector,
            recovery_point_waits,
            metadata,
            pending,
        }
    }

    fn entry(
        &self,
        index: usize,
        entry: &MappingEntry,
        scope: &Scope,
        pending: &mut BTreeSet<Fact>,
        findings: &mut Findings,
    ) -> RenderedEntry {
        let mut own = Findings::default();
        self.no_template_in(&entry.key, &mut own);
        let mut waits = BTreeSet::new();
        self.changes_secret.store(false, Ordering::Relaxed);
        let value = self.value(&entry.value, scope, &mut waits, &mut own);
        // A number goes as it was written; everything else by its value.
        let wire = match (&entry.value.kind, &value) {
            (_, None) => None,
            (Kind::Number(number), _) => Some(number.wire()),
            (_, Some(Value::Null)) => {
                // An empty value leaves nothing to point at but the key.
                let span = entry.value.span;
                let span = if span.start < span.end {
                    span
                } else {
                    entry.key.span
                };
                own.push(Finding::at(
                    &self.document.source,
                    span,
                    rule::METADATA_NULL,
                    "there is no value; AWS Backup's metadata has no null",
                    "remove the key, or write an empty string: `\"\"`",
                ));
                None
            }
            (_, Some(value)) => Some(wire(value)),
        };
        let span = entry.value.span;
        let wire =
            wire.filter(|text| self.is_no_mark(span, rule::METADATA_REDACTED, text, &mut own));
        if let (true, Some(value)) = (self.changes_secret.load(Ordering::Relaxed), &value) {
            self.secrets.made(value);
        }
        findings.extend(own.of_key(&entry.key.value));
        pending.extend(waits.iter().cloned());
        RenderedEntry {
            index,
            value: value.unwrap_or(Value::Null),
            wire,
            waits,
        }
    }
}
