//! Conditions that a line of `when` in `refusals.yaml` sets for a request.

use serde::Deserialize;
use serde_json::Value;

use super::elsewhere::{self, Elsewhere};
use super::refusals::Request;
use super::resource_types;
use super::role::Role;
use super::things::around;
use super::values::{Allowed, Bounds, Form, is_word};
use super::within::Within;
use super::world::{KeyFault, Networked, other_network};
use redrill_inventory::Arn;
use redrill_inventory::{RecoveryPointStatus, StorageClass};

/// One condition. The keys are explained at the head of `refusals.yaml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Condition {
    key: Option<String>,
    around: Option<String>,
    differs: Option<String>,
    taken: Option<bool>,
    composite: Option<bool>,
    continuous: Option<bool>,
    air_gapped: Option<bool>,
    resource: Option<String>,
    status: Vec<RecoveryPointStatus>,
    storage: Option<StorageClass>,
    present: Option<bool>,
    equals: Option<String>,
    like: Option<Form>,
    contains: Option<String>,
    json_list: Option<bool>,
    as_source: Option<bool>,
    under_source: Option<bool>,
    arn: Option<bool>,
    lacks: Option<String>,
    item_has: Vec<String>,
    more_than: Option<usize>,
    fewer_than: Option<usize>,
    needs: Vec<String>,
    none_of: Vec<String>,
    any_of: Vec<String>,
    booleans: Vec<String>,
    broken_json: Vec<String>,
    values: Allowed<Vec<String>>,
    forms: Allowed<Form>,
    integers: Allowed<Bounds>,
    lengths: Allowed<Bounds>,
    within: Within,
    other_type: bool,
    elsewhere: Option<Elsewhere>,
    except: Vec<String>,
    role: Option<Role>,
    only_keys: Vec<String>,
    copy_tags: Option<bool>,
    not: bool,
    not_there: Allowed<String>,
    keys: Allowed<KeyFault>,
    role_lacks: Vec<String>,
    full: Option<String>,
    point_of: Option<String>,
    point_key: Option<KeyFault>,
    other_network: Vec<Networked>,
}

/// Cause that makes a condition hold, for its message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) key: String,
    /// The part of its value that is at fault, where it is a part.
    pub(super) value: Option<String>,
}

impl Fault {
    fn of(key: &str) -> Option<Fault> {
        let key = key.to_owned();
        Some(Fault { key, value: None })
    }

    fn when(holds: bool, key: &str) -> Option<Fault> {
        holds.then(|| Fault::of(key)).flatten()
    }
}

/// Returns true if a value says nothing: documents that AWS's console sends have `[]` for "none".
fn is_blank(value: &str) -> bool {
    matches!(value.trim(), "" | "null" | "[]" | "{}" | "\"\"")
}

/// A value that says something.
pub(super) fn given<'a>(request: &Request<'a>, key: &str) -> Option<&'a str> {
    request.metadata.get(key).filter(|value| !is_blank(value))
}

impl Condition {
    /// The fault, where all conditions hold: the last one names it, those before it only restrict when it counts.
    pub(super) fn all(conditions: &[Condition], request: &Request<'_>) -> Option<Fault> {
        let mut named = Fault::default();
        for condition in conditions {
            let fault = condition.holds(request)?;
            if !fault.key.is_empty() {
                named = fault;
            }
        }
        Some(named)
    }

    /// Returns what makes it hold; none if it does not.
    pub(super) fn holds(&self, request: &Request<'_>) -> Option<Fault> {
        if let Some(fault) = self.of_the_world(request) {
            return fault;
        }
        if let Some(fault) = self.of_the_point(request) {
            return fault;
        }
        if let Some(fault) = self.of_several_keys(request) {
            return fault;
        }
        if let Some(thing) = &self.around {
            return self.of_the_surroundings(thing, request);
        }
        let key = self.key.as_deref()?;
        let holds = self.of_one_key(request, key) != self.not;
        match &self.lacks {
            Some(member) => Fault::when(holds, &format!("{key}.{member}")),
            None => Fault::when(holds, key),
        }
    }

