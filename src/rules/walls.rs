//! The keys that name a place to restore into, or that lets what comes back reach something: `x-redrill.wall` in
//! `schemas/*.yaml`, and its kinds under `facts` of `common.yaml`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use super::facts::{Condition, common};
use super::notes::Level;

/// The members of a note that say what a value names, and nothing about what it may be.
const MEMBERS: [&str; 3] = ["wall", "new_where", "ignored_where"];

/// A kind of place.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WallKind {
    /// Name of the kind in a sentence.
    pub(crate) called: String,
    /// The ARN behind `arn:<partition>:`, with `{region}`, `{account}` and `{value}`, the bare id or name.
    pub(crate) arn: Option<String>,
    /// The same of a value that begins with `alias/`.
    pub(crate) alias: Option<String>,
    /// Prefix of its ids, before the hyphen.
    pub(crate) id: Option<String>,
    /// True if its ARN is known wherever it is found.
    #[serde(default)]
    pub(crate) by_arn: bool,
    /// True if AWS ignores case in it.
    #[serde(default)]
    pub(crate) caseless: bool,
    /// True if a path after the name is inside it.
    #[serde(default)]
    pub(crate) has_paths: bool,
    /// Way to read one through Cloud Control API.
    pub(crate) reads: Option<WallRead>,
}

/// Way to read a place through Cloud Control API, by the CloudFormation reference of its type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WallRead {
    /// The type. Its primary identifier is the bare id or name.
    pub(crate) r#type: String,
    /// Type of what a value that begins with `alias/` names.
    pub(crate) alias: Option<String>,
    /// True if it is part of a network.
    #[serde(default)]
    pub(crate) network: bool,
    /// The property that is its VPC.
    pub(crate) vpc: Option<String>,
    /// The property that is its subnet, or its subnets.
    pub(crate) subnets: Option<String>,
    /// True if AWS stores the name in lower case.
    #[serde(default)]
    pub(crate) lower: bool,
    /// The property that is its range of addresses.
    pub(crate) addresses: Option<String>,
}

/// Default that AWS picks if a request does not say.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DefaultPick {
    /// The key to write.
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) condition: Condition,
    /// A value of one of these kinds says it, wherever it is.
    #[serde(default)]
    pub(crate) walls: Vec<String>,
    /// The list of which each item has to say it, where it has any.
    pub(crate) each: Option<String>,
    /// Description of what AWS picks.
    pub(crate) what: String,
    /// A warning where nothing that could be written says it.
    pub(crate) severity: Option<Level>,
    /// Page that documents it.
    pub(crate) source: String,
}

/// A kind, by the name that a schema gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wall<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a WallKind,
}

impl WallRead {
    /// Returns the way to read a kind of that name; none if it is not read, or is no kind.
    pub(crate) fn of(name: &str) -> Option<&'static Self> {
        Wall::named(name)?.kind.reads.as_ref()
    }
}

impl Wall<'static> {
    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (name, kind) = common().walls.get_key_value(name)?;
        Some(Self { name, kind })
    }

    /// All of them.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let walls = common().walls.iter();
        walls.map(|(name, kind)| Self { name, kind })
    }

    /// Returns what a value names according to its schema. `given` is the value of a key next to it: `None` if that is
    /// not known yet.
    pub(crate) fn of(schema: &Value, given: impl Fn(&str) -> Option<String>) -> Option<WallHere> {
        let note = &schema["x-redrill"];
        let wall = Self::named(note["wall"].as_str()?)?;
        let holds = |of: &str| -> Option<bool> {
            let Some(conditions) = note[of].as_object() else {
                return Some(false);
            };
            let mut all = true;
            for (key, values) in conditions {
                let value = given(key)?;
                let values = values.as_array().into_iter().flatten();
                all &= values.filter_map(Value::as_str).any(|one| one == value);
            }
            Some(all)
        };
        Some(match (holds("new_where"), holds("ignored_where")) {
            (None, _) | (_, None) => WallHere::Later(wall),
            (Some(true), _) => Self::named("name").map_or(WallHere::Is(wall), WallHere::Is),
            (_, Some(true)) => Self::named("none").map_or(WallHere::Is(wall), WallHere::Is),
            _ => WallHere::Is(wall),
        })
    }
}

