//! The names that a template sees: `vars`, `plan`, `restore`, `run`, `target`, `source`, `restores`.
//!
//! Each look-up is answered by an object of ours that notes what was asked for and not there, and what is known
//! later only: that is how a finding can say "did you mean", and how a value made of a placeholder is marked.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use minijinja::Value;
use minijinja::value::Object;

use super::{Created, Known, SourceFacts, Target};
use crate::diagnostic::suggest;
use crate::parse::{Document, Restore};

/// Stands for a resource that does not exist yet while a template is tried.
const PLACEHOLDER_ARN: &str = "arn:aws:service:us-east-1:123456789012:resource/known-after-restore";

/// What one evaluation came across.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What is known later only.
    pub(super) pending: BTreeSet<String>,
    /// The first name that is not there: what to say, and what to write.
    pub(super) missing: Option<(String, String)>,
}

/// Notes of the evaluation that is going on; objects and evaluator share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell(Arc<Mutex<Seen>>);

impl Cell {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// With the placeholder that a template is tried with.
    Pending(Value),
}

/// A map of names under a path, such as `vars`.
#[derive(Debug)]
struct Names {
    path: String,
    slots: BTreeMap<String, Slot>,
    cell: Cell,
}

impl Object for Names {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        match self.slots.get(name) {
            Some(Slot::Known(value)) => Some(value.clone()),
            Some(Slot::Pending(placeholder)) => {
                self.cell.lock().pending.insert(join(&self.path, name));
                Some(placeholder.clone())
            }
            None => {
                let known: Vec<&str> = self.slots.keys().map(String::as_str).collect();
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

    fn enumerate(self: &Arc<Self>) -> minijinja::value::Enumerator {
        minijinja::value::Enumerator::Values(
            self.slots.keys().map(|k| Value::from(k.as_str())).collect(),
        )
    }
}

fn join(path: &str, name: &str) -> String {
    let simple = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match (path, simple) {
        ("", _) => name.to_owned(),
        (_, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}['{name}']"),
    }
}

/// `restores`: looked up one by one, because a plan may have ten thousand.
#[derive(Debug)]
struct Restores {
    all: Arc<HashSet<String>>,
    needs: Vec<String>,
    created: BTreeMap<String, Created>,
    cell: Cell,
}

impl Object for Restores {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if !self.needs.iter().any(|need| need == name) {
            let (message, help) = if self.all.contains(name) {
                (
                    format!(
                        "`restores.{name}` is not needed by this restore, so nothing says that it has ended"
                    ),
                    format!("add `{name}` to `needs`"),
                )
            } else {
                (
                    format!("there is no restore `{name}`"),
                    suggest(
                        name,
                        self.needs.iter().map(String::as_str).collect::<Vec<_>>(),
                    ),
                )
            };
            self.cell.lock().missing.get_or_insert((message, help));
            return None;
        }
        let path = join("restores", name);
        let created = created_or_pending(self.created.get(name));
        let created = names(&join(&path, "created"), created, &self.cell);
        let slots = BTreeMap::from([("created".to_owned(), Slot::Known(created))]);
        Some(names(&path, slots, &self.cell))
    }
}

fn created_or_pending(created: Option<&Created>) -> BTreeMap<String, Slot> {
    let (resource_arn, job_id) = match created {
        Some(created) => (known(&created.resource_arn), known(&created.job_id)),
        None => (
            Slot::Pending(Value::from(PLACEHOLDER_ARN)),
            Slot::Pending(Value::from("job-id")),
        ),
    };
    BTreeMap::from([
        ("resource_arn".to_owned(), resource_arn),
        ("job_id".to_owned(), job_id),
    ])
}

fn known(text: &str) -> Slot {
    Slot::Known(Value::from(text))
}

fn names(path: &str, slots: BTreeMap<String, Slot>, cell: &Cell) -> Value {
    Value::from_object(Names {
        path: path.to_owned(),
        slots,
        cell: cell.clone(),
    })
}

/// What a template is evaluated in.
pub(super) type Scope = Value;

/// The part of the scope that all restores share.
pub(super) struct Shared {
    cell: Cell,
    all: Arc<HashSet<String>>,
    slots: BTreeMap<String, Slot>,
}

impl Shared {
    pub(super) fn new(
        document: &Document,
        run_id: &str,
        vars: BTreeMap<String, Slot>,
        cell: &Cell,
    ) -> Self {
        let run = BTreeMap::from([("id".to_owned(), known(run_id))]);
        let slots = BTreeMap::from([
            ("vars".to_owned(), Slot::Known(names("vars", vars, cell))),
            ("plan".to_owned(), known(&document.plan.value)),
            ("run".to_owned(), Slot::Known(names("run", run, cell))),
        ]);
        let all = document
            .restores
            .iter()
            .map(|restore| restore.name.value.clone())
            .collect();
        Self {
            cell: cell.clone(),
            all: Arc::new(all),
            slots,
        }
    }

