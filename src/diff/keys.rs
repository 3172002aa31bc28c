//! Two requests, or a request and what its source was, to what differs between them key by key.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::inside::{Part, Path, Sense, differences};
use super::review::{Class, Review};
use crate::ids::RequestDigest;
use crate::plan::{Draft, MARK, Request, digest, mark};
use crate::render::{REDACTED, RequestField, Secrets, SourceFacts, Target};
use crate::rules::Rules;

/// A key that differs, with its place inside JSON where it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyChange {
    /// `KmsKeyId`, `target.region`, `NetworkInterfaces[0].SubnetId`.
    pub path: Path,
    /// Old value, redacted.
    pub old: Option<Value>,
    /// New value, redacted.
    pub new: Option<Value>,
    /// True if the new value depends on something that is known only after another restore.
    pub pending: bool,
    /// Reasons for a reviewer to look twice.
    pub classes: BTreeSet<Class>,
}

/// Compared parts of a restore: every key of its request and target, by name.
#[derive(Clone, Debug, Default)]
pub struct RestoreKeys {
    /// The resource type, which decides what keys mean.
    pub resource_type: String,
    /// In the order of their names; metadata keys are as they are, others as the API names them.
    pub keys: BTreeMap<String, Value>,
    /// The keys whose value is not known yet.
    pub pending: BTreeSet<RequestField>,
}

/// Keys of the request beside the metadata, and of the target; a metadata key of the same name is told apart.
const BESIDE: [&str; 6] = [
    "ResourceType",
    "RecoveryPointArn",
    "IamRoleArn",
    "CopySourceTagsToRestoredResource",
    "target.account",
    "target.region",
];

impl RestoreKeys {
    /// A request that would be sent.
    #[must_use]
    pub fn of_draft(draft: &Draft, target: &Target) -> Self {
        let mut subject = Self::of_request(&draft.request, target);
        subject.pending = draft.holes.keys().cloned().collect();
        subject
    }

    /// A request that was sent. Its token, and the mark that is made of it, follow from the rest.
    #[must_use]
    pub fn of_request(request: &Request, target: &Target) -> Self {
        let mut keys = BTreeMap::new();
        let marked = request.idempotency_token.as_ref().map(mark);
        for (key, value) in &request.metadata {
            if key != MARK || marked.as_ref() != Some(value) {
                keys.insert(metadata_key(key), Value::from(value.as_str()));
            }
        }
        let mut beside = |key: &str, value: Option<Value>| {
            keys.extend(value.map(|value| (key.to_owned(), value)));
        };
        beside("ResourceType", Some(request.resource_type.as_str().into()));
        beside(
            "RecoveryPointArn",
            Some(request.recovery_point_arn.as_str().into()),
        );
        beside(
            "IamRoleArn",
            request.iam_role_arn.as_deref().map(Value::from),
        );
        beside(
            "CopySourceTagsToRestoredResource",
            request
                .copy_source_tags_to_restored_resource
                .map(Value::from),
        );
        beside("target.account", Some(target.account.as_str().into()));
        beside("target.region", Some(target.region.as_str().into()));
        Self {
            resource_type: request.resource_type.clone(),
            keys,
            pending: BTreeSet::new(),
        }
    }

    /// A recovery point as AWS would restore it: what AWS returns of it and does not take back is left out.
    #[must_use]
    pub fn of_source(facts: &SourceFacts, wanted: &RestoreKeys, rules: &Rules) -> Self {
        let of_type = facts
            .resource_type
            .as_ref()
            .map_or(&wanted.resource_type, |name| name);
        let mut keys: BTreeMap<String, Value> = facts
            .metadata
            .iter()
            // The mark is each job's own: that of the backup says nothing about the restore.
            .filter(|(key, _)| !key.eq_ignore_ascii_case(MARK) && rules.is_sent(of_type, key))
            .map(|(key, value)| {
                let key = metadata_key(rules.spelling(of_type, key));
                (key, Value::from(value.as_str()))
            })
            .collect();
        // The same type is nothing that a reader would look for among the keys.
        if let Some(of_type) = &facts.resource_type
            && *of_type != wanted.resource_type
        {
            keys.insert("ResourceType".to_owned(), of_type.as_str().into());
        }
        Self {
            resource_type: of_type.clone(),
            keys,
            pending: BTreeSet::new(),
        }
    }

    /// A copy that may be shown.
    #[must_use]
    pub fn redacted(mut self, secrets: &Secrets) -> Self {
        for value in self.keys.values_mut() {
            secrets.redact_value(value);
        }
        self
    }

    /// The part that a recovery point says something about.
    #[must_use]
    pub fn beside_source(&self, source: &RestoreKeys) -> Self {
        let mut part = self.clone();
        part.keys.retain(|key, _| {
            !BESIDE.contains(&key.as_str())
                || key == "ResourceType" && source.keys.contains_key("ResourceType")
        });
        part
    }
}

fn metadata_key(key: &str) -> String {
    if BESIDE.contains(&key) {
        format!("Metadata.{key}")
    } else {
        key.to_owned()
    }
}