    /// Conditions on what the inventory declares; none where this is another kind. Where it declares nothing, none holds.
    fn of_the_world(&self, request: &Request<'_>) -> Option<Option<Fault>> {
        let asks = !self.not_there.is_empty()
            || !self.keys.is_empty()
            || !self.role_lacks.is_empty()
            || !self.other_network.is_empty()
            || self.point_key.is_some()
            || self.full.is_some();
        if !asks {
            return None;
        }
        let Some(world) = request.world else {
            return Some(None);
        };
        Some(if !self.not_there.is_empty() {
            self.not_there
                .find(request, |type_name, value| world.is_there(type_name, value))
        } else if !self.keys.is_empty() {
            self.keys.find(request, |fault, value| {
                !world.key_is(*fault, value, request.resource_type)
            })
        } else if let Some(fault) = self.point_key {
            let key = request.point.encryption_key_arn();
            let known = key.filter(|key| world.has_key(key));
            let is = known.is_some_and(|key| world.key_is(fault, key, request.resource_type));
            Fault::when(is, "")
        } else if !self.other_network.is_empty() {
            other_network(&self.other_network, world, request)
        } else if let Some(quota) = &self.full {
            Fault::when(world.is_full(quota), "")
        } else {
            let lack = world.lack(request);
            lack.filter(|lack| {
                let mut wanted = self.role_lacks.iter();
                wanted.any(|one| one == "*" || *one == lack.action)
            })
            .map(|lack| Fault {
                key: lack.action.clone(),
                value: Some(lack.words.clone()),
            })
        })
    }

    /// Conditions on the request as a whole and on its recovery point; none where this is another kind.
    fn of_the_point(&self, request: &Request<'_>) -> Option<Option<Fault>> {
        let point = request.point;
        let holds = if let Some(wanted) = self.copy_tags {
            let parameter = "CopySourceTagsToRestoredResource";
            return Some(Fault::when(request.copy_tags == wanted, parameter));
        } else if !self.status.is_empty() {
            self.status.contains(&point.status())
        } else if let Some(storage) = self.storage {
            point.storage_class() == storage
        } else if let Some(wanted) = self.composite {
            point.is_composite() == wanted
        } else if let Some(wanted) = self.continuous {
            point.arn().contains(":recovery-point:continuous:") == wanted
        } else if let Some(wanted) = self.air_gapped {
            point.is_air_gapped() == wanted
        } else if let Some(part) = &self.resource {
            point.resource_arn().contains(part.as_str())
        } else if let Some(service) = &self.point_of {
            Arn::parse(point.arn()).is_some_and(|arn| arn.service == service)
        } else if let Some(wanted) = self.taken {
            (request.taken)() == wanted
        } else if self.other_type {
            let holds = resource_types::is_of_another(request.point, request.asked_type);
            return Some(Fault::when(holds, "ResourceType"));
        } else {
            let role = self.role?;
            return Some(Fault::when(role.is(request), "IamRoleArn"));
        };
        Some(Fault::when(holds, ""))
    }

    /// Conditions that look through several keys for the one at fault; none where this is another kind.
    fn of_several_keys(&self, request: &Request<'_>) -> Option<Option<Fault>> {
        let find = |keys: &[String], wrong: &dyn Fn(&str) -> bool| {
            let key = keys.iter().find(|key| wrong(key));
            key.and_then(|key| Fault::of(key))
        };
        Some(if !self.needs.is_empty() {
            find(&self.needs, &|key| given(request, key).is_none())
        } else if !self.any_of.is_empty() {
            find(&self.any_of, &|key| given(request, key).is_some())
        } else if let Some(first) = self.none_of.first() {
            let none = self.none_of.iter().all(|key| given(request, key).is_none());
            Fault::when(none, first)
        } else if !self.booleans.is_empty() {
            find(&self.booleans, &|key| {
                given(request, key).is_some_and(|value| !is_boolean(value))
            })
        } else if !self.broken_json.is_empty() {
            find(&self.broken_json, &|key| {
                given(request, key).is_some_and(is_broken_json)
            })
        } else if !self.values.is_empty() {
            self.values
                .find(request, |words, value| is_word(words, value))
        } else if !self.forms.is_empty() {
            self.forms.find(request, Form::is_of)
        } else if !self.integers.is_empty() {
            self.integers.find(request, Bounds::hold)
        } else if !self.lengths.is_empty() {
            self.lengths.find(request, Bounds::hold_length)
        } else if !self.within.is_empty() {
            self.within.find(request)
        } else if !self.only_keys.is_empty() {
            let accepted = |key: &str| self.only_keys.iter().any(|k| k.eq_ignore_ascii_case(key));
            let mut keys = request.metadata.iter().map(|(key, _)| key);
            keys.find(|key| !accepted(key)).and_then(Fault::of)
        } else {
            let what = self.elsewhere?;
            let (key, value) = elsewhere::find(what, request, &self.except)?;
            Some(Fault {
                key,
                value: Some(value),
            })
        })
    }

