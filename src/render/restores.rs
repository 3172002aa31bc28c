//! `restores` in templates: what those that a restore needs have made. Looked up one by one, because a plan may have ten
//! thousand.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::Created;
use super::instances::{Instances, instance_name, split_instance};
use super::scope::{Cell, PLACEHOLDER_ARN, PLACEHOLDER_JOB, Slot, join, known, names};
use crate::diagnostic::suggest;
use crate::ids::{DocumentIndex, Indexed, RestoreName};
use crate::parse::{Document, Restore};

/// Facts that each restore may ask of others.
#[derive(Debug, Default)]
pub(super) struct NeededRestores {
    plan: Arc<RestoreNames>,
    /// By restore: what it needs.
    needs: Indexed<DocumentIndex, Arc<Needs>>,
}

/// Every restore of the plan, by name.
#[derive(Debug, Default)]
struct RestoreNames {
    restores: HashMap<RestoreName, DocumentIndex>,
    instances: Arc<Instances>,
    /// Restores with a `for_each`.
    repeated: BTreeSet<DocumentIndex>,
}

/// By restore: the keys of the instances that are needed, or all.
type Needs = BTreeMap<DocumentIndex, Option<BTreeSet<String>>>;

impl NeededRestores {
    pub(super) fn new(document: &Document, instances: &Arc<Instances>) -> Self {
        let name = |(at, restore): (DocumentIndex, &Restore)| (restore.name.value.clone(), at);
        let restores: HashMap<RestoreName, DocumentIndex> =
            document.restores.enumerated().map(name).collect();
        let nothing = Arc::new(Needs::new());
        let needs = document
            .restores
            .iter()
            .map(|restore| {
                if restore.needs.is_empty() {
                    return Arc::clone(&nothing);
                }
                let mut needs = Needs::new();
                for need in &restore.needs {
                    if let Some(at) = restores.get(need.value.as_str()) {
                        needs.insert(*at, None);
                    } else if let Some((base, key)) = split_instance(&need.value)
                        && let Some(at) = restores.get(base)
                        && let Some(keys) =
                            needs.entry(*at).or_insert_with(|| Some(BTreeSet::new()))
                    {
                        keys.insert(key.to_owned());
                    }
                }
                Arc::new(needs)
            })
            .collect();
        let repeated = document
            .restores
            .enumerated()
            .filter(|(_, restore)| restore.for_each.is_some())
            .map(|(at, _)| at)
            .collect();
        Self {
            plan: Arc::new(RestoreNames {
                restores,
                instances: Arc::clone(instances),
                repeated,
            }),
            needs,
        }
    }

    /// `restores`, as one of them sees it.
    pub(super) fn of(
        &self,
        restore: DocumentIndex,
        created: &Arc<BTreeMap<RestoreName, Created>>,
        cell: &Cell,
    ) -> Value {
        Value::from_object(Restores {
            plan: Arc::clone(&self.plan),
            needs: self.needs.get(restore).cloned().unwrap_or_default(),
            created: Arc::clone(created),
            cell: cell.clone(),
        })
    }
}

impl NeededRestores {
    /// `restores`, as a command of the plan as a whole sees it: every one of them.
    pub(super) fn whole(
        &self,
        created: &Arc<BTreeMap<RestoreName, Created>>,
        cell: &Cell,
    ) -> Value {
        let all = self.plan.restores.values().map(|at| (*at, None));
        Value::from_object(Restores {
            plan: Arc::clone(&self.plan),
            needs: Arc::new(all.collect()),
            created: Arc::clone(created),
            cell: cell.clone(),
        })
    }
}

#[derive(Debug)]
struct Restores {
    plan: Arc<RestoreNames>,
    needs: Arc<Needs>,
    created: Arc<BTreeMap<RestoreName, Created>>,
    cell: Cell,
}

impl Object for Restores {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        let Some(at) = self.plan.restores.get(name).copied() else {
            let needed = self
                .plan
                .restores
                .iter()
                .filter(|(_, at)| self.needs.contains_key(at))
                .map(|(name, _)| name.as_str());
            let help = suggest(name, needed.collect::<BTreeSet<_>>());
            self.cell.misses(format!("unknown restore `{name}`"), help);
            return None;
        };
        if !self.needs.contains_key(&at) {
            self.cell.misses(
                format!(
                    "`{}` is not needed by this restore, so nothing says that it has ended",
                    join("restores", name)
                ),
                format!("add `{name}` to `needs`"),
            );
            return None;
        }
        if self.plan.repeated.contains(&at) {
            return Some(Value::from_object(Repeated {
                name: RestoreName::new(name),
                restore: at,
                of: Arc::clone(self),
            }));
        }
        let path = join("restores", name);
        Some(made(&path, self.created.get(name), &self.cell))
    }
}

/// The instances of one restore, by key.
#[derive(Debug)]
struct Repeated {
    name: RestoreName,
    restore: DocumentIndex,
    of: Arc<Restores>,
}

impl Repeated {
    fn path(&self) -> String {
        join("restores", self.name.as_str())
    }

    fn is_needed(&self, key: &str) -> bool {
        match self.of.needs.get(&self.restore) {
            Some(Some(keys)) => keys.contains(key),
            Some(None) => true,
            None => false,
        }
    }
}

impl Object for Repeated {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        let plan = &self.of.plan;
        let name = instance_name(self.name.as_str(), key);
        let path = format!("{}['{key}']", self.path());
        let is_unknown = plan.instances.is_unknown(self.restore);
        if !is_unknown && plan.instances.find(&name).is_none() {
            let keys: Vec<&str> = plan.instances.keys(self.restore).map(|k| &**k).collect();
            let example = keys.first().copied().unwrap_or("key");
            let (message, help) = match key {
                "created" => (
                    format!(
                        "`{}` has a `for_each`: there are {} of it",
                        self.name,
                        keys.len()
                    ),
                    format!("name one: `{}['{example}'].created`", self.path()),
                ),
                _ => (format!("`{path}` is not defined"), suggest(key, keys)),
            };
            self.of.cell.misses(message, help);
            return None;
        }
        if !self.is_needed(key) {
            self.of.cell.misses(
                format!(
                    "`{path}` is not needed by this restore, so nothing says that it has ended"
                ),
                format!(
                    "add `\"{name}\"` to `needs`, or `{}` for all of them",
                    self.name
                ),
            );
            return None;
        }
        Some(made(
            &path,
            self.of.created.get(name.as_str()),
            &self.of.cell,
        ))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys = self.of.plan.instances.keys(self.restore);
        let needed = keys.filter(|key| self.is_needed(key));
        Enumerator::Values(needed.map(|key| Value::from(&**key)).collect())
    }
}

/// `{created: {resource_arn, job_id}}`
fn made(path: &str, created: Option<&Created>, cell: &Cell) -> Value {
    let created = created_names(&format!("{path}.created"), created, cell);
    let slots = BTreeMap::from([("created".into(), Slot::Known(created))]);
    names(path, slots, cell)
}

/// `{resource_arn, job_id}`
pub(super) fn created_names(path: &str, created: Option<&Created>, cell: &Cell) -> Value {
    let (resource_arn, job_id) = match created {
        Some(created) => (known(&created.resource_arn), known(created.job_id.as_str())),
        None => (
            Slot::Pending(Value::from(PLACEHOLDER_ARN)),
            Slot::Pending(Value::from(PLACEHOLDER_JOB)),
        ),
    };
    let slots = BTreeMap::from([
        ("resource_arn".into(), resource_arn),
        ("job_id".into(), job_id),
    ]);
    names(path, slots, cell)
}