/// Outcome of a comparison.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyDiff {
    /// In the order of the request's keys; what is beside the metadata comes first.
    pub changes: Vec<KeyChange>,
    /// The keys that did not change at all.
    pub unchanged: Vec<String>,
}

/// Inputs of a comparison besides the two sides.
#[derive(Clone, Copy)]
pub struct Comparing<'a> {
    /// Table of what a reviewer looks at twice.
    pub review: &'a Review,
    /// Kind of equality to apply.
    pub sense: Sense,
    /// Secrets that must not show, of the old side and of the new one.
    pub secrets: [&'a Secrets; 2],
}

impl Comparing<'_> {
    /// Lists the differences between two subjects; `None` for the old one if all is new.
    #[must_use]
    pub fn keys(&self, old: Option<&RestoreKeys>, new: &RestoreKeys) -> KeyDiff {
        let nothing = RestoreKeys::default();
        let old = old.unwrap_or(&nothing);
        let folded: BTreeMap<String, &String> = match self.sense {
            Sense::Bytes => BTreeMap::new(),
            Sense::Meaning => old.keys.keys().map(|k| (k.to_lowercase(), k)).collect(),
        };
        let counterpart = |key: &String| match self.sense {
            Sense::Bytes => old.keys.get_key_value(key).map(|(key, _)| key),
            Sense::Meaning => folded.get(&key.to_lowercase()).copied(),
        };
        let mut diff = KeyDiff::default();
        let mut met: BTreeSet<&String> = BTreeSet::new();
        for (key, value) in &new.keys {
            let path = Path::of(key);
            let Some(was) = counterpart(key) else {
                let change = (path, None, Some(value.clone()));
                diff.changes.push(self.change(new, key, change));
                continue;
            };
            met.insert(was);
            let found = differences(&path, &old.keys[was], value, self.sense);
            if found.is_empty() {
                diff.unchanged.push(key.clone());
            }
            for found in found {
                let change = (found.path, found.old, found.new);
                diff.changes.push(self.change(new, key, change));
            }
        }
        for (key, value) in &old.keys {
            if !met.contains(key) {
                let change = (Path::of(key), Some(value.clone()), None);
                diff.changes.push(self.change(old, key, change));
            }
        }
        // The most telling changes come first; the sort is stable, so that items of a list keep their order.
        diff.changes.sort_by_key(|change| change.rank());
        diff
    }

    /// The same against a record that shows no secrets. Where the request is known to be another one and nothing shows,
    /// it is a secret that has changed.
    #[must_use]
    pub fn recorded(
        &self,
        old: &RestoreKeys,
        was: &RequestDigest,
        new: RestoreKeys,
        draft: &Draft,
    ) -> KeyDiff {
        let new = new.redacted(self.secrets[1]);
        let mut diff = self.keys(Some(old), &new);
        if diff.changes.is_empty() && draft.pending.is_empty() && digest(&draft.request) != *was {
            let conceals = |key: &&String| old.keys[*key].to_string().contains(REDACTED);
            let hidden = old.keys.keys().filter(conceals);
            diff.changes = hidden
                .map(|key| {
                    let values = (old.keys.get(key).cloned(), new.keys.get(key).cloned());
                    self.change(&new, key, (Path::of(key), values.0, values.1))
                })
                .collect();
            diff.unchanged
                .retain(|key| !diff.changes.iter().any(|change| change.key() == key));
        }
        diff
    }

    fn change(
        &self,
        of: &RestoreKeys,
        key: &str,
        (path, old, new): (Path, Option<Value>, Option<Value>),
    ) -> KeyChange {
        let values = [&old, &new];
        let classes = self
            .review
            .of_key(&of.resource_type, &path, values.into_iter().flatten());
        let redact = |mut value: Value| {
            for secrets in self.secrets {
                secrets.redact_value(&mut value);
            }
            value
        };
        KeyChange {
            pending: new.is_some() && of.pending.contains(key),
            path: self.redacted(path),
            old: old.map(redact),
            new: new.map(redact),
            classes,
        }
    }

    /// A key of a map inside a value can be made of a secret as well.
    fn redacted(&self, mut path: Path) -> Path {
        for part in &mut path.0 {
            if let Part::Key(key) = part {
                for secrets in self.secrets {
                    secrets.redact_in(key);
                }
            }
        }
        path
    }
}

impl KeyChange {
    /// The key of the request that it is, or is in.
    #[must_use]
    pub fn key(&self) -> &str {
        match self.path.0.first() {
            Some(Part::Key(key)) => key,
            _ => "",
        }
    }

    /// Returns true if the line of every restore says it anyway: type, recovery point and target.
    #[must_use]
    pub fn is_in_headline(&self) -> bool {
        self.key() != "CopySourceTagsToRestoredResource" && BESIDE.contains(&self.key())
    }

    /// Ranks keys outside the metadata first, then the metadata by name.
    fn rank(&self) -> (usize, String) {
        let key = self.key();
        let beside = BESIDE.iter().position(|name| *name == key);
        (beside.unwrap_or(BESIDE.len()), key.to_owned())
    }
}
