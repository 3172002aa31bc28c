//! The names that a template sees: `vars`, `plan`, `restore`, `run`, `target`, `source`, `restores`.
//!
//! Each look-up is answered by an object of ours that notes what was asked for and not there, and what is known
//! later only: that is how a finding can say "did you mean", and how a value made of a placeholder is marked.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Serde, ValueKind};

use super::fact::Fact;
use super::instances::{Each, Instance, Instances};
use super::meter::{Meter, NODE};
use super::restores::{NeededRestores, created_names};
use super::{Known, Secrets, Target};
use crate::diagnostic::suggest;
use crate::ids::{Indexed, RunId, TargetIndex};
use crate::parse::Document;

/// Stands for what is not known yet while a template is tried.
pub(super) const PLACEHOLDER_ARN: &str =
    "arn:aws:service:us-east-1:123456789012:resource/known-after-restore";

/// The same for a job.
pub(super) const PLACEHOLDER_JOB: &str = "job-id";

/// Returns true if a text was made with a placeholder for something that is not known yet.
#[must_use]
pub(crate) fn has_placeholder(text: &str) -> bool {
    text.contains("known-after-restore") || text.contains(PLACEHOLDER_JOB)
}

/// Functions that templates may call.
const FUNCTIONS: [&str; 2] = ["dict", "range"];

/// Observations of one evaluation.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Facts that are known only later.
    pub(super) pending: BTreeSet<Fact>,
    /// Set once a secret was looked at.
    pub(super) secret: bool,
    /// Set once `true` or `false` was looked at.
    pub(super) truth: bool,
    /// The first name that is not there: what to say, and what to write.
    pub(super) missing: Option<(String, String)>,
}

/// Notes of the evaluation that is going on; objects and evaluator share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    seen: Arc<Mutex<Seen>>,
    /// Budget that the evaluation has left.
    pub(super) meter: Meter,
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a name that is not there; the first one counts.
    pub(super) fn misses(&self, message: String, help: String) {
        self.lock().missing.get_or_insert((message, help));
    }

    /// Gives a template what it asks for, as long as there is anything left: the operators that take it are not metered. A
    /// list or map is charged for as it is walked through.
    fn hand_out(&self, value: &Value) -> Option<Value> {
        if let Some(text) = value.as_str() {
            self.meter.charge(text.len()).ok()?;
        } else if value.kind() == ValueKind::Bool {
            self.lock().truth = true;
        }
        Some(value.clone())
    }

    pub(super) fn saw_truth(&self) -> bool {
        self.lock().truth
    }

    /// Takes the notes, leaving none.
    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut self.lock())
    }
}

/// A value that may not be known yet.
#[derive(Clone, Debug)]
pub(super) enum Slot {
    Known(Value),
    /// Known, and not to be shown: what is made of it is marked.
    Secret(Value),
    /// With the placeholder that a template is tried with.
    Pending(Value),
}

/// Values by name; most names are ours.
pub(super) type Slots = BTreeMap<Cow<'static, str>, Slot>;

/// A map of names under a path, such as `vars`.
#[derive(Debug)]
pub(super) struct NameMap {
    path: String,
    slots: Slots,
    cell: Cell,
}

impl Object for NameMap {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        match self.slots.get(name) {
            Some(Slot::Known(value)) => self.cell.hand_out(value),
            Some(Slot::Secret(value)) => {
                self.cell.lock().secret = true;
                self.cell.hand_out(value)
            }
            Some(Slot::Pending(placeholder)) => {
                self.cell
                    .lock()
                    .pending
                    .insert(Fact::named(join(&self.path, name)));
                Some(placeholder.clone())
            }
            // The engine asks for its functions here first.
            None if self.path.is_empty() && FUNCTIONS.contains(&name) => None,
            None => {
                let known: Vec<&str> = self.slots.keys().map(|name| &**name).collect();
                self.cell.lock().missing.get_or_insert_with(|| {
                    (
                        format!("`{}` is not defined", join(&self.path, name)),
                        suggest(name, known),
                    )
                });
                None
            }
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.slots.keys().map(|k| Value::from(&**k)).collect())
    }
}

/// A list or map of the inputs.
#[derive(Debug)]
struct Data {
    value: Value,
    cell: Cell,
}