/// Kind of place that a value names, as far as the keys next to it are known.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WallHere {
    Is(Wall<'static>),
    /// Depends on a key next to it that is not known yet.
    Later(Wall<'static>),
}

/// The name of a kind, as a note has it.
#[derive(Clone, Debug)]
pub(super) struct WallName;

impl<'de> Deserialize<'de> for WallName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match Wall::named(&name) {
            Some(_) => Ok(Self),
            None => Err(D::Error::custom(format!("`{name}` is not a kind of place"))),
        }
    }
}

/// Returns true if a note only says what a value names: limits are covered further up.
pub(super) fn is_only_wall(note: &Value) -> bool {
    let mut members = note.as_object().into_iter().flat_map(|note| note.keys());
    members.all(|member| MEMBERS.contains(&member.as_str()))
}

/// The kinds that a schema speaks of, at any depth.
pub(crate) fn kinds_in(schema: &Value) -> BTreeSet<&str> {
    fn collect<'a>(schema: &'a Value, kinds: &mut BTreeSet<&'a str>) {
        match schema {
            Value::Object(map) => {
                kinds.extend(schema.pointer("/x-redrill/wall").and_then(Value::as_str));
                map.values().for_each(|value| collect(value, kinds));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, kinds)),
            _ => {}
        }
    }
    let mut kinds = BTreeSet::new();
    collect(schema, &mut kinds);
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Facts, Rules};

    #[test]
    fn what_aws_picks_can_be_said_with_a_key_of_the_type() {
        let rules = Rules::embedded();
        for title in rules.types() {
            let schema = rules.schema(title).unwrap();
            let known = kinds_in(&schema["properties"]);
            for pick in &Facts::of(title).unwrap().picks {
                let walls = &pick.walls;
                assert!(
                    walls.iter().all(|name| Wall::named(name).is_some()),
                    "{title}"
                );
                let can_be_said = walls.iter().any(|name| known.contains(name.as_str()));
                let is_error = pick.severity != Some(Level::Warning);
                assert_eq!(can_be_said, is_error, "{title}: {}", pick.key);
            }
        }
    }

    #[test]
    fn each_kind_is_that_of_a_key() {
        let rules = Rules::embedded();
        let mut used: BTreeSet<String> = BTreeSet::new();
        for title in rules.types() {
            let schema = rules.schema(title).unwrap();
            used.extend(
                kinds_in(&schema["properties"])
                    .into_iter()
                    .map(str::to_owned),
            );
        }
        // A kind that no key names is known by the form of its ids, wherever they are.
        for wall in Wall::all() {
            let is_found = used.contains(wall.name) || wall.kind.id.is_some();
            assert!(is_found, "{}", wall.name);
        }
    }

    /// Words in a key's name that speak of a place, as they are written in lower case.
    const PLACES: [&str; 10] = [
        "subnet",
        "security group",
        "vpc id",
        "kms",
        "bucket",
        "gateway arn",
        "hypervisor",
        "identifier",
        "table name",
        "region",
    ];
    /// Keys that have such a word, and name none.
    const NONE: [&str; 12] = [
        "originalTableName",
        "sourceTableName",
        "newTableName",
        "SnapshotClusterIdentifier",
        "DBCapacityReservationIdentifier",
        "CACertificateIdentifier",
        "HsmClientCertificateIdentifier",
        "HsmConfigurationIdentifier",
        "SnapshotScheduleIdentifier",
        "ClusterSecurityGroups",
        "activateCaseSensitiveIdentifier",
        "EnableCaseSensitiveIdentifier",
    ];

    #[test]
    fn keys_that_speak_of_a_place_say_which() {
        let rules = Rules::embedded();
        let mut missing = Vec::new();
        for title in rules.types() {
            let properties = rules.schema(title).unwrap()["properties"]
                .as_object()
                .unwrap();
            for (key, of) in properties {
                let folded = key.to_lowercase();
                let speaks = PLACES
                    .iter()
                    .any(|word| folded.contains(&word.replace(' ', "")));
                let is_exempt = NONE.iter().any(|none| none.eq_ignore_ascii_case(key))
                    || of["x-redrill"]["send"] == false
                    || of["type"] == "boolean";
                if speaks && !is_exempt && kinds_in(of).is_empty() {
                    missing.push(format!("{title}.{key}"));
                }
            }
        }
        assert!(missing.is_empty(), "no `wall` in\n{}", missing.join("\n"));
    }
}
