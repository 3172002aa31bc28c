//! Places for a reviewer to look twice: key names in `review.yaml`, and what a type's schema says of its requests.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::inside::{Part, Path, container};
use super::{Action, Diff};
use crate::ids::{Arn, Indexed, StepIndex};
use crate::plan::{Draft, Plan};
use crate::render::{Target, composed};
use crate::rules::{Facts, Rules};

/// The table.
static TABLE: LazyLock<Table> =
    // Embedded, and read by a test; a table that could not be read would class nothing.
    LazyLock::new(|| serde_yaml::from_str(TEXT).unwrap_or_default());
const TEXT: &str = include_str!("review.yaml");

/// Reason for a reviewer to look twice. The order is that of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Writes into something that exists.
    Existing,
    /// A name that has to be new is taken, by another restore of the plan or by a resource that is known.
    Collision,
    /// A key that decides who reaches it.
    Network,
    /// A key that decides how it is encrypted.
    Encryption,
    /// Would be started, and a job that has been started cannot be cancelled.
    Irrevocable,
}

impl Class {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 5] = [
        Self::Existing,
        Self::Collision,
        Self::Network,
        Self::Encryption,
        Self::Irrevocable,
    ];

    /// Returns the name that machines read.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Existing => "existing",
            Self::Collision => "collision",
            Self::Network => "network",
            Self::Encryption => "encryption",
            Self::Irrevocable => "irrevocable",
        }
    }
}

/// Something to know about a restore as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReviewNote {
    /// Reason for the note.
    pub class: Class,
    /// Text of the note.
    pub message: String,
}

/// The table, ready to be asked.
pub struct Review {
    rules: Arc<Rules>,
    /// Names of keys in lower case.
    keys: BTreeMap<Class, HashSet<String>>,
}

/// `review.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    keys: BTreeMap<Class, Vec<String>>,
}

impl Review {
    /// The table that redrill comes with.
    #[must_use]
    pub fn embedded(rules: &Arc<Rules>) -> Self {
        let keys = TABLE
            .keys
            .iter()
            .map(|(class, names)| (*class, names.iter().map(|n| n.to_lowercase()).collect()))
            .collect();
        Self {
            rules: Arc::clone(rules),
            keys,
        }
    }

    /// The rules that say how keys are spelled.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The classes of a change: those of the keys on the way to it, and of those inside a value that came or went whole.
    #[must_use]
    pub fn of_key<'a>(
        &self,
        resource_type: &str,
        path: &Path,
        values: impl IntoIterator<Item = &'a Value>,
    ) -> BTreeSet<Class> {
        let facts = Facts::of(self.rules.title(resource_type));
        let mut names: Vec<String> = path.0.iter().filter_map(key_of).collect();
        for value in values {
            collect(value, &mut names);
        }
        names.retain(|name| {
            let mut neither = facts.iter().flat_map(|facts| &facts.neither);
            !neither.any(|key| key.eq_ignore_ascii_case(name))
        });
        self.keys
            .iter()
            .filter(|(_, keys)| names.iter().any(|name| keys.contains(name)))
            .map(|(class, _)| *class)
            .collect()
    }

    /// Returns what a request writes into, if that exists already.
    #[must_use]
    pub fn writes_into(&self, draft: &Draft, target: &Target) -> Option<String> {
        let request = &draft.request;
        let facts = Facts::of(self.rules.title(&request.resource_type))?;
        let existing = facts
            .existing
            .iter()
            .find(|existing| existing.condition.holds(&request.metadata))?;
        let what = fill(&existing.into, draft, target);
        // A key that is missing or not known yet leaves the kind of thing.
        let kind = || {
            existing
                .into
                .split(" {")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        Some(what.unwrap_or_else(kind))
    }

    /// The names that a request wants to be new: the key, and what is the same only where the name is.
    pub fn names<'a>(
        &'a self,
        draft: &'a Draft,
        target: &'a Target,
    ) -> impl Iterator<Item = (&'a str, String)> {
        let request = &draft.request;
        let facts = Facts::of(self.rules.title(&request.resource_type));
        let names = facts.into_iter().flat_map(|facts| &facts.new_names);
        names
            .filter(|name| name.condition.holds(&request.metadata))
            .filter_map(move |name| {
                let is = fill(&name.is, draft, target)?;
                let is = if name.lower { is.to_lowercase() } else { is };
                Some((name.key.as_str(), composed(&is).into_owned()))
            })
    }

    /// Lists what the restores that would start write into, if that exists already and the plan does not say so: the
    /// restore, and what.
    #[must_use]
    pub fn unsaid<'p>(&self, plan: &'p Plan, diff: &Diff) -> Vec<(&'p str, String)> {
        diff.changes
            .iter()
            .filter(|change| change.action == Action::Start)
            .map(|change| &plan.steps[change.step])
            .filter(|step| !step.into_existing)
            .filter_map(|step| {
                let into = self.writes_into(&step.draft, plan.target_of(step))?;
                Some((step.name.as_str(), into))
            })
            .collect()
    }

    /// By step, the names that are taken: by another restore, or by a resource that is known.
    #[must_use]
    pub fn collisions(
        &self,
        plan: &Plan,
        resources: &BTreeSet<String>,
    ) -> BTreeMap<StepIndex, Vec<String>> {
        let steps = &plan.steps;
        let wanted: Indexed<StepIndex, Vec<(&str, String)>> = steps
            .iter()
            .map(|step| {
                self.names(&step.draft, &plan.targets[step.target])
                    .collect()
            })
            .collect();
        let mut by_name: BTreeMap<&str, Vec<StepIndex>> = BTreeMap::new();
        for (at, names) in wanted.enumerated() {
            for (_, name) in names {
                by_name.entry(name).or_default().push(at);
            }
        }
        let lower: BTreeSet<String> = resources.iter().map(|arn| arn.to_lowercase()).collect();
        let mut found: BTreeMap<StepIndex, Vec<String>> = BTreeMap::new();
        for (at, names) in wanted.enumerated() {
            for (key, name) in names {
                let value = steps[at].draft.request.metadata.get(*key);
                let value = value.map_or("", String::as_str);
                let others: Vec<String> = by_name[name.as_str()]
                    .iter()
                    .filter(|other| **other != at)
                    .map(|other| format!("`{}`", steps[*other].name))
                    .collect();
                if let Some(message) = also_of(key, value, &others) {
                    found.entry(at).or_default().push(message);
                }
                if let Some(taken) = taken(name, resources).or_else(|| taken(name, &lower)) {
                    let message =
                        format!("{key} {value} is the name of {taken}, which was backed up");
                    found.entry(at).or_default().push(message);
                }
            }
        }
        found
    }
}