    pub(super) fn set_target(&mut self, target: &Target) {
        let slots = BTreeMap::from([
            ("account".to_owned(), known(&target.account)),
            ("region".to_owned(), known(&target.region)),
            (
                "iam_role_arn".to_owned(),
                known(target.iam_role_arn.as_deref().unwrap_or_default()),
            ),
        ]);
        let target = names("target", slots, &self.cell);
        self.slots.insert("target".to_owned(), Slot::Known(target));
    }

    /// For what belongs to no restore.
    pub(super) fn plain(&self) -> Scope {
        names("", self.slots.clone(), &self.cell)
    }

    /// For one restore; `source` is there once the recovery point is.
    pub(super) fn restore(
        &self,
        restore: &Restore,
        recovery_point: Option<&str>,
        known_facts: &Known,
    ) -> Scope {
        names(
            "",
            self.slots_of(restore, recovery_point, known_facts),
            &self.cell,
        )
    }

    /// For a check of a restore: what it has made is known by then.
    pub(super) fn judging(
        &self,
        restore: &Restore,
        recovery_point: Option<&str>,
        known_facts: &Known,
    ) -> Scope {
        let mut slots = self.slots_of(restore, recovery_point, known_facts);
        let created = known_facts.created.get(&restore.name.value);
        let created = names("created", created_or_pending(created), &self.cell);
        slots.insert("created".to_owned(), Slot::Known(created));
        names("", slots, &self.cell)
    }

    /// For a command of the plan as a whole: everything that any restore has made.
    pub(super) fn whole(&self, known_facts: &Known) -> Scope {
        let mut slots = self.slots.clone();
        slots.insert(
            "restores".to_owned(),
            Slot::Known(Value::from_object(Restores {
                all: Arc::clone(&self.all),
                needs: self.all.iter().cloned().collect(),
                created: known_facts.created.clone(),
                cell: self.cell.clone(),
            })),
        );
        names("", slots, &self.cell)
    }

    fn slots_of(
        &self,
        restore: &Restore,
        recovery_point: Option<&str>,
        known_facts: &Known,
    ) -> BTreeMap<String, Slot> {
        let mut slots = self.slots.clone();
        slots.insert("restore".to_owned(), known(&restore.name.value));
        let needs: Vec<String> = restore
            .needs
            .iter()
            .map(|need| need.value.clone())
            .collect();
        let created = needs
            .iter()
            .filter_map(|name| Some((name.clone(), known_facts.created.get(name)?.clone())))
            .collect();
        slots.insert(
            "restores".to_owned(),
            Slot::Known(Value::from_object(Restores {
                all: Arc::clone(&self.all),
                needs,
                created,
                cell: self.cell.clone(),
            })),
        );
        if let Some(arn) = recovery_point {
            let source = source(arn, known_facts.sources.get(arn), &self.cell);
            slots.insert("source".to_owned(), Slot::Known(source));
        }
        slots
    }
}

fn source(arn: &str, facts: Option<&SourceFacts>, cell: &Cell) -> Value {
    let mut slots = BTreeMap::from([("arn".to_owned(), known(arn))]);
    match facts {
        Some(facts) => {
            let metadata = facts
                .metadata
                .iter()
                .map(|(key, value)| (key.clone(), known(value)))
                .collect();
            slots.extend([
                ("created_at".to_owned(), known(&facts.created_at)),
                ("resource_arn".to_owned(), known(&facts.resource_arn)),
                (
                    "size_bytes".to_owned(),
                    Slot::Known(Value::from(facts.size_bytes)),
                ),
                (
                    "metadata".to_owned(),
                    Slot::Known(names("source.metadata", metadata, cell)),
                ),
            ]);
        }
        None => {
            for (name, placeholder) in [
                ("created_at", Value::from("2026-01-01T00:00:00Z")),
                ("resource_arn", Value::from(PLACEHOLDER_ARN)),
                ("size_bytes", Value::from(0)),
                ("metadata", Value::from_object(AnyKey)),
            ] {
                slots.insert(name.to_owned(), Slot::Pending(placeholder));
            }
        }
    }
    names("source", slots, cell)
}

/// The metadata of a recovery point that nobody has asked AWS about: any key may be there.
#[derive(Debug)]
struct AnyKey;

impl Object for AnyKey {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        key.as_str()
            .map(|name| Value::from(format!("the-source-{name}")))
    }
}