impl Object for Data {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.value.kind() {
            ValueKind::Map => ObjectRepr::Map,
            _ => ObjectRepr::Seq,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let value = self.value.get_item(key).ok()?;
        (!value.is_undefined()).then(|| self.cell.hand_out(&value))?
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let len = self.value.len().unwrap_or(0);
        if self.cell.meter.charge(len * NODE).is_err() {
            return Enumerator::Empty;
        }
        match self.repr() {
            ObjectRepr::Map => {
                let keys = self.value.try_iter().into_iter().flatten();
                let charged = keys.take_while(|key| {
                    let bytes = key.as_str().map_or(0, str::len);
                    self.cell.meter.charge(bytes).is_ok()
                });
                Enumerator::Values(charged.collect())
            }
            _ => Enumerator::Seq(len),
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        self.value.len()
    }
}

/// A value of the inputs, as templates see it.
pub(super) fn data(value: &serde_json::Value, cell: &Cell) -> Value {
    let charged = |value: Value| {
        Value::from_object(Data {
            value,
            cell: cell.clone(),
        })
    };
    match value {
        serde_json::Value::Array(items) => {
            charged(items.iter().map(|item| data(item, cell)).collect())
        }
        serde_json::Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| (key.as_str(), data(value, cell)));
            charged(pairs.collect::<Kwargs>().into())
        }
        scalar => Serde(scalar).into(),
    }
}

/// Returns true if walking through a value is charged for.
pub(super) fn is_charged(value: &Value) -> bool {
    value.downcast_object_ref::<Data>().is_some()
        || value.downcast_object_ref::<NameMap>().is_some()
}

pub(super) fn join(path: &str, name: &str) -> String {
    let simple = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (path, simple) {
        ("", _) => name.to_owned(),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}['{name}']"),
    }
}

pub(super) fn known(text: &str) -> Slot {
    Slot::Known(Value::from(text))
}

pub(super) fn names(path: &str, slots: Slots, cell: &Cell) -> Value {
    Value::from_object(NameMap {
        path: path.into(),
        slots,
        cell: cell.clone(),
    })
}

/// Scope that a template is evaluated in.
pub(super) type Scope = Value;

/// The part of the scope that all restores share.
pub(super) struct Shared {
    cell: Cell,
    neighbours: NeededRestores,
    slots: Slots,
    /// `target`, for each target.
    targets: Indexed<TargetIndex, Slot>,
}

impl Shared {
    pub(super) fn new(document: &Document, run_id: &RunId, vars: Slots, cell: &Cell) -> Self {
        let run = BTreeMap::from([(Cow::Borrowed("id"), known(run_id.as_str()))]);
        let slots = BTreeMap::from([
            (
                Cow::Borrowed("vars"),
                Slot::Known(names("vars", vars, cell)),
            ),
            (Cow::Borrowed("plan"), known(&document.plan.value)),
            (Cow::Borrowed("run"), Slot::Known(names("run", run, cell))),
        ]);
        Self {
            cell: cell.clone(),
            neighbours: NeededRestores::default(),
            slots,
            targets: Indexed::default(),
        }
    }

    /// Once it is known what there is.
    pub(super) fn set_instances(&mut self, document: &Document, instances: &Arc<Instances>) {
        self.neighbours = NeededRestores::new(document, instances);
    }

    pub(super) fn set_targets(&mut self, targets: &[Target], secrets: &Secrets) {
        let slot = |target: &Target| {
            let role = target.iam_role_arn.as_deref().unwrap_or_default();
            let role = match secrets.redact(role) == role {
                true => known(role),
                false => Slot::Secret(Value::from(role)),
            };
            let mut slots = BTreeMap::from([
                (Cow::Borrowed("account"), known(target.account.as_str())),
                (Cow::Borrowed("region"), known(target.region.as_str())),
                (Cow::Borrowed("iam_role_arn"), role),
            ]);
            slots.extend(
                target
                    .name
                    .as_deref()
                    .map(|name| (Cow::Borrowed("name"), known(name))),
            );
            Slot::Known(names("target", slots, &self.cell))
        };
        self.targets = targets.iter().map(slot).collect();
        // Templates of no restore see the plan's own target, or the only one there is.
        if let (Some(first), true) = (
            self.targets.first(),
            targets.len() == 1 || targets.iter().any(|target| target.name.is_none()),
        ) {
            self.slots.insert(Cow::Borrowed("target"), first.clone());
        }
    }

    /// For what belongs to no restore.
    pub(super) fn plain(&self) -> Scope {
        names("", self.slots.clone(), &self.cell)
    }

    /// For one restore; `source` is there once the recovery point is.
    pub(super) fn restore(
        &self,
        instance: &Instance,
        target: TargetIndex,
        recovery_point: Option<PointArn<'_>>,
        known_facts: &Known,
    ) -> Scope {
        let slots = self.slots_of(instance, target, recovery_point, known_facts);
        names("", slots, &self.cell)
    }