/// Ten thousand restores with one name are one thing to know, not ten thousand names in each message.
fn also_of(key: &str, value: &str, others: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    let shown = others
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match others.len() {
        0 => None,
        n if n > SHOWN => Some(format!(
            "{key} {value} is also that of {shown} and {} more",
            n - SHOWN
        )),
        _ => Some(format!("{key} {value} is also that of {shown}")),
    }
}

fn taken<'a>(name: &str, resources: &'a BTreeSet<String>) -> Option<&'a String> {
    match name.strip_suffix('*') {
        Some(start) => resources
            .range(start.to_owned()..)
            .next()
            .filter(|arn| arn.starts_with(start)),
        None => resources.get(name),
    }
}

/// A pattern with its keys replaced; none where one of them has no value, or none yet.
fn fill(pattern: &str, draft: &Draft, target: &Target) -> Option<String> {
    let mut text = String::new();
    let mut rest = pattern;
    while let Some((before, from)) = rest.split_once('{') {
        let (name, after) = from.split_once('}')?;
        text.push_str(before);
        text.push_str(match name {
            "account" => target.account.as_str(),
            "region" => target.region.as_str(),
            "partition" => Arn::parse(&draft.request.recovery_point_arn)?.partition,
            key if draft.holes.contains_key(key) => return None,
            key => draft.request.metadata.get(key)?,
        });
        rest = after;
    }
    text.push_str(rest);
    Some(text)
}

fn key_of(part: &Part) -> Option<String> {
    match part {
        Part::Key(key) => Some(key.to_lowercase()),
        Part::Index(_) => None,
    }
}

/// The names of all keys inside a value.
fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                names.push(key.to_lowercase());
                collect(value, names);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, names)),
        Value::String(text) => {
            if let Some(inside) = container(text) {
                collect(&inside, names);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Words in a key's name or description that speak of networks or of encryption.
    const NETWORK: [&str; 6] = [
        "subnet",
        "security group",
        "vpc",
        "public address",
        "the port",
        "elastic ip",
    ];
    const ENCRYPTION: [&str; 2] = ["kms", "encrypt"];

    fn review() -> Review {
        Review::embedded(&Arc::new(Rules::embedded()))
    }

    #[test]
    fn the_table_is_one() {
        let table: Table = serde_yaml::from_str(TEXT).unwrap();
        assert_eq!(table.keys.len(), 2);
    }

    #[test]
    fn every_key_that_speaks_of_networks_or_encryption_is_classed_or_said_not_to_be() {
        let review = review();
        let mut missing = Vec::new();
        let rules = Rules::embedded();
        for of in rules.types() {
            let properties = rules.schema(of).unwrap()["properties"].as_object().unwrap();
            for (key, schema) in properties {
                let text = format!(
                    "{key} {}",
                    schema["description"].as_str().unwrap_or_default()
                )
                .to_lowercase();
                let found = review.of_key(of, &Path::of(key), None);
                let neither = &Facts::of(of).unwrap().neither;
                for (class, words) in [
                    (Class::Network, &NETWORK[..]),
                    (Class::Encryption, &ENCRYPTION[..]),
                ] {
                    if words.iter().any(|word| text.contains(word))
                        && !found.contains(&class)
                        && !neither.contains(key)
                    {
                        missing.push(format!("{of}.{key}: {}", class.name()));
                    }
                }
            }
        }
        assert!(
            missing.is_empty(),
            "src/diff/review.yaml does not class, and `neither` of the type does not have\n{}",
            missing.join("\n")
        );
    }

    #[test]
    fn a_value_is_classed_by_what_is_inside_it() {
        let review = review();
        let path = Path::of("BlockDeviceMappings");
        let value = json!(r#"[{"Ebs":{"KmsKeyId":"x"}}]"#);
        assert_eq!(
            review.of_key("EC2", &path, [&value]),
            BTreeSet::from([Class::Encryption])
        );
        let below = Path(vec![
            Part::Key("clusterVpcConfig".to_owned()),
            Part::Key("unheard".to_owned()),
        ]);
        assert_eq!(
            review.of_key("EKS", &below, None),
            BTreeSet::from([Class::Network])
        );
        assert_eq!(
            review.of_key("EFS", &Path::of("PerformanceMode"), None),
            BTreeSet::new()
        );
        // A type that redrill has no rules of.
        assert_eq!(
            review.of_key("ElastiCache", &Path::of("kmskeyid"), None),
            BTreeSet::from([Class::Encryption])
        );
    }
}
