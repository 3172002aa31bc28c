//! Conditions on the objects in the JSON of a value, `BlockDeviceMappings[].Ebs`: what a member may be can depend on those that
//! stand beside it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::conditions::{Condition, Fault};
use super::metadata::Metadata;
use super::refusals::Request;
use super::values::Path;

/// The conditions that have to hold together for one of the objects at a place.
#[derive(Debug, Default)]
pub(super) struct Within(Vec<(Path, Vec<Condition>)>);

impl<'de> Deserialize<'de> for Within {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Within, D::Error> {
        let places = BTreeMap::<String, Vec<Condition>>::deserialize(deserializer)?;
        let places = places.into_iter();
        let places = places.map(|(path, conditions)| (Path::parse(&path), conditions));
        Ok(Within(places.collect()))
    }
}

impl Within {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The member that the last condition finds, of the first object for which all hold.
    pub(super) fn find(&self, request: &Request<'_>) -> Option<Fault> {
        self.0.iter().find_map(|(path, conditions)| {
            let objects = path.objects(request);
            objects
                .iter()
                .find_map(|object| fault_in(path, object, conditions, request))
        })
    }
}

fn fault_in(
    path: &Path,
    object: &Value,
    conditions: &[Condition],
    request: &Request<'_>,
) -> Option<Fault> {
    let members = members(object)?;
    // `surroundings` are named by top-level keys, which an object inside a value does not have.
    let inner = Request {
        resource_type: request.resource_type,
        asked_type: request.asked_type,
        metadata: &members,
        copy_tags: request.copy_tags,
        role: request.role,
        account: request.account,
        region: request.region,
        point: request.point,
        around: &|_| None,
        surrounded: false,
        taken: request.taken,
        world: request.world,
        session: request.session.clone(),
    };
    let fault = Condition::all(conditions, &inner)?;
    let value = fault.value.as_deref().or_else(|| members.get(&fault.key));
    Some(Fault {
        value: Some(value.unwrap_or_default().to_owned()),
        key: format!("{path}.{}", fault.key),
    })
}

/// The members of an object as if they were keys of the metadata.
fn members(object: &Value) -> Option<Metadata<'_>> {
    let members = object.as_object()?.iter();
    let entries = members.map(|(name, value)| {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.as_str().into()),
            other => Some(other.to_string().into()),
        };
        (name.as_str().into(), text)
    });
    Some(Metadata::new(entries.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_texts() {
        let object = serde_json::json!({ "A": 1, "b": "x", "c": null, "D": [1], "e": true });
        let members = members(&object).unwrap();
        let of = |name| members.get(name);
        assert_eq!((of("a"), of("b"), of("c")), (Some("1"), Some("x"), None));
        assert_eq!((of("d"), of("e")), (Some("[1]"), Some("true")));
        assert!(super::members(&serde_json::json!([1])).is_none());
    }
}
