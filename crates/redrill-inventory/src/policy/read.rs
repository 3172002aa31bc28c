//! Reading policies: what a statement has to have and may not have depends on where its policy stands.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::super::text::{checked, located, unique_keys};
use super::super::{Arn, InventoryError, is_account_id};
use super::{
    ConditionOperator, PolicyCondition, PolicyDocument, PolicyEffect, PolicyPatterns,
    PolicyPrincipal, PolicyStatement,
};

/// Where a policy stands.
pub(super) trait Place {
    const NAME: &'static str;
    /// Whether it says whom it is about.
    const PRINCIPAL: bool;
    /// Whether it says what it is about.
    const RESOURCE: bool;
}

/// A policy of a user or role, a boundary, a service control policy.
struct Identity;
/// A vault access policy, a key policy.
struct OfResource;
struct Trust;

impl Place for Identity {
    const NAME: &'static str = "a policy of a principal";
    const PRINCIPAL: bool = false;
    const RESOURCE: bool = true;
}

impl Place for OfResource {
    const NAME: &'static str = "a policy of a resource";
    const PRINCIPAL: bool = true;
    const RESOURCE: bool = true;
}

impl Place for Trust {
    const NAME: &'static str = "a trust policy";
    const PRINCIPAL: bool = true;
    const RESOURCE: bool = false;
}

/// A policy that stands there.
struct At<P>(PolicyDocument, PhantomData<P>);

pub(in super::super) fn identity_policies<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, PolicyDocument>>, D::Error> {
    let all = unique_keys::<D, At<Identity>>(deserializer)?;
    Ok(Some(all.into_iter().map(|(k, at)| (k, at.0)).collect()))
}

pub(in super::super) fn optional_identity<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<Identity>::deserialize(deserializer).map(|at| Some(at.0))
}

pub(in super::super) fn optional_resource<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<OfResource>::deserialize(deserializer).map(|at| Some(at.0))
}

pub(in super::super) fn optional_trust<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PolicyDocument>, D::Error> {
    At::<Trust>::deserialize(deserializer).map(|at| Some(at.0))
}

/// From the root of the organization to the account: what is attached at each level, by name.
pub(in super::super) fn service_control_policies<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<BTreeMap<String, PolicyDocument>>, D::Error> {
    struct Level(BTreeMap<String, PolicyDocument>);
    impl<'de> Deserialize<'de> for Level {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Level, D::Error> {
            identity_policies(deserializer).map(|all| Level(all.unwrap_or_default()))
        }
    }
    let levels = Vec::<Level>::deserialize(deserializer)?;
    Ok(levels.into_iter().map(|level| level.0).collect())
}

impl PolicyDocument {
    /// Reads a policy of a principal: YAML, or JSON, which is YAML too.
    ///
    /// # Errors
    ///
    /// What is wrong, and where in the text.
    pub fn of_principal(text: &str) -> Result<PolicyDocument, InventoryError> {
        let read = serde_yaml::from_str::<At<Identity>>(text);
        read.map(|at| at.0).map_err(|error| located(&error))
    }

    /// Reads a policy of a resource.
    ///
    /// # Errors
    ///
    /// What is wrong, and where in the text.
    pub fn of_resource(text: &str) -> Result<PolicyDocument, InventoryError> {
        let read = serde_yaml::from_str::<At<OfResource>>(text);
        read.map(|at| at.0).map_err(|error| located(&error))
    }
}

/// The key policy among the properties of a resource.
pub(in super::super) fn of_properties(value: &serde_yaml::Value) -> Result<PolicyDocument, String> {
    let read = At::<OfResource>::deserialize(value);
    read.map(|at| at.0).map_err(|error| error.to_string())
}

/// A key of a map, one of these: an error has its place.
struct OneOf(&'static str, &'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        let OneOf(thing, names) = self;
        checked(deserializer, |key| match names.contains(&key) {
            true => Ok(key.to_owned()),
            false => Err(format!(
                "{thing} has no {key:?}; it has {}",
                names.join(", ")
            )),
        })
    }
}

const DOCUMENT: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl<'de, P: Place> Deserialize<'de> for At<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<At<P>, D::Error> {
        struct Document<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Document<P> {
            type Value = At<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an IAM policy document: Version and Statement")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<At<P>, A::Error> {
                let mut document = PolicyDocument::default();
                let mut has_statements = false;
                while let Some(key) = map.next_key_seed(OneOf("a policy", &DOCUMENT))? {
                    match key.as_str() {
                        "Version" => document.variables = map.next_value::<Version>()?.0,
                        "Id" => document.id = map.next_value()?,
                        _ => {
                            has_statements = true;
                            document.statements = map.next_value::<Statements<P>>()?.0;
                        }
                    }
                }
                match has_statements {
                    true => Ok(At(document, PhantomData)),
                    false => Err(A::Error::custom("a policy has to have a Statement")),
                }
            }
        }
        deserializer.deserialize_map(Document(PhantomData))
    }
}