    /// For a check of a restore: what it has made is known by then.
    pub(super) fn judging(
        &self,
        instance: &Instance,
        target: TargetIndex,
        recovery_point: Option<PointArn<'_>>,
        known_facts: &Known,
    ) -> Scope {
        let mut slots = self.slots_of(instance, target, recovery_point, known_facts);
        let created = known_facts.created.get(&instance.name);
        let created = created_names("created", created, &self.cell);
        slots.insert(Cow::Borrowed("created"), Slot::Known(created));
        names("", slots, &self.cell)
    }

    /// For a command of the plan as a whole: everything that any restore has made.
    pub(super) fn whole(&self, known_facts: &Known) -> Scope {
        let mut slots = self.slots.clone();
        if let Some(target) = self.targets.first() {
            slots.insert(Cow::Borrowed("target"), target.clone());
        }
        let restores = self.neighbours.whole(&known_facts.created, &self.cell);
        slots.insert(Cow::Borrowed("restores"), Slot::Known(restores));
        names("", slots, &self.cell)
    }

    fn slots_of(
        &self,
        instance: &Instance,
        target: TargetIndex,
        recovery_point: Option<PointArn<'_>>,
        known_facts: &Known,
    ) -> Slots {
        let mut slots = self.slots.clone();
        slots.insert(Cow::Borrowed("restore"), known(instance.name.as_str()));
        if let Some(target) = self.targets.get(target) {
            slots.insert(Cow::Borrowed("target"), target.clone());
        }
        if let Some(each) = &instance.each {
            slots.insert(Cow::Borrowed("each"), Slot::Known(self.each(each)));
        }
        let restores = self
            .neighbours
            .of(instance.restore, &known_facts.created, &self.cell);
        slots.insert(Cow::Borrowed("restores"), Slot::Known(restores));
        if let Some(point) = recovery_point {
            let source = source(point, known_facts, &self.cell);
            slots.insert(Cow::Borrowed("source"), Slot::Known(source));
        }
        slots
    }

    fn each(&self, each: &Each) -> Value {
        let slot = match each.is_secret {
            true => Slot::Secret,
            false => Slot::Known,
        };
        let (key, value) = match &each.value {
            Some(value) => {
                let value = match value {
                    serde_json::Value::Object(map) => {
                        let slots = map
                            .iter()
                            .map(|(key, value)| (key.clone().into(), slot(data(value, &self.cell))))
                            .collect();
                        names("each.value", slots, &self.cell)
                    }
                    other => data(other, &self.cell),
                };
                (known(&each.key), slot(value))
            }
            None => (
                Slot::Pending(Value::from("key")),
                Slot::Pending(Value::from_object(Placeholder)),
            ),
        };
        let slots = BTreeMap::from([(Cow::Borrowed("key"), key), (Cow::Borrowed("value"), value)]);
        names("each", slots, &self.cell)
    }
}

/// The recovery point of a restore, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum PointArn<'a> {
    /// Its ARN.
    Known(&'a str),
    /// A selector that was not resolved.
    Pending,
}

fn source(point: PointArn<'_>, known_facts: &Known, cell: &Cell) -> Value {
    let (arn, facts) = match point {
        PointArn::Known(arn) => (known(arn), known_facts.sources.get(arn)),
        PointArn::Pending => (Slot::Pending(Value::from(PLACEHOLDER_ARN)), None),
    };
    let mut slots = BTreeMap::from([(Cow::Borrowed("arn"), arn)]);
    match facts {
        Some(facts) => {
            let metadata = facts
                .metadata
                .iter()
                .map(|(key, value)| (key.clone().into(), known(value)))
                .collect();
            slots.extend([
                (Cow::Borrowed("created_at"), known(&facts.created_at)),
                (Cow::Borrowed("resource_arn"), known(&facts.resource_arn)),
                (
                    Cow::Borrowed("size_bytes"),
                    Slot::Known(Value::from(facts.size_bytes)),
                ),
                (
                    Cow::Borrowed("metadata"),
                    Slot::Known(names("source.metadata", metadata, cell)),
                ),
            ]);
        }
        None => {
            for (name, placeholder) in [
                ("created_at", Value::from("2026-01-01T00:00:00Z")),
                ("resource_arn", Value::from(PLACEHOLDER_ARN)),
                ("size_bytes", Value::from(0)),
                ("metadata", Value::from_object(Placeholder)),
            ] {
                slots.insert(Cow::Borrowed(name), Slot::Pending(placeholder));
            }
        }
    }
    names("source", slots, cell)
}

/// Stand-in for what nobody has asked AWS about, or given: any key may be there.
#[derive(Debug)]
struct Placeholder;

impl Object for Placeholder {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_str()
            .map(|name| Value::from(format!("the-source-{name}")))
    }
}
