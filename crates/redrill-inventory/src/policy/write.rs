//! Writing policies, with IAM's own names: what is written reads back, and is JSON that IAM takes.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::{
    PolicyCondition, PolicyDocument, PolicyEffect, PolicyPatterns, PolicyPrincipal, PolicyStatement,
};

impl Serialize for PolicyDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let version = match self.variables {
            true => "2012-10-17",
            false => "2008-10-17",
        };
        map.serialize_entry("Version", version)?;
        if let Some(id) = &self.id {
            map.serialize_entry("Id", id)?;
        }
        map.serialize_entry("Statement", &self.statements)?;
        map.end()
    }
}

impl Serialize for PolicyStatement {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(sid) = &self.sid {
            map.serialize_entry("Sid", sid)?;
        }
        let effect = match self.effect {
            PolicyEffect::Allow => "Allow",
            PolicyEffect::Deny => "Deny",
        };
        map.serialize_entry("Effect", effect)?;
        if let Some(principal) = &self.principal {
            let name = match principal.all_but {
                true => "NotPrincipal",
                false => "Principal",
            };
            map.serialize_entry(name, principal)?;
        }
        patterns(&mut map, &self.action, "Action", "NotAction")?;
        if let Some(resource) = &self.resource {
            patterns(&mut map, resource, "Resource", "NotResource")?;
        }
        if !self.conditions.is_empty() {
            map.serialize_entry("Condition", &conditions(&self.conditions))?;
        }
        map.end()
    }
}

fn patterns<M: SerializeMap>(
    map: &mut M,
    patterns: &PolicyPatterns,
    name: &str,
    all_but: &str,
) -> Result<(), M::Error> {
    let name = if patterns.all_but { all_but } else { name };
    match patterns.patterns.as_slice() {
        [one] => map.serialize_entry(name, one),
        all => map.serialize_entry(name, all),
    }
}

/// By operator and key.
fn conditions(all: &[PolicyCondition]) -> BTreeMap<&str, BTreeMap<&str, &[String]>> {
    let mut by_operator: BTreeMap<&str, BTreeMap<&str, &[String]>> = BTreeMap::new();
    for one in all {
        let keys = by_operator.entry(&one.operator.name).or_default();
        keys.insert(&one.key, &one.values);
    }
    by_operator
}

impl Serialize for PolicyPrincipal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        if self.everyone {
            kinds.entry("AWS").or_default().push("*");
        }
        for one in &self.aws {
            kinds.entry("AWS").or_default().push(one);
        }
        for one in &self.service {
            kinds.entry("Service").or_default().push(one);
        }
        for (kind, one) in &self.other {
            kinds.entry(kind).or_default().push(one);
        }
        kinds.serialize(serializer)
    }
}