    fn of_the_surroundings(&self, thing: &str, request: &Request<'_>) -> Option<Fault> {
        if !request.surrounded {
            return None;
        }
        let found = around(thing, request)?;
        let fits = match (&self.equals, &self.differs) {
            (Some(wanted), _) => found == wanted,
            (None, Some(other)) => around(other, request).is_some_and(|other| other != found),
            (None, None) => true,
        };
        Fault::when(fits != self.not, "")
    }

    fn of_one_key(&self, request: &Request<'_>, key: &str) -> bool {
        let value = given(request, key);
        if let Some(wanted) = self.present {
            return value.is_some() == wanted;
        }
        if let Some(wanted) = self.as_source {
            // The source's value must be known to differ from it.
            let source = request.point.restore_metadata(key);
            return source.is_some_and(|source| (Some(source) == value) == wanted);
        }
        let Some(value) = value else { return false };
        if let Some(wanted) = self.under_source {
            let gib = value.trim().parse::<u64>();
            // A recovery point whose size the inventory leaves out fits any volume.
            let source = request.point.listed_gib();
            source.is_some_and(|source| gib.is_ok_and(|gib| (gib < source) == wanted))
        } else if let Some(wanted) = &self.equals {
            value.eq_ignore_ascii_case(wanted)
        } else if let Some(wanted) = &self.like {
            wanted.is_of(value)
        } else if let Some(wanted) = &self.contains {
            // Blanks in JSON text mean nothing.
            let compact = |text: &str| text.replace([' ', '\n', '\t'], "");
            compact(value).contains(&compact(wanted))
        } else if let Some(wanted) = self.json_list {
            serde_json::from_str::<Vec<Value>>(value).is_ok() == wanted
        } else if let Some(wanted) = self.arn {
            Arn::parse(value).is_some() == wanted
        } else if let Some(member) = &self.lacks {
            // Text that is not JSON at all is left to another line.
            let parsed = serde_json::from_str::<Value>(value);
            let objects = match parsed {
                Ok(object @ Value::Object(_)) => vec![object],
                Ok(Value::Array(items)) => items,
                _ => Vec::new(),
            };
            objects
                .iter()
                .any(|object| object.is_object() && member_of(object, member).is_none())
        } else if !self.item_has.is_empty() {
            let has = |item: &Value| {
                let mut members = self.item_has.iter();
                members.all(|member| member_of(item, member).is_some())
            };
            items(value).iter().any(has)
        } else if let Some(most) = self.more_than {
            items(value).len() > most
        } else if let Some(least) = self.fewer_than {
            // A value that is not a list is refused elsewhere.
            (1..least).contains(&items(value).len())
        } else {
            false
        }
    }
}

fn is_boolean(value: &str) -> bool {
    value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false")
}

/// Returns true if a text begins as a list or an object of JSON, and is not valid JSON.
fn is_broken_json(value: &str) -> bool {
    value.trim_start().starts_with(['[', '{'])
        && serde_json::from_str::<serde::de::IgnoredAny>(value).is_err()
}

/// The items of a JSON list, or of the one list in an object around it: AWS prints some keys so.
fn items(value: &str) -> Vec<Value> {
    serde_json::from_str(value).map_or_else(|_| Vec::new(), |value| items_of(&value))
}

pub(super) fn items_of(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(object) => match object.iter().next() {
            Some((_, Value::Array(items))) => items.clone(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// A member of a JSON object by its name in any case, if it says anything.
pub(super) fn member_of<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let mut members = object.as_object()?.iter();
    let (_, value) = members.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
    let says = match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        _ => true,
    };
    says.then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing() {
        for blank in ["", " ", "null", "[]", "{}", "\"\""] {
            assert!(is_blank(blank), "{blank}");
        }
        for value in ["0", "false", "[\"\"]", "{\"a\":1}"] {
            assert!(!is_blank(value), "{value}");
        }
    }

    #[test]
    fn json_that_is_none() {
        for broken in ["[sg-1", "[sg-1]", "{\"a\":", " [1,]", "{a: 1}"] {
            assert!(is_broken_json(broken), "{broken}");
        }
        for fine in ["sg-1", "[\"sg-1\"]", "{}", "a[1", "-1"] {
            assert!(!is_broken_json(fine), "{fine}");
        }
    }

    #[test]
    fn items_and_members() {
        assert_eq!(items("[1, 2]").len(), 2);
        assert_eq!(items("{\"BlockDeviceMappings\": [1]}").len(), 1);
        assert!(items("{\"a\": 1}").is_empty() && items("x").is_empty());
        let object: Value = serde_json::json!({ "A": null, "b": "", "C": [], "d": false });
        assert!(member_of(&object, "a").is_none() && member_of(&object, "B").is_none());
        assert!(member_of(&object, "c").is_some() && member_of(&object, "D").is_some());
    }
}