/// Whether it is the one with variables.
struct Version(bool);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
        checked(deserializer, |text| match text {
            "2012-10-17" => Ok(Version(true)),
            "2008-10-17" => Ok(Version(false)),
            other => Err(format!(
                "{other:?} is not a version of the policy language; write 2012-10-17"
            )),
        })
    }
}

/// One statement or a list of them.
struct Statements<P>(Vec<PolicyStatement>, PhantomData<P>);

impl<'de, P: Place> Deserialize<'de> for Statements<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Statements<P>, D::Error> {
        struct Any<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Any<P> {
            type Value = Statements<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a statement or a list of statements")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Statements<P>, A::Error> {
                Ok(Statements(vec![statement::<P, A>(map)?], PhantomData))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Statements<P>, A::Error> {
                let mut all = Vec::new();
                while let Some(One(one, _)) = seq.next_element::<One<P>>()? {
                    all.push(one);
                }
                Ok(Statements(all, PhantomData))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

struct One<P>(PolicyStatement, PhantomData<P>);

impl<'de, P: Place> Deserialize<'de> for One<P> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<One<P>, D::Error> {
        struct Map<P>(PhantomData<P>);
        impl<'de, P: Place> Visitor<'de> for Map<P> {
            type Value = One<P>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a statement: Effect, Action, Resource")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<One<P>, A::Error> {
                statement::<P, A>(map).map(|one| One(one, PhantomData))
            }
        }
        deserializer.deserialize_map(Map(PhantomData))
    }
}

fn statement<'de, P: Place, A: MapAccess<'de>>(mut map: A) -> Result<PolicyStatement, A::Error> {
    let (mut sid, mut effect, mut principal) = (None, None, None);
    let (mut action, mut resource) = (None, None);
    let mut conditions = Vec::new();
    let twice = |is: bool, name: &str| match is {
        true => Err(A::Error::custom(format!(
            "a statement has one of {name} and Not{name}, once"
        ))),
        false => Ok(()),
    };
    while let Some(key) = map.next_key_seed(OneOf("a statement", &STATEMENT))? {
        match key.as_str() {
            "Sid" => sid = map.next_value()?,
            "Effect" => effect = Some(map.next_value::<Effect>()?.0),
            "Principal" | "NotPrincipal" => {
                twice(principal.is_some(), "Principal")?;
                if !P::PRINCIPAL {
                    return Err(A::Error::custom(format!(
                        "{} has no {key}: it is about whom it is attached to",
                        P::NAME
                    )));
                }
                let mut whom: PolicyPrincipal = map.next_value::<Principal>()?.0;
                whom.all_but = key == "NotPrincipal";
                principal = Some(whom);
            }
            "Action" | "NotAction" => {
                twice(action.is_some(), "Action")?;
                let patterns = map.next_value::<Texts<ActionText>>()?.0;
                let all_but = key == "NotAction";
                action = Some(PolicyPatterns { all_but, patterns });
            }
            "Resource" | "NotResource" => {
                twice(resource.is_some(), "Resource")?;
                if !P::RESOURCE {
                    return Err(A::Error::custom(format!(
                        "{} has no {key}: it is about its role",
                        P::NAME
                    )));
                }
                let patterns = map.next_value::<Texts<ResourceText>>()?.0;
                let all_but = key == "NotResource";
                resource = Some(PolicyPatterns { all_but, patterns });
            }
            _ => conditions = map.next_value::<Conditions>()?.0,
        }
    }
    let lacks = |what: &str| A::Error::custom(format!("a statement of {} needs {what}", P::NAME));
    if P::PRINCIPAL && principal.is_none() {
        return Err(lacks("Principal"));
    }
    if P::RESOURCE && resource.is_none() {
        return Err(lacks("Resource or NotResource"));
    }
    Ok(PolicyStatement {
        sid,
        effect: effect.ok_or_else(|| lacks("Effect: Allow or Deny"))?,
        principal,
        action: action.ok_or_else(|| lacks("Action or NotAction"))?,
        resource,
        conditions,
    })
}

struct Effect(PolicyEffect);

impl<'de> Deserialize<'de> for Effect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Effect, D::Error> {
        checked(deserializer, |text| match text {
            "Allow" => Ok(Effect(PolicyEffect::Allow)),
            "Deny" => Ok(Effect(PolicyEffect::Deny)),
            other => Err(format!("{other:?} is not an effect; write Allow or Deny")),
        })
    }
}

/// What a text has to be.
trait Text {
    fn check(text: &str) -> Result<(), String>;
}

struct ActionText;
struct ResourceText;
struct AnyText;

impl Text for ActionText {
    fn check(text: &str) -> Result<(), String> {
        let fine = text == "*"
            || text.split_once(':').is_some_and(|(service, name)| {
                let word = |text: &str| {
                    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-*?".contains(&b);
                    !text.is_empty() && text.bytes().all(fits)
                };
                word(service) && word(name)
            });
        match fine {
            true => Ok(()),
            false => Err(format!(
                "{text:?} is not an action; write service:Operation, as in backup:StartRestoreJob"
            )),
        }
    }
}

impl Text for ResourceText {
    fn check(text: &str) -> Result<(), String> {
        match text == "*" || text.starts_with("arn:") || text.starts_with("${") {
            true => Ok(()),
            false => Err(format!("{text:?} is neither an ARN nor \"*\"")),
        }
    }
}

impl Text for AnyText {
    fn check(_: &str) -> Result<(), String> {
        Ok(())
    }
}

/// One text, or a list of texts.
struct Texts<T>(Vec<String>, PhantomData<T>);

impl<'de, T: Text> Deserialize<'de> for Texts<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Texts<T>, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<T: Text> Any<T> {
            fn one<E: Error>(text: String) -> Result<Texts<T>, E> {
                T::check(&text).map_err(E::custom)?;
                Ok(Texts(vec![text], PhantomData))
            }
        }
        impl<'de, T: Text> Visitor<'de> for Any<T> {
            type Value = Texts<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts<T>, E> {
                Self::one(text.to_owned())
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Texts<T>, E> {
                Self::one(value.to_string())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts<T>, A::Error> {
                let mut all = Vec::new();
                while let Some(Texts(mut one, _)) = seq.next_element::<Texts<T>>()? {
                    all.append(&mut one);
                }
                Ok(Texts(all, PhantomData))
            }
        }
        deserializer.deserialize_any(Any(PhantomData))
    }
}

struct Principal(PolicyPrincipal);

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Principal, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Principal;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"*\", or a map of AWS and Service")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Principal, E> {
                match text {
                    "*" => Ok(Principal(PolicyPrincipal {
                        everyone: true,
                        ..PolicyPrincipal::default()
                    })),
                    other => Err(E::custom(format!(
                        "{other:?} is not a principal; write \"*\", {{ AWS: ARN }} or {{ Service: backup.amazonaws.com }}"
                    ))),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Principal, A::Error> {
                let mut found = PolicyPrincipal::default();
                const KINDS: [&str; 4] = ["AWS", "Service", "Federated", "CanonicalUser"];
                while let Some(kind) = map.next_key_seed(OneOf("a principal", &KINDS))? {
                    match kind.as_str() {
                        "AWS" => {
                            for one in map.next_value::<Texts<PrincipalText>>()?.0 {
                                match one.as_str() {
                                    "*" => found.everyone = true,
                                    _ => found.aws.push(one),
                                }
                            }
                        }
                        "Service" => found.service = map.next_value::<Texts<AnyText>>()?.0,
                        _ => {
                            let all = map.next_value::<Texts<AnyText>>()?.0.into_iter();
                            found.other.extend(all.map(|one| (kind.clone(), one)));
                        }
                    }
                }
                Ok(Principal(found))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

struct PrincipalText;

impl Text for PrincipalText {
    fn check(text: &str) -> Result<(), String> {
        let known = text == "*"
            || is_account_id(text)
            || Arn::parse(text)
                .is_some_and(|arn| matches!(arn.service, "iam" | "sts") && !text.contains('*'));
        match known {
            true => Ok(()),
            false => Err(format!(
                "{text:?} is not a principal: write the ARN of a user, role or session without wildcards, an account id in quotes, or \"*\""
            )),
        }
    }
}

struct Conditions(Vec<PolicyCondition>);

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Conditions, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Conditions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from condition operators to keys")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Conditions, A::Error> {
                let mut all = Vec::new();
                while let Some(OperatorName(operator)) = map.next_key()? {
                    let Keys(keys) = map.next_value()?;
                    all.extend(keys.into_iter().map(|(key, values)| PolicyCondition {
                        operator: operator.clone(),
                        key,
                        values: values.0,
                    }));
                }
                // Their order means nothing.
                all.sort_by(|a, b| (&a.operator.name, &a.key).cmp(&(&b.operator.name, &b.key)));
                Ok(Conditions(all))
            }
        }
        deserializer.deserialize_map(Map)
    }
}

struct OperatorName(ConditionOperator);

impl<'de> Deserialize<'de> for OperatorName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OperatorName, D::Error> {
        checked(deserializer, ConditionOperator::parse).map(OperatorName)
    }
}

struct Keys(BTreeMap<String, Texts<AnyText>>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        unique_keys(deserializer).map(Keys)
    }
}
